"""One step of an optimizer, its learning rate, and the running average of the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ...stages.failure import StageFailure

_MAX_GRADIENT_NORM = 1.0

_LAST_RATE = 0.02
"""The learning rate at the end, as a share of the largest."""


def learning_rate_factor(share: float, warm_up: float, first: float = 0.0) -> float:
    """The learning rate as a share of the largest: a linear rise, then a cosine (Loshchilov and Hutter 2017).

    Args:
        share: of the steps that are done.
        warm_up: share of the steps over which the rate rises.
        first: steps that the rise is ahead at the start, as a share of ``warm_up``.
    """
    rise = min(1.0, (share + first * warm_up) / ((1 + first) * warm_up))
    fall = min(1.0, max(0.0, share - warm_up) / (1 - warm_up))
    return rise * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * fall)))


def averaged_weights(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a network's weights, which begins with the present ones.

    Step n keeps ``min(decay, n / (n + 9))`` of the average, so that it forgets the initial weights quickly.
    """

    def update(
        averages: tuple[Tensor, ...] | list[Tensor], weights: tuple[Tensor, ...] | list[Tensor], n: Tensor | int
    ) -> None:
        step = int(n)
        for average, weight in zip(averages, weights, strict=True):
            average += (1 - min(decay, step / (step + 9))) * (weight - average)

    average = AveragedModel(network, multi_avg_fn=update)
    average.update_parameters(network)
    return average


def clipped_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    hint: str,
    loss: Tensor | None = None,
    **facts: object,
) -> None:
    """Clip the norm of the gradients and update the weights.

    Args:
        step: number of the step, for the failure.
        hint: what to do about divergence.
        loss: checked like the gradients.
        facts: further facts of the failure.

    Raises:
        StageFailure: ``training-diverged`` where the loss or a gradient is not finite.
    """
    norm = nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT_NORM)
    if not torch.isfinite(norm) or (loss is not None and not torch.isfinite(loss)):
        raise StageFailure(
            "training-diverged", f"The loss is no number any more at step {step}.", hint=hint, step=step, **facts
        )
    optimizer.step()
