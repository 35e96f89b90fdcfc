"""The definition of a training: a network, the data of every step, and the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .real import RealScene


class Task(ABC):
    """A network, its training data, its loss and its validation.

    Args:
        seed: of the data: a batch depends only on this and on the number of the step.
        device: of the network and the data.

    Class attributes:
        name: of the command and of the shipped weights.
        summary: one sentence for the card: output and training data of the network.
        learning_rate: the largest one.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    learning_rate: ClassVar[float] = 1e-3

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed, self.device = seed, device

    @abstractmethod
    def network(self) -> nn.Module:
        """A new network; its initial weights come from torch's global generator, which the loop seeds."""

    @abstractmethod
    def batch(self, number: int) -> Any:
        """The data of one step; called in advance from another thread."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """Return the training loss and scalars to log."""

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return metrics on held-out samples, which no seed trains on."""

    @abstractmethod
    def evaluate(self, weights: Path, real: RealScene) -> dict[str, float]:
        """Return metrics of the stage with these weights on real photos with true cameras."""


def mean_metrics(of_samples: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every metric over samples, each of which has all of them."""
    return {name: sum(each[name] for each in of_samples) / len(of_samples) for name in of_samples[0]}
