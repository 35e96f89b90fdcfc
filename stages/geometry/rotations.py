"""Rotations: matrix, rotation vector (axis times angle) and unit quaternion, over stacks of any leading shape.

A quaternion is written (w, x, y, z), as COLMAP does, and is returned with w >= 0. Angles are radians.
"""

from __future__ import annotations

import numpy as np


def cross_matrix(vectors: np.ndarray) -> np.ndarray:
    """The skew-symmetric matrix [v] with ``[v] u = v x u``, shape (..., 3) to (..., 3, 3)."""
    vectors = np.asarray(vectors, np.float64)
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)


def matrix_from_vector(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices of rotation vectors (Rodrigues), exact to rounding at any angle, (..., 3) to (..., 3, 3)."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = cross_matrix(vectors)
    # np.sinc(x) is sin(pi x) / (pi x): both factors stay exact where the angle vanishes.
    sine = np.sinc(angle / np.pi)
    half = np.sinc(angle / (2 * np.pi))
    return np.eye(3) + sine * cross + 0.5 * half**2 * (cross @ cross)


def vector_from_matrix(matrices: np.ndarray) -> np.ndarray:
    """Rotation vectors of rotation matrices, of length at most pi, (..., 3, 3) to (..., 3)."""
    quaternions = quaternion_from_matrix(matrices)
    w, xyz = quaternions[..., :1], quaternions[..., 1:]
    sine = np.linalg.norm(xyz, axis=-1, keepdims=True)
    # 2 atan2(s, w) / s tends to 2 / w, and w is 1 where s vanishes.
    factor = np.divide(2 * np.arctan2(sine, w), sine, out=np.full_like(sine, 2.0), where=sine > 0)
    return factor * xyz


def matrix_from_quaternion(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices of quaternions (w, x, y, z), which need not be of length 1, (..., 4) to (..., 3, 3)."""
    quaternions = np.asarray(quaternions, np.float64)
    unit = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    w, cross = unit[..., :1, None], cross_matrix(unit[..., 1:])
    return np.eye(3) + 2 * (w * cross + cross @ cross)


def quaternion_from_matrix(matrices: np.ndarray) -> np.ndarray:
    """Unit quaternions (w, x, y, z) with w >= 0 of rotation matrices (Shepperd 1978), (..., 3, 3) to (..., 4)."""
    r = np.asarray(matrices, np.float64)
    xx, yy, zz = r[..., 0, 0], r[..., 1, 1], r[..., 2, 2]
    wx, wy, wz = r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]
    xy, xz, yz = r[..., 0, 1] + r[..., 1, 0], r[..., 0, 2] + r[..., 2, 0], r[..., 1, 2] + r[..., 2, 1]
    # The rows of 4 q q'; the one with the largest diagonal entry is the best conditioned multiple of q.
    outer = np.stack(
        [
            np.stack([1 + xx + yy + zz, wx, wy, wz], -1),
            np.stack([wx, 1 + xx - yy - zz, xy, xz], -1),
            np.stack([wy, xy, 1 - xx + yy - zz, yz], -1),
            np.stack([wz, xz, yz, 1 - xx - yy + zz], -1),
        ],
        axis=-2,
    )
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)[..., None, None]
    quaternions = np.take_along_axis(outer, best, axis=-2)[..., 0, :]
    quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return np.where(quaternions[..., :1] < 0, -quaternions, quaternions)


def nearest_rotation(matrices: np.ndarray) -> np.ndarray:
    """The rotation closest to each matrix in the Frobenius norm (Arun et al. 1987), (..., 3, 3) to (..., 3, 3)."""
    u, _, vt = np.linalg.svd(np.asarray(matrices, np.float64))
    sign = np.ones(u.shape[:-1])
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[..., None, :]) @ vt


def angle_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The angle of the rotation that takes one matrix to the other, in [0, pi], (..., 3, 3) twice to (...)."""
    relative = np.asarray(first, np.float64) @ np.swapaxes(np.asarray(second, np.float64), -1, -2)
    quaternions = quaternion_from_matrix(relative)
    return 2 * np.arctan2(np.linalg.norm(quaternions[..., 1:], axis=-1), quaternions[..., 0])
