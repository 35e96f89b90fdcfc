"""Cubic convolution (Keys 1981): the value of an image between its pixels, for compiled kernels that follow patches.

A linear interpolation blurs by where it samples, and a shift found between two of its results leans towards whole
pixels; this one keeps them apart by less than 0.01 px.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _weights(t: float) -> tuple[float, float, float, float]:
    """Of the four pixels around a position ``t`` of the way from the second to the third."""
    return (
        t * (-0.5 + t * (1.0 - 0.5 * t)),
        1.0 + t * t * (1.5 * t - 2.5),
        t * (0.5 + t * (2.0 - 1.5 * t)),
        t * t * (0.5 * t - 0.5),
    )


@njit(cache=True, nogil=True)
def interpolate(image: np.ndarray, x: float, y: float) -> float:
    """The value of an image (H, W) at a position whose origin is the centre of the first pixel; constant beyond."""
    height, width = image.shape
    column, row = int(np.floor(x)), int(np.floor(y))
    x0, x1, x2, x3 = _weights(x - column)
    y0, y1, y2, y3 = _weights(y - row)
    a, b = min(max(column - 1, 0), width - 1), min(max(column, 0), width - 1)
    c, d = min(max(column + 1, 0), width - 1), min(max(column + 2, 0), width - 1)
    total = 0.0
    for step, weight in enumerate((y0, y1, y2, y3)):
        line = image[min(max(row - 1 + step, 0), height - 1)]
        total += weight * (x0 * line[a] + x1 * line[b] + x2 * line[c] + x3 * line[d])
    return total


@njit(cache=True, nogil=True)
def cut(image: np.ndarray, center: np.ndarray, affine: np.ndarray, patch: np.ndarray) -> None:
    """Fill a square patch (S, S) with an image (H, W) around a place.

    Args:
        center: where the middle of the patch lies, from the centre of the image's first pixel, shape (2,).
        affine: from steps of the patch to steps of the image, shape (2, 2).
    """
    size = len(patch)
    half = 0.5 * (size - 1)
    for row in range(size):
        for column in range(size):
            u, v = column - half, row - half
            patch[row, column] = interpolate(
                image, center[0] + affine[0, 0] * u + affine[0, 1] * v, center[1] + affine[1, 0] * u + affine[1, 1] * v
            )
