"""PatchMatch beyond the contract of its slot: starting from depth maps, consistency, and things that move."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from diptych.stages.dense import Around, DepthMap, Reason, View
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.stage import Context

from tests.synthetic_views import around, synthetic_views

REFERENCE = 2


@functools.cache
def world() -> tuple[tuple[View, ...], tuple[np.ndarray, ...]]:
    views, depths = synthetic_views()
    return tuple(views), tuple(depths)


def search(views: Around[View], depths: Around[DepthMap] | None = None) -> DepthMap:
    return PatchMatch().run(views, np.random.default_rng(0), Context(), depths)


@functools.cache
def alone() -> Around[DepthMap]:
    """The depth map of each view by itself, as the first node of a recipe makes them."""
    views = list(world()[0])
    maps = [search(around(views, i)) for i in range(len(views))]
    return Around(maps[REFERENCE], tuple(maps[i] for i in range(len(maps)) if i != REFERENCE))


def of_all() -> Around[View]:
    views = list(world()[0])
    return Around(views[REFERENCE], tuple(views[i] for i in range(len(views)) if i != REFERENCE))


def right(depth: np.ndarray, within: float = 0.01) -> float:
    return float(np.mean(np.abs(depth / world()[1][REFERENCE] - 1) < within))


def test_a_second_node_makes_depth_maps_more_accurate() -> None:
    first = alone().reference.depth
    second = search(of_all(), alone()).depth
    assert right(second) > right(first) + 0.015
    assert right(second, 0.0025) > right(first, 0.0025) - 0.015


def test_depth_maps_of_another_stage_can_come_first() -> None:
    views = list(world()[0])
    maps = [Sgm().run(around(views, i), Context()) for i in range(len(views))]
    start = Around(maps[REFERENCE], tuple(maps[i] for i in range(len(maps)) if i != REFERENCE))
    found = right(search(of_all(), start).depth)
    assert found > right(maps[REFERENCE].depth) - 0.01
    assert found > 0.85


def test_it_starts_from_nothing_where_the_depth_maps_are_empty() -> None:
    nothing = [DepthMap.empty(view, "found nothing") for view in world()[0]]
    start = Around(nothing[0], tuple(nothing[1:]))
    assert (search(of_all(), start).depth == search(of_all()).depth).all()


def test_what_moves_is_not_taken_for_a_surface() -> None:
    """A textured square stands elsewhere in every view, at places no one depth explains."""
    views = list(world()[0])
    rng = np.random.default_rng(1)
    texture = rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)
    moved = []
    for i, view in enumerate(views):
        image = view.image.copy()
        row = 40 + (17, -19, 0, 23, -11)[i]
        image[row : row + 30, 60:90] = texture
        moved.append(dataclasses.replace(view, image=image))
    result = search(around(moved, REFERENCE))
    square = np.zeros(result.depth.shape, bool)
    square[44:66, 64:86] = True
    assert result.confidence[square].mean() < 0.5 * result.confidence[~square].mean()
    lost = result.reason[square]
    assert ((lost == Reason.FOUND) | (lost == Reason.DISAGREED) | (lost == Reason.OUT_OF_RANGE)).all()


def test_other_numbers_are_drawn_by_another_seed_and_the_result_is_as_good() -> None:
    first = alone().reference.depth
    second = PatchMatch().run(around(list(world()[0]), REFERENCE), np.random.default_rng(1), Context()).depth
    assert (first != second).any()
    assert abs(right(first) - right(second)) < 0.02


def test_progress_counts_every_sweep() -> None:
    told: list[tuple[int, int]] = []
    context = Context(progress=lambda done, total: told.append((done, total)))
    PatchMatch(coarse_sweeps=2, sweeps=1).run(around(list(world()[0]), REFERENCE), np.random.default_rng(0), context)
    assert told == [(1, 3), (2, 3), (3, 3)]
