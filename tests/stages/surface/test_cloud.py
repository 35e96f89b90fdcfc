"""One cloud of all views: nothing lost, nothing moved, and thinning as one would do it by hand."""

from __future__ import annotations

import dataclasses
import pickle

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from diptych.stages.dense import Cloud
from diptych.stages.failure import StageFailure
from diptych.stages.surface.cloud import MergedCloud, thinned
from hypothesis import given, settings
from hypothesis import strategies as st


def cloud(count: int, seed: int = 0) -> Cloud:
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    return Cloud(
        points=rng.uniform(-2, 2, (count, 3)),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        colors=rng.integers(0, 256, (count, 3)),
        views=rng.integers(2, 9, count),
        spread=rng.uniform(0, 0.1, count),
    )


def test_merges_in_the_order_of_the_photos() -> None:
    parts = (cloud(5), cloud(0), cloud(7, seed=1))
    merged = MergedCloud().run(parts)
    assert len(merged) == 12
    for field in dataclasses.fields(merged):
        expected = np.concatenate([getattr(part, field.name) for part in parts])
        np.testing.assert_array_equal(getattr(merged, field.name), expected)


def test_nothing_at_all_is_a_failure() -> None:
    for parts in ((), (cloud(0), cloud(0))):
        with pytest.raises(StageFailure) as failure:
            MergedCloud().run(parts)
        assert failure.value.code == "empty-cloud" and failure.value.hint


@given(
    points=arrays.arrays(np.float32, st.tuples(st.integers(1, 60), st.just(3)), elements=st.floats(-3, 3, width=32)),
    voxel=st.floats(0.05, 4),
)
@settings(max_examples=60, deadline=None)
def test_thinning_leaves_the_mean_of_each_cell(points: np.ndarray, voxel: float) -> None:
    whole = dataclasses.replace(cloud(len(points)), points=points)
    thin = thinned(whole, voxel)
    members: dict[tuple[int, ...], list[int]] = {}
    for index, point in enumerate(points.astype(np.float64)):
        members.setdefault(tuple(np.floor(point / voxel).astype(int)), []).append(index)
    assert len(thin) == len(members)
    for row, (_, inside) in enumerate(sorted(members.items())):
        np.testing.assert_allclose(thin.points[row], points[inside].mean(axis=0, dtype=float), atol=1e-6)
        np.testing.assert_allclose(thin.colors[row], whole.colors[inside].mean(axis=0), atol=0.5001)
        np.testing.assert_allclose(thin.spread[row], np.sqrt(np.mean(whole.spread[inside] ** 2.0)), rtol=1e-5)
        assert thin.views[row] == whole.views[inside].max()
    np.testing.assert_allclose(np.linalg.norm(thin.normals, axis=1), 1, atol=1e-5)


def test_normals_that_cancel_out_leave_one() -> None:
    two = dataclasses.replace(cloud(2), points=np.full((2, 3), 0.5), normals=np.array([[0, 0, 1.0], [0, 0, -1.0]]))
    np.testing.assert_array_equal(thinned(two, 1.0).normals, [[0, 0, 1]])


def test_cells_stand_still_when_a_photo_is_added() -> None:
    first, second = cloud(200), cloud(200, seed=1)
    far = dataclasses.replace(second, points=second.points - [9.13, 0.0, 0.0])
    alone = thinned(first, 0.5)
    together = MergedCloud(voxel=0.5).run((first, far))
    np.testing.assert_array_equal(together.points[-len(alone) :], alone.points)


def test_voxels_too_small_to_count_are_said() -> None:
    with pytest.raises(StageFailure) as failure:
        MergedCloud(voxel=1e-7).run((cloud(10),))
    assert failure.value.code == "voxel-too-small"


def test_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(MergedCloud(voxel=0.2))) == MergedCloud(voxel=0.2)
