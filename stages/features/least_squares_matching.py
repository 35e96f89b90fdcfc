"""Least squares matching: keypoints are moved until the patches around them agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from ..geometry.interpolation import FAST, interpolate
from ..scene import Features, Patches, Photos, Tracks
from ..stage import Stage
from .refinement import Views, refined


class LeastSquaresMatching(Stage):
    """Move keypoints by least squares matching (Gruen 1985) with an affine change and a brightness gain and offset.

    In every track one view is fixed, and the others are matched to it by inverse compositional Gauss-Newton steps
    (Baker and Matthews 2004). The affine change starts from the matches around, with a prior that holds it there; gain
    and offset are eliminated. A keypoint moves if the steps converged nearby, the patches correlate, and better than
    before, and the standard deviation of the shift is small enough.

    Args:
        window: side of the compared window, in pixels of the patch, odd. A larger one is more robust and less precise.
        min_correlation: least correlation of the patches, up to 1.
        max_shift: largest move, in pixels of the patch.
        max_uncertainty: largest standard deviation of the position, in pixels of the patch.
        max_iterations: most steps; a keypoint that has not converged by then stays.
    """

    slot = "features"
    papers = ("gruen1985", "baker2004")
    libraries = ("numpy", "numba", "scipy")

    window: int = 15
    min_correlation: float = 0.6
    max_shift: float = 4.0
    max_uncertainty: float = 0.3
    max_iterations: int = 20

    def run(
        self, name: str, photos: Photos, features: Features, patches: Sequence[Patches], tracks: Tracks
    ) -> Features:
        """The features of one photo with their keypoints moved; those in no track, or not reliable, stay."""
        return refined(name, photos, features, patches, tracks, self.follow)

    def follow(self, views: Views, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the centers of the fixed patches in the moving ones.

        Args:
            start: initial shifts, from which ``max_shift`` is measured, shape (M, 2); zero by default.

        Returns:
            shifts in pixels of the moving patch (M, 2), and which of them are reliable (M,).
        """
        begin = np.zeros((len(views.fixed), 2)) if start is None else start
        window = _window(self.window)
        found = _match(views.fixed, views.moving, views.affine, begin, *window, self.max_iterations, self.max_shift)
        shift, before, after, deviation = found[:, :2], found[:, 2], found[:, 3], found[:, 4]
        reliable = (after >= self.min_correlation) & (after >= before) & (deviation <= self.max_uncertainty)
        return shift, reliable


_NOISE = 3.0
"""Expected standard deviation of the gray values, which weighs the priors."""

_STRETCH = 0.1
"""Standard deviation of the affine change about where it starts."""

_MIN_AREA, _MAX_CHANGE = 0.3, 0.5
"""A step with a smaller determinant, or an affine change farther from its start, has diverged."""

_CONVERGED = 0.01
"""Length of a step, in pixels of the patch, below which the iteration has converged."""

_Matrix = tuple[float, float, float, float]
"""A matrix (2, 2) by rows."""


def _window(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets from the center, x and y, (2, K), and the square roots of their Gaussian weights of sum 1, (K,)."""
    index = np.arange(side * side)
    place = np.stack((index % side - side // 2, index // side - side // 2))
    weight = np.exp(-2.0 * (place[0] ** 2 + place[1] ** 2) / side**2)
    return place.astype(np.float32), np.sqrt(weight / weight.sum()).astype(np.float32)


@njit(**FAST)
def _match(
    fixed: np.ndarray,
    moving: np.ndarray,
    affines: np.ndarray,
    starts: np.ndarray,
    place: np.ndarray,
    root: np.ndarray,
    iterations: int,
    max_shift: float,
) -> np.ndarray:
    """Shift (2), correlation before and after, and standard deviation (infinite if not converged), shape (M, 5)."""
    found = np.zeros((len(fixed), 5))
    found[:, 4] = np.inf
    reference, patch = np.empty(fixed.shape[1:], np.float32), np.empty(moving.shape[1:], np.float32)
    template, sampled, slopes = np.empty_like(root), np.empty_like(root), np.empty((6, len(root)), np.float32)
    normal, step = np.empty((6, 6)), np.empty(6)
    prior = _NOISE**2 / _STRETCH**2 / len(root)
    for m in range(len(fixed)):
        reference[:], patch[:] = fixed[m], moving[m]
        variance = _linearize(reference, place, root, template, slopes)
        for p in range(6):
            for q in range(6):
                normal[p, q] = _dot(slopes[p], slopes[q])
        trace = normal[0, 0] + normal[1, 1]
        if variance < 1.0 or normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2 < 1e-6 * trace**2 + 1e-9:
            continue
        for p in range(2, 6):
            normal[p, p] += prior
        inverse = np.linalg.inv(normal)
        start = (affines[m, 0, 0], affines[m, 0, 1], affines[m, 1, 0], affines[m, 1, 1])
        whole, change = start, (1.0, 0.0, 0.0, 1.0)
        x, y = starts[m]
        correlation, still = 0.0, False
        for iteration in range(iterations):
            energy = _sample(patch, place, root, whole, x, y, sampled)
            gain = _dot(sampled, template) / variance
            correlation = gain * np.sqrt(variance / max(energy, np.float32(1e-9)))
            if iteration == 0:
                found[m, 2] = correlation
            if still or gain <= 0.0:
                break
            _solve(inverse, slopes, sampled, gain, prior, change, step)
            if (1.0 + step[2]) * (1.0 + step[5]) - step[3] * step[4] < _MIN_AREA:
                break
            back = _inverse((1.0 + step[2], step[3], step[4], 1.0 + step[5]))
            change = _product(change, back)
            whole = _product(start, change)
            x -= whole[0] * step[0] + whole[1] * step[1]
            y -= whole[2] * step[0] + whole[3] * step[1]
            still = step[0] ** 2 + step[1] ** 2 < _CONVERGED**2
            departure = max(abs(change[0] - 1.0), abs(change[1]), abs(change[2]), abs(change[3] - 1.0))
            if (x - starts[m, 0]) ** 2 + (y - starts[m, 1]) ** 2 > max_shift**2 or departure > _MAX_CHANGE:
                still = False
                break
        if still and correlation > 0.0:
            # The residual is noise; the normal equations propagate it to the shift.
            left = variance * (1.0 / correlation**2 - 1.0) / (0.5 * len(root))
            a, b, c = inverse[0, 0], inverse[0, 1], inverse[1, 1]
            found[m, 0], found[m, 1], found[m, 3] = x, y, correlation
            found[m, 4] = np.sqrt(left * 0.5 * (a + c + np.sqrt((a - c) ** 2 + 4 * b**2)))
    return found


@njit(**FAST)
def _linearize(
    patch: np.ndarray, place: np.ndarray, root: np.ndarray, template: np.ndarray, slopes: np.ndarray
) -> np.float32:
    """Fill in the patch without its mean, and its derivatives by shift and affine change; returns its variance.

    All are times the roots of the weights. The derivatives are made orthogonal to gain and offset, which eliminates
    these two.
    """
    middle, half = patch.shape[0] // 2, np.float32(0.5)
    for k in range(len(root)):
        u, v = place[0, k], place[1, k]
        i, j = middle + int(v), middle + int(u)
        template[k] = root[k] * patch[i, j]
        gx = half * root[k] * (patch[i, j + 1] - patch[i, j - 1])
        gy = half * root[k] * (patch[i + 1, j] - patch[i - 1, j])
        slopes[0, k], slopes[1, k] = gx, gy
        slopes[2, k], slopes[3, k], slopes[4, k], slopes[5, k] = gx * u, gx * v, gy * u, gy * v
    _subtract(_dot(root, template), root, template)
    variance = _dot(template, template)
    for p in range(6):
        _subtract(_dot(root, slopes[p]), root, slopes[p])
        _subtract(_dot(template, slopes[p]) / max(variance, np.float32(1e-9)), template, slopes[p])
    return variance


@njit(**FAST)
def _sample(
    patch: np.ndarray, place: np.ndarray, root: np.ndarray, affine: _Matrix, x: float, y: float, sampled: np.ndarray
) -> np.float32:
    """Fill in the patch at shifted and affinely changed positions, like the template; returns its variance."""
    middle = patch.shape[0] // 2
    a, b, c, d = affine
    for k in range(len(root)):
        u, v = place[0, k], place[1, k]
        sampled[k] = root[k] * interpolate(patch, middle + x + a * u + b * v, middle + y + c * u + d * v)
    _subtract(_dot(root, sampled), root, sampled)
    return _dot(sampled, sampled)


@njit(**FAST)
def _solve(
    inverse: np.ndarray,
    slopes: np.ndarray,
    sampled: np.ndarray,
    gain: np.float32,
    prior: float,
    change: _Matrix,
    step: np.ndarray,
) -> None:
    """Fill in the Gauss-Newton step: shift and affine change, the latter with its prior."""
    step[:] = 0.0
    a, b, c, d = change
    held = (0.0, 0.0, a - 1.0, b, c, d - 1.0)
    for p in range(6):
        toward = _dot(slopes[p], sampled) / gain + prior * held[p]
        for q in range(6):
            step[q] += inverse[q, p] * toward


@njit(**FAST)
def _dot(one: np.ndarray, other: np.ndarray) -> np.float32:
    total = np.float32(0.0)
    for k in range(len(one)):
        total += one[k] * other[k]
    return total


@njit(**FAST)
def _subtract(share: np.float32, of: np.ndarray, what: np.ndarray) -> None:
    for k in range(len(what)):
        what[k] -= share * of[k]


@njit(**FAST)
def _product(one: _Matrix, other: _Matrix) -> _Matrix:
    """Of two matrices."""
    a, b, c, d = one
    e, f, g, h = other
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


@njit(**FAST)
def _inverse(of: _Matrix) -> _Matrix:
    a, b, c, d = of
    area = a * d - b * c
    return d / area, -b / area, -c / area, a / area
