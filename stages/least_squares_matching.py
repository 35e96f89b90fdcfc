"""Least squares matching: keypoints moved until their surroundings agree in brightness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from .cubic import interpolate
from .refinement import Views, refined
from .scene import Features, Patches, Photos, Tracks
from .stage import Stage


class LeastSquaresMatching(Stage):
    """Move keypoints by least squares matching (Gruen 1985) with an affine change and a brightness gain and offset.

    In every track one view stays, and the others are matched to it by Gauss-Newton steps of the inverse
    compositional kind (Baker and Matthews 2004). The affine change starts from the matches around and is held near
    that; gain and offset are eliminated. A keypoint moves if the steps converged nearby, the patches correlate, better
    than they did, and the noise that is left makes the shift certain enough.

    Args:
        window: side of what is compared, in pixels of the patch, odd. More is surer, and blind to finer detail.
        min_correlation: correlation that the patches must reach, up to 1.
        max_shift: largest move, in pixels of the patch.
        max_uncertainty: largest standard deviation of the position, in pixels of the patch.
        max_iterations: steps after which one that has not converged is given up.
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
        """The features of one photo with their keypoints moved; those in no track, or not sure, stay."""
        return refined(name, photos, features, patches, tracks, self.follow)

    def follow(self, views: Views, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Where the middles of the fixed patches lie in the moving ones.

        Args:
            start: shifts to begin with, which ``max_shift`` counts from, shape (M, 2); none if not given.

        Returns:
            shifts in steps of the moving patch (M, 2), and which of them are sure (M,).
        """
        begin = np.zeros((len(views.fixed), 2)) if start is None else start
        found = _match(views.fixed, views.moving, views.affine, begin, self.window, self.max_iterations, self.max_shift)
        shift, before, after, deviation = found[:, :2], found[:, 2], found[:, 3], found[:, 4]
        sure = (after >= self.min_correlation) & (after >= before) & (deviation <= self.max_uncertainty)
        return shift, sure


_NOISE = 3.0
"""Grey values. The standard deviation of what is expected to differ beside the shift, which weighs the priors."""

_STRETCH = 0.1
"""Standard deviation of the affine change about where it starts."""

_LEAST_AREA, _WIDEST = 0.3, 0.5
"""A step that shrinks more, or an affine change farther from where it started, has lost its way."""

_STILL = 0.01
"""Pixels of the patch: a step less than this is none."""


@njit(cache=True, nogil=True)
def _match(
    fixed: np.ndarray, moving: np.ndarray, affines: np.ndarray, starts: np.ndarray, window: int, iterations: int,
    max_shift: float,
) -> np.ndarray:  # fmt: skip
    """Shift (2), correlation before and after, and deviation of the shift (infinite if not found), shape (M, 5)."""
    found = np.zeros((len(fixed), 5))
    found[:, 4] = np.inf
    place, weight = _window(window)
    template, sampled = np.empty(len(place)), np.empty(len(place))
    jacobian = np.empty((len(place), 6))
    prior = _NOISE**2 / _STRETCH**2 / len(place)
    for m in range(len(fixed)):
        variance = _linearise(fixed[m], place, weight, template, jacobian)
        weighted = jacobian * weight.reshape(-1, 1)
        normal = weighted.T @ jacobian
        trace = normal[0, 0] + normal[1, 1]
        if variance < 1.0 or normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2 < 1e-6 * trace**2 + 1e-9:
            continue
        for p in range(2, 6):
            normal[p, p] += prior
        inverse = np.linalg.inv(normal)
        shift, affine = starts[m].copy(), np.eye(2)
        correlation, still = 0.0, False
        for iteration in range(iterations):
            energy = _sample(moving[m], place, weight, affines[m] @ affine, shift, sampled)
            gain = np.sum(weight * sampled * template) / variance
            correlation = gain * np.sqrt(variance / max(energy, 1e-9))
            if iteration == 0:
                found[m, 2] = correlation
            if still or gain <= 0.0:
                break
            toward = weighted.T @ (sampled / gain)
            toward[2:] += prior * (affine - np.eye(2)).ravel()
            step = inverse @ toward
            change = np.eye(2) + step[2:].reshape(2, 2)
            if np.linalg.det(change) < _LEAST_AREA:
                break
            affine = affine @ np.linalg.inv(change)
            shift -= affines[m] @ affine @ step[:2]
            still = step[0] ** 2 + step[1] ** 2 < _STILL**2
            if np.sum((shift - starts[m]) ** 2) > max_shift**2 or np.abs(affine - np.eye(2)).max() > _WIDEST:
                still = False
                break
        if still and correlation > 0.0:
            # What is left unexplained is noise; it moves the solution by as much as the normal equations let it.
            left = variance * (1.0 / correlation**2 - 1.0) / (0.5 * len(place))
            a, b, c = inverse[0, 0], inverse[0, 1], inverse[1, 1]
            found[m, :2] = shift
            found[m, 3] = correlation
            found[m, 4] = np.sqrt(left * 0.5 * (a + c + np.sqrt((a - c) ** 2 + 4 * b**2)))
    return found


@njit(cache=True, nogil=True)
def _window(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Places around the middle, x and y, shape (K, 2), and their weights, which fall off and sum to 1, shape (K,)."""
    place = np.empty((side * side, 2))
    for k in range(len(place)):
        place[k, 0], place[k, 1] = k % side - side // 2, k // side - side // 2
    weight = np.exp(-2.0 * (place[:, 0] ** 2 + place[:, 1] ** 2) / side**2)
    return place, weight / weight.sum()


@njit(cache=True, nogil=True)
def _linearise(
    patch: np.ndarray, place: np.ndarray, weight: np.ndarray, template: np.ndarray, jacobian: np.ndarray
) -> float:
    """Fill in the patch without its mean, and how it changes by shift and affine change; gives its variance.

    The derivatives are made orthogonal to a gain and an offset, which so change no step.
    """
    middle = patch.shape[0] // 2
    for k in range(len(place)):
        u, v = place[k]
        i, j = middle + int(v), middle + int(u)
        template[k] = patch[i, j]
        gx = 0.5 * (np.float64(patch[i, j + 1]) - patch[i, j - 1])
        gy = 0.5 * (np.float64(patch[i + 1, j]) - patch[i - 1, j])
        jacobian[k, 0], jacobian[k, 1] = gx, gy
        jacobian[k, 2], jacobian[k, 3], jacobian[k, 4], jacobian[k, 5] = gx * u, gx * v, gy * u, gy * v
    template -= np.sum(weight * template)
    variance = np.sum(weight * template * template)
    for p in range(6):
        jacobian[:, p] -= np.sum(weight * jacobian[:, p])
        jacobian[:, p] -= template * (np.sum(weight * template * jacobian[:, p]) / max(variance, 1e-9))
    return variance


@njit(cache=True, nogil=True)
def _sample(
    patch: np.ndarray, place: np.ndarray, weight: np.ndarray, affine: np.ndarray, shift: np.ndarray, values: np.ndarray
) -> float:
    """Fill in the brightness of a patch at shifted and changed places, without its mean; gives its variance."""
    middle = patch.shape[0] // 2
    mean = 0.0
    for k in range(len(place)):
        u, v = place[k]
        x = middle + shift[0] + affine[0, 0] * u + affine[0, 1] * v
        y = middle + shift[1] + affine[1, 0] * u + affine[1, 1] * v
        values[k] = interpolate(patch, x, y)
        mean += weight[k] * values[k]
    values -= mean
    return np.sum(weight * values * values)
