"""A colored point cloud from one new photo, by a network fine-tuned to its scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stages.dense import Cloud, DepthMap, View
from ...stages.failure import StageFailure
from ...stages.images.decoding import decode, decode_mask
from ...stages.images.undistortion import undistorted
from ...stages.scene import Camera, Photo
from .stage import MonoNet, laplace_confidence
from .views import pixel_rays
from .weights import MonoWeights


@dataclass(frozen=True, eq=False)
class Prediction:
    """The depths and points of a photo.

    Attributes:
        view: the photo without distortion, with its camera at the origin.
        depths: its depth map, in units of the model of the fine-tuning.
        cloud: its points in the camera's frame (x right, y down, z forward).
    """

    view: View
    depths: DepthMap
    cloud: Cloud


def predict(
    photo: Photo,
    camera: Camera,
    mono: MonoWeights,
    *,
    max_size: int = 800,
    max_error: float = 0.3,
    max_slant: float = 80.0,
) -> Prediction:
    """The depths and the cloud of a photo.

    Args:
        photo: of the scene, or of one like it.
        camera: that took it.
        max_size: most pixels of the longer side of the view; each pixel may become a point.
        max_error: largest predicted error of a depth, as a share of it. It is about half for the sky and wherever no
            point of the model was near.
        max_slant: largest angle in degrees between a surface's normal and the ray to it. Steeper surfaces are the
            network's interpolation between an object and its background.

    Raises:
        StageFailure: ``bad-parameter``, ``empty-cloud``, ``unreadable-photo`` or ``wrong-architecture``.
    """
    if not (max_error > 0 and 0 < max_slant <= 90):
        raise StageFailure(
            "bad-parameter",
            "The largest error lies above 0, and the largest slant above 0 and up to 90 degrees.",
            max_error=max_error,
            max_slant=max_slant,
        )
    image, mask = decode(photo), decode_mask(photo)
    if mask is None:
        mask = np.ones(image.shape[:2], np.bool_)
    image, visible, pinhole = undistorted(camera, image, mask, max_size)
    view = View(image, visible, pinhole, np.eye(3), np.zeros(3), mono.near, mono.far)
    depths = MonoNet().run(view, mono)
    return Prediction(view, depths, _cloud(view, depths, max_error, max_slant))


def _cloud(view: View, depths: DepthMap, max_error: float, max_slant: float) -> Cloud:
    x, y = pixel_rays(view.camera.matrix, view.camera.width, view.camera.height)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    normals = depths.normal.astype(np.float64)
    cosine = -(normals * rays).sum(axis=2) / np.linalg.norm(rays, axis=2)
    steep = cosine < np.cos(np.radians(max_slant))
    kept = (depths.depth > 0) & ~steep & (depths.confidence.astype(np.float64) >= laplace_confidence(np.log(max_error)))
    if not kept.any():
        raise StageFailure(
            "empty-cloud",
            "The network finds no surface in the photo at depths that it has learned.",
            hint="Is it a photo of the scene that the model is of?",
        )
    points = rays[kept] * depths.depth[kept, None]
    count = len(points)
    return Cloud(points, normals[kept], view.image[kept], np.ones(count), np.zeros(count))
