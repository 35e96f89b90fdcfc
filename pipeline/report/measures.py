"""The numbers of one model that a person judges it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...stages.geometry.projection import project
from ...stages.scene import Scene
from ...stages.triangulation import widest_angles


@dataclass(frozen=True, eq=False)
class Measures:
    """How well one model explains its photos.

    Attributes:
        residuals: reprojection error of each observation in pixels, shape (M,).
        observations: number of observations of each photo, shape (N,).
        photo_errors: mean reprojection error of each photo in pixels, NaN where it sees nothing, shape (N,).
        track_lengths: number of photos that see each point, shape (P,).
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
    total = np.bincount(scene.obs_photo, weights=residuals, minlength=photos)
    with np.errstate(invalid="ignore"):
        photo_errors = total / observations
    start = np.searchsorted(scene.obs_point, np.arange(points + 1))
    return Measures(
        residuals=residuals,
        observations=observations,
        photo_errors=photo_errors,
        track_lengths=np.diff(start),
        angles=widest_angles(start, scene.obs_photo, scene.points, scene.centers),
    )


def reprojection_errors(scene: Scene) -> np.ndarray:
    """Distance in pixels of each observation from its projected point, shape (M,)."""
    R, t = scene.rotations[scene.obs_photo], scene.translations[scene.obs_photo]
    in_camera = np.einsum("mij,mj->mi", R, scene.points[scene.obs_point]) + t
    errors = np.empty(len(in_camera))
    camera_of = scene.camera_of[scene.obs_photo]
    for index, camera in enumerate(scene.cameras):
        mine = camera_of == index
        errors[mine] = np.linalg.norm(project(camera, in_camera[mine]) - scene.obs_xy[mine], axis=1)
    return errors
