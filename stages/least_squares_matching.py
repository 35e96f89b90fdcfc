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
        window: side of what is compared, in pixels of the patch, odd.
        min_correlation: correlation that the patches must reach, up to 1.
        max_shift: largest move, in pixels of the patch.
        max_uncertainty: largest standard deviation of the position, in pixels of the patch.
        max_iterations: steps after which one that has not converged is given up.
    """

    slot = "features"
    libraries = ("numpy", "numba", "scipy")

    window: int = 13
    min_correlation: float = 0.7
    max_shift: float = 3.0
    max_uncertainty: float = 0.2
    max_iterations: int = 20

    def run(
        self, name: str, photos: Photos, features: Features, patches: Sequence[Patches], tracks: Tracks
    ) -> Features:
        """The features of one photo with their keypoints moved; those in no track, or not sure, stay."""
        return refined(name, photos, features, patches, tracks, self._follow)

    def _follow(self, views: Views) -> tuple[np.ndarray, np.ndarray]:
        found = _match(views.fixed, views.moving, views.affine, self.window, self.max_iterations, self.max_shift)
        shift, before, after, deviation = found[:, :2], found[:, 2], found[:, 3], found[:, 4]
        sure = (after >= self.min_correlation) & (after >= before) & (deviation <= self.max_uncertainty)
        return shift, sure


_NOISE = 3.0
"""Grey values. The standard deviation of what is expected to differ beside the shift, which weighs the priors."""

_STRETCH = 0.1
"""Standard deviation of the affine change about where it starts."""

_STILL = 0.01
"""Pixels of the patch: a step less than this is none."""


@njit(cache=True, nogil=True)
def _match(
    fixed: np.ndarray, moving: np.ndarray, start: np.ndarray, window: int, iterations: int, max_shift: float
) -> np.ndarray:
    """Shift (2), correlation before and after, and deviation of the shift (infinite if not found), shape (M, 5)."""
    found = np.zeros((len(fixed), 5))
    found[:, 4] = np.inf
    half, middle = window // 2, fixed.shape[1] // 2
    count = window * window
    place = np.empty((count, 2))
    weight = np.empty(count)
    for k in range(count):
        place[k, 0], place[k, 1] = k % window - half, k // window - half
        weight[k] = np.exp(-0.5 * (place[k, 0] ** 2 + place[k, 1] ** 2) / (0.5 * window) ** 2)
    weight /= weight.sum()
    template, sampled = np.empty(count), np.empty(count)
    jacobian = np.empty((count, 6))
    for m in range(len(fixed)):
        for k in range(count):
            i, j = middle + k // window - half, middle + k % window - half
            template[k] = fixed[m, i, j]
            gx = 0.5 * (np.float64(fixed[m, i, j + 1]) - fixed[m, i, j - 1])
            gy = 0.5 * (np.float64(fixed[m, i + 1, j]) - fixed[m, i - 1, j])
            u, v = place[k]
            jacobian[k, 0], jacobian[k, 1] = gx, gy
            jacobian[k, 2], jacobian[k, 3], jacobian[k, 4], jacobian[k, 5] = gx * u, gx * v, gy * u, gy * v
        template -= np.sum(weight * template)
        variance = np.sum(weight * template * template)
        if variance < 1.0:
            continue
        # Without the directions of gain and offset, neither changes a step.
        for p in range(6):
            jacobian[:, p] -= np.sum(weight * jacobian[:, p])
            jacobian[:, p] -= template * (np.sum(weight * template * jacobian[:, p]) / variance)
        weighted = jacobian * weight.reshape(-1, 1)
        normal = weighted.T @ jacobian
        prior = _NOISE**2 / _STRETCH**2 / count
        for p in range(2, 6):
            normal[p, p] += prior
        if normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2 < 1e-6 * (normal[0, 0] + normal[1, 1]) ** 2 + 1e-9:
            continue
        inverse = np.linalg.inv(normal)
        shift = np.zeros(2)
        affine = np.eye(2)
        still = False
        for iteration in range(iterations):
            warp = start[m] @ affine
            gain, offset, energy = 0.0, 0.0, 0.0
            for k in range(count):
                u, v = place[k]
                x = middle + shift[0] + warp[0, 0] * u + warp[0, 1] * v
                y = middle + shift[1] + warp[1, 0] * u + warp[1, 1] * v
                sampled[k] = interpolate(moving[m], x, y)
                offset += weight[k] * sampled[k]
            for k in range(count):
                sampled[k] -= offset
                gain += weight[k] * sampled[k] * template[k]
                energy += weight[k] * sampled[k] * sampled[k]
            correlation = gain / np.sqrt(variance * max(energy, 1e-9))
            gain /= variance
            if iteration == 0:
                found[m, 2] = correlation
            if still or gain <= 0.0:
                found[m, 3] = correlation
                break
            toward = weighted.T @ (sampled / gain)
            for p in range(4):
                toward[2 + p] += prior * (affine[p // 2, p % 2] - (p // 2 == p % 2))
            step = inverse @ toward
            change = np.eye(2)
            change[0, 0] += step[2]
            change[0, 1] += step[3]
            change[1, 0] += step[4]
            change[1, 1] += step[5]
            if np.linalg.det(change) < 0.3:
                break
            affine = affine @ np.linalg.inv(change)
            shift -= start[m] @ affine @ step[:2]
            still = step[0] ** 2 + step[1] ** 2 < _STILL**2
            if shift[0] ** 2 + shift[1] ** 2 > max_shift**2 or np.abs(affine - np.eye(2)).max() > 0.5:
                break
        if still and found[m, 3] > 0.0:
            left = variance * (1.0 - found[m, 3] ** 2) / max(found[m, 3] ** 2, 1e-9)
            spread = inverse[:2, :2] * left / (0.5 * count)
            half_trace = 0.5 * (spread[0, 0] + spread[1, 1])
            root = np.sqrt(max(half_trace**2 - (spread[0, 0] * spread[1, 1] - spread[0, 1] ** 2), 0.0))
            found[m, :2] = shift
            found[m, 4] = np.sqrt(half_trace + root)
    return found
