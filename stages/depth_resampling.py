"""Depth maps at other pixels than their own, as when the truth has another size or other intrinsics."""

from __future__ import annotations

import numpy as np

from .dense import DepthMap
from .geometry.projection import undistort
from .scene import Camera

_EDGE = 1.05
"""Depths of neighbouring pixels that differ by a larger factor belong to different surfaces."""

_SAME_SHAPE = 0.002
"""Sizes whose sides have the same ratio but for this are taken to show the same photo."""


def where_in_view(truth: Camera, photo: Camera, view: Camera) -> np.ndarray:
    """Where the pixels of a true map lie in an estimated view of the same photo, shape (H, W, 2).

    If the sizes of both are alike but for a factor, a pixel of the truth is the same place in the photo, and the
    estimated distortion says where that lies in the view: an error of the estimated focal length then moves no pixel.
    Else the truth was undistorted to a picture of its own; then the directions of the two true and estimated pinhole
    cameras are taken to be the same.

    Args:
        truth: a PINHOLE camera of the size of the true map.
        photo: the estimated camera of the photo, with its distortion.
        view: a PINHOLE camera of the size of the estimated map.
    """
    x, y = np.meshgrid(np.arange(truth.width) + 0.5, np.arange(truth.height) + 0.5)
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2)
    scale = np.array([photo.width / truth.width, photo.height / truth.height])
    if abs(scale[0] / scale[1] - 1) < _SAME_SHAPE:
        directions = undistort(photo, pixels * scale)
    else:
        directions = (pixels - truth.principal_point) / truth.focal_lengths
    return (directions * view.focal_lengths + view.principal_point).reshape(truth.height, truth.width, 2)


def depths_at(depths: DepthMap, xy: np.ndarray) -> DepthMap:
    """A depth map read at given positions.

    Inverse depth is interpolated bilinearly, which is exact on a plane, where the four pixels around a position lie on
    one surface; elsewhere, and for all but the depth, the nearest pixel counts. Outside there is none.

    Args:
        xy: positions in pixels, the centre of the top-left one at (0.5, 0.5), shape (H, W, 2).
    """
    height, width = depths.depth.shape
    inside = np.all((xy >= 0) & (xy < [width, height]), axis=-1, keepdims=True)
    column, row = np.moveaxis(np.where(inside, xy, 0).astype(np.int64), -1, 0)
    nearest = depths.depth[row, column]

    corner = np.where(inside, xy, 0) - 0.5
    first = np.floor(corner).astype(np.int64)
    u, v = np.moveaxis(corner - first, -1, 0)
    columns = [np.clip(first[..., 0] + i, 0, width - 1) for i in (0, 1)]
    rows = [np.clip(first[..., 1] + i, 0, height - 1) for i in (0, 1)]
    around = np.stack([depths.depth[r, c] for r in rows for c in columns]).astype(np.float64)
    low, high = around.min(axis=0), around.max(axis=0)
    smooth = (low > 0) & (high < _EDGE * low)
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    inverse = np.sum(weights / np.where(smooth, around, 1.0), axis=0)
    depth = np.where(inside[..., 0], np.where(smooth, 1 / inverse, nearest), 0.0)
    found = depth > 0
    return DepthMap(
        depth,
        depths.normal[row, column] * found[..., None],
        depths.confidence[row, column] * found,
        depths.reason[row, column],
        depths.missing,
    )
