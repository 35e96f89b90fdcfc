"""From what the sources say of each pixel's plane to a depth map: confidence, and the reason where there is none."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ...dense import DepthMap, Reason, View
from ...geometry.slanted_planes import normals_of
from .kernels import WORST

_ALONE = np.array([-0.39, 0.66, 0.47, 0.60, -0.55, 0.08], np.float32)
_CONSISTENT = np.array([1.18, 0.26, 0.49, 0.81, -0.39, -0.08], np.float32)
"""Weights of :meth:`Judgement.features` without and with depth maps of the sources, fitted to the six rendered scenes
by ``benchmarks/calibration.py``. On a scene left out of the fit the expected calibration error is 0.02 to 0.09, and
0.14 among leaves."""

_FLAT, _SURE = 1.0, 0.85
"""A patch with less variance of its gray values than the first may show noise alone; it counts only where the sources
agree so well that the depth is very probably right."""

_AT_THE_END = 0.01
"""Inverse depths closer to either end of the range than this share of it have run into the end."""


class Judgement(NamedTuple):
    """What the sources say of the planes that were found.

    Attributes:
        texture: variance of the gray values around a pixel, shape (H, W).
        parallax: pixels that a point moves in a source per unit of inverse depth, the largest, shape (H, W).
        mismatch: 1 - correlation with each source, :data:`WORST` where it does not see the pixel, shape (H, W, N).
        miss: pixels of the way there and back through the depth map of each source, shape (H, W, N); None without.
    """

    texture: np.ndarray
    parallax: np.ndarray
    mismatch: np.ndarray
    miss: np.ndarray | None

    def features(self, inverse: np.ndarray) -> np.ndarray:
        """What the confidence is a function of, shape (H, W, 6).

        Each source agrees from 0 to 1. The features are a constant, how far the second best agrees, the sum of all but
        two, and as logarithms the sum of the two best, the pixels of parallax by which the depth stands out from those
        around it, and the texture.

        Args:
            inverse: inverse depth, shape (H, W).
        """
        agreement = np.exp(-(self.mismatch**2) / 0.18)
        if self.miss is not None:
            agreement *= np.exp(-0.5 * self.miss**2)
        ranked = np.sort(agreement, axis=2)[..., ::-1]
        two, second = ranked[..., :2].sum(axis=2), ranked[..., 1] if ranked.shape[2] > 1 else 0 * inverse
        stands_out = np.abs(inverse - cv2.medianBlur(inverse, 5)) * self.parallax
        features = (
            np.ones_like(inverse),
            second,
            np.minimum(ranked[..., 2:].sum(axis=2), 2),
            np.log(two + 0.02),
            np.log(stands_out + 0.05),
            np.log(self.texture + 1),
        )
        return np.stack(features, axis=-1, dtype=np.float32)

    def confidence(self, inverse: np.ndarray) -> np.ndarray:
        """Estimated probability that a depth is right within 1 %, shape (H, W)."""
        return 1 / (1 + np.exp(-self.features(inverse) @ (_ALONE if self.miss is None else _CONSISTENT)))


def depth_map(view: View, planes: np.ndarray, judgement: Judgement, min_confidence: float) -> DepthMap:
    """The depth map of a view from the planes of its pixels."""
    inverse = np.ascontiguousarray(planes[..., 0])
    confidence = judgement.confidence(inverse)
    seen = (judgement.mismatch < WORST).any(axis=2)
    place = (inverse - 1 / view.far) / (1 / view.near - 1 / view.far)
    at_the_end = np.abs(place - 0.5) > 0.5 - _AT_THE_END
    untextured = (judgement.texture < _FLAT) & (confidence < _SURE)
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
