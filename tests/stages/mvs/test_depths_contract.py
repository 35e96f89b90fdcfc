"""What every implementation of the slot ``depths`` promises, on a world whose depth is known."""

from __future__ import annotations

import dataclasses
import functools
import pickle
from typing import Any

import numpy as np
import pytest
from diptych.learned.depth.stage import DepthNet
from diptych.stages.dense import Around, DepthMap, Reason, View
from diptych.stages.depth_truth import TrueDepth
from diptych.stages.evaluation.oracles import TrueDepths
from diptych.stages.geometry.alignment import Similarity, transform_scene
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.scene import Scene, Sparse
from diptych.stages.stage import Context, Stage
from diptych.testing import check_stage

from tests.contract import taken
from tests.synthetic_views import around, cameras_of, synthetic_views


@dataclasses.dataclass(frozen=True)
class Promise:
    """What a stage reaches on this small world of 160x120 pixels.

    Attributes:
        share: of all pixels within 1 %.
        median: error of the depth.
        degrees: median error of the normals.
        beside_mask: share of the pixels within 1 % where a mask hides a quarter of the view.
    """

    stage: Stage
    share: float = 0.84
    median: float = 0.003
    degrees: float = 12.0
    beside_mask: float = 0.8


# A network whose coarsest features see 20x15 places is at its limit here.
PROMISES = (
    Promise(Sgm()),
    Promise(PatchMatch()),
    Promise(DepthNet(), 0.72, 0.004, 16.0, 0.75),
    Promise(TrueDepths(), 0.9999, 1e-6, 3.0, 0.9999),
)

REFERENCE = 2
UNIT = Similarity(0.01, np.diag([1.0, -1.0, -1.0]), np.array([3.0, 4.0, 5.0]))
"""From the world of the views to that of the truth, which has another unit and other axes."""

STAGES = [each.stage for each in PROMISES]
every = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
every_searching = pytest.mark.parametrize("stage", STAGES[:3], ids=lambda stage: type(stage).__name__)
every_promise = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: type(promise.stage).__name__)


@functools.cache
def world(contrast: float = 1.0) -> tuple[tuple[View, ...], tuple[np.ndarray, ...]]:
    views, depths = synthetic_views(contrast=contrast)
    return tuple(views), tuple(depths)


@functools.cache
def found(stage: Stage) -> DepthMap:
    return run(stage, around(list(world()[0]), REFERENCE))


def inputs(stage: Stage, views: Around[View]) -> dict[str, Any]:
    """The inputs of a stage that may search or know."""
    if not isinstance(stage, TrueDepths):
        return {"views": views}
    cameras, true = truth()
    return {
        "name": f"{REFERENCE}.jpg",
        "views": views.reference,
        "sparse": Sparse((cameras,)),
        "true_cameras": transform_scene(cameras, UNIT),
        "true_depths": true,
    }


def run(stage: Stage, views: Around[View]) -> DepthMap:
    own = taken(stage, {"context": Context(), "rng": np.random.default_rng(0)})
    return stage.run(**inputs(stage, views), **own)


@functools.cache
def truth() -> tuple[Scene, TrueDepth]:
    """The cameras of the world, and the depth of the reference view in the truth's unit."""
    views, depths = world()
    cameras, view = cameras_of(views), views[REFERENCE]
    return cameras, TrueDepth(view.camera, view.rotation, view.translation, UNIT.scale * depths[REFERENCE])


def error(depth: np.ndarray) -> np.ndarray:
    truth = world()[1][REFERENCE]
    return np.where(depth > 0, np.abs(depth / truth - 1), np.inf)


def alike(first: DepthMap, second: DepthMap) -> bool:
    return all(
        getattr(first, each.name).tobytes() == getattr(second, each.name).tobytes()
        for each in dataclasses.fields(DepthMap)
        if each.name != "missing"
    )


def assert_empty(result: DepthMap, view: View) -> None:
    assert result.missing
    assert result.depth.shape == view.mask.shape
    assert not result.depth.any()
    assert (result.reason != Reason.FOUND).all()


@every_promise
def test_depth_and_normals_are_right(promise: Promise) -> None:
    result = found(promise.stage)
    assert np.mean(error(result.depth) < 0.01) > promise.share
    assert np.median(error(result.depth)[result.depth > 0]) < promise.median
    normal = true_normals()
    cosine = (result.normal.astype(float) * normal).sum(axis=2)[result.depth > 0]
    assert np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))) < promise.degrees


def true_normals() -> np.ndarray:
    view, depth = world()[0][REFERENCE], world()[1][REFERENCE]
    height, width = depth.shape
    pixels = np.stack([*np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), np.ones_like(depth)], axis=-1)
    points = depth[..., None] * (pixels @ np.linalg.inv(view.camera.matrix).T)
    normal = np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1))
    return normal / np.linalg.norm(normal, axis=2, keepdims=True)


@every
def test_a_depth_map_is_whole(stage: Stage) -> None:
    result, view = found(stage), world()[0][REFERENCE]
    has = result.depth > 0
    assert result.depth.shape == view.mask.shape
    assert not result.missing
    assert ((result.depth[has] >= view.near * (1 - 1e-6)) & (result.depth[has] <= view.far * (1 + 1e-6))).all()
    assert ((result.reason == Reason.FOUND) == has).all()
    assert set(np.unique(result.reason)) <= {int(reason) for reason in Reason}
    normal = result.normal.astype(np.float64)
    assert np.abs(np.linalg.norm(normal[has], axis=1) - 1).max() < 2e-3
    assert not normal[~has].any()
    height, width = has.shape
    pixels = np.stack([*np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), np.ones(has.shape)], axis=-1)
    rays = pixels @ np.linalg.inv(view.camera.matrix).T
    assert ((normal * rays).sum(axis=2)[has] < 2e-3).all()


@every_searching
def test_confidence_tells_right_from_wrong(stage: Stage) -> None:
    result = found(stage)
    confidence, has = result.confidence.astype(float), result.depth > 0
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert not confidence[~has].any()
    right = error(result.depth)[has] < 0.01
    assert confidence[has][right].mean() > confidence[has][~right].mean() + 0.1
    assert abs(confidence[has].mean() - right.mean()) < 0.1


@every
def test_keeps_the_contract(stage: Stage) -> None:
    result = check_stage(stage, **inputs(stage, around(list(world()[0]), REFERENCE)))
    assert alike(result, found(stage))
    assert alike(pickle.loads(pickle.dumps(result)), result)


@every
def test_a_missing_view_says_why(stage: Stage) -> None:
    views = list(world()[0])
    lost = dataclasses.replace(views[REFERENCE], near=0.0, far=0.0, missing="is not in the largest model")
    result = run(stage, Around(lost, tuple(views[:2])))
    assert_empty(result, lost)
    assert result.missing == "is not in the largest model"


@every_searching
def test_missing_sources_do_not_count(stage: Stage) -> None:
    views = list(world()[0])
    lost = [dataclasses.replace(view, near=0.0, far=0.0, missing="is lost") for view in views]
    assert_empty(run(stage, Around(views[REFERENCE], ())), views[REFERENCE])
    assert_empty(run(stage, Around(views[REFERENCE], (lost[0], lost[1]))), views[REFERENCE])
    one = run(stage, Around(views[REFERENCE], (lost[0], views[1], views[3])))
    assert alike(one, run(stage, Around(views[REFERENCE], (views[1], views[3]))))


@every
def test_a_mask_that_hides_everything(stage: Stage) -> None:
    views = list(world()[0])
    hidden = dataclasses.replace(views[REFERENCE], mask=np.zeros_like(views[REFERENCE].mask))
    result = run(stage, Around(hidden, tuple(views[:2])))
    assert_empty(result, hidden)
    assert (result.reason == Reason.MASKED).all()


@every_promise
def test_a_mask_hides_its_pixels_and_no_others(promise: Promise) -> None:
    views = list(world()[0])
    mask = np.ones_like(views[REFERENCE].mask)
    mask[:, :40] = False
    halved = dataclasses.replace(views[REFERENCE], mask=mask)
    result = run(promise.stage, Around(halved, around(views, REFERENCE).sources))
    assert ((result.reason == Reason.MASKED) == ~mask).all()
    assert np.mean(error(result.depth)[:, 60:] < 0.01) > promise.beside_mask


@every_searching
def test_without_texture_there_is_no_depth(stage: Stage) -> None:
    views, _ = synthetic_views(3, contrast=0.0)
    result = run(stage, around(views, 1))
    assert (result.depth > 0).mean() < 0.1
    assert (result.reason == Reason.UNTEXTURED).mean() > 0.5


@every_searching
def test_sources_may_be_of_another_size_and_stand_above(stage: Stage) -> None:
    views, depths = synthetic_views(3, along=(0.0, 1.0, 0.0))
    larger, _ = synthetic_views(3, (200, 150), along=(0.0, 1.0, 0.0))
    result = run(stage, Around(views[1], (larger[0], larger[2])))
    assert np.mean(np.abs(result.depth / depths[1] - 1) < 0.01) > 0.8
