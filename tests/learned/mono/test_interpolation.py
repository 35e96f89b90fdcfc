"""Depth between points is that of the plane on which they lie."""

from __future__ import annotations

import numpy as np
import torch
from diptych.learned.mono.augmentation import random_crop
from diptych.learned.mono.interpolation import interpolate_log_depth
from diptych.learned.mono.views import sample_at
from hypothesis import given, settings
from hypothesis import strategies as st

from .world import world

WIDTH, HEIGHT = 64, 48


def plane(x: np.ndarray, y: np.ndarray, across: float = 0.0, down: float = 0.0) -> np.ndarray:
    """Depth on a plane, crop at pixel positions."""
    return 1 / (0.5 + across * x / WIDTH + down * y / HEIGHT)


def drawn(seed: int, count: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).uniform([4, 4], [WIDTH - 4, HEIGHT - 4], (count, 2))


def truth(across: float = 0.0, down: float = 0.0) -> np.ndarray:
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return np.log(plane(u, v, across, down))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_a_plane_is_filled_exactly_and_nothing_beyond_the_points(seed: int, across: float, down: float) -> None:
    xy = drawn(seed)
    found = interpolate_log_depth(xy, plane(xy[:, 0], xy[:, 1], across, down), WIDTH, HEIGHT)
    known = np.isfinite(found)
    assert np.abs(found - truth(across, down))[known].max() < 1e-5
    assert known[HEIGHT // 2, WIDTH // 2]
    assert not known[:3].any() and not known[:, -3:].any()
    assert known.mean() > 0.6


def test_points_twice_as_far_as_those_around_them_are_left_out() -> None:
    xy = drawn(0)
    depth = plane(xy[:, 0], xy[:, 1], 0.1, -0.1)
    depth[::10] *= 3
    found = interpolate_log_depth(xy, depth, WIDTH, HEIGHT)
    assert np.nanmax(np.abs(found - truth(0.1, -0.1))) < 1e-5


def test_a_step_between_two_walls_is_as_wide_as_the_points_lie_apart() -> None:
    apart = 4
    xy = np.stack(np.meshgrid(np.arange(2.0, WIDTH, apart), np.arange(2.0, HEIGHT, apart)), axis=-1).reshape(-1, 2)
    found = interpolate_log_depth(xy, np.where(xy[:, 0] < WIDTH / 2, 1.0, 5.0), WIDTH, HEIGHT)
    middle = WIDTH // 2
    assert np.nanmax(np.abs(found[:, : middle - apart])) < 1e-5
    assert np.nanmax(np.abs(found[:, middle + apart :] - np.log(5.0))) < 1e-5


def test_between_points_on_one_line_is_nothing() -> None:
    along = np.linspace(5, 40, 30)
    assert np.isnan(interpolate_log_depth(np.column_stack([along, along]), np.ones(30), WIDTH, HEIGHT)).all()
    assert np.isnan(interpolate_log_depth(drawn(0, 2), np.ones(2), WIDTH, HEIGHT)).all()


def test_a_crop_has_it_where_its_points_are() -> None:
    view = world(1, points=400).sparse_view(0)
    for seed in range(4):
        crop = random_crop(view, (96, 64), np.random.default_rng(seed))
        there = sample_at(crop.dense_log_depth, crop.xy)
        known = there.isfinite()
        assert known.float().mean() > 0.5
        assert (there - crop.log_depth)[known].abs().median() < 0.01
        assert torch.isnan(crop.dense_log_depth[~crop.valid]).all()
