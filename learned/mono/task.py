"""Pretraining of MonoDepth on synthetic scenes, whose depth is exact."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..synthetic.places import PLACES
from ..synthetic.scenes import sample
from ..training.real import RealScene
from ..training.task import Task, mean_metrics
from ..weights.files import load
from .aligned_network import residuals
from .learning import MonoLearning
from .losses import laplace
from .network import MonoDepth
from .views import sparse_views

HELD_OUT = 1 << 40
"""Seed of the samples that no training sees; seeds of trainings are smaller."""

_WIDTH, _HEIGHT, _VIEWS = 160, 120, 4
_INPUT_WIDTH, _INPUT_HEIGHT = 128, 96
"""The network sees images smaller than rendered: as sharp as photographs of this size."""

_AGO = 0, 7, 19, 41
"""A batch contains the scenes of the steps so long ago, each with a new augmentation: rendering is slower than
training."""

_PLAIN, _SAME_MATERIAL = 0.5, 0.5
"""Shares of nearly plain textures, and of shapes with the material of the previous one, as in most buildings."""

_VALIDATED = 24
_ZOOM, _ROLL = (0.65, 1.05), np.radians(6)
_GAIN, _GAMMA, _MIX = 0.2, 0.2, 0.25
_SCALE, _STEPS, _LEVELS = 0.1, 0.5, 4
"""Weights of the scale error of an image and of the gradient loss, and the number of scales of the latter."""

_BETA = 0.5
"""Weight the likelihood by this power of the predicted error: else easy pixels dominate (Seitzer et al. 2022)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and their depths.

    Attributes:
        image: RGB from 0 to 1, shape (B, 3, H, W).
        rays: directions of the pixels, shape (B, 2, H, W).
        log_depth: logarithm of z over the median z of the image, shape (B, H, W).
        known: whether there is a depth, shape (B, H, W).
    """

    image: Tensor
    rays: Tensor
    log_depth: Tensor
    known: Tensor


class MonoTask(Task):
    """Depth from one image, up to scale."""

    name: ClassVar[str] = "mono"
    summary: ClassVar[str] = "Depth of a single image up to a factor, learned from the exact depth of synthetic scenes."
    learning_rate: ClassVar[float] = 2e-3

    def __init__(self, seed: int, device: torch.device) -> None:
        super().__init__(seed, device)
        self._scenes: OrderedDict[tuple[int, int], Batch] = OrderedDict()

    def network(self) -> nn.Module:
        return MonoDepth()

    def batch(self, number: int) -> Batch:
        rng = np.random.default_rng([self.seed, number])
        scenes = [_augmented(self._scene(number - ago, self.seed), rng) for ago in _AGO if number >= ago]
        return Batch(*(torch.cat([getattr(each, name) for each in scenes]) for name in vars(scenes[0])))

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        log_depth, log_error = (each.float() for each in network(batch.image, batch.rays))
        residual = torch.where(batch.known, log_depth - batch.log_depth, 0.0)
        aligned = residual - _medians(residual, batch.known)
        count = batch.known.sum()
        likelihood = laplace(aligned, log_error) * torch.exp(_BETA * log_error.detach())
        shape = torch.where(batch.known, likelihood, 0.0).sum() / count
        scale = (residual.sum(dim=(1, 2)) / batch.known.sum(dim=(1, 2)).clamp(min=1)).abs().mean()
        steps = _gradient_loss(residual, batch.known)
        numbers = {"shape": float(shape.detach()), "steps": float(steps.detach())}
        return shape + _SCALE * scale + _STEPS * steps, numbers | _metrics(residual.detach(), batch.known)

    def validate(self, network: nn.Module) -> dict[str, float]:
        metrics = []
        for number in range(_VALIDATED):
            whole = np.tile(np.eye(2), (_VIEWS, 1, 1)), np.ones(_VIEWS), np.zeros((_VIEWS, 2))
            held_out = _resampled(self._scene(number, HELD_OUT), *whole)
            log_depth, _ = network(held_out.image, held_out.rays)
            metrics.append(_metrics(log_depth.float() - held_out.log_depth, held_out.known))
        return mean_metrics(metrics)

    def evaluate(self, weights: Path, real: RealScene) -> dict[str, float]:
        """Errors at the points of the model, each photo at its own scale, averaged over the photos."""
        network = MonoDepth().eval()
        load(network, str(weights))
        names = real.photos.names
        views = sparse_views([real.views[name] for name in names], real.scene, names, MonoLearning.size)
        found = (torch.from_numpy(residuals(network, view)[0])[None, None] for view in views.values())
        return mean_metrics([_metrics(each, torch.ones_like(each, dtype=torch.bool)) for each in found])

    def _scene(self, number: int, seed: int) -> Batch:
        """The views of a scene, cached while later batches reuse it."""
        if (seed, number) not in self._scenes:
            made = sample(
                number,
                seed=seed,
                views=_VIEWS,
                depth_views=_VIEWS,
                width=_WIDTH,
                height=_HEIGHT,
                device=self.device,
                mix=PLACES,
                plain=_PLAIN,
                same_material=_SAME_MATERIAL,
            )
            back = torch.linalg.inv(made.intrinsics.double())
            u, v = (torch.arange(n, device=self.device, dtype=torch.float64) + 0.5 for n in (_WIDTH, _HEIGHT))
            pixels = torch.stack([u.expand(_HEIGHT, -1), v[:, None].expand(-1, _WIDTH), torch.ones_like(made.depth[0])])
            rays = torch.einsum("bij,jhw->bihw", back, pixels)[:, :2].float()
            self._scenes[seed, number] = Batch(made.images, rays, *_relative(made.depth))
            if seed != HELD_OUT and sum(of != HELD_OUT for of, _ in self._scenes) > max(_AGO) + 1:
                del self._scenes[next(key for key in self._scenes if key[0] != HELD_OUT)]
        return self._scenes[seed, number]


def _relative(depth: Tensor) -> tuple[Tensor, Tensor]:
    """Log-depth minus the image's median, 0 where depth is unknown, and whether it is known."""
    known = depth > 0
    log_depth = torch.where(known, depth, 1.0).log()
    return torch.where(known, log_depth - _medians(log_depth, known), 0.0), known


def _augmented(views: Batch, rng: np.random.Generator) -> Batch:
    """Random roll, mirror, zoom and colors, which preserve z."""
    count = len(views.image)
    angle, zoom = rng.uniform(-_ROLL, _ROLL, count), rng.uniform(*_ZOOM, count)
    mirror = rng.choice([-1.0, 1.0], count)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([cosine * mirror, -sine, sine * mirror, cosine], axis=1).reshape(count, 2, 2)
    shift = rng.uniform(-1, 1, (count, 2)) * np.maximum(0, 1 - zoom)[:, None]
    shown = _resampled(views, turn, zoom, shift)
    return replace(shown, image=_recolored(shown.image, rng))


def _resampled(views: Batch, turn: np.ndarray, zoom: np.ndarray, shift: np.ndarray) -> Batch:
    """Views resampled to the size of the network's input.

    Args:
        turn: from rays of the new cameras to those of the views, shape (B, 2, 2).
        zoom: width of the crop as a share of the view's, shape (B,).
        shift: of the center, in half widths and half heights, shape (B, 2).
    """
    count, device = len(views.image), views.image.device
    size = np.array([_WIDTH, _HEIGHT])
    affine = np.concatenate([zoom[:, None, None] * turn * size / size[:, None], shift[..., None]], axis=2)
    shape = [count, 1, _INPUT_HEIGHT, _INPUT_WIDTH]
    grid = functional.affine_grid(torch.tensor(affine, dtype=torch.float32, device=device), shape, align_corners=False)
    smooth = functional.grid_sample(
        torch.cat([views.image, views.rays], dim=1), grid, padding_mode="reflection", align_corners=False
    )
    sharp = functional.grid_sample(
        torch.stack([views.log_depth, views.known.float()], dim=1), grid, mode="nearest", align_corners=False
    )
    rays = torch.einsum("bji,bjhw->bihw", torch.tensor(turn, dtype=torch.float32, device=device), smooth[:, 3:])
    known = sharp[:, 1] > 0
    log_depth = torch.where(known, sharp[:, 0] - _medians(sharp[:, 0], known), 0.0)
    return Batch(smooth[:, :3], rays, log_depth, known)


def _recolored(image: Tensor, rng: np.random.Generator) -> Tensor:
    count = len(image)
    mix = np.eye(3) + rng.uniform(-_MIX, _MIX, (count, 3, 3))
    mix /= mix.sum(axis=2, keepdims=True)
    mix *= np.exp(rng.uniform(-_GAIN, _GAIN, (count, 1, 1)))
    gamma = np.exp(rng.uniform(-_GAMMA, _GAMMA, (count, 1, 1, 1)))
    mixed, power = (torch.tensor(each, dtype=torch.float32, device=image.device) for each in (mix, gamma))
    return torch.einsum("bij,bjhw->bihw", mixed, image).clamp(1e-3, 1) ** power


def _medians(values: Tensor, known: Tensor) -> Tensor:
    """Median of the known values of each image, shape (B, 1, 1); 0 if none is known."""
    with torch.no_grad():
        nothing = values.new_full((), float("nan"))
        medians = torch.where(known, values, nothing).flatten(1).nanmedian(dim=1).values
        return medians.nan_to_num(0.0)[:, None, None]


def _gradient_loss(residual: Tensor, known: Tensor) -> Tensor:
    """Mean absolute difference of neighboring residuals, at several scales (Ranftl et al. 2020, MiDaS)."""
    total = residual.new_zeros(())
    for level in range(_LEVELS):
        at, here = residual[:, :: 2**level, :: 2**level], known[:, :: 2**level, :: 2**level]
        for axis in (1, 2):
            both = here.narrow(axis, 1, here.shape[axis] - 1) & here.narrow(axis, 0, here.shape[axis] - 1)
            total = total + torch.where(both, torch.diff(at, dim=axis).abs(), 0.0).sum() / both.sum().clamp(min=1)
    return total / _LEVELS


def _metrics(residual: Tensor, known: Tensor) -> dict[str, float]:
    """Errors of depth with each image at its own scale."""
    error = torch.expm1(residual - _medians(residual, known)).abs()[known]
    return {
        "median %": 100 * float(error.median()),
        "mean %": 100 * float(error.mean()),
        "within 10 %": float((error <= 0.1).float().mean()),
    }
