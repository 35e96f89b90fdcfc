"""Guided matching: keypoints are compared again, only near each other's epipolar lines."""

from __future__ import annotations

import dataclasses

import numpy as np
from numba import njit

from ..geometry.epipolar import homogeneous, sampson_distance
from ..scene import Camera, Features, Pair, TwoView
from ..stage import Context, Stage
from .nearest_neighbor import EXCLUDED, comparable, mutual_matches, search_in_tiles, sorted_matches
from .two_view import pinhole_positions


class GuidedMatching(Stage):
    """Match again along the epipolar lines, as COLMAP's guided matching does (Schönberger and Frahm 2016).

    Similar keypoints elsewhere in the photo no longer fail the ratio test, so that repeated and weakly textured parts
    match too. The verified matches are kept.

    Args:
        max_error: largest Sampson distance of a match from the epipolar geometry in pixels.
        ratio: the nearest neighbor must be closer than this times the second nearest near the line.
        max_distance: largest distance of two descriptors of unit length.
    """

    slot = "two_views"
    papers = ("schoenberger2016sfm",)
    libraries = ("numpy", "numba", "torch")

    max_error: float = 2.0
    ratio: float = 0.8
    max_distance: float = 0.7

    def run(self, camera: Pair[Camera], features: Pair[Features], two_views: TwoView, context: Context) -> TwoView:
        """The same geometry with more matches; a pair without epipolar geometry stays as it is.

        Raises:
            StageFailure: ``different-descriptors``.
        """
        first, second = comparable(features)
        if not two_views.fundamental.any() or min(len(first), len(second)) < 2:
            return two_views
        start = pinhole_positions(camera.first, features.first.xy)
        end = pinhole_positions(camera.second, features.second.xy)
        lines = homogeneous(start) @ two_views.fundamental.T
        lines /= np.maximum(np.hypot(lines[:, 0], lines[:, 1]), np.finfo(float).tiny)[:, None]

        def exclude(products: np.ndarray, rows: slice, columns: slice) -> None:
            # A pair at Sampson distance d may lie farther than d from one line: search wider here, and measure below.
            _exclude_far_from_lines(products, lines[rows], end[columns], 2 * self.max_error)

        found = mutual_matches(*search_in_tiles(first, second, exclude, context.threads), self.ratio)
        found = sorted_matches(first, second, found, self.max_distance).indices
        error = sampson_distance(two_views.fundamental, start[found[:, 0]], end[found[:, 1]])
        added = found[(error < self.max_error) & _unused(found, two_views.matches)]
        return dataclasses.replace(two_views, matches=np.concatenate([two_views.matches, added]))


def _unused(found: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which matches use no keypoint of the known matches, shape (M,)."""
    return ~(np.isin(found[:, 0], known[:, 0]) | np.isin(found[:, 1], known[:, 1]))


@njit(nogil=True, cache=True)
def _exclude_far_from_lines(products: np.ndarray, lines: np.ndarray, positions: np.ndarray, limit: float) -> None:
    """Exclude pairs farther than ``limit`` pixels from the row's line; lines have normals of length 1."""
    for r in range(len(products)):
        a, b, c = lines[r]
        for k in range(len(positions)):
            if abs(a * positions[k, 0] + b * positions[k, 1] + c) > limit:
                products[r, k] = EXCLUDED
