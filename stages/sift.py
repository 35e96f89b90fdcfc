"""SIFT keypoints, spread evenly over the photo, with RootSIFT descriptors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .failure import StageFailure
from .pixels import decode, decode_gray, decode_mask
from .scene import Features, Photo
from .stage import Context, Stage

_DESCRIPTOR_LENGTH = 128
_ROOT_SCALE = 512.0
"""Length of a quantised descriptor, as SIFT's own: an entry above a half of it is rare and is clipped to 255."""

_KEYPOINTS_PER_CELL = 16


class Sift(Stage):
    """Scale-invariant keypoints and descriptors (Lowe 2004), compared as RootSIFT (Arandjelović and Zisserman 2012).

    Found by OpenCV in a pyramid that starts at twice the size of the image it is given.

    Args:
        max_keypoints: the strongest of each part of the photo are kept, about this many in all.
        max_size: a photo whose longer side exceeds this many pixels is searched at this size; 0 for no limit. Detail
            finer than that costs most of the time and memory of a large photo and hardly helps its camera.
        contrast_threshold: least contrast of a keypoint. OpenCV's own 0.04 leaves smooth facades almost empty.
        edge_threshold: largest ratio of the principal curvatures; more keeps keypoints that may slide along edges.
        root: compare by the Hellinger kernel (RootSIFT) instead of Lowe's Euclidean distance.
    """

    slot = "features"
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
        gray, mask = decode_gray(photo), decode_mask(photo)
        if mask is not None and mask.shape != gray.shape:
            raise StageFailure(
                "mask-size",
                "A mask is not of its photo's size.",
                hint="Make the mask again at the size of the photo.",
                photo=f"{gray.shape[1]}x{gray.shape[0]}",
                mask=f"{mask.shape[1]}x{mask.shape[0]}",
            )
        searched = _shrink(gray, self.max_size)
        factor = np.divide(gray.shape[::-1], searched.shape[::-1])
        sift = cv2.SIFT.create(
            contrastThreshold=self.contrast_threshold, edgeThreshold=self.edge_threshold, enable_precise_upscale=True
        )
        found = list(sift.detect(searched, None))
        chosen = self._choose(found, factor, gray.shape, mask)
        if not len(chosen):
            context.warn("A photo shows nothing to find a keypoint at: it is too dark, too smooth or masked out.")
            return self._features([], factor, np.empty((0, _DESCRIPTOR_LENGTH)), decode(photo))
        # On a photo full of detail it is cheaper to build the pyramid again than to describe all that was found.
        keypoints, descriptors = sift.compute(searched, [found[int(i)] for i in chosen])
        return self._features(list(keypoints), factor, descriptors, decode(photo))

    def _choose(
        self, found: list[cv2.KeyPoint], factor: np.ndarray, shape: tuple[int, ...], mask: np.ndarray | None
    ) -> np.ndarray:
        """Indices of the keypoints to keep, strongest first."""
        xy, size = _positions(found), np.array([each.size for each in found])
        # OpenCV lists the orientations of one place and size one after another; one is enough for photos taken upright.
        places = np.column_stack([xy, size])
        allowed = np.ones(len(found), bool)
        allowed[1:] = np.any(places[1:] != places[:-1], axis=1)
        if mask is not None:
            allowed &= _at(mask, xy * factor)
        candidates = np.flatnonzero(allowed)
        score = np.array([found[i].response for i in candidates])
        return candidates[_spread(xy[candidates] * factor, score, shape, self.max_keypoints)]

    def _features(
        self, keypoints: list[cv2.KeyPoint], factor: np.ndarray, descriptors: np.ndarray, colors: np.ndarray
    ) -> Features:
        xy = _positions(keypoints) * factor
        return Features(
            xy=xy,
            scale=np.array([each.size for each in keypoints]) / 2 * factor.mean(),
            angle=np.radians([each.angle for each in keypoints]),
            score=np.array([each.response for each in keypoints]),
            color=_at(colors, xy),
            descriptors=_root(descriptors) if self.root else descriptors.astype(np.uint8),
            kind="rootsift" if self.root else "sift",
        )


def _shrink(image: np.ndarray, max_size: int) -> np.ndarray:
    """The image with its longer side at most ``max_size``."""
    longer = max(image.shape)
    if not 0 < max_size < longer:
        return image
    height, width = (max(1, round(side * max_size / longer)) for side in image.shape)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _positions(keypoints: Sequence[cv2.KeyPoint]) -> np.ndarray:
    """Pixel positions, shape (N, 2). OpenCV puts the centre of the first pixel at the origin."""
    return np.array(cv2.KeyPoint.convert(keypoints)).reshape(-1, 2) + 0.5


def _at(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """The values of the pixels that hold the positions."""
    column, row = np.clip(xy.astype(np.int64), 0, np.array(image.shape[1::-1]) - 1).T
    return image[row, column]


def _spread(xy: np.ndarray, score: np.ndarray, shape: tuple[int, ...], budget: int) -> np.ndarray:
    """Keypoints to keep, strongest first: the strongest of every cell of a grid, then the second, and so on."""
    if not len(xy):
        return np.empty(0, np.int64)
    side = np.sqrt(_KEYPOINTS_PER_CELL * shape[0] * shape[1] / budget)
    column, row = (xy // side).astype(np.int64).T
    cell = row * (column.max() + 1) + column
    order = np.lexsort((-score, cell))
    first_of_cell = np.concatenate([[True], np.diff(cell[order]) != 0])
    place = np.arange(len(order))
    rank = np.empty(len(order), np.int64)
    rank[order] = place - np.maximum.accumulate(np.where(first_of_cell, place, 0))
    chosen = np.lexsort((-score, rank))[:budget]
    return chosen[np.argsort(-score[chosen], kind="stable")]


def _root(descriptors: np.ndarray) -> np.ndarray:
    """RootSIFT, the square root of the descriptor's share of its sum, as bytes."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1.0)
    return np.minimum(np.round(np.sqrt(descriptors / total) * _ROOT_SCALE), 255).astype(np.uint8)
