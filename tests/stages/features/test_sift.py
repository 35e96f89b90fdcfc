"""SIFT: where keypoints lie to a fraction of a pixel, which are kept, and what they look like."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.features.sift import Sift
from diptych.stages.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    relative_pose,
    symmetric_epipolar_distance,
)
from diptych.stages.images.decoding import decode_gray
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.scene import Features, Pair, Photo
from diptych.stages.stage import Context

from tests.synthetic import blob_photo, png


def offsets(features: Features, centers: np.ndarray, reach: float) -> np.ndarray:
    """From each blob's center to the strongest keypoint near it, where there is one, shape (N, 2)."""
    away = np.linalg.norm(features.xy[None] - centers[:, None], axis=2) < reach
    found = away.any(axis=1)
    return features.xy[away.argmax(axis=1)[found]] - centers[found]


def scattered(rng: np.random.Generator, step: float, size: tuple[int, int]) -> np.ndarray:
    x, y = np.meshgrid(np.arange(step, size[0] - step, step), np.arange(step, size[1] - step, step))
    centers = np.column_stack([x.ravel(), y.ravel()])
    return centers + rng.uniform(-0.5, 0.5, centers.shape)


@pytest.mark.parametrize(("sigma", "max_size"), [(1.5, 0), (2.5, 0), (4.0, 0), (5.0, 400), (6.0, 333)])
def test_keypoints_lie_at_the_centers_of_blobs(sigma: float, max_size: int) -> None:
    size = (800, 600)
    centers = scattered(np.random.default_rng(0), 14 * sigma, size)
    features = Sift(max_size=max_size, contrast_threshold=0.06).run(blob_photo(centers, sigma, size), Context())
    error = offsets(features, centers, 1.0)
    assert len(error) > 0.95 * len(centers)
    assert np.abs(error.mean(axis=0)).max() < 0.02 * max(1, 800 / (max_size or 800))
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.08


def test_a_flipped_photo_has_flipped_keypoints() -> None:
    rng = np.random.default_rng(1)
    image = cv2.resize(rng.integers(0, 256, (40, 60), np.uint8), (600, 400), interpolation=cv2.INTER_CUBIC)
    plain, flipped = (Sift().run(png(each), Context()) for each in (image, np.ascontiguousarray(image[:, ::-1])))
    mirrored = flipped.xy * [-1, 1] + [600, 0]
    nearest = np.linalg.norm(plain.xy[:, None] - mirrored[None], axis=2).argmin(axis=1)
    offset = plain.xy - mirrored[nearest]
    close = np.linalg.norm(offset, axis=1) < 0.5
    assert close.mean() > 0.9
    assert np.abs(offset[close].mean(axis=0)).max() < 0.01


def test_a_doubled_photo_has_doubled_keypoints() -> None:
    rng = np.random.default_rng(2)
    image = cv2.GaussianBlur(rng.integers(0, 256, (300, 400), np.uint8), (0, 0), 3)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    double = cv2.resize(image, (800, 600), interpolation=cv2.INTER_CUBIC)
    one, two = Sift().run(png(image), Context()), Sift().run(png(double), Context())
    matched = NearestNeighbor().run(Pair(one, two), Context()).indices
    offset = 2 * one.xy[matched[:, 0]] - two.xy[matched[:, 1]]
    assert len(matched) > 100
    assert np.abs(np.median(offset, axis=0)).max() < 0.05
    ratio = two.scale[matched[:, 1]] / one.scale[matched[:, 0]]
    assert np.median(ratio) == pytest.approx(2, rel=0.03)


def test_the_angle_turns_from_x_toward_y() -> None:
    rng = np.random.default_rng(6)
    image = cv2.resize(rng.integers(0, 256, (30, 40), np.uint8), (400, 300), interpolation=cv2.INTER_CUBIC)
    turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)  # +x becomes +y
    one, two = Sift().run(png(image), Context()), Sift().run(png(turned), Context())
    matched = NearestNeighbor().run(Pair(one, two), Context()).indices
    turn = two.angle[matched[:, 1]] - one.angle[matched[:, 0]]
    assert len(matched) > 50
    assert np.mean(np.cos(turn - np.pi / 2) > 0.99) > 0.9


def test_the_budget_is_spread_over_the_photo() -> None:
    # Left strong texture, right the same at a quarter of the contrast: strength alone would leave the right empty.
    rng = np.random.default_rng(3)
    texture = cv2.resize(rng.normal(size=(60, 120)), (1200, 600), interpolation=cv2.INTER_CUBIC)
    texture[:, 600:] *= 0.25
    features = Sift(max_keypoints=400).run(png(np.clip(128 + 40 * texture, 0, 255).astype(np.uint8)), Context())
    assert len(features) == 400
    assert 0.3 < np.mean(features.xy[:, 0] > 600) < 0.7


def test_one_keypoint_a_place_and_size() -> None:
    rng = np.random.default_rng(4)
    image = cv2.resize(rng.integers(0, 256, (40, 60), np.uint8), (600, 400), interpolation=cv2.INTER_CUBIC)
    features = Sift().run(png(image), Context())
    assert len(np.unique(np.column_stack([features.xy, features.scale]), axis=0)) == len(features)


def test_the_color_is_that_of_the_pixel() -> None:
    centers = scattered(np.random.default_rng(5), 40, (400, 300))
    gray = decode_gray(blob_photo(centers, 3, (400, 300)))
    image = np.dstack([gray // 4, gray // 2, gray])  # BGR
    features = Sift().run(png(image), Context())
    column, row = features.xy.astype(int).T
    assert (features.color == image[row, column, ::-1]).all()


def test_a_mask_of_another_size_is_said() -> None:
    photo = png(np.zeros((100, 200), np.uint8), mask=np.full((50, 100), 255, np.uint8))
    with pytest.raises(StageFailure) as failure:
        Sift().run(photo, Context())
    assert failure.value.code == "mask-size"
    assert failure.value.facts == {"photo": "200x100", "mask": "100x50"}


def test_real_photos_match_along_the_true_epipolar_lines(shared_data: Path) -> None:
    folder = shared_data / "strecha_fountain-P11"
    poses, features = [], []
    for name in ("0004.jpg", "0005.jpg"):
        values = np.array((folder / f"gt/{name}.camera").read_text().split(), float)
        rotation, center = values[12:21].reshape(3, 3).T, values[21:24]
        poses.append((rotation, -rotation @ center))
        matrix = values[:9].reshape(3, 3)
        features.append(Sift().run(Photo(np.fromfile(folder / f"images/{name}", np.uint8)), Context()))
    matched = NearestNeighbor().run(Pair(*features), Context()).indices
    essential = essential_from_pose(*relative_pose(*poses))
    fundamental = fundamental_from_essential(essential, matrix, matrix)
    error = symmetric_epipolar_distance(fundamental, features[0].xy[matched[:, 0]], features[1].xy[matched[:, 1]])
    assert len(matched) > 2000
    assert (error < 1).mean() > 0.9
    assert (error < 0.5).mean() > 0.75
