"""The split, the baselines and the errors."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from diptych.learned.mono.evaluation import (
    constant_baseline,
    plane_baseline,
    point_errors,
    split_photos,
    weighted_median,
)
from diptych.learned.mono.views import ScaledImage, SparseView


def looking_at(depth: np.ndarray, seed: int = 0) -> SparseView:
    """A view of 100x50 pixels with points of these depths at random pixels."""
    xy = np.random.default_rng(seed).uniform(0, 1, (len(depth), 2)) * [100, 50]
    return SparseView(ScaledImage(np.zeros((50, 100, 3), np.uint8), np.eye(3)), xy, depth, np.eye(3), np.zeros(3))


def on_plane(seed: int, outliers: int = 0) -> SparseView:
    made = looking_at(np.ones(200), seed)
    depth = 1 / (0.2 + 0.001 * made.xy[:, 0] - 0.002 * made.xy[:, 1])
    depth[:outliers] *= 3
    return replace(made, depth=depth)


def test_a_plane_is_found_among_outliers() -> None:
    other = on_plane(3)
    assert plane_baseline([on_plane(1, 30), on_plane(2, 30)])(other) == pytest.approx(other.depth, rel=0.01)


def test_a_constant_counts_views_not_points() -> None:
    views = [looking_at(np.full(1000, 5.0)), looking_at(np.full(10, 1.0)), looking_at(np.full(10, 1.0))]
    assert set(constant_baseline(views)(views[0])) == {1.0}


def test_a_weighted_median() -> None:
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.ones(3)) == 2.0
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([5.0, 1.0, 1.0])) == 3.0


def test_errors_are_means_over_views() -> None:
    views = [looking_at(np.full(100, 1.0)), looking_at(np.full(10, 2.0))]
    (found,) = point_errors({"constant": lambda each: np.full(len(each.depth), 1.1)}, {"test": views})
    assert found.points == 110
    assert found.median == pytest.approx((0.1 + 0.45) / 2)
    assert found.mean == pytest.approx((0.1 + 0.45) / 2)
    assert found.within == (0.0, 0.0, 0.5)
    assert found.own_scale == pytest.approx(0.0)


def test_an_error_at_its_own_scale_is_that_of_the_shape() -> None:
    view = looking_at(np.linspace(1, 3, 101))
    (found,) = point_errors(
        {"constant": lambda each: 7 * each.depth * (1 + 0.1 * (each.depth > 2.2))}, {"test": [view]}
    )
    assert found.median > 5
    assert found.own_scale == pytest.approx(0.0)
    (flat,) = point_errors({"constant": lambda each: np.full(len(each.depth), 7.0)}, {"test": [view]})
    assert flat.own_scale == pytest.approx(np.median(np.abs(2 / view.depth - 1)))


@pytest.mark.parametrize(("count", "split"), [(4, 0), *itertools.product((5, 6, 11, 31), range(5))])
def test_every_photo_has_one_part_and_every_part_photos(count: int, split: int) -> None:
    parts = split_photos(range(10, 10 + count), split)
    assert sorted(photo for members in parts.values() for photo in members) == list(range(10, 10 + count))
    assert all(parts.values())
    assert len(parts["train"]) >= count / 2


def test_in_five_splits_every_photo_is_tested_once() -> None:
    tested = [photo for split in range(5) for photo in split_photos(range(13), split)["test"]]
    assert sorted(tested) == list(range(13))
