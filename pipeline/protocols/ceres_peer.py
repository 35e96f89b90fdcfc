"""Ceres through pycolmap, as a peer of bundle adjustment."""

from __future__ import annotations

import time

import numpy as np

from ...stages.scene import Scene
from ...stages.sfm.bundle import BundleOptions, free_to_move
from ...stages.sfm.bundle_ceres import ceres_problem, scene_of


def solve_by_ceres(
    scene: Scene, options: BundleOptions, threads: int, fixed_cameras: np.ndarray | None = None
) -> tuple[float, int, Scene]:
    """Return the seconds spent in Ceres, the number of residual evaluations, and the optimized scene.

    Args:
        fixed_cameras: True for cameras whose intrinsics are held fixed, shape (C,).
    """
    freedom = free_to_move(scene, options.refine, fixed_cameras=fixed_cameras)
    reconstruction, adjuster = ceres_problem(scene, freedom, options, threads=threads)
    began = time.perf_counter()
    summary = adjuster.solve().ceres_summary
    seconds = time.perf_counter() - began
    return seconds, summary.num_residual_evaluations, scene_of(scene, reconstruction)
