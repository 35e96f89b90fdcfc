"""Robust multi-view triangulation."""

from __future__ import annotations

import numpy as np
from numba import njit


def triangulate_tracks(
    start: np.ndarray,
    photo: np.ndarray,
    rays: np.ndarray,
    tolerance: np.ndarray,
    rotations: np.ndarray,
    translations: np.ndarray,
    min_angle: float = 1.5,
) -> tuple[np.ndarray, np.ndarray]:
    """Triangulate many tracks at once, each from the largest set of observations that agree.

    Two-view hypotheses (midpoint method) from pairs of observations are scored by their truncated squared errors over
    the whole track (MSAC, Torr and Zisserman 2000); the best is refined by Gauss-Newton on its inliers. Short tracks
    try all pairs, long ones every n-th of them; nothing is drawn at random.

    Args:
        start: where each track's observations start, and their end, shape (T + 1,).
        photo: photo of each observation, shape (M,).
        rays: undistorted observations (x/z, y/z) in the camera, shape (M, 2).
        tolerance: largest error of an inlier in the same units, pixels divided by the focal length, shape (M,).
        rotations, translations: ``cam_from_world`` of each photo, shapes (N, 3, 3) and (N, 3).
        min_angle: smallest angle between two rays of a point, in degrees.

    Returns:
        Points, NaN where none could be made, shape (T, 3); and which observations agree with them, shape (M,).
    """
    return _triangulate(
        np.ascontiguousarray(start, np.int64),
        np.ascontiguousarray(photo, np.int32),
        np.ascontiguousarray(rays, np.float64),
        np.ascontiguousarray(tolerance, np.float64),
        np.ascontiguousarray(rotations, np.float64),
        np.ascontiguousarray(translations, np.float64),
        float(np.cos(np.radians(min_angle))),
    )


def widest_angles(start: np.ndarray, photo: np.ndarray, points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Largest angle in degrees between two rays of each point, shape (P,).

    Args:
        start: where each point's observations start, and their end, shape (P + 1,).
        photo: photo of each observation, shape (M,).
        points: shape (P, 3).
        centers: camera centers, shape (N, 3).
    """
    cosine = _smallest_cosine(
        np.ascontiguousarray(start, np.int64),
        np.ascontiguousarray(photo, np.int32),
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(centers, np.float64),
    )
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


_MAX_PAIRS = 24


@njit(cache=True, nogil=True)
def _squared_error(R: np.ndarray, t: np.ndarray, X: np.ndarray, u: float, v: float) -> float:
    """Squared error of a point in one photo; infinite behind the camera."""
    z = R[2, 0] * X[0] + R[2, 1] * X[1] + R[2, 2] * X[2] + t[2]
    if z <= 1e-9:
        return np.inf
    du = (R[0, 0] * X[0] + R[0, 1] * X[1] + R[0, 2] * X[2] + t[0]) / z - u
    dv = (R[1, 0] * X[0] + R[1, 1] * X[1] + R[1, 2] * X[2] + t[1]) / z - v
    return du * du + dv * dv


@njit(cache=True, nogil=True)
def _gauss_newton(
    X: np.ndarray, inlier: np.ndarray, photo: np.ndarray, rays: np.ndarray, R: np.ndarray, t: np.ndarray
) -> None:
    """Move X, in place, to the least squares of its inliers; it stays where the normal matrix is singular."""
    for _ in range(4):
        H = np.zeros((3, 3))
        g = np.zeros(3)
        for k in range(len(photo)):
            if not inlier[k]:
                continue
            Q, s = R[photo[k]], t[photo[k]]
            z = Q[2, 0] * X[0] + Q[2, 1] * X[1] + Q[2, 2] * X[2] + s[2]
            if z <= 1e-9:
                return
            for row in range(2):
                value = (Q[row, 0] * X[0] + Q[row, 1] * X[1] + Q[row, 2] * X[2] + s[row]) / z
                r = value - rays[k, row]
                j0 = (Q[row, 0] - value * Q[2, 0]) / z
                j1 = (Q[row, 1] - value * Q[2, 1]) / z
                j2 = (Q[row, 2] - value * Q[2, 2]) / z
                H[0, 0] += j0 * j0
                H[0, 1] += j0 * j1
                H[0, 2] += j0 * j2
                H[1, 1] += j1 * j1
                H[1, 2] += j1 * j2
                H[2, 2] += j2 * j2
                g[0] += j0 * r
                g[1] += j1 * r
                g[2] += j2 * r
        a = H[1, 1] * H[2, 2] - H[1, 2] * H[1, 2]
        b = H[0, 2] * H[1, 2] - H[0, 1] * H[2, 2]
        c = H[0, 1] * H[1, 2] - H[0, 2] * H[1, 1]
        det = H[0, 0] * a + H[0, 1] * b + H[0, 2] * c
        if det <= 1e-14 * H[0, 0] * H[1, 1] * H[2, 2]:
            return
        d = H[0, 0] * H[2, 2] - H[0, 2] * H[0, 2]
        e = H[0, 1] * H[0, 2] - H[0, 0] * H[1, 2]
        f = H[0, 0] * H[1, 1] - H[0, 1] * H[0, 1]
        X[0] -= (a * g[0] + b * g[1] + c * g[2]) / det
        X[1] -= (b * g[0] + d * g[1] + e * g[2]) / det
        X[2] -= (c * g[0] + e * g[1] + f * g[2]) / det


@njit(cache=True, nogil=True)
def _inliers(
    X: np.ndarray,
    photo: np.ndarray,
    rays: np.ndarray,
    tolerance: np.ndarray,
    R: np.ndarray,
    t: np.ndarray,
    inlier: np.ndarray,
) -> int:
    count = 0
    for k in range(len(photo)):
        error = _squared_error(R[photo[k]], t[photo[k]], X, rays[k, 0], rays[k, 1])
        inlier[k] = error <= tolerance[k] * tolerance[k]
        count += inlier[k]
    return count


@njit(cache=True, nogil=True)
def _triangulate(
    start: np.ndarray,
    photo: np.ndarray,
    rays: np.ndarray,
    tolerance: np.ndarray,
    R: np.ndarray,
    t: np.ndarray,
    max_cosine: float,
) -> tuple[np.ndarray, np.ndarray]:
    tracks = len(start) - 1
    points = np.full((tracks, 3), np.nan)
    inlier = np.zeros(len(photo), np.bool_)
    longest = 1
    for track in range(tracks):
        longest = max(longest, start[track + 1] - start[track])
    direction = np.empty((longest, 3))
    center = np.empty((longest, 3))
    X = np.empty(3)
    best = np.empty(3)
    for track in range(tracks):
        at, end = start[track], start[track + 1]
        n = end - at
        for k in range(n):
            Q, s = R[photo[at + k]], t[photo[at + k]]
            u, v = rays[at + k, 0], rays[at + k, 1]
            norm = np.sqrt(u * u + v * v + 1.0)
            for axis in range(3):
                direction[k, axis] = (Q[0, axis] * u + Q[1, axis] * v + Q[2, axis]) / norm
                center[k, axis] = -(Q[0, axis] * s[0] + Q[1, axis] * s[1] + Q[2, axis] * s[2])
        pairs = n * (n - 1) // 2
        step = max(1, pairs // _MAX_PAIRS)
        best_cost = np.inf
        pair = -1
        for i in range(n):
            for j in range(i + 1, n):
                pair += 1
                if pair % step:
                    continue
                cosine = 0.0
                for axis in range(3):
                    cosine += direction[i, axis] * direction[j, axis]
                if cosine > max_cosine:
                    continue
                along_i, along_j = 0.0, 0.0
                for axis in range(3):
                    baseline = center[j, axis] - center[i, axis]
                    along_i += baseline * direction[i, axis]
                    along_j += baseline * direction[j, axis]
                sine2 = 1.0 - cosine * cosine
                depth_i = (along_i - along_j * cosine) / sine2
                depth_j = (along_i * cosine - along_j) / sine2
                for axis in range(3):
                    X[axis] = 0.5 * (
                        center[i, axis] + depth_i * direction[i, axis] + center[j, axis] + depth_j * direction[j, axis]
                    )
                cost = 0.0
                for k in range(at, end):
                    error = _squared_error(R[photo[k]], t[photo[k]], X, rays[k, 0], rays[k, 1])
                    cost += min(error / (tolerance[k] * tolerance[k]), 1.0)
                    if cost >= best_cost:
                        break
                if cost < best_cost:
                    best_cost = cost
                    best[:] = X
        if best_cost > n - 1:
            continue
        agree = inlier[at:end]
        for _ in range(2):
            if _inliers(best, photo[at:end], rays[at:end], tolerance[at:end], R, t, agree) >= 2:
                _gauss_newton(best, agree, photo[at:end], rays[at:end], R, t)
        count = _inliers(best, photo[at:end], rays[at:end], tolerance[at:end], R, t, agree)
        smallest = 1.0
        for i in range(n):
            for j in range(i + 1, n):
                if agree[i] and agree[j]:
                    cosine = 0.0
                    for axis in range(3):
                        cosine += direction[i, axis] * direction[j, axis]
                    smallest = min(smallest, cosine)
        if count < 2 or smallest > max_cosine:
            agree[:] = False
            continue
        points[track] = best
    return points, inlier


@njit(cache=True, nogil=True)
def _smallest_cosine(start: np.ndarray, photo: np.ndarray, points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    result = np.ones(len(points))
    for p in range(len(points)):
        for a in range(start[p], start[p + 1]):
            for b in range(a + 1, start[p + 1]):
                dot, na, nb = 0.0, 0.0, 0.0
                for axis in range(3):
                    da = points[p, axis] - centers[photo[a], axis]
                    db = points[p, axis] - centers[photo[b], axis]
                    dot += da * db
                    na += da * da
                    nb += db * db
                result[p] = min(result[p], dot / np.sqrt(na * nb))
    return result
