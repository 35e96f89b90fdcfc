"""Two-view geometry by COLMAP."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..peers.colmap import pycolmap
from .two_view import Correspondences, Models, RobustTwoView


class ColmapTwoView(RobustTwoView):
    """LO-RANSAC as in COLMAP (Schönberger and Frahm 2016), seeded so that two runs agree."""

    papers = ("chum2003",)
    libraries = ("numpy", "poselib", "pycolmap", "scipy")

    def estimate(self, points: Correspondences, seed: int) -> Models:
        """The three models, each estimated by itself."""
        options = pycolmap.RANSACOptions(
            max_error=self.max_error, confidence=self.confidence, max_num_trials=self.max_iterations, random_seed=seed
        )
        cameras = _pinhole(points.first_matrix), _pinhole(points.second_matrix)
        pairs = points.first, points.second
        return Models(
            _matrix(pycolmap.estimate_essential_matrix(*pairs, *cameras, options), "E"),
            _matrix(pycolmap.estimate_fundamental_matrix(*pairs, options), "F"),
            _matrix(pycolmap.estimate_homography_matrix(*pairs, options), "H"),
        )


def _matrix(found: dict[str, Any] | None, name: str) -> np.ndarray:
    return np.zeros((3, 3)) if found is None else found[name]


def _pinhole(matrix: np.ndarray) -> pycolmap.Camera:
    params = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]
    return pycolmap.Camera(model="PINHOLE", width=1, height=1, params=params)
