"""Every implementation of the matches slot keeps its promises."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
from diptych.stages.depth_truth import TrueDepth
from diptych.stages.evaluation.oracles import TrueMatches
from diptych.stages.failure import StageFailure
from diptych.stages.matching.nearest_neighbor import Flann, NearestNeighbor
from diptych.stages.scene import Camera, Features, Matches, Pair
from diptych.stages.stage import Context
from diptych.testing import check_stage

from tests.contract import taken
from tests.synthetic import described_pair, keypoints

MATCHERS = [NearestNeighbor(), Flann(), TrueMatches()]
BY_LOOKS = MATCHERS[:2]
WALL = TrueDepth(Camera("PINHOLE", 1000, 1000, (1000, 1000, 500, 500)), np.eye(3), np.zeros(3), np.ones((1000, 1000)))
"""What :func:`described_pair` shows: a flat wall, from one place."""

each_matcher = pytest.mark.parametrize("stage", MATCHERS, ids=lambda stage: type(stage).__name__)


def inputs(stage: Any, pair: Pair[Features]) -> dict[str, Any]:
    others = {"name": Pair("a.jpg", "b.jpg"), "camera": Pair(WALL.camera, WALL.camera), "true_depths": Pair(WALL, WALL)}
    return taken(stage, {"features": pair, **others})


def run(stage: Any, pair: Pair[Features]) -> Matches:
    return stage.run(**inputs(stage, pair), **taken(stage, {"context": Context()}))


def same(one: Matches, other: Matches) -> bool:
    return np.array_equal(one.indices, other.indices) and np.array_equal(one.similarity, other.similarity)


@each_matcher
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_finds_the_true_matches(stage: Any, dtype: type) -> None:
    pair = described_pair(shared=400)
    cast = Pair(
        *(dataclasses.replace(each, descriptors=each.descriptors.astype(dtype)) for each in vars(pair).values())
    )
    matches = run(stage, cast)
    first, second = matches.indices.T
    assert np.mean(first == second) > 0.99
    assert len(matches) > 0.95 * 400
    assert len(np.unique(first)) == len(np.unique(second)) == len(matches)
    assert first.max() < len(pair.first) and second.max() < len(pair.second) and matches.indices.min() >= 0
    assert (np.diff(matches.similarity) <= 0).all()
    a, b = (vectors.astype(float) for vectors in (pair.first.descriptors[first], pair.second.descriptors[second]))
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(matches.similarity, cosine, atol=1e-6)


@each_matcher
def test_keeps_the_contract_also_beside_other_threads(stage: Any) -> None:
    pair = described_pair(seed=1)
    once = check_stage(stage, **inputs(stage, pair))
    others: list[Matches] = []
    workers = [threading.Thread(target=lambda: others.append(run(stage, pair))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(others) == 3 and all(same(once, other) for other in others)


@each_matcher
@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (5, 0), (1, 5), (5, 1), (1, 1), (2, 2)])
def test_few_keypoints_are_no_failure(stage: Any, first: int, second: int) -> None:
    matches = run(stage, described_pair(first=first, second=second, shared=min(first, second)))
    assert len(matches) <= min(first, second)


@pytest.mark.parametrize("stage", BY_LOOKS, ids=lambda stage: type(stage).__name__)
def test_equal_keypoints_are_not_told_apart(stage: Any) -> None:
    pair = described_pair(shared=300)
    twice = np.concatenate([pair.second.descriptors, pair.second.descriptors])
    matches = run(stage, Pair(pair.first, keypoints(np.zeros((len(twice), 2)), twice)))
    # An approximate search may overlook the second of two equals.
    assert len(matches) <= 0.01 * len(pair.first)


@each_matcher
def test_descriptors_of_different_kinds_are_refused(stage: Any) -> None:
    pair = described_pair()
    other = dataclasses.replace(pair.second, kind="sift")
    with pytest.raises(StageFailure) as failure:
        run(stage, Pair(pair.first, other))
    assert failure.value.code == "different-descriptors"


@each_matcher
def test_a_photo_matches_itself(stage: Any) -> None:
    features: Features = described_pair().first
    matches = run(stage, Pair(features, features))
    assert (matches.indices[:, 0] == matches.indices[:, 1]).all()
    assert len(matches) == len(features)
    np.testing.assert_allclose(matches.similarity, 1, atol=1e-6)
