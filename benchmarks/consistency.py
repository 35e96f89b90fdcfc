"""Which pixels of a depth map come back to where they started through the depth maps of neighbors."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from diptych.stages.dense import DepthMap, View


def agreeing(
    found: DepthMap, view: View, neighbors: Iterable[tuple[View, DepthMap]], pixels: float, relative: float
) -> np.ndarray:
    """How many neighbors lead a pixel back to within so many pixels and such a share of its depth, shape (H, W)."""
    height, width = found.depth.shape
    y, x = np.mgrid[:height, :width] + 0.5
    here = np.stack([x, y], -1)
    depth = found.depth.astype(np.float64)
    world = _world(view, here, depth)
    count = np.zeros(depth.shape, int)
    for neighbor, other in neighbors:
        there, z = _project(neighbor, world)
        place = (there - 0.5).clip(-10, 1e4).astype(np.float32)
        theirs = cv2.remap(other.depth, place[..., 0], place[..., 1], cv2.INTER_NEAREST, borderValue=(0.0,))
        back, again = _project(view, _world(neighbor, there, theirs.astype(np.float64)))
        close = np.linalg.norm(back - here, axis=-1) < pixels
        count += close & (np.abs(again - depth) < relative * depth) & (theirs > 0) & (z > 0) & (depth > 0)
    return count


def _world(view: View, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    rays = (pixels - view.camera.principal_point) / view.camera.focal_lengths
    at = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) * depth[..., None]
    return (at - view.translation) @ view.rotation


def _project(view: View, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    at = world @ view.rotation.T + view.translation
    z = at[..., 2]
    depth = np.where(z > 1e-9, z, 1.0)[..., None]
    return at[..., :2] / depth * view.camera.focal_lengths + view.camera.principal_point, z
