"""Resection: the pose of a photo from known 3D points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib


@dataclass(frozen=True, eq=False)
class Resection:
    """A pose from 2D-3D correspondences.

    Attributes:
        rotation, translation: ``cam_from_world``, shapes (3, 3) and (3,).
        inliers: which correspondences agree, shape (N,).
        focal_factor: the factor for the camera's focal length, 1 unless it was searched.
    """

    rotation: np.ndarray
    translation: np.ndarray
    inliers: np.ndarray
    focal_factor: float = 1.0


def resect(
    rays: np.ndarray,
    points: np.ndarray,
    tolerance: float,
    *,
    seed: int = 0,
    search_focal: bool = False,
    max_iterations: int = 10_000,
) -> Resection:
    """Absolute pose by P3P in LO-RANSAC (PoseLib; Persson and Nordberg 2018) and non-linear refinement on the inliers.

    Args:
        rays: undistorted observations (x/z, y/z), shape (N, 2).
        points: shape (N, 3).
        tolerance: largest error of an inlier in units of ``rays``, pixels divided by the focal length.
        seed: of the random samples.
        search_focal: the focal length is unknown; try factors from 0.4 to 2.5 times as long.
    """
    factors = np.geomspace(0.4, 2.5, 17) if search_focal else np.ones(1)
    trials = 300 if search_focal else max_iterations
    results = [_resect(rays, points, tolerance, factor, seed, trials) for factor in factors]
    best = max(results, key=lambda result: int(result.inliers.sum()))
    if search_focal:
        return _resect(rays, points, tolerance, best.focal_factor, seed, max_iterations)
    return best


def _resect(
    rays: np.ndarray, points: np.ndarray, tolerance: float, factor: float, seed: int, iterations: int
) -> Resection:
    # PoseLib expects pixels of a pinhole camera; with 1000 px the tolerance has the magnitude it is tuned for.
    focal = 1000.0
    camera = {"model": "SIMPLE_PINHOLE", "width": 1, "height": 1, "params": [focal, 0.0, 0.0]}
    ransac = {"max_error": tolerance / factor * focal, "seed": seed, "max_iterations": iterations}
    pose, info = poselib.estimate_absolute_pose(rays / factor * focal, points, camera, ransac, {"loss_type": "CAUCHY"})
    return Resection(np.asarray(pose.R), np.asarray(pose.t), np.asarray(info["inliers"], bool), factor)
