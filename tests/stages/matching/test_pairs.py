"""Every way to choose pairs: what all of them owe, and what each is for."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.images.photos import decode_gray, read_photos
from diptych.stages.matching.pairs import Exhaustive, Retrieval, Sequential, Spatial, earth_centered, natural_order
from diptych.stages.matching.retrieval import global_descriptors, most_similar
from diptych.stages.scene import Camera, Features, Pairs, Photos
from diptych.stages.stage import Context, Stage
from hypothesis import given, settings
from hypothesis import strategies as st

CAMERA = Camera("SIMPLE_RADIAL", 640, 480, (768, 320, 240, 0))

IMPLEMENTATIONS: list[Stage] = [
    Exhaustive(),
    Sequential(overlap=2),
    Sequential(overlap=1, quadratic=False, loops=0),
    Sequential(overlap=0, loops=3),
    Retrieval(neighbors=3),
    Retrieval(neighbors=100),
    Spatial(neighbors=3, max_distance=30),
    Spatial(neighbors=100, max_distance=1e5),
]


def a_photo(descriptors: np.ndarray) -> Features:
    zeros = np.zeros(len(descriptors))
    colors = np.zeros((len(descriptors), 3), np.uint8)
    return Features(np.zeros((len(descriptors), 2)), zeros, zeros, zeros, colors, descriptors, "rootsift")


def packed(descriptors: np.ndarray) -> np.ndarray:
    """Unit vectors as uint8, as RootSIFT is packed."""
    unit = descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-9)
    return np.clip(np.rint(512 * unit), 0, 255).astype(np.uint8)


def walk(
    count: int, seed: int = 0, sites: int = 1, names: list[str] | None = None
) -> tuple[Photos, tuple[Features, ...]]:
    """Photos along a line that see a window of things, at several sites with things of their own."""
    rng = np.random.default_rng(seed)
    things = rng.gamma(0.5, size=(sites, count + 4, 60, 32))
    features = tuple(
        a_photo(
            packed((things[i % sites, i // sites : i // sites + 5]).reshape(-1, 32) + rng.gamma(0.5, 0.1, (300, 32)))
        )
        for i in range(count)
    )
    north = 55 + (np.arange(count) // sites) * 1e-4 + (np.arange(count) % sites) * 0.1
    gps = np.column_stack([north, np.full(count, 13.0), np.full(count, np.nan)])
    given = tuple(names or (f"photo {i}.jpg" for i in range(count)))
    return Photos(given, (CAMERA,), np.zeros(count, int), gps), features


def run(stage: Stage, photos: Photos, features: tuple[Features, ...], seed: int = 7, warn: Callable = print) -> Pairs:
    """Feed a stage what its signature asks for, as the runner does."""
    offered = {
        "photos": photos,
        "features": features,
        "rng": np.random.default_rng(seed),
        "context": Context(warn=warn),
    }
    return stage.run(**{name: offered[name] for name in inspect.signature(stage.run).parameters})


@pytest.mark.parametrize("stage", IMPLEMENTATIONS, ids=repr)
class TestContract:
    """What every implementation of the slot owes."""

    @pytest.mark.parametrize("count", [2, 3, 17])
    def test_pairs_are_ordered_unique_and_in_range(self, stage: Stage, count: int) -> None:
        pairs = run(stage, *walk(count))
        assert isinstance(pairs, Pairs)
        assert pairs.indices.shape == (len(pairs), 2) and pairs.indices.dtype == np.int32
        assert 0 < len(pairs) <= count * (count - 1) // 2
        assert (pairs.indices[:, 0] < pairs.indices[:, 1]).all()
        assert pairs.indices.min() >= 0 and pairs.indices.max() < count
        assert [tuple(row) for row in pairs.indices] == sorted({tuple(row) for row in pairs.indices})

    def test_the_same_again(self, stage: Stage) -> None:
        first, second = (run(stage, *walk(17)) for _ in range(2))
        np.testing.assert_array_equal(first.indices, second.indices)

    def test_survives_pickling(self, stage: Stage) -> None:
        copy = pickle.loads(pickle.dumps(stage))
        assert copy == stage
        np.testing.assert_array_equal(run(copy, *walk(9)).indices, run(stage, *walk(9)).indices)

    def test_fills_its_slot_and_takes_no_other_inputs(self, stage: Stage) -> None:
        assert stage.slot == "pairs"
        assert set(inspect.signature(stage.run).parameters) <= {"photos", "features", "rng", "context"}

    def test_photos_that_fall_apart_do_no_harm(self, stage: Stage) -> None:
        photos, features = walk(12, sites=3)
        blind = (*features[:10], *(a_photo(np.zeros((0, 32), np.uint8)) for _ in range(2)))
        assert isinstance(run(stage, photos, blind), Pairs)


def test_exhaustive_is_all() -> None:
    assert run(Exhaustive(), *walk(6)).indices.tolist() == [[i, j] for i in range(6) for j in range(i + 1, 6)]


def test_sequential_follows_the_numbers_in_the_names() -> None:
    names = ["a10.jpg", "a2.jpg", "a9.jpg", "b1.jpg"]
    pairs = run(Sequential(overlap=1, quadratic=False, loops=0), *walk(4, names=names))
    assert pairs.indices.tolist() == [[0, 2], [0, 3], [1, 2]]


def test_sequential_quadratic_reaches_powers_of_two() -> None:
    pairs = run(Sequential(overlap=4, quadratic=True, loops=0), *walk(20))
    assert set(np.diff(pairs.indices).ravel()) == {1, 2, 3, 4, 8}


def test_sequential_closes_a_loop() -> None:
    photos, features = walk(20)
    features = (*features[:19], features[0])
    without, within = (run(Sequential(overlap=2, quadratic=False, loops=loops), photos, features) for loops in (0, 1))
    assert [0, 19] not in without.indices.tolist()
    assert [0, 19] in within.indices.tolist()
    assert set(map(tuple, without.indices)) < set(map(tuple, within.indices))


@pytest.mark.parametrize("kind", ["uint8", "float32", "float32 with signs"])
def test_retrieval_keeps_sites_apart(kind: str) -> None:
    photos, features = walk(24, sites=3)
    if kind != "uint8":
        shift = 40 if "signs" in kind else 0
        features = tuple(a_photo((f.descriptors.astype(np.float32) - shift) / 512) for f in features)
    i, j = run(Retrieval(neighbors=3), photos, features).indices.T
    assert np.mean(i % 3 == j % 3) > 0.95
    assert np.mean(np.abs(i // 3 - j // 3) <= 4) > 0.9


def test_retrieval_counts_a_pair_that_either_names() -> None:
    neighbors = 3
    pairs = run(Retrieval(neighbors=neighbors), *walk(30)).indices
    assert (np.bincount(pairs.ravel(), minlength=30) >= neighbors).all()


def test_global_descriptors_are_exact_in_any_order() -> None:
    """Whole numbers whose dot products stay exact in float32 do not depend on how BLAS sums."""
    _, features = walk(10)
    vectors = global_descriptors(features, np.random.default_rng(3))
    np.testing.assert_array_equal(vectors, np.rint(vectors))
    exact = vectors.astype(np.int64) @ vectors.T.astype(np.int64)
    np.testing.assert_array_equal(vectors @ vectors.T, exact)
    assert np.abs(np.sqrt(np.diag(exact)) / 2048 - 1).max() < 0.01


def test_repeating_a_keypoint_many_times_does_not_drown_the_rest() -> None:
    """Bursts count little: what intra-normalization and the square root are for."""
    _, features = walk(12, sites=2)
    burst = np.concatenate([features[0].descriptors, np.repeat(features[1].descriptors[:1], 300, axis=0)])
    vectors = global_descriptors((a_photo(burst), *features[1:]), np.random.default_rng(0))
    similar = most_similar(vectors, 2)
    assert (similar[similar[:, 0] == 0, 1] % 2 == 0).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(0, 14), st.integers(0, 2**32 - 1))
def test_most_similar_is_what_sorting_finds(number: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-3, 4, (number, 5)).astype(np.float32)
    excluded = rng.random((number, number)) < 0.3
    expected = set()
    for i in range(number):
        others = [j for j in range(number) if j != i and not excluded[i, j]]
        expected |= {(i, j) for j in sorted(others, key=lambda j: (-vectors[i] @ vectors[j], j))[:count]}
    assert {(int(i), int(j)) for i, j in most_similar(vectors, count, excluded)} == expected


def test_spatial_distance_and_neighbors() -> None:
    photos, features = walk(10)  # 11.1 m apart
    assert set(np.diff(run(Spatial(neighbors=50, max_distance=25), photos, features).indices).ravel()) == {1, 2}
    few = run(Spatial(neighbors=2, max_distance=1e4), photos, features).indices
    assert len(few) == 9 + 2  # the ends reach one further


def test_spatial_crosses_the_date_line_and_ignores_heights() -> None:
    gps = np.array([[10, 179.99999, 5], [10, -179.99999, 900], [10, 0, np.nan]])
    warnings: list[str] = []
    photos = Photos(("a", "b", "c"), (CAMERA,), np.zeros(3, int), gps)
    assert run(Spatial(max_distance=5), photos, (), warn=warnings.append).indices.tolist() == [[0, 1]]
    assert len(warnings) == 1 and "1 photo lies more than 5 m" in warnings[0]


def test_spatial_takes_neighbors_in_name_where_places_are_equal() -> None:
    gps = np.tile([46.0, 7.0, 400.0], (40, 1))
    photos = Photos(tuple(f"{i}.jpg" for i in range(40)), (CAMERA,), np.zeros(40, int), gps)
    pairs = run(Spatial(neighbors=4), photos, ()).indices
    assert np.diff(pairs).max() <= 4
    assert {(i, i + 1) for i in range(39)} <= set(map(tuple, pairs.tolist()))


def test_spatial_without_positions() -> None:
    photos, features = walk(8)
    gps = photos.gps.copy()
    gps[3] = np.nan
    warnings: list[str] = []
    some = Photos(photos.names, photos.cameras, photos.camera_of, gps)
    pairs = run(Spatial(neighbors=2), some, features, warn=warnings.append).indices.tolist()
    assert all(pair in pairs for pair in ([1, 3], [2, 3], [3, 4], [3, 5])) and [3, 6] not in pairs
    assert len(warnings) == 1 and warnings[0].startswith("1 of 8 photos has no GPS position")
    none = Photos(photos.names, photos.cameras, photos.camera_of, np.full((8, 3), np.nan))
    with pytest.raises(StageFailure) as failure:
        run(Spatial(), none, features)
    assert failure.value.code == "no-gps" and failure.value.hint


def test_earth_centered_against_known_points() -> None:
    points = earth_centered(np.array([0.0, 90.0, 45.0]), np.array([0.0, 0.0, 90.0]))
    known = [[6378137.0, 0, 0], [0, 0, 6356752.3142], [0, 4517590.8788, 4487348.4089]]
    np.testing.assert_allclose(points, known, atol=1e-3)


@given(st.lists(st.text(st.sampled_from("ab09١ "), max_size=6), unique=True, max_size=8))
def test_natural_order_is_an_order_of_all_names(names: list[str]) -> None:
    order = natural_order(names)
    assert sorted(order.tolist()) == list(range(len(names)))
    again = natural_order([names[i] for i in order])
    assert again.tolist() == list(range(len(names)))


def test_natural_order_counts() -> None:
    names = ["f/10.jpg", "f/9.jpg", "f/010b.jpg", "e/100.jpg"]
    assert natural_order(names).tolist() == [3, 1, 0, 2]


def test_retrieval_on_real_photos_finds_the_same_scene(shared_data: Path) -> None:
    features, scene = [], []
    for index, name in enumerate(("bundler_kermit11", "crazyhorse7")):
        _, files = read_photos(shared_data / name / "images")
        for file in files:
            gray = cv2.resize(decode_gray(file.load()), (512, 384), interpolation=cv2.INTER_AREA)
            descriptors = cv2.SIFT_create(800).detectAndCompute(gray, None)[1]  # pyright: ignore[reportAttributeAccessIssue]
            features.append(a_photo(packed(np.sqrt(descriptors))))
            scene.append(index)
    similar = most_similar(global_descriptors(features, np.random.default_rng(0)), 4)
    assert np.mean(np.array(scene)[similar[:, 0]] == np.array(scene)[similar[:, 1]]) > 0.9
