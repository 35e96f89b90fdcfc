"""Whole runs on the sample photos, spoilt as users' photos are: a model, or a sentence that says why not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from diptych.pipeline.cli import app
from diptych.stages.evaluation.cameras import evaluate
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.formats.truth.cameras import read_truth
from typer.testing import CliRunner

SAMPLE = Path(__file__).parents[1] / "data_samples" / "courtyard"
SPARSE = ("--until", "sparse")
QUICK = (*SPARSE, "--set", "features.max_keypoints=1500")


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def diptych(*arguments: object, status: int = 0) -> str:
    """What a command prints, both streams together."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    return done.output


def fails(*arguments: object, code: str) -> str:
    """A run that ends in status 2 with this code, one sentence and a hint."""
    said = diptych("run", *arguments, *QUICK, status=2)
    assert f"[{code}]" in said and "hint: " in said, said
    return said


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def _one_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All runs share a store: what earlier tests made of the same photos is read, not made again."""
    monkeypatch.setenv("DIPTYCH_STORE", str(store))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five neighboring sample photos at half size, without EXIF."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in sorted((SAMPLE / "photos").glob("*.jpg"))[3:8]:
        half = cv2.resize(read(path), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / path.name), half, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return folder


def rewrite(folder: Path, change: Callable[[np.ndarray], np.ndarray], suffix: str = ".jpg") -> None:
    """Put every photo of a folder through a change, and save it with this suffix."""
    for path in sorted(folder.iterdir()):
        image = read(path)
        path.unlink()
        cv2.imwrite(str(path.with_suffix(suffix)), change(image))


def registered(out: Path) -> int:
    return len(read_colmap(out / "sparse").names)


def test_the_sample_is_reconstructed_as_its_truth_says(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = diptych("run", SAMPLE / "photos", "--out", out, *SPARSE)
    assert "12 of 12 photos registered" in said
    result = evaluate(read_colmap(out / "sparse"), read_truth(SAMPLE / "truth"))
    assert np.mean(result.position_errors) < 0.01  # metres, of a courtyard some ten metres wide
    # The principal point is not refined: 4 pixels off the middle of the photo look like a turn of 0.25 degrees.
    assert np.mean(result.rotation_errors) < 0.4
    for name in ("points.ply", "report.html", "run.json"):
        assert (out / name).stat().st_size > 1000


@pytest.mark.parametrize("damage", [b"", b"not an image at all", None], ids=["zero bytes", "no image", "truncated"])
def test_a_damaged_photo_is_skipped_and_named(photos: Path, tmp_path: Path, damage: bytes | None) -> None:
    victim = sorted(photos.iterdir())[-1]
    victim.write_bytes(victim.read_bytes()[:9000] if damage is None else damage)
    said = diptych("run", photos, "--out", tmp_path / "out", *QUICK)
    assert "warning: " + victim.name in said
    assert registered(tmp_path / "out") == 4


def test_names_with_spaces_and_other_scripts(photos: Path, tmp_path: Path) -> None:
    for path, name in zip(
        sorted(photos.iterdir()), ["a b.jpg", "日本 1.jpg", "œuvre.jpg", "Ω.jpg", "файл.jpg"], strict=True
    ):
        path.rename(photos / name)
    diptych("run", photos, "--out", tmp_path / "o ü t", *QUICK)
    assert set(read_colmap(tmp_path / "o ü t" / "sparse").names) == {path.name for path in photos.iterdir()}


@pytest.mark.parametrize(
    ("change", "suffix"),
    [
        (lambda image: image.astype(np.uint16) * 257, ".png"),
        (lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), ".png"),
        (lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257, ".tiff"),
    ],
    ids=["16 bit", "grey", "16 bit grey TIFF"],
)
def test_other_kinds_of_pixels(
    photos: Path, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], suffix: str
) -> None:
    rewrite(photos, change, suffix)
    diptych("run", photos, "--out", tmp_path / "out", *QUICK)
    assert registered(tmp_path / "out") == 5


def test_mixed_sizes(photos: Path, tmp_path: Path) -> None:
    shutil.copy(SAMPLE / "photos" / "courtyard_03.jpg", photos)
    diptych("run", photos, "--out", tmp_path / "out", *QUICK)
    scene = read_colmap(tmp_path / "out" / "sparse")
    assert len(scene.names) == 6 and len({camera.width for camera in scene.cameras}) == 2


def test_two_photos_make_a_model(photos: Path, tmp_path: Path) -> None:
    for path in sorted(photos.iterdir())[2:]:
        path.unlink()
    diptych("run", photos, "--out", tmp_path / "out", *QUICK)
    assert registered(tmp_path / "out") == 2


def test_one_photo_is_too_few(photos: Path, tmp_path: Path) -> None:
    for path in sorted(photos.iterdir())[1:]:
        path.unlink()
    fails(photos, "--out", tmp_path / "out", code="too-few-photos")


def test_identical_photos(photos: Path, tmp_path: Path) -> None:
    first, *others = sorted(photos.iterdir())
    for path in others:
        shutil.copy(first, path)
    fails(photos, "--out", tmp_path / "out", code="too-few-photos")


def test_the_same_view_saved_twice(photos: Path, tmp_path: Path) -> None:
    first, second, *others = sorted(photos.iterdir())
    cv2.imwrite(str(second), read(first), [cv2.IMWRITE_JPEG_QUALITY, 80])
    for path in others:
        path.unlink()
    said = diptych("run", photos, "--out", tmp_path / "out", *QUICK, status=2)
    assert re.search(r"\[(no-parallax|small-baseline)\]", said), said


def test_all_black(photos: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    rewrite(photos, lambda image: noise.integers(0, 2, image.shape).astype(np.uint8), ".png")
    said = fails(photos, "--out", tmp_path / "out", code="no-overlap")
    assert "warning: " in said


def test_no_overlap(photos: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0)

    def texture(image: np.ndarray) -> np.ndarray:
        small = noise.integers(0, 255, (image.shape[0] // 6, image.shape[1] // 6, 3)).astype(np.uint8)
        return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)

    rewrite(photos, texture)
    fails(photos, "--out", tmp_path / "out", code="no-overlap")


def test_pure_rotation(photos: Path, tmp_path: Path) -> None:
    source = read(SAMPLE / "photos" / "courtyard_03.jpg")
    matrix = np.array([[800.0, 0, 480], [0, 800, 320], [0, 0, 1]])
    small = np.array([[800.0, 0, 240], [0, 800, 160], [0, 0, 1]])
    for angle, path in zip(np.radians([-8, -4, 0, 4, 8]), sorted(photos.iterdir()), strict=True):
        turn = cv2.Rodrigues(np.array([0.3 * angle, angle, 0.0]))[0]
        warp = small @ turn @ np.linalg.inv(matrix)
        cv2.imwrite(str(path), cv2.warpPerspective(source, warp, (480, 320), flags=cv2.INTER_AREA))
    fails(photos, "--out", tmp_path / "out", "--camera", "PINHOLE,800,800,240,160", code="no-parallax")


@pytest.mark.parametrize("factor", [3, 1 / 3])
def test_wrong_calibration(tmp_path: Path, factor: float) -> None:
    truth = read_truth(SAMPLE / "truth").cameras[0]
    (fx, fy), (cx, cy) = truth.focal_lengths, truth.principal_point
    camera = f"PINHOLE,{factor * fx},{factor * fy},{cx},{cy}"
    fails(SAMPLE / "photos", "--out", tmp_path / "out", "--camera", camera, code="wrong-calibration")


def test_doubtful_calibration_is_said(photos: Path, tmp_path: Path) -> None:
    said = diptych("run", photos, "--out", tmp_path / "out", "--camera", "PINHOLE,530,530,240,160", *QUICK)
    assert re.search("fit a focal length of 4[67][0-9] pixels, not the given 530", said), said


def test_mask_of_another_size(photos: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for path in photos.iterdir():
        cv2.imwrite(str(masks / path.with_suffix(".png").name), np.full((100, 100), 255, np.uint8))
    fails(photos, "--out", tmp_path / "out", "--masks", masks, code="mask-size")


def test_masks_are_honoured(photos: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for path in photos.iterdir():
        mask = np.full((320, 480), 255, np.uint8)
        mask[:, :200] = 0
        cv2.imwrite(str(masks / path.with_suffix(".png").name), mask)
    diptych("run", photos, "--out", tmp_path / "out", "--masks", masks, *QUICK)
    assert read_colmap(tmp_path / "out" / "sparse").obs_xy[:, 0].min() > 199


def test_a_damaged_artifact_is_made_again_and_said(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    own = (*QUICK, "--store", out / "store")
    diptych("run", photos, "--out", out, *own)
    before = {path.name: path.read_bytes() for path in (out / "sparse").iterdir()}
    largest = max((out / "store").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    largest.write_bytes(largest.read_bytes()[:-100] + bytes(100))
    said = diptych("run", photos, "--out", out, *own)
    assert "damaged" in said
    assert {path.name: path.read_bytes() for path in (out / "sparse").iterdir()} == before


def test_truth_of_other_photos(photos: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    diptych("run", photos, "--out", out, *QUICK)
    shutil.copytree(SAMPLE / "truth", other)
    images = other / "images.txt"
    images.write_text(images.read_text().replace("courtyard_", "elsewhere_"))
    said = diptych("evaluate", out, "--truth", other, status=2)
    assert "hint: " in said
