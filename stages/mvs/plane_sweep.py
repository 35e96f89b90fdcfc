"""Plane sweep: matching costs of the sources over planes of constant depth, and subpixel refinement.

Depth is swept in equal steps of inverse depth, which are about equal steps of parallax. Views are handed over as one
stack of brightness, float32, shape (V, H, W), padded with zeros; masked pixels are 0 too. A pixel (u, v) of the
reference at inverse depth k lies in a source at ``A (u, v, 1) + k b``, homogeneous, pixel centers at halves:
:func:`projections`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit

from ..dense import View

CENSUS_BITS = 24
"""Largest cost: all bits of the 5x5 census differ, or no source sees the pixel."""


def brightness(views: Sequence[View], scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The stack of brightness of views at a scale, and their calibration matrices there, (V, H, W) and (V, 3, 3)."""
    sizes = [(max(1, round(scale * view.camera.width)), max(1, round(scale * view.camera.height))) for view in views]
    widest, highest = np.max(sizes, axis=0)
    stack = np.zeros((len(views), highest, widest), np.float32)
    matrices = np.empty((len(views), 3, 3))
    for i, (view, (width, height)) in enumerate(zip(views, sizes, strict=True)):
        gray = cv2.cvtColor(view.image, cv2.COLOR_RGB2GRAY).astype(np.float32) + 1
        mask = view.mask.astype(np.float32)
        gray, mask = (cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in (gray, mask))
        stack[i, :height, :width] = np.where(mask >= 0.5, gray, 0)
        matrices[i] = np.diag([width / view.camera.width, height / view.camera.height, 1]) @ view.camera.matrix
    return stack, matrices


def projections(views: Sequence[View], matrices: np.ndarray) -> np.ndarray:
    """(A, b) of every view but the first, which is the reference, as columns of a matrix, shape (V - 1, 3, 4)."""
    reference, back = views[0], np.linalg.inv(matrices[0])
    result = np.empty((len(views) - 1, 3, 4))
    for each, view, matrix in zip(result, views[1:], matrices[1:], strict=True):
        rotation = view.rotation @ reference.rotation.T
        each[:, :3] = matrix @ rotation @ back
        each[:, 3] = matrix @ (view.translation - rotation @ reference.translation)
    return result


def parallax(projection: np.ndarray, size: tuple[int, int], near: float, far: float) -> float:
    """How many pixels a point moves in a source from the near to the far end, the median over the reference.

    Args:
        projection: one of :func:`projections`.
        size: width and height of the reference.
    """
    u, v = (each.ravel() for each in np.meshgrid(*(np.linspace(0, n, 5) for n in size)))
    ends = [np.stack([u, v, np.ones(25), np.full(25, 1 / z)]) for z in (near, far)]
    x, y, z = np.stack([projection @ end for end in ends], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.hypot(np.subtract(*(x / z)), np.subtract(*(y / z)))
    moved = moved[(z > 0).all(axis=0)]
    return float(np.median(moved)) if len(moved) else 0.0


@njit(nogil=True, cache=True)
def warp(source: np.ndarray, projection: np.ndarray, first: int, inverse: np.ndarray, warped: np.ndarray) -> None:
    """Rows of a source as the reference would see them, bilinear; -1 where the source shows nothing.

    Args:
        source: brightness, shape (H, W).
        first: row of the reference that ``warped`` starts with.
        inverse: inverse depth of each of its pixels; may be one row for all, shape (1 or rows, W).
    """
    height, width = source.shape
    rows, columns = warped.shape
    a = projection.astype(np.float32)
    px, py = np.empty(columns, np.float32), np.empty(columns, np.float32)
    half, one = np.float32(0.5), np.float32(1)
    for row in range(rows):
        v = np.float32(first + row) + half
        x0, y0, z0 = a[0, 1] * v + a[0, 2], a[1, 1] * v + a[1, 2], a[2, 1] * v + a[2, 2]
        k = inverse[min(row, len(inverse) - 1)]
        for column in range(columns):
            u = np.float32(column) + half
            z = a[2, 0] * u + z0 + a[2, 3] * k[column]
            scale = one / z if z > 0 else np.float32(-1e9)
            px[column] = (a[0, 0] * u + x0 + a[0, 3] * k[column]) * scale - half
            py[column] = (a[1, 0] * u + y0 + a[1, 3] * k[column]) * scale - half
        for column in range(columns):
            x, y = px[column], py[column]
            value = -one
            if x >= 0 and y >= 0 and x < width - 1 and y < height - 1:
                i, j = int(y), int(x)
                fx, fy = x - np.float32(j), y - np.float32(i)
                c00, c01, c10, c11 = source[i, j], source[i, j + 1], source[i + 1, j], source[i + 1, j + 1]
                if min(min(c00, c01), min(c10, c11)) > 0:
                    top, bottom = c00 + fx * (c01 - c00), c10 + fx * (c11 - c10)
                    value = top + fy * (bottom - top)
            warped[row, column] = value


@njit(nogil=True, cache=True)
def _census(image: np.ndarray, row: int, padded: np.ndarray, bits: np.ndarray) -> None:
    """Which of its 24 neighbors are darker, for every pixel of one row (Zabih and Woodfill 1994).

    The image goes on beyond its border as it is there. ``padded`` is room for a row and two pixels at either end.
    """
    width = len(bits)
    center = image[row]
    bits[:] = 0
    for dy in range(-2, 3):
        other = image[min(max(row + dy, 0), len(image) - 1)]
        padded[:2], padded[2:-2], padded[-2:] = other[0], other, other[-1]
        for dx in range(5):
            if dy == 0 and dx == 2:
                continue
            neighbor = padded[dx:]
            for x in range(width):
                bits[x] = (bits[x] << np.uint32(1)) | np.uint32(neighbor[x] < center[x])


@njit(nogil=True, cache=True)
def census_costs(
    first: int,
    last: int,
    rows: int,
    reference: np.ndarray,
    sources: np.ndarray,
    projections: np.ndarray,
    inverse_depths: np.ndarray,
    costs: np.ndarray,
) -> None:
    """Cost of every plane at every pixel of some chunks of rows: differing census bits, mean of the two best sources.

    Occlusion seldom spoils the two best, whereas a third or fourth often sees another surface (after Kang et al. 2001).

    Args:
        first, last: chunks to fill, of ``rows`` rows each.
        reference: brightness, shape (H, W).
        sources: shape (V, H', W').
        projections: shape (V, 3, 4).
        inverse_depths: of the planes, shape (D,).
        costs: filled with 0 to 24, shape (H, W, D).
    """
    height, width = reference.shape
    own, other = np.empty((rows, width), np.uint32), np.empty(width, np.uint32)
    best, second = np.empty((rows, width), np.uint8), np.empty((rows, width), np.uint8)
    plane, padded = np.empty((1, width), np.float32), np.empty(width + 4, np.float32)
    for chunk in range(first, last):
        top, bottom = chunk * rows, min((chunk + 1) * rows, height)
        above, below = max(top - 2, 0), min(bottom + 2, height)
        warped = np.empty((below - above, width), np.float32)
        for row in range(top, bottom):
            _census(reference[above:below], row - above, padded, own[row - top])
        for d in range(len(inverse_depths)):
            plane[:] = inverse_depths[d]
            best[:] = 255
            second[:] = 255
            for v in range(len(sources)):
                warp(sources[v], projections[v], above, plane, warped)
                for row in range(top, bottom):
                    _census(warped, row - above, padded, other)
                    here, own_bits = warped[row - above], own[row - top]
                    least, next_least = best[row - top], second[row - top]
                    for column in range(width):
                        differing = own_bits[column] ^ other[column]
                        differing -= (differing >> np.uint32(1)) & np.uint32(0x55555555)
                        differing = (differing & np.uint32(0x33333333)) + (
                            (differing >> np.uint32(2)) & np.uint32(0x33333333)
                        )
                        differing = (differing + (differing >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
                        count = (differing * np.uint32(0x01010101)) >> np.uint32(24)
                        cost = np.uint8(count) if here[column] > 0 else np.uint8(255)
                        next_least[column] = min(next_least[column], max(least[column], cost))
                        least[column] = min(least[column], cost)
            for row in range(top, bottom):
                for column in range(width):
                    one, two = best[row - top, column], second[row - top, column]
                    if one == 255:
                        one = CENSUS_BITS
                    costs[row, column, d] = one if two == 255 else (np.uint32(one) + np.uint32(two) + 1) >> 1


@njit(nogil=True, cache=True)
def _correlations(
    reference: np.ndarray, warped: np.ndarray, above: int, row: int, radius: int, result: np.ndarray
) -> None:
    """ZNCC of square windows about one row; -2 where the source does not show the pixel.

    Sums run down the columns first and then along the row, so every pixel costs 2 (2 radius + 1) additions and the
    rounding does not depend on where a chunk begins. Pixels that the source does not show are left out.
    """
    height, width = reference.shape
    one = np.float32(1)
    si, sj = np.zeros(width, np.float32), np.zeros(width, np.float32)
    sii, sjj, sij = np.zeros(width, np.float32), np.zeros(width, np.float32), np.zeros(width, np.float32)
    count = np.zeros(width, np.float32)
    top, bottom = max(row - radius, 0), min(row + radius + 1, height)
    for y in range(top, bottom):
        first, second = reference[y], warped[y - above]
        for x in range(width):
            known = one if second[x] > 0 else np.float32(0)
            i, j = known * first[x], known * second[x]
            count[x] += known
            si[x] += i
            sj[x] += j
            sii[x] += i * i
            sjj[x] += j * j
            sij[x] += i * j
    here = warped[row - above]
    for x in range(width):
        result[x] = -2
        n = a = b = aa = bb = ab = np.float32(0)
        left, right = max(x - radius, 0), min(x + radius + 1, width)
        for c in range(left, right):
            n += count[c]
            a += si[c]
            b += sj[c]
            aa += sii[c]
            bb += sjj[c]
            ab += sij[c]
        if here[x] > 0 and 2 * n >= (bottom - top) * (right - left):
            product = (aa - a * a / n) * (bb - b * b / n)
            result[x] = (ab - a * b / n) / np.sqrt(max(product, n * n))


@njit(nogil=True, cache=True)
def refine(
    first: int,
    last: int,
    rows: int,
    reference: np.ndarray,
    sources: np.ndarray,
    projections: np.ndarray,
    radius: int,
    step: float | np.float32,
    reach: int,
    inverse: np.ndarray,
    refined: np.ndarray,
    score: np.ndarray,
) -> None:
    """Move every pixel to the inverse depth near its own at which the windows correlate best, to a fraction of a step.

    Every pixel of a window is warped at its own depth plus the offset tried, so the window follows the surface. The
    better half of the sources, by their best offset, decides: their mean ZNCC is largest there.

    Args:
        first, last, rows, reference, sources, projections: as of :func:`census_costs`.
        radius: the window has 2 radius + 1 pixels a side.
        step: of inverse depth between offsets.
        reach: offsets tried on either side.
        inverse: inverse depths to start from, shape (H, W).
        refined: filled with the best inverse depths, shape (H, W).
        score: filled with the mean ZNCC there of the sources that decided, -2 where none sees the pixel, shape (H, W).
    """
    height, width = reference.shape
    views, offsets = len(sources), 2 * reach + 1
    zncc = np.empty((views, offsets, rows, width), np.float32)
    best, mean = np.empty(views, np.float32), np.empty(offsets, np.float32)
    for chunk in range(first, last):
        top, bottom = chunk * rows, min((chunk + 1) * rows, height)
        above, below = max(top - radius, 0), min(bottom + radius, height)
        warped = np.empty((below - above, width), np.float32)
        for o in range(offsets):
            moved = inverse[above:below] + np.float32((o - reach) * step)
            for v in range(views):
                warp(sources[v], projections[v], above, moved, warped)
                for row in range(top, bottom):
                    _correlations(reference, warped, above, row, radius, zncc[v, o, row - top])
        for row in range(top, bottom):
            for x in range(width):
                seen = 0
                for v in range(views):
                    best[v] = -2
                    for o in range(offsets):
                        best[v] = max(best[v], zncc[v, o, row - top, x])
                    seen += best[v] > -2
                refined[row, x], score[row, x] = inverse[row, x], -2
                if seen == 0:
                    continue
                half = (seen + 1) // 2
                mean[:] = 0
                for _ in range(half):
                    v = int(best.argmax())
                    best[v] = -3
                    for o in range(offsets):
                        mean[o] += max(zncc[v, o, row - top, x], np.float32(-1)) / half
                peak = int(mean.argmax())
                shift = np.float32(0)
                if 0 < peak < offsets - 1:
                    left, right = mean[peak - 1], mean[peak + 1]
                    shift = 0.5 * (left - right) / min(left - 2 * mean[peak] + right, np.float32(-1e-6))
                refined[row, x] += (peak - reach + shift) * step
                score[row, x] = mean[peak]
