"""Fast depth maps by semi-global matching over a plane sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numba import njit

from ..dense import Around, DepthMap, Reason, View
from ..geometry.plane_fitting import fit_planes
from ..geometry.slanted_planes import normals_of
from ..stage import Context, Sizes, Stage
from ..threads import Chunks
from .contrast import deviation
from .plane_sweep import brightness, census_costs, parallax, projections, refine

_ROWS = 24
"""Rows of a chunk of work."""

_PARALLAX = 2.0
"""Pixels, at half size, that a point moves from one plane to the next in the source where it moves most."""

_SMALL, _LARGE, _SOFT = 2, 24, 0.5
"""Penalties P1 and P2 in census bits, and how much less P2 is for each gray value of difference between neighbors."""

_FIRST_FIT, _LAST_FIT = (3, 1, 3.0, 1.0), (6, 2, 2.0, 0.5)
"""Radius and stride in pixels, tolerance in pixels of parallax, and its slope, of the planes at half and full size."""

_WINDOW, _REACH, _STEP = 3, 2, 0.75
"""Radius in pixels of the window that refines, how many steps it looks to either side, a step in pixels of parallax."""

_FLAT = 2.0
"""Standard deviation in gray values below which a neighborhood shows no texture, but the sensor's noise."""

_CONFIDENCE = (5.7, -1.6, 2.1, -3.2, -0.36, 1.2)
"""Weights of :meth:`_Measured.features`, fitted to a million pixels of the committed courtyard and of another rendered
scene, at two sizes and with one to four sources. On each of these the expected calibration error is 0.01 to 0.06."""


class Sgm(Stage):
    """Semi-global matching (Hirschmüller 2008) over a plane sweep (Collins 1996), refined at full size.

    At half size, planes of constant depth are swept through the range, and census bits (Zabih and Woodfill 1994) tell
    how well the two sources that fit best agree with the reference. Costs are summed along eight paths, where a change
    of depth costs less across an edge of the image. Planes fitted about each pixel smooth the result. At full size each
    pixel then moves to where windows that follow the surface correlate best, and planes are fitted again. There is no
    rectification: sources may stand anywhere, above or before the reference too, if points move between near and far.

    Args:
        sources: number of neighbors that are matched, best first. Time grows with it; with three, one pixel in a
            hundred fewer is right within 1 % than with four, with one ten fewer, and five are no better.
        max_planes: most planes of a sweep; bounds the memory at three bytes a plane for every fourth pixel.
        min_confidence: less confident depths are left out.
    """

    slot = "depths"
    papers = ("hirschmueller2008", "collins1996", "zabih1994", "kang2001")
    libraries = ("numpy", "numba", "opencv-contrib-python")

    sources: int = 4
    max_planes: int = 192
    min_confidence: float = 0.3

    def run(self, views: Around[View], context: Context) -> DepthMap:
        """Depth of one view, or an empty map that says why it has none."""
        reference = views.reference
        if reference.missing:
            return DepthMap.empty(reference, reference.missing)
        if not reference.mask.any():
            return DepthMap.empty(reference, "is hidden by its mask everywhere")
        usable = [view for view in views.sources if not view.missing and _moves(reference, view)]
        if not usable:
            return DepthMap.empty(reference, "has no neighbor with parallax")
        cv2.setNumThreads(context.threads)
        measured = _measure([reference, *usable[: self.sources]], self.max_planes, context.threads)
        return self._depth_map(reference, measured)

    def footprint(self, sizes: Sizes) -> int:
        """As measured: the costs of the sweep, 4 bytes a pixel of every view, and 60 of the results."""
        return sizes.pixels * (3 * self.max_planes // 4 + 4 * (1 + sizes.neighbors) + 60)

    def _depth_map(self, view: View, measured: _Measured) -> DepthMap:
        inverse = measured.inverse
        confidence = measured.confidence()
        inside = (inverse * view.near <= 1) & (inverse * view.far >= 1)
        reason = np.full(inverse.shape, Reason.FOUND, np.uint8)
        doubtful = confidence < self.min_confidence
        reason[doubtful] = Reason.DISAGREED
        reason[doubtful & (deviation(view.image, _WINDOW) < _FLAT)] = Reason.UNTEXTURED
        reason[~inside] = Reason.OUT_OF_RANGE
        reason[~measured.seen] = Reason.UNSEEN
        reason[~view.mask] = Reason.MASKED
        found = reason == Reason.FOUND
        normal = normals_of(np.dstack([inverse, measured.gradient]), view.camera)
        return DepthMap(
            depth=np.divide(1, inverse, out=np.zeros_like(inverse), where=found),
            normal=np.where(found[..., None], normal, 0),
            confidence=np.where(found, confidence, 0),
            reason=reason,
        )


@dataclass(frozen=True, eq=False)
class _Measured:
    """Result of the search at every pixel, at full size.

    Attributes:
        inverse: inverse depth, shape (H, W), like all that follow.
        gradient: its derivative by the pixel, shape (H, W, 2).
        seen: whether any source shows the pixel.
        support: share of the neighborhood that lies on the pixel's plane, weighted by how well it correlates.
        ratio: cost of the best plane over that of the best one elsewhere.
        residual: pixels of parallax between the refined depth and the fitted plane.
        precision: pixels of parallax that make 1 % of the depth.
    """

    inverse: np.ndarray
    gradient: np.ndarray
    seen: np.ndarray
    support: np.ndarray
    ratio: np.ndarray
    residual: np.ndarray
    precision: np.ndarray

    def features(self) -> np.ndarray:
        """Features that the confidence is a logistic regression on, shape (6, H, W)."""
        features = (
            np.ones_like(self.support),
            self.support,
            np.log(self.support + 0.02),
            self.ratio,
            np.log(self.residual + 0.05),
            np.log(np.clip(self.precision, 0.05, 2)),
        )
        return np.stack(features, dtype=np.float32)

    def confidence(self) -> np.ndarray:
        """Probability that the depth is right within 1 %: a logistic regression against exact truth, shape (H, W)."""
        return 1 / (1 + np.exp(-np.einsum("i,ihw->hw", np.array(_CONFIDENCE, np.float32), self.features())))


def _moves(reference: View, source: View) -> bool:
    """Whether the parallax of a source over the depth range is at least a pixel."""
    projection = projections([reference, source], np.stack([reference.camera.matrix, source.camera.matrix]))[0]
    size = (reference.camera.width, reference.camera.height)
    return parallax(projection, size, reference.near, reference.far) >= 1


def _measure(views: Sequence[View], max_planes: int, threads: int) -> _Measured:
    """Sweep at half size and refine at full size; the first view is the reference."""
    inverse, ratio, pixel = _sweep(views, max_planes, threads)
    size = (views[0].camera.width, views[0].camera.height)
    inverse, ratio = (cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for each in (inverse, ratio))
    stack, matrices = brightness(views, 1.0)
    reference = np.ascontiguousarray(stack[0, : size[1], : size[0]])
    refined, score = np.empty_like(inverse), np.empty_like(inverse)
    _over_rows(
        refine,
        threads,
        reference,
        stack[1:],
        projections(views, matrices),
        _WINDOW,
        np.float32(_STEP * pixel),
        _REACH,
        inverse,
        refined,
        score,
    )
    fitted, gradient, support = _smooth(refined, np.maximum(score, 0.01) ** 2, _LAST_FIT, pixel, threads)
    residual = np.abs(refined - fitted) / np.float32(pixel)
    precision = np.float32(0.01 / pixel) * fitted
    return _Measured(fitted, gradient, score >= -1, support, ratio, residual, precision)


def _sweep(views: Sequence[View], max_planes: int, threads: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Inverse depth at half size, and how the cost of its plane compares with the best elsewhere, (H / 2, W / 2) each.

    Last comes the difference of inverse depth that makes a pixel of parallax at full size where points move most.
    """
    near, far, camera = views[0].near, views[0].far, views[0].camera
    stack, matrices = brightness(views, 0.5)
    width, height = (max(1, round(n / 2)) for n in (camera.width, camera.height))
    reference = np.ascontiguousarray(stack[0, :height, :width])
    projection = projections(views, matrices)
    moved = max(parallax(each, (width, height), near, far) for each in projection)
    pixel = (1 / near - 1 / far) / moved
    planes = int(np.clip(np.ceil(moved / _PARALLAX) + 1, 8, max_planes))
    depths = np.linspace(1 / far, 1 / near, planes).astype(np.float32)

    costs, sums = np.empty((height, width, planes), np.uint8), np.zeros((2, height, width, planes), np.uint8)
    winner, ratio = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    _over_rows(census_costs, threads, reference, stack[1:], projection, depths, costs)
    directions = Chunks(2, threads)
    directions.run(_aggregate, costs, reference, sums)
    directions.close()
    _over_rows(_winners, threads, sums, winner, ratio)
    inverse = cv2.medianBlur(depths[0] + np.float32((1 / near - 1 / far) / (planes - 1)) * winner, 3)
    inverse, _, _ = _smooth(inverse, np.ones_like(inverse), _FIRST_FIT, pixel, threads)
    return inverse, ratio, pixel / 2


def _smooth(
    inverse: np.ndarray, weight: np.ndarray, fit: tuple[int, int, float, float], pixel: float, threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See :func:`fit_planes`; ``pixel`` is a pixel of parallax as a difference of inverse depth."""
    radius, stride, tolerance, slope = fit
    fitted, gradient = np.empty_like(inverse), np.empty((*inverse.shape, 2), np.float32)
    support, unit = np.empty_like(inverse), np.full_like(inverse, pixel)
    _over_rows(
        fit_planes,
        threads,
        inverse,
        weight,
        unit,
        radius,
        stride,
        np.float32(tolerance),
        np.float32(slope),
        fitted,
        gradient,
        support,
    )
    return fitted, gradient, support


def _over_rows(kernel: Callable[..., None], threads: int, *arguments: Any) -> None:
    """Run a kernel that takes ``(first, last, rows, ...)`` over all rows of its last argument."""
    chunks = Chunks(-(-arguments[-1].shape[0] // _ROWS), threads)
    chunks.run(kernel, _ROWS, *arguments)
    chunks.close()


@njit(nogil=True, cache=True)
def _extend(
    cost: np.ndarray,
    before: np.ndarray,
    least: np.uint8,
    small: np.uint8,
    large: np.uint8,
    after: np.ndarray,
    total: np.ndarray,
) -> np.uint8:
    """One step of one path: L(d) = C(d) + min(L'(d), L'(d ± 1) + P1, min L' + P2) - min L'; returns min L.

    ``before`` and ``after`` are L' and L with a plane more at either end. L is added to ``total``.
    """
    best, top = np.uint8(255), np.uint8(least + large)
    for d in range(len(cost)):
        beside = np.uint8(min(before[d], before[d + 2]) + small)
        value = np.uint8(cost[d] + np.uint8(min(min(before[d + 1], beside), top) - least))
        after[d + 1] = value
        best = min(best, value)
        total[d] = np.uint8(total[d] + value)
    return best


@njit(nogil=True, cache=True)
def _penalty(here: np.float32, there: np.float32) -> np.uint8:
    """P2 between two pixels of this brightness."""
    return np.uint8(max(_SMALL + 1, _LARGE - _SOFT * abs(here - there)))


@njit(nogil=True, cache=True)
def _aggregate(first: int, last: int, costs: np.ndarray, image: np.ndarray, sums: np.ndarray) -> None:
    """Sum the costs along four paths from above (0) and four from below (1), each of four a quarter of a turn apart.

    A path's cost is at most 24 + P2, so four of them fit into a byte.
    """
    height, width, planes = costs.shape
    small, far = np.uint8(_SMALL), np.uint8(200)
    for half in range(first, last):
        total = sums[half]
        slanted = np.full((2, 3, width + 2, planes + 2), far, np.uint8)
        slanted_least = np.zeros((2, 3, width + 2), np.uint8)
        level = np.full((2, planes + 2), far, np.uint8)
        back = -1 if half == 0 else 1
        for i in range(height):
            y = i if half == 0 else height - 1 - i
            now, then = i % 2, 1 - i % 2
            level[:, 1:-1] = 0
            level_least = np.uint8(0)
            for j in range(width):
                x = j if half == 0 else width - 1 - j
                cost, here, out = costs[y, x], image[y, x], total[y, x]
                large = _penalty(here, image[y, min(max(x + back, 0), width - 1)])
                level_least = _extend(cost, level[j % 2], level_least, small, large, level[1 - j % 2], out)
                for path in range(3):
                    p = x + path
                    if i == 0 or p == 0 or p == width + 1:
                        slanted[then, path, p, 1:-1] = 0
                        slanted_least[then, path, p] = 0
                    large = _penalty(here, image[min(max(y + back, 0), height - 1), min(max(p - 1, 0), width - 1)])
                    slanted_least[now, path, x + 1] = _extend(
                        cost,
                        slanted[then, path, p],
                        slanted_least[then, path, p],
                        small,
                        large,
                        slanted[now, path, x + 1],
                        out,
                    )


@njit(nogil=True, cache=True)
def _winners(first: int, last: int, rows: int, sums: np.ndarray, winner: np.ndarray, ratio: np.ndarray) -> None:
    """The plane of least cost, a parabola through it and its two neighbors, and its cost over the best other one's."""
    _, height, width, planes = sums.shape
    cost = np.empty(planes, np.int32)
    for y in range(first * rows, min(last * rows, height)):
        for x in range(width):
            for d in range(planes):
                cost[d] = np.int32(sums[0, y, x, d]) + np.int32(sums[1, y, x, d])
            best = int(cost.argmin())
            other = np.int32(2000)
            for d in range(planes):
                if abs(d - best) > 2:
                    other = min(other, cost[d])
            shift = 0.0
            if 0 < best < planes - 1:
                shift = (
                    0.5 * (cost[best - 1] - cost[best + 1]) / max(cost[best - 1] - 2 * cost[best] + cost[best + 1], 1)
                )
            winner[y, x] = best + shift
            ratio[y, x] = cost[best] / max(other, 1)
