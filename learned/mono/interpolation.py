"""Dense depth interpolated between the sparse points of a view."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import KDTree, QhullError

_NEIGHBORS = 8
"""A point is compared with the median of this many nearest points."""

_MAX_DEVIATION = math.log(2)
"""A point whose log-depth is farther from that median is an outlier; it would spoil all triangles around it."""


def interpolate_log_depth(xy: np.ndarray, depth: np.ndarray, width: int, height: int) -> np.ndarray:
    """Log-depth of every pixel between points: inverse depth is linear on the triangles of Delaunay (1934).

    This is exact where the corners of a triangle lie on one plane, as they mostly do on a wall without texture. It is
    wrong where a triangle spans a gap, such as the sky between two towers.

    Args:
        xy: pixel positions of the points, shape (N, 2).
        depth: z of the points, shape (N,).

    Returns:
        float32, shape (H, W); NaN outside the convex hull of the points, and everywhere if they are collinear.
    """
    nothing = np.full((height, width), np.nan, np.float32)
    if len(xy) > _NEIGHBORS:
        inliers = _inliers(xy, np.log(depth))
        xy, depth = xy[inliers], depth[inliers]
    if len(xy) < 3:
        return nothing
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    try:
        inverse = LinearNDInterpolator(xy, 1 / depth)(u, v)
    except QhullError:
        return nothing
    return -np.log(inverse).astype(np.float32)


def _inliers(xy: np.ndarray, log_depth: np.ndarray) -> np.ndarray:
    """Whether points are about as far away as their neighbors in the image, shape (N,)."""
    _, nearest = KDTree(xy).query(xy, k=1 + _NEIGHBORS)
    neighbors = np.asarray(nearest)[:, 1:]
    return np.abs(log_depth - np.median(log_depth[neighbors], axis=1)) < _MAX_DEVIATION
