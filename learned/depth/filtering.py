"""Filter the depths of a network, with a reason for every rejected pixel."""

from __future__ import annotations

import numpy as np

from ...stages.dense import DepthMap, Reason, View
from ...stages.geometry.depth_normals import normals_from_depth


def filter_depths(
    view: View, depth: np.ndarray, confidence: np.ndarray, min_confidence: float, *, seen: np.ndarray, flat: np.ndarray
) -> DepthMap:
    """The depth map of a view; of several reasons against a depth the strongest is stored.

    Args:
        depth: z, 0 for none, shape (H, W).
        confidence: from 0 to 1, shape (H, W).
        min_confidence: less confident depths are rejected.
        seen: whether a neighbor contains the pixel at this depth, shape (H, W).
        flat: whether the photo has no texture there, shape (H, W).
    """
    reason = np.full(depth.shape, Reason.FOUND, np.uint8)
    reason[(confidence < min_confidence) | (depth <= 0)] = Reason.DISAGREED
    reason[flat] = Reason.UNTEXTURED
    reason[(depth > 0) & ((depth < view.near) | (depth > view.far))] = Reason.OUT_OF_RANGE
    reason[~seen] = Reason.UNSEEN
    reason[~view.mask] = Reason.MASKED
    found = reason == Reason.FOUND
    depth = np.where(found, depth, np.float32(0))
    return DepthMap(depth, normals_from_depth(depth, view.camera), np.where(found, confidence, 0), reason)
