"""SIFT keypoints, spread evenly over the photo, with RootSIFT descriptors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..images.decoding import decode, decode_gray
from ..scene import Features, Photo
from ..stage import Context, Stage
from .keypoints import mask_of, shrink, spread, values_at

_DESCRIPTOR_LENGTH = 128
_ROOT_SCALE = 512.0
"""Length of a quantized descriptor, as in SIFT: an entry above half of it is rare and is clipped to 255."""


class Sift(Stage):
    """Scale-invariant keypoints and descriptors (Lowe 2004), compared as RootSIFT (Arandjelović and Zisserman 2012).

    Found by OpenCV in a pyramid that starts at twice the size of the image it is given.

    Args:
        max_keypoints: most keypoints; the strongest of each part of the photo are kept.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit. Finer
            detail costs most of the time and memory of a large photo and hardly improves its camera.
        contrast_threshold: least contrast of a keypoint. OpenCV's default 0.04 finds almost nothing on smooth facades.
        edge_threshold: largest ratio of the principal curvatures; a larger one keeps more keypoints on edges.
        root: compare by the Hellinger kernel (RootSIFT) instead of Lowe's Euclidean distance.
    """

    slot = "features"
    papers = ("lowe2004", "arandjelovic2012")
    libraries = ("numpy", "opencv-contrib-python")

    max_keypoints: int = 8192
    max_size: int = 1600
    contrast_threshold: float = 0.0133
    edge_threshold: float = 10.0
    root: bool = True

    def run(self, photo: Photo, context: Context) -> Features:
        """Keypoints of one photo, strongest first.

        Raises:
            StageFailure: ``unreadable-photo``, ``mask-size``.
        """
        cv2.setNumThreads(context.threads)
        gray = decode_gray(photo)
        mask = mask_of(photo, gray.shape)
        searched = shrink(gray, self.max_size)
        factor = np.divide(gray.shape[::-1], searched.shape[::-1])
        sift = cv2.SIFT.create(
            contrastThreshold=self.contrast_threshold, edgeThreshold=self.edge_threshold, enable_precise_upscale=True
        )
        found = list(sift.detect(searched, None))
        chosen = self._choose(found, factor, gray.shape, mask)
        if not len(chosen):
            context.warn("A photo has no keypoints: it is too dark, too smooth or masked out.")
            return self._features([], factor, np.empty((0, _DESCRIPTOR_LENGTH)), decode(photo))
        # It is cheaper to build the pyramid again than to describe all keypoints that were found.
        keypoints, descriptors = sift.compute(searched, [found[int(i)] for i in chosen])
        return self._features(list(keypoints), factor, descriptors, decode(photo))

    def _choose(
        self, found: list[cv2.KeyPoint], factor: np.ndarray, shape: tuple[int, ...], mask: np.ndarray | None
    ) -> np.ndarray:
        """Indices of the keypoints to keep, strongest first."""
        xy, size = _positions(found), np.array([each.size for each in found])
        # OpenCV lists the orientations of one position and size in turn; one is enough for photos taken upright.
        places = np.column_stack([xy, size])
        allowed = np.ones(len(found), bool)
        allowed[1:] = np.any(places[1:] != places[:-1], axis=1)
        if mask is not None:
            allowed &= values_at(mask, xy * factor)
        candidates = np.flatnonzero(allowed)
        score = np.array([found[i].response for i in candidates])
        return candidates[spread(xy[candidates] * factor, score, shape, self.max_keypoints)]

    def _features(
        self, keypoints: list[cv2.KeyPoint], factor: np.ndarray, descriptors: np.ndarray, colors: np.ndarray
    ) -> Features:
        xy = _positions(keypoints) * factor
        return Features(
            xy=xy,
            scale=np.array([each.size for each in keypoints]) / 2 * factor.mean(),
            angle=np.radians([each.angle for each in keypoints]),
            score=np.array([each.response for each in keypoints]),
            color=values_at(colors, xy),
            descriptors=_root(descriptors) if self.root else descriptors.astype(np.uint8),
            kind="rootsift" if self.root else "sift",
        )


def _positions(keypoints: Sequence[cv2.KeyPoint]) -> np.ndarray:
    """Pixel positions, shape (N, 2). OpenCV puts the center of the first pixel at the origin."""
    return np.array(cv2.KeyPoint.convert(keypoints)).reshape(-1, 2) + 0.5


def _root(descriptors: np.ndarray) -> np.ndarray:
    """RootSIFT, the square root of the descriptor's share of its sum, as bytes."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1.0)
    return np.minimum(np.round(np.sqrt(descriptors / total) * _ROOT_SCALE), 255).astype(np.uint8)
