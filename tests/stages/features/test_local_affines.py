"""How the surroundings of keypoints change between photos."""

from __future__ import annotations

import numpy as np
from diptych.stages.features.local_affines import local_affines
from diptych.stages.geometry.rotations import matrix_from_vector


def test_an_affine_change_is_found_among_false_matches() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 1000, (400, 2))
    true = 1.3 * matrix_from_vector(np.array([0, 0, 0.4]))[:2, :2] @ np.array([[1.1, 0.05], [0.0, 0.9]])
    second = first @ true.T + [50, -20] + rng.normal(0, 0.5, first.shape)
    wrong = rng.uniform(size=400) < 0.2
    second[wrong] = rng.uniform(0, 1300, (wrong.sum(), 2))
    error = np.linalg.norm(local_affines(first, second) - true, axis=(1, 2))[~wrong]
    assert 0.001 < np.median(error) < 0.06
    assert np.mean(error < 0.2) > 0.9


def test_the_change_is_local() -> None:
    rng = np.random.default_rng(1)
    first = rng.uniform(0, 1000, (600, 2))
    second = np.column_stack([first[:, 0] + 2e-4 * (first[:, 0] - 500) ** 2, first[:, 1]])
    found = local_affines(first, second)
    true = 1 + 4e-4 * (first[:, 0] - 500)
    assert np.median(np.abs(found[:, 0, 0] - true)) < 0.02
    assert np.median(np.abs(found[:, 1, 1] - 1)) < 0.02


def test_few_points_fall_back_to_what_most_say() -> None:
    np.testing.assert_array_equal(local_affines(np.zeros((1, 2)), np.ones((1, 2))), [np.eye(2)])
    first = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    quarter = np.array([[0.0, -2.0], [2.0, 0.0]])
    np.testing.assert_allclose(local_affines(first, first @ quarter.T), np.tile(quarter, (3, 1, 1)), atol=1e-9)
    assert np.isfinite(local_affines(np.zeros((20, 2)), np.zeros((20, 2)))).all()
