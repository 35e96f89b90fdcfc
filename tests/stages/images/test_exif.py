"""Focal lengths and positions from EXIF, as cameras and phones write them, and as they should not."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diptych.stages.images.containers import read_container
from diptych.stages.images.exif import Exif, focal_in_pixels, read_exif, sensor_widths
from diptych.stages.images.photos import read_photos
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

MAKE, MODEL, DETAILS, GPS = 271, 272, 0x8769, 0x8825
FOCAL, FOCAL_35MM, PLANE_X, PLANE_Y, UNIT, WIDTH, HEIGHT = 37386, 41989, 41486, 41487, 41488, 40962, 40963


def block(tags: dict[int, Any] | None = None, details: dict[int, Any] | None = None, gps: Any = None) -> bytes:
    """Write tags with Pillow into a real file and take the EXIF block out again."""
    exif = Image.Exif()
    exif.update(tags or {})
    if details:
        exif.get_ifd(DETAILS).update(details)
    if gps:
        exif.get_ifd(GPS).update(gps)
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "JPEG", exif=exif)
    return read_container(file.getvalue()).exif


def focal(details: dict[int, Any], width: int = 4000, height: int = 3000, tags: dict[int, Any] | None = None) -> float:
    found = focal_in_pixels(read_exif(block(tags, details)), width, height)
    return math.nan if found is None else found


def test_the_35mm_equivalent_goes_by_the_diagonal() -> None:
    assert focal({FOCAL_35MM: 36}, 3000, 2000) == pytest.approx(3000)
    assert focal({FOCAL_35MM: 36}, 2000, 3000) == pytest.approx(3000)
    # Four thirds: a 17.3 x 13 mm sensor halves the focal length of film.
    assert focal({FOCAL_35MM: 50, FOCAL: 25.0}, 4000, 3000) == pytest.approx(25 / 17.3 * 4000, rel=0.005)


@pytest.mark.parametrize(("unit", "millimeters"), [(2, 25.4), (3, 10.0), (4, 1.0), (5, 1e-3), (None, 25.4)])
def test_focal_plane_resolution_in_every_unit(unit: int | None, millimeters: float) -> None:
    details = {FOCAL: 10.0, PLANE_X: TiffImagePlugin.IFDRational(round(500 * millimeters * 1000), 1000)}
    assert focal(details | ({UNIT: unit} if unit else {})) == pytest.approx(5000, rel=1e-3)


@pytest.mark.parametrize("recorded", [(4000, 3000), (3000, 4000)])
@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (1000, 750), (750, 1000)])
def test_a_resized_or_turned_photo_scales_the_focal_plane_resolution(
    recorded: tuple[int, int], size: tuple[int, int]
) -> None:
    details = {FOCAL: 10.0, PLANE_X: 500.0, UNIT: 4, WIDTH: recorded[0], HEIGHT: recorded[1]}
    assert focal(details, *size) == pytest.approx(1.25 * max(size))


def test_the_35mm_equivalent_comes_first_and_a_senseless_one_is_passed_over() -> None:
    plane = {FOCAL: 10.0, PLANE_X: 500.0, UNIT: 4}
    assert focal(plane | {FOCAL_35MM: 36}, 3000, 2000) == pytest.approx(3000)
    assert focal(plane | {FOCAL_35MM: 0}) == pytest.approx(5000)
    assert focal(plane | {FOCAL_35MM: 4000}) == pytest.approx(5000)
    assert math.isnan(focal({FOCAL_35MM: 3}))


def test_the_sensor_table_is_the_last_resort() -> None:
    tags = {MAKE: "NIKON CORPORATION\0", MODEL: " Nikon d60 "}
    assert focal({FOCAL: 23.6}, 3000, 2000, tags) == pytest.approx(3000)
    assert math.isnan(focal({FOCAL: 23.6}, 3000, 2000, {MAKE: "NIKON CORPORATION", MODEL: "NIKON D61"}))
    assert math.isnan(focal({}, 3000, 2000, tags))


def test_sensor_widths_are_those_of_sensors() -> None:
    widths = sensor_widths()
    assert len(widths) > 100
    assert all(4 < width <= 36 for width in widths.values())


@given(
    latitude=st.tuples(st.integers(0, 89), st.integers(0, 59), st.integers(0, 5999)),
    longitude=st.tuples(st.integers(0, 179), st.integers(0, 59), st.integers(0, 5999)),
    altitude=st.integers(0, 900_000),
    signs=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_positions_round_trip(latitude: Any, longitude: Any, altitude: int, signs: tuple[bool, bool, bool]) -> None:
    south, west, below = signs
    rational = TiffImagePlugin.IFDRational

    def angle(value: tuple[int, int, int]) -> tuple[Any, ...]:
        return rational(value[0], 1), rational(value[1], 1), rational(value[2], 100)

    gps = {
        1: "S" if south else "N",
        2: angle(latitude),
        3: "W" if west else "E",
        4: angle(longitude),
        5: b"\x01" if below else b"\x00",
        6: rational(altitude, 100),
    }
    exif = read_exif(block(gps=gps))
    degrees = [d + m / 60 + s / 360_000 for d, m, s in (latitude, longitude)]
    if degrees == [0, 0]:
        assert exif.gps_damaged and np.isnan(exif.gps).all()
        return
    expected = [(-1) ** south * degrees[0], (-1) ** west * degrees[1], (-1) ** below * altitude / 100]
    assert not exif.gps_damaged
    np.testing.assert_allclose(exif.gps, expected, atol=1e-9)


@pytest.mark.parametrize(
    "gps",
    [
        {2: (1.0, 2.0, 3.0)},
        {2: (95.0, 0.0, 0.0), 4: (1.0, 2.0, 3.0)},
        {2: (1.0, 2.0), 4: (1.0, 2.0, 3.0)},
        {2: (TiffImagePlugin.IFDRational(0, 0),) * 3, 4: (1.0, 2.0, 3.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_malformed_position_is_none_and_told(gps: dict[int, Any]) -> None:
    exif = read_exif(block(gps=gps))
    assert exif.gps_damaged
    assert np.isnan(exif.gps).all()


def test_no_position_is_no_damage_and_no_height_is_no_harm() -> None:
    assert not read_exif(block({MAKE: "x"})).gps_damaged
    exif = read_exif(block(gps={1: "N", 2: (1.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}))
    assert exif.gps[:2] == (1.0, 2.0) and math.isnan(exif.gps[2])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@given(st.binary(max_size=400), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_nonsense_gives_a_record(data: bytes, start: bytes) -> None:
    assert isinstance(read_exif(start + data), Exif)


@given(st.integers(0, 10_000))
@example(5894)  # a directory that begins before the block does
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_damaged_block_gives_a_record(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = bytearray(BLOCK)
    for at in rng.integers(8, len(whole), 6):
        whole[at] = rng.integers(256)
    exif = read_exif(bytes(whole))
    assert focal_in_pixels(exif, 4000, 3000) is None or np.nanmax([exif.focal, exif.focal_35mm]) > 0


BLOCK = block(
    {MAKE: "maker", MODEL: "model"},
    {FOCAL: 10.0, FOCAL_35MM: 28, PLANE_X: 500.0, UNIT: 4},
    {1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (4.0, 5.0, 6.0)},
)


@pytest.mark.parametrize(
    ("data", "expected", "within"),
    [
        ("lund_door", 2396, 0.04),  # the calibration in gt/data.mat
        ("sceaux_castle", 5.85 / 5.76 * 2832, 0.02),  # 1/2.5" sensor
        ("sfmtool_dino_dog_toy", 6.81 / 9.79 * 2040, 0.02),  # 1/1.31" sensor
        ("crazyhorse7", 4.9 / 6.08 * 1024, 0.02),  # 1/2.33" sensor
        ("opensfm_lund29", 4.3 / 4.54 * 1024, 0.10),  # 1/3.2" sensor
        ("bundler_kermit11", 5.40625 / 5.37 * 640, 0.03),  # 1/2.7" sensor
    ],
)
def test_focal_lengths_of_real_photos(shared_data: Path, data: str, expected: float, within: float) -> None:
    photos, _ = read_photos(shared_data / data / "images")
    assert len(photos.cameras) == 1
    assert photos.cameras[0].focal == "exif"
    assert photos.cameras[0].params[0] == pytest.approx(expected, rel=within)


def test_positions_of_real_photos(shared_data: Path) -> None:
    lund, _ = read_photos(shared_data / "opensfm_lund29" / "images")
    np.testing.assert_allclose(lund.gps[:, :2], [[55.70, 13.19]] * len(lund), atol=0.02)
    dakota, _ = read_photos(shared_data / "crazyhorse7" / "images")
    np.testing.assert_allclose(dakota.gps[:, :2], [[43.87, -103.5]] * len(dakota), atol=0.15)
