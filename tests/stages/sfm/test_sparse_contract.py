"""Every implementation of the sparse slot recovers a synthetic collection within what its noise allows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from diptych.stages.evaluation.cameras import evaluate
from diptych.stages.evaluation.oracles import TruePoses
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Camera, Sparse
from diptych.stages.sfm.colmap_mapping import ColmapGlobal, ColmapIncremental
from diptych.stages.sfm.incremental import Incremental
from diptych.stages.sfm.known_poses import TriangulateKnownPoses
from diptych.stages.stage import Context, Stage
from diptych.testing import check_stage

from tests.collection import Collection, collection
from tests.contract import taken

MAPPERS = [Incremental(), ColmapIncremental(), ColmapGlobal(), TriangulateKnownPoses(), TruePoses()]
FREE_MAPPERS = MAPPERS[:3]


def inputs(stage: Stage, given: Collection) -> dict[str, Any]:
    known = {
        "photos": given.photos,
        "features": given.features,
        "pairs": given.pairs,
        "two_views": given.two_views,
        "tracks": given.tracks,
        "sparse": Sparse(models=(given.truth,)),
        "true_cameras": given.truth,
    }
    return taken(stage, known)


def run(stage: Stage, given: Collection) -> Sparse:
    return stage.run(**inputs(stage, given), **taken(stage, {"rng": np.random.default_rng(0), "context": Context()}))


@pytest.mark.parametrize("stage", MAPPERS, ids=lambda stage: type(stage).__name__)
def test_recovers_cameras_and_points(stage: Stage) -> None:
    given = collection()
    sparse = run(stage, given)
    result = evaluate(sparse.scene, given.truth)
    assert len(sparse.models) == 1 and not sparse.missing
    assert sparse.scene.names == given.photos.names
    # Half a pixel at 900 px focal length and 5 m distance: millimeters for a camera that sees hundreds of points.
    assert np.mean(result.position_errors) < 0.01
    assert 400 <= len(sparse.scene.points) <= 520
    assert 0.3 < np.mean(sparse.scene.errors) < 0.9
    assert (sparse.scene.colors == [10, 20, 30]).all()
    assert (np.diff(sparse.scene.obs_point) >= 0).all()


@pytest.mark.parametrize("stage", MAPPERS, ids=lambda stage: type(stage).__name__)
def test_keeps_the_contract(stage: Stage) -> None:
    check_stage(stage, **inputs(stage, collection(seed=1, groups=(6,), points=300)))


@pytest.mark.parametrize("stage", [Incremental(), ColmapIncremental()], ids=lambda stage: type(stage).__name__)
def test_photos_that_fall_apart_make_several_models(stage: Stage) -> None:
    given = collection(seed=2, groups=(7, 5))
    sparse = run(stage, given)
    assert [len(model.names) for model in sparse.models] == [7, 5]
    assert not sparse.missing


@pytest.mark.parametrize("stage", [Incremental(), ColmapIncremental()], ids=lambda stage: type(stage).__name__)
def test_focal_length_from_exif_is_refined(stage: Stage) -> None:
    prior = Camera(model="SIMPLE_RADIAL", width=1000, height=800, params=(930, 500, 400, 0.0), focal="exif")
    sparse = run(stage, collection(seed=3, groups=(10,), prior=prior))
    assert sparse.scene.cameras[0].params[0] == pytest.approx(900, abs=4)


def test_focal_length_that_is_a_guess_is_found() -> None:
    prior = Camera(model="SIMPLE_RADIAL", width=1000, height=800, params=(1200, 500, 400, 0.0), focal="guess")
    sparse = run(Incremental(), collection(seed=3, groups=(10,), prior=prior))
    assert len(sparse.scene.names) == 10
    assert sparse.scene.cameras[0].params[0] == pytest.approx(900, abs=8)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("none", "no-overlap"),
        ("pure_rotation", "no-parallax"),
        ("small_baseline", "small-baseline"),
        ("uncalibrated", "wrong-calibration"),
    ],
)
def test_no_model_says_why(kind: Any, code: str) -> None:
    given = collection(groups=(3,), points=100)
    still = tuple(dataclasses.replace(view, kind=kind, translation=np.zeros(3)) for view in given.two_views)
    with pytest.raises(StageFailure) as failure:
        run(Incremental(), dataclasses.replace(given, two_views=still))
    assert failure.value.code == code and failure.value.hint


def test_a_photo_without_matches_is_missing_with_its_reason() -> None:
    given = collection(groups=(5, 1))
    sparse = run(Incremental(), given)
    assert sparse.missing == (("005.jpg", "no verified match with another photo"),)
