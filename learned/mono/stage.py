"""Depth maps from single views, by a network that has learned the scene."""

from __future__ import annotations

import cv2
import numpy as np

from ...stages.dense import DepthMap, Reason, View
from ...stages.geometry.depth_normals import normals_from_depth
from ...stages.stage import Sizes, Stage
from ..inference import deterministic
from .pictures import Picture
from .reading import network_of, read
from .weights import MonoWeights

_RIGHT = 0.01
"""Confidence is the probability that the depth is off by no more than this share."""


class MonoNet(Stage):
    """Depth from one view alone, by the network that :class:`~diptych.learned.mono.learning.MonoLearning` taught.

    It looks at the view and at its mirror image, at the size it has learned at, and its depths are interpolated to the
    view's size. A depth read from one image is off by some percent, and the confidence says so: that of a Laplace
    distribution whose width the network predicts, set right on photos that it did not learn from.
    """

    slot = "depths"
    libraries = ("numpy", "numba", "opencv-contrib-python", "torch")

    def run(self, views: View, mono: MonoWeights) -> DepthMap:
        """The depth map of one view.

        Raises:
            StageFailure: ``wrong-architecture``.
        """
        if views.missing or not views.mask.any():
            return DepthMap.empty(views, views.missing or "is hidden by its mask everywhere")
        with deterministic():
            log_depth, log_error = read(network_of(mono.parameters), Picture.of(views, mono.size))
        size = (views.camera.width, views.camera.height)
        log_depth, log_error = (cv2.resize(each.numpy(), size) for each in (log_depth, log_error))
        depth = np.exp(log_depth)
        ranged = (depth >= views.near) & (depth <= views.far)
        reason = np.where(views.mask, np.where(ranged, Reason.FOUND, Reason.OUT_OF_RANGE), Reason.MASKED)
        depth = np.where(reason == Reason.FOUND, depth, np.float32(0))
        confidence = right_within(log_error)
        return DepthMap(
            depth, normals_from_depth(depth, views.camera), np.where(depth > 0, confidence, 0), reason.astype(np.uint8)
        )

    def footprint(self, sizes: Sizes) -> int:
        """Measured: the network and, for each pixel, its normal."""
        return 140 * sizes.pixels + 32 * 2**20


def right_within(log_error: np.ndarray | float) -> np.ndarray:
    """Confidence in depths whose log-depths are Laplace distributed with these logarithms of their mean error."""
    return -np.expm1(-_RIGHT * np.exp(-np.asarray(log_error)))
