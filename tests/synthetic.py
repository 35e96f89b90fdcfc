"""Small synthetic worlds whose truth is known: pairs of views, sets of descriptors, photos of blobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Camera, Features, Matches, Pair, Photo

CAMERA = Camera("SIMPLE_PINHOLE", 1000, 800, (900.0, 500.0, 400.0), "calibrated")

World = Literal["general", "plane", "rotation", "tiny_baseline", "identical", "unrelated"]


@dataclass(frozen=True, eq=False)
class ViewPair:
    """What a two-view stage takes, and the truth: ``second_from_first``, and which matches are true (M,)."""

    camera: Pair[Camera]
    features: Pair[Features]
    matches: Matches
    rotation: np.ndarray
    translation: np.ndarray
    true: np.ndarray


def view_pair(
    world: World = "general",
    *,
    seed: int = 0,
    points: int = 300,
    noise: float = 0.5,
    outliers: float = 0.2,
    camera: Camera = CAMERA,
    told: Camera | None = None,
) -> ViewPair:
    """Two views of points 4 to 8 away, a quarter turn of 12 degrees apart.

    Args:
        world: ``plane`` is a slanted one; ``rotation`` turns about the camera's centre; ``tiny_baseline`` moves by a
            thousandth of the distance; ``identical`` does not move, and has no noise; ``unrelated`` has no true match.
        noise: standard deviation of the keypoints in pixels.
        outliers: share of false matches.
        camera: the pinhole camera that took both photos.
        told: the camera the stage is given, if it is another.
    """
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=3)
    rotation = matrix_from_vector(np.radians(12) * direction / np.linalg.norm(direction))
    translation = np.array([1.2, 0.3, 0.2])
    if world in ("rotation", "identical"):
        translation = np.zeros(3)
    if world == "tiny_baseline":
        translation = 0.05 * translation
    if world == "identical":
        rotation, noise = np.eye(3), 0.0

    first = rng.uniform(0, 1, (points, 2)) * [camera.width, camera.height]
    rays = np.column_stack([first, np.ones(points)]) @ np.linalg.inv(camera.matrix).T
    depth = 6 / (1 + rays[:, :2] @ [0.5, -0.3]) if world == "plane" else rng.uniform(4, 8, points)
    seen = (depth[:, None] * rays @ rotation.T + translation) @ camera.matrix.T
    second = seen[:, :2] / seen[:, 2:]

    true = rng.uniform(size=points) >= (1.0 if world == "unrelated" else outliers)
    second[~true] = rng.uniform(0, 1, (np.count_nonzero(~true), 2)) * [camera.width, camera.height]
    shuffled = rng.permutation(points)
    features = Pair(
        keypoints(first + rng.normal(0, noise, first.shape)),
        keypoints((second + rng.normal(0, noise, second.shape))[shuffled]),
    )
    matches = Matches(np.column_stack([np.arange(points), np.argsort(shuffled)]), np.linspace(1, 0.5, points))
    given = told or camera
    return ViewPair(Pair(given, given), features, matches, rotation, translation, true)


def keypoints(xy: np.ndarray, descriptors: np.ndarray | None = None, kind: str = "synthetic") -> Features:
    """Features of given positions that are all alike otherwise."""
    n = len(xy)
    flat = np.ones(n)
    codes = np.zeros((n, 8), np.uint8) if descriptors is None else descriptors
    return Features(xy=xy, scale=flat, angle=flat, score=flat, color=np.zeros((n, 3)), descriptors=codes, kind=kind)


def described_pair(seed: int = 0, *, first: int = 700, second: int = 600, shared: int = 400) -> Pair[Features]:
    """Keypoints with bytes like RootSIFT's; keypoint i of the first is keypoint i of the second for i < shared.

    Both photos show the same, 1000x1000 pixels; the others lie anywhere.
    """
    rng = np.random.default_rng(seed)

    def quantised(vectors: np.ndarray) -> np.ndarray:
        vectors = np.abs(vectors)
        return np.minimum(512 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 255).astype(np.uint8)

    one, other = rng.normal(size=(first, 128)), rng.normal(size=(second, 128))
    other[:shared] = one[:shared] + rng.normal(0, 0.2, (shared, 128))
    positions = [rng.uniform(0, 1000, (n, 2)) for n in (first, second)]
    positions[1][:shared] = positions[0][:shared]
    return Pair(*(keypoints(xy, quantised(each)) for xy, each in zip(positions, (one, other), strict=True)))


def blob_photo(centers: np.ndarray, sigma: float, size: tuple[int, int], mask: np.ndarray | None = None) -> Photo:
    """A PNG of bright Gaussian blobs on grey; positions in pixels, the first pixel's centre at (0.5, 0.5).

    Args:
        size: width and height.
        mask: uint8, shape (H, W).
    """
    columns, rows = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    x = np.exp(-((columns[None] - centers[:, :1]) ** 2) / (2 * sigma**2))
    y = np.exp(-((rows[None] - centers[:, 1:]) ** 2) / (2 * sigma**2))
    return png(np.clip(60 + 150 * y.T @ x, 0, 255).round().astype(np.uint8), mask)


def png(image: np.ndarray, mask: np.ndarray | None = None) -> Photo:
    """A photo from pixels, grey or BGR, uint8."""
    encoded = cv2.imencode(".png", image)[1]
    covering = np.empty(0, np.uint8) if mask is None else cv2.imencode(".png", mask)[1]
    return Photo(encoded.ravel(), covering.ravel())
