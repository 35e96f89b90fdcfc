"""The base of the learned detectors: from a photo to a limited number of keypoints."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from ...stages.features.keypoints import mask_of, shrink, spread, values_at
from ...stages.images.decoding import decode
from ...stages.scene import Features, Photo
from ...stages.stage import Context, Sizes, Stage
from .published import path_of

if TYPE_CHECKING:
    from torch import Tensor, device

    Detected = tuple[Tensor, Tensor, Tensor]
    """Positions (N, 2), the center of the first pixel at (0.5, 0.5), scores (N,) and unit descriptors (N, D)."""

_SMALLEST = 64
"""Smallest sides in pixels of a network's input: smaller photos are padded by their edges."""


class LearnedDetector(Stage):
    """Base of the stages whose network detects and describes keypoints.

    Learned keypoints have no size and no orientation: ``scale`` is one pixel of the searched image, ``angle`` is 0.

    Class attributes:
        bytes_per_pixel: measured memory of the network per searched pixel.
        multiple: the sides of the image must be multiples of this.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit.
        weights: path of a file with the network's weights; the published ones if empty.
    """

    slot = "features"
    libraries = ("numpy", "opencv-contrib-python", "torch", "kornia")
    differs_by_device = True
    bytes_per_pixel: ClassVar[int]
    multiple: ClassVar[int] = 1

    max_keypoints: int = 8192
    max_size: int = 1600
    weights: str = ""

    @property
    def kind(self) -> str:
        """The kind of the descriptors and name of the published weights: the class name unless overridden."""
        return type(self).__name__.lower()

    @abstractmethod
    def detect(self, image: Tensor, device: device) -> Detected:
        """All keypoints of an image, RGB from 0 to 1, float32, shape (1, 3, H, W)."""

    def run(self, photo: Photo, context: Context) -> Features:
        """Keypoints of one photo, strongest first.

        Raises:
            StageFailure: ``missing-weights``, ``missing-package``, ``unknown-pickle``, ``damaged-weights``,
                ``wrong-architecture``, ``no-device``, ``unreadable-photo``, ``mask-size``.
        """
        import torch

        from ..inference import deterministic, torch_device

        colors = decode(photo)
        mask = mask_of(photo, colors.shape)
        cv2.setNumThreads(context.threads)
        searched = shrink(colors, self.max_size, self.multiple)
        height, width = searched.shape[:2]
        down, right = (max(0, _SMALLEST - side) for side in (height, width))
        shown = cv2.copyMakeBorder(searched, 0, down, 0, right, cv2.BORDER_REPLICATE)
        device = torch_device(context)
        with deterministic():
            image = torch.from_numpy(shown).to(device).permute(2, 0, 1)[None].float() / 255
            xy, score, descriptors = (each.cpu().numpy() for each in self.detect(image, device))
        # In an area of one color a network detects its own rounding errors, which normalization amplifies.
        textured = np.any(cv2.morphologyEx(searched, cv2.MORPH_GRADIENT, np.ones((9, 9))) > 0, axis=2)
        good = np.all(xy < [width, height], axis=1) & values_at(textured, xy)
        factor = np.divide(colors.shape[1::-1], [width, height])
        xy = xy * factor
        if mask is not None:
            good &= values_at(mask, xy)
        allowed = np.flatnonzero(good)
        chosen = allowed[spread(xy[allowed], score[allowed], colors.shape, self.max_keypoints)]
        if not len(chosen):
            context.warn("A photo shows nothing to find a keypoint at: it is too dark, too smooth or masked out.")
        return Features(
            xy=xy[chosen],
            scale=np.full(len(chosen), factor.mean()),
            angle=np.zeros(len(chosen)),
            score=score[chosen],
            color=values_at(colors, xy[chosen]),
            descriptors=descriptors[chosen],
            kind=self.kind,
        )

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of(self.kind, self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """The pixels of the largest photo, and the feature maps of the searched pixels."""
        ratios = (min(1.0, self.max_size / max(image)) if self.max_size > 0 else 1.0 for image in sizes.images)
        searched = max(width * height * ratio**2 for (width, height), ratio in zip(sizes.images, ratios, strict=True))
        return 8 * sizes.pixels + int(self.bytes_per_pixel * searched)
