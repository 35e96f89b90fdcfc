"""The inner loops of bundle adjustment: residuals, their derivatives, and the points' elimination, in one pass each.

Observations are sorted by point, so everything that belongs to a point is done while it lies in the cache, and no
matrix larger than the reduced camera system S is ever formed. Every kernel works on a range of *chunks* of points; sums
over photos go to one partial sum per chunk, which the caller adds up in order. So the number of threads never changes
a result.

Notation, after Triggs et al. (2000): the Jacobian of an observation is ``[Jx (w x y + t) + Ji c + Jx R p]`` for a
rotation ``w`` and translation ``t`` of its photo, its camera's parameters ``c`` and its point ``p``; ``y = R X``.
With ``V = L L'`` the point's 3x3 block of J'J, the point's whitened block is ``Q = Jx R L^-T``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .projection import distort, pixel_derivatives

LOSSES = ("linear", "soft_l1", "huber", "cauchy")
_NEAREST = 1e-9  # depth, relative to the point's distance, below which a projection would overflow


@njit(nogil=True, cache=True)
def _robust(loss, s):
    """rho'(s) and ``rho(s) - s rho'(s)``, without cancellation, for the loss of that index in :data:`LOSSES`."""
    if loss == 1:
        v = math.sqrt(1.0 + s)
        return 1.0 / v, (v - 1.0) * (v - 1.0) / v
    if loss == 2 and s > 1.0:
        v = math.sqrt(s)
        return 1.0 / v, v - 1.0
    if loss == 3:
        return 1.0 / (1.0 + s), math.log1p(s) - s / (1.0 + s)
    return 1.0, 0.0


@njit(nogil=True, cache=True, inline="always")
def _away_from_zero(x0, x1, x2):
    """Behind the camera the projection goes on smoothly; only the plane z = 0 itself is kept away from."""
    nearest = _NEAREST * (abs(x0) + abs(x1)) + 1e-300
    return x2 if abs(x2) >= nearest else math.copysign(nearest, x2)


@njit(nogil=True, cache=True)
def linearise(
    first,
    last,
    bounds,
    start,
    photo,
    xy,
    camera_of,
    rotations,
    translations,
    points,
    fisheye,
    canonical,
    expansion,
    width,
    loss,
    scale,
    residuals,
    jx,
    turned,
    ji,
    slack,
):
    """Residuals and derivatives of the observations of chunks ``first`` to ``last``.

    With a robust loss rho of the residuals' lengths, residuals and derivatives are scaled by ``sqrt(rho')``. Then J'r
    is the exact gradient of the cost and J'J its reweighted approximation; what half the sum of squares lacks to the
    cost is returned in ``slack``.

    Args:
        bounds: first point of each chunk, and the end.
        start: first observation of each point, and the end.
        expansion: derivative of each camera's canonical parameters by its refined ones, shape (C, 8, K).
        residuals, jx, turned, ji: outputs, shapes (M, 2), (M, 2, 3), (M, 3) for ``R X`` and (M, 2, K).
        slack: output, the sum of ``rho - s rho'`` of each chunk, shape (Q,).
    """
    weight = 1.0 / (scale * scale)
    for chunk in range(first, last):
        lacking = 0.0
        for point in range(bounds[chunk], bounds[chunk + 1]):
            px, py, pz = points[point, 0], points[point, 1], points[point, 2]
            for i in range(start[point], start[point + 1]):
                n = photo[i]
                camera = camera_of[n]
                c = canonical[camera]
                y0 = rotations[n, 0, 0] * px + rotations[n, 0, 1] * py + rotations[n, 0, 2] * pz
                y1 = rotations[n, 1, 0] * px + rotations[n, 1, 1] * py + rotations[n, 1, 2] * pz
                y2 = rotations[n, 2, 0] * px + rotations[n, 2, 1] * py + rotations[n, 2, 2] * pz
                x0, x1, x2 = y0 + translations[n, 0], y1 + translations[n, 1], y2 + translations[n, 2]
                w = 1.0 / _away_from_zero(x0, x1, x2)
                a, b = x0 * w, x1 * w
                distorted = distort(fisheye[camera], c, a, b)
                u_point, v_point, u_params, v_params = pixel_derivatives(c, a, b, w, distorted)
                ru = c[0] * distorted[0] + c[2] - xy[i, 0]
                rv = c[1] * distorted[1] + c[3] - xy[i, 1]
                h = 1.0
                if loss != 0:
                    slope, missing = _robust(loss, (ru * ru + rv * rv) * weight)
                    h = math.sqrt(slope)
                    lacking += missing
                residuals[i, 0], residuals[i, 1] = h * ru, h * rv
                turned[i, 0], turned[i, 1], turned[i, 2] = y0, y1, y2
                for k in range(3):
                    jx[i, 0, k], jx[i, 1, k] = h * u_point[k], h * v_point[k]
                for k in range(width[camera]):
                    du, dv = 0.0, 0.0
                    for j in range(8):
                        du += u_params[j] * expansion[camera, j, k]
                        dv += v_params[j] * expansion[camera, j, k]
                    ji[i, 0, k], ji[i, 1, k] = h * du, h * dv
        slack[chunk] = lacking * scale * scale


@njit(nogil=True, cache=True)
def eliminate(
    first,
    last,
    bounds,
    start,
    photo,
    camera_of,
    rotations,
    free,
    width,
    photo_block,
    camera_block,
    offset,
    stride,
    damping,
    jx,
    turned,
    ji,
    q,
    chol,
    reduced,
    diagonal,
):
    """Whiten the points' blocks, and gather S = U - W V^-1 W' of the photos and cameras from chunks of points.

    Args:
        free: which points may move; the others get Q = 0.
        photo_block, camera_block: index of the block of S of each photo and camera, -1 where nothing is refined.
        offset: where block (i, j), i >= j, starts in the flat S, shape (B, B); ``stride`` is the length of a row of
            the blocks in column j. A dense S and one of sparse blocks differ in these two only.
        damping: added to the diagonal of J'J, relative to it (Levenberg-Marquardt).
        q, chol: outputs, shapes (M, 2, 3) and (P, 6), the lower triangle of L by rows.
        reduced, diagonal: outputs, one row per chunk: the flat S without damping, and diag(U) by blocks, (Q, B, 8).
    """
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
            _whiten(begin, end, photo, rotations, free[point], damping, jx, q, chol[point])
            count = _gather(
                begin,
                end,
                photo,
                camera_of,
                width,
                photo_block,
                camera_block,
                offset,
                stride,
                jx,
                turned,
                ji,
                q,
                jc,
                rows,
                segments,
                s,
                d,
            )
            if free[point]:
                _subtract_products(s, offset, stride, rows, segments, count)


@njit(nogil=True, cache=True)
def _whiten(begin, end, photo, rotations, free, damping, jx, q, chol):
    """Factor V of one point, and Q of its observations."""
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
def _pivot(value, full):
    """Square root of a Cholesky pivot, held away from zero where rounding has eaten it."""
    if value > 1e-14 * full:
        return math.sqrt(value)
    return math.sqrt(1e-14 * full) if full > 0.0 else 1.0


@njit(nogil=True, cache=True)
def _gather(
    begin,
    end,
    photo,
    camera_of,
    width,
    photo_block,
    camera_block,
    offset,
    stride,
    jx,
    turned,
    ji,
    q,
    jc,
    rows,
    segments,
    s,
    d,
):
    """Add one point's observations to U, and lay out its rows of E; returns how many segments they have."""
    count, used = 0, 0
    for i in range(begin, end):
        n = photo[i]
        camera = camera_of[n]
        pose, intrinsics = photo_block[n], camera_block[camera]
        if pose >= 0:
            y0, y1, y2 = turned[i, 0], turned[i, 1], turned[i, 2]
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
def _subtract_products(s, offset, stride, rows, segments, count):
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
    first,
    last,
    bounds,
    start,
    photo,
    camera_of,
    width,
    photo_column,
    camera_column,
    jx,
    turned,
    ji,
    q,
    chol,
    z,
    step,
    product,
    moves,
):
    """``product = J L^-T z`` for whitened points ``z`` (P, 3) and plain photos and cameras ``step`` (n,).

    ``moves`` (P, 3) gets the points' own part of ``L^-T z``: by how much each point moves.
    """
    for point in range(bounds[first], bounds[last]):
        s0, s1, s2 = z[point, 0], z[point, 1], z[point, 2]
        for i in range(start[point], start[point + 1]):
            n = photo[i]
            camera = camera_of[n]
            column = photo_column[n]
            u, v = 0.0, 0.0
            if column >= 0:
                w0, w1, w2 = step[column], step[column + 1], step[column + 2]
                y0, y1, y2 = turned[i, 0], turned[i, 1], turned[i, 2]
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
    first, last, bounds, start, photo, camera_of, width, photo_column, camera_column, jx, turned, ji, q, u, z, partial
):
    """The points' part (P, 3) of ``L^-1 J' u``, and what it leaves for photos and cameras, one row per chunk (Q, n)."""
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
                    y0, y1, y2 = turned[i, 0], turned[i, 1], turned[i, 2]
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
def couple(start, photo, camera_of, width, photo_column, camera_column, jx, turned, ji, q, inverse, coupled):
    """``E' S^-1 E`` of every point, with ``inverse`` = S^-1 (n, n) and E as in :func:`eliminate`; shape (P, 3, 3)."""
    longest = 0
    for point in range(len(coupled)):
        longest = max(longest, start[point + 1] - start[point])
    rows = np.empty((longest * (6 + ji.shape[2]), 3))
    columns = np.empty(len(rows), np.int64)
    for point in range(len(coupled)):
        used = 0
        for i in range(start[point], start[point + 1]):
            n = photo[i]
            camera = camera_of[n]
            column = photo_column[n]
            if column >= 0:
                y0, y1, y2 = turned[i, 0], turned[i, 1], turned[i, 2]
                for c in range(3):
                    t0 = jx[i, 0, 0] * q[i, 0, c] + jx[i, 1, 0] * q[i, 1, c]
                    t1 = jx[i, 0, 1] * q[i, 0, c] + jx[i, 1, 1] * q[i, 1, c]
                    t2 = jx[i, 0, 2] * q[i, 0, c] + jx[i, 1, 2] * q[i, 1, c]
                    rows[used, c], rows[used + 1, c] = y1 * t2 - y2 * t1, y2 * t0 - y0 * t2
                    rows[used + 2, c], rows[used + 3, c] = y0 * t1 - y1 * t0, t0
                    rows[used + 4, c], rows[used + 5, c] = t1, t2
                for a in range(6):
                    columns[used + a] = column + a
                used += 6
            for a in range(width[camera]):
                for c in range(3):
                    rows[used, c] = ji[i, 0, a] * q[i, 0, c] + ji[i, 1, a] * q[i, 1, c]
                columns[used] = camera_column[camera] + a
                used += 1
        for c in range(3):
            for d in range(3):
                total = 0.0
                for a in range(used):
                    for b in range(used):
                        total += rows[a, c] * inverse[columns[a], columns[b]] * rows[b, d]
                coupled[point, c, d] = total


@njit(nogil=True, cache=True)
def reprojection_lengths(
    photo, point, xy, camera_of, rotations, translations, points, fisheye, canonical, behind, lengths
):
    """Distance in pixels of each projection from its measurement; ``behind`` the camera it is infinite, if asked."""
    for i in range(len(photo)):
        n, p = photo[i], point[i]
        camera = camera_of[n]
        c = canonical[camera]
        px, py, pz = points[p, 0], points[p, 1], points[p, 2]
        x0 = rotations[n, 0, 0] * px + rotations[n, 0, 1] * py + rotations[n, 0, 2] * pz + translations[n, 0]
        x1 = rotations[n, 1, 0] * px + rotations[n, 1, 1] * py + rotations[n, 1, 2] * pz + translations[n, 1]
        x2 = rotations[n, 2, 0] * px + rotations[n, 2, 1] * py + rotations[n, 2, 2] * pz + translations[n, 2]
        if behind and not x2 > 0.0:
            lengths[i] = np.inf
            continue
        x2 = _away_from_zero(x0, x1, x2)
        distorted = distort(fisheye[camera], c, x0 / x2, x1 / x2)
        lengths[i] = math.hypot(c[0] * distorted[0] + c[2] - xy[i, 0], c[1] * distorted[1] + c[3] - xy[i, 1])
