"""Every implementation of the two_views slot recognizes what two photos have to do with each other."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from diptych.stages.geometry.epipolar import sampson_distance
from diptych.stages.geometry.rotations import angle_between
from diptych.stages.matching.two_view import OpenCVTwoView, PoseLibTwoView
from diptych.stages.matching.two_view_colmap import ColmapTwoView
from diptych.stages.scene import Camera, Matches, Pair, TwoView
from diptych.testing import check_stage

from tests.synthetic import CAMERA, ViewPair, keypoints, view_pair

VERIFIERS = [PoseLibTwoView(), OpenCVTwoView(), ColmapTwoView()]
each_verifier = pytest.mark.parametrize("stage", VERIFIERS, ids=lambda stage: type(stage).__name__)


def verify(stage: Any, pair: ViewPair, seed: int = 0) -> TwoView:
    return stage.run(pair.camera, pair.features, pair.matches, np.random.default_rng(seed))


def rows(pair: ViewPair, view: TwoView) -> np.ndarray:
    """Which of the matches were verified; a match is known by its first keypoint."""
    return np.isin(pair.matches.indices[:, 0], view.matches[:, 0])


def rotation_error(view: TwoView, pair: ViewPair) -> float:
    return float(np.degrees(angle_between(view.rotation, pair.rotation)))


def direction_error(view: TwoView, pair: ViewPair) -> float:
    cosine = view.translation @ pair.translation / np.linalg.norm(pair.translation)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@each_verifier
@pytest.mark.parametrize("seed", range(3))
def test_a_scene_with_depth_is_calibrated(stage: Any, seed: int) -> None:
    pair = view_pair("general", seed=seed)
    view = verify(stage, pair)
    kept = rows(pair, view)
    assert view.kind == "calibrated" and view.has_pose
    assert rotation_error(view, pair) < 0.2 and direction_error(view, pair) < 0.6
    assert np.linalg.norm(view.translation) == pytest.approx(1)
    assert kept[pair.true].mean() > 0.97
    assert pair.true[kept].mean() > 0.97
    first = pair.features.first.xy[view.matches[:, 0]]
    second = pair.features.second.xy[view.matches[:, 1]]
    assert sampson_distance(view.fundamental, first, second).max() < 1.01 * stage.max_error
    assert 8 < view.angle < 16


@each_verifier
@pytest.mark.parametrize("seed", range(3))
def test_a_plane_with_parallax_is_planar(stage: Any, seed: int) -> None:
    pair = view_pair("plane", seed=seed, noise=0.3)
    view = verify(stage, pair)
    assert view.kind == "planar" and view.has_pose and view.homography.any()
    assert rows(pair, view)[pair.true].mean() > 0.97


@each_verifier
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("focal", ["calibrated", "exif", "guess"])
def test_a_turn_about_the_center_is_a_pure_rotation(stage: Any, seed: int, focal: Any) -> None:
    rough = dataclasses.replace(CAMERA, params=(1200.0, 500.0, 400.0), focal=focal)
    pair = view_pair("rotation", seed=seed, told=None if focal == "calibrated" else rough)
    view = verify(stage, pair)
    assert view.kind == "pure_rotation" and not view.has_pose
    assert not view.translation.any() and not view.fundamental.any() and view.homography.any()
    assert rotation_error(view, pair) < (0.1 if focal == "calibrated" else 3)
    assert rows(pair, view)[pair.true].mean() > 0.9


@each_verifier
def test_a_photo_and_itself_are_a_pure_rotation(stage: Any) -> None:
    pair = view_pair("identical", outliers=0)
    view = verify(stage, pair)
    assert view.kind == "pure_rotation" and len(view) == 300
    np.testing.assert_allclose(view.rotation, np.eye(3), atol=1e-6)


@each_verifier
@pytest.mark.parametrize("seed", range(3))
def test_too_little_parallax_is_a_small_baseline(stage: Any, seed: int) -> None:
    view = verify(stage, view_pair("tiny_baseline", seed=seed, noise=0.3))
    assert view.kind == "small_baseline" and 0.05 < view.angle < 1.0


@each_verifier
@pytest.mark.parametrize("points", [5, 16, 40, 200, 1000])
def test_photos_without_overlap_are_none(stage: Any, points: int) -> None:
    for seed in range(2):
        view = verify(stage, view_pair("unrelated", seed=seed, points=points))
        assert view.kind == "none" and len(view) == 0 and not view.has_pose


@each_verifier
def test_a_wrong_calibration_is_uncalibrated(stage: Any) -> None:
    wrong = dataclasses.replace(CAMERA, params=(300.0, 500.0, 400.0))
    pair = view_pair("general", told=wrong, noise=0.3)
    view = verify(stage, pair)
    assert view.kind == "uncalibrated" and not view.has_pose
    assert view.fundamental.any()
    assert rows(pair, view)[pair.true].mean() > 0.95


@each_verifier
@pytest.mark.parametrize(("focal", "length"), [("guess", 1100.0), ("exif", 960.0)])
def test_a_rough_focal_length_gives_a_first_pose_and_loses_no_match(stage: Any, focal: Any, length: float) -> None:
    guess = dataclasses.replace(CAMERA, params=(length, 500.0, 400.0), focal=focal)
    pair = view_pair("general", told=guess)
    view = verify(stage, pair)
    assert view.kind == "calibrated" and view.has_pose
    assert rotation_error(view, pair) < 10
    assert rows(pair, view)[pair.true].mean() > 0.95


@each_verifier
def test_distortion_is_taken_out(stage: Any) -> None:
    pair = view_pair("general", noise=0.1, outliers=0)
    # Distorted so that undistortion finds the pinhole's position again.
    lens = Camera("SIMPLE_RADIAL", 1000, 800, (900.0, 500.0, 400.0, -0.15), "calibrated")

    def distorted(xy: np.ndarray) -> np.ndarray:
        plane = (xy - [500, 400]) / 900
        return plane * (1 - 0.15 * (plane**2).sum(axis=1, keepdims=True)) * 900 + [500, 400]

    features = Pair(*(keypoints(distorted(each.xy)) for each in (pair.features.first, pair.features.second)))
    view = verify(stage, dataclasses.replace(pair, camera=Pair(lens, lens), features=features))
    assert view.kind == "calibrated" and len(view) > 290
    assert rotation_error(view, pair) < 0.05


@each_verifier
@pytest.mark.parametrize("world", ["general", "plane", "rotation"])
def test_keeps_the_contract(stage: Any, world: Any) -> None:
    pair = view_pair(world, outliers=0.5)
    check_stage(stage, camera=pair.camera, features=pair.features, matches=pair.matches)


@each_verifier
def test_no_matches_are_no_failure(stage: Any) -> None:
    pair = view_pair("general")
    nothing = Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    view = verify(stage, dataclasses.replace(pair, matches=nothing))
    assert view.kind == "none" and len(view) == 0


@each_verifier
def test_points_behind_a_camera_are_removed(stage: Any) -> None:
    pair = view_pair("general", noise=0.1, outliers=0)
    view = verify(stage, pair)
    # On the epipolar lines, but on the far side of the epipole: their rays meet behind the cameras.
    rng = np.random.default_rng(1)
    depth = -rng.uniform(4, 8, 40)
    first = rng.uniform(100, 700, (40, 2))
    rays = np.column_stack([first, np.ones(40)]) @ np.linalg.inv(CAMERA.matrix).T
    behind = (depth[:, None] * rays @ pair.rotation.T + pair.translation) @ CAMERA.matrix.T
    features = Pair(
        keypoints(np.concatenate([pair.features.first.xy, first])),
        keypoints(np.concatenate([pair.features.second.xy, behind[:, :2] / behind[:, 2:]])),
    )
    added = np.column_stack([300 + np.arange(40), 300 + np.arange(40)])
    matches = Matches(np.concatenate([pair.matches.indices, added]), np.ones(340))
    both = verify(stage, dataclasses.replace(pair, features=features, matches=matches))
    assert len(view) > 290
    assert both.matches[:, 0].max() < 300 and len(both) > 290
