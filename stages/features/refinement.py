"""What all refiners share: the fixed view of each track, the change to the others, and the move of keypoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array

from ..scene import Features, Patches, Photos, Tracks
from .local_affines import local_affines


@dataclass(frozen=True, eq=False)
class Views:
    """Pairs of patches: one in the fixed view of a track, the other in the view whose keypoint moves.

    Attributes:
        fixed, moving: gray values, shape (M, S, S).
        affine: from offsets in the fixed patch to offsets in the moving one, from the matches around, (M, 2, 2).
    """

    fixed: np.ndarray
    moving: np.ndarray
    affine: np.ndarray

    def of(self, rows: np.ndarray) -> Views:
        """Some of the pairs."""
        return Views(self.fixed[rows], self.moving[rows], self.affine[rows])


Follow = Callable[[Views], tuple[np.ndarray, np.ndarray]]
"""A refiner: from views to shifts in pixels of the moving patch (M, 2), and which of them are reliable (M,)."""


def refined(
    name: str, photos: Photos, features: Features, patches: Sequence[Patches], tracks: Tracks, follow: Follow
) -> Features:
    """The features of one photo with keypoints moved to match the fixed views of their tracks.

    Only the patches of photos that hold the fixed view of a shared track are read, each once.
    """
    photo = photos.names.index(name)
    own, fixed = _moving(tracks, photo)
    if not len(own):
        return features
    mine = patches[photo]
    at = np.searchsorted(mine.keypoint, tracks.keypoint[own])
    views = Views(np.empty_like(mine.gray[at]), mine.gray[at], np.empty((len(own), 2, 2)))
    for other in np.unique(tracks.photo[fixed]):
        theirs, shared = patches[int(other)], np.flatnonzero(tracks.photo[fixed] == other)
        here, there = at[shared], np.searchsorted(theirs.keypoint, tracks.keypoint[fixed[shared]])
        change = local_affines(theirs.xy[there], mine.xy[here])
        views.fixed[shared] = theirs.gray[there]
        views.affine[shared] = np.linalg.inv(mine.affine[here]) @ change @ theirs.affine[there]
    shift, reliable = follow(views)
    xy = features.xy.copy()
    xy[tracks.keypoint[own[reliable]]] += np.einsum("nij,nj->ni", mine.affine[at], shift)[reliable]
    return replace(features, xy=xy)


def _moving(tracks: Tracks, photo: int) -> tuple[np.ndarray, np.ndarray]:
    """The observations of a photo that move, and the fixed observation of each."""
    own = np.flatnonzero(tracks.photo == photo)
    fixed = fixed_views(tracks, tracks.track[own])
    moves = fixed != own
    return own[moves], fixed[moves]


def fixed_views(tracks: Tracks, of: np.ndarray) -> np.ndarray:
    """The fixed observation of each of some tracks: in the photo that shares most tracks with the other photos of it.

    That is a view from the middle, from which the others differ least.

    Args:
        of: the tracks, shape (N,).

    Returns:
        indices of observations, shape (N,).
    """
    if not len(of):
        return np.empty(0, np.int64)
    ones = np.ones(len(tracks.track), np.int64)
    seen = coo_array((ones, (tracks.track, tracks.photo))).tocsr()
    shared = (seen.T @ seen).tocsr()
    length = np.bincount(tracks.track)
    start = (np.cumsum(length) - length)[of]
    length = length[of]
    one = _ranges(start, length)
    # Every observation with each of the same track.
    partners = np.repeat(length, length)
    other = _ranges(np.repeat(start, length), partners)
    pair = np.repeat(np.arange(len(one)), partners)
    common = np.asarray(shared[tracks.photo[one[pair]], tracks.photo[other]]).ravel() * (one[pair] != other)
    score = np.bincount(pair, common, minlength=len(one))
    order = np.lexsort((tracks.photo[one], -score, np.repeat(np.arange(len(of)), length)))
    return one[order[np.cumsum(length) - length]]


def _ranges(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The indices of several ranges, concatenated."""
    return np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length)
