"""Depth between the points that a view sees."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import KDTree, QhullError

_AROUND = 8
"""Nearest points of which the median tells whether one is right."""

_ODD = math.log(2)
"""A point whose log-depth is so far from that median is left out: it would spoil all triangles around it."""


def filled(xy: np.ndarray, depth: np.ndarray, width: int, height: int) -> np.ndarray:
    """Log-depth of every pixel between points: inverse depth is linear on the triangles of Delaunay (1934).

    That is exact where the corners of a triangle lie on one plane, as they mostly do on a wall without texture. Of the
    sky between two towers it is wrong.

    Args:
        xy: pixel positions of the points, shape (N, 2).
        depth: z of the points, shape (N,).

    Returns:
        float32, NaN beyond all points and where they lie on one line, shape (H, W).
    """
    nothing = np.full((height, width), np.nan, np.float32)
    if len(xy) > _AROUND:
        right = _right(xy, np.log(depth))
        xy, depth = xy[right], depth[right]
    if len(xy) < 3:
        return nothing
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    try:
        inverse = LinearNDInterpolator(xy, 1 / depth)(u, v)
    except QhullError:
        return nothing
    return -np.log(inverse).astype(np.float32)


def _right(xy: np.ndarray, log_depth: np.ndarray) -> np.ndarray:
    """Whether points lie about as far away as those around them, shape (N,)."""
    _, nearest = KDTree(xy).query(xy, k=1 + _AROUND)
    around = np.asarray(nearest)[:, 1:]
    return np.abs(log_depth - np.median(log_depth[around], axis=1)) < _ODD
