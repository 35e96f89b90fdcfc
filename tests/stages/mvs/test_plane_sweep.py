"""The plane sweep: where a point lands, what a plane costs, and the refinement that follows it."""

from __future__ import annotations

import dataclasses

import numpy as np
from diptych.stages.mvs.plane_sweep import CENSUS_BITS, brightness, census_costs, parallax, projections, refine

from tests.synthetic_views import synthetic_views

VIEWS, DEPTHS = synthetic_views(3, (96, 72))


def test_a_point_lands_where_the_other_view_sees_it() -> None:
    _, matrices = brightness(VIEWS, 0.5)
    projection = projections(VIEWS, matrices)
    rays = np.array([12.3, 20.9, 1.0]) @ np.linalg.inv(matrices[0]).T
    world = VIEWS[0].rotation.T @ (5.5 * rays - VIEWS[0].translation)
    for view, matrix, each in zip(VIEWS[1:], matrices[1:], projection, strict=True):
        seen = matrix @ (view.rotation @ world + view.translation)
        there = each @ [12.3, 20.9, 1.0, 1 / 5.5]
        assert np.allclose(seen[:2] / seen[2], there[:2] / there[2])


def test_parallax_is_that_of_a_shift_sideways() -> None:
    # Beside the reference by 0.5, focal length 100: from depth 2 to depth 10 a point moves by 100 * 0.5 * (1/2 - 1/10).
    projection = np.column_stack([np.eye(3), [-50.0, 0, 0]])
    assert np.isclose(parallax(projection, (100, 80), 2.0, 10.0), 20.0)
    projection[:, 3] = 0
    assert parallax(projection, (100, 80), 2.0, 10.0) == 0


def test_the_true_plane_is_the_cheapest() -> None:
    stack, matrices = brightness(VIEWS, 1.0)
    depths = 1 / np.linspace(4, 9, 30)
    costs = np.empty((72, 96, 30), np.uint8)
    census_costs(
        0, 6, 12, stack[1], stack[[0, 2]], projections([VIEWS[1], VIEWS[0], VIEWS[2]], matrices), depths, costs
    )
    cheapest = 1 / depths[costs.argmin(axis=2)]
    assert np.mean(np.abs(cheapest / DEPTHS[1] - 1) < 0.05) > 0.6
    assert costs.max() <= CENSUS_BITS


def test_what_no_source_sees_costs_most() -> None:
    hidden = [dataclasses.replace(view, mask=np.zeros_like(view.mask)) for view in VIEWS]
    stack, matrices = brightness([VIEWS[1], hidden[0]], 1.0)
    costs = np.empty((72, 96, 3), np.uint8)
    projection = projections([VIEWS[1], hidden[0]], matrices)
    census_costs(0, 6, 12, stack[0], stack[1:], projection, np.array([0.1, 0.2, 0.3]), costs)
    assert (costs == CENSUS_BITS).all()


def test_refinement_finds_its_way_back() -> None:
    stack, matrices = brightness([VIEWS[1], VIEWS[0], VIEWS[2]], 1.0)
    projection = projections([VIEWS[1], VIEWS[0], VIEWS[2]], matrices)
    truth = (1 / DEPTHS[1]).astype(np.float32)
    pixel = 1 / (0.5 * VIEWS[1].camera.params[0])
    for off in (-1.0, 0.0, 0.9):
        start = truth + np.float32(off * pixel)
        refined, score = np.empty_like(truth), np.empty_like(truth)
        refine(0, 3, 24, stack[0], stack[1:], projection, 3, np.float32(0.75 * pixel), 2, start, refined, score)
        assert np.median(np.abs(refined - truth) / pixel) < 0.05
        assert np.median(score) > 0.9


def test_how_rows_are_cut_does_not_matter() -> None:
    stack, matrices = brightness(VIEWS, 1.0)
    projection, depths = projections(VIEWS, matrices), np.linspace(0.1, 0.3, 9)
    start = (1 / DEPTHS[0]).astype(np.float32)
    results = []
    for rows in (5, 24, 72):
        costs, refined, score = np.empty((72, 96, 9), np.uint8), np.empty_like(start), np.empty_like(start)
        census_costs(0, -(-72 // rows), rows, stack[0], stack[1:], projection, depths, costs)
        refine(0, -(-72 // rows), rows, stack[0], stack[1:], projection, 3, np.float32(0.01), 2, start, refined, score)
        results.append(costs.tobytes() + refined.tobytes() + score.tobytes())
    assert results[0] == results[1] == results[2]
