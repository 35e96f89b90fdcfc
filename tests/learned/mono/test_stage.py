"""Depth maps of single views: whole, repeatable, and honest about what is missing."""

from __future__ import annotations

import functools
import pickle
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from diptych.learned.mono.learning import MonoLearning
from diptych.learned.mono.stage import MonoNet
from diptych.learned.mono.weights import MonoWeights
from diptych.stages.dense import DepthMap, Reason, View
from diptych.stages.failure import StageFailure

from .world import fresh_weights, world


@functools.cache
def fine_tuned() -> MonoWeights:
    """A network after a few steps of fine-tuning."""
    weights = fresh_weights(Path(tempfile.mkdtemp()) / "fresh.safetensors")
    return world(5).learn(MonoLearning(weights=weights, size=96, steps=15, learning_rate=4e-3, photometric=0.0))


@functools.cache
def view() -> View:
    return world(5).views[1]


def alike(first: DepthMap, second: DepthMap) -> bool:
    return all(np.array_equal(getattr(first, each.name), getattr(second, each.name)) for each in fields(DepthMap))


def test_a_depth_map_is_whole() -> None:
    result = MonoNet().run(view(), fine_tuned())
    has = result.depth > 0
    assert has.mean() > 0.9
    assert ((result.depth[has] >= view().near) & (result.depth[has] <= view().far)).all()
    assert ((result.reason == Reason.FOUND) == has).all()
    assert np.abs(np.linalg.norm(result.normal[has].astype(float), axis=1) - 1).max() < 2e-3
    assert not result.normal[~has].any()
    assert not result.confidence[~has].any()
    assert ((result.confidence > 0) & (result.confidence < 0.6))[has].all()


def test_depths_are_near_the_truth_and_confidence_is_honest() -> None:
    result, truth = MonoNet().run(view(), fine_tuned()), world(5).depths[1]
    error = np.abs(result.depth / truth - 1)[result.depth > 0]
    assert np.median(error) < 0.2
    confidence = result.confidence.astype(float)[result.depth > 0]
    assert confidence.mean() == pytest.approx(np.mean(error < 0.01), abs=0.1)


def test_same_bytes_again_and_after_pickling() -> None:
    once = MonoNet().run(view(), fine_tuned())
    assert alike(once, MonoNet().run(view(), fine_tuned()))
    assert alike(once, pickle.loads(pickle.dumps(MonoNet())).run(view(), pickle.loads(pickle.dumps(fine_tuned()))))


def test_a_missing_view_says_why() -> None:
    result = MonoNet().run(replace(view(), missing="is lost", near=0.0, far=0.0), fine_tuned())
    assert result.missing == "is lost"
    assert not result.depth.any()


def test_a_mask_hides_its_pixels_and_no_others() -> None:
    mask = np.ones_like(view().mask)
    mask[:, :40] = False
    result = MonoNet().run(replace(view(), mask=mask), fine_tuned())
    assert ((result.reason == Reason.MASKED) == ~mask).all()
    assert not result.depth[:, :40].any()
    assert (result.depth[:, 40:] > 0).mean() > 0.9
    assert MonoNet().run(replace(view(), mask=np.zeros_like(mask)), fine_tuned()).missing


def test_depths_out_of_range_are_none() -> None:
    depth = MonoNet().run(view(), fine_tuned()).depth
    middle = float(np.median(depth))
    result = MonoNet().run(replace(view(), near=middle, far=100.0), fine_tuned())
    assert ((result.depth > 0) == (depth >= np.float32(middle))).all()
    assert (result.reason[result.depth == 0] == Reason.OUT_OF_RANGE).all()


@pytest.mark.parametrize("size", [(101, 67), (40, 90), (7, 5)])
def test_views_of_any_size(size: tuple[int, int]) -> None:
    width, height = size
    scale = width / view().camera.width
    params = (scale * view().camera.params[0], scale * view().camera.params[1], width / 2, height / 2)
    camera = replace(view().camera, width=width, height=height, params=params)
    other = replace(view(), image=np.full((height, width, 3), 90), mask=np.ones((height, width)), camera=camera)
    assert MonoNet().run(other, fine_tuned()).depth.shape == (height, width)


def test_parameters_of_another_architecture() -> None:
    with pytest.raises(StageFailure) as failure:
        MonoNet().run(view(), replace(fine_tuned(), parameters=fine_tuned().parameters[1:]))
    assert failure.value.code == "wrong-architecture"
