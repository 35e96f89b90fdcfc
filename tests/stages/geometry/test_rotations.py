"""Rotations in all their forms: round trips, the smallest and the largest angles, stacks of any shape."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.geometry import rotations
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

unit = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)
angle = st.one_of(st.floats(0, np.pi), st.sampled_from([0.0, 1e-300, 1e-12, 1e-8, 1e-4, np.pi - 1e-9]))


@given(axis=unit, angle=angle)
def test_vector_round_trip(axis: tuple[float, ...], angle: float) -> None:
    vector = np.array(axis) / np.linalg.norm(axis) * angle
    matrix = rotations.matrix_from_vector(vector)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(matrix, Rotation.from_rotvec(vector).as_matrix(), atol=1e-14)
    back = rotations.vector_from_matrix(matrix)
    np.testing.assert_allclose(rotations.matrix_from_vector(back), matrix, atol=1e-14)
    if angle < 3:
        np.testing.assert_allclose(back, vector, atol=1e-14, rtol=1e-13)


@given(axis=unit, angle=angle)
def test_quaternion_round_trip(axis: tuple[float, ...], angle: float) -> None:
    matrix = rotations.matrix_from_vector(np.array(axis) / np.linalg.norm(axis) * angle)
    quaternion = rotations.quaternion_from_matrix(matrix)
    assert quaternion[0] >= 0
    assert np.linalg.norm(quaternion) == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(rotations.matrix_from_quaternion(quaternion), matrix, atol=1e-14)
    np.testing.assert_allclose(rotations.matrix_from_quaternion(-7 * quaternion), matrix, atol=1e-14)
    expected = Rotation.from_matrix(matrix).as_quat(canonical=False, scalar_first=True)
    assert abs(expected @ quaternion) == pytest.approx(1, abs=1e-14)


@given(axis=unit, angle=angle)
def test_angle_between(axis: tuple[float, ...], angle: float) -> None:
    base = rotations.matrix_from_vector(np.array([0.3, -1.0, 2.0]))
    turned = rotations.matrix_from_vector(np.array(axis) / np.linalg.norm(axis) * angle) @ base
    assert rotations.angle_between(turned, base) == pytest.approx(angle, abs=1e-14)
    assert rotations.angle_between(base, turned) == pytest.approx(angle, abs=1e-14)


def test_stacks_of_any_shape() -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 5, 3))
    matrices = rotations.matrix_from_vector(vectors)
    quaternions = rotations.quaternion_from_matrix(matrices)
    assert matrices.shape == (4, 5, 3, 3)
    assert quaternions.shape == (4, 5, 4)
    np.testing.assert_allclose(rotations.matrix_from_quaternion(quaternions), matrices, atol=1e-14)
    np.testing.assert_allclose(rotations.matrix_from_vector(vectors[2, 3]), matrices[2, 3], atol=1e-15)
    assert rotations.angle_between(matrices, matrices[:1]).shape == (4, 5)
    assert rotations.matrix_from_vector(np.empty((0, 3))).shape == (0, 3, 3)


def test_nearest_rotation_undoes_noise_and_reflection() -> None:
    rng = np.random.default_rng(1)
    matrices = rotations.matrix_from_vector(rng.normal(size=(20, 3)))
    symmetric = rng.normal(size=(20, 3, 3)) * 0.1
    stretched = matrices @ (np.eye(3) + symmetric + np.swapaxes(symmetric, -1, -2))
    np.testing.assert_allclose(rotations.nearest_rotation(stretched), matrices, atol=1e-13)
    reflected = rotations.nearest_rotation(rng.normal(size=(50, 3, 3)))
    np.testing.assert_allclose(np.linalg.det(reflected), 1, atol=1e-13)


def test_cross_matrix() -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 7, 3))
    np.testing.assert_allclose((rotations.cross_matrix(a) @ b[..., None])[..., 0], np.cross(a, b), atol=1e-15)
