"""Clouds and meshes whose distance from the true surface is known beforehand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from diptych.stages.dense import Mesh
from diptych.stages.depth_truth import TrueView
from diptych.stages.evaluation.surface import by_voxel, distances, evaluate_surface, mask_containment, sampled, views_of
from diptych.stages.scene import Camera

RNG = np.random.default_rng(0)
CAMERA = Camera("PINHOLE", 100, 100, (100.0, 100.0, 50.0, 50.0))


def square(z: float = 0.0, side: float = 1.0, parts: int = 1) -> Mesh:
    """A square in x and y around the z axis, of ``parts`` strips of unlike width."""
    x = side * (np.linspace(0, 1, parts + 1) ** 2 - 0.5)
    vertices = np.array([[at, y, z] for at in x for y in (-side / 2, side / 2)])
    first = 2 * np.arange(parts)[:, None]
    triangles = np.concatenate([first + np.array([0, 2, 1]), first + np.array([1, 2, 3])])
    return Mesh(vertices, triangles, np.zeros(vertices.shape), np.zeros(vertices.shape))


def joined(first: Mesh, second: Mesh) -> Mesh:
    vertices = np.concatenate([first.vertices, second.vertices])
    triangles = np.concatenate([first.triangles, second.triangles + len(first.vertices)])
    return Mesh(vertices, triangles, np.zeros(vertices.shape), np.zeros(vertices.shape))


def looking(x: float, mask: np.ndarray | None = None) -> TrueView:
    """A view from x, 2 above the squares, downwards: it sees the whole square of side 1 at z = 0."""
    rotation = np.diag([1.0, -1.0, -1.0])
    center = np.array([x, 0.0, 2.0])
    return TrueView(str(x), CAMERA, rotation, -rotation @ center, read_mask=None if mask is None else lambda: mask)


def test_samples_of_a_mesh_are_spread_evenly() -> None:
    points = sampled(square(parts=5), side=0.01)
    assert len(points) == pytest.approx(4 / 0.01**2, abs=1)
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=10, range=[[-0.5, 0.5]] * 2)[0]
    assert counts.sum() == len(points)
    assert 3 * np.sqrt(400) < counts.max() - counts.min() < 8 * np.sqrt(400)
    np.testing.assert_array_equal(points, sampled(square(parts=5), side=0.01))


def test_distances_from_a_mesh_and_from_points() -> None:
    points = np.array([[0, 0, 0.3], [0.5, 0, 0], [1.5, 0, 0]])
    np.testing.assert_allclose(distances(points, square()), [0.3, 0, 1], atol=1e-6)
    np.testing.assert_allclose(distances(points, np.zeros((1, 3))), [0.3, 0.5, 1.5])
    empty = replace(square(), triangles=np.empty((0, 3)))
    assert np.isinf(distances(points, empty)).all() and np.isinf(distances(points, np.empty((0, 3)))).all()


def test_a_surface_a_known_distance_off() -> None:
    # The noise is Gaussian: 68.3 % are within one standard deviation, 95.4 % within two.
    points = sampled(square(), 0.01, seed=5) + np.array([0, 0, 1]) * RNG.normal(0, 0.02, (40_000, 1))
    found = evaluate_surface(points, square(), [0.02, 0.04, 0.2], voxel=10.0)
    np.testing.assert_allclose(found.accuracy, [0.683, 0.954, 1], atol=0.01)
    assert found.distance == pytest.approx(0.6745 * 0.02, rel=0.03)
    np.testing.assert_allclose(found.completeness[1:], 1)
    assert not found.unobserved.any()
    np.testing.assert_allclose(
        found.f_score, 2 * found.accuracy * found.completeness / (found.accuracy + found.completeness)
    )


def test_half_a_mesh_is_half_complete() -> None:
    half = square(side=1.0)
    half = replace(half, vertices=half.vertices * np.array([0.5, 1, 1]) - np.array([0.25, 0, 0]))
    found = evaluate_surface(half, square(), [0.01])
    np.testing.assert_allclose(found.accuracy, 1)
    assert found.completeness[0] == pytest.approx(0.51, abs=0.01)


def test_dense_spots_do_not_dominate() -> None:
    even = RNG.uniform(-0.5, 0.5, (20_000, 2))
    right = np.concatenate([even, np.zeros((len(even), 1))], axis=1)
    wrong = np.array([0, 0, 0.3]) + RNG.uniform(0, 0.04, (100_000, 3))
    found = evaluate_surface(np.concatenate([right, wrong]), square(), [0.05])
    # Most points are wrong, but they fill one to eight of some 400 voxels.
    assert 0.975 < found.accuracy[0] < 0.9985


def test_voxels_are_counted_once_whatever_lies_far_off() -> None:
    points = np.array([[0.1, 0, 0], [0.2, 0, 0], [0.3, 0, 0], [1e7, 1e7, 1e7]])
    assert by_voxel(points, np.array([1, 1, 0, 0]), 1.0) == pytest.approx((2 / 3 + 0) / 2)
    assert by_voxel(points, np.array([1, 1, 0, 0]), 1e-3) == 0.5
    assert np.isnan(by_voxel(points[:0], np.zeros(0), 1.0))


def test_what_lies_where_nobody_looks_is_left_out() -> None:
    views = [looking(-0.2), looking(0.2)]
    truth = joined(square(), square(z=-1.0))  # the lower one is hidden by the upper
    upper = sampled(square(), 0.02)
    assert (views_of(upper, truth, views) == 2).all()
    assert not views_of(upper - [0, 0, 0.2], truth, views).any()
    assert (views_of(upper * 0.5 + [0, 0, 0.2], truth, views) == 2).all()

    complete = evaluate_surface(upper, truth, [0.05], views)
    assert complete.completeness[0] > 0.999 and complete.accuracy[0] == 1
    blind = evaluate_surface(upper, truth, [0.05])
    assert 0.4 < blind.completeness[0] < 0.6
    assert evaluate_surface(upper, truth, [0.05], views[:1]).completeness.tolist() != [1.0]  # one view is no stereo

    behind, before = upper - [0, 0, 0.3], 0.5 * upper + [0, 0, 0.3]
    with_behind = evaluate_surface(np.concatenate([upper, behind]), truth, [0.05], views)
    assert with_behind.accuracy[0] == 1 and with_behind.unobserved[0] == pytest.approx(0.5)
    with_before = evaluate_surface(np.concatenate([upper, before]), truth, [0.05], views)
    assert 0.6 < with_before.accuracy[0] < 0.9 and with_before.unobserved[0] == 0


def test_a_scan_tells_observed_space_by_its_depth_maps() -> None:
    depth = np.full((100, 100), 2.0, np.float32)
    depth[:, :50] = 0
    view = replace(looking(0.0), read_depth=lambda: depth)
    points = np.array([[0.2, 0, 0], [0.2, 0, 1.0], [0.2, 0, -0.5], [-0.2, 0, 1.0]])
    np.testing.assert_array_equal(views_of(points, sampled(square(), 0.02), [view]), [1, 1, 0, 0])


def test_points_outside_masks() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[40:60, 40:60] = True  # the object's half width is 0.2
    views = [looking(0.0, mask), looking(0.0, mask)]
    line = np.stack([np.linspace(-1.5, 1.5, 3001), np.zeros(3001), np.zeros(3001)], axis=1)
    for dilation in (0, 10):
        found = mask_containment(line, views, dilation)
        inside = np.abs(line[:, 0]) < 0.2 + 0.02 * dilation
        assert found.outside == pytest.approx(np.sum(~inside), abs=5)
    json.dumps(found.as_dict())
    assert len(found.table()) == 1


def test_nothing_estimated_is_nothing_complete() -> None:
    found = evaluate_surface(np.empty((0, 3)), square(), [0.1])
    assert np.isnan(found.accuracy).all() and not found.completeness.any()
    assert len(found.table()) == 4
