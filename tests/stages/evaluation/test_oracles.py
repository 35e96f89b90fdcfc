"""The truth in the place of a stage, on worlds where it is exact."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diptych.stages.dense import DepthMap, Reason, View
from diptych.stages.depth_truth import TrueDepth
from diptych.stages.evaluation.cameras import evaluate
from diptych.stages.evaluation.oracles import TrueDepths, TrueMatches, TruePoses
from diptych.stages.evaluation.truth import posed
from diptych.stages.failure import StageFailure
from diptych.stages.geometry.alignment import Similarity, transform_scene
from diptych.stages.geometry.projection import project
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Camera, Matches, Pair, Scene, Sparse

from tests.collection import Collection, collection
from tests.synthetic import keypoints
from tests.synthetic_views import cameras_of, synthetic_views

WORLD = Similarity(20.0, matrix_from_vector(np.array([0.3, -0.2, 1.0])), np.array([5.0, -6.0, 7.0]))
"""From the world of the views to the truth's."""


def poses(given: Collection, true: Scene) -> Sparse:
    return TruePoses().run(given.photos, given.features, given.tracks, true)


def test_true_poses_are_the_true_ones_to_the_bit() -> None:
    given = collection(groups=(5,), points=200)
    scene = poses(given, given.truth).scene
    assert scene.rotations.tobytes() == given.truth.rotations.tobytes()
    assert scene.translations.tobytes() == given.truth.translations.tobytes()
    assert scene.cameras == given.truth.cameras
    assert evaluate(scene, given.truth).position_errors.max() < 1e-12
    assert len(scene.points) > 150


def test_photos_that_the_truth_does_not_know_are_missing_and_say_why() -> None:
    given = collection(groups=(5,), points=200)
    names = given.photos.names
    true = posed(given.truth, np.array([0, 2, 3, 4]), [names[i] for i in (0, 2, 3, 4)])
    small = replace(true.cameras[0], width=500, height=400)
    sparse = poses(given, replace(true, cameras=(*true.cameras, small), camera_of=np.array([0, 0, 1, 0])))
    assert sparse.scene.names == ("000.jpg", "002.jpg", "004.jpg")
    assert sparse.missing == (
        ("001.jpg", "is not in the truth"),
        ("003.jpg", "is 1000x800, but its true camera says 500x400"),
    )
    assert set(np.unique(sparse.scene.obs_photo)) == {0, 1, 2}


def test_true_poses_of_other_photos_are_refused() -> None:
    given = collection(groups=(3,), points=50)
    with pytest.raises(StageFailure, match="no-known-pose"):
        poses(given, replace(given.truth, names=("x.jpg", "y.jpg", "z.jpg")))


def depths(view: View, photo: Camera, true: TrueDepth, views: list[View]) -> DepthMap:
    """The oracle of view 1, of a model whose world is not that of the truth."""
    model = cameras_of(views)
    model = replace(model, cameras=tuple(photo if i == 1 else c for i, c in enumerate(model.cameras)))
    return TrueDepths().run("1.jpg", view, Sparse((model,)), transform_scene(cameras_of(views), WORLD), true)


def true_depth(view: View, depth: np.ndarray) -> TrueDepth:
    """In the truth's world."""
    rotation = view.rotation @ WORLD.rotation.T
    translation = WORLD.scale * view.translation - rotation @ WORLD.translation
    return TrueDepth(view.camera, rotation, translation, WORLD.scale * depth)


def test_true_depths_of_a_larger_map_are_those_of_the_pixels_of_the_view() -> None:
    views, exact = synthetic_views(3)
    # The photo is larger than the view, and its principal point lies elsewhere.
    large, depth = synthetic_views(3, (400, 300))
    found = depths(views[1], large[1].camera, true_depth(large[1], depth[1]), views)
    has = found.depth > 0
    assert has.mean() > 0.97
    # The ball is no plane, and at its rim a pixel of one surface stands for one of the other.
    error = np.abs(found.depth / exact[1] - 1)[has]
    assert np.median(error) < 1e-6 and np.mean(error < 1e-3) > 0.98
    np.testing.assert_array_equal(found.confidence, has)
    np.testing.assert_array_equal(found.reason[~has], Reason.UNSEEN)


def test_true_depths_follow_the_distortion_of_the_photo() -> None:
    # The photo bends what the view shows straight, and the true map is of the photo as it is.
    views, _ = synthetic_views(3)
    view, pinhole = views[1], views[1].camera
    photo = Camera("RADIAL", 320, 240, (2 * pinhole.params[0], 160, 120, -0.05, 0.01))
    pixels = np.stack(np.meshgrid(np.arange(160) + 0.5, np.arange(120) + 0.5), axis=-1).reshape(-1, 2)
    rays = (pixels - pinhole.principal_point) / pinhole.focal_lengths
    at = project(photo, np.column_stack([rays, np.ones(len(rays))])).reshape(120, 160, 2)
    # A slope in the photo's own pixels, so that it is known what must be read where.
    u, v = np.meshgrid((np.arange(320) + 0.5) / 320, (np.arange(240) + 0.5) / 240)
    true = TrueDepth(
        Camera("PINHOLE", 320, 240, (400, 400, 160, 120)), np.eye(3), np.zeros(3), 1 / (0.2 + 0.1 * u + 0.05 * v)
    )
    found = depths(view, photo, true, views)
    inside = np.all((at > 0.5) & (at < [319.5, 239.5]), axis=-1)
    expected = 1 / (0.2 + 0.1 * at[..., 0] / 320 + 0.05 * at[..., 1] / 240) / WORLD.scale
    np.testing.assert_allclose(found.depth[inside], expected[inside], rtol=1e-5)
    assert inside.mean() > 0.9


def test_true_depths_say_why_there_are_none() -> None:
    views, exact = synthetic_views(3)
    true = true_depth(views[1], exact[1])
    unknown = depths(views[1], views[1].camera, TrueDepth.unknown("has no true depth map"), views)
    assert unknown.missing == "has no true depth map" and unknown.depth.shape == exact[1].shape
    assert not unknown.depth.any()
    blank = depths(views[1], views[1].camera, replace(true, depth=np.zeros_like(exact[1])), views)
    assert blank.missing == "shows nothing whose true depth is known"
    half = np.where(np.arange(160) < 80, exact[1], 0)
    found = depths(views[1], views[1].camera, replace(true, depth=WORLD.scale * half), views)
    np.testing.assert_array_equal(found.depth > 0, half > 0)
    assert not found.normal[half == 0].any() and not found.missing


@functools.cache
def seen_points(count: int = 400) -> tuple[Pair[TrueDepth], Pair[np.ndarray], np.ndarray]:
    """Two views of points on the surfaces: the true depths, where the points lie in both, and how much farther than
    the surface that is seen there they are in the second, as a factor; infinite for those outside."""
    views, exact = synthetic_views(2, (320, 240), baseline=1.5)
    first, second = views
    cells = np.random.default_rng(0).permutation(80 * 60)[:count]
    # Pixel centers a few pixels apart, where the depth is known without interpolation.
    pixels = np.column_stack([cells % 80, cells // 80]) * 4 + 2
    depth = exact[0][pixels[:, 1], pixels[:, 0]]
    xy = pixels + 0.5
    rays = np.column_stack([(xy - first.camera.principal_point) / first.camera.focal_lengths, np.ones(count)])
    world = (depth[:, None] * rays - first.translation) @ first.rotation
    local = world @ second.rotation.T + second.translation
    there = project(second.camera, local)
    inside = np.all((there >= 0) & (there < [320, 240]), axis=1)
    column, row = np.where(inside[:, None], there, 0).astype(int).T
    farther = np.where(inside, local[:, 2] / exact[1][row, column], np.inf)
    return Pair(*(true_depth(v, d) for v, d in zip(views, exact, strict=True))), Pair(xy, there), farther


def match(true: Pair[TrueDepth], xy: Pair[Any], scale: float = 1.0, **settings: float) -> Matches:
    """With photos so many times as large as the true maps."""
    cameras = (
        replace(t.camera, width=round(scale * 320), height=round(scale * 240)) for t in (true.first, true.second)
    )
    features = Pair(keypoints(scale * xy.first), keypoints(scale * xy.second))
    return TrueMatches(**settings).run(Pair("a.jpg", "b.jpg"), Pair(*cameras), features, true)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_true_matches_are_the_projections_that_can_be_seen(scale: float) -> None:
    true, xy, farther = seen_points()
    order = np.random.default_rng(1).permutation(len(farther))
    found = match(true, Pair(xy.first, xy.second[order]), scale).indices
    assert (order[found[:, 1]] == found[:, 0]).mean() > 0.99
    hidden, seen = farther > 1.05, np.abs(farther - 1) < 0.005
    assert hidden.sum() > 30 and seen.sum() > 200
    assert not hidden[found[:, 0]].any()
    # A step in depth within a pixel of a keypoint may hide it from one side.
    assert np.isin(np.flatnonzero(seen), found[:, 0]).mean() > 0.95
    assert len(np.unique(found[:, 0])) == len(np.unique(found[:, 1])) == len(found)


def test_a_true_match_lies_within_the_error_that_is_allowed() -> None:
    true, xy, farther = seen_points()
    seen = np.count_nonzero(np.abs(farther - 1) < 0.005)
    moved = Pair(xy.first, xy.second + np.array([0.0, 1.2]))
    assert len(match(true, moved, max_error=1.0)) < 0.05 * seen
    # Seen from the first photo, a slip along the ground is longer than in the second.
    assert len(match(true, moved, max_error=2.0)) > 0.9 * seen
    # In pixels of the photo: at three times the size the same slip is 3.6 of them.
    assert len(match(true, moved, 3.0, max_error=3.0)) < 0.05 * seen


def test_photos_the_other_way_round_match_the_same() -> None:
    true, xy, _ = seen_points()
    there = {(i, j) for i, j in match(true, xy).indices.tolist()}
    back = {(i, j) for j, i in match(Pair(true.second, true.first), Pair(xy.second, xy.first)).indices.tolist()}
    assert there == back and len(there) > 100


def test_matches_need_the_depth_of_both_photos() -> None:
    true, xy, _ = seen_points(count=20)
    with pytest.raises(StageFailure, match=r"b\.jpg are the same: it has no true depth map") as failure:
        match(Pair(true.first, TrueDepth.unknown("has no true depth map")), xy)
    assert failure.value.code == "no-truth"
