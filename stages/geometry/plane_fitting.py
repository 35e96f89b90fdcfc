"""Planes fitted around every pixel of a depth map: smoother depth, and normals.

The inverse depth of a plane is linear in the pixel: ``1/z = (gu, gv, c) (u, v, 1)``. So a plane fits by linear least
squares, and its gradient gives the normal.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def fit_planes(
    first: int,
    last: int,
    rows: int,
    inverse: np.ndarray,
    weight: np.ndarray,
    unit: np.ndarray,
    radius: int,
    stride: int,
    tolerance: np.float32,
    slope: np.float32,
    fitted: np.ndarray,
    gradient: np.ndarray,
    support: np.ndarray,
) -> None:
    """Fit a plane about every pixel to the inverse depths that may belong to its surface.

    Args:
        first, last: chunks to fill, of ``rows`` rows each.
        inverse: inverse depths, shape (H, W).
        weight: of each of them, 0 to ignore it, shape (H, W).
        unit: the difference of inverse depth that is the unit of ``tolerance`` and ``slope``, shape (H, W).
        radius: how far the neighborhood reaches, in pixels; every ``stride``-th pixel of it is taken.
        tolerance, slope: a neighbor r pixels away belongs to the surface where it differs from the center by less than
            ``tolerance + slope r`` units; Tukey's biweight of that.
        fitted: filled with the inverse depth of the plane, shape (H, W).
        gradient: filled with its derivative by u and v, shape (H, W, 2).
        support: filled with the share of the neighborhood's weights that belong, 0 where there is nothing to fit,
            shape (H, W).
    """
    height, width = inverse.shape
    for chunk in range(first, last):
        for row in range(chunk * rows, min((chunk + 1) * rows, height)):
            for column in range(width):
                center = inverse[row, column]
                n = x = y = z = xx = xy = yy = xz = yz = np.float32(0)
                taps = 0
                for dy in range(-radius, radius + 1, stride):
                    if row + dy < 0 or row + dy >= height:
                        continue
                    for dx in range(-radius, radius + 1, stride):
                        if column + dx < 0 or column + dx >= width:
                            continue
                        taps += 1
                        distance = np.float32(max(abs(dx), abs(dy)))
                        dz = inverse[row + dy, column + dx] - center
                        off = dz / (unit[row, column] * (tolerance + slope * distance))
                        if off * off >= 1:
                            continue
                        keep = np.float32(1) - off * off
                        w = keep * keep * weight[row + dy, column + dx]
                        n += w
                        x += w * dx
                        y += w * dy
                        z += w * dz
                        xx += w * dx * dx
                        xy += w * dx * dy
                        yy += w * dy * dy
                        xz += w * dx * dz
                        yz += w * dy * dz
                fitted[row, column], support[row, column] = center, 0
                gradient[row, column, 0] = gradient[row, column, 1] = 0
                if n <= 0:
                    continue
                x, y, z = x / n, y / n, z / n
                # A little isotropic spread keeps the plane of a neighborhood on one line from tilting.
                spread = np.float32(0.05)
                a, b, c = xx / n - x * x + spread, xy / n - x * y, yy / n - y * y + spread
                p, q = xz / n - x * z, yz / n - y * z
                determinant = a * c - b * b
                gu, gv = (c * p - b * q) / determinant, (a * q - b * p) / determinant
                fitted[row, column] = center + z - gu * x - gv * y
                gradient[row, column, 0], gradient[row, column, 1] = gu, gv
                support[row, column] = n / taps
