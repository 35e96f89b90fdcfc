"""Normals of a depth map."""

from __future__ import annotations

import numpy as np

from ..scene import Camera
from .plane_fitting import fit_planes
from .slanted_planes import normals_of

_RADIUS = 3
"""Pixels to each side of the window that a plane is fitted to."""

_NOISE = 0.01
"""Neighbors on one surface differ by less than this share of the depth, beyond the effect of its slope."""

_STEEPEST = 4.0
"""Tangent of the steepest slope that is not taken for a step in depth."""


def normals_from_depth(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """Normals of planes fitted to the depth around each pixel, not across edges.

    Args:
        depth: z, 0 where there is none, shape (H, W).
        camera: without distortion, of the size of the map.

    Returns:
        Unit normals in the camera's frame, facing the camera, 0 where there is no depth, float32, shape (H, W, 3).
    """
    known = depth > 0
    inverse = np.divide(1, depth, out=np.zeros(depth.shape, np.float32), where=known)
    fitted, gradient, support = np.empty_like(inverse), np.empty((*depth.shape, 2), np.float32), np.empty_like(inverse)
    unit = np.where(known, _NOISE * inverse, 1).astype(np.float32)
    slope = _STEEPEST / min(camera.focal_lengths) / _NOISE
    fit_planes(
        0,
        1,
        len(depth),
        inverse,
        known.astype(np.float32),
        unit,
        _RADIUS,
        1,
        np.float32(1),
        np.float32(slope),
        fitted,
        gradient,
        support,
    )
    planes = np.dstack([np.where(known, fitted, 1), gradient])
    return np.where(known[..., None], normals_of(planes, camera), 0).astype(np.float32)
