"""The geometry of two views: fundamental and essential matrix, distances to epipolar lines, triangulation.

A pose is that of the second camera in the frame of the first (``x2 = R x1 + t``). Positions are pixels (N, 2) or rays
(N, 3), as said; the fundamental matrix maps a pixel of the first photo to its line in the second, ``x2' F x1 = 0``.
"""

from __future__ import annotations

import numpy as np

from .rotations import cross_matrix


def homogeneous(xy: np.ndarray) -> np.ndarray:
    """Positions with a 1 appended, shape (N, 2) to (N, 3)."""
    return np.column_stack([xy, np.ones(len(xy))])


def essential_from_pose(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """The essential matrix [t] R, shape (3, 3)."""
    return cross_matrix(translation) @ rotation


def fundamental_from_essential(essential: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The fundamental matrix of Frobenius norm 1, from the calibration matrices K of both cameras; of zeros, zeros."""
    fundamental = np.linalg.inv(second).T @ essential @ np.linalg.inv(first)
    return fundamental / (np.linalg.norm(fundamental) or 1.0)


def essential_from_fundamental(fundamental: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The closest essential matrix, with singular values (1, 1, 0), from the calibration matrices K of both cameras."""
    u, _, vt = np.linalg.svd(second.T @ fundamental @ first)
    return u @ np.diag([1.0, 1.0, 0.0]) @ vt


def relative_pose(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """``second_from_first`` of two poses ``(R, t)``, each ``cam_from_world``."""
    rotation = second[0] @ first[0].T
    return rotation, second[1] - rotation @ first[1]


def poses_from_essential(essential: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The four poses (R, t) of an essential matrix, translation of length 1 (Hartley and Zisserman 2004, 9.6.2)."""
    u, _, vt = np.linalg.svd(essential)
    u, vt = u * np.sign(np.linalg.det(u)), vt * np.sign(np.linalg.det(vt))
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return [(u @ turn @ vt, sign * u[:, 2]) for turn in (quarter, quarter.T) for sign in (1.0, -1.0)]


def pose_in_front(
    essential: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pose of an essential matrix with most points in front of both cameras, and which points those are (N,).

    Args:
        first, second: rays in each camera's frame, shape (N, 3).
    """
    poses = poses_from_essential(essential)
    front = [np.all(ray_depths(*pose, first, second) > 0, axis=1) for pose in poses]
    best = int(np.argmax([np.count_nonzero(each) for each in front]))
    return *poses[best], front[best]


def sampson_distance(fundamental: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """First-order distance of both pixels to the epipolar geometry (Sampson 1982), in pixels, shape (N,)."""
    error, *lines = _residual_and_lines(fundamental, first, second)
    slopes = [np.hypot(line[:, 0], line[:, 1]) for line in lines]
    return error / np.maximum(np.hypot(*slopes), np.finfo(float).tiny)


def symmetric_epipolar_distance(fundamental: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean distance of the two pixels to each other's epipolar lines, in pixels, shape (N,)."""
    error, *lines = _residual_and_lines(fundamental, first, second)
    slopes = [np.maximum(np.hypot(line[:, 0], line[:, 1]), np.finfo(float).tiny) for line in lines]
    return 0.5 * (error / slopes[0] + error / slopes[1])


def _residual_and_lines(
    fundamental: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|x2' F x1|, and the lines in the first and in the second photo, shapes (N,), (N, 3), (N, 3)."""
    first, second = homogeneous(first), homogeneous(second)
    in_second, in_first = first @ fundamental.T, second @ fundamental
    return np.abs(np.einsum("ni,ni->n", second, in_second)), in_first, in_second


def triangulation_angle(rotation: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle at which the two rays of each point meet, in radians, from rays (N, 3) in each camera's frame."""
    rotated = first @ rotation.T
    # The arc tangent stays exact where the angle is small; an arc cosine does not.
    sine = np.linalg.norm(np.cross(rotated, second), axis=1)
    return np.arctan2(sine, np.einsum("ni,ni->n", rotated, second))


def ray_depths(rotation: np.ndarray, translation: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where along the two rays of each point they come closest, in multiples of the rays, shape (N, 2).

    Rays (N, 3) in each camera's frame; with rays scaled to z = 1 these are depths. Parallel rays give infinity.
    """
    rotated = first @ rotation.T
    # Least squares of a rotated + t = b second.
    tt, ss, ts = (np.einsum("ni,ni->n", *each) for each in ((rotated, rotated), (second, second), (rotated, second)))
    t1, t2 = rotated @ translation, second @ translation
    determinant = tt * ss - ts * ts
    with np.errstate(divide="ignore", invalid="ignore"):
        depths = np.column_stack([ts * t2 - ss * t1, tt * t2 - ts * t1]) / determinant[:, None]
    return np.where(determinant[:, None] > 1e-15 * (tt * ss)[:, None], depths, np.inf)


def triangulate_midpoints(
    rotation: np.ndarray, translation: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """The points midway between the two rays of each match, in the first camera's frame, shape (N, 3)."""
    along_first, along_second = ray_depths(rotation, translation, first, second).T[:, :, None]
    return 0.5 * (along_first * first + (along_second * second - translation) @ rotation)


def homography_distance(homography: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance of the second pixel from where the homography takes the first, in pixels, shape (N,)."""
    mapped = homogeneous(first) @ homography.T
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = mapped[:, :2] / mapped[:, 2:] - second
    return np.where(mapped[:, 2] != 0, np.hypot(*offset.T), np.inf)


def rotation_between(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The rotation that best takes the first unit rays (N, 3) to the second, by weights (N,) (Wahba 1965)."""
    u, _, vt = np.linalg.svd((weights[:, None] * second).T @ first)
    return u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
