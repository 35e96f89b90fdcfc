"""The stage that refines keypoints by a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...stages.features.refinement import refined
from ...stages.scene import Features, Patches, Photos, Tracks
from ...stages.stage import Context, Stage
from ..weights.paths import path_of


class SubpixelRefiner(Stage):
    """Move keypoints by a convolutional network that sees both patches of a match at once.

    In every track one view stays, and the others move to it. The moving patch is laid upon the fixed one by the affine
    change that the matches around suggest; the network tells where the point is seen, how sure that is, and whether
    both patches show the same at all. A keypoint that is not sure stays where it is. From where the network saw the
    point, least squares matching (Gruen 1985) takes the last fraction of a pixel: it is more exact than the network,
    but alone it gets lost from afar, and does not know a false match. Where it is beyond doubt by itself, from where
    the detector put the keypoint, the network is not asked, which saves half of the time. It works for any detector.

    Args:
        weights: those that Diptych ships (``refiner``), or the path of a safetensors file.
        max_uncertainty: largest error of a coordinate to expect of the network, in pixels of the patch.
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
        """The features of one photo with their keypoints moved; those in no track, or not sure, stay.

        Raises:
            StageFailure: as :func:`~diptych.learned.weights.files.load_cached` and
                :func:`~diptych.learned.inference.torch_device`.
        """
        from .matching import PatchMatcher

        matcher = PatchMatcher.of(self.weights, self.max_uncertainty, self.min_match, context)
        return refined(name, photos, features, patches, tracks, matcher.follow)
