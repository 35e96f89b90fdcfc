"""LightGlue keeps what every matcher promises, and matches what it was trained for."""

from __future__ import annotations

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.disk import Disk
from diptych.learned.features.lightglue import LightGlue
from diptych.learned.features.xfeat import XFeat
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.recipe import Recipe
from diptych.stages.failure import StageFailure
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.scene import Camera, Features, Matches, Pair
from diptych.stages.stage import Context

from tests.plugins import if_installed
from tests.synthetic import keypoints, png

SIZE = 192, 160
CAMERAS = Pair(*[Camera("SIMPLE_PINHOLE", *SIZE, (200.0, 96.0, 80.0))] * 2)
TURN = cv2.getRotationMatrix2D((96, 80), 8, 1.1)

each = pytest.mark.parametrize(
    ("stage", "detector"),
    [
        if_installed(LightGlue(), Aliked(detection_threshold=0.05)),
        if_installed(LightGlue(kind="disk"), Disk()),
        if_installed(LightGlue(kind="xfeat"), XFeat()),
    ],
    ids=["aliked", "disk", "xfeat"],
)


@pytest.fixture(scope="module")
def found() -> dict[str, Pair[Features]]:
    """Features of a photo and of the same one turned and enlarged, by the name of the detector."""
    return {}


def pair(found: dict[str, Pair[Features]], detector: Any) -> Pair[Features]:
    name = type(detector).__name__
    if name not in found:
        rng = np.random.default_rng(0)
        octaves = [cv2.resize(rng.normal(size=(n, n)), SIZE, interpolation=cv2.INTER_CUBIC) for n in (8, 16, 32)]
        first = np.clip(128 + 40 * np.sum(octaves, axis=0), 0, 255).astype(np.uint8)
        second = cv2.warpAffine(first, TURN, SIZE, flags=cv2.INTER_CUBIC)
        found[name] = Pair(*(detector.run(png(image), Context()) for image in (first, second)))
    return found[name]


def same(one: Matches, other: Matches) -> bool:
    return np.array_equal(one.indices, other.indices) and np.array_equal(one.similarity, other.similarity)


@each
def test_finds_the_true_matches(stage: LightGlue, detector: Any, found: dict[str, Pair[Features]]) -> None:
    features = pair(found, detector)
    matches = stage.run(CAMERAS, features, Context())
    first, second = matches.indices.T
    assert len(np.unique(first)) == len(np.unique(second)) == len(matches) > 20
    # OpenCV's warp takes the center of the first pixel for the origin.
    expected = (features.first.xy[first] - 0.5) @ TURN[:, :2].T + TURN[:, 2] + 0.5
    assert np.mean(np.linalg.norm(expected - features.second.xy[second], axis=1) < 3) > 0.85
    cosine = (features.first.descriptors[first] * features.second.descriptors[second]).sum(axis=1)
    np.testing.assert_allclose(matches.similarity, cosine, atol=1e-5)


@each
def test_same_bytes_from_many_threads_and_after_pickling(
    stage: LightGlue, detector: Any, found: dict[str, Pair[Features]]
) -> None:
    features = pair(found, detector)
    once = stage.run(CAMERAS, features, Context())
    with ThreadPoolExecutor(4) as pool:
        others = pool.map(lambda threads: stage.run(CAMERAS, features, Context(threads=threads)), [1, 2, 1, 2])
        assert all(same(once, other) for other in others)
    assert same(once, pickle.loads(pickle.dumps(stage)).run(CAMERAS, features, Context()))


@if_installed(LightGlue(), Aliked()).marks[0]
@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (5, 0), (1, 5), (5, 1), (1, 1)])
def test_few_keypoints_are_no_failure(first: int, second: int) -> None:
    features = Pair(*(described(n) for n in (first, second)))
    assert len(LightGlue().run(CAMERAS, features, Context())) <= min(first, second)


@each
def test_the_budget_and_the_threshold_hold(stage: LightGlue, detector: Any, found: dict[str, Pair[Features]]) -> None:
    features = pair(found, detector)
    few = dataclasses.replace(stage, max_keypoints=15).run(CAMERAS, features, Context())
    assert len(few) <= 15
    assert few.indices.max(initial=0) < min(len(features.first), len(features.second))
    sure = dataclasses.replace(stage, min_confidence=0.8).run(CAMERAS, features, Context())
    all_of_them = stage.run(CAMERAS, features, Context())
    assert 0 < len(sure) < len(all_of_them)
    assert np.array_equal(sure.indices, all_of_them.indices[: len(sure)])


@pytest.mark.parametrize(("kind", "hint"), [("disk", "Set its kind to disk."), ("rootsift", "NearestNeighbor")])
def test_other_descriptors_are_refused(kind: str, hint: str) -> None:
    other = dataclasses.replace(described(5), kind=kind)
    for features in (Pair(other, other), Pair(described(5), other)):
        with pytest.raises(StageFailure) as failure:
            LightGlue().run(CAMERAS, features, Context())
        assert failure.value.code == "different-descriptors" and kind in failure.value.sentence
    with pytest.raises(StageFailure) as failure:
        LightGlue().run(CAMERAS, Pair(other, other), Context())
    assert hint in failure.value.hint


def test_it_takes_its_place_in_the_classical_recipe() -> None:
    recipe = Recipe.load("classical").with_(features=Aliked(), matches=LightGlue(max_keypoints=1000))
    vertex = Graph.of(recipe)["matches"]
    assert vertex.per == "pair" and vertex.sources == ("camera", "features") and not vertex.draws
    assert Recipe.from_dict(recipe.as_dict())["matches"] == LightGlue(max_keypoints=1000)


@if_installed(XFeat()).marks[0]
def test_nearest_neighbors_match_xfeat_as_its_authors_do(found: dict[str, Pair[Features]]) -> None:
    """Mutual, and a cosine above 0.82: a distance below 0.6."""
    features = pair(found, XFeat())
    matches = NearestNeighbor(ratio=1.0, max_distance=0.6).run(features, Context())
    cosine = features.first.descriptors @ features.second.descriptors.T
    mutual = np.flatnonzero(cosine.argmax(axis=0)[cosine.argmax(axis=1)] == np.arange(len(cosine)))
    theirs = {(i, int(cosine[i].argmax())) for i in mutual if cosine[i].max() > 0.82}
    assert set(map(tuple, matches.indices.tolist())) == theirs


def described(n: int) -> Features:
    rng = np.random.default_rng(n)
    descriptors = rng.normal(size=(n, 128)).astype(np.float32)
    return keypoints(rng.uniform(10, 150, (n, 2)), descriptors, kind="aliked-n16")
