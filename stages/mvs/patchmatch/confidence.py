"""From each pixel's plane to a depth map: confidence, and the reason where there is no depth."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ...dense import DepthMap, Reason, View
from ...geometry.slanted_planes import normals_of
from .arrays import MAX_COST

_WITHOUT_DEPTHS = np.array([-0.39, 0.66, 0.47, 0.60, -0.55, 0.08], np.float32)
_WITH_DEPTHS = np.array([1.18, 0.26, 0.49, 0.81, -0.39, -0.08], np.float32)
"""Weights of :meth:`PlaneScores.features` without and with depth maps of the sources, fitted to the six rendered scenes
by ``benchmarks/calibration.py``. On a scene left out of the fit the expected calibration error is 0.02 to 0.09, and
0.14 among leaves."""

_UNTEXTURED, _CONFIDENT = 1.0, 0.85
"""A patch with a lower variance of its gray values than the first may show noise alone; its depth is kept only if its
confidence reaches the second."""

_RANGE_MARGIN = 0.01
"""An inverse depth closer to either end of the range than this share of it counts as out of range."""


class PlaneScores(NamedTuple):
    """How well the plane of each pixel agrees with the sources.

    Attributes:
        texture: variance of the gray values around a pixel, shape (H, W).
        parallax: pixels that a point moves in a source per unit of inverse depth, the largest, shape (H, W).
        cost: 1 - correlation with each source, :data:`MAX_COST` where it does not see the pixel, shape (H, W, N).
        round_trip: error in pixels after projection into each source and back by its depth map, shape (H, W, N), or
            (H, W, 0) if the sources have no depth maps.
    """

    texture: np.ndarray
    parallax: np.ndarray
    cost: np.ndarray
    round_trip: np.ndarray

    def features(self, inverse: np.ndarray) -> np.ndarray:
        """Features that the confidence is a logistic regression on, shape (H, W, 6).

        Each source agrees from 0 to 1. The features are a constant, the agreement of the second best source, the sum of
        all but two, and as logarithms the sum of the two best, the pixels of parallax by which the depth stands out
        from those around it, and the texture.

        Args:
            inverse: inverse depth, shape (H, W).
        """
        agreement = np.exp(-(self.cost**2) / 0.18)
        if self.round_trip.size:
            agreement *= np.exp(-0.5 * self.round_trip**2)
        ranked = np.sort(agreement, axis=2)[..., ::-1]
        two, second = ranked[..., :2].sum(axis=2), ranked[..., 1] if ranked.shape[2] > 1 else 0 * inverse
        stands_out = np.abs(inverse - cv2.medianBlur(inverse, 5)) * self.parallax
        others, logarithms = (
            np.minimum(ranked[..., 2:].sum(axis=2), 2),
            (two + 0.02, stands_out + 0.05, self.texture + 1),
        )
        return np.stack([np.ones_like(inverse), second, others, *map(np.log, logarithms)], axis=-1, dtype=np.float32)

    def confidence(self, inverse: np.ndarray) -> np.ndarray:
        """Estimated probability that a depth is right within 1 %, shape (H, W)."""
        weights = _WITH_DEPTHS if self.round_trip.size else _WITHOUT_DEPTHS
        return 1 / (1 + np.exp(-self.features(inverse) @ weights))


def depth_map(view: View, planes: np.ndarray, scores: PlaneScores, min_confidence: float) -> DepthMap:
    """The depth map of a view from the planes of its pixels."""
    inverse = np.ascontiguousarray(planes[..., 0])
    confidence = scores.confidence(inverse)
    seen = (scores.cost < MAX_COST).any(axis=2)
    place = (inverse - 1 / view.far) / (1 / view.near - 1 / view.far)
    at_the_end = np.abs(place - 0.5) > 0.5 - _RANGE_MARGIN
    untextured = (scores.texture < _UNTEXTURED) & (confidence < _CONFIDENT)
    found = view.mask & seen & ~untextured & (confidence >= min_confidence)
    reason = np.select(
        [found, ~view.mask, ~seen, untextured, at_the_end],
        [Reason.FOUND, Reason.MASKED, Reason.UNSEEN, Reason.UNTEXTURED, Reason.OUT_OF_RANGE],
        Reason.DISAGREED,
    )
    depth = (1 / inverse).clip(view.near, view.far)
    return DepthMap(
        depth=np.where(found, depth, 0.0),
        normal=np.where(found[..., None], normals_of(planes, view.camera), 0.0),
        confidence=np.where(found, confidence, 0.0),
        reason=reason,
    )
