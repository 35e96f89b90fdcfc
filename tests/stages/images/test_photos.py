"""From folders as users have them to a collection of photos."""

from __future__ import annotations

import os
import pickle
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.images.photos import PhotoFile, decode, decode_gray, decode_mask, read_photos
from diptych.stages.scene import Photos
from PIL import Image


def encoded(seed: int, form: str = "JPEG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """A photo unlike any with another seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def mask(size: tuple[int, int] = (64, 48)) -> bytes:
    image = Image.new("L", size)
    image.paste(255, (0, 0, size[0] // 2, size[1]))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path, **options: Any) -> tuple[Photos, tuple[PhotoFile, ...], list[str]]:
    warnings: list[str] = []
    photos, files = read_photos(folder, warn=warnings.append, **options)
    assert tuple(file.name for file in files) == photos.names
    assert len(photos.camera_of) == len(photos.gps) == len(photos)
    return photos, files, warnings


def failure(folder: Path, **options: Any) -> StageFailure:
    with pytest.raises(StageFailure) as caught:
        read(folder, **options)
    assert caught.value.hint
    return caught.value


GOOD = {"a.jpg": encoded(1), "b.jpg": encoded(2)}


def test_formats_folders_and_names(tmp_path: Path) -> None:
    names = {
        "mit Leerzeichen.JPG": "JPEG",
        "日本語/写真 1.png": "PNG",
        "Ελλάδα.tif": "TIFF",
        "sub/deeper/no suffix": "JPEG",
        "sub/z.jpeg": "JPEG",
    }
    fill(tmp_path, {name: encoded(seed, form) for seed, (name, form) in enumerate(names.items())})
    fill(tmp_path, {".hidden.jpg": encoded(10), ".thumbnails/x.jpg": encoded(11), "sub/._z.jpeg": b"AppleDouble"})
    photos, files, warnings = read(tmp_path)
    assert photos.names == tuple(sorted(names))
    assert not warnings
    for file in files:
        assert decode(file.load()).shape == (48, 64, 3)
        assert decode_gray(file.load()).shape == (48, 64)
        assert pickle.loads(pickle.dumps(file)) == file


def test_sizes_are_upright_and_may_be_mixed(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[274] = 6
    fill(tmp_path, GOOD | {"c.jpg": encoded(3, exif=turned), "d.png": encoded(4, "PNG", (80, 80))})
    photos, files, _ = read(tmp_path)
    for index, file in enumerate(files):
        camera = photos.camera(index)
        assert decode(file.load()).shape == (camera.height, camera.width, 3)
    assert [(camera.width, camera.height) for camera in photos.cameras] == [(64, 48), (48, 64), (80, 80)]


def test_what_is_no_photo_is_named_and_left_out(tmp_path: Path) -> None:
    bad = {
        "cut.jpg": (encoded(3)[:-300], "is cut off"),
        "cut.png": (encoded(4, "PNG")[:-300], "is cut off"),
        "empty.jpg": (b"", "is empty"),
        "notes.txt": (b"the scene from the north", "is no JPEG, PNG or TIFF"),
        "text.jpg": (b"not a photo at all", "is no JPEG, PNG or TIFF"),
    }
    _, files, warnings = read(fill(tmp_path, GOOD | {name: content for name, (content, _) in bad.items()}))
    assert [file.name for file in files] == ["a.jpg", "b.jpg"]
    assert len(warnings) == len(bad)
    for warning, (name, (_, why)) in zip(warnings, sorted(bad.items()), strict=True):
        assert warning.startswith(name) and why in warning


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    fill(tmp_path, GOOD | {"c.jpg": encoded(3)})
    (tmp_path / "c.jpg").chmod(0)
    assert "Permission denied" in read(tmp_path)[2][0]


def test_a_link_to_nothing_and_a_name_that_is_no_text(tmp_path: Path) -> None:
    fill(tmp_path, GOOD)
    (tmp_path / "c.jpg").symlink_to(tmp_path / "gone.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff.jpg")).write_bytes(encoded(4))
    photos, _, warnings = read(tmp_path)
    assert photos.names == ("a.jpg", "b.jpg")
    assert "No such file" in warnings[0] and "not valid Unicode" in warnings[1]


def test_copies_are_left_out(tmp_path: Path) -> None:
    photos, _, warnings = read(fill(tmp_path, GOOD | {"a (copy).jpg": GOOD["a.jpg"], "c/b.jpg": GOOD["b.jpg"]}))
    assert photos.names == ("a (copy).jpg", "b.jpg")
    assert len(warnings) == 2
    assert "a.jpg is the same photo as a (copy).jpg" in warnings[0]


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        ({}, "no-photos", "holds no photos"),
        ({".a.jpg": GOOD["a.jpg"]}, "no-photos", "holds no photos"),
        ({"a.jpg": GOOD["a.jpg"]}, "too-few-photos", "Of 1 files"),
        ({"a.jpg": GOOD["a.jpg"], "b.jpg": b""}, "too-few-photos", "1 is no complete image"),
        ({"a.jpg": GOOD["a.jpg"], "b.jpg": GOOD["a.jpg"]}, "too-few-photos", "1 is a copy of another"),
        ({"a.txt": b"x", "b.txt": b"y"}, "too-few-photos", "0 can be used: 2 are no complete image"),
    ],
)
def test_too_few_photos(tmp_path: Path, files: dict[str, bytes], code: str, told: str) -> None:
    caught = failure(fill(tmp_path, files))
    assert caught.code == code
    assert told in caught.sentence


def test_no_folder(tmp_path: Path) -> None:
    fill(tmp_path, GOOD)
    assert "does not exist" in failure(tmp_path / "nowhere").sentence
    assert "not a folder" in failure(tmp_path / "a.jpg").sentence
    assert failure(tmp_path, masks=tmp_path / "nowhere").code == "no-such-folder"


@pytest.mark.parametrize("named", ["a.png", "a.jpg.png"])
@pytest.mark.parametrize("inside", [True, False])
def test_masks(tmp_path: Path, named: str, inside: bool) -> None:
    folder = fill(tmp_path / "photos", GOOD | {"s/a.jpg": encoded(3)})
    masks = fill((folder if inside else tmp_path) / "masks", {named: mask()})
    (folder / "notes.txt").write_text("no photo")
    photos, files, warnings = read(folder, masks=masks)
    assert photos.names == ("a.jpg", "b.jpg", "s/a.jpg")
    assert [file.mask for file in files] == [masks / named, None, None]
    assert warnings[1:] == ["2 of 3 photos have no mask; all of their pixels are used."]
    where = decode_mask(files[0].load())
    assert where is not None and where[:, :32].all() and not where[:, 32:].any()
    assert decode_mask(files[1].load()) is None


def test_bad_masks(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos", GOOD)
    caught = failure(folder, masks=fill(tmp_path / "size", {"a.png": mask((32, 48))}))
    assert caught.code == "mask-size"
    assert "64x48" in caught.sentence and "32x48" in caught.sentence
    assert failure(folder, masks=fill(tmp_path / "none", {"z.png": mask()})).code == "no-masks"
    assert failure(folder, masks=fill(tmp_path / "damaged", {"a.png": mask()[:-20]})).code == "bad-mask"


def test_the_digest_is_that_of_photo_and_mask(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos", GOOD)
    plain = [file.digest for file in read(folder)[1]]
    masked = [file.digest for file in read(folder, masks=fill(tmp_path / "masks", {"a.png": mask()}))[1]]
    assert plain[0] != masked[0] and plain[1] == masked[1]
    moved = [file.digest for file in read(shutil.copytree(folder, tmp_path / "elsewhere"))[1]]
    assert moved == plain
    assert len(set(plain + masked)) == 3 and all(len(digest) == 64 for digest in plain)


def test_a_photo_that_changes_under_our_hands_is_told(tmp_path: Path) -> None:
    _, files, _ = read(fill(tmp_path, GOOD))
    (tmp_path / "a.jpg").write_bytes(encoded(9))
    (tmp_path / "b.jpg").unlink()
    for file in files:
        with pytest.raises(StageFailure) as caught:
            file.load()
        assert caught.value.code == "photo-changed" and file.name in caught.value.sentence


def test_threads_do_not_change_the_result(tmp_path: Path) -> None:
    fill(tmp_path, {f"{i}.jpg": encoded(i) for i in range(12)} | {"x.jpg": b"", "y.jpg": encoded(1), "z.txt": b"z"})
    one, many = read(tmp_path, threads=1), read(tmp_path, threads=8)
    assert one[1:] == many[1:]
    assert one[0].names == many[0].names and one[0].cameras == many[0].cameras
    np.testing.assert_array_equal(one[0].camera_of, many[0].camera_of)


def test_positions_and_damaged_positions(tmp_path: Path) -> None:
    here, odd = Image.Exif(), Image.Exif()
    here[0x8825] = {1: "S", 2: (33.0, 30.0, 0.0), 3: "W", 4: (70.0, 15.0, 0.0), 5: b"\x00", 6: 520.0}
    odd[0x8825] = {1: "N", 2: (133.0, 30.0, 0.0), 3: "W", 4: (70.0, 15.0, 0.0)}
    fill(
        tmp_path, {"a.jpg": encoded(1, exif=here), "b.jpg": encoded(2, exif=odd), "c.png": encoded(3, "PNG", exif=here)}
    )
    photos, _, warnings = read(tmp_path)
    np.testing.assert_allclose(photos.gps, [[-33.5, -70.25, 520], [np.nan] * 3, [-33.5, -70.25, 520]])
    assert len(warnings) == 1 and warnings[0].startswith("b.jpg")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_exif_of_every_format_gives_the_focal_length(tmp_path: Path, form: str) -> None:
    exif = Image.Exif()
    exif.update({271: "Maker", 272: "Model"})
    exif[0x8769] = {37386: 4.0, 41989: 36}
    suffix = form.lower()
    fill(tmp_path, {f"{i}.{suffix}": encoded(i, form, (300, 200), exif=exif.tobytes()) for i in range(3)})
    photos, _, _ = read(tmp_path)
    (camera,) = photos.cameras
    assert camera.focal == "exif" and camera.params == pytest.approx((300, 150, 100, 0))


def test_options_reach_the_cameras(tmp_path: Path) -> None:
    fill(tmp_path, GOOD)
    assert len(read(tmp_path, cameras="single")[0].cameras) == 2
    assert read(tmp_path, camera="PINHOLE,70,70,32,24")[0].cameras[0].focal == "calibrated"
    assert failure(tmp_path, camera="PINHOLE,70").code == "bad-camera"


def test_real_photos_with_masks(shared_data: Path) -> None:
    folder = shared_data / "dtu_scan24"
    photos, files, warnings = read(folder / "images", masks=folder / "mask", threads=2)
    assert len(photos) == 25 and all(file.mask for file in files) and not warnings
    where = decode_mask(files[0].load())
    assert where is not None and where.shape == (1200, 1600) and 0.02 < where.mean() < 0.98


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_real_photo_cut_off(shared_data: Path, tmp_path: Path, part: float) -> None:
    images = sorted((shared_data / "sceaux_castle" / "images").iterdir())[:3]
    for image in images[:2]:
        shutil.copy(image, tmp_path)
    whole = images[2].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: int(part * len(whole))])
    photos, _, warnings = read(tmp_path)
    assert len(photos) == 2 and "cut.jpg" not in photos.names
    assert len(warnings) == 1 and warnings[0].startswith("cut.jpg is cut off")
