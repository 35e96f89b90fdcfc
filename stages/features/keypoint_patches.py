"""Patches around keypoints, by which a refiner compares photos."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from ..geometry.interpolation import cut_upright
from ..images.decoding import decode_gray
from ..scene import Features, Patches, Photo, Photos, Tracks
from ..stage import Stage


class KeypointPatches(Stage):
    """Cut a patch around every keypoint that is part of a track.

    Patches are not rotated: how they deform from photo to photo is estimated better from the matches around than from
    the features. One pixel of a patch is as wide as the keypoint's scale, or as a pixel of the photo if that is more:
    finer ones agree better in two photos of half a megapixel, coarser ones give better cameras of large photos. There
    is no aliasing: each comes by cubic interpolation from the level of an image pyramid that is at most twice as fine.

    Args:
        size: side of a patch in its own pixels, odd. A refiner's window and its largest shift must fit in.
    """

    slot = "patches"
    libraries = ("numpy", "numba", "opencv-contrib-python")

    size: int = 21

    def run(self, name: str, photos: Photos, photo: Photo, features: Features, tracks: Tracks) -> Patches:
        """The patches of one photo, in the order of its keypoints.

        Raises:
            StageFailure: ``unreadable-photo``.
        """
        keypoint = np.sort(tracks.keypoint[tracks.photo == photos.names.index(name)])
        xy = features.xy[keypoint]
        step = np.maximum(1.0, features.scale[keypoint].astype(np.float64))
        gray = np.empty((len(keypoint), self.size, self.size), np.uint8)
        image, level = decode_gray(photo), 0
        of_level = np.floor(np.log2(step)).astype(np.int64)
        while level <= of_level.max(initial=-1):
            if level:
                image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            rows = np.flatnonzero(of_level == level)
            _cut_all(image, rows, xy / 2.0**level - 0.5, step / 2.0**level, gray)
            level += 1
        return Patches(keypoint=keypoint, xy=xy, affine=step[:, None, None] * np.eye(2), gray=gray)


@njit(cache=True, nogil=True)
def _cut_all(image: np.ndarray, rows: np.ndarray, center: np.ndarray, step: np.ndarray, gray: np.ndarray) -> None:
    """Cut the patches of these rows from one level of the pyramid."""
    _, height, width = gray.shape
    patch = np.empty((height, width), np.float32)
    for row in rows:
        cut_upright(image, center[row], float(step[row]), patch)
        for i in range(height):
            for j in range(width):
                gray[row, i, j] = np.uint8(min(max(patch[i, j] + 0.5, 0.0), 255.0))
