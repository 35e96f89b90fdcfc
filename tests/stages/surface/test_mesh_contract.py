"""Every way to a mesh finds a known ball: where it is, which side is out, its colors, and no more than was seen."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from diptych.stages.dense import Around, Cloud, DepthMap, Mesh, View
from diptych.stages.failure import StageFailure
from diptych.stages.stage import Context, Stage
from diptych.stages.surface.cloud import MergedCloud
from diptych.stages.surface.fusion import ConsistentPoints
from diptych.stages.surface.poisson import Poisson
from diptych.stages.surface.tsdf import Tsdf
from diptych.testing import check_stage

from tests.ball import RADIUS, around_a_ball, color_of
from tests.contract import taken

MESHERS = [Poisson(), Tsdf()]
NOISE = 0.001

each = pytest.mark.parametrize("stage", MESHERS, ids=lambda stage: type(stage).__name__)


@cache
def inputs(front: bool) -> dict[str, Any]:
    views, depths = around_a_ball(side=144, noise=NOISE, front=front)
    fused = tuple(
        ConsistentPoints().run(Around(view, tuple(others(views, i))), Around(depth, tuple(others(depths, i))))
        for i, (view, depth) in enumerate(zip(views, depths, strict=True))
    )
    return {"views": views, "depths": depths, "cloud": MergedCloud().run(fused)}


def others(items: list[Any], index: int) -> list[Any]:
    return [item for i, item in enumerate(items) if i != index]


def run(stage: Any, given: dict[str, Any]) -> Mesh:
    return stage.run(**taken(stage, {**given, "context": Context()}))


@each
def test_lies_on_the_surface_and_faces_out(stage: Stage) -> None:
    mesh = run(stage, inputs(front=False))
    distance = np.linalg.norm(mesh.vertices, axis=1) - RADIUS
    # A depth is off by 0.003 and a pixel covers 0.025. Poisson smooths; a voxel is two pixels wide.
    assert np.sqrt(np.mean(distance**2)) < (0.002 if isinstance(stage, Poisson) else 0.01)
    assert np.abs(distance).max() < 0.05
    a, b, c = (mesh.vertices[corner].astype(float) for corner in mesh.triangles.T)
    volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
    assert volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    cosine = np.einsum("vi,vi->v", mesh.normals, mesh.vertices) / np.linalg.norm(mesh.vertices, axis=1)
    assert np.median(cosine) > 0.99 and (cosine > 0.5).all()
    wrong = np.abs(mesh.colors - color_of(mesh.vertices))
    assert wrong.mean() < 3 and np.quantile(wrong, 0.99) < 12


@each
def test_ends_where_nothing_was_seen(stage: Stage) -> None:
    mesh = run(stage, inputs(front=True))
    # From within 45 degrees of -z and four radii away, three views see no more than the front and a bit beyond.
    cap = -mesh.vertices[:, 2] / np.linalg.norm(mesh.vertices, axis=1)
    assert cap.max() > 0.99
    assert -0.75 < cap.min() < 0
    # Poisson's surface goes on for up to two cells of its octree.
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - RADIUS).max() < 0.08


@each
def test_keeps_the_contract(stage: Stage) -> None:
    check_stage(stage, **taken(stage, inputs(front=True)))


@pytest.mark.parametrize("stage", [Poisson(min_component=10**7), Tsdf(min_component=10**7)])
def test_small_pieces_are_removed(stage: Stage) -> None:
    with pytest.raises(StageFailure) as failure:
        run(stage, inputs(front=True))
    assert failure.value.code == "empty-mesh" and failure.value.hint


def test_poisson_says_that_points_are_too_few() -> None:
    cloud: Cloud = inputs(front=True)["cloud"]
    one = np.zeros(200, int)
    for rows, code in (([0] * 3, "too-few-points"), (one, "too-few-points"), ([], "too-few-points")):
        few = Cloud(*(getattr(cloud, field.name)[rows] for field in dataclasses.fields(cloud)))
        with pytest.raises(StageFailure) as failure:
            Poisson().run(few, Context())
        assert failure.value.code == code and failure.value.hint


def test_poisson_thins_points_it_cannot_tell_apart() -> None:
    cloud: Cloud = inputs(front=False)["cloud"]
    coarse = Poisson(depth=5).run(cloud, Context())
    fine = Poisson(depth=6).run(cloud, Context())
    assert len(coarse.triangles) < 0.5 * len(fine.triangles)
    assert np.abs(np.linalg.norm(coarse.vertices, axis=1) - RADIUS).max() < 0.1


def test_tsdf_says_that_there_is_no_depth_and_passes_over_views_without() -> None:
    views, depths = around_a_ball(noise=NOISE)
    empty = [DepthMap.empty(view, "no neighbors") for view in views]
    with pytest.raises(StageFailure) as failure:
        Tsdf().run(views, empty)
    assert failure.value.code == "no-depth"
    lost: list[View] = [dataclasses.replace(views[0], missing="not in the model", near=0.0, far=0.0), *views[1:]]
    np.testing.assert_array_equal(Tsdf().run(lost, depths).vertices, Tsdf().run(views[1:], depths[1:]).vertices)


def test_tsdf_keeps_within_its_memory() -> None:
    given = inputs(front=False)
    fine, coarse = run(Tsdf(), given), run(Tsdf(max_blocks=50), given)
    assert 100 < len(coarse.triangles) < 0.5 * len(fine.triangles)
    assert np.abs(np.linalg.norm(coarse.vertices, axis=1) - RADIUS).max() < 0.1
    with pytest.raises(StageFailure) as failure:
        run(Tsdf(voxel=0.01, max_blocks=50), given)
    assert failure.value.code == "too-many-blocks" and failure.value.facts["max_blocks"] == 50
