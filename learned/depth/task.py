"""Training of DepthNet on synthetic scenes, whose depth is exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...stages.stage import Context
from ..synthetic.scenes import Sample, sample
from ..training.real import RealScene
from ..training.task import Task, mean_metrics
from .network import HYPOTHESES, DepthNetwork, Estimate
from .stage import DepthNet
from .warping import Rays

HELD_OUT = 1 << 40
"""Seed of the samples that no training sees; seeds of trainings are smaller."""

_WIDTH, _HEIGHT = 192, 144
_VALIDATED, _EVALUATED = 12, 3
"""Synthetic samples and real views of a validation."""

_STEP_DECAY = 0.8
"""Weight of each step relative to the next one."""


class DepthTask(Task):
    """Multi-view depth from two to four neighbors."""

    name: ClassVar[str] = "depth"
    summary: ClassVar[str] = "Depth of a view from its neighbors, learned from the exact depth of synthetic scenes."
    learning_rate: ClassVar[float] = 8e-4

    def network(self) -> nn.Module:
        return DepthNetwork()

    def batch(self, number: int) -> Sample:
        """Every scene is used twice, with another reference view."""
        scene = self._sample(number // 2, self.seed, views=3 + number // 2 % 3)
        return _with_second_as_reference(scene) if number % 2 else scene

    def loss(self, network: nn.Module, batch: Sample) -> tuple[Tensor, dict[str, float]]:
        true, rays = _true_inverse(batch), rays_of(batch)
        estimate: Estimate = network(*_images(batch), rays, *_range(batch))
        pixel = rays.pixel()
        course = [_step_loss(each, true, pixel) for each in estimate.course]
        weights = [_STEP_DECAY ** (len(course) - 1 - i) for i in range(len(course))]
        walked = sum(w * each for w, each in zip(weights, course, strict=True)) / sum(weights)
        first = _initial_loss(estimate.logits, true, batch)
        doubt = _confidence_loss(estimate, true)
        total = walked + 0.3 * first + 0.2 * doubt
        scalars = {"first": first, "last": course[-1], "doubt": doubt}
        return total, {name: float(each.detach()) for name, each in scalars.items()} | _metrics(estimate, true)

    def validate(self, network: nn.Module) -> dict[str, float]:
        metrics = []
        for number in range(_VALIDATED):
            held_out = self._sample(number, HELD_OUT, views=5)
            estimate = network(*_images(held_out), rays_of(held_out), *_range(held_out))
            metrics.append(_metrics(estimate, _true_inverse(held_out)))
        return mean_metrics(metrics)

    def evaluate(self, weights: Path, real: RealScene) -> dict[str, float]:
        """Errors at points triangulated with the true cameras, 100 % where there is no depth."""
        stage, metrics = DepthNet(weights=str(weights), min_confidence=0.0), []
        for photo in real.sample_photos(_EVALUATED):
            xy, z = real.check_points(photo)
            column, row = xy.astype(np.int64).T
            depth = stage.run(real.around(photo), Context(device=str(self.device))).depth[row, column]
            metrics.append(_error_metrics(torch.from_numpy(np.abs(depth / z - 1))))
        return mean_metrics(metrics)

    def _sample(self, number: int, seed: int, views: int) -> Sample:
        return sample(number, seed=seed, views=views, width=_WIDTH, height=_HEIGHT, depth_views=2, device=self.device)


def _with_second_as_reference(scene: Sample) -> Sample:
    """The same scene with its second view as the reference."""
    order = [1, 0, *range(2, len(scene.images))]
    depth, normal = scene.depth.flip(0), scene.normal.flip(0)
    known = depth[0][depth[0] > 0]
    near, far = (0.8 * known.quantile(0.01), 1.25 * known.quantile(0.99)) if len(known) else (scene.near, scene.far)
    views = {name: getattr(scene, name)[order] for name in ("images", "intrinsics", "rotations", "translations")}
    return replace(scene, **views, depth=depth, normal=normal, near=float(near), far=float(far))


def rays_of(batch: Sample) -> Rays:
    """The rays of the first view through the others."""
    height, width = batch.images.shape[2:]
    middle = torch.tensor([(1 / batch.near + 1 / batch.far) / 2], device=batch.images.device)
    intrinsics, rotations, translations = (
        each[None].double() for each in (batch.intrinsics, batch.rotations, batch.translations)
    )
    return Rays.between(intrinsics, rotations, translations, width, height, middle.float())


def _images(batch: Sample) -> tuple[Tensor, list[Tensor]]:
    reference, *sources = batch.images.split(1)
    return reference, sources


def _range(batch: Sample) -> tuple[Tensor, Tensor]:
    return tuple(batch.images.new_tensor([each]) for each in (batch.near, batch.far))  # pyright: ignore[reportReturnType]


def _true_inverse(batch: Sample) -> Tensor:
    """Inverse depth, 0 where there is none, shape (1, H, W)."""
    depth = batch.depth[:1]
    return torch.where(depth > 0, 1 / depth.clamp_min(1e-12), torch.zeros_like(depth))


def _at_size(true: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
    """The true values at the centers of larger pixels, and whether all pixels around that center have one."""
    if true.shape[1:] == size:
        return true, true > 0
    known = F.interpolate((true > 0).float()[:, None], size, mode="bilinear", align_corners=False)[:, 0] == 1
    return F.interpolate(true[:, None], size, mode="bilinear", align_corners=False)[:, 0], known


def _step_loss(inverse: Tensor, true: Tensor, pixel: Tensor) -> Tensor:
    """The robust error in pixels of parallax: outliers count logarithmically."""
    true, known = _at_size(true, inverse.shape[1:])
    error = ((inverse - true).abs() / pixel)[known]
    return torch.log1p(2 * error).mean() if len(error) else inverse.sum() * 0


def _initial_loss(logits: Tensor, true: Tensor, batch: Sample) -> Tensor:
    """Cross-entropy with the two hypotheses around the true value."""
    true, known = _at_size(true, logits.shape[2:])
    farthest, nearest = 1 / batch.far, 1 / batch.near
    place = (true - farthest) / (nearest - farthest) * (HYPOTHESES - 1)
    known = known & (place >= 0) & (place <= HYPOTHESES - 1)
    below = place.floor().clamp(0, HYPOTHESES - 2)
    share, index = place - below, below.long()[:, None]
    logs = logits.log_softmax(1)
    cost = -(1 - share) * logs.gather(1, index)[:, 0] - share * logs.gather(1, index + 1)[:, 0]
    return cost[known].mean() if known.any() else logits.sum() * 0


def _confidence_loss(estimate: Estimate, true: Tensor) -> Tensor:
    known = true > 0
    right = (_relative_error(estimate, true) < 0.01).float()
    cost = F.binary_cross_entropy_with_logits(estimate.confidence, right, reduction="none")
    return cost[known].mean() if known.any() else estimate.confidence.sum() * 0


def _relative_error(estimate: Estimate, true: Tensor) -> Tensor:
    """Error of depth as a share of the true depth."""
    with torch.no_grad():
        return (true / estimate.inverse_depth.clamp_min(1e-12) - 1).abs()


def _metrics(estimate: Estimate, true: Tensor) -> dict[str, float]:
    return _error_metrics(_relative_error(estimate, true)[true > 0])


def _error_metrics(error: Tensor) -> dict[str, float]:
    """Metrics of relative errors of depth."""
    if not len(error):
        return {"median %": 0.0, "within 0.5 %": 1.0, "within 1 %": 1.0}
    return {
        "median %": 100 * float(error.median()),
        "within 0.5 %": float((error < 0.005).float().mean()),
        "within 1 %": float((error < 0.01).float().mean()),
    }
