"""Paired differences: known noise is found again, and nothing is claimed of what the noise hides."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.pipeline.study.statistics import difference
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("scenes", "seeds"), [(1, 3), (1, 10), (4, 3), (3, 5)])
def test_the_interval_covers_the_truth_as_often_as_it_says(scenes: int, seeds: int) -> None:
    rng = np.random.default_rng(1)
    sizes = rng.uniform(0.5, 2, scenes)[:, None]
    found = [difference(list(0.3 + sizes * rng.normal(size=(scenes, seeds)))) for _ in range(400)]
    covered = np.mean([each.low <= 0.3 <= each.high for each in found])
    assert 0.92 < covered <= 0.995


def test_a_large_difference_is_beyond_noise_and_a_small_one_is_not() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(2, 5))
    assert difference(list(10 + noise)).beyond_noise
    assert difference(list(-10 + noise)).beyond_noise
    assert not difference(list(noise - noise.mean() + 0.1)).beyond_noise


def test_scenes_count_the_same_whatever_their_number_of_seeds() -> None:
    found = difference([np.array([1.0, 1.1, 0.9, 1.0]), np.array([3.0, 3.2])])
    assert found.mean == pytest.approx((1.0 + 3.1) / 2)
    assert found.count == 6
    assert found.spread == pytest.approx(np.sqrt((np.var([1, 1.1, 0.9, 1], ddof=1) + np.var([3, 3.2], ddof=1)) / 2))


def test_one_seed_says_nothing_of_the_noise() -> None:
    for pairs in ([np.array([5.0])], [np.array([5.0, 5.1]), np.array([4.0])]):
        found = difference(pairs)
        assert np.isfinite(found.mean)
        assert not found.noise_known
        assert not found.beyond_noise


def test_what_is_the_same_with_every_seed_has_no_width() -> None:
    found = difference([np.full(3, 0.25)], scale=1.0)
    assert (found.low, found.high, found.spread) == (0.25, 0.25, 0.0)
    assert found.beyond_noise
    rounding = difference([np.array([1e-13, -2e-13, 1e-13])], scale=1.0)
    assert rounding.mean == 0.0
    assert not rounding.beyond_noise


def test_no_pairs_no_number() -> None:
    found = difference([np.empty(0), np.empty(0)])
    assert found.count == 0
    assert np.isnan(found.mean)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6), min_size=1, max_size=4))
def test_the_other_way_round_is_the_negative(scenes: list[list[float]]) -> None:
    pairs = [np.array(each) for each in scenes]
    there, back = difference(pairs), difference([-each for each in pairs])
    assert there.mean == pytest.approx(-back.mean)
    assert there.beyond_noise == back.beyond_noise
    assert there.low <= there.mean <= there.high or there.low == pytest.approx(there.mean)
