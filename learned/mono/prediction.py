"""A coloured cloud from one new photo of a scene that a network has learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stages.dense import Cloud, DepthMap, View
from ...stages.failure import StageFailure
from ...stages.mono_weights import MonoWeights
from ...stages.pixels import decode, decode_mask
from ...stages.scene import Camera, Photo
from ...stages.undistortion import undistorted
from .pictures import directions
from .stage import MonoNet


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network sees in a photo.

    Attributes:
        view: the photo without distortion, as if its camera stood in the origin.
        depths: its depth map, in units of the model that the network has learned.
        cloud: its points in the camera's frame (x right, y down, z forward).
    """

    view: View
    depths: DepthMap
    cloud: Cloud


def predict(
    photo: Photo, camera: Camera, mono: MonoWeights, *, max_size: int = 800, keep: float = 0.9, max_slant: float = 80.0
) -> Prediction:  # fmt: skip
    """The depths and the cloud of a photo.

    Args:
        photo: of the scene, or of one like it.
        camera: that took it.
        max_size: most pixels of the longer side of the view; each pixel may become a point.
        keep: share of the points that is kept, those which the network is surest of.
        max_slant: degrees between a surface's normal and the ray to it. Steeper is what the network draws between a
            thing and what lies behind it.

    Raises:
        StageFailure: ``bad-parameter``, ``empty-cloud``, ``unreadable-photo`` or ``wrong-architecture``.
    """
    if not (0 < keep <= 1 and 0 < max_slant <= 90):
        raise StageFailure(
            "bad-parameter", "The share of points to keep lies in (0, 1], the largest slant in (0, 90] degrees.",
            keep=keep, max_slant=max_slant,
        )  # fmt: skip
    image, mask = decode(photo), decode_mask(photo)
    if mask is None:
        mask = np.ones(image.shape[:2], np.bool_)
    image, visible, pinhole = undistorted(camera, image, mask, max_size)
    view = View(image, visible, pinhole, np.eye(3), np.zeros(3), mono.near, mono.far)
    depths = MonoNet().run(view, mono)
    return Prediction(view, depths, _cloud(view, depths, keep, max_slant))


def _cloud(view: View, depths: DepthMap, keep: float, max_slant: float) -> Cloud:
    x, y = directions(view.camera.matrix, view.camera.width, view.camera.height)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    normals = depths.normal.astype(np.float64)
    cosine = -(normals * rays).sum(axis=2) / np.linalg.norm(rays, axis=2)
    steep = cosine < np.cos(np.radians(max_slant))
    kept = (depths.depth > 0) & ~steep
    if kept.any():
        kept &= depths.confidence >= np.quantile(depths.confidence[kept], 1 - keep)
    if not kept.any():
        raise StageFailure(
            "empty-cloud", "The network finds no surface in the photo at depths that it has learned.",
            hint="Is it a photo of the scene that the model is of?",
        )  # fmt: skip
    points = rays[kept] * depths.depth[kept, None]
    count = len(points)
    return Cloud(points, normals[kept], view.image[kept], np.ones(count), np.zeros(count))
