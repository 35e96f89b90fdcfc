"""What can be trained: a network, the data of every step, and what is to become small."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .real import RealScene


class Task(ABC):
    """A network and how it learns.

    Args:
        seed: of the data: the batch of a step depends on this and on the step's number alone.
        device: where the network is trained and where data is made.

    Class attributes:
        name: of the command and of the shipped weights.
        summary: one sentence for the card: what is learned from what.
        learning_rate: the largest one.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    learning_rate: ClassVar[float] = 1e-3

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed, self.device = seed, device

    @abstractmethod
    def network(self) -> nn.Module:
        """A fresh network; its first weights come from torch's own generator, which the loop seeds."""

    @abstractmethod
    def batch(self, number: int) -> Any:
        """The data of one step; called ahead of time from another thread."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """What is to become small, and a few numbers for the curves."""

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """How good the network is on samples that no seed trains on."""

    @abstractmethod
    def judge(self, weights: Path, real: RealScene) -> dict[str, float]:
        """How good the stage is with these weights on real photos with true cameras."""


def mean_figures(of_samples: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every figure over samples, each of which has all of them."""
    return {name: sum(each[name] for each in of_samples) / len(of_samples) for name in of_samples[0]}
