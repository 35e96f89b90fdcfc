"""The numbers of one model that a person judges it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....stages.scene import Scene
from ....stages.sfm.bundle import reprojection_errors
from ....stages.sfm.triangulation import widest_angles


@dataclass(frozen=True, eq=False)
class Measures:
    """How well one model explains its photos.

    Attributes:
        residuals: reprojection error of each observation in pixels, infinite behind the camera, shape (M,).
        observations: number of observations of each photo, shape (N,).
        photo_errors: mean of those of each photo that are finite, NaN where it has none, shape (N,).
        track_lengths: number of observations of each point, shape (P,).
        angles: widest angle in degrees between two rays of each point, shape (P,).
    """

    residuals: np.ndarray
    observations: np.ndarray
    photo_errors: np.ndarray
    track_lengths: np.ndarray
    angles: np.ndarray


def measure(scene: Scene) -> Measures:
    """Measure a model from its own cameras, points and observations."""
    residuals = reprojection_errors(scene)
    photos, points = len(scene.names), len(scene.points)
    observations = np.bincount(scene.obs_photo, minlength=photos)
    finite = np.isfinite(residuals)
    count = np.bincount(scene.obs_photo[finite], minlength=photos)
    total = np.bincount(scene.obs_photo[finite], weights=residuals[finite], minlength=photos)
    start = np.searchsorted(scene.obs_point, np.arange(points + 1))
    return Measures(
        residuals=residuals,
        observations=observations,
        photo_errors=np.divide(total, count, out=np.full(photos, np.nan), where=count > 0),
        track_lengths=np.diff(start),
        angles=widest_angles(start, scene.obs_photo, scene.points, scene.centers),
    )
