"""SubpixelRefiner as a stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...stages.features.refinement import refined
from ...stages.scene import Features, Patches, Photos, Tracks
from ...stages.stage import Context, Stage
from ..weights.paths import path_of


class SubpixelRefiner(Stage):
    """Refine keypoints by a convolutional network that sees both patches of a match.

    In every track one keypoint stays, and the others move to it. The local affine transformation of the matches around
    resamples the moving patch; the network predicts the shift, its uncertainty and the probability that both patches
    show the same point. An uncertain keypoint does not move. Least squares matching (Gruen 1985) then refines the
    shift: it is more exact than the network, but diverges from afar and does not detect false matches. Where it is
    certain from the detected position, the network is not run, which halves the time. It works for any detector.

    Args:
        weights: ``refiner``, which Diptych ships, or the path of a safetensors file.
        max_uncertainty: largest expected error of a coordinate, in pixels of the patch.
        min_match: least probability that both patches show the same point.
    """

    slot = "features"
    papers = ("gruen1985", "baker2004", "kim2024")
    libraries = ("numpy", "numba", "scipy", "torch")
    differs_by_device = True

    weights: str = "refiner"
    max_uncertainty: float = 0.5
    min_match: float = 0.5

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of(self.weights),)

    def run(
        self,
        name: str,
        photos: Photos,
        features: Features,
        patches: Sequence[Patches],
        tracks: Tracks,
        context: Context,
    ) -> Features:
        """The features of one photo with refined keypoints; those in no track, or uncertain, stay.

        Raises:
            StageFailure: as :func:`~diptych.learned.weights.files.load_cached` and
                :func:`~diptych.learned.inference.torch_device`.
        """
        from .matching import PatchMatcher

        matcher = PatchMatcher.of(self.weights, self.max_uncertainty, self.min_match, context)
        return refined(name, photos, features, patches, tracks, matcher.follow)
