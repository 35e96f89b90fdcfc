"""Nearest neighbors: exact whatever computes them, and against a search without any trick."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.matching import nearest_neighbor as matching
from diptych.stages.matching.nearest_neighbor import Flann, NearestNeighbor
from diptych.stages.scene import Pair
from diptych.stages.stage import Context
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.synthetic import described_pair, keypoints


def plain_search(first: np.ndarray, second: np.ndarray) -> matching.Search:
    difference = first[:, None].astype(np.int64) - second[None].astype(np.int64)
    squared = (difference**2).sum(axis=2)
    return squared.argmin(axis=1), np.sort(squared, axis=1)[:, :2].T, np.sort(squared, axis=0)[:2]


@pytest.mark.parametrize("tile", [(512, 2048), (37, 41), (1, 7)])
@pytest.mark.parametrize("way", ["bytes", "floats", "device"])
@pytest.mark.parametrize("extreme", [False, True])
def test_every_way_gives_the_exact_distances(
    tile: tuple[int, int], way: str, extreme: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_TILE", tile)
    monkeypatch.setattr(matching, "_ROWS_ON_DEVICE", tile[1])
    if way == "bytes" and not matching._has_byte_products():
        pytest.skip("no exact products of bytes on this processor")
    monkeypatch.setattr(matching, "_has_byte_products", lambda: way == "bytes")
    rng = np.random.default_rng(0)
    values = [0, 255] if extreme else list(range(256))
    first, second = (rng.choice(values, (n, 128)).astype(np.uint8) for n in (90, 133))
    if way == "device":
        found = matching._search_by_torch(first, second, "cpu")
    else:
        found = matching.search_in_tiles(first, second)
    true = plain_search(first, second)
    assert (found[1] == true[1]).all()
    assert (found[2] == true[2]).all()
    unique = true[1][0] < true[1][1]
    assert (found[0][unique] == true[0][unique]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 40), st.floats(0.5, 1.0))
def test_matches_are_mutual_and_pass_the_ratio_test_both_ways(seed: int, n: int, m: int, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 60, (k, 8), np.uint8) for k in (n, m))
    pair = Pair(keypoints(np.zeros((n, 2)), first), keypoints(np.zeros((m, 2)), second))
    matches = NearestNeighbor(ratio=ratio, max_distance=2.0).run(pair, Context())
    squared = ((first[:, None].astype(int) - second[None].astype(int)) ** 2).sum(axis=2)
    wanted = set()
    for i in range(n):
        j = int(squared[i].argmin())
        runner_up = min(np.sort(squared[i])[1], np.sort(squared[:, j])[1])
        if squared[:, j].argmin() == i and squared[i, j] < ratio**2 * runner_up:
            wanted.add((i, j))
    assert {(int(i), int(j)) for i, j in matches.indices} == wanted


def test_the_largest_distance_is_kept() -> None:
    pair = described_pair()
    near = NearestNeighbor(max_distance=0.2).run(pair, Context())
    far = NearestNeighbor(max_distance=0.7).run(pair, Context())
    assert 0 < len(near) < len(far)
    assert near.similarity.min() >= 1 - 0.2**2 / 2 > far.similarity.min()


def test_flann_finds_most_of_what_the_exact_search_finds() -> None:
    pair = described_pair(first=3000, second=3000, shared=2000)
    exact, approximate = (
        {(int(i), int(j)) for i, j in stage.run(pair, Context()).indices} for stage in (NearestNeighbor(), Flann())
    )
    assert len(exact & approximate) > 0.9 * len(exact)
