"""Resample depth maps, for a truth of another size or with other intrinsics."""

from __future__ import annotations

import numpy as np

from ..dense import DepthMap
from ..geometry.projection import project, undistort
from ..scene import Camera

_EDGE = 1.05
"""Depths of neighboring pixels that differ by a larger factor belong to different surfaces."""

_SAME_SHAPE = 0.002
"""Images whose aspect ratios differ by less show the same photo at two sizes."""


def where_in_view(truth: Camera, photo: Camera, view: Camera) -> np.ndarray:
    """Where the pixels of a true map lie in an estimated view of the same photo, shape (H, W, 2).

    If both have the same aspect ratio, a pixel of the truth is the same place in the photo, and the estimated
    distortion leads from there to the view: an error of the estimated focal length then moves no pixel. Otherwise the
    truth was undistorted to an image of its own; then rays of the true and the estimated pinhole camera are taken to be
    the same.

    Args:
        truth: a PINHOLE camera of the size of the true map.
        photo: the estimated camera of the photo, with its distortion.
        view: a PINHOLE camera of the size of the estimated map.
    """
    pixels = _centers(truth)
    if _same_aspect(truth, photo):
        directions = undistort(photo, pixels / _scale(truth, photo))
    else:
        directions = _directions(truth, pixels)
    return (directions * view.focal_lengths + view.principal_point).reshape(truth.height, truth.width, 2)


def where_in_truth(view: Camera, photo: Camera, truth: Camera) -> np.ndarray:
    """Where the pixels of a view lie in the true map, shape (H, W, 2): the inverse of :func:`where_in_view`."""
    directions = _directions(view, _centers(view))
    seen = project(photo, np.column_stack([directions, np.ones(len(directions))]))
    return in_truth(photo, truth, seen).reshape(view.height, view.width, 2)


def in_truth(photo: Camera, truth: Camera, pixels: np.ndarray) -> np.ndarray:
    """Where pixels of a photo lie in its true map, shape (N, 2); see :func:`where_in_view`."""
    if _same_aspect(truth, photo):
        return pixels * _scale(truth, photo)
    return undistort(photo, pixels) * truth.focal_lengths + truth.principal_point


def _same_aspect(truth: Camera, photo: Camera) -> bool:
    """Whether both show the same image, up to its size."""
    x, y = _scale(truth, photo)
    return abs(x / y - 1) < _SAME_SHAPE


def _scale(truth: Camera, photo: Camera) -> np.ndarray:
    """Size of the true map relative to the photo, by x and y."""
    return np.array([truth.width / photo.width, truth.height / photo.height])


def _centers(camera: Camera) -> np.ndarray:
    """Pixel centers row by row, shape (H W, 2)."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def _directions(pinhole: Camera, pixels: np.ndarray) -> np.ndarray:
    """(x / z, y / z) of the rays through pixels of a PINHOLE camera, shape (N, 2)."""
    return (pixels - pinhole.principal_point) / pinhole.focal_lengths


def depths_at(depths: DepthMap, xy: np.ndarray) -> DepthMap:
    """A depth map sampled at positions: the depth by :func:`depth_at`, all else from the nearest pixel.

    Args:
        xy: positions in pixels, the center of the top-left one at (0.5, 0.5), shape (H, W, 2).
    """
    depth = depth_at(depths.depth, xy)
    _, row, column = _nearest(depths.depth, xy)
    found = depth > 0
    return DepthMap(
        depth,
        depths.normal[row, column] * found[..., None],
        depths.confidence[row, column] * found,
        depths.reason[row, column],
        depths.missing,
    )


def depth_at(depth: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Depth sampled at positions, 0 where there is none and outside, shape (...).

    Inverse depth is interpolated bilinearly, which is exact on a plane, if the four pixels around a position lie on one
    surface; otherwise the nearest pixel is taken.

    Args:
        depth: z, 0 for none, shape (H, W).
        xy: positions in pixels, the center of the top-left one at (0.5, 0.5), shape (..., 2).
    """
    height, width = depth.shape
    inside, row, column = _nearest(depth, xy)
    corner = np.where(inside[..., None], xy, 0) - 0.5
    first = np.floor(corner).astype(np.int64)
    u, v = np.moveaxis(corner - first, -1, 0)
    columns = [np.clip(first[..., 0] + i, 0, width - 1) for i in (0, 1)]
    rows = [np.clip(first[..., 1] + i, 0, height - 1) for i in (0, 1)]
    around = np.stack([depth[r, c] for r in rows for c in columns]).astype(np.float64)
    low, high = around.min(axis=0), around.max(axis=0)
    smooth = (low > 0) & (high < _EDGE * low)
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    inverse = np.sum(weights / np.where(smooth, around, 1.0), axis=0)
    return np.where(inside, np.where(smooth, 1 / inverse, depth[row, column]), 0.0)


def _nearest(depth: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether positions lie in a map, and the row and column of the pixel they lie in, each of shape (...)."""
    height, width = depth.shape
    inside = np.all((xy >= 0) & (xy < [width, height]), axis=-1)
    column, row = np.moveaxis(np.where(inside[..., None], xy, 0).astype(np.int64), -1, 0)
    return inside, row, column
