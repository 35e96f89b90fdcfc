"""Evaluation of scenes whose distance from the truth is known beforehand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from diptych.stages.evaluation.cameras import AUC_DEGREES, Evaluation, evaluate, pose_auc
from diptych.stages.failure import StageFailure
from diptych.stages.geometry.alignment import Similarity, transform_scene
from diptych.stages.geometry.projection import project
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Camera, Scene
from diptych.stages.sfm.bundle import reprojection_errors

WORLD = Similarity(0.2, matrix_from_vector(np.array([0.3, -1.0, 2.0])), np.array([5.0, 6.0, 7.0]))


def truth_of(count: int, *, points: int = 20) -> Scene:
    """Cameras on an arc around points that they all see without error."""
    angles = np.linspace(-0.6, 0.6, count)
    rotations = matrix_from_vector(np.outer(angles, [0.0, 1.0, 0.0]) + 0.05 * np.sin(7 * angles)[:, None])
    rng = np.random.default_rng(1)
    cloud = rng.uniform(-1, 1, (points, 3))
    translations = np.tile([0.0, 0.0, 6.0], (count, 1)) + rng.uniform(-0.4, 0.4, (count, 3))
    camera = Camera("RADIAL", 640, 480, (600.0, 320.0, 240.0, -0.1, 0.01))
    photo, point = np.tile(np.arange(count), points), np.repeat(np.arange(points), count)
    in_camera = np.einsum("mij,mj->mi", rotations[photo], cloud[point]) + translations[photo]
    return Scene(
        cameras=(camera,),
        names=tuple(f"{index:03d}.jpg" for index in range(count)),
        camera_of=np.zeros(count),
        rotations=rotations,
        translations=translations,
        points=cloud,
        colors=np.zeros((points, 3)),
        errors=np.zeros(points),
        obs_photo=photo,
        obs_point=point,
        obs_xy=project(camera, in_camera),
        obs_keypoint=np.full(len(photo), -1),
    )


def with_centers(scene: Scene, centers: np.ndarray) -> Scene:
    return replace(scene, translations=-np.einsum("nij,nj->ni", scene.rotations, centers))


def without(scene: Scene, photos: list[int]) -> Scene:
    """The scene with some of its photos not registered."""
    kept = np.setdiff1d(np.arange(len(scene.names)), photos)
    seen = np.isin(scene.obs_photo, kept)
    return replace(
        scene,
        names=tuple(scene.names[photo] for photo in kept),
        camera_of=scene.camera_of[kept],
        rotations=scene.rotations[kept],
        translations=scene.translations[kept],
        obs_photo=np.searchsorted(kept, scene.obs_photo[seen]),
        obs_point=scene.obs_point[seen],
        obs_xy=scene.obs_xy[seen],
        obs_keypoint=scene.obs_keypoint[seen],
    )


@pytest.mark.parametrize("count", [2, 3, 12])
def test_the_truth_in_another_world_is_perfect(count: int) -> None:
    truth = truth_of(count)
    result = evaluate(transform_scene(truth, WORLD.inverse), truth)
    assert result.registered == count and result.missing == ()
    numbers = result.as_dict()
    for name in ("position", "position_least_squares"):
        assert numbers[f"{name}_max"] < 1e-8
    assert numbers["rotation_max_deg"] < 1e-6
    assert [result.auc(degrees) for degrees in AUC_DEGREES] == pytest.approx([1.0] * 5, abs=1e-6)
    assert numbers["reprojection_mean_px"] < 1e-9
    assert numbers["track_length"] == count and numbers["points"] == 20


def test_a_camera_that_is_off_shows_in_full_and_in_least_squares_less() -> None:
    truth = truth_of(12)
    centers = truth.centers.copy()
    centers[4] += [3.0, 0.0, 0.0]
    result = evaluate(transform_scene(with_centers(truth, centers), WORLD), truth)
    expected = np.zeros(12)
    expected[4] = 3.0
    np.testing.assert_allclose(result.position_errors, expected, atol=1e-8)
    np.testing.assert_allclose(result.rotation_errors, 0.0, atol=1e-6)
    numbers = result.as_dict()
    assert numbers["position_mean"] == pytest.approx(0.25)
    assert numbers["position_median"] < 1e-8
    assert numbers["position_max"] == pytest.approx(3.0)
    assert numbers["position_rms"] == pytest.approx(3.0 / np.sqrt(12))
    # Least squares spreads the error: smaller at the camera, larger at all others, and smaller in squares.
    assert 0.5 < result.least_squares_position_errors[4] < 2.9
    assert np.delete(result.least_squares_position_errors, 4).min() > 0.01
    assert numbers["position_least_squares_rms"] < numbers["position_rms"]


def test_noise_of_the_positions_is_measured() -> None:
    rng = np.random.default_rng(8)
    truth, sigma = truth_of(200), 0.01
    noisy = with_centers(truth, truth.centers + sigma * rng.normal(size=(200, 3)))
    numbers = evaluate(transform_scene(noisy, WORLD), truth).as_dict()
    assert numbers["position_rms"] == pytest.approx(np.sqrt(3) * sigma, rel=0.1)
    assert numbers["position_median"] == pytest.approx(1.538 * sigma, rel=0.1)
    assert numbers["position_least_squares_rms"] <= numbers["position_rms"]


def test_rotations_alone_show_in_rotation_errors_and_pairs() -> None:
    truth = truth_of(8)
    turned = np.zeros((8, 3))
    turned[2] = np.radians([0.0, 0.0, 2.0])
    rotations = matrix_from_vector(turned) @ truth.rotations
    scene = with_centers(replace(truth, rotations=rotations), truth.centers)
    result = evaluate(transform_scene(scene, WORLD), truth)
    np.testing.assert_allclose(result.rotation_errors, [0, 0, 2, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(result.position_errors, 0, atol=1e-8)
    # 7 of 28 pairs have that photo. Their rotation is off by 2 degrees, their direction by no more.
    np.testing.assert_allclose(np.sort(result.pair_errors), [0.0] * 21 + [2.0] * 7, atol=1e-5)
    assert result.auc(1.0) == pytest.approx(0.75, abs=1e-4)
    assert result.auc(5.0) == pytest.approx(0.75 + 0.25 * 3 / 5 + 0.5 * (2 / 5) * (1 / 28), abs=1e-4)


def test_directions_of_translations_show_in_pairs() -> None:
    truth = truth_of(3)
    centers = truth.centers.copy()
    normal = np.cross(centers[1] - centers[0], centers[2] - centers[0])
    baseline = centers[2] - centers[0]
    turn = matrix_from_vector(np.radians(3.0) * normal / np.linalg.norm(normal))
    centers[2] = centers[0] + turn @ baseline
    errors = evaluate(with_centers(truth, centers), truth).pair_errors
    assert errors[0] == pytest.approx(0.0, abs=1e-6)
    assert errors[1] == pytest.approx(3.0, abs=1e-6)


def test_photos_that_are_not_registered_count_as_failures() -> None:
    truth = truth_of(10)
    result = evaluate(without(truth, [3, 7]), truth)
    assert result.registered == 8
    assert result.missing == ("003.jpg", "007.jpg")
    assert np.isnan(result.position_errors[[3, 7]]).all()
    assert len(result.pair_errors) == 45 and np.isinf(result.pair_errors).sum() == 45 - 28
    assert result.auc(5.0) == pytest.approx(28 / 45, abs=1e-4)
    assert result.as_dict()["position_max"] < 1e-8
    assert dict(result.table())["registered photos"] == "8 of 10 (not: 003.jpg, 007.jpg)"
    assert [row["photo"] for row in result.rows()] == list(truth.names)


def test_photos_beyond_the_truth_do_not_matter() -> None:
    truth = truth_of(10)
    result = evaluate(truth, without(truth, [0, 5]))
    assert result.registered == len(result.names) == 8
    assert len(result.pair_errors) == 28


def test_reprojection_errors_are_those_put_in() -> None:
    truth = truth_of(5)
    offset = np.random.default_rng(0).normal(size=truth.obs_xy.shape)
    scene = replace(truth, obs_xy=truth.obs_xy + offset)
    np.testing.assert_allclose(reprojection_errors(scene), np.linalg.norm(offset, axis=1), atol=1e-9)
    numbers = evaluate(scene, truth).as_dict()
    assert numbers["reprojection_mean_px"] == pytest.approx(np.linalg.norm(offset, axis=1).mean())


@pytest.mark.parametrize("rename", ["photos/{}", "{}", "deep/er/{}"])
def test_names_are_matched_across_folders_and_endings(rename: str) -> None:
    truth = truth_of(6)
    scene = replace(truth, names=tuple(rename.format(name) for name in truth.names))
    assert evaluate(scene, truth).registered == 6
    other = replace(truth, names=tuple(name.replace(".jpg", ".png") for name in truth.names))
    assert evaluate(scene, other).registered == 6


def test_a_truth_of_other_photos_is_said() -> None:
    truth = truth_of(6)
    other = replace(truth, names=tuple(f"DSC_{index}.jpg" for index in range(6)))
    with pytest.raises(StageFailure) as caught:
        evaluate(truth, other)
    assert caught.value.code == "truth-mismatch"
    assert caught.value.facts["scene_names"] == ["000.jpg", "001.jpg", "002.jpg"]
    assert caught.value.facts["truth_names"] == ["DSC_0.jpg", "DSC_1.jpg", "DSC_2.jpg"]
    json.dumps(caught.value.facts)
    alike = replace(truth, names=tuple(f"{index % 2}/{index // 2}.jpg" for index in range(6)))
    with pytest.raises(StageFailure):
        evaluate(replace(alike, names=tuple(f"x/{name}" for name in alike.names)), alike)


def test_auc_by_hand() -> None:
    assert pose_auc(np.array([np.inf, np.inf]), 5.0) == 0.0
    assert pose_auc(np.zeros(4), 5.0) == 1.0
    # The recall rises from 0 to 1/2 at error 1 and stays there up to 2.
    assert pose_auc(np.array([1.0, 7.0]), 2.0) == pytest.approx((0.5 * 0.5 + 0.5) / 2)
    assert pose_auc(np.array([]), 1.0) == 0.0


def test_without_points_the_table_says_nothing_of_pixels() -> None:
    truth = truth_of(4, points=0)
    result = evaluate(truth, truth)
    assert isinstance(result, Evaluation)
    assert "reprojection error" not in dict(result.table())
    assert np.isnan(result.as_dict()["track_length"])
    assert all(isinstance(what, str) and isinstance(number, str) for what, number in result.table())
