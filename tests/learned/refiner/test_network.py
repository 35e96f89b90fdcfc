"""The refiner's network, its loss and how it learns."""

from __future__ import annotations

import torch
from diptych.learned.refiner.network import FIXED_SIZE, MOVING_SIZE, REACH, RefinerNet, _Correlation
from diptych.learned.refiner.samples import Samples
from diptych.learned.refiner.task import RefinerTask
from diptych.learned.weights.files import load

CPU = torch.device("cpu")


def test_the_derivatives_of_the_correlation_are_right() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 6, 6, dtype=torch.double, generator=rng, requires_grad=True)
    window = torch.randn(2, 3, 3, 3, dtype=torch.double, generator=rng, requires_grad=True)
    assert torch.autograd.gradcheck(_Correlation.apply, (features, window))
    alone = torch.einsum("cij,cij->c", features[1, :, 2:5, 1:4], window[1])
    torch.testing.assert_close(_Correlation.apply(features, window)[1, :, 2, 1], alone)


def test_flat_patches_give_numbers_within_reach() -> None:
    network = RefinerNet().eval()
    with torch.inference_mode():
        estimate = network(torch.full((3, FIXED_SIZE, FIXED_SIZE), 0.4), torch.zeros(3, MOVING_SIZE, MOVING_SIZE))
    assert estimate.shift.shape == (3, 2) and estimate.match.shape == estimate.log_deviation.shape == (3,)
    assert all(torch.isfinite(each).all() for each in estimate)
    assert estimate.shift.abs().max() < REACH + 1


def test_brightness_does_not_matter() -> None:
    network = RefinerNet().eval()
    rng = torch.Generator().manual_seed(0)
    fixed, moving = (0.2 + 0.6 * torch.rand(4, size, size, generator=rng) for size in (FIXED_SIZE, MOVING_SIZE))
    with torch.inference_mode():
        plain, other = network(fixed, moving), network(0.7 * fixed + 0.2, moving)
    torch.testing.assert_close(plain.shift, other.shift, atol=0.05, rtol=0)


def test_it_learns_a_batch() -> None:
    torch.manual_seed(0)
    task = RefinerTask(0, CPU)
    batch = Samples(*(each[::8] for each in task.batch(3)))
    network = task.network()
    optimizer = torch.optim.AdamW(network.parameters(), task.learning_rate)
    losses = []
    for _ in range(25):
        loss, numbers = task.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.5
    assert set(numbers) == {"error", "doubt"} and all(value >= 0 for value in numbers.values())


def test_a_batch_depends_on_its_number_only() -> None:
    one, same, other = RefinerTask(0, CPU).batch(5), RefinerTask(0, CPU).batch(5), RefinerTask(0, CPU).batch(6)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.moving, other.moving)


def test_the_shipped_weights_hold_on_samples_that_no_training_saw() -> None:
    task = RefinerTask(0, CPU)
    shipped = RefinerNet().eval()
    load(shipped, "refiner")
    with torch.inference_mode():
        told = task.validate(shipped)
    assert 0.02 < told["median near"] < 0.3
    assert told["within 0.25 where sure"] > 0.6
    assert told["sure of false ones"] < 0.1 * told["sure of matches"] + 0.02
