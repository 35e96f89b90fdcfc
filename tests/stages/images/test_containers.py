"""Headers of image files, and whether cut-off and damaged files are found out."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from diptych.stages.images.containers import read_container, read_tags
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

KINDS = {
    "baseline": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "restarts": ("JPEG", {"restart_marker_blocks": 2}),
    "png": ("PNG", {}),
    "raw tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
}


def encode(kind: str, orientation: int = 1) -> bytes:
    form, options = KINDS[kind]
    exif = Image.Exif()
    exif[274] = orientation
    pixels = np.random.default_rng(5).integers(0, 256, (37, 53, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif, **options)
    return file.getvalue()


FILES = {kind: encode(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_upright(kind: str, orientation: int) -> None:
    container = read_container(encode(kind, orientation))
    assert container.stored == (53, 37)
    assert container.orientation == orientation
    assert container.size == ((53, 37) if orientation < 5 else (37, 53))
    assert container.format == KINDS[kind][0].lower()


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), part=st.floats(0, 1, exclude_max=True))
def test_no_cut_goes_unnoticed(kind: str, part: float) -> None:
    whole = FILES[kind]
    with pytest.raises(ValueError, match=r"is empty|is no JPEG|is cut off after [\d,]+ bytes|pixels"):
        read_container(whole[: int(part * len(whole))])


@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_a_file_filled_up_with_zeros_is_cut(kind: str) -> None:
    whole = FILES[kind]
    with pytest.raises(ValueError, match="cut off"):
        read_container(whole[: len(whole) // 2].ljust(len(whole), b"\0"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_the_image_does_not_matter(kind: str) -> None:
    assert read_container(FILES[kind] + b"a maker's trailer").stored == (53, 37)


def test_a_thumbnail_does_not_pass_for_the_image() -> None:
    thumbnail = FILES["baseline"]
    segment = b"\xff\xe1" + (len(thumbnail) + 8).to_bytes(2, "big") + b"Thumb\0" + thumbnail
    whole = thumbnail[:2] + segment + thumbnail[2:]
    assert read_container(whole).stored == (53, 37)
    with pytest.raises(ValueError, match="cut off"):
        read_container(whole[:-200])


@settings(max_examples=100, deadline=None)
@given(at=st.integers(8, len(FILES["png"]) - 1), bit=st.integers(0, 7))
def test_one_wrong_bit_in_a_png_is_found(at: int, bit: int) -> None:
    damaged = bytearray(FILES["png"])
    damaged[at] ^= 1 << bit
    with pytest.raises(ValueError, match=r"damaged|cut off"):
        read_container(bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"\xff\xd8\xff", b"II*\0", b"\x89PNG\r\n\x1a\n"]))
def test_nonsense_raises_a_sentence(data: bytes, start: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|holds) "):
        read_container(start + data)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@given(data=st.binary(max_size=300))
def test_damaged_exif_gives_tags_or_none(data: bytes) -> None:
    assert isinstance(dict(read_tags(b"II*\0\x08\0\0\0" + data)), dict)


@pytest.mark.parametrize(("mode", "alpha"), [("RGB", False), ("RGBA", True), ("LA", True), ("L", False)])
def test_alpha(mode: str, alpha: bool) -> None:
    file = BytesIO()
    Image.new(mode, (5, 4)).save(file, "PNG")
    assert read_container(file.getvalue()).alpha is alpha


def test_float_and_cmyk_tiffs_are_refused() -> None:
    for mode, why in (("F", "integers"), ("CMYK", "colors")):
        file = BytesIO()
        Image.new(mode, (5, 4)).save(file, "TIFF")
        with pytest.raises(ValueError, match=why):
            read_container(file.getvalue())
