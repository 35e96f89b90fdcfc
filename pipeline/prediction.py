"""Depth and a point cloud from one new photo, by a network that a run trained on its scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..learned.mono.weights import MonoWeights
from ..stages.failure import StageFailure
from ..stages.formats.depth import write_depth
from ..stages.formats.ply import write_cloud_ply
from ..stages.images.calibration import Source, prior_cameras
from ..stages.images.containers import Container, read_container
from ..stages.images.exif import read_exif
from ..stages.images.photos import check_decodable
from ..stages.scene import CAMERA_MODELS, Camera, Photo, Scene

if TYPE_CHECKING:
    from ..learned.mono.prediction import Prediction

_SAME_FOCAL = 1.1
"""A photo whose EXIF focal length agrees up to this factor with a camera of the model was taken by that camera."""

_SAME_SHAPE = 0.01
"""Two photos whose aspect ratios differ by less than this share may be of one camera, at two sizes."""


def predict(
    path: Path,
    scene: Scene,
    mono: MonoWeights,
    *,
    out: Path,
    camera: str | None,
    max_size: int,
    max_error: float,
    max_slant: float,
    warn: Callable[[str], None],
) -> Prediction:
    """Predict the cloud of a photo, and write the cloud, the depth map and a picture of it.

    Args:
        path: the photo.
        scene: the model that the network was trained on.
        mono: the network.
        out: file of the cloud; ``NAME.depth.png`` (see :mod:`diptych.stages.formats.depth`) and ``NAME.jpg`` are
            written beside it.
        camera: known calibration of the photo, ``MODEL,params...``; by default a camera of the model if the photo
            matches it, else the focal length in the EXIF.
        max_size, max_error, max_slant: as of :func:`diptych.learned.mono.prediction.predict`.

    Raises:
        StageFailure: ``unknown-format``, ``unreadable-photo``, ``bad-camera``, ``not-writable``, and as
            :func:`diptych.learned.mono.prediction.predict`.
    """
    from ..learned.mono.prediction import predict as read_photo

    if out.suffix.lower() != ".ply":
        raise StageFailure(
            "unknown-format", f"The cloud cannot be written to {out.name}.", hint="Give a name that ends with .ply."
        )
    try:
        encoded = path.read_bytes()
        container = read_container(encoded)
        check_decodable(encoded, container)
    except OSError as error:
        raise StageFailure("unreadable-photo", f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as flaw:
        raise StageFailure("unreadable-photo", f"{path} {flaw}.", hint="Give a JPEG, PNG or TIFF file.") from flaw
    photo = Photo(np.frombuffer(encoded, np.uint8))
    found = read_photo(
        photo,
        camera_of(path.name, container, scene, camera, warn),
        mono,
        max_size=max_size,
        max_error=max_error,
        max_slant=max_slant,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_cloud_ply(found.cloud, out)
        write_depth(out.with_suffix(".depth.png"), found.depths.depth)
        cv2.imwrite(str(out.with_suffix(".jpg")), picture(found)[..., ::-1])
    except (OSError, cv2.error) as error:
        raise StageFailure("not-writable", f"{out} cannot be written: {error}.") from error
    return found


def camera_of(name: str, container: Container, scene: Scene, camera: str | None, warn: Callable[[str], None]) -> Camera:
    """Return the camera of a new photo: as calibrated, else one of the model, else by its EXIF."""
    source = Source(name, container.size, read_exif(container.exif))
    (prior,), _ = prior_cameras([source], cameras="single", camera=camera, warn=warn)
    if prior.focal == "calibrated":
        return prior
    for known in scene.cameras:
        own = _resized(known, prior.width, prior.height)
        if own is not None and (prior.focal == "guess" or _alike(own, prior)):
            return own
    if prior.focal == "guess":
        warn(f"Nothing is known of the camera of {name}; its focal length is taken as {prior.focal_lengths[0]:.0f} px.")
    return prior


def _resized(camera: Camera, width: int, height: int) -> Camera | None:
    """Return the camera of a resized photo; None if the aspect ratio is another."""
    by = width / camera.width
    if abs(height / (by * camera.height) - 1) > _SAME_SHAPE:
        return None
    lengths = ("f", "fx", "fy", "cx", "cy")
    names = CAMERA_MODELS[camera.model]
    params = tuple(by * value if name in lengths else value for name, value in zip(names, camera.params, strict=True))
    return replace(camera, width=width, height=height, params=params)


def _alike(first: Camera, second: Camera) -> bool:
    ratio = first.focal_lengths[0] / second.focal_lengths[0]
    return 1 / _SAME_FOCAL < ratio < _SAME_FOCAL


def picture(found: Prediction) -> np.ndarray:
    """Return the view beside its depth, bright for near and gray for none, RGB, shape (H, 2 W, 3)."""
    depth = found.depths.depth
    known = depth > 0
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=known)
    low, high = np.quantile(inverse[known], [0.01, 0.99])
    level = np.clip((inverse - low) / max(high - low, 1e-12), 0, 1)
    colors = cv2.applyColorMap(np.rint(255 * level).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return np.hstack([found.view.image, np.where(known[..., None], colors, np.uint8(160))])
