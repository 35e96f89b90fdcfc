"""The gauge of a reconstruction: the similarity of the world that no measurement determines."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from .rotations import cross_matrix

_PREFERENCE = 1e3  # weight of the first free photo: its pose is held first


def held_coordinates(
    rotations: np.ndarray, translations: np.ndarray, free_photos: np.ndarray, anchors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which coordinates of the poses to hold fixed, so that the gauge cannot change.

    What is fixed already removes some of the seven degrees of freedom; the pose of the first free photo and the
    dominant coordinate of the baseline to another remove the rest, in the local coordinates of bundle adjustment:
    a rotation ``w`` and a translation ``t`` that make ``exp(w) R`` and ``T + t``.

    Args:
        rotations, translations: ``cam_from_world``, shapes (N, 3, 3) and (N, 3).
        free_photos: which photos may move, shape (N,).
        anchors: positions of the fixed points that are seen, shape (A, 3).

    Returns:
        Indices of the photos and of their coordinates (0 to 2 of w, 3 to 5 of t), at most seven of each.
    """
    none = np.empty(0, np.int64)
    movable = np.flatnonzero(free_photos)
    if not len(movable):
        return none, none
    centers = -np.einsum("nji,nj->ni", rotations, translations)
    middle = centers.mean(axis=0)
    extent = float(np.sqrt(((centers - middle) ** 2).sum(axis=1).mean())) or 1.0
    of_photos = _pose_motions(rotations, translations, middle, extent)
    of_points = _point_motions(anchors, middle, extent)
    fixed = np.concatenate([of_photos[~free_photos].reshape(-1, 7), of_points.reshape(-1, 7)])
    values, vectors = np.linalg.eigh(fixed.T @ fixed)
    unfixed = vectors[:, values <= 1e-12 * max(values[-1], 1e-300)] if len(fixed) else np.eye(7)
    if not unfixed.shape[1]:
        return none, none
    motions = of_photos[movable] @ unfixed
    motions[0] *= _PREFERENCE
    rows = motions.reshape(-1, unfixed.shape[1])
    factors: Any = scipy.linalg.qr(rows.T, mode="r", pivoting=True)
    triangle, order = factors
    independent = np.abs(np.diag(triangle)) > 1e-9 * abs(triangle[0, 0])
    chosen = np.sort(order[: len(independent)][independent])
    return movable[chosen // 6], chosen % 6


def _pose_motions(rotations: np.ndarray, translations: np.ndarray, middle: np.ndarray, extent: float) -> np.ndarray:
    """Derivatives of the poses by the world's translation, rotation about ``middle`` and scale, shape (N, 6, 7)."""
    motions = np.zeros((len(rotations), 6, 7))
    rotated = rotations @ middle
    motions[:, :3, 3:6] = -rotations
    motions[:, 3:, :3] = -rotations
    motions[:, 3:, 3:6] = -cross_matrix(rotated) @ rotations / extent
    motions[:, 3:, 6] = (rotated + translations) / extent
    return motions


def _point_motions(points: np.ndarray, middle: np.ndarray, extent: float) -> np.ndarray:
    """Derivatives of the points by the same seven, shape (P, 3, 7)."""
    away = (points - middle) / extent
    motions = np.zeros((len(points), 3, 7))
    motions[:, :, :3] = np.eye(3)
    motions[:, :, 3:6] = -cross_matrix(away)
    motions[:, :, 6] = away
    return motions
