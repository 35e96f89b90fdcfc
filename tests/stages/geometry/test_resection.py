"""Resection on synthetic points with known noise and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.geometry.resection import Resection, resect
from diptych.stages.geometry.rotations import angle_between, matrix_from_vector

ROTATION, TRANSLATION = matrix_from_vector(np.array([0.2, -0.4, 0.1])), np.array([0.3, -0.2, 6.0])
FOCAL, NOISE = 1000.0, 0.5


def observe(
    points: int = 200, outliers: float = 0.0, focal: float = FOCAL
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays as a camera believed to have ``FOCAL`` sees them, points, and which rays are false."""
    rng = np.random.default_rng(0)
    world = rng.uniform(-1.5, 1.5, (points, 3))
    local = world @ ROTATION.T + TRANSLATION
    rays = (local[:, :2] / local[:, 2:] * focal + rng.normal(0, NOISE, (points, 2))) / FOCAL
    false = rng.random(points) < outliers
    rays[false] = rng.uniform(-0.4, 0.4, (false.sum(), 2))
    return rays, world, false


def errors(found: Resection) -> tuple[float, float]:
    center, truth = -found.rotation.T @ found.translation, -ROTATION.T @ TRANSLATION
    return float(angle_between(found.rotation, ROTATION)), float(np.linalg.norm(center - truth))


@pytest.mark.parametrize("outliers", [0.0, 0.5])
def test_pose_is_as_good_as_the_noise(outliers: float) -> None:
    rays, points, false = observe(outliers=outliers)
    found = resect(rays, points, 4 / FOCAL)
    angle, distance = errors(found)
    assert 1e-6 < angle < 1e-3 and 1e-5 < distance < 6e-3
    assert found.inliers[~false].mean() > 0.99 and found.inliers[false].sum() < 0.05 * len(rays)


def test_same_seed_same_pose() -> None:
    rays, points, _ = observe(outliers=0.5)
    once, again = (resect(rays, points, 4 / FOCAL, seed=7) for _ in range(2))
    assert once.rotation.tobytes() == again.rotation.tobytes()
    assert once.translation.tobytes() == again.translation.tobytes()


def test_a_guessed_focal_length_is_searched() -> None:
    rays, points, _ = observe(focal=1500.0)
    assert resect(rays, points, 4 / FOCAL).inliers.mean() < 0.9
    found = resect(rays, points, 4 / FOCAL, search_focal=True)
    assert found.focal_factor == pytest.approx(1.5, rel=0.08)
    assert found.inliers.mean() > 0.5
