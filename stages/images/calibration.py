"""Prior intrinsics: which photos share a camera, and its intrinsics before reconstruction."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from ..failure import StageFailure
from ..formats.colmap import read_colmap
from ..scene import CAMERA_MODELS, Camera
from .exif import Exif, focal_in_pixels

Grouping = Literal["auto", "shared", "single", "folder"]
GROUPINGS: tuple[Grouping, ...] = ("auto", "shared", "single", "folder")

_GUESS = 1.2
"""Default focal length in units of the longer side."""

_DISAGREE = 1.5
"""A calibrated focal length that differs from that of EXIF by more than this factor causes a warning."""

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """A photo's name, upright (width, height) and EXIF record."""

    name: str
    size: tuple[int, int]
    exif: Exif


@dataclass(frozen=True)
class _Entry:
    """One calibrated camera and the photos it belongs to."""

    label: str
    model: str
    params: tuple[float, ...]
    photos: tuple[int, ...]
    size: tuple[int, int] | None = None


def prior_cameras(
    sources: Sequence[Source], *, cameras: Grouping, camera: str | None, warn: Warn
) -> tuple[tuple[Camera, ...], np.ndarray]:
    """The prior camera of every photo.

    Args:
        sources: the photos in order.
        cameras: which photos share one. ``auto``: photos of the same make, model, body, lens, focal length and size;
            without EXIF those of one size in one folder. ``shared``: all. ``single``: none. ``folder``: those of one
            folder.
        camera: known intrinsics. ``None``: SIMPLE_RADIAL with the focal length of EXIF, else a guess. A model's name:
            that model, without distortion. ``MODEL,params...``: this calibration for every photo, which all share
            unless ``cameras`` says otherwise. A file: lines ``name,MODEL,params...`` (CSV; ``#`` starts a comment),
            where name is a photo, or a folder for all photos below it, or ``.`` for all the rest; each line is one
            camera. A folder: a COLMAP model, its images matched by name.
        warn: called with a sentence if a calibration covers only some photos or disagrees with EXIF.

    Returns:
        The cameras in order of first use, and the index of each photo's, shape (N,).

    Raises:
        StageFailure: ``bad-camera`` for a specification that cannot be used, ``mixed-sizes`` for photos of several
            sizes that are to share a camera.
    """
    if cameras not in GROUPINGS:
        raise _bad(f"{cameras!r} is no way to share cameras", options=GROUPINGS, given=cameras)
    model = "SIMPLE_RADIAL"
    entries: tuple[_Entry, ...] = ()
    everyone = tuple(range(len(sources)))
    words = camera.split(",") if camera is not None else []
    if camera and words[0].strip().upper() not in CAMERA_MODELS and Path(camera).exists():
        path = Path(camera)
        entries = _colmap_entries(path, sources) if path.is_dir() else _file_entries(path, sources, warn)
    elif camera is not None and len(words) > 1:
        model, params = _specification(words, camera)
        groups = [everyone] if cameras == "auto" else _groups(sources, everyone, cameras)
        entries = tuple(_Entry(camera, model, params, group) for group in groups)
    elif camera is not None:
        model = _model(camera)

    calibrated = [(entry.photos, _calibrated(entry, sources, warn)) for entry in entries]
    covered = {photo for photos, _ in calibrated for photo in photos}
    rest = tuple(photo for photo in everyone if photo not in covered)
    if covered and rest:
        have = "has" if len(rest) == 1 else "have"
        warn(f"{len(rest)} of {len(sources)} photos {have} no calibration; theirs comes from EXIF or is guessed.")
    guessed = [(group, _guessed(group, sources, model)) for group in _groups(sources, rest, cameras)]
    return _in_order(calibrated + guessed, len(sources))


def _in_order(groups: list[tuple[tuple[int, ...], Camera]], count: int) -> tuple[tuple[Camera, ...], np.ndarray]:
    groups = sorted(groups, key=lambda group: group[0][0])
    camera_of = np.empty(count, np.int32)
    for index, (photos, _) in enumerate(groups):
        camera_of[list(photos)] = index
    return tuple(camera for _, camera in groups), camera_of


def _groups(sources: Sequence[Source], photos: Iterable[int], cameras: Grouping) -> list[tuple[int, ...]]:
    def key(photo: int) -> object:
        source, exif = sources[photo], sources[photo].exif
        folder = PurePosixPath(source.name).parent
        if cameras == "auto" and (exif.make or exif.model):
            lens = [None if math.isnan(value) else value for value in (exif.focal, exif.focal_35mm)]
            return (exif.make, exif.model, exif.serial, exif.lens, *lens, source.size)
        return {"auto": (folder, source.size), "shared": None, "single": photo, "folder": folder}[cameras]

    groups: dict[object, list[int]] = {}
    for photo in photos:
        groups.setdefault(key(photo), []).append(photo)
    return [tuple(group) for group in groups.values()]


def _one_size(photos: Sequence[int], sources: Sequence[Source]) -> tuple[int, int]:
    first = sources[photos[0]]
    other = next((sources[photo] for photo in photos if sources[photo].size != first.size), None)
    if other is not None:
        raise StageFailure(
            "mixed-sizes",
            f"{first.name} is {_by(first.size)} and {other.name} is {_by(other.size)}, but they are to share a camera.",
            hint="Let photos of different sizes have cameras of their own: share cameras automatically.",
            sizes=sorted({_by(sources[photo].size) for photo in photos}),
        )
    return first.size


def _guessed(photos: tuple[int, ...], sources: Sequence[Source], model: str) -> Camera:
    width, height = _one_size(photos, sources)
    known = [focal_in_pixels(sources[photo].exif, width, height) for photo in photos]
    focals = sorted(focal for focal in known if focal is not None)
    focal = focals[len(focals) // 2] if focals else _GUESS * max(width, height)
    values = {"f": focal, "fx": focal, "fy": focal, "cx": width / 2, "cy": height / 2}
    params = tuple(values.get(name, 0.0) for name in CAMERA_MODELS[model])
    return Camera(model, width, height, params, "exif" if focals else "guess")


def _calibrated(entry: _Entry, sources: Sequence[Source], warn: Warn) -> Camera:
    width, height = _one_size(entry.photos, sources)
    name = sources[entry.photos[0]].name
    if entry.size is not None and entry.size != (width, height):
        raise _bad(f"The calibration of {name} is for {_by(entry.size)}, but the photo is {width}x{height}")
    try:
        camera = Camera(entry.model, width, height, entry.params, "calibrated")
    except ValueError as error:
        raise _bad(f"The calibration {entry.label!r} cannot be: {error}") from error
    cx, cy = camera.principal_point
    if not (0 < cx < width and 0 < cy < height):
        raise _bad(f"The principal point ({cx:g}, {cy:g}) lies outside {name}, which is {width}x{height}")
    told = focal_in_pixels(sources[entry.photos[0]].exif, width, height)
    given = camera.focal_lengths[0]
    if told is not None and not 1 / _DISAGREE < given / told < _DISAGREE:
        warn(f"The calibrated focal length of {name} is {given:.0f} pixels, but EXIF says {told:.0f}.")
    return camera


def _specification(words: Sequence[str], label: str) -> tuple[str, tuple[float, ...]]:
    """Model and parameters of ``MODEL,params...``."""
    model = _model(words[0])
    names = CAMERA_MODELS[model]
    try:
        params = tuple(float(word) for word in words[1:])
    except ValueError:
        raise _bad(f"The camera {label!r} has a parameter that is no number") from None
    if len(params) != len(names):
        raise _bad(f"{model} has {len(names)} parameters ({', '.join(names)}), but {label!r} gives {len(params)}")
    return model, params


def _model(word: str) -> str:
    name = word.strip().upper()
    if name in CAMERA_MODELS:
        return name
    near = difflib.get_close_matches(name, CAMERA_MODELS, n=1)
    raise _bad(
        f"{word!r} is neither a camera model nor a file{f'; did you mean {near[0]}?' if near else ''}",
        models={model: len(names) for model, names in CAMERA_MODELS.items()},
    )


def _file_entries(path: Path, sources: Sequence[Source], warn: Warn) -> tuple[_Entry, ...]:
    """One entry per line that matches a photo; a photo belongs to the most specific line that matches it."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
        rows = list(csv.reader((line for line in lines if not line.lstrip().startswith("#")), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(f"The calibration file {path.name} cannot be read: {error}") from error
    cameras: dict[str, tuple[str, tuple[float, ...]]] = {}
    for row in filter(any, rows):
        name = row[0].strip().rstrip("/")
        if name in cameras:
            raise _bad(f"The calibration file {path.name} names {name!r} twice")
        cameras[name] = _specification(row[1:] or [""], ",".join(row))
    owned: dict[str, list[int]] = {name: [] for name in cameras}
    for photo, source in enumerate(sources):
        at = PurePosixPath(source.name)
        owner = next((str(place) for place in (at, *at.parents) if str(place) in cameras), None)
        if owner is not None:
            owned[owner].append(photo)
    idle = [name for name, photos in owned.items() if not photos]
    if len(idle) == len(owned):
        raise _bad(f"The calibration file {path.name} names none of the photos", photos=[s.name for s in sources[:3]])
    if idle:
        warn(f"The calibration file {path.name} names {', '.join(idle)}, which no photo belongs to.")
    return tuple(_Entry(name, *cameras[name], tuple(photos)) for name, photos in owned.items() if photos)


def _colmap_entries(folder: Path, sources: Sequence[Source]) -> tuple[_Entry, ...]:
    try:
        scene = read_colmap(folder)
    except StageFailure as failure:
        raise _bad(failure.sentence.rstrip("."), **failure.facts) from failure
    camera_of = dict(zip(scene.names, scene.camera_of.tolist(), strict=True))
    owned: dict[int, list[int]] = {}
    for photo, source in enumerate(sources):
        if source.name in camera_of:
            owned.setdefault(camera_of[source.name], []).append(photo)
    if not owned:
        raise _bad(f"The COLMAP model in {folder.name} names none of the photos", images=list(scene.names[:3]))
    known = {index: scene.cameras[index] for index in owned}
    return tuple(
        _Entry(folder.name, known[i].model, known[i].params, tuple(photos), (known[i].width, known[i].height))
        for i, photos in owned.items()
    )


def _bad(sentence: str, **facts: object) -> StageFailure:
    return StageFailure(
        "bad-camera",
        f"{sentence}.",
        hint="Give MODEL,params... such as PINHOLE,fx,fy,cx,cy, the name of a model, a CSV file with lines "
        "name,MODEL,params..., or the folder of a COLMAP model.",
        **facts,
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
