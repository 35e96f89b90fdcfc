"""The kernels of PatchMatch: how well the neighbors confirm a plane at a pixel, and the search for a better one.

A hypothesis at pixel (x, y) is a plane given as inverse depth: ``w`` at the pixel's center and its slopes ``wx`` and
``wy`` per pixel. Inverse depth is affine in the pixel on a plane, so a neighbor takes a hypothesis over by
``w + wx * dx + wy * dy``, and pixel (x, y) lies in a source view at ``A (x, y, 1) + b w``, up to scale.

Pixels count from 0 at the center of the first one here, as array indices do. Half of the pixels, as on a
checkerboard, are searched while the others stand still, so rows can be given to threads without changing a bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

_f = np.float32

_FAST = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}
_INLINE = {**_FAST, "forceinline": True}
"""Of a function that is called for every hypothesis and source: a real call would count references to every array."""

SAMPLES = 48
"""Pixels of a patch: three registers of 16 numbers, and known when the kernel is compiled, so its loop is unrolled."""

WORST = 2.0
"""The matching cost where nothing correlates, or where a source does not see the pixel; the best is 0."""

CANDIDATES = 9
"""The hypothesis that a pixel has, and one from each of eight regions around it."""

VARIATIONS = 5
"""How often the best of them is varied."""

RARELY = 8
"""A source that neither the pixel nor those beside it use is still tried at one pixel in so many."""


class Patch(NamedTuple):
    """The pixels around one that are compared.

    Attributes:
        dx, dy: their places relative to the middle, shape (SAMPLES,).
        weight: by distance from the middle, shape (SAMPLES,).
        radius: of the patch in pixels.
        contrast: gray values of difference to the middle at which the weight of a pixel falls to 1/e.
        noise: variance of the gray values that is no texture.
    """

    dx: np.ndarray
    dy: np.ndarray
    weight: np.ndarray
    radius: np.float32
    contrast: np.float32
    noise: np.float32


class Sources(NamedTuple):
    """The source views, one after the other in flat arrays.

    Attributes:
        texels: the gray values of a pixel and of those to its right, below and both, a byte each, shape (T,).
        allowed: whether a pixel of a source may be used, shape (T,).
        inverse: inverse depth of a pixel of a source, 0 where unknown; no elements to do without, shape (T,) or (0,).
        start: where each source begins, shape (N,).
        width, height: its size, shape (N,).
        there, there_shift: A and b from the reference to the source, shapes (N, 9) and (N, 3).
        back, back_shift: the same from the source to the reference.
    """

    texels: np.ndarray
    allowed: np.ndarray
    inverse: np.ndarray
    start: np.ndarray
    width: np.ndarray
    height: np.ndarray
    there: np.ndarray
    there_shift: np.ndarray
    back: np.ndarray
    back_shift: np.ndarray


class Field(NamedTuple):
    """What is known at every pixel of the reference, and is searched for.

    Attributes:
        gray: shape (H, W).
        mask: whether a depth is wanted, shape (H, W).
        planes: w, wx and wy of the hypothesis, shape (H, W, 3).
        cost: of the hypothesis, shape (H, W).
        visible: how much each source is trusted to see the pixel, 0 to 1, shape (H, W, N).
    """

    gray: np.ndarray
    mask: np.ndarray
    planes: np.ndarray
    cost: np.ndarray
    visible: np.ndarray


class Search(NamedTuple):
    """How one sweep searches.

    Attributes:
        seed: of its random numbers.
        strict: the cost below which a source counts as seeing the pixel.
        step: pixels in the source views by which a hypothesis is moved at most.
        roam: whether depths are also drawn from the whole range.
        nearest, farthest: largest and smallest inverse depth.
        same: pixels of difference below which two hypotheses are one.
        consistency: cost of a pixel of distance, there and back through the depth of a source.
        farthest_miss: this distance counts no more than so many pixels.
        everywhere: whether every source is tried at every pixel.
    """

    seed: np.uint32
    strict: np.float32
    step: np.float32
    roam: bool
    nearest: np.float32
    farthest: np.float32
    same: np.float32
    consistency: np.float32
    farthest_miss: np.float32
    everywhere: bool


def _regions() -> tuple[np.ndarray, np.ndarray]:
    """For each of eight regions around a pixel, all of the other color, the places in it (Xu and Tao 2019)."""
    near = [(0, 1), (-1, 2), (1, 2), (-2, 3), (2, 3), (-3, 4), (3, 4)]
    far = [(0, step) for step in range(3, 25, 2)]
    turns = ((1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, 1, 0))
    places = [[(a * x + b * y, c * x + d * y) for x, y in area] for a, b, c, d in turns for area in (near, far)]
    table = np.zeros((len(places), len(far), 2), np.int32)
    for row, area in zip(table, places, strict=True):
        row[: len(area)] = area
    return table, np.array([len(area) for area in places], np.int32)


PLACES, COUNTS = _regions()


@njit(**_FAST)
def _random(seed, pixel, draw):
    """A number from 0 to 1 that depends on nothing but its arguments."""
    # Numba widens products of 32 bits to 64; each is cut again.
    x = np.uint32(seed) * np.uint32(0x9E3779B1) + np.uint32(pixel) * np.uint32(0x85EBCA77)
    x = np.uint32(x + np.uint32(draw) * np.uint32(0xC2B2AE3D))
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    x = np.uint32(x ^ (x >> np.uint32(16)))
    return _f(x >> np.uint32(8)) * _f(1.0 / 16777216.0)


@njit(**_FAST)
def _look(gray, x, y, patch, weight, deviation):
    """Bilateral weights of the patch around a pixel, weighted deviations from its mean, and its variance."""
    height, width = gray.shape
    middle, softness = gray[y, x], _f(1) / patch.contrast
    total, mean = _f(0), _f(0)
    for k in range(SAMPLES):
        column = min(max(x + np.int32(patch.dx[k]), 0), width - 1)
        row = min(max(y + np.int32(patch.dy[k]), 0), height - 1)
        value = gray[row, column]
        w = patch.weight[k] * np.exp(-abs(value - middle) * softness)
        weight[k] = w
        deviation[k] = value
        total += w
        mean += w * value
    mean /= total
    variance = _f(0)
    for k in range(SAMPLES):
        w, d = weight[k] / total, deviation[k] - mean
        weight[k] = w
        deviation[k] = w * d
        variance += w * d * d
    return variance


@njit(**_INLINE)
def _mismatch(sources, j, x, y, w, wx, wy, patch, weight, deviation, variance):
    """1 - weighted normalized cross-correlation of the patch with source j, seen through a plane."""
    a, b = sources.there, sources.there_shift
    x0 = a[j, 0] * x + a[j, 1] * y + a[j, 2] + b[j, 0] * w
    y0 = a[j, 3] * x + a[j, 4] * y + a[j, 5] + b[j, 1] * w
    z0 = a[j, 6] * x + a[j, 7] * y + a[j, 8] + b[j, 2] * w
    xu, yu, zu = a[j, 0] + b[j, 0] * wx, a[j, 3] + b[j, 1] * wx, a[j, 6] + b[j, 2] * wx
    xv, yv, zv = a[j, 1] + b[j, 0] * wy, a[j, 4] + b[j, 1] * wy, a[j, 7] + b[j, 2] * wy
    zero, one, cost = _f(0), _f(1), _f(WORST)
    width, start = sources.width[j], sources.start[j]
    right, bottom = _f(width - 1), _f(sources.height[j] - 1)
    column, row = x0 / z0, y0 / z0
    inside = z0 > zero and z0 - (abs(zu) + abs(zv)) * patch.radius > _f(0.2) * z0
    inside = inside and column >= zero and row >= zero and column <= right and row <= bottom
    if inside and sources.allowed[np.uint32(start + np.int32(row + _f(0.5)) * width + np.int32(column + _f(0.5)))]:
        mean, square, product = zero, zero, zero
        for k in range(SAMPLES):
            dx, dy = patch.dx[k], patch.dy[k]
            scale = one / (z0 + zu * dx + zv * dy)
            column = min(max((x0 + xu * dx + xv * dy) * scale, zero), right)
            row = min(max((y0 + yu * dx + yv * dy) * scale, zero), bottom)
            left, top = np.int32(column), np.int32(row)
            column -= _f(left)
            row -= _f(top)
            # One gather fetches the four gray values to interpolate between.
            texel = sources.texels[np.uint32(start + top * width + left)]
            upper = _f(np.int32(texel & np.uint32(255)))
            lower = _f(np.int32((texel >> np.uint32(16)) & np.uint32(255)))
            upper += column * (_f(np.int32((texel >> np.uint32(8)) & np.uint32(255))) - upper)
            lower += column * (_f(np.int32(texel >> np.uint32(24))) - lower)
            value = upper + row * (lower - upper)
            weighted = weight[k] * value
            mean += weighted
            square += weighted * value
            product += deviation[k] * value
        spread = max(square - mean * mean, zero)
        cost = min(one - product / np.sqrt((spread + patch.noise) * (variance + patch.noise)), cost)
    return cost


@njit(**_INLINE)
def _round_trip(sources, j, x, y, w, farthest):
    """Pixels between (x, y) and where source j's own depth sends it back to."""
    a, b, miss = sources.there, sources.there_shift, farthest
    z = a[j, 6] * x + a[j, 7] * y + a[j, 8] + b[j, 2] * w
    column = (a[j, 0] * x + a[j, 1] * y + a[j, 2] + b[j, 0] * w) / z + _f(0.5)
    row = (a[j, 3] * x + a[j, 4] * y + a[j, 5] + b[j, 1] * w) / z + _f(0.5)
    if z > _f(0) and column > _f(0) and row > _f(0) and column < sources.width[j] and row < sources.height[j]:
        there = sources.inverse[np.uint32(sources.start[j] + np.int32(row) * sources.width[j] + np.int32(column))]
        column, row = column - _f(0.5), row - _f(0.5)
        a, b = sources.back, sources.back_shift
        z = a[j, 6] * column + a[j, 7] * row + a[j, 8] + b[j, 2] * there
        if there > _f(0) and z > _f(0):
            dx = (a[j, 0] * column + a[j, 1] * row + a[j, 2] + b[j, 0] * there) / z - x
            dy = (a[j, 3] * column + a[j, 4] * row + a[j, 5] + b[j, 1] * there) / z - y
            miss = min(np.sqrt(dx * dx + dy * dy), farthest)
    return miss


@njit(**_FAST)
def _parallax(sources, x, y, w):
    """Pixels that the point moves in a source view per unit of inverse depth, the largest over all sources."""
    largest = _f(0)
    for j in range(sources.start.shape[0]):
        a, b = sources.there[j], sources.there_shift[j]
        z = a[6] * x + a[7] * y + a[8] + b[2] * w
        if z > _f(0):
            column = (a[0] * x + a[1] * y + a[2] + b[0] * w) / z
            row = (a[3] * x + a[4] * y + a[5] + b[1] * w) / z
            dx, dy = (b[0] - column * b[2]) / z, (b[1] - row * b[2]) / z
            largest = max(largest, dx * dx + dy * dy)
    return np.sqrt(largest)


@njit(**_FAST)
def _gather(field, x, y, search, radius, parallax, candidates):
    """The pixel's own hypothesis and the cheapest of each region around it, each once; gives their number."""
    height, width = field.cost.shape
    candidates[0] = field.planes[y, x]
    count, same = 1, search.same / parallax
    for region in range(PLACES.shape[0]):
        cheapest, column, row = _f(np.inf), -1, -1
        for k in range(COUNTS[region]):
            i, j = x + PLACES[region, k, 0], y + PLACES[region, k, 1]
            if i >= 0 and j >= 0 and i < width and j < height and field.cost[j, i] < cheapest:
                cheapest, column, row = field.cost[j, i], i, j
        if column < 0:
            continue
        wx, wy = field.planes[row, column, 1], field.planes[row, column, 2]
        w = field.planes[row, column, 0] + wx * _f(x - column) + wy * _f(y - row)
        new = w >= search.farthest and w <= search.nearest
        for q in range(count):
            other = candidates[q]
            if abs(w - other[0]) + (abs(wx - other[1]) + abs(wy - other[2])) * radius < same:
                new = False
        if new:
            candidates[count, 0], candidates[count, 1], candidates[count, 2] = w, wx, wy
            count += 1
    return count


@njit(**_FAST)
def _nearby_use(visible, x, y, j):
    """How much the four pixels beside one use source j, on average."""
    height, width, _ = visible.shape
    total, count = _f(0), _f(0)
    if x > 0:
        total, count = total + visible[y, x - 1, j], count + _f(1)
    if x < width - 1:
        total, count = total + visible[y, x + 1, j], count + _f(1)
    if y > 0:
        total, count = total + visible[y - 1, x, j], count + _f(1)
    if y < height - 1:
        total, count = total + visible[y + 1, x, j], count + _f(1)
    return total / max(count, _f(1))


@njit(**_FAST)
def _trust(costs, strict):
    """How likely a source sees the pixel, from what it says of the candidates (Xu and Tao 2019)."""
    good, bad, likely = 0, 0, _f(0)
    for c in costs:
        if c < strict:
            good += 1
            likely += np.exp(-c * c * _f(1 / 0.18))
        elif c > _f(1.2):
            bad += 1
    if good > 0 and 3 * bad <= len(costs):
        return likely / _f(good)
    return _f(0.05) * np.exp(-strict * strict * _f(1 / 0.18)) if 2 * bad <= len(costs) else _f(0)


@njit(**_FAST)
def _try_views(visible, x, y, search, nearby, used):
    """The sources to try at a pixel and how much those beside it use each; gives the number of the former."""
    count = 0
    for j in range(len(nearby)):
        nearby[j] = _nearby_use(visible, x, y, j)
        rarely = _random(search.seed, y * visible.shape[1] + x, 1000 + j) < _f(1 / RARELY)
        if search.everywhere or rarely or nearby[j] + visible[y, x, j] > _f(0.05):
            used[count] = j
            count += 1
    if count == 0:
        for j in range(len(nearby)):
            used[j] = j
        count = len(nearby)
    return count


@njit(**_FAST)
def _choose_views(costs, tried, nearby, visible, search, share, used):
    """From the sources tried to those trusted: their trust to ``visible``, their shares of 1 to ``share``."""
    most, count, total = _f(0), 0, _f(0)
    visible[:] = _f(0)
    for i in range(tried):
        j = used[i]
        share[j] = _trust(costs[:, j], search.strict) * (_f(0.1) + nearby[j])
        most = max(most, share[j])
    for i in range(tried):
        j = used[i]
        if most <= _f(1e-6):
            share[j] = _f(1)
        if share[j] >= _f(0.1) * most:
            visible[j] = min(share[j] / max(most, _f(1e-6)), _f(1))
            used[count] = j
            count += 1
            total += share[j]
    for i in range(count):
        share[used[i]] /= total
    return count


@njit(**_FAST)
def _cost(costs, misses, q, share, used):
    """The cost of candidate q over the chosen sources."""
    cost = _f(0)
    for j in used:
        cost += share[j] * (costs[q, j] + misses[q, j])
    return cost


@njit(**_FAST)
def _cheapest(costs, misses, share, used):
    """The candidate of least cost."""
    least, best = _f(np.inf), 0
    for q in range(len(costs)):
        cost = _cost(costs, misses, q, share, used)
        if cost < least:
            least, best = cost, q
    return best


@njit(**_FAST)
def _vary(field, x, y, w, wx, wy, attempt, search, radius, parallax):
    """A hypothesis like the given one; ``w`` is 0 where this attempt has none."""
    pixel = y * field.cost.shape[1] + x
    a = _f(2) * _random(search.seed, pixel, 4 * attempt) - _f(1)
    b = _f(2) * _random(search.seed, pixel, 4 * attempt + 1) - _f(1)
    c = _f(2) * _random(search.seed, pixel, 4 * attempt + 2) - _f(1)
    step = search.step / parallax
    tilt = step / radius
    if attempt == 0:
        return w + a * step, wx, wy
    if attempt == 1:
        return w, wx + b * tilt, wy + c * tilt
    if attempt == 2:
        return w + _f(0.5) * a * step, wx + _f(0.5) * b * tilt, wy + _f(0.5) * c * tilt
    if attempt == 3:
        height, width = field.cost.shape
        if x < 1 or y < 1 or x >= width - 1 or y >= height - 1:
            return _f(0), wx, wy
        across, down = field.planes[y, x + 1, 0] - field.planes[y, x - 1, 0], field.planes[y + 1, x, 0]
        return w, _f(0.5) * across, _f(0.5) * (down - field.planes[y - 1, x, 0])
    if search.roam:
        drawn = search.farthest + (search.nearest - search.farthest) * _random(search.seed, pixel, 4 * attempt + 3)
        return drawn, wx * drawn / w, wy * drawn / w
    return _f(0), wx, wy


@njit(**_FAST)
def sweep(first, last, edges, parity, field, sources, patch, search):
    """Search once at every pixel of one color, in the bands of rows from ``first`` to ``last``.

    Args:
        edges: where bands of rows begin and end, shape (bands + 1,).
        parity: 0 or 1, the color.
        field: changed in place, at the pixels of this color only.
    """
    n, width = sources.start.shape[0], field.cost.shape[1]
    weight, deviation = np.empty(SAMPLES, np.float32), np.empty(SAMPLES, np.float32)
    candidates, costs = np.empty((CANDIDATES, 3), np.float32), np.empty((CANDIDATES, n), np.float32)
    share, nearby, misses = np.empty(n, np.float32), np.empty(n, np.float32), np.zeros((CANDIDATES, n), np.float32)
    used, consistent = np.empty(n, np.int64), sources.inverse.shape[0] > 0
    for y in range(edges[first], edges[last]):
        for x in range((y + parity) & 1, width, 2):
            parallax = _parallax(sources, _f(x), _f(y), field.planes[y, x, 0]) if field.mask[y, x] else _f(0)
            if parallax <= _f(0):
                continue
            variance = _look(field.gray, x, y, patch, weight, deviation)
            candidate_count = _gather(field, x, y, search, patch.radius, parallax, candidates)
            use_count = _try_views(field.visible, x, y, search, nearby, used)
            least, w, wx, wy = _f(np.inf), _f(0), _f(0), _f(0)
            for q in range(candidate_count + VARIATIONS):
                if q == candidate_count:
                    costs_here = costs[:candidate_count]
                    use_count = _choose_views(costs_here, use_count, nearby, field.visible[y, x], search, share, used)
                    best = _cheapest(costs_here, misses, share, used[:use_count])
                    w, wx, wy = candidates[best, 0], candidates[best, 1], candidates[best, 2]
                    least = _cost(costs, misses, best, share, used[:use_count])
                known = q < candidate_count
                if known:
                    v, vx, vy = candidates[q, 0], candidates[q, 1], candidates[q, 2]
                else:
                    attempt = q - candidate_count
                    v, vx, vy = _vary(field, x, y, w, wx, wy, attempt, search, patch.radius, parallax)
                    if v < search.farthest or v > search.nearest:
                        continue
                cost = _f(0)
                for i in range(use_count):
                    j = used[i]
                    one = _mismatch(sources, j, _f(x), _f(y), v, vx, vy, patch, weight, deviation, variance)
                    miss = _f(0)
                    if consistent:
                        miss = search.consistency * _round_trip(sources, j, _f(x), _f(y), v, search.farthest_miss)
                    if known:
                        costs[q, j], misses[q, j] = one, miss
                    else:
                        cost += share[j] * (one + miss)
                        if cost > least:
                            break
                if not known and cost < least:
                    least, w, wx, wy = cost, v, vx, vy
            field.planes[y, x, 0], field.planes[y, x, 1], field.planes[y, x, 2] = w, wx, wy
            field.cost[y, x] = least


@njit(**_FAST)
def judge(first, last, edges, field, sources, patch, search, texture, parallax, mismatch, miss):
    """What each source says of the hypothesis at every pixel.

    Args:
        texture: the variance of each patch, filled here, shape (H, W).
        parallax: pixels that the point moves in a source per unit of inverse depth, filled here, shape (H, W).
        mismatch: the cost by each source, filled here, shape (H, W, N).
        miss: pixels of the way there and back by each source, filled here, shape (H, W, N).
    """
    weight, deviation = np.empty(SAMPLES, np.float32), np.empty(SAMPLES, np.float32)
    for y in range(edges[first], edges[last]):
        for x in range(field.cost.shape[1]):
            if not field.mask[y, x]:
                continue
            w, wx, wy = field.planes[y, x, 0], field.planes[y, x, 1], field.planes[y, x, 2]
            variance = _look(field.gray, x, y, patch, weight, deviation)
            texture[y, x], parallax[y, x] = variance, _parallax(sources, _f(x), _f(y), w)
            for j in range(sources.start.shape[0]):
                one = _mismatch(sources, j, _f(x), _f(y), w, wx, wy, patch, weight, deviation, variance)
                mismatch[y, x, j] = one
                if sources.inverse.shape[0]:
                    miss[y, x, j] = _round_trip(sources, j, _f(x), _f(y), w, search.farthest_miss)
