"""Where a model starts, and which photo comes next."""

from __future__ import annotations

from typing import Any

import numpy as np
from diptych.stages.scene import Pairs, TwoView
from diptych.stages.sfm.next_view import initial_pairs, visibility_scores


def view(kind: Any, matches: int, angle: float) -> TwoView:
    return TwoView(
        kind=kind,
        matches=np.zeros((matches, 2)),
        rotation=np.eye(3),
        translation=np.array([1, 0, 0]),
        fundamental=np.zeros((3, 3)),
        homography=np.zeros((3, 3)),
        angle=angle,
    )


PAIRS = Pairs(indices=np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]))
VIEWS = (
    view("calibrated", 300, 4.0),
    view("calibrated", 200, 20.0),
    view("planar", 400, 20.0),
    view("pure_rotation", 900, 0.0),
    view("none", 0, 0.0),
)


def test_parallax_outweighs_matches_and_planes_come_last() -> None:
    assert initial_pairs(PAIRS, VIEWS, np.ones(4, bool), full_angle=16.0) == [1, 2, 0]


def test_only_usable_photos_start_a_model() -> None:
    assert initial_pairs(PAIRS, VIEWS, np.array([True, True, False, True]), full_angle=16.0) == [2, 0]


def test_spread_points_count_more_than_crowded_ones() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([[640.0, 480.0], [640.0, 480.0], [640.0, 480.0]])
    spread, crowded = rng.uniform(0, [640, 480], (100, 2)), rng.uniform(0, [64, 48], (200, 2))
    scores = visibility_scores(np.repeat([0, 1], [100, 200]), np.concatenate([spread, crowded]), sizes)
    assert scores[0] > 2 * scores[1] > 0 and scores[2] == 0


def test_points_on_the_border_count() -> None:
    scores = visibility_scores(np.array([0]), np.array([[640.0, 480.0]]), np.array([[640.0, 480.0]]))
    assert scores[0] > 0
