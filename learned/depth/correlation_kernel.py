"""Group-wise correlation on a CPU in one pass, without the sampled features in between."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def correlate_one(
    reference: np.ndarray, source: np.ndarray, homography: np.ndarray, epipole: np.ndarray, inverse: np.ndarray,
    coarser: np.float32, out: np.ndarray,
) -> None:  # fmt: skip
    """Correlate a view with one source, bilinearly between its pixels, zero outside it.

    Args:
        reference: features, float32, shape (h, w, C).
        source: features, float32, shape (hs, ws, C).
        homography, epipole: of the rays, float32, shapes (3, 3) and (3,).
        inverse: inverse depths, float32, shape (K, h, w).
        coarser: pixels of the rays on a side of a pixel of the source's features.
        out: mean product over each group of channels, shape (groups, K, h, w).
    """
    height, width, channels = reference.shape
    rows, columns, _ = source.shape
    groups, count = out.shape[:2]
    each = channels // groups
    share = np.float32(1) / np.float32(each)
    half = np.float32(0.5)
    products = np.empty(channels, np.float32)
    for v in range(height):
        for u in range(width):
            x, y = u + half, v + half
            px = homography[0, 0] * x + homography[0, 1] * y + homography[0, 2]
            py = homography[1, 0] * x + homography[1, 1] * y + homography[1, 2]
            pz = homography[2, 0] * x + homography[2, 1] * y + homography[2, 2]
            for k in range(count):
                for g in range(groups):
                    out[g, k, v, u] = 0
                z = (pz + epipole[2] * inverse[k, v, u]) * coarser
                if z <= np.float32(1e-6):
                    continue
                column = (px + epipole[0] * inverse[k, v, u]) / z - half
                row = (py + epipole[1] * inverse[k, v, u]) / z - half
                if not (-1 < column < columns and -1 < row < rows):
                    continue
                left, top = int(np.floor(column)), int(np.floor(row))
                right, below = column - left, row - top
                for c in range(channels):
                    products[c] = 0
                for corner in range(4):
                    i, j = top + corner // 2, left + corner % 2
                    if 0 <= i < rows and 0 <= j < columns:
                        weight = (right if corner % 2 else 1 - right) * (below if corner // 2 else 1 - below)
                        for c in range(channels):
                            products[c] += weight * source[i, j, c]
                for g in range(groups):
                    total = np.float32(0)
                    for c in range(g * each, (g + 1) * each):
                        total += products[c] * reference[v, u, c]
                    out[g, k, v, u] = total * share
