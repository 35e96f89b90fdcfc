"""COLMAP models, binary and text: ``cameras``, ``images`` and ``points3D`` in one folder.

COLMAP's convention is this project's (``cam_from_world``, pixel centers at 0.5), so nothing is converted. Rigs and
frames are not read: ``images`` holds every pose.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from ..failure import StageFailure
from ..geometry.rotations import matrix_from_quaternion, quaternion_from_matrix
from ..scene import CAMERA_MODELS, Camera, Scene

CAMERA = np.dtype([("id", "<u4"), ("model", "<i4"), ("width", "<u8"), ("height", "<u8")])
IMAGE = np.dtype([("id", "<u4"), ("rotation", "<f8", 4), ("translation", "<f8", 3), ("camera", "<u4")])
KEYPOINT = np.dtype([("xy", "<f8", 2), ("point", "<i8")])
POINT = np.dtype([("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("length", "<u8")])
OBSERVATION = np.dtype([("image", "<u4"), ("keypoint", "<u4")])
COUNT = struct.Struct("<Q")

FOREIGN_MODELS = {
    "FULL_OPENCV": ("fx", 12),
    "FOV": ("fx", 5),
    "SIMPLE_RADIAL_FISHEYE": ("f", 4),
    "RADIAL_FISHEYE": ("f", 5),
    "THIN_PRISM_FISHEYE": ("fx", 12),
    "RAD_TAN_THIN_PRISM_FISHEYE": ("fx", 16),
}
"""COLMAP's other camera models in the order of their ids: first parameter, and number of parameters."""

MODELS = (*CAMERA_MODELS, *FOREIGN_MODELS)
FILES = ("cameras", "images", "points3D")


@dataclass(frozen=True, eq=False)
class _Images:
    """The file ``images``: one row of ``rows`` and one name an image, and the keypoints of all, image by image."""

    rows: np.ndarray
    names: list[str]
    lengths: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True, eq=False)
class _Points:
    """The file ``points3D``: one row of ``rows`` a point, and the observations of all, point by point."""

    rows: np.ndarray
    observations: np.ndarray


def read_colmap(folder: str | Path, *, poses_only: bool = False) -> Scene:
    """Read a COLMAP model, binary if there is one, else text.

    Photos and points are sorted by id, which need not be the order of names: look photos up by name. ``obs_keypoint``
    indexes the keypoints that the model lists for the photo. The intrinsics are marked ``calibrated``.

    Args:
        folder: holds ``cameras``, ``images`` and ``points3D``, each ``.bin`` or ``.txt``.
        poses_only: leave out the points, whose file may then be missing, and read unsupported camera models as PINHOLE
            without distortion; for reference models.

    Raises:
        StageFailure: ``no-model`` where a file is missing, ``camera-model`` for a model not in
            :data:`~diptych.stages.scene.CAMERA_MODELS`, ``damaged-model`` if a file cannot be parsed.
    """
    folder = Path(folder)
    suffix = ".bin" if (folder / "images.bin").is_file() else ".txt"
    cameras, images, points = (folder / f"{stem}{suffix}" for stem in FILES)
    for path in (cameras, images) if poses_only else (cameras, images, points):
        if not path.is_file():
            raise StageFailure("no-model", f"There is no COLMAP model: {path.name} is missing.", folder=str(folder))
    read_cameras, read_images, read_points = (
        (_binary_cameras, _binary_images, _binary_points)
        if suffix == ".bin"
        else (_text_cameras, _text_images, _text_points)
    )
    nothing = _Points(np.empty(0, POINT), np.empty(0, OBSERVATION))
    try:
        return _scene(
            {stated[0]: _camera(*stated, poses_only) for stated in read_cameras(cameras)},
            read_images(images),
            nothing if poses_only else read_points(points),
        )
    except (ValueError, IndexError, KeyError, struct.error) as error:
        raise StageFailure(
            "damaged-model",
            "The COLMAP model cannot be read; its files are damaged or do not belong together.",
            hint="Copy or export the model again.",
            folder=str(folder),
            reason=str(error),
        ) from error


def write_colmap(scene: Scene, folder: str | Path, *, binary: bool = True) -> None:
    """Write a COLMAP model; the same scene gives the same bytes.

    Cameras, images and points are numbered from 1 in the order of the scene. Only observed keypoints are listed, sorted
    by their index among the photo's features. An existing model in the folder is replaced, with its rigs and frames.

    Args:
        folder: made if it does not exist.
        binary: False writes text. COLMAP cannot read names with spaces from text.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images, points = _tables(scene)
    if binary:
        written = zip(FILES, (_bytes_cameras(scene), _bytes_images(images), _bytes_points(points)), strict=True)
    else:
        texts = (_lines_cameras(scene), _lines_images(images), _lines_points(points))
        written = ((stem, "".join(lines).encode()) for stem, lines in zip(FILES, texts, strict=True))
    for stem in (*FILES, "rigs", "frames"):
        for suffix in (".bin", ".txt"):
            (folder / f"{stem}{suffix}").unlink(missing_ok=True)
    for stem, content in written:
        (folder / f"{stem}{'.bin' if binary else '.txt'}").write_bytes(content)


def _camera(number: int, model: str, width: int, height: int, params: np.ndarray, poses_only: bool) -> Camera:
    if model in FOREIGN_MODELS and poses_only:
        second = 1 if FOREIGN_MODELS[model][0] == "fx" else 0
        model, params = "PINHOLE", params[[0, second, second + 1, second + 2]]
    if model not in CAMERA_MODELS:
        raise StageFailure(
            "camera-model",
            f"Camera {number} of the COLMAP model is a {model}, which Diptych does not have.",
            hint=f"Undistort the photos with COLMAP, or use one of {', '.join(CAMERA_MODELS)}.",
        )
    return Camera(model, width, height, tuple(params), "calibrated")


def _scene(cameras: dict[int, Camera], images: _Images, points: _Points) -> Scene:
    camera_ids = sorted(cameras)
    photos = np.argsort(images.rows["id"], kind="stable")
    rows = images.rows[photos]
    listed = np.argsort(points.rows["id"], kind="stable")
    lengths = points.rows["length"].astype(np.int64)
    tracks = points.observations[_spans(np.cumsum(lengths) - lengths, lengths, listed)]

    obs_photo = _find(rows["id"], tracks["image"], "image")
    first = np.cumsum(images.lengths) - images.lengths
    in_file = photos[obs_photo]
    if (tracks["keypoint"] >= images.lengths[in_file]).any():
        raise ValueError("a track names a keypoint that its image does not have")
    return Scene(
        cameras=tuple(cameras[number] for number in camera_ids),
        names=tuple(images.names[photo] for photo in photos),
        camera_of=_find(np.array(camera_ids, np.uint32), rows["camera"], "camera"),
        rotations=matrix_from_quaternion(rows["rotation"]),
        translations=rows["translation"],
        points=points.rows["xyz"][listed],
        colors=points.rows["rgb"][listed],
        errors=np.where(points.rows["error"] < 0, np.nan, points.rows["error"])[listed],
        obs_photo=obs_photo,
        obs_point=np.repeat(np.arange(len(listed)), lengths[listed]),
        obs_xy=images.keypoints["xy"][first[in_file] + tracks["keypoint"]],
        obs_keypoint=tracks["keypoint"],
    )


def _spans(starts: np.ndarray, lengths: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Indices of the elements of ragged rows after the rows are reordered."""
    lengths = lengths[order]
    return np.arange(lengths.sum()) + np.repeat(starts[order] - (np.cumsum(lengths) - lengths), lengths)


def _find(ids: np.ndarray, wanted: np.ndarray, what: str) -> np.ndarray:
    """Position of each wanted id among the sorted ids."""
    at = np.searchsorted(ids, wanted)
    if (at == len(ids)).any() or (ids[at] != wanted).any():
        raise ValueError(f"a reference to an unknown {what}")
    return at


def _tables(scene: Scene) -> tuple[_Images, _Points]:
    n, p, m = len(scene.names), len(scene.points), len(scene.obs_photo)
    order = np.lexsort((scene.obs_keypoint, scene.obs_photo))
    lengths = np.bincount(scene.obs_photo, minlength=n)
    listed = np.empty(m, np.int64)
    listed[order] = np.arange(m) - np.repeat(np.cumsum(lengths) - lengths, lengths)

    images, keypoints = np.empty(n, IMAGE), np.empty(m, KEYPOINT)
    images["id"] = np.arange(1, n + 1)
    images["rotation"] = quaternion_from_matrix(scene.rotations)
    images["translation"] = scene.translations
    images["camera"] = scene.camera_of + 1
    keypoints["xy"] = scene.obs_xy[order]
    keypoints["point"] = scene.obs_point[order] + 1

    points, observations = np.empty(p, POINT), np.empty(m, OBSERVATION)
    points["id"] = np.arange(1, p + 1)
    points["xyz"], points["rgb"] = scene.points, scene.colors
    points["error"] = np.where(np.isnan(scene.errors), -1.0, scene.errors)
    points["length"] = np.bincount(scene.obs_point, minlength=p)
    observations["image"], observations["keypoint"] = scene.obs_photo + 1, listed
    return _Images(images, list(scene.names), lengths, keypoints), _Points(points, observations)


# Binary


def _binary_cameras(path: Path) -> Iterator[tuple[int, str, int, int, np.ndarray]]:
    data = path.read_bytes()
    (count,) = COUNT.unpack_from(data)
    at = COUNT.size
    for _ in range(count):
        number, kind, width, height = np.frombuffer(data, CAMERA, 1, at)[0].tolist()
        if not 0 <= kind < len(MODELS):
            raise StageFailure("camera-model", f"Camera {number} has COLMAP's model number {kind}, which is unknown.")
        model = MODELS[kind]
        size = len(CAMERA_MODELS[model]) if model in CAMERA_MODELS else FOREIGN_MODELS[model][1]
        yield number, model, width, height, np.frombuffer(data, "<f8", size, at + CAMERA.itemsize)
        at += CAMERA.itemsize + 8 * size


def _binary_images(path: Path) -> _Images:
    data = path.read_bytes()
    (count,) = COUNT.unpack_from(data)
    at = COUNT.size
    rows, names, keypoints = np.empty(count, IMAGE), [], []
    for image in range(count):
        rows[image] = np.frombuffer(data, IMAGE, 1, at)[0]
        name_at = at + IMAGE.itemsize
        name_end = data.index(b"\0", name_at)
        names.append(data[name_at:name_end].decode())
        (length,) = COUNT.unpack_from(data, name_end + 1)
        at = name_end + 1 + COUNT.size
        keypoints.append(np.frombuffer(data, KEYPOINT, length, at) if length else np.empty(0, KEYPOINT))
        at += length * KEYPOINT.itemsize
    lengths = np.array([len(block) for block in keypoints], np.int64)
    return _Images(rows, names, lengths, np.concatenate([np.empty(0, KEYPOINT), *keypoints]))


def _binary_points(path: Path) -> _Points:
    # The start of a record depends on the lengths of all tracks before it: read these in a loop, the rest at once.
    data = path.read_bytes()
    (count,) = COUNT.unpack_from(data)
    lengths, at, before = [], COUNT.size, POINT.itemsize - COUNT.size
    for _ in range(count):
        (length,) = COUNT.unpack_from(data, at + before)
        lengths.append(length)
        at += POINT.itemsize + length * OBSERVATION.itemsize
    body = np.frombuffer(data, np.uint8)[COUNT.size : at]
    head = _heads(POINT.itemsize, np.array(lengths, np.int64) * OBSERVATION.itemsize)
    return _Points(body[head].view(POINT), body[~head].view(OBSERVATION))


def _heads(size: int, tails: np.ndarray) -> np.ndarray:
    """Mask of the heads in a sequence of records with heads of one size and tails of different sizes."""
    return np.repeat(np.tile([True, False], len(tails)), np.column_stack([np.full_like(tails, size), tails]).ravel())


def _bytes_cameras(scene: Scene) -> bytes:
    records = [COUNT.pack(len(scene.cameras))]
    for number, camera in enumerate(scene.cameras, start=1):
        head = np.array((number, MODELS.index(camera.model), camera.width, camera.height), CAMERA)
        records += head.tobytes(), np.array(camera.params, "<f8").tobytes()
    return b"".join(records)


def _bytes_images(images: _Images) -> bytes:
    records = [COUNT.pack(len(images.names))]
    blocks = np.split(images.keypoints, np.cumsum(images.lengths)[:-1])
    for row, name, block in zip(images.rows, images.names, blocks, strict=False):
        records += row.tobytes(), name.encode() + b"\0", COUNT.pack(len(block)), block.tobytes()
    return b"".join(records)


def _bytes_points(points: _Points) -> bytes:
    head = _heads(POINT.itemsize, points.rows["length"].astype(np.int64) * OBSERVATION.itemsize)
    body = np.empty(len(head), np.uint8)
    body[head] = points.rows.view(np.uint8)
    body[~head] = points.observations.view(np.uint8)
    return COUNT.pack(len(points.rows)) + body.tobytes()


# Text


def _content(path: Path) -> Iterator[str]:
    return (line for line in path.read_text("utf-8").split("\n") if not line.startswith("#"))


def _text_cameras(path: Path) -> Iterator[tuple[int, str, int, int, np.ndarray]]:
    for line in filter(str.strip, _content(path)):
        number, model, width, height, *params = line.split()
        yield int(number), model, int(width), int(height), np.array(params, np.float64)


def _text_images(path: Path) -> _Images:
    rows, names, keypoints = [], [], []
    lines = _content(path)
    for line in filter(str.strip, lines):
        *numbers, name = line.rstrip("\r").split(" ", 9)
        number, *pose, camera = map(float, numbers)
        rows.append((number, pose[:4], pose[4:], camera))
        names.append(name)
        # The line after a photo's is its keypoints, and it is empty where there are none.
        keypoints.append(np.array(next(lines, "").split(), np.float64).reshape(-1, 3))
    table = np.empty(sum(map(len, keypoints)), KEYPOINT)
    columns = np.concatenate([np.empty((0, 3)), *keypoints])
    table["xy"], table["point"] = columns[:, :2], columns[:, 2]
    return _Images(np.array(rows, IMAGE), names, np.array([len(block) for block in keypoints], np.int64), table)


def _text_points(path: Path) -> _Points:
    lines = [line.split() for line in _content(path) if line.strip()]
    counts = np.array([len(line) for line in lines], np.int64)
    if (counts < 8).any() or (counts % 2).any():
        raise ValueError(f"a line of {path.name} is not a point")
    values = np.array(list(chain.from_iterable(lines)), np.float64)
    is_head = _heads(8, counts - 8)
    head, tail = values[is_head].reshape(-1, 8), values[~is_head].reshape(-1, 2)
    rows, observations = np.empty(len(lines), POINT), np.empty(len(tail), OBSERVATION)
    rows["id"], rows["xyz"], rows["rgb"], rows["error"] = head[:, 0], head[:, 1:4], head[:, 4:7], head[:, 7]
    rows["length"] = (counts - 8) // 2
    observations["image"], observations["keypoint"] = tail.T
    return _Points(rows, observations)


def _lines_cameras(scene: Scene) -> Iterator[str]:
    yield "# CAMERA_ID MODEL WIDTH HEIGHT PARAMS...\n"
    for number, camera in enumerate(scene.cameras, start=1):
        yield f"{number} {camera.model} {camera.width} {camera.height} {' '.join(map(str, camera.params))}\n"


def _lines_images(images: _Images) -> Iterator[str]:
    yield "# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME\n# and in the line below it: X Y POINT3D_ID...\n"
    blocks = np.split(images.keypoints, np.cumsum(images.lengths)[:-1])
    for row, name, block in zip(images.rows.tolist(), images.names, blocks, strict=False):
        number, rotation, translation, camera = row
        yield " ".join(map(str, (number, *rotation, *translation, camera, name))) + "\n"
        yield " ".join(f"{x} {y} {point}" for (x, y), point in block.tolist()) + "\n"


def _lines_points(points: _Points) -> Iterator[str]:
    yield "# POINT3D_ID X Y Z R G B ERROR, then IMAGE_ID POINT2D_IDX...\n"
    ends = np.cumsum(points.rows["length"].astype(np.int64))
    observations = points.observations.tolist()
    for row, end in zip(points.rows.tolist(), ends.tolist(), strict=True):
        number, xyz, rgb, error, length = row
        track = (value for observation in observations[end - length : end] for value in observation)
        yield " ".join(map(str, (number, *xyz, *rgb, error, *track))) + "\n"
