"""The stage that refines keypoints by a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numba import njit

from ...stages.cubic import cut
from ...stages.least_squares_matching import LeastSquaresMatching
from ...stages.refinement import Views, refined
from ...stages.scene import Features, Patches, Photos, Tracks
from ...stages.stage import Context, Stage
from ..inference import deterministic, torch_device
from ..weights.files import path_of, ready
from .network import FIXED_SIZE, MOVING_SIZE, Estimate, RefinerNet

_BATCH, _STEP = 64, 16
"""Pairs compared at once, what a core's cache holds, and of what their number is a multiple."""

_FAR = 1.0
"""Steps. A point seen farther away is looked at again from there, where the patches overlap more."""

_OBVIOUS = LeastSquaresMatching(window=13, max_shift=1.0, min_correlation=0.85, max_uncertainty=0.15)
_FINISH = LeastSquaresMatching(window=13, max_shift=1.0, max_uncertainty=0.2)


class SubpixelRefiner(Stage):
    """Move keypoints by a convolutional network that sees both patches of a match at once.

    In every track one view stays, and the others move to it. The moving patch is laid upon the fixed one by the affine
    change that the matches around suggest; the network tells where the point is seen, how sure that is, and whether
    both patches show the same at all. A keypoint that is not sure stays where it is. From where the network saw the
    point, least squares matching (Gruen 1985) takes the last fraction of a pixel: it is more exact than the network,
    but alone it gets lost from afar, and does not know a false match. Where it is beyond doubt by itself, from where
    the detector put the keypoint, the network is not asked, which saves a third of the time. It works for any detector.

    Args:
        weights: those that Diptych ships (``refiner``), or the path of a safetensors file.
        max_uncertainty: largest error of a coordinate to expect of the network, in pixels of the patch.
        min_match: least probability that both patches show the same point.
    """

    slot = "features"
    papers = ("gruen1985", "baker2004", "kim2024")
    libraries = ("numpy", "numba", "scipy", "torch")
    differs_by_device = True

    weights: str = "refiner"
    max_uncertainty: float = 0.5
    min_match: float = 0.5

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of(self.weights),)

    def run(
        self, name: str, photos: Photos, features: Features, patches: Sequence[Patches], tracks: Tracks,
        context: Context,
    ) -> Features:  # fmt: skip
        """The features of one photo with their keypoints moved; those in no track, or not sure, stay.

        Raises:
            StageFailure: as :func:`~diptych.learned.weights.files.ready` and
                :func:`~diptych.learned.inference.torch_device`.
        """
        device = torch_device(context)
        network = ready(RefinerNet, self.weights, device, torch.contiguous_format)
        with deterministic():
            return refined(name, photos, features, patches, tracks, lambda views: self._follow(views, network, device))

    def _follow(self, views: Views, network: RefinerNet, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
        shift, sure = _OBVIOUS.follow(views)
        rest = np.flatnonzero(~sure)
        shift[rest], sure[rest] = self._ask(views.of(rest), network, device)
        return shift, sure

    def _ask(self, views: Views, network: RefinerNet, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
        shift, deviation, match = _seen(views, np.zeros((len(views.fixed), 2)), network, device)
        far = np.flatnonzero(np.linalg.norm(shift, axis=1) > _FAR)
        shift[far], deviation[far], match[far] = _seen(views.of(far), shift[far], network, device)
        sure = (deviation <= self.max_uncertainty) & (match >= self.min_match)
        finish = np.flatnonzero(sure)
        exact, better = _FINISH.follow(views.of(finish), shift[finish])
        shift[finish[better]] = exact[better]
        return shift, sure


def _seen(
    views: Views, start: np.ndarray, network: RefinerNet, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the network sees the points if the moving patches are laid at ``start``: shifts, deviations, matches."""
    margin = (views.fixed.shape[1] - FIXED_SIZE) // 2
    middle = views.fixed[:, margin : margin + FIXED_SIZE, margin : margin + FIXED_SIZE]
    shift, deviation, match = start.copy(), np.empty(len(start)), np.empty(len(start))
    for first in range(0, len(start), _BATCH):
        rows = slice(first, first + _BATCH)
        fixed = _filled(middle[rows].astype(np.float32) / 255).to(device)
        moving = _filled(_laid(views.moving[rows], views.affine[rows], start[rows])).to(device)
        found = network(fixed, moving)
        estimate = Estimate(*(each[: len(start[rows])].double().cpu().numpy() for each in found))
        shift[rows] += np.einsum("nij,nj->ni", views.affine[rows], estimate.shift)
        deviation[rows] = np.exp(estimate.log_deviation)
        match[rows] = 1 / (1 + np.exp(-estimate.match))
    return shift, deviation, match


def _filled(patches: np.ndarray) -> torch.Tensor:
    """Patches and empty ones up to a multiple: for each new number of them torch takes milliseconds to prepare."""
    return torch.from_numpy(np.pad(patches, ((0, -len(patches) % _STEP), (0, 0), (0, 0))))


@njit(cache=True, nogil=True)
def _laid(patches: np.ndarray, affine: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Patches laid upon the fixed ones, brightness in [0, 1], shape (M, MOVING_SIZE, MOVING_SIZE)."""
    laid = np.empty((len(patches), MOVING_SIZE, MOVING_SIZE), np.float32)
    middle = 0.5 * (patches.shape[1] - 1)
    for m in range(len(patches)):
        cut(patches[m], middle + shift[m], affine[m], laid[m])
        laid[m] /= np.float32(255.0)
    return laid
