"""Random draws from an explicit generator on the CPU, so that a sample is the same on every device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

T = TypeVar("T")


def generator(*key: int) -> Generator:
    """A generator on the CPU whose seed mixes all numbers of ``key`` (NumPy's ``SeedSequence``)."""
    state = np.random.SeedSequence([number & (2**64 - 1) for number in key]).generate_state(1, np.uint64)
    return Generator().manual_seed(int(state[0]))


def uniform(rng: Generator, low: float, high: float) -> float:
    """One number, uniform in [low, high)."""
    return low + (high - low) * torch.rand((), generator=rng, dtype=torch.float64).item()


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """One positive number whose logarithm is uniform between those of ``low`` and ``high``."""
    return math.exp(uniform(rng, math.log(low), math.log(high)))


def normal(rng: Generator, sigma: float = 1.0) -> float:
    """One number of a centerd normal distribution."""
    return sigma * torch.randn((), generator=rng, dtype=torch.float64).item()


def chance(rng: Generator, probability: float) -> bool:
    """True with this probability."""
    return uniform(rng, 0.0, 1.0) < probability


def whole(rng: Generator, low: int, high: int) -> int:
    """One whole number, ``low`` and ``high`` included."""
    return int(torch.randint(low, high + 1, (), generator=rng).item())


def choice(rng: Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """One of ``options``, all equally likely or in proportion to ``weights``."""
    if weights is None:
        return options[whole(rng, 0, len(options) - 1)]
    at = torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=rng)
    return options[int(at.item())]


def direction(rng: Generator) -> np.ndarray:
    """A unit vector, all directions equally likely, shape (3,)."""
    vector = torch.randn(3, generator=rng, dtype=torch.float64).numpy()
    return vector / np.linalg.norm(vector)


def noise(rng: Generator, *shape: int) -> Tensor:
    """Standard normal float32 numbers, on the CPU."""
    return torch.randn(shape, generator=rng)


def rand(rng: Generator, *shape: int) -> Tensor:
    """Float32 numbers uniform in [0, 1), on the CPU."""
    return torch.rand(shape, generator=rng)


def mean(values: Tensor) -> Tensor:
    """The mean, summed in an order that does not depend on the number of threads: first along the last axis."""
    return values.mean(dim=-1).flatten().mean()
