"""Guided matching finds what looks alike elsewhere, and keeps what it was given."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
from diptych.stages.geometry.epipolar import essential_from_pose, fundamental_from_essential, sampson_distance
from diptych.stages.matching.guided_matching import GuidedMatching
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.matching.two_view import PoseLibTwoView
from diptych.stages.scene import Matches, Pair, TwoView
from diptych.stages.stage import Context

from tests.synthetic import ViewPair, described_pair, keypoints, view_pair


def repetitive(seed: int = 0) -> ViewPair:
    """Two views of 300 points; every descriptor of the first 200 occurs ten times, as on a facade of equal windows."""
    pair = view_pair("general", seed=seed, outliers=0)
    looks = described_pair(seed, first=300, second=300, shared=300)
    window = np.arange(300)
    window[:200] %= 20
    order = pair.matches.indices[:, 1]
    second = np.empty_like(looks.second.descriptors)
    second[order] = looks.second.descriptors[window]
    features = Pair(
        keypoints(pair.features.first.xy, looks.first.descriptors[window]), keypoints(pair.features.second.xy, second)
    )
    return dataclasses.replace(pair, features=features)


def verified(pair: ViewPair) -> tuple[Matches, TwoView]:
    matches = NearestNeighbor().run(pair.features, Context())
    return matches, PoseLibTwoView().run(pair.camera, pair.features, matches, np.random.default_rng(0))


def test_finds_repeated_keypoints_along_the_epipolar_lines() -> None:
    pair = repetitive()
    matches, view = verified(pair)
    guided = GuidedMatching().run(pair.camera, pair.features, view, Context())
    true = dict(pair.matches.indices.tolist())
    added = guided.matches[len(view) :]
    assert len(matches) < 120  # the ratio test leaves out all that is repeated
    assert len(added) > 120
    assert np.mean([true[first] == second for first, second in added.tolist()]) > 0.9


def test_keeps_the_geometry_and_what_was_verified_and_stays_one_to_one() -> None:
    pair = repetitive(1)
    _, view = verified(pair)
    guided = GuidedMatching().run(pair.camera, pair.features, view, Context())
    assert np.array_equal(guided.matches[: len(view)], view.matches)
    assert all(len(np.unique(side)) == len(guided) for side in guided.matches.T)
    assert guided.kind == view.kind and np.array_equal(guided.fundamental, view.fundamental)
    first, second = pair.features.first.xy[guided.matches[:, 0]], pair.features.second.xy[guided.matches[:, 1]]
    assert sampson_distance(guided.fundamental, first, second).max() < 2.02


def test_a_pair_without_epipolar_geometry_stays_as_it_is() -> None:
    pair = view_pair("unrelated")
    _, view = verified(pair)
    assert GuidedMatching().run(pair.camera, pair.features, view, Context()) is view


def test_same_bytes_on_any_threads_and_after_pickling() -> None:
    pair = repetitive(2)
    essential = essential_from_pose(pair.rotation, pair.translation)
    matrix = pair.camera.first.matrix
    blank = np.zeros((3, 3))
    view = TwoView(
        kind="calibrated",
        matches=np.empty((0, 2)),
        rotation=pair.rotation,
        translation=pair.translation,
        fundamental=fundamental_from_essential(essential, matrix, matrix),
        homography=blank,
        angle=10.0,
    )
    stage = GuidedMatching(max_error=1.5)
    once = stage.run(pair.camera, pair.features, view, Context(threads=1))
    again = pickle.loads(pickle.dumps(stage)).run(pair.camera, pair.features, view, Context(threads=2))
    assert len(once) > 150 and np.array_equal(once.matches, again.matches)
