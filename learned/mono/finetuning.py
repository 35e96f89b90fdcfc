"""Fine-tuning of a network to one scene: the loss and the loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...stages.stage import Context
from ..training.optimization import averaged_weights, clipped_step, learning_rate_factor
from .aligned_network import AlignedDepth, network_from_vector, parameter_vector, residuals
from .augmentation import Crop, random_crop
from .losses import image_difference, laplace, smoothness, warp
from .network import STRIDE
from .views import SparseView, image_tensor, sample_at

_BATCH = 4
"""Crops in a step. Threads compute their gradients, which are added in the order of the crops, so that the sum does not
depend on the number of threads."""

_DENSE = 4.0
"""Weight of the pixels between the points. The points alone leave plain walls open, which are much of most rooms."""

_SHAPE = 3.0
"""Weight of the residuals of a view minus their median. The distance of the camera is the hardest to tell; without this
weight the network would learn it by heart, at the cost of the shape."""

_EMPTY, _EMPTY_LOG_ERROR = 0.5, math.log(0.5)
"""Weight and target of the log-error far from all points, as in the sky: an error of half the depth."""

_WEIGHT_DECAY = 1e-3
_WARM_UP = 0.05

_AVERAGE = 0.98
"""Decay of the averaged weights, which are validated and kept."""

_VALIDATE_EVERY = 25
"""Steps between validations."""

_PATIENCE = 0.4
"""Stop after this share of the steps without improvement on the validation views."""


@dataclass(frozen=True, eq=False)
class FineTuning:
    """The data and settings of a fine-tuning.

    Attributes:
        train: training views.
        sources: for each of them the indices of the training views that it is compared with.
        validation: views for early stopping.
        steps, learning_rate, photometric, smooth: as of :class:`~diptych.learned.mono.learning.MonoLearning`.
    """

    train: Sequence[SparseView]
    sources: Sequence[Sequence[int]]
    validation: Sequence[SparseView]
    steps: int
    learning_rate: float
    photometric: float
    smooth: float

    def run(
        self, network: AlignedDepth, fallback: AlignedDepth, rng: np.random.Generator, context: Context
    ) -> AlignedDepth:
        """The averaged network of the step with the least validation error.

        Args:
            network: to begin with; changed.
            fallback: returned where its validation error is no larger.

        Raises:
            StageFailure: ``training-diverged``.
        """
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=_WEIGHT_DECAY)
        average = averaged_weights(network, _AVERAGE)
        best, least, best_step = parameter_vector(network), self._validation_error(network), 0
        views = _shuffled(len(self.train), rng)
        workers = max(1, min(context.threads, _BATCH))
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for step in range(1, self.steps + 1):
                rate = self.learning_rate * learning_rate_factor(step / self.steps, _WARM_UP)
                optimizer.param_groups[0]["lr"] = rate
                batch = [(network, next(views), each) for each in rng.spawn(_BATCH)]
                gradients = pool.map(self._gradients, *zip(*batch, strict=True))
                for parameter, *each in zip(network.parameters(), *gradients, strict=True):
                    parameter.grad = torch.stack(each).mean(dim=0)
                clipped_step(network, optimizer, step, hint="Learn with a lower learning rate.")
                average.update_parameters(network)
                context.progress(step, self.steps)
                if step % _VALIDATE_EVERY == 0 or step == self.steps:
                    error = self._validation_error(average.module)
                    if error < least:
                        best, least, best_step = parameter_vector(average.module), error, step
                    elif step - best_step >= _PATIENCE * self.steps:
                        break
        if self._validation_error(fallback) <= least:
            best = parameter_vector(fallback)
        return self._calibrate_errors(network_from_vector(best))

    def _gradients(self, network: AlignedDepth, view: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        crop = random_crop(self.train[view], self._size, rng)
        log_depth, log_error = (each[0] for each in network(crop.recolored[None], crop.rays[None]))
        at_points, width = (sample_at(each, crop.xy) for each in (log_depth, log_error))
        residual = at_points - crop.log_depth
        loss = _mean(laplace(residual, width) + _SHAPE * _centered(residual).abs())
        known = crop.dense_log_depth.isfinite()
        residual = log_depth[known] - crop.dense_log_depth[known]
        loss = loss + _DENSE * _mean(residual.abs() + _SHAPE * _centered(residual).abs())
        if self.photometric:
            loss = loss + self.photometric * self._photometric_loss(crop, view, log_depth.exp())
        loss = loss + self.smooth * smoothness(log_depth, crop.image)
        loss = loss + _EMPTY * torch.where(crop.empty, (log_error - _EMPTY_LOG_ERROR).abs(), 0.0).mean()
        return torch.autograd.grad(loss, list(network.parameters()))

    def _photometric_loss(self, crop: Crop, view: int, depth: Tensor) -> Tensor:
        """Difference between the crop and the sources warped onto it: at each pixel the least, the mean over pixels."""
        costs = [torch.full_like(depth, math.inf)]
        for source in self.sources[view]:
            other = self.train[source]
            projection = _projection(self.train[view], other)
            image, visible = warp(image_tensor(other.scaled.image), crop.view_rays, depth, projection)
            costs.append(torch.where(visible, image_difference(crop.image, image), math.inf))
        least = torch.stack(costs).amin(dim=0)
        counted = crop.valid & least.isfinite()
        return torch.where(counted, least, 0.0).sum() / counted.sum().clamp(min=1)

    @property
    def _size(self) -> tuple[int, int]:
        """Width and height of the crops: those of the first view, rounded to multiples of the stride."""
        height, width = self.train[0].scaled.image.shape[:2]
        return max(1, round(width / STRIDE)) * STRIDE, max(1, round(height / STRIDE)) * STRIDE

    def _validation_error(self, network: nn.Module) -> float:
        """Mean absolute residual of the validation views plus that without their median; views count the same."""
        found = [torch.from_numpy(residuals(network, each)[0]) for each in self.validation]
        return float(np.mean([float((each.abs() + _centered(each).abs()).mean()) for each in found]))

    def _calibrate_errors(self, network: AlignedDepth) -> AlignedDepth:
        """Scale the predicted errors of a network to its actual errors on the validation views."""
        found = [residuals(network, each) for each in self.validation]
        ratio = np.mean([(np.abs(residual) * np.exp(-log_error)).mean() for residual, log_error in found])
        network.multiply_error(float(ratio))
        return network


def _mean(errors: Tensor) -> Tensor:
    """The mean, 0 if there are none."""
    return errors.sum() / max(1, len(errors))


def _centered(residual: Tensor) -> Tensor:
    """Residuals of a view minus their median: the errors at the view's own scale."""
    return residual - residual.detach().median() if len(residual) else residual


def _shuffled(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Indices below ``count`` without end, in a new order each epoch."""
    while True:
        yield from rng.permutation(count).tolist()


def _projection(reference: SparseView, source: SparseView) -> Tensor:
    """From the camera frame of one view to the pixels of another, shape (3, 4)."""
    rotation = source.rotation @ reference.rotation.T
    translation = source.translation - rotation @ reference.translation
    return torch.from_numpy((source.scaled.matrix @ np.column_stack([rotation, translation])).astype(np.float32))
