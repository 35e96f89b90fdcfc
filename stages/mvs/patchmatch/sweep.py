"""One sweep of PatchMatch: search for a better plane at every second pixel.

Half of the pixels, as on a checkerboard, are searched while the others stand still, so threads can share the rows and
the result does not depend on their number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .arrays import (
    CANDIDATES,
    COUNTS,
    PERTURBATIONS,
    PLACES,
    RETRY_PERIOD,
    SAMPLES,
    Field,
    Patch,
    Search,
    Sources,
    Window,
)
from .matching_cost import FAST, fill_window, matching_cost, parallax_at, round_trip_error

_f = np.float32


class _Workspace(NamedTuple):
    """Arrays that the search of each pixel overwrites.

    Attributes:
        candidates: planes, shape (CANDIDATES, 3).
        cost: matching cost by candidate and source, shape (CANDIDATES, N).
        round_trip: weighted round-trip error by candidate and source, shape (CANDIDATES, N).
        share: weight of each used source in the cost, sum 1, shape (N,).
        neighbors: visibility of each source at the neighbors, shape (N,).
        used: indices of the sources that are compared, the first of shape (N,).
    """

    candidates: np.ndarray
    cost: np.ndarray
    round_trip: np.ndarray
    share: np.ndarray
    neighbors: np.ndarray
    used: np.ndarray


@njit(**FAST)
def _random(seed: np.uint32, pixel: int, draw: int) -> np.float32:
    """A number from 0 to 1 that depends on nothing but its arguments."""
    # Numba widens products of 32 bits to 64; each is cut again.
    x = np.uint32(seed) * np.uint32(0x9E3779B1) + np.uint32(pixel) * np.uint32(0x85EBCA77)
    x = np.uint32(x + np.uint32(draw) * np.uint32(0xC2B2AE3D))
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    x = np.uint32(x ^ (x >> np.uint32(16)))
    return _f(x >> np.uint32(8)) * _f(1.0 / 16777216.0)


@njit(**FAST)
def _gather(
    field: Field, x: int, y: int, search: Search, radius: np.float32, parallax: np.float32, candidates: np.ndarray
) -> int:
    """Collect the pixel's own hypothesis and the cheapest of each region around it, each once; returns their number."""
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
        new = w >= search.min_inverse and w <= search.max_inverse
        for q in range(count):
            other = candidates[q]
            if abs(w - other[0]) + (abs(wx - other[1]) + abs(wy - other[2])) * radius < same:
                new = False
        if new:
            candidates[count, 0], candidates[count, 1], candidates[count, 2] = w, wx, wy
            count += 1
    return count


@njit(**FAST)
def _neighbor_visibility(visible: np.ndarray, x: int, y: int, j: int) -> np.float32:
    """Mean visibility of source j over the four neighbors of a pixel."""
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


@njit(**FAST)
def _visibility(costs: np.ndarray, good_cost: np.float32) -> np.float32:
    """How likely a source sees the pixel, from its costs of the candidates (Xu and Tao 2019)."""
    good, bad, likely = 0, 0, _f(0)
    for c in costs:
        if c < good_cost:
            good += 1
            likely += np.exp(-c * c * _f(1 / 0.18))
        elif c > _f(1.2):
            bad += 1
    if good > 0 and 3 * bad <= len(costs):
        return likely / _f(good)
    return _f(0.05) * np.exp(-good_cost * good_cost * _f(1 / 0.18)) if 2 * bad <= len(costs) else _f(0)


@njit(**FAST)
def _views_to_try(visible: np.ndarray, x: int, y: int, search: Search, work: _Workspace) -> int:
    """List the sources to try at a pixel in ``work.used``, and the neighbors' visibility; returns how many to try."""
    count, sources = 0, len(work.neighbors)
    for j in range(sources):
        work.neighbors[j] = _neighbor_visibility(visible, x, y, j)
        retry = _random(search.seed, y * visible.shape[1] + x, 1000 + j) < _f(1 / RETRY_PERIOD)
        if search.all_sources or retry or work.neighbors[j] + visible[y, x, j] > _f(0.05):
            work.used[count] = j
            count += 1
    if count == 0:
        for j in range(sources):
            work.used[j] = j
        count = sources
    return count


@njit(**FAST)
def _choose_views(candidates: int, tried: int, visible: np.ndarray, search: Search, work: _Workspace) -> int:
    """Keep of the sources tried those that likely see the pixel, with their visibility and weights; returns how many.

    Args:
        candidates: number of candidates whose costs are known.
        tried: number of sources tried.
        visible: visibility of each source, filled here, shape (N,).
    """
    most, count, total = _f(0), 0, _f(0)
    used, share = work.used, work.share
    visible[:] = _f(0)
    for i in range(tried):
        j = used[i]
        share[j] = _visibility(work.cost[:candidates, j], search.good_cost) * (_f(0.1) + work.neighbors[j])
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


@njit(**FAST)
def _cheapest(candidates: int, count: int, work: _Workspace) -> tuple[int, np.float32]:
    """The candidate of least cost over the first ``count`` used sources, and that cost."""
    least, best = _f(np.inf), 0
    for q in range(candidates):
        cost = _f(0)
        for j in work.used[:count]:
            cost += work.share[j] * (work.cost[q, j] + work.round_trip[q, j])
        if cost < least:
            least, best = cost, q
    return best, least


@njit(**FAST)
def _perturb(
    field: Field,
    x: int,
    y: int,
    plane: tuple[np.float32, np.float32, np.float32],
    attempt: int,
    search: Search,
    radius: np.float32,
    parallax: np.float32,
) -> tuple[np.float32, np.float32, np.float32]:
    """A plane near the given one; ``w`` is 0 where this attempt gives none.

    Attempt 0 changes the depth, 1 the slopes, 2 both by half, 3 takes the slopes from the neighbors' depths, 4 draws a
    depth from the whole range.
    """
    w, wx, wy = plane
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
    if search.sample_full_range:
        part = _random(search.seed, pixel, 4 * attempt + 3)
        drawn = search.min_inverse + (search.max_inverse - search.min_inverse) * part
        return drawn, wx * drawn / w, wy * drawn / w
    return _f(0), wx, wy


@njit(**FAST)
def sweep(
    first: int, last: int, edges: np.ndarray, parity: int, field: Field, sources: Sources, patch: Patch, search: Search
) -> None:
    """Search once at every pixel of one color, in the bands of rows from ``first`` to ``last``.

    Args:
        edges: where bands of rows begin and end, shape (bands + 1,).
        parity: 0 or 1, the color.
        field: changed in place, at the pixels of this color only.
    """
    n, width = sources.start.shape[0], field.cost.shape[1]
    window = Window(patch, np.empty(SAMPLES, np.float32), np.empty(SAMPLES, np.float32))
    work = _Workspace(
        np.empty((CANDIDATES, 3), np.float32),
        np.empty((CANDIDATES, n), np.float32),
        np.zeros((CANDIDATES, n), np.float32),
        np.empty(n, np.float32),
        np.empty(n, np.float32),
        np.empty(n, np.int64),
    )
    has_depths = sources.inverse.shape[0] > 0
    for y in range(edges[first], edges[last]):
        for x in range((y + parity) & 1, width, 2):
            parallax = parallax_at(sources, _f(x), _f(y), field.planes[y, x, 0]) if field.mask[y, x] else _f(0)
            if parallax <= _f(0):
                continue
            variance = fill_window(field.gray, x, y, window)
            candidates = _gather(field, x, y, search, patch.radius, parallax, work.candidates)
            used = _views_to_try(field.visible, x, y, search, work)
            least, best = _f(np.inf), (_f(0), _f(0), _f(0))
            # One loop over candidates and then perturbations of the best, so that the matching cost is inlined once.
            for q in range(candidates + PERTURBATIONS):
                if q == candidates:
                    used = _choose_views(candidates, used, field.visible[y, x], search, work)
                    cheapest, least = _cheapest(candidates, used, work)
                    best = (work.candidates[cheapest, 0], work.candidates[cheapest, 1], work.candidates[cheapest, 2])
                is_candidate = q < candidates
                if is_candidate:
                    plane = (work.candidates[q, 0], work.candidates[q, 1], work.candidates[q, 2])
                else:
                    plane = _perturb(field, x, y, best, q - candidates, search, patch.radius, parallax)
                    if plane[0] < search.min_inverse or plane[0] > search.max_inverse:
                        continue
                cost = _f(0)
                for i in range(used):
                    j = work.used[i]
                    mismatch = matching_cost(sources, j, _f(x), _f(y), plane, window, variance)
                    round_trip = _f(0)
                    if has_depths:
                        error = round_trip_error(sources, j, _f(x), _f(y), plane[0], search.max_round_trip)
                        round_trip = search.consistency * error
                    if is_candidate:
                        work.cost[q, j], work.round_trip[q, j] = mismatch, round_trip
                    else:
                        cost += work.share[j] * (mismatch + round_trip)
                        if cost > least:
                            break
                if not is_candidate and cost < least:
                    least, best = cost, plane
            field.planes[y, x, 0], field.planes[y, x, 1], field.planes[y, x, 2] = best
            field.cost[y, x] = least
