"""By how much values differ, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diptych.pipeline.results.value_difference import value_differences
from diptych.stages.dense import DepthMap, Mesh, Reason
from diptych.stages.geometry.alignment import Similarity, transform_scene
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Camera, Features, Matches, Pairs, Scene, Sparse, TwoView

CAMERA = Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 320.0, 240.0))


def features(count: int) -> Features:
    rows = np.random.default_rng(0).normal(size=(9, 8))[:count]
    return Features(rows[:, :2], rows[:, 2], rows[:, 3], rows[:, 4], np.zeros((count, 3)), rows[:, 4:], "toy")


def scene(count: int = 6) -> Scene:
    rng = np.random.default_rng(1)
    rotations = matrix_from_vector(rng.normal(size=(count, 3)))
    nothing = np.empty(0)
    return Scene(
        (CAMERA,),
        tuple(f"{i}.jpg" for i in range(count)),
        np.zeros(count),
        rotations,
        rng.normal(size=(count, 3)),
        rng.normal(size=(3, 3)),
        np.zeros((3, 3)),
        np.ones(3),
        nothing,
        nothing,
        nothing.reshape(0, 2),
        nothing,
    )


def depth_map(depth: np.ndarray) -> DepthMap:
    return DepthMap(depth, np.zeros((*depth.shape, 3)), np.zeros(depth.shape), np.where(depth > 0, 0, Reason.UNSEEN))


@pytest.mark.parametrize("value", [features(4), scene(), CAMERA, Sparse((scene(),)), depth_map(np.eye(3))])
def test_a_value_does_not_differ_from_itself(value: object) -> None:
    assert value_differences(value, value) == []


def test_keypoints_are_counted() -> None:
    assert value_differences(features(9), features(7)) == ["9 against 7 keypoints", "7 of the keypoints are in both"]
    moved = replace(features(4), xy=features(4).xy + np.eye(4, 1) * [1, 0])
    assert value_differences(features(4), moved) == [
        "xy: 12.5 % of 8 values differ, by at most 1 and 1 in the median",
        "3 of the keypoints are in both",
    ]


def test_fields_are_told_where_nothing_is_counted_otherwise() -> None:
    old = features(4)
    new = replace(old, score=old.score + np.array([0, 0.5, 0, 0.25], np.float32), kind="other")
    assert value_differences(old, new) == [
        "score: 50 % of 4 values differ, by at most 0.5 and 0.375 in the median",
        "kind: toy against other",
    ]


def test_pairs_in_both_are_counted() -> None:
    said = value_differences(Pairs(np.array([[0, 1], [1, 2]])), Pairs(np.array([[0, 2], [1, 2], [1, 3]])))
    assert said == ["2 against 3 pairs", "1 of the pairs is in both"]


def test_matches_of_other_features_have_nothing_in_common() -> None:
    old, new = (Matches(np.array(rows), np.ones(len(rows))) for rows in ([[0, 1], [1, 2]], [[0, 1]]))
    assert value_differences(old, new) == ["2 against 1 matches", "1 of the matches is in both"]
    assert value_differences(old, new, same_features=False) == ["2 against 1 matches"]


def test_nan_is_equal_to_nan() -> None:
    nothing, no = np.zeros((3, 3)), np.empty((0, 2))
    view = TwoView("none", no, nothing, np.array([np.nan, 1, 2]), nothing, nothing, np.nan)
    assert value_differences(view, view) == []
    said = value_differences(view, replace(view, translation=np.array([np.nan, np.nan, 4])))
    assert said == ["translation: 66.7 % of 3 values differ, by at most 2 and 2 in the median"]


def test_a_scene_is_aligned_before_poses_are_compared() -> None:
    old = scene()
    world = Similarity(3.0, matrix_from_vector(np.array([0.3, 0.2, 0.1])), np.array([1.0, 2.0, 3.0]))
    (said,) = value_differences(Sparse((old,)), Sparse((transform_scene(old, world),)))
    assert said.startswith("aligned, 6 cameras stand at most ")
    assert float(said.split("at most ")[1].split(" %")[0]) < 1e-10
    assert float(said.split("turned by at most ")[1].split("°")[0]) < 1e-5

    turned = old.rotations.copy()
    turned[2] = matrix_from_vector(np.array([0, 0, np.radians(2)])) @ turned[2]
    centers = old.centers
    new = replace(
        old,
        rotations=turned,
        translations=-np.einsum("nij,nj->ni", turned, centers),
        points=old.points[:2],
        colors=old.colors[:2],
        errors=old.errors[:2] / 2,
        cameras=(replace(CAMERA, params=(510.0, 320.0, 240.0)),),
    )
    counts, poses, focal, error = value_differences(old, new)
    assert counts == "3 against 2 points"
    assert "are turned by at most 2° (" in poses
    assert focal == "focal length 500.00 against 510.00 px"
    assert error == "mean reprojection error 1.0000 against 0.5000 px"


def test_photos_that_only_one_scene_has_are_left_aside() -> None:
    old = scene(6)
    new = replace(
        old,
        names=old.names[2:],
        camera_of=old.camera_of[2:],
        rotations=old.rotations[2:],
        translations=old.translations[2:],
    )
    assert value_differences(old, new) == ["6 against 4 registered photos"]


def test_depths_are_compared_where_both_maps_have_one() -> None:
    old, new = depth_map(np.full((2, 5), 2.0)), np.full((2, 5), 2.0)
    new[0, :2] = 2.5, 3.0
    new[1, 0] = 0
    assert value_differences(old, depth_map(new)) == [
        "a depth at 100 % against 90 % of the pixels; 10 % have one in one run only",
        "where both have a depth it differs at 22.2 % of the pixels, by 0 % in the median and 50 % at most",
    ]
    doubled = depth_map(2 * old.depth * np.linspace(0.99, 1.01, 10).reshape(2, 5))
    assert value_differences(old, doubled)[1].startswith("beside a factor of 2 by 0.55")
    assert value_differences(old, replace(old, reason=np.full((2, 5), 3)))[0].startswith("reason: 100 % of 10 values")


def test_a_mesh_is_counted() -> None:
    old = Mesh(np.zeros((4, 3)), np.array([[0, 1, 2], [1, 2, 3]]), np.zeros((4, 3)), np.zeros((4, 3)))
    assert value_differences(old, replace(old, triangles=old.triangles[:1])) == ["2 against 1 triangles"]


def test_only_so_much_is_said() -> None:
    names = tuple(f"{i}" for i in range(40))
    old = Sparse((scene(),), tuple((name, "dark") for name in names))
    new = replace(old, missing=tuple((name, "blurred") for name in names))
    said = value_differences(old, new)
    assert (len(said), said[-1]) == (7, "and 34 more differences")
    assert said[0] == "missing[0][1]: dark against blurred"
