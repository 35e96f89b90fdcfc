"""Training of RefinerNet on synthetic patches with exact correspondence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...stages.stage import Context
from ..synthetic.draws import generator
from ..training.real import RealScene
from ..training.task import Task
from .network import RefinerNet, ShiftEstimate
from .samples import Samples, samples
from .stage import SubpixelRefiner

_TEXTURES, _EACH = 4, 128
_HELD_OUT = 1 << 40
"""Numbers of the held-out batches, which no training reaches."""

_LEAST_DEVIATION = -4.5
"""Logarithm of the smallest deviation, 0.01 px."""


class RefinerTask(Task):
    """The shift between two patches of a point, and its uncertainty."""

    name = "refiner"
    summary = "Shifts between two patches of a point, from procedural textures seen twice; no photo was used."
    learning_rate = 2e-3

    def network(self) -> nn.Module:
        return RefinerNet()

    def batch(self, number: int) -> Samples:
        return samples(generator(self.seed, number), _TEXTURES, _EACH, self.device)

    def loss(self, network: nn.Module, batch: Samples) -> tuple[Tensor, dict[str, float]]:
        estimate: ShiftEstimate = network(batch.fixed, batch.moving)
        real = batch.match.float()
        error = (estimate.shift - batch.shift).abs().sum(1)
        deviation = F.softplus(estimate.log_deviation.float() - _LEAST_DEVIATION) + _LEAST_DEVIATION
        likelihood = (error * torch.exp(-deviation) + 2 * deviation) * real
        doubt = F.binary_cross_entropy_with_logits(estimate.match.float(), real)
        loss = likelihood.sum() / real.sum() + 2 * doubt
        return loss, {"error": float((error * real).detach().sum() / real.sum() / 2), "doubt": float(doubt.detach())}

    def validate(self, network: nn.Module) -> dict[str, float]:
        device = next(network.parameters()).device
        held = [samples(generator(0, _HELD_OUT + i), _TEXTURES, 2 * _EACH, device) for i in range(4)]
        batch = Samples(*(torch.cat(each) for each in zip(*held, strict=True)))
        estimate: ShiftEstimate = network(batch.fixed, batch.moving)
        error = (estimate.shift - batch.shift).norm(dim=1)
        sure = (estimate.match > 0) & (estimate.log_deviation < -1.5)
        start = batch.shift.norm(dim=1)
        near, far = batch.match & (start < 1), batch.match & (start >= 1)
        return {
            "median near": float(error[near].median()),
            "median far": float(error[far].median()),
            "within 0.25 near": float((error[near] < 0.25).float().mean()),
            "within 0.25 far": float((error[far] < 0.25).float().mean()),
            "sure of matches": float(sure[batch.match].float().mean()),
            "sure of false ones": float(sure[~batch.match].float().mean()),
            "within 0.25 where sure": float((error[sure & batch.match] < 0.25).float().mean()),
        }

    def evaluate(self, weights: Path, real: RealScene) -> dict[str, float]:
        """The share of matches close to the true epipolar lines, before and after refinement."""
        stage, context = SubpixelRefiner(weights=str(weights)), Context(device=str(self.device))
        patches = [real.patches[name] for name in real.photos.names]
        moved = {
            name: stage.run(name, real.photos, real.features[name], patches, real.tracks, context)
            for name in real.photos.names
        }
        before, after = (float(np.mean(real.epipolar_distances(each) < 0.25)) for each in (real.features, moved))
        return {"raw within 0.25 px": before, "within 0.25 px": after}
