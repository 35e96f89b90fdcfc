"""Local affine changes between two photos, from the matches around each keypoint."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.spatial import KDTree

_NEIGHBORS = 12
"""Number of nearest correspondences that an affine change is fitted to."""

_DEVIATION = 0.15
"""Standard deviation of a local change from the similarity of the whole photos; a prior for the fit."""

_PRIOR_WEIGHT = 0.3
"""Weight of the prior; a correspondence without error weighs 1."""

_MAX_SCALE = 2.0
"""A local change that grows or shrinks by more than this factor, beside the similarity, comes from false matches."""


def local_affines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The affine change around each point from one photo to the other, fitted to the nearest correspondences.

    Args:
        first, second: corresponding positions, shapes (M, 2).

    Returns:
        derivatives of the second position by the first, shape (M, 2, 2).
    """
    whole = _similarity(first, second)
    count = min(_NEIGHBORS, len(first) - 1)
    if count < 3:
        return np.repeat(whole[None], len(first), axis=0)
    around = np.asarray(KDTree(first).query(first, count + 1)[1])[:, 1:]
    a = first.astype(np.float64)
    affine = whole + _deviations(a, second - a @ whole.T, around)
    largest, smallest = _singular_values(np.linalg.inv(whole) @ affine)
    affine[(largest > _MAX_SCALE) | (smallest < 1 / _MAX_SCALE)] = whole
    return affine


@njit(cache=True, nogil=True)
def _deviations(first: np.ndarray, second: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Derivatives at each point by least squares over those around it, reweighted for false matches, (M, 2, 2)."""
    fitted = np.zeros((len(first), 2, 2))
    for n in range(len(first)):
        p, q, r, s = 0.0, 0.0, 0.0, 0.0
        for allowed in (_DEVIATION, 0.3 * _DEVIATION, 0.3 * _DEVIATION):
            xx, xy, yy = _PRIOR_WEIGHT, 0.0, _PRIOR_WEIGHT
            xu, yu, xv, yv = 0.0, 0.0, 0.0, 0.0
            for k in around[n]:
                x, y = first[k, 0] - first[n, 0], first[k, 1] - first[n, 1]
                u, v = second[k, 0] - second[n, 0], second[k, 1] - second[n, 1]
                # A false match deviates by more than its distance allows.
                left = (u - p * x - q * y) ** 2 + (v - r * x - s * y) ** 2
                weight = 1.0 / (max(x * x + y * y, 1.0) + left / allowed**2)
                xx, xy, yy = xx + weight * x * x, xy + weight * x * y, yy + weight * y * y
                xu, yu, xv, yv = xu + weight * x * u, yu + weight * y * u, xv + weight * x * v, yv + weight * y * v
            area = xx * yy - xy * xy
            p, q = (yy * xu - xy * yu) / area, (xx * yu - xy * xu) / area
            r, s = (yy * xv - xy * yv) / area, (xx * yv - xy * xv) / area
        fitted[n, 0, 0], fitted[n, 0, 1], fitted[n, 1, 0], fitted[n, 1, 1] = p, q, r, s
    return fitted


def _singular_values(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The larger and the smaller singular value of matrices (M, 2, 2)."""
    total = (matrix**2).sum(axis=(1, 2))
    area = np.abs(matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0])
    together, apart = np.sqrt(total + 2 * area), np.sqrt(np.maximum(total - 2 * area, 0.0))
    return (together + apart) / 2, (together - apart) / 2


def _similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation and scale that fit most pairs of points from one photo to the other, as a matrix (2, 2)."""
    if len(first) < 2:
        return np.eye(2)
    half = len(first) // 2
    order = np.random.default_rng(0).permutation(len(first))
    i, j = order[:half], order[half : 2 * half]
    a = (first[j] - first[i]).astype(np.float64) @ [1, 1j]
    b = (second[j] - second[i]).astype(np.float64) @ [1, 1j]
    ratio = b[np.abs(a) > 0] / a[np.abs(a) > 0]
    ratio = ratio[np.abs(ratio) > 0]
    if not len(ratio):
        return np.eye(2)
    turn = ratio / np.abs(ratio)
    candidates = turn[: min(len(turn), 200)]
    angle = np.angle(candidates[np.argmin(np.abs(candidates[:, None] - turn).sum(axis=1))])
    z = np.exp(np.median(np.log(np.abs(ratio)))) * np.exp(1j * angle)
    return np.array([[z.real, -z.imag], [z.imag, z.real]])
