"""Tracks: components of the match graph, with false matches cut."""

from __future__ import annotations

import pickle

import numpy as np
from diptych.stages.matching.tracks import UnionFindTracks
from diptych.stages.scene import Features, Pairs, Tracks, TwoView
from hypothesis import given
from hypothesis import strategies as st


def features(count: int) -> Features:
    empty = np.zeros(count)
    return Features(
        xy=np.zeros((count, 2)),
        scale=empty,
        angle=empty,
        score=empty,
        color=np.zeros((count, 3)),
        descriptors=np.zeros((count, 4)),
        kind="test",
    )


def two_view(matches: list[tuple[int, int]]) -> TwoView:
    return TwoView(
        kind="calibrated",
        matches=np.array(matches, int).reshape(-1, 2),
        rotation=np.eye(3),
        translation=np.array([1, 0, 0]),
        fundamental=np.zeros((3, 3)),
        homography=np.zeros((3, 3)),
        angle=5.0,
    )


def tracks_of(photos: int, matches: dict[tuple[int, int], list[tuple[int, int]]], keypoints: int = 8) -> Tracks:
    pairs = sorted(matches)
    return UnionFindTracks().run(
        features=tuple(features(keypoints) for _ in range(photos)),
        pairs=Pairs(indices=np.array(pairs).reshape(-1, 2)),
        two_views=tuple(two_view(matches[pair]) for pair in pairs),
    )


def as_sets(tracks: Tracks) -> list[set[tuple[int, int]]]:
    return [
        {
            (int(p), int(k))
            for p, k in zip(tracks.photo[tracks.track == t], tracks.keypoint[tracks.track == t], strict=True)
        }
        for t in range(len(tracks))
    ]


def test_matches_chain_to_tracks() -> None:
    tracks = tracks_of(3, {(0, 1): [(0, 3)], (1, 2): [(3, 5), (4, 4)]})
    assert as_sets(tracks) == [{(0, 0), (1, 3), (2, 5)}, {(1, 4), (2, 4)}]
    assert tracks.conflicts == 0


def test_a_false_match_between_two_true_tracks_is_cut_and_both_are_kept() -> None:
    full = [(0, 0), (1, 1)]
    tracks = tracks_of(3, {(0, 1): full, (0, 2): [*full, (0, 1)], (1, 2): full})
    assert as_sets(tracks) == [{(0, 0), (1, 0), (2, 0)}, {(0, 1), (1, 1), (2, 1)}]
    assert tracks.conflicts == 1


def test_no_matches_give_no_tracks() -> None:
    assert len(tracks_of(2, {(0, 1): []})) == 0
    assert len(tracks_of(2, {})) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 7), st.integers(0, 7)), max_size=60))
def test_no_photo_twice_and_every_keypoint_once(edges: list[tuple[int, int, int, int]]) -> None:
    matches: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, j, a, b in edges:
        if i < j:
            matches.setdefault((i, j), []).append((a, b))
    tracks = tracks_of(4, matches)
    assert len(np.unique(np.stack([tracks.track, tracks.photo]), axis=1).T) == len(tracks.track)
    assert len(np.unique(np.stack([tracks.photo, tracks.keypoint]), axis=1).T) == len(tracks.track)
    assert (np.bincount(tracks.track, minlength=len(tracks)) >= 2).all()
    assert (np.diff(tracks.track) >= 0).all()


def test_survives_pickling() -> None:
    stage = UnionFindTracks(min_length=3)
    assert pickle.loads(pickle.dumps(stage)) == stage
