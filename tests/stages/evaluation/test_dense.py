"""The dense half of a model in a world of its own, against the truth: a ball with a known error of depth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from diptych.pipeline.results.values import Dense
from diptych.stages.dense import Cloud, DepthMap, Mesh, View
from diptych.stages.depth_truth import DepthTruth, TrueView
from diptych.stages.evaluation.dense import evaluate_dense
from diptych.stages.failure import StageFailure
from diptych.stages.geometry.alignment import Similarity, transform_scene
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Scene

from tests.ball import around_a_ball
from tests.pipeline.dense import one_by_one, sphere

WORLD = Similarity(0.3, matrix_from_vector(np.array([0.5, -1.0, 2.0])), np.array([5.0, -6.0, 7.0]))
"""From the truth's world to the model's."""

NAMES = tuple(f"{i:02d}.jpg" for i in range(10))


def later(array: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: array


@pytest.fixture(scope="module")
def seen() -> tuple[DepthTruth, Scene, dict[str, View], dict[str, DepthMap]]:
    """The truth, and a model in another world whose depths are off by up to 2 %, evenly distributed."""
    views, maps = around_a_ball(len(NAMES), 80)
    truth = DepthTruth(
        tuple(
            TrueView(name, view.camera, view.rotation, view.translation, later(m.depth), later(view.mask))
            for name, view, m in zip(NAMES, views, maps, strict=True)
        ),
        lambda: sphere(60),
    )
    model = transform_scene(truth.scene, WORLD)
    rng = np.random.default_rng(0)
    depths = {
        name: replace(m, depth=WORLD.scale * m.depth * (1 + rng.uniform(-0.02, 0.02, m.depth.shape)))
        for name, m in zip(NAMES, maps, strict=True)
    }
    placed = {
        name: replace(view, rotation=model.rotations[i], translation=model.translations[i])
        for i, (name, view) in enumerate(zip(NAMES, views, strict=True))
    }
    return truth, model, placed, depths


def surfaces(radius: float) -> tuple[Cloud, Mesh]:
    """A ball in the model's world, as cloud and as mesh."""
    ball = sphere(60, radius)
    mesh = replace(ball, vertices=WORLD(ball.vertices))
    n = len(mesh.vertices)
    return Cloud(mesh.vertices, mesh.normals, mesh.colors, np.full(n, 3), np.zeros(n)), mesh


def test_depths_are_brought_into_the_unit_of_the_truth(
    seen: tuple[DepthTruth, Scene, dict[str, View], dict[str, DepthMap]],
) -> None:
    truth, model, views, depths = seen
    dense = one_by_one(Dense(views=views, depths=depths))
    found = evaluate_dense(model, truth, dense.views, dense.depths)
    assert list(found.depths) == list(NAMES) and found.depth.coverage == 1
    for each in (*found.depths.values(), found.depth):
        np.testing.assert_allclose([each.within(t) for t in (0.0025, 0.005, 0.01)], [0.125, 0.25, 0.5], atol=0.04)
    assert found.depth.median == pytest.approx(0.01, rel=0.03)
    # 0.9 is promised, half is right.
    assert found.depth.calibration().error == pytest.approx(0.4, abs=0.02)
    assert found.masks is not None and found.masks.kept == found.masks.pixels > 0
    assert found.cloud is found.mesh is found.disparities is None
    json.dumps([found.as_dict(), found.rows()])


def test_a_view_without_a_depth_map_has_no_depth(
    seen: tuple[DepthTruth, Scene, dict[str, View], dict[str, DepthMap]],
) -> None:
    truth, model, views, depths = seen
    some = {name: depths[name] for name in NAMES[:5]}
    found = evaluate_dense(model, truth, views, some)
    assert [found.depths[name].coverage for name in NAMES] == [1] * 5 + [0] * 5
    assert 0.4 < found.depth.coverage < 0.6
    # A run that made no depth maps at all is not blamed for it.
    assert not evaluate_dense(model, truth, views, {}).table()


def test_cloud_and_mesh_of_the_wrong_size(
    seen: tuple[DepthTruth, Scene, dict[str, View], dict[str, DepthMap]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diptych.stages.evaluation.surface._MOST_SAMPLES", 50_000)
    truth, model, views, depths = seen
    # Half of the disc lies within the ray of slope sqrt(1 / 30), which meets the ball at a depth of 3.187.
    found = evaluate_dense(model, truth, views, depths, *surfaces(1.02))
    assert found.cloud is not None and found.mesh is not None and found.masks is not None
    np.testing.assert_allclose(found.cloud.thresholds, 3.187 * np.array([0.0025, 0.005, 0.01, 0.02]), rtol=0.005)
    for surface in (found.cloud, found.mesh):
        np.testing.assert_allclose(surface.accuracy, [0, 0, 1, 1])
        assert surface.distance == pytest.approx(0.02, rel=0.05)
    np.testing.assert_allclose(found.mesh.completeness, [0, 0, 1, 1])
    assert found.masks.outside == 0 and found.masks.points == len(surfaces(1.02)[0])
    # Inside the ball nobody looks: what is wrong there is left out, and the ball is not complete.
    inner = evaluate_dense(model, truth, views, depths, mesh=surfaces(0.9)[1])
    assert inner.mesh is not None and inner.mesh.unobserved[0] == 1 and not inner.mesh.completeness.any()
    large = evaluate_dense(model, truth, views, depths, surfaces(1.5)[0])
    assert large.masks is not None and large.masks.outside > 0.5 * large.masks.points


def test_a_rectified_pair_is_scored_by_its_disparities(
    seen: tuple[DepthTruth, Scene, dict[str, View], dict[str, DepthMap]],
) -> None:
    _, _, views, _ = seen
    camera, depth = views[NAMES[0]].camera, np.full((80, 80), 10.0, np.float32)
    names = ("left.png", "right.png")
    truth = DepthTruth(
        tuple(
            TrueView(name, camera, np.eye(3), np.array([-float(i), 0, 0]), later(depth)) for i, name in enumerate(names)
        ),
        baseline=1.0,
    )
    # The disparity of 10 px is 1.5 px too large in a third of the picture.
    wrong = np.where(np.arange(80) % 3 == 0, 11.5, 10.0)
    nothing = np.zeros((80, 80))
    found = DepthMap(100 / wrong * np.ones((80, 1)) / 5, np.zeros((80, 80, 3)), nothing, nothing)
    model = transform_scene(truth.scene, Similarity(0.2, np.eye(3), np.zeros(3)))
    placed = {name: replace(views[NAMES[0]], rotation=np.eye(3), translation=np.zeros(3)) for name in names}
    pair = evaluate_dense(model, truth, placed, dict.fromkeys(names, found)).disparities
    assert pair is not None
    np.testing.assert_allclose(pair.bad, np.array([27, 27, 0]) / 80, atol=1e-9)
    assert pair.mean == pytest.approx(1.5 * 27 / 80, rel=1e-4)


def test_truth_of_other_photos_is_refused(seen: tuple[DepthTruth, Scene, dict[str, View], dict[str, DepthMap]]) -> None:
    truth, model, views, depths = seen
    strange = replace(model, names=tuple(f"other {name}" for name in model.names))
    with pytest.raises(StageFailure) as caught:
        evaluate_dense(strange, truth, views, depths)
    assert caught.value.code == "truth-mismatch"
