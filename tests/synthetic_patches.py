"""Two photos of one textured plane, and keypoints in both whose exact correspondence is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from diptych.stages.features.keypoint_patches import KeypointPatches
from diptych.stages.scene import Camera, Features, Patches, Photo, Photos, Tracks

from tests.synthetic import keypoints, png

SIZE = 640, 480
CAMERA = Camera("SIMPLE_PINHOLE", *SIZE, (500.0, 320.0, 240.0))
PHOTOS = Photos(("a.png", "b.png"), (CAMERA,), np.zeros(2), np.full((2, 3), np.nan))


@dataclass(frozen=True, eq=False)
class Seen:
    """Two photos, their features, and tracks of two; keypoint i of both is track i.

    Attributes:
        features: the first's are where their points are seen, the second's are off.
        exact: where the second photo sees the points, shape (N, 2).
    """

    photos: tuple[Photo, Photo]
    features: tuple[Features, Features]
    patches: tuple[Patches, Patches]
    tracks: Tracks
    exact: np.ndarray


@cache
def seen_twice(noise: float, *, seed: int = 0, brightness: tuple[float, float] = (0.8, 20.0), false: int = 0) -> Seen:
    """A plane seen twice, a quarter larger and turned by 20 degrees in the second photo.

    Args:
        noise: standard deviation by which the second photo's keypoints are off, in pixels.
        brightness: gain and offset of the second photo.
        false: so many of the matches, the last ones, are with another point.
    """
    rng = np.random.default_rng(seed)
    octaves = (rng.normal(size=(32 << octave, 32 << octave)) * 2.0**-octave for octave in range(5))
    plane = np.sum([cv2.resize(each, (1024, 1024), interpolation=cv2.INTER_CUBIC) for each in octaves], axis=0)
    plane = np.clip(128 + 45 * plane / plane.std(), 0, 255)
    first = _photo(plane, np.array([[1.0, 0.0, 190.0], [0.0, 1.0, 270.0]]))
    turn = cv2.getRotationMatrix2D((510.0, 510.0), -20.0, 0.8)
    to_plane = turn @ np.array([[1.0, 0.0, 190.0], [0.0, 1.0, 270.0], [0.0, 0.0, 1.0]])
    second = brightness[0] * _photo(plane, to_plane) + brightness[1]

    corner = cv2.goodFeaturesToTrack(first.astype(np.uint8), 400, 0.01, 8)[:, 0].astype(np.float64)
    xy = corner + rng.uniform(-0.5, 0.5, corner.shape)
    on_plane = xy + np.array([190.0, 270.0])
    exact = (on_plane - to_plane[:, 2]) @ np.linalg.inv(to_plane[:, :2]).T
    inside = ((xy > 20) & (xy < np.array(SIZE) - 20) & (exact > 20) & (exact < np.array(SIZE) - 20)).all(axis=1)
    xy, exact = xy[inside], exact[inside]
    start = exact + rng.normal(0, noise, exact.shape)
    if false:
        start[-false:] = np.roll(start[-false:], 1, axis=0)
    features = tuple(keypoints(each + 0.5) for each in (xy, start))
    index = np.arange(len(xy))
    tracks = Tracks(np.repeat(index, 2), np.tile([0, 1], len(xy)), np.repeat(index, 2))
    photos = tuple(png(np.clip(each, 0, 255).round().astype(np.uint8)) for each in (first, second))
    patches = tuple(
        KeypointPatches().run(name, PHOTOS, photo, each, tracks)
        for name, photo, each in zip(PHOTOS.names, photos, features, strict=True)
    )
    return Seen((photos[0], photos[1]), (features[0], features[1]), (patches[0], patches[1]), tracks, exact + 0.5)


def _photo(plane: np.ndarray, to_plane: np.ndarray) -> np.ndarray:
    """What a camera sees whose pixels lie on the plane as told; positions count from the first pixel's centre."""
    return cv2.warpAffine(plane, to_plane, SIZE, flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)
