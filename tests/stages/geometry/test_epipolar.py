"""Two-view geometry as pure functions: round trips, and distances against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.geometry import epipolar
from diptych.stages.geometry.rotations import angle_between, matrix_from_vector
from hypothesis import given, settings
from hypothesis import strategies as st

seeds = st.integers(0, 2**32 - 1)
FIRST = np.array([[900.0, 0, 500], [0, 910, 400], [0, 0, 1]])
SECOND = np.array([[1200.0, 0, 640], [0, 1190, 360], [0, 0, 1]])


def world(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pose, points in the first camera's frame, and the rays of z = 1 to them from both."""
    rng = np.random.default_rng(seed)
    rotation = matrix_from_vector(rng.normal(0, 0.2, 3))
    translation = rng.normal(size=3)
    translation /= np.linalg.norm(translation)
    points = np.column_stack([rng.uniform(-2, 2, (n, 2)), rng.uniform(5, 9, n)])
    other = points @ rotation.T + translation
    return rotation, translation, points, points / points[:, 2:], other / other[:, 2:]


def pixels(matrix: np.ndarray, rays: np.ndarray) -> np.ndarray:
    return (rays @ matrix.T)[:, :2]


@given(seeds)
def test_the_pose_in_front_is_the_pose(seed: int) -> None:
    rotation, translation, _, first, second = world(seed)
    essential = epipolar.essential_from_pose(rotation, translation)
    found = epipolar.pose_in_front(-3.0 * essential, first, second)
    assert angle_between(found[0], rotation) < 1e-6
    np.testing.assert_allclose(found[1], translation, atol=1e-6)
    assert found[2].all()


@given(seeds)
def test_the_four_poses_all_have_the_essential_matrix(seed: int) -> None:
    rotation, translation, *_ = world(seed)
    essential = epipolar.essential_from_pose(rotation, translation)
    poses = epipolar.poses_from_essential(essential)
    assert len(poses) == 4
    for turned, moved in poses:
        assert np.linalg.det(turned) == pytest.approx(1)
        again = epipolar.essential_from_pose(turned, moved)
        assert min(np.abs(again - essential).max(), np.abs(again + essential).max()) < 1e-9


@given(seeds)
def test_fundamental_and_essential_are_inverse(seed: int) -> None:
    rotation, translation, *_ = world(seed)
    essential = epipolar.essential_from_pose(rotation, translation)
    fundamental = epipolar.fundamental_from_essential(essential, FIRST, SECOND)
    again = epipolar.essential_from_fundamental(fundamental, FIRST, SECOND)
    assert np.linalg.norm(fundamental) == pytest.approx(1)
    assert min(np.abs(again - essential).max(), np.abs(again + essential).max()) < 1e-6


@given(seeds)
def test_true_matches_lie_on_their_epipolar_lines(seed: int) -> None:
    rotation, translation, _, first, second = world(seed)
    essential = epipolar.essential_from_pose(rotation, translation)
    fundamental = epipolar.fundamental_from_essential(essential, FIRST, SECOND)
    positions = pixels(FIRST, first), pixels(SECOND, second)
    assert epipolar.sampson_distance(fundamental, *positions).max() < 1e-6
    assert epipolar.symmetric_epipolar_distance(fundamental, *positions).max() < 1e-6


@settings(max_examples=30)
@given(seeds, st.floats(0.1, 3.0))
def test_distances_of_a_pixel_moved_off_its_line(seed: int, shift: float) -> None:
    rotation, translation, _, first, second = world(seed)
    essential = epipolar.essential_from_pose(rotation, translation)
    fundamental = epipolar.fundamental_from_essential(essential, FIRST, SECOND)
    start, end = pixels(FIRST, first), pixels(SECOND, second)
    lines = epipolar.homogeneous(start) @ fundamental.T
    normal = lines[:, :2] / np.linalg.norm(lines[:, :2], axis=1, keepdims=True)
    moved = end + shift * normal
    back = epipolar.homogeneous(moved) @ fundamental
    in_first = np.abs((epipolar.homogeneous(start) * back).sum(axis=1)) / np.linalg.norm(back[:, :2], axis=1)
    np.testing.assert_allclose(
        epipolar.symmetric_epipolar_distance(fundamental, start, moved), (shift + in_first) / 2, rtol=1e-6
    )
    # Moving both pixels is less than moving either, and at least as much as a right triangle allows.
    sampson = epipolar.sampson_distance(fundamental, start, moved)
    np.testing.assert_allclose(sampson, 1 / np.hypot(1 / shift, 1 / in_first), rtol=1e-6)


@given(seeds)
def test_midpoints_are_the_points(seed: int) -> None:
    rotation, translation, points, first, second = world(seed)
    found = epipolar.triangulate_midpoints(rotation, translation, first, second)
    np.testing.assert_allclose(found, points, rtol=1e-6, atol=1e-6)
    depths = epipolar.ray_depths(rotation, translation, first, second)
    np.testing.assert_allclose(depths[:, 0], points[:, 2], rtol=1e-6)
    np.testing.assert_allclose(depths[:, 1], (points @ rotation.T + translation)[:, 2], rtol=1e-6)


@given(seeds)
def test_the_triangulation_angle_is_that_between_the_cameras(seed: int) -> None:
    rotation, translation, points, first, second = world(seed)
    center = -rotation.T @ translation
    to_first, to_second = -points, center - points
    cosine = (to_first * to_second).sum(axis=1) / np.linalg.norm(to_first, axis=1) / np.linalg.norm(to_second, axis=1)
    np.testing.assert_allclose(epipolar.triangulation_angle(rotation, first, second), np.arccos(cosine), atol=1e-6)


def test_parallel_rays_meet_at_infinity() -> None:
    rays = np.array([[0.1, 0.2, 1.0], [-0.3, 0.0, 1.0]])
    depths = epipolar.ray_depths(np.eye(3), np.array([1.0, 0, 0]), rays, rays)
    assert np.isposinf(depths).all()


def test_relative_pose_takes_one_camera_to_the_other() -> None:
    rng = np.random.default_rng(0)
    one, two = ((matrix_from_vector(rng.normal(size=3)), rng.normal(size=3)) for _ in range(2))
    rotation, translation = epipolar.relative_pose(one, two)
    point = rng.normal(size=3)
    np.testing.assert_allclose(rotation @ (one[0] @ point + one[1]) + translation, two[0] @ point + two[1])


@given(seeds)
def test_rotation_between_ignores_what_weighs_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation = matrix_from_vector(rng.normal(size=3))
    first = rng.normal(size=(12, 3))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = first @ rotation.T
    second[:3] = rng.normal(size=(3, 3))
    weights = np.r_[np.zeros(3), np.ones(9)]
    assert angle_between(epipolar.rotation_between(first, second, weights), rotation) < 1e-6


def test_homography_distance() -> None:
    homography = np.array([[1.0, 0, 3], [0, 1, -4], [0, 0, 1]])
    xy = np.array([[10.0, 20.0], [30.0, 5.0]])
    np.testing.assert_allclose(epipolar.homography_distance(homography, xy, xy), [5, 5])
    to_infinity = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, -10]])
    assert np.isposinf(epipolar.homography_distance(to_infinity, xy, xy)[0])
