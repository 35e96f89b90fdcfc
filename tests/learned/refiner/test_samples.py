"""Pairs of patches for training: the same for the same number, with the shift that they say."""

from __future__ import annotations

import numpy as np
import torch
from diptych.learned.refiner.network import FIXED_SIZE, MOVING_SIZE, REACH
from diptych.learned.refiner.samples import Samples, samples
from diptych.learned.synthetic.draws import generator
from diptych.stages.features.least_squares_matching import LeastSquaresMatching
from diptych.stages.features.refinement import Views

CPU = torch.device("cpu")


def made(seed: int = 0, textures: int = 3, each: int = 100) -> Samples:
    return samples(generator(seed), textures, each, CPU)


def test_the_same_seed_makes_the_same_samples() -> None:
    once, again, other = made(textures=1), made(textures=1), made(1, textures=1)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once.fixed, other.fixed)


def test_sizes_and_ranges() -> None:
    batch = made()
    assert batch.fixed.shape == (300, FIXED_SIZE, FIXED_SIZE)
    assert batch.moving.shape == (300, MOVING_SIZE, MOVING_SIZE)
    for patch in (batch.fixed, batch.moving):
        assert patch.min() >= 0 and patch.max() <= 1
        assert torch.equal((255 * patch).round() / 255, patch)
    assert batch.shift.abs().max() < REACH
    assert 0.4 < batch.shift.norm(dim=1).median() < 1.5
    assert 0.8 < batch.match.float().mean() < 0.95


def test_least_squares_matching_finds_the_shift_that_a_sample_tells() -> None:
    batch = made()
    fixed, moving = (np.round(255 * each.numpy()).astype(np.uint8) for each in (batch.fixed, batch.moving))
    laid = Views(fixed, moving, np.tile(np.eye(2), (len(fixed), 1, 1)))
    shift, sure = LeastSquaresMatching(max_uncertainty=0.15).follow(laid)
    true = sure & batch.match.numpy()
    error = np.linalg.norm(shift - batch.shift.numpy(), axis=1)[true]
    assert true.sum() > 80
    assert 0.01 < np.median(error) < 0.15
    assert sure[~batch.match.numpy()].mean() < 0.5 * sure[batch.match.numpy()].mean()
