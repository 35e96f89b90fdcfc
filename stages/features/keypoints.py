"""What all keypoint detectors share: image size, mask, even distribution, colors."""

from __future__ import annotations

import cv2
import numpy as np

from ..failure import StageFailure
from ..images.decoding import decode_mask
from ..scene import Photo

_KEYPOINTS_PER_CELL = 16


def mask_of(photo: Photo, shape: tuple[int, ...]) -> np.ndarray | None:
    """Where keypoints may lie, bool, of the photo's shape (H, W); None for everywhere.

    Raises:
        StageFailure: ``unreadable-photo``, ``mask-size``.
    """
    mask = decode_mask(photo)
    if mask is not None and mask.shape != shape[:2]:
        raise StageFailure(
            "mask-size",
            "The mask and its photo differ in size.",
            hint="Make the mask again at the size of the photo.",
            photo=f"{shape[1]}x{shape[0]}",
            mask=f"{mask.shape[1]}x{mask.shape[0]}",
        )
    return mask


def shrink(image: np.ndarray, max_size: int, multiple: int = 1) -> np.ndarray:
    """The image with its longer side at most ``max_size`` (0 for no limit) and both sides multiples of a number."""
    height, width = image.shape[:2]
    ratio = min(1.0, max_size / max(height, width)) if max_size > 0 else 1.0
    sides = [max(multiple, multiple * round(side * ratio / multiple)) for side in (height, width)]
    if sides == [height, width]:
        return image
    return cv2.resize(image, (sides[1], sides[0]), interpolation=cv2.INTER_AREA)


def values_at(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """The values of the pixels that contain the positions, shape (N, ...)."""
    column, row = np.clip(xy.astype(np.int64), 0, np.array(image.shape[1::-1]) - 1).T
    return image[row, column]


def spread(xy: np.ndarray, score: np.ndarray, shape: tuple[int, ...], budget: int) -> np.ndarray:
    """Indices of up to ``budget`` keypoints, strongest first, taken by rank within the cells of a grid."""
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
