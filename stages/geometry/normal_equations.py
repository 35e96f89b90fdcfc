"""The normal equations of bundle adjustment: elimination of the points, and products with the whitened Jacobian.

Everything that belongs to a point is done while it lies in the cache, and no matrix larger than the reduced camera
system S is ever formed. The kernels work on chunks of points as those of :mod:`diptych.stages.geometry.reprojection`.

Notation, after Triggs et al. (2000): J'J has the blocks U (photos and cameras), V (points) and W (between them). With
``V = L L'`` the 3x3 block of a point, the point's whitened derivatives are ``Q = Jx R L^-T``; ``E = W L^-T``, and
``S = U - W V^-1 W' = U - E E'``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from .reprojection import Jacobian, Observations


class Columns(NamedTuple):
    """Where the unknowns of photos and cameras stand in S; -1 where nothing is refined.

    Attributes:
        width: number of refined parameters of each camera, shape (C,).
        photo_column, camera_column: first column of each photo (N,) and camera (C,).
        photo_block, camera_block: index of the block of each photo (N,) and camera (C,).
        offset: where block (i, j), i >= j, starts in the flat S, shape (B, B).
        stride: length of a row of the blocks in column j, shape (B,). A dense S and one of sparse blocks differ in
            ``offset`` and ``stride`` only.
    """

    width: np.ndarray
    photo_column: np.ndarray
    camera_column: np.ndarray
    photo_block: np.ndarray
    camera_block: np.ndarray
    offset: np.ndarray
    stride: np.ndarray


class PointFactors(NamedTuple):
    """The eliminated points.

    Attributes:
        q: whitened derivatives Q of each observation, 0 for a fixed point, shape (M, 2, 3).
        chol: the lower triangle of each point's L by rows, shape (P, 6).
    """

    q: np.ndarray
    chol: np.ndarray


@njit(nogil=True, cache=True)
def eliminate(
    first: int,
    last: int,
    observations: Observations,
    rotations: np.ndarray,
    free: np.ndarray,
    columns: Columns,
    damping: float,
    jacobian: Jacobian,
    factors: PointFactors,
    reduced: np.ndarray,
    diagonal: np.ndarray,
) -> None:
    """Factor the points' blocks, and sum up S = U - W V^-1 W' of the photos and cameras over chunks of points.

    Args:
        observations, columns, jacobian: :class:`~diptych.stages.geometry.reprojection.Observations`,
            :class:`Columns`, :class:`~diptych.stages.geometry.reprojection.Jacobian`.
        rotations: ``cam_from_world`` of each photo, shape (N, 3, 3).
        free: which points may move, shape (P,).
        damping: added to the diagonal of J'J, relative to it (Levenberg-Marquardt).
        factors: output, :class:`PointFactors`.
        reduced, diagonal: outputs, one row per chunk: the flat S without damping, and diag(U) by blocks, (Q, B, 8).
    """
    bounds, start, photo = observations.bounds, observations.start, observations.photo
    q, chol = factors
    ji = jacobian.ji
    longest = 0
    for point in range(bounds[first], bounds[last]):
        longest = max(longest, start[point + 1] - start[point])
    rows = np.empty((3, longest * (6 + ji.shape[2])))  # E = W L^-T of one point, transposed
    segments = np.empty((2 * longest, 3), np.int64)  # block, first row, end
    jc = np.empty((2, 6))
    for chunk in range(first, last):
        s, d = reduced[chunk], diagonal[chunk]
        s[:] = 0.0
        d[:] = 0.0
        for point in range(bounds[chunk], bounds[chunk + 1]):
            begin, end = start[point], start[point + 1]
            _factor_point(begin, end, photo, rotations, free[point], damping, jacobian.jx, q, chol[point])
            count = _gather(begin, end, observations, columns, jacobian, q, jc, rows, segments, s, d)
            if free[point]:
                _subtract_products(s, columns.offset, columns.stride, rows, segments, count)


@njit(nogil=True, cache=True)
def _factor_point(
    begin: int,
    end: int,
    photo: np.ndarray,
    rotations: np.ndarray,
    free: bool,
    damping: float,
    jx: np.ndarray,
    q: np.ndarray,
    chol: np.ndarray,
) -> None:
    """Cholesky factor of one point's V, and Q of its observations."""
    v00, v10, v11, v20, v21, v22 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(begin, end):
        n = photo[i]
        for r in range(2):
            a, b, c = jx[i, r, 0], jx[i, r, 1], jx[i, r, 2]
            g0 = a * rotations[n, 0, 0] + b * rotations[n, 1, 0] + c * rotations[n, 2, 0]
            g1 = a * rotations[n, 0, 1] + b * rotations[n, 1, 1] + c * rotations[n, 2, 1]
            g2 = a * rotations[n, 0, 2] + b * rotations[n, 1, 2] + c * rotations[n, 2, 2]
            q[i, r, 0], q[i, r, 1], q[i, r, 2] = g0, g1, g2
            v00, v10, v11 = v00 + g0 * g0, v10 + g1 * g0, v11 + g1 * g1
            v20, v21, v22 = v20 + g2 * g0, v21 + g2 * g1, v22 + g2 * g2
    l00 = _pivot(v00 * (1.0 + damping), v00)
    l10, l20 = v10 / l00, v20 / l00
    l11 = _pivot(v11 * (1.0 + damping) - l10 * l10, v11)
    l21 = (v21 - l20 * l10) / l11
    l22 = _pivot(v22 * (1.0 + damping) - l20 * l20 - l21 * l21, v22)
    chol[0], chol[1], chol[2], chol[3], chol[4], chol[5] = l00, l10, l11, l20, l21, l22
    if not free:
        q[begin:end] = 0.0
        return
    for i in range(begin, end):
        for r in range(2):
            q0 = q[i, r, 0] / l00
            q1 = (q[i, r, 1] - l10 * q0) / l11
            q[i, r, 0], q[i, r, 1], q[i, r, 2] = q0, q1, (q[i, r, 2] - l20 * q0 - l21 * q1) / l22


@njit(nogil=True, cache=True, inline="always")
def _pivot(value: float, full: float) -> float:
    """Square root of a Cholesky pivot, held away from zero where rounding has eaten it."""
    if value > 1e-14 * full:
        return math.sqrt(value)
    return math.sqrt(1e-14 * full) if full > 0.0 else 1.0


@njit(nogil=True, cache=True)
def _gather(
    begin: int,
    end: int,
    observations: Observations,
    columns: Columns,
    jacobian: Jacobian,
    q: np.ndarray,
    jc: np.ndarray,
    rows: np.ndarray,
    segments: np.ndarray,
    s: np.ndarray,
    d: np.ndarray,
) -> int:
    """Add one point's observations to U, and lay out its rows of E; returns how many segments they have."""
    photo, camera_of = observations.photo, observations.camera_of
    width, _, _, photo_block, camera_block, offset, stride = columns
    jx, rotated, ji = jacobian
    count, used = 0, 0
    for i in range(begin, end):
        n = photo[i]
        camera = camera_of[n]
        pose, intrinsics = photo_block[n], camera_block[camera]
        if pose >= 0:
            y0, y1, y2 = rotated[i, 0], rotated[i, 1], rotated[i, 2]
            for r in range(2):
                a, b, c = jx[i, r, 0], jx[i, r, 1], jx[i, r, 2]
                jc[r, 0], jc[r, 1], jc[r, 2] = y1 * c - y2 * b, y2 * a - y0 * c, y0 * b - y1 * a
                jc[r, 3], jc[r, 4], jc[r, 5] = a, b, c
            at, step = offset[pose, pose], stride[pose]
            for a in range(6):
                for b in range(a + 1):
                    s[at + a * step + b] += jc[0, a] * jc[0, b] + jc[1, a] * jc[1, b]
                d[pose, a] += jc[0, a] * jc[0, a] + jc[1, a] * jc[1, a]
                for c in range(3):
                    rows[c, used + a] = jc[0, a] * q[i, 0, c] + jc[1, a] * q[i, 1, c]
            segments[count, 0], segments[count, 1], segments[count, 2] = pose, used, used + 6
            count += 1
            used += 6
        if intrinsics >= 0:
            k = width[camera]
            at, step = offset[intrinsics, intrinsics], stride[intrinsics]
            for a in range(k):
                for b in range(a + 1):
                    s[at + a * step + b] += ji[i, 0, a] * ji[i, 0, b] + ji[i, 1, a] * ji[i, 1, b]
                d[intrinsics, a] += ji[i, 0, a] * ji[i, 0, a] + ji[i, 1, a] * ji[i, 1, a]
            if pose >= 0:
                at, step = offset[intrinsics, pose], stride[pose]
                for a in range(k):
                    for b in range(6):
                        s[at + a * step + b] += ji[i, 0, a] * jc[0, b] + ji[i, 1, a] * jc[1, b]
            # One segment per camera: photos that share it add up.
            at = 0
            while at < count and segments[at, 0] != intrinsics:
                at += 1
            if at == count:
                segments[count, 0], segments[count, 1], segments[count, 2] = intrinsics, used, used + k
                rows[:, used : used + k] = 0.0
                count += 1
                used += k
            base = segments[at, 1]
            for a in range(k):
                for c in range(3):
                    rows[c, base + a] += ji[i, 0, a] * q[i, 0, c] + ji[i, 1, a] * q[i, 1, c]
    return count


@njit(nogil=True, cache=True)
def _subtract_products(
    s: np.ndarray, offset: np.ndarray, stride: np.ndarray, rows: np.ndarray, segments: np.ndarray, count: int
) -> None:
    """Subtract ``E E'`` of one point from S, block by block of the lower triangle."""
    for one in range(count):
        for two in range(one + 1):
            high, low = one, two
            if segments[high, 0] < segments[low, 0]:
                high, low = low, high
            block = segments[low, 0]
            at, step = offset[segments[high, 0], block], stride[block]
            begin, end = segments[low, 1], segments[low, 2]
            twice = one != two and segments[high, 0] == block  # a photo that sees the point twice
            for a in range(segments[high, 1], segments[high, 2]):
                x, y, z = rows[0, a], rows[1, a], rows[2, a]
                if end - begin == 6:  # two photos: nearly all of the work, and a length that the compiler knows
                    for b in range(6):
                        s[at + b] -= x * rows[0, begin + b] + y * rows[1, begin + b] + z * rows[2, begin + b]
                else:
                    for b in range(end - begin):
                        s[at + b] -= x * rows[0, begin + b] + y * rows[1, begin + b] + z * rows[2, begin + b]
                at += step
            if twice:
                at = offset[block, block]
                for a in range(begin, end):
                    for b in range(segments[high, 1], segments[high, 2]):
                        s[at + b - segments[high, 1]] -= (
                            rows[0, a] * rows[0, b] + rows[1, a] * rows[1, b] + rows[2, a] * rows[2, b]
                        )
                    at += step


@njit(nogil=True, cache=True)
def multiply(
    first: int,
    last: int,
    observations: Observations,
    columns: Columns,
    jacobian: Jacobian,
    factors: PointFactors,
    z: np.ndarray,
    step: np.ndarray,
    product: np.ndarray,
    moves: np.ndarray,
) -> None:
    """``product = J L^-T z`` for whitened points ``z`` (P, 3) and plain photos and cameras ``step`` (n,).

    ``moves`` (P, 3) gets the points' own part of ``L^-T z``: by how much each point moves.
    """
    bounds, start, photo, _, camera_of = observations
    width, photo_column, camera_column, _, _, _, _ = columns
    jx, rotated, ji = jacobian
    q, chol = factors
    for point in range(bounds[first], bounds[last]):
        s0, s1, s2 = z[point, 0], z[point, 1], z[point, 2]
        for i in range(start[point], start[point + 1]):
            n = photo[i]
            camera = camera_of[n]
            column = photo_column[n]
            u, v = 0.0, 0.0
            if column >= 0:
                w0, w1, w2 = step[column], step[column + 1], step[column + 2]
                y0, y1, y2 = rotated[i, 0], rotated[i, 1], rotated[i, 2]
                t0 = step[column + 3] + w1 * y2 - w2 * y1
                t1 = step[column + 4] + w2 * y0 - w0 * y2
                t2 = step[column + 5] + w0 * y1 - w1 * y0
                u = jx[i, 0, 0] * t0 + jx[i, 0, 1] * t1 + jx[i, 0, 2] * t2
                v = jx[i, 1, 0] * t0 + jx[i, 1, 1] * t1 + jx[i, 1, 2] * t2
            column = camera_column[camera]
            for k in range(width[camera]):
                u += ji[i, 0, k] * step[column + k]
                v += ji[i, 1, k] * step[column + k]
            product[i, 0], product[i, 1] = u, v
            s0 -= q[i, 0, 0] * u + q[i, 1, 0] * v
            s1 -= q[i, 0, 1] * u + q[i, 1, 1] * v
            s2 -= q[i, 0, 2] * u + q[i, 1, 2] * v
        for i in range(start[point], start[point + 1]):
            product[i, 0] += q[i, 0, 0] * s0 + q[i, 0, 1] * s1 + q[i, 0, 2] * s2
            product[i, 1] += q[i, 1, 0] * s0 + q[i, 1, 1] * s1 + q[i, 1, 2] * s2
        s2 = s2 / chol[point, 5]
        s1 = (s1 - chol[point, 4] * s2) / chol[point, 2]
        s0 = (s0 - chol[point, 1] * s1 - chol[point, 3] * s2) / chol[point, 0]
        moves[point, 0], moves[point, 1], moves[point, 2] = s0, s1, s2


@njit(nogil=True, cache=True)
def multiply_transposed(
    first: int,
    last: int,
    observations: Observations,
    columns: Columns,
    jacobian: Jacobian,
    q: np.ndarray,
    u: np.ndarray,
    z: np.ndarray,
    partial: np.ndarray,
) -> None:
    """The points' part (P, 3) of ``L^-1 J' u``, and what it leaves for photos and cameras, one row per chunk (Q, n)."""
    bounds, start, photo, _, camera_of = observations
    width, photo_column, camera_column, _, _, _, _ = columns
    jx, rotated, ji = jacobian
    for chunk in range(first, last):
        g = partial[chunk]
        g[:] = 0.0
        for point in range(bounds[chunk], bounds[chunk + 1]):
            s0, s1, s2 = 0.0, 0.0, 0.0
            for i in range(start[point], start[point + 1]):
                a, b = u[i, 0], u[i, 1]
                s0 += q[i, 0, 0] * a + q[i, 1, 0] * b
                s1 += q[i, 0, 1] * a + q[i, 1, 1] * b
                s2 += q[i, 0, 2] * a + q[i, 1, 2] * b
            z[point, 0], z[point, 1], z[point, 2] = s0, s1, s2
            for i in range(start[point], start[point + 1]):
                n = photo[i]
                camera = camera_of[n]
                a = u[i, 0] - (q[i, 0, 0] * s0 + q[i, 0, 1] * s1 + q[i, 0, 2] * s2)
                b = u[i, 1] - (q[i, 1, 0] * s0 + q[i, 1, 1] * s1 + q[i, 1, 2] * s2)
                column = photo_column[n]
                if column >= 0:
                    t0 = jx[i, 0, 0] * a + jx[i, 1, 0] * b
                    t1 = jx[i, 0, 1] * a + jx[i, 1, 1] * b
                    t2 = jx[i, 0, 2] * a + jx[i, 1, 2] * b
                    y0, y1, y2 = rotated[i, 0], rotated[i, 1], rotated[i, 2]
                    g[column] += y1 * t2 - y2 * t1
                    g[column + 1] += y2 * t0 - y0 * t2
                    g[column + 2] += y0 * t1 - y1 * t0
                    g[column + 3] += t0
                    g[column + 4] += t1
                    g[column + 5] += t2
                column = camera_column[camera]
                for k in range(width[camera]):
                    g[column + k] += ji[i, 0, k] * a + ji[i, 1, k] * b


@njit(nogil=True, cache=True)
def couple(
    observations: Observations,
    columns: Columns,
    jacobian: Jacobian,
    q: np.ndarray,
    inverse: np.ndarray,
    coupled: np.ndarray,
) -> None:
    """``E' S^-1 E`` of every point, with ``inverse`` = S^-1 (n, n); ``coupled`` is the output, shape (P, 3, 3)."""
    _, start, photo, _, camera_of = observations
    width, photo_column, camera_column, _, _, _, _ = columns
    jx, rotated, ji = jacobian
    longest = 0
    for point in range(len(coupled)):
        longest = max(longest, start[point + 1] - start[point])
    rows = np.empty((longest * (6 + ji.shape[2]), 3))
    column_of = np.empty(len(rows), np.int64)
    for point in range(len(coupled)):
        used = 0
        for i in range(start[point], start[point + 1]):
            n = photo[i]
            camera = camera_of[n]
            column = photo_column[n]
            if column >= 0:
                y0, y1, y2 = rotated[i, 0], rotated[i, 1], rotated[i, 2]
                for c in range(3):
                    t0 = jx[i, 0, 0] * q[i, 0, c] + jx[i, 1, 0] * q[i, 1, c]
                    t1 = jx[i, 0, 1] * q[i, 0, c] + jx[i, 1, 1] * q[i, 1, c]
                    t2 = jx[i, 0, 2] * q[i, 0, c] + jx[i, 1, 2] * q[i, 1, c]
                    rows[used, c], rows[used + 1, c] = y1 * t2 - y2 * t1, y2 * t0 - y0 * t2
                    rows[used + 2, c], rows[used + 3, c] = y0 * t1 - y1 * t0, t0
                    rows[used + 4, c], rows[used + 5, c] = t1, t2
                for a in range(6):
                    column_of[used + a] = column + a
                used += 6
            for a in range(width[camera]):
                for c in range(3):
                    rows[used, c] = ji[i, 0, a] * q[i, 0, c] + ji[i, 1, a] * q[i, 1, c]
                column_of[used] = camera_column[camera] + a
                used += 1
        for c in range(3):
            for d in range(3):
                total = 0.0
                for a in range(used):
                    for b in range(used):
                        total += rows[a, c] * inverse[column_of[a], column_of[b]] * rows[b, d]
                coupled[point, c, d] = total
