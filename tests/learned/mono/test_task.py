"""Pretraining: the same data for the same number, targets that fit, and a network that learns from them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diptych.learned.mono.network import MonoDepth
from diptych.learned.mono.task import HELD_OUT, MonoTask, _metrics
from diptych.learned.training.tasks import task_named
from diptych.learned.weights.files import digest_of, load
from diptych.learned.weights.paths import path_of


@pytest.fixture(scope="module")
def task() -> MonoTask:
    return MonoTask(3, torch.device("cpu"))


def test_it_is_known_by_its_name() -> None:
    assert task_named("mono") is MonoTask


def test_a_batch_depends_on_its_number_alone(task: MonoTask) -> None:
    first, other = task.batch(14), MonoTask(3, torch.device("cpu")).batch(14)
    assert torch.equal(first.image, other.image)
    assert torch.equal(first.log_depth, other.log_depth)
    assert not torch.equal(first.image, task.batch(15).image)


def test_each_image_has_depths_about_its_median_and_directions_of_a_camera(task: MonoTask) -> None:
    batch = task.batch(14)
    assert len(batch.image) == len(batch.rays) == len(batch.log_depth) == len(batch.known)
    for log_depth, known, rays in zip(batch.log_depth, batch.known, batch.rays, strict=True):
        assert float(log_depth[known].median()) == pytest.approx(0, abs=1e-5)
        assert known.float().mean() > 0.7
        # Away from the rim, where images are mirrored, directions change evenly.
        inner = rays[:, 30:66, 40:88]
        assert float(torch.diff(inner, n=2, dim=2).abs().max()) < 1e-4
        assert float(torch.diff(inner, n=2, dim=1).abs().max()) < 1e-4


def test_a_perfect_answer_costs_least(task: MonoTask) -> None:
    batch = task.batch(1)

    class Answer(torch.nn.Module):
        def __init__(self, wrong: float) -> None:
            super().__init__()
            self.wrong = wrong

        def forward(self, image: torch.Tensor, rays: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            slope = torch.linspace(-1, 1, image.shape[-1])
            return batch.log_depth + self.wrong * slope, torch.full_like(batch.log_depth, -3.0)

    right, wrong = (task.loss(Answer(each), batch) for each in (0.0, 0.2))
    assert float(right[0]) < float(wrong[0]) - 0.1
    assert right[1]["median %"] == pytest.approx(0, abs=1e-3)
    assert 5 < wrong[1]["median %"] < 20


def test_a_network_learns_from_a_batch(task: MonoTask) -> None:
    torch.manual_seed(0)
    network, batch = task.network(), task.batch(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    found = []
    for _ in range(20):
        loss, numbers = task.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(numbers["median %"])
    assert np.mean(found[-3:]) < 0.7 * found[0]


def test_held_out_scenes_are_never_trained_on(task: MonoTask) -> None:
    assert task.seed < HELD_OUT
    assert not torch.equal(task._scene(0, HELD_OUT).image, task._scene(0, task.seed).image)


def test_the_shipped_weights_are_those_of_their_card() -> None:
    card = json.loads(path_of("mono").with_suffix(".json").read_text("utf-8"))
    assert card["task"] == "mono"
    assert card["sha256"] == digest_of(path_of("mono"))


def test_the_shipped_weights_are_better_than_one_depth_for_each_image_on_held_out_scenes(task: MonoTask) -> None:
    network = MonoDepth().eval()
    load(network, "mono")
    predicted, constant = [], []
    with torch.inference_mode():
        for number in range(8):
            scene = task._scene(number, HELD_OUT + 1)
            log_depth, _ = network(scene.image, scene.rays)
            predicted.append(_metrics(log_depth - scene.log_depth, scene.known)["median %"])
            constant.append(_metrics(-scene.log_depth, scene.known)["median %"])
    assert np.mean(predicted) < 0.9 * np.mean(constant)
