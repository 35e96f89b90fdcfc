"""Bundler files, version 0.3 (Snavely et al. 2006).

A Bundler camera looks along -z with y up, so two rows of a pose change sign. Pixels are relative to the principal
point, which is the center of the image, with y up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..failure import StageFailure
from ..scene import CAMERA_MODELS, Camera, Scene
from .photo_files import photo_size

BUNDLER_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])
HEADER = "# Bundle file v0.3"


def write_bundler(scene: Scene, path: str | Path) -> None:
    """Write a scene as a Bundler file, and the names of its photos as ``list.txt`` beside it.

    Bundler has one focal length and two radial coefficients. The principal point is lost, but observations are written
    relative to it, as COLMAP does.

    Raises:
        StageFailure: ``camera-model`` for a camera with two focal lengths, tangential or fisheye distortion.
    """
    path = Path(path)
    rotations = BUNDLER_FROM_OPENCV @ scene.rotations
    translations = scene.translations @ BUNDLER_FROM_OPENCV
    intrinsics = [_intrinsics(camera) for camera in scene.cameras]
    lines = [HEADER, f"{len(scene.names)} {len(scene.points)}"]
    for camera, rotation, translation in zip(scene.camera_of, rotations, translations, strict=True):
        lines += (_line(row) for row in (intrinsics[camera], *rotation.tolist(), translation.tolist()))

    centers = np.array([camera.principal_point for camera in scene.cameras]).reshape(-1, 2)
    xy = (scene.obs_xy - centers[scene.camera_of[scene.obs_photo]]) * [1.0, -1.0]
    seen = zip(scene.obs_photo.tolist(), scene.obs_keypoint.tolist(), xy.tolist(), strict=True)
    views = [f"{photo} {keypoint} {x} {y}" for photo, keypoint, (x, y) in seen]
    lengths = np.bincount(scene.obs_point, minlength=len(scene.points))
    starts = np.cumsum(lengths) - lengths
    tracks = zip(scene.points.tolist(), scene.colors.tolist(), starts.tolist(), lengths.tolist(), strict=True)
    for point, color, start, length in tracks:
        lines += _line(point), _line(color), _line([length, *views[start : start + length]])
    path.write_text("\n".join([*lines, ""]), "utf-8")
    path.with_name("list.txt").write_text("".join(f"{name}\n" for name in scene.names), "utf-8")


def read_bundler(path: str | Path) -> Scene:
    """Read a Bundler file; cameras that were not registered (focal length 0) are left out.

    Names come from ``list.txt`` beside the file or one folder up, else photos are named by their number (``00000``).
    The image size is that of the photo if it is found near the file, else the smallest that holds the observations.
    Each photo gets a RADIAL camera of its own, ``calibrated``.

    Raises:
        StageFailure: ``damaged-bundler`` if it is no file of version 0.3 or ends early.
    """
    path = Path(path)
    try:
        header, _, text = path.read_text("utf-8").partition("\n")
        if header.strip() != HEADER:
            raise ValueError(f"it begins with {header[:40]!r}, not {HEADER!r}")
        values = np.array(text.split(), np.float64)
        n, p = values[:2].astype(int)
        stated = values[2 : 2 + 15 * n].reshape(n, 5, 3)
        where, lengths = _views(values, 2 + 15 * n, p)
        points, colors = values[where[:, None] + np.arange(6)].reshape(p, 2, 3).swapaxes(0, 1)
        first = np.repeat(where + 7 - 4 * (np.cumsum(lengths) - lengths), lengths)
        views = values[(first + 4 * np.arange(lengths.sum()))[:, None] + np.arange(4)]
    except (ValueError, IndexError) as error:
        raise StageFailure(
            "damaged-bundler", "The Bundler file cannot be read.", file=str(path), reason=str(error)
        ) from error
    registered = np.flatnonzero(stated[:, 0, 0])
    kept = np.isin(views[:, 0], registered)
    obs_photo = np.searchsorted(registered, views[kept, 0])
    from_center = views[kept, 2:] * [1.0, -1.0]

    listed = _list(path) or tuple(f"{photo:05d}" for photo in range(n))
    if len(listed) != n:
        raise StageFailure(
            "damaged-bundler", "The Bundler file and its list.txt differ in number.", photos=int(n), names=len(listed)
        )
    names = tuple(listed[photo] for photo in registered)
    extent = np.ones((len(names), 2))
    np.maximum.at(extent, obs_photo, np.abs(from_center))
    sizes = 2 * np.ceil(extent)
    for photo, name in enumerate(names):
        sizes[photo] = photo_size(path.parent, name) or sizes[photo]
    cameras = tuple(
        Camera("RADIAL", int(w), int(h), (f, w / 2, h / 2, k1, k2), "calibrated")
        for (w, h), (f, k1, k2) in zip(sizes.tolist(), stated[registered, 0].tolist(), strict=True)
    )
    return Scene(
        cameras=cameras,
        names=names,
        camera_of=np.arange(len(names)),
        rotations=BUNDLER_FROM_OPENCV @ stated[registered, 1:4],
        translations=stated[registered, 4] @ BUNDLER_FROM_OPENCV,
        points=points,
        colors=colors,
        errors=np.full(p, np.nan),
        obs_photo=obs_photo,
        obs_point=np.repeat(np.arange(p), lengths)[kept],
        obs_xy=from_center + sizes[obs_photo] / 2,
        obs_keypoint=views[kept, 1],
    )


def _intrinsics(camera: Camera) -> tuple[float, float, float]:
    """(f, k1, k2) of a camera that has no other intrinsics.

    Raises:
        StageFailure: ``camera-model``.
    """
    named = dict(zip(CAMERA_MODELS[camera.model], camera.params, strict=True))
    fx, fy = camera.focal_lengths
    if camera.model == "OPENCV_FISHEYE" or fx != fy or named.get("p1") or named.get("p2"):
        raise StageFailure(
            "camera-model",
            f"Bundler's one focal length and two radial coefficients cannot state this {camera.model} camera.",
            hint="Undistort the photos, or reconstruct with SIMPLE_RADIAL or RADIAL cameras.",
            params=list(camera.params),
        )
    return fx, named.get("k", named.get("k1", 0.0)), named.get("k2", 0.0)


def _line(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


def _views(values: np.ndarray, at: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Start of each point's record, and number of photos that see it."""
    starts, lengths = [], []
    for _ in range(count):
        starts.append(at)
        lengths.append(int(values[at + 6]))
        at += 7 + 4 * lengths[-1]
    if at > len(values):
        raise ValueError("it ends early")
    return np.array(starts, int), np.array(lengths, int)


def _list(path: Path) -> tuple[str, ...]:
    """Names in the list file, without a focal length behind a name as in ``photo.jpg 0 688.1``."""
    for listing in (path.with_name("list.txt"), path.parent.parent / "list.txt"):
        if listing.is_file():
            lines = filter(str.strip, listing.read_text("utf-8").splitlines())
            return tuple(re.sub(r"\s+0\s+[\d.eE+-]+\s*$", "", line).removeprefix("./") for line in lines)
    return ()
