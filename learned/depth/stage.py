"""DepthNet as a stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...stages.dense import Around, DepthMap, View
from ...stages.mvs.contrast import deviation
from ...stages.stage import Context, Sizes, Stage
from ..weights.paths import path_of
from .filtering import filter_depths

_REACH, _FLAT = 15, 2.0
"""A pixel is untextured if the brightness within this many pixels has a deviation below this many gray values."""


class DepthNet(Stage):
    """Depth by a small multi-view network, trained by this project on synthetic scenes only.

    It correlates learned features of the view with those of its neighbors and refines the depth in steps of parallax
    (after Teed and Deng 2020, RAFT; Wang et al. 2022, IterMVS), from coarse to fine. Every pixel that a neighbor sees
    gets a depth and a confidence.

    Args:
        weights: ``depth``, which Diptych ships, or the path of a safetensors file of the same network.
        sources: largest number of neighbors, best first; time grows with it.
        iterations: of the recurrent refinement.
        min_confidence: less confident pixels get a reason instead of a depth.
    """

    slot = "depths"
    papers = ("teed2020", "wang2022", "guo2019")
    libraries = ("numpy", "torch", "safetensors")
    differs_by_device = True

    weights: str = "depth"
    sources: int = 4
    iterations: int = 3
    min_confidence: float = 0.1

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of(self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """Measured: the correlations at half the size and the features."""
        return sizes.pixels * 900

    def run(self, views: Around[View], context: Context) -> DepthMap:
        """The depth map of the reference.

        Raises:
            StageFailure: ``no-device``, and as :func:`~diptych.learned.weights.files.load_cached`.
        """
        from .estimation import estimate_depth

        view = views.reference
        sources = [source for source in views.sources if not source.missing][: self.sources]
        if view.missing or not sources or not view.mask.any():
            return DepthMap.empty(view, view.missing or ("is masked everywhere" if sources else "has no neighbors"))
        inverse, confidence, seen = estimate_depth([view, *sources], self.weights, self.iterations, context)
        depth = np.divide(1, inverse, out=np.full_like(inverse, np.inf), where=inverse > 0)
        flat = deviation(view.image, _REACH) < _FLAT
        return filter_depths(view, depth, confidence, self.min_confidence, seen=seen, flat=flat)
