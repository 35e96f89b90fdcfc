"""Depth maps from single views, by a network fine-tuned to the scene."""

from __future__ import annotations

import cv2
import numpy as np

from ...stages.dense import DepthMap, Reason, View
from ...stages.geometry.depth_normals import normals_from_depth
from ...stages.stage import Sizes, Stage
from ..inference import deterministic
from .aligned_network import network_from_vector, predict_log_depth
from .views import ScaledImage
from .weights import MonoWeights

_TOLERANCE = 0.01
"""Confidence is the probability that the relative error of the depth is below this."""


class MonoNet(Stage):
    """Depth from one view, by the network that :class:`~diptych.learned.mono.learning.MonoLearning` fine-tuned.

    The prediction is the mean for the view and its mirror image, at the size of the fine-tuning, and interpolated to
    the view's size. Its error is some percent; the confidence is that of a Laplace distribution whose width the network
    predicts and held-out photos calibrate.
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
            log_depth, log_error = predict_log_depth(
                network_from_vector(mono.parameters), ScaledImage.of(views, mono.size)
            )
        size = (views.camera.width, views.camera.height)
        log_depth, log_error = (cv2.resize(each.numpy(), size) for each in (log_depth, log_error))
        depth = np.exp(log_depth)
        ranged = (depth >= views.near) & (depth <= views.far)
        reason = np.where(views.mask, np.where(ranged, Reason.FOUND, Reason.OUT_OF_RANGE), Reason.MASKED)
        depth = np.where(reason == Reason.FOUND, depth, np.float32(0))
        confidence = laplace_confidence(log_error)
        return DepthMap(
            depth, normals_from_depth(depth, views.camera), np.where(depth > 0, confidence, 0), reason.astype(np.uint8)
        )

    def footprint(self, sizes: Sizes) -> int:
        """Measured: the network and, for each pixel, its normal."""
        return 140 * sizes.pixels + 32 * 2**20


def laplace_confidence(log_error: np.ndarray | float) -> np.ndarray:
    """Confidence in depths whose log-depths are Laplace distributed, from the logarithm of their mean error."""
    return -np.expm1(-_TOLERANCE * np.exp(-np.asarray(log_error)))
