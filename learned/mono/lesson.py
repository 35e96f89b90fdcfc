"""How a network learns one scene: the loss and the loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...stages.failure import StageFailure
from ...stages.stage import Context
from .fitted import FittedDepth
from .glimpses import Glimpse, Sighted, glimpse
from .losses import difference, laplace, smoothness, warped
from .network import STRIDE
from .pictures import at_points, image_tensor
from .reading import flat, network_of, residuals

_GLIMPSES = 4
"""A step learns from so many. They are looked at side by side and their gradients added in their order, so that the sum
does not depend on how many threads there are."""

_FILLED = 4.0
"""Weight of the pixels between the points. The points alone leave plain walls open, which are much of most rooms."""

_SHAPE = 3.0
"""Weight of what is left of the residuals of a view without their median. How far away a photo was taken is the hardest
to tell and would else be all that is learned, by heart and at the cost of the shape."""

_EMPTY, _UNKNOWN = 0.5, math.log(0.5)
"""Where there are no points, as in the sky, the network is to expect an error of half the depth: with this weight."""

_LONGEST_GRADIENT = 1.0
_DECAY = 1e-3
_WARM_UP, _LAST_RATE = 0.05, 0.02

_AVERAGE = 0.98
"""Share of the averaged parameters that a step leaves; the average is what is looked at and kept."""

_CHECK = 25
"""Steps from one look at the validation views to the next."""

_PATIENCE = 0.4
"""Learning stops where for this share of its steps the validation views have not become better."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is to be learned, and how.

    Attributes:
        train: views to learn from.
        sources: for each of them the ones that it is compared with, as indices.
        validation: views that say when to stop.
        steps, learning_rate, photometric, smooth: as of :class:`~diptych.learned.mono.learning.MonoLearning`.
    """

    train: Sequence[Sighted]
    sources: Sequence[Sequence[int]]
    validation: Sequence[Sighted]
    steps: int
    learning_rate: float
    photometric: float
    smooth: float

    def teach(
        self, network: FittedDepth, known: FittedDepth, rng: np.random.Generator, context: Context
    ) -> FittedDepth:
        """A network that has learned, at the step which the validation views liked best.

        Args:
            network: to begin with; changed.
            known: another, to be kept where it is liked no less.

        Raises:
            StageFailure: ``training-diverged``.
        """
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=_DECAY)
        average = best = flat(network)
        least, best_step = self._judge(network), 0
        views = _endless(len(self.train), rng)
        workers = max(1, min(context.threads, _GLIMPSES))
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for step in range(1, self.steps + 1):
                optimizer.param_groups[0]["lr"] = self.learning_rate * _rate(step / self.steps)
                glimpsed = [(network, next(views), each) for each in rng.spawn(_GLIMPSES)]
                _follow(network, optimizer, list(pool.map(self._gradients, *zip(*glimpsed, strict=True))), step)
                average = average + (1 - min(_AVERAGE, step / (step + 9))) * (flat(network) - average)
                context.progress(step, self.steps)
                if step % _CHECK == 0 or step == self.steps:
                    error = self._judge(network_of(average))
                    if error < least:
                        best, least, best_step = average, error, step
                    elif step - best_step >= _PATIENCE * self.steps:
                        break
        if self._judge(known) <= least:
            best = flat(known)
        return self._honest(network_of(best))

    def _gradients(self, network: FittedDepth, view: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        seen = glimpse(self.train[view], self._size, rng)
        log_depth, log_error = (each[0] for each in network(seen.shown[None], seen.rays[None]))
        expected, width = (at_points(each, seen.xy) for each in (log_depth, log_error))
        residual = expected - seen.log_depth
        loss = _mean(laplace(residual, width) + _SHAPE * _centred(residual).abs())
        between = seen.filled.isfinite()
        residual = log_depth[between] - seen.filled[between]
        loss = loss + _FILLED * _mean(residual.abs() + _SHAPE * _centred(residual).abs())
        if self.photometric:
            loss = loss + self.photometric * self._unlikeness(seen, view, log_depth.exp())
        loss = loss + self.smooth * smoothness(log_depth, seen.image)
        loss = loss + _EMPTY * torch.where(seen.empty, (log_error - _UNKNOWN).abs(), 0.0).mean()
        return torch.autograd.grad(loss, list(network.parameters()))

    def _unlikeness(self, seen: Glimpse, view: int, depth: Tensor) -> Tensor:
        """How unlike the glimpse is to the sources warped onto it: the mean over pixels of that which fits best."""
        costs = [torch.full_like(depth, math.inf)]
        for source in self.sources[view]:
            other = self.train[source]
            image, shown = warped(
                image_tensor(other.picture.image), seen.view_rays, depth, _projection(self.train[view], other)
            )
            costs.append(torch.where(shown, difference(seen.image, image), math.inf))
        least = torch.stack(costs).amin(dim=0)
        counted = seen.seen & least.isfinite()
        return torch.where(counted, least, 0.0).sum() / counted.sum().clamp(min=1)

    @property
    def _size(self) -> tuple[int, int]:
        """Width and height of the glimpses: those of the first view, to the nearest that needs no padding."""
        height, width = self.train[0].picture.image.shape[:2]
        return max(1, round(width / STRIDE)) * STRIDE, max(1, round(height / STRIDE)) * STRIDE

    def _judge(self, network: FittedDepth) -> float:
        """How far off the depths of the validation views are, and without their scale; they count the same."""
        found = [torch.from_numpy(residuals(network, each)[0]) for each in self.validation]
        return float(np.mean([float((each.abs() + _centred(each).abs()).mean()) for each in found]))

    def _honest(self, network: FittedDepth) -> FittedDepth:
        """The network, its expected errors scaled to those that it makes on the validation views."""
        found = [residuals(network, each) for each in self.validation]
        ratio = np.mean([(np.abs(residual) * np.exp(-log_error)).mean() for residual, log_error in found])
        network.multiply_error(float(ratio))
        return network


def _mean(errors: Tensor) -> Tensor:
    """0 where there are none."""
    return errors.sum() / max(1, len(errors))


def _centred(residual: Tensor) -> Tensor:
    """Residuals of a view less their median: what a scale of its own would leave."""
    return residual - residual.detach().median() if len(residual) else residual


def _follow(
    network: FittedDepth, optimizer: torch.optim.Optimizer, gradients: list[tuple[Tensor, ...]], step: int
) -> None:
    """One step along the mean of some gradients."""
    for parameter, *each in zip(network.parameters(), *gradients, strict=True):
        parameter.grad = torch.stack(each).mean(dim=0)
    length = nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
    if not torch.isfinite(length):
        raise StageFailure(
            "training-diverged",
            f"The loss is no number any more at step {step}.",
            hint="Learn with a lower learning rate.",
            step=step,
        )
    optimizer.step()


def _rate(share: float) -> float:
    """The learning rate as a share of the largest: a short rise, then a cosine."""
    fall = max(0.0, share - _WARM_UP) / (1 - _WARM_UP)
    return min(1.0, share / _WARM_UP) * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * fall)))


def _endless(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Every view once, in a new order each time around."""
    while True:
        yield from rng.permutation(count).tolist()


def _projection(reference: Sighted, source: Sighted) -> Tensor:
    """From the camera frame of one view to the pixels of another, shape (3, 4)."""
    rotation = source.rotation @ reference.rotation.T
    translation = source.translation - rotation @ reference.translation
    return torch.from_numpy((source.picture.matrix @ np.column_stack([rotation, translation])).astype(np.float32))
