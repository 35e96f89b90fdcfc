"""What all refiners share: which view of a track stays, how the others lie to it, and how keypoints are moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array

from ..scene import Features, Patches, Photos, Tracks
from .local_affines import local_affines


@dataclass(frozen=True, eq=False)
class Views:
    """Two patches each of many points: one in the view that stays, the other in the view that moves to it.

    Attributes:
        fixed, moving: grey values, shape (M, S, S).
        affine: from steps in the fixed patch to steps in the moving one, as the matches around suggest, (M, 2, 2).
    """

    fixed: np.ndarray
    moving: np.ndarray
    affine: np.ndarray

    def of(self, rows: np.ndarray) -> Views:
        """Those of some points."""
        return Views(self.fixed[rows], self.moving[rows], self.affine[rows])


Follow = Callable[[Views], tuple[np.ndarray, np.ndarray]]
"""How a refiner compares: from views to shifts in steps of the moving patch (M, 2), and which of them to trust (M,)."""


def refined(
    name: str, photos: Photos, features: Features, patches: Sequence[Patches], tracks: Tracks, follow: Follow
) -> Features:
    """The features of one photo with the keypoints moved to where the fixed views of their tracks see them.

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
    shift, trusted = follow(views)
    xy = features.xy.copy()
    xy[tracks.keypoint[own[trusted]]] += np.einsum("nij,nj->ni", mine.affine[at], shift)[trusted]
    return replace(features, xy=xy)


def _moving(tracks: Tracks, photo: int) -> tuple[np.ndarray, np.ndarray]:
    """The observations of a photo that move, and that to which each of them does."""
    own = np.flatnonzero(tracks.photo == photo)
    fixed = fixed_views(tracks, tracks.track[own])
    moves = fixed != own
    return own[moves], fixed[moves]


def fixed_views(tracks: Tracks, of: np.ndarray) -> np.ndarray:
    """The observation of each of some tracks that stays: of the photo that shares most tracks with the track's others.

    That is the view from the middle, from which the others differ least.

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
    # Every observation with each of its track.
    partners = np.repeat(length, length)
    other = _ranges(np.repeat(start, length), partners)
    pair = np.repeat(np.arange(len(one)), partners)
    common = np.asarray(shared[tracks.photo[one[pair]], tracks.photo[other]]).ravel() * (one[pair] != other)
    score = np.bincount(pair, common, minlength=len(one))
    order = np.lexsort((tracks.photo[one], -score, np.repeat(np.arange(len(of)), length)))
    return one[order[np.cumsum(length) - length]]


def _ranges(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The indices of several ranges, one after the other."""
    return np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length)
