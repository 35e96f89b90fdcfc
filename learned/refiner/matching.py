"""Match a point in another view: by least squares where that is certain, else by the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from ...stages.features.least_squares_matching import LeastSquaresMatching
from ...stages.features.refinement import Views
from ...stages.geometry.interpolation import cut
from ...stages.stage import Context
from ..inference import deterministic, torch_device
from ..weights.files import load_cached
from .network import FIXED_SIZE, MOVING_SIZE, RefinerNet, ShiftEstimate

_BATCH, _STEP = 64, 16
"""Pairs in a batch, which fits into the cache of a core, and the multiple that batches are padded to."""

_MAX_FIRST_SHIFT = 1.0
"""In steps; a larger shift is predicted again from there, where the patches overlap more."""

_CERTAIN = LeastSquaresMatching(window=13, max_shift=1.0, min_correlation=0.85, max_uncertainty=0.15)
_FINISH = LeastSquaresMatching(window=13, max_shift=1.0, max_uncertainty=0.2)


@dataclass(frozen=True)
class PatchMatcher:
    """A network on a device and its thresholds; see :class:`~diptych.learned.refiner.stage.SubpixelRefiner`."""

    network: RefinerNet
    device: torch.device
    max_uncertainty: float
    min_match: float

    @staticmethod
    def of(weights: str, max_uncertainty: float, min_match: float, context: Context) -> PatchMatcher:
        """A matcher with its weights.

        Raises:
            StageFailure: ``no-device``, and as :func:`~diptych.learned.weights.files.load_cached`.
        """
        device = torch_device(context)
        network = load_cached(RefinerNet, weights, device, torch.contiguous_format)
        return PatchMatcher(network, device, max_uncertainty, min_match)

    def follow(self, views: Views) -> tuple[np.ndarray, np.ndarray]:
        """Shifts (N, 2) of the points, and whether they are certain (N,)."""
        with deterministic():
            shift, sure = _CERTAIN.follow(views)
            rest = np.flatnonzero(~sure)
            shift[rest], sure[rest] = self._ask_network(views.of(rest))
        return shift, sure

    def _ask_network(self, views: Views) -> tuple[np.ndarray, np.ndarray]:
        shift, deviation, match = _compare(views, np.zeros((len(views.fixed), 2)), self.network, self.device)
        far = np.flatnonzero(np.linalg.norm(shift, axis=1) > _MAX_FIRST_SHIFT)
        shift[far], deviation[far], match[far] = _compare(views.of(far), shift[far], self.network, self.device)
        sure = (deviation <= self.max_uncertainty) & (match >= self.min_match)
        finish = np.flatnonzero(sure)
        exact, better = _FINISH.follow(views.of(finish), shift[finish])
        shift[finish[better]] = exact[better]
        return shift, sure


def _compare(
    views: Views, start: np.ndarray, network: RefinerNet, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shifts, deviations and match probabilities by the network, with the moving patches resampled at ``start``."""
    margin = (views.fixed.shape[1] - FIXED_SIZE) // 2
    middle = views.fixed[:, margin : margin + FIXED_SIZE, margin : margin + FIXED_SIZE]
    shift, deviation, match = start.copy(), np.empty(len(start)), np.empty(len(start))
    for first in range(0, len(start), _BATCH):
        rows = slice(first, first + _BATCH)
        fixed = _batch(middle[rows]).to(device)
        moving = _batch(_resample(views.moving[rows], views.affine[rows], start[rows])).to(device)
        found = network(fixed, moving)
        estimate = ShiftEstimate(*(each[: len(start[rows])].double().cpu().numpy() for each in found))
        shift[rows] += np.einsum("nij,nj->ni", views.affine[rows], estimate.shift)
        deviation[rows] = np.exp(estimate.log_deviation)
        match[rows] = 1 / (1 + np.exp(-estimate.match))
    return shift, deviation, match


def _batch(patches: np.ndarray) -> torch.Tensor:
    """Brightness in [0, 1], padded with black patches: torch takes milliseconds for each new batch size."""
    bright = patches.astype(np.float32) / np.float32(255.0)
    return torch.from_numpy(np.pad(bright, ((0, -len(bright) % _STEP), (0, 0), (0, 0))))


@njit(cache=True, nogil=True)
def _resample(patches: np.ndarray, affine: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Moving patches resampled to the fixed ones, shape (M, MOVING_SIZE, MOVING_SIZE)."""
    resampled = np.empty((len(patches), MOVING_SIZE, MOVING_SIZE), np.float32)
    middle = 0.5 * (patches.shape[1] - 1)
    for m in range(len(patches)):
        cut(patches[m], middle + shift[m], affine[m], resampled[m])
    return resampled
