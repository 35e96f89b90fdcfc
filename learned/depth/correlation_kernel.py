"""Group-wise correlation on a CPU in one pass, without storing the sampled features."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit

_BEHIND = np.float32(1e-6)
"""Points with a smaller z are behind the source."""

Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.float32, np.ndarray], None]


@cache
def correlation_kernel(channels: int, groups: int) -> Kernel:
    """A kernel for a constant number of channels, which makes it twice as fast.

    It correlates a view with one source, bilinearly between its pixels, zero outside it. Its arguments:

    - ``reference``, ``source``: features, float32, shapes (h, w, C) and (hs, ws, C).
    - ``homography``, ``epipole``: of :class:`~diptych.learned.depth.warping.Rays`, float32, shapes (3, 3) and (3,).
    - ``inverse``: inverse depths, float32, shape (K, h, w).
    - ``coarser``: ratio of the reference's resolution to the source's.
    - ``out``: mean product over each group of channels, shape (groups, K, h, w).
    """
    each = channels // groups
    share, half, one, zero = np.float32(1 / each), np.float32(0.5), np.float32(1), np.float32(0)

    @njit(cache=True, nogil=True, fastmath=True)
    def correlate_one(
        reference: np.ndarray,
        source: np.ndarray,
        homography: np.ndarray,
        epipole: np.ndarray,
        inverse: np.ndarray,
        coarser: np.float32,
        out: np.ndarray,
    ) -> None:
        height, width, _ = reference.shape
        rows, columns, _ = source.shape
        for v in range(height):
            for u in range(width):
                x, y = u + half, v + half
                px = homography[0, 0] * x + homography[0, 1] * y + homography[0, 2]
                py = homography[1, 0] * x + homography[1, 1] * y + homography[1, 2]
                pz = homography[2, 0] * x + homography[2, 1] * y + homography[2, 2]
                here = reference[v, u]
                for k in range(inverse.shape[0]):
                    z = (pz + epipole[2] * inverse[k, v, u]) * coarser
                    column = (px + epipole[0] * inverse[k, v, u]) / max(z, _BEHIND) - half
                    row = (py + epipole[1] * inverse[k, v, u]) / max(z, _BEHIND) - half
                    if not (z > _BEHIND and -1 < column < columns and -1 < row < rows):
                        for g in range(groups):
                            out[g, k, v, u] = zero
                        continue
                    left, top = int(np.floor(column)), int(np.floor(row))
                    right, below = np.float32(column - left), np.float32(row - top)
                    # Pixels outside have weight 0; clamp their indices.
                    at_left, at_right = one - right if left >= 0 else zero, right if left + 1 < columns else zero
                    above, under = one - below if top >= 0 else zero, below if top + 1 < rows else zero
                    i, j = max(top, 0), max(left, 0)
                    i_next, j_next = min(top + 1, rows - 1), min(left + 1, columns - 1)
                    a, b, c, d = source[i, j], source[i, j_next], source[i_next, j], source[i_next, j_next]
                    wa, wb, wc, wd = above * at_left, above * at_right, under * at_left, under * at_right
                    for g in range(groups):
                        total = zero
                        for e in range(g * each, (g + 1) * each):
                            total += (wa * a[e] + wb * b[e] + wc * c[e] + wd * d[e]) * here[e]
                        out[g, k, v, u] = total * share

    return correlate_one
