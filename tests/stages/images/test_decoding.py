"""Decoding: one policy for orientation, bit depth, gray and alpha in every format."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.images.decoding import decode, decode_gray, decode_mask
from diptych.stages.scene import Photo
from PIL import Image, ImageOps


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth picture, RGB, that no flip or turn leaves as it is."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    return (np.stack([x, y, x * y], axis=2) * 255).astype(np.uint8)


def photo(image: Image.Image, form: str, mask: bytes = b"", **options: Any) -> Photo:
    file = BytesIO()
    image.save(file, form, **options)
    return Photo(np.frombuffer(file.getvalue(), np.uint8), np.frombuffer(mask, np.uint8))


def written(array: np.ndarray, suffix: str, *params: int) -> Photo:
    """Encode with OpenCV, which takes 16 bit colors."""
    good, encoded = cv2.imencode(suffix, array, params)
    assert good
    return Photo(encoded)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_once(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(scene())
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    stored = photo(image, form, exif=exif, **options)
    tagged = image.copy()
    tagged.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(tagged)
    assert upright is not None
    np.testing.assert_allclose(decode(stored).astype(int), np.asarray(upright), atol=4 if form == "JPEG" else 0)
    np.testing.assert_allclose(decode_gray(stored).astype(int), np.asarray(upright.convert("L")), atol=4)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_tiff_compressions(compression: str, mode: str) -> None:
    image = Image.fromarray(scene()).convert(mode)
    stored = photo(image, "TIFF", compression=compression)
    np.testing.assert_array_equal(decode(stored), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_sixteen_bits_are_scaled_by_the_range_in_use(suffix: str, bits: int) -> None:
    eight = scene()
    eight[0, 0] = 255
    wide = eight[..., ::-1].astype(np.uint16) << (bits - 8)
    np.testing.assert_array_equal(decode(written(wide, suffix)), eight)
    gray = decode_gray(written(wide[..., 0], suffix))
    np.testing.assert_array_equal(gray, eight[..., 2])


def test_the_range_in_use_is_that_of_the_colors() -> None:
    eight = scene()
    eight[0, 0] = 255
    wide = np.dstack([eight[..., ::-1].astype(np.uint16) << 4, np.full((48, 64), 65535, np.uint16)])
    np.testing.assert_array_equal(decode(written(wide, ".png")), eight)


def test_a_gray_photo_has_three_equal_colors() -> None:
    gray = scene()[..., 0]
    pixels = decode(photo(Image.fromarray(gray), "PNG"))
    assert pixels.shape == (48, 64, 3)
    assert (pixels == gray[..., None]).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_shapes_and_types(form: str) -> None:
    stored = photo(Image.fromarray(scene()), form)
    assert decode(stored).shape == (48, 64, 3) and decode(stored).dtype == np.uint8
    assert decode_gray(stored).shape == (48, 64) and decode_gray(stored).dtype == np.uint8
    assert decode_mask(stored) is None


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_alpha_is_a_mask_and_not_a_color(form: str) -> None:
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 40:] = 0
    stored = photo(Image.fromarray(np.dstack([scene(), alpha])), form)
    # OpenCV multiplies the colors of a TIFF by its alpha: what is transparent turns black.
    np.testing.assert_array_equal(decode(stored)[:, :40], scene()[:, :40])
    mask = decode_mask(stored)
    assert mask is not None and mask.dtype == bool
    np.testing.assert_array_equal(mask, alpha > 0)


def test_an_opaque_photo_has_no_mask() -> None:
    assert decode_mask(photo(Image.fromarray(scene()).convert("RGBA"), "PNG")) is None


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "P", "RGBA"])
def test_a_mask_file_wins_over_alpha(mode: str) -> None:
    wanted = np.zeros((48, 64), bool)
    wanted[10:20, 5:30] = True
    file = BytesIO()
    Image.fromarray(wanted.astype(np.uint8) * 255).convert(mode).save(file, "PNG")
    transparent = Image.fromarray(np.dstack([scene(), np.zeros((48, 64), np.uint8)]))
    mask = decode_mask(photo(transparent, "PNG", mask=file.getvalue()))
    assert mask is not None and mask.dtype == bool
    np.testing.assert_array_equal(mask, wanted)


@pytest.mark.parametrize("bytes_", [b"", b"no image", b"\xff\xd8\xff\xe0\0\x10JFIF"])
def test_unreadable_bytes_fail_with_a_sentence(bytes_: bytes) -> None:
    for read in (decode, decode_gray, decode_mask):
        with pytest.raises(StageFailure) as failure:
            read(Photo(np.frombuffer(bytes_, np.uint8)))
        assert failure.value.code == "unreadable-photo"
