"""What trains, and what reads photos, does so on another device too, and finds what it finds on the CPU."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diptych.learned.depth.stage import DepthNet
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.disk import Disk
from diptych.learned.features.xfeat import XFeat
from diptych.learned.refiner.stage import SubpixelRefiner
from diptych.learned.training.tasks import TASKS, task_named
from diptych.stages.dense import Around
from diptych.stages.stage import Context

from tests.other_device import NAME, Elsewhere, other_device
from tests.plugins import if_installed
from tests.synthetic import png
from tests.synthetic_patches import PHOTOS, seen_twice
from tests.synthetic_views import synthetic_views

BATCH = {"depth": 1, "mono": 0, "refiner": 0}
"""Which one is learned from. Every second one for depth is made from the one before."""


@dataclass(frozen=True)
class Step:
    """The numbers of a first step of training, and the gradients of all parameters."""

    numbers: dict[str, float]
    gradients: list[np.ndarray]


def first_step(name: str, device: torch.device, half: bool = False) -> Step:
    task = task_named(name)(3, device)
    torch.manual_seed(0)
    network = task.network().to(device).train()
    batch = task.batch(BATCH[name])
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss, numbers = task.loss(network, batch)
    loss.backward()
    gradients = [each.grad.cpu().numpy() for each in network.parameters() if each.grad is not None]
    return Step({"loss": float(loss.detach()), **numbers}, gradients)


@functools.cache
def on_the_cpu(name: str) -> Step:
    return first_step(name, torch.device("cpu"))


@pytest.mark.parametrize("name", TASKS)
def test_a_step_of_training(name: str) -> None:
    with other_device() as device:
        found = first_step(name, device)
    expected = on_the_cpu(name)
    assert found.numbers == pytest.approx(expected.numbers, rel=1e-5)
    assert len(found.gradients) == len(expected.gradients) > 10
    for gradient, other in zip(expected.gradients, found.gradients, strict=True):
        assert np.abs(other - gradient).max() <= 1e-4 * np.abs(gradient).max()


@pytest.mark.parametrize("name", TASKS)
def test_a_step_in_half_precision(name: str) -> None:
    """As on a GPU, where the network runs in bfloat16 and the loss does not."""
    found, expected = first_step(name, torch.device("cpu"), half=True), on_the_cpu(name)
    assert found.numbers["loss"] == pytest.approx(expected.numbers["loss"], rel=0.02)
    assert all(np.isfinite(each).all() and each.dtype == np.float32 for each in found.gradients)


@pytest.mark.parametrize("name", TASKS)
def test_validation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On few samples."""
    count = "_TEXTURES" if name == "refiner" else "_VALIDATED"
    monkeypatch.setattr(import_module(TASKS[name].partition(":")[0]), count, 1)

    def figures(device: torch.device) -> dict[str, float]:
        task = task_named(name)(0, device)
        torch.manual_seed(0)
        with torch.inference_mode():
            return task.validate(task.network().to(device).eval())

    expected = figures(torch.device("cpu"))
    with other_device() as device:
        assert figures(device) == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_depths_of_a_view() -> None:
    """The CPU has a kernel of its own for the correlations, so that the last digits may differ."""
    views, truth = synthetic_views(4, (160, 128), baseline=0.3)
    around = Around(views[1], (views[0], views[2], views[3]))
    stage = DepthNet(min_confidence=0.0)
    here = stage.run(around, Context())
    with other_device():
        other = stage.run(around, Context(device=NAME))
    both = (here.depth > 0) & (other.depth > 0)
    assert both.mean() > 0.5
    assert np.median(np.abs(other.depth[both] / here.depth[both] - 1)) < 1e-4
    assert np.median(np.abs(other.depth[both] / truth[1][both] - 1)) < 0.02


def test_refined_positions() -> None:
    seen = seen_twice(1.0)

    def refined(device: str) -> np.ndarray:
        found = [
            SubpixelRefiner().run(name, PHOTOS, features, seen.patches, seen.tracks, Context(device=device))
            for name, features in zip(PHOTOS.names, seen.features, strict=True)
        ]
        return np.concatenate([each.xy for each in found])

    expected = refined("cpu")
    with other_device():
        found = refined(NAME)
    assert found == pytest.approx(expected, abs=1e-4)
    assert np.abs(expected - np.concatenate([each.xy for each in seen.features])).max() > 0.1


@pytest.mark.parametrize(
    "extractor",
    [if_installed(Aliked(max_size=200)), if_installed(Disk(max_size=160)), if_installed(XFeat(max_keypoints=200))],
    ids=str,
)
def test_features(extractor: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    photo = png(cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC))
    expected = extractor.run(photo, Context())
    with other_device():
        found = extractor.run(photo, Context(device=NAME))
    assert len(expected) > 100
    assert found.xy == pytest.approx(expected.xy, abs=1e-3)


def test_a_tensor_that_was_not_moved_is_found() -> None:
    with other_device() as device:
        there = torch.ones(2, 3, device=device)
        assert isinstance(there, Elsewhere)
        with pytest.raises(RuntimeError, match="two devices meet"):
            torch.add(there, torch.ones(2, 3))
        with pytest.raises(TypeError, match="no array"):
            there.numpy()
        assert (there + torch.ones(())).cpu().numpy().tolist() == [[2.0] * 3] * 2
