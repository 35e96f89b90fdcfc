"""EXIF: make and model, focal length, position."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .containers import read_directory, read_tags

_SENSIBLE = (0.3, 10.0)
"""Focal lengths outside this range, in units of the longer side, are ignored as mistakes."""

_FILM_DIAGONAL = math.hypot(36.0, 24.0)
_MILLIMETERS = {1: 25.4, 2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""EXIF unit of the focal-plane resolution in millimeters; 1 means none, but cameras that write it mean inches."""

_MAKE, _MODEL, _EXIF_IFD, _GPS_IFD = 271, 272, 0x8769, 0x8825
_FOCAL, _FOCAL_35MM, _LENS, _SERIAL = 37386, 41989, 42036, 42033
_PLANE_X, _PLANE_Y, _PLANE_UNIT, _RECORDED_WIDTH, _RECORDED_HEIGHT = 41486, 41487, 41488, 40962, 40963


@dataclass(frozen=True)
class Exif:
    """The EXIF tags that photogrammetry uses; numbers are NaN and texts empty where the camera wrote none.

    Attributes:
        make, model, lens, serial: as the camera writes them; ``serial`` is the body's.
        focal: focal length in millimeters.
        focal_35mm: focal length in millimeters that gives the same angle of view on 35 mm film.
        plane: pixels of the recorded image per millimeter of the sensor.
        recorded: longer side in pixels of the image the camera recorded, before anyone resized it.
        gps: latitude and longitude in degrees, altitude in meters.
        gps_damaged: whether a position was written that cannot be read.
    """

    make: str = ""
    model: str = ""
    lens: str = ""
    serial: str = ""
    focal: float = math.nan
    focal_35mm: float = math.nan
    plane: float = math.nan
    recorded: float = math.nan
    gps: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    gps_damaged: bool = False


def read_exif(block: bytes) -> Exif:
    """Read an EXIF block (``Container.exif``); an empty or damaged one gives an empty record."""
    if not block:
        return Exif()
    tags = read_tags(block)
    details, place = read_directory(tags, _EXIF_IFD), read_directory(tags, _GPS_IFD)
    unit = _MILLIMETERS.get(details.get(_PLANE_UNIT, 2), math.nan)
    plane = _positive(details.get(_PLANE_X)), _positive(details.get(_PLANE_Y))
    sides = _positive(details.get(_RECORDED_WIDTH)), _positive(details.get(_RECORDED_HEIGHT))
    gps, damaged = _position(place)
    return Exif(
        make=_text(tags.get(_MAKE)),
        model=_text(tags.get(_MODEL)),
        lens=_text(details.get(_LENS)),
        serial=_text(details.get(_SERIAL)),
        focal=_positive(details.get(_FOCAL)),
        focal_35mm=_positive(details.get(_FOCAL_35MM)),
        plane=(plane[0] if plane[0] > 0 else plane[1]) / unit,
        recorded=max(sides) if all(side > 0 for side in sides) else math.nan,
        gps=gps,
        gps_damaged=damaged,
    )


def focal_in_pixels(exif: Exif, width: int, height: int) -> float | None:
    """The focal length in pixels that EXIF gives for a photo of this size, or ``None``.

    The first plausible one of: the 35 mm equivalent, which CIPA DCG-001 defines by the diagonal; the focal-plane
    resolution, scaled if the photo was resized later; the sensor's width by make and model.
    """
    longer = max(width, height)
    resized = longer / exif.recorded if exif.recorded > 0 else 1.0
    candidates = (
        exif.focal_35mm / _FILM_DIAGONAL * math.hypot(width, height),
        exif.focal * exif.plane * resized,
        exif.focal / sensor_widths().get(_key(exif.make, exif.model), math.nan) * longer,
    )
    low, high = _SENSIBLE
    return next((focal for focal in candidates if low <= focal / longer <= high), None)


@cache
def sensor_widths() -> dict[tuple[str, str], float]:
    """Sensor widths in millimeters by make and model, from ``sensors.csv``."""
    text = Path(__file__).with_name("sensors.csv").read_text("utf-8")
    rows = csv.reader(line for line in text.splitlines() if line and not line.startswith("#"))
    return {_key(make, model): float(width) for make, model, width in rows}


def _key(make: str, model: str) -> tuple[str, str]:
    return make.casefold(), model.casefold()


def _text(value: object) -> str:
    return " ".join(str(value).replace("\0", " ").split()) if isinstance(value, str) else ""


def _number(value: object) -> float:
    """The value of a tag as a number; NaN if it is none or a fraction over zero."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _positive(value: object) -> float:
    number = _number(value)
    return number if 0 < number < math.inf else math.nan


def _position(place: dict[int, object]) -> tuple[tuple[float, float, float], bool]:
    """Latitude, longitude, altitude, and whether the tags are there but invalid."""
    nowhere = (math.nan, math.nan, math.nan)
    if 2 not in place and 4 not in place:
        return nowhere, False
    latitude = _degrees(place.get(2)) * (-1 if _text(place.get(1)).upper() == "S" else 1)
    longitude = _degrees(place.get(4)) * (-1 if _text(place.get(3)).upper() == "W" else 1)
    # A receiver without a fix writes zeros.
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or latitude == longitude == 0:
        return nowhere, True
    below_sea = place.get(5) in (1, b"\x01")
    altitude = _number(place.get(6)) * (-1 if below_sea else 1)
    return (latitude, longitude, altitude if math.isfinite(altitude) else math.nan), False


def _degrees(value: object) -> float:
    if not isinstance(value, tuple) or len(value) != 3:
        return math.nan
    degrees, minutes, seconds = map(_number, value)
    return degrees + minutes / 60 + seconds / 3600
