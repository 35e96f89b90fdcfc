"""The matching cost of a plane at a pixel: how unlike the patch around it looks in a source, seen through the plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .arrays import MAX_COST, SAMPLES, Field, Patch, Search, Sources, Window
from .confidence import PlaneScores

_f = np.float32

FAST: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}
_INLINE: dict[str, Any] = {**FAST, "forceinline": True}
"""For functions that run for every pixel, hypothesis and source: a real call would count references to every array. It
also keeps the bits: ``fastmath`` leaves the order of additions to the compiler, which chooses it anew where a call is
inlined or not. So compare results to the byte after a change of these functions."""


@njit(**_INLINE)
def fill_window(gray: np.ndarray, x: int, y: int, window: Window) -> np.float32:
    """Fill the window with bilateral weights and weighted deviations around a pixel; returns the variance."""
    height, width = gray.shape
    patch, weight, deviation = window.patch, window.weight, window.deviation
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
def _project(
    a: np.ndarray, b: np.ndarray, j: int, x: np.float32, y: np.float32, w: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """A (x, y, 1) + b w for source j."""
    return (
        a[j, 0] * x + a[j, 1] * y + a[j, 2] + b[j, 0] * w,
        a[j, 3] * x + a[j, 4] * y + a[j, 5] + b[j, 1] * w,
        a[j, 6] * x + a[j, 7] * y + a[j, 8] + b[j, 2] * w,
    )


@njit(**_INLINE)
def matching_cost(
    sources: Sources,
    j: int,
    x: np.float32,
    y: np.float32,
    plane: tuple[np.float32, np.float32, np.float32],
    window: Window,
    variance: np.float32,
) -> np.float32:
    """1 - weighted normalized cross-correlation of the window with source j, seen through a plane (w, wx, wy)."""
    a, b, patch = sources.there, sources.there_shift, window.patch
    w, wx, wy = plane
    x0, y0, z0 = _project(a, b, j, x, y, w)
    xu, yu, zu = a[j, 0] + b[j, 0] * wx, a[j, 3] + b[j, 1] * wx, a[j, 6] + b[j, 2] * wx
    xv, yv, zv = a[j, 1] + b[j, 0] * wy, a[j, 4] + b[j, 1] * wy, a[j, 7] + b[j, 2] * wy
    zero, one, cost = _f(0), _f(1), _f(MAX_COST)
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
            weighted = window.weight[k] * value
            mean += weighted
            square += weighted * value
            product += window.deviation[k] * value
        spread = max(square - mean * mean, zero)
        cost = min(one - product / np.sqrt((spread + patch.noise) * (variance + patch.noise)), cost)
    return cost


@njit(**_INLINE)
def round_trip_error(
    sources: Sources, j: int, x: np.float32, y: np.float32, w: np.float32, largest: np.float32
) -> np.float32:
    """Pixels between (x, y) and where the depth map of source j projects it back to, at most ``largest``."""
    a, b, error = sources.there, sources.there_shift, largest
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
            error = min(np.sqrt(dx * dx + dy * dy), largest)
    return error


@njit(**FAST)
def parallax_at(sources: Sources, x: np.float32, y: np.float32, w: np.float32) -> np.float32:
    """Pixels that the point moves in a source per unit of inverse depth, the largest over all sources."""
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


@njit(**FAST)
def score_planes(
    first: int,
    last: int,
    edges: np.ndarray,
    field: Field,
    sources: Sources,
    patch: Patch,
    search: Search,
    scores: PlaneScores,
) -> None:
    """Compare the plane of every pixel with each source, in the bands of rows from ``first`` to ``last``.

    Args:
        edges: where bands of rows begin and end, shape (bands + 1,).
        scores: a :class:`~diptych.stages.mvs.patchmatch.confidence.PlaneScores`, filled here.
    """
    window = Window(patch, np.empty(SAMPLES, np.float32), np.empty(SAMPLES, np.float32))
    for y in range(edges[first], edges[last]):
        for x in range(field.cost.shape[1]):
            if not field.mask[y, x]:
                continue
            plane = (field.planes[y, x, 0], field.planes[y, x, 1], field.planes[y, x, 2])
            variance = fill_window(field.gray, x, y, window)
            scores.texture[y, x], scores.parallax[y, x] = variance, parallax_at(sources, _f(x), _f(y), plane[0])
            for j in range(sources.start.shape[0]):
                scores.cost[y, x, j] = matching_cost(sources, j, _f(x), _f(y), plane, window, variance)
                if sources.inverse.shape[0]:
                    error = round_trip_error(sources, j, _f(x), _f(y), plane[0], search.max_round_trip)
                    scores.round_trip[y, x, j] = error
