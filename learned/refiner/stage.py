"""The stage that refines keypoints by a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numba import njit

from ...stages.cubic import cut
from ...stages.refinement import Views, refined
from ...stages.scene import Features, Patches, Photos, Tracks
from ...stages.stage import Context, Stage
from ..inference import deterministic, torch_device
from ..weights.files import load, path_of
from .network import FIXED_SIZE, MOVING_SIZE, REACH, RefinerNet

_BATCH = 256
"""Pairs compared at once: what a core's cache holds, and always as many, so that the same bytes come out."""


class SubpixelRefiner(Stage):
    """Move keypoints by a convolutional network that sees both patches of a match at once.

    In every track one view stays, and the others move to it. The moving patch is laid upon the fixed one by the affine
    change that the matches around suggest; the network tells where the point is seen, how sure that is, and whether
    both patches show the same at all. A keypoint that is not sure stays where it is. The network works for keypoints
    of any detector; it was trained on synthetic patches.

    Args:
        weights: those that Diptych ships (``refiner``), or the path of a safetensors file.
        rounds: how often the patch is laid anew where the network saw the point; each takes as long.
        max_uncertainty: largest error of a coordinate to expect, in pixels of the patch.
        min_match: least probability that both patches show the same point.
    """

    slot = "features"
    libraries = ("numpy", "numba", "scipy", "torch")
    differs_by_device = True

    weights: str = "refiner"
    rounds: int = 2
    max_uncertainty: float = 0.3
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
            StageFailure: as :func:`~diptych.learned.weights.files.load` and
                :func:`~diptych.learned.inference.torch_device`.
        """
        device = torch_device(context)
        network = RefinerNet().to(device).eval()
        load(network, self.weights)
        with deterministic():
            return refined(name, photos, features, patches, tracks, lambda views: self._follow(views, network, device))

    def _follow(self, views: Views, network: RefinerNet, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
        shift = np.zeros((len(views.fixed), 2))
        sure = np.zeros(len(views.fixed), bool)
        margin = (views.fixed.shape[1] - FIXED_SIZE) // 2
        middle = views.fixed[:, margin : margin + FIXED_SIZE, margin : margin + FIXED_SIZE]
        for start in range(0, len(shift), _BATCH):
            rows = slice(start, start + _BATCH)
            fixed = torch.from_numpy(middle[rows].astype(np.float32) / 255).to(device)
            affine, found = views.affine[rows], shift[rows]
            for _ in range(self.rounds):
                laid = _laid(views.moving[rows], affine, found)
                estimate = network(fixed, torch.from_numpy(laid).to(device))
                found += np.einsum("nij,nj->ni", affine, estimate.shift.cpu().double().numpy())
            near = np.abs(np.linalg.solve(affine, found[..., None])[..., 0]).max(axis=1) < REACH
            certain = (estimate.log_deviation <= math.log(self.max_uncertainty)) & (
                estimate.match >= math.log(self.min_match / (1 - self.min_match))
            )
            sure[rows] = near & certain.cpu().numpy()
        return shift, sure


@njit(cache=True, nogil=True)
def _laid(patches: np.ndarray, affine: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Patches as they look in the frame of the fixed ones, brightness in [0, 1], shape (M, MOVING_SIZE, MOVING_SIZE)."""
    laid = np.empty((len(patches), MOVING_SIZE, MOVING_SIZE), np.float32)
    middle = 0.5 * (patches.shape[1] - 1)
    for m in range(len(patches)):
        cut(patches[m], middle + shift[m], affine[m], laid[m])
        laid[m] /= np.float32(255.0)
    return laid
