"""What all refiners share: which view of a track stays, how the others lie to it, and how keypoints are moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import KDTree

from .scene import Features, Patches, Photos, Tracks

_NEIGHBOURS = 12
"""Correspondences around one from which the change of its surroundings is fitted."""

_STRETCH = 0.15
"""Typical departure of a true change from the typical one of the two photos; it keeps a fit from few points sane."""

_WIDEST = 2.0
"""Times: a surroundings that grows or shrinks by more, compared with the others, is no surface but false matches."""


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
    here = photos.names.index(name)
    own, fixed = _moving(tracks, here)
    xy = features.xy.copy()
    mine = patches[here] if len(own) else None
    for photo in np.unique(tracks.photo[fixed]):
        assert mine is not None
        theirs, shared = patches[int(photo)], tracks.photo[fixed] == photo
        at = np.searchsorted(mine.keypoint, tracks.keypoint[own[shared]])
        there = np.searchsorted(theirs.keypoint, tracks.keypoint[fixed[shared]])
        change = local_affines(theirs.xy[there], mine.xy[at])
        affine = np.linalg.inv(mine.affine[at]) @ change @ theirs.affine[there]
        shift, trusted = follow(Views(theirs.gray[there], mine.gray[at], affine))
        moved = np.einsum("nij,nj->ni", mine.affine[at], shift)
        xy[mine.keypoint[at[trusted]]] += moved[trusted]
    return replace(features, xy=xy)


def _moving(tracks: Tracks, photo: int) -> tuple[np.ndarray, np.ndarray]:
    """The observations of a photo that move, and that to which each of them does."""
    fixed = fixed_views(tracks)[tracks.track]
    own = np.flatnonzero(tracks.photo == photo)
    own = own[fixed[own] != own]
    return own, fixed[own]


def fixed_views(tracks: Tracks) -> np.ndarray:
    """The observation of each track that stays: of the photo that shares most tracks with the track's other photos.

    That is the view from the middle, from which the others differ least. Shape (number of tracks,).
    """
    if not len(tracks):
        return np.empty(0, np.int64)
    ones = np.ones(len(tracks.track), np.int64)
    seen = coo_array((ones, (tracks.track, tracks.photo))).tocsr()
    shared = (seen.T @ seen).tocsr()
    length = np.bincount(tracks.track)
    start = np.cumsum(length) - length
    # Every observation with each of its track.
    partners = length[tracks.track]
    one = np.repeat(np.arange(len(tracks.track)), partners)
    place = np.arange(len(one)) - np.repeat(np.cumsum(partners) - partners, partners)
    other = start[tracks.track[one]] + place
    common = np.asarray(shared[tracks.photo[one], tracks.photo[other]]).ravel() * (one != other)
    score = np.bincount(one, common, minlength=len(tracks.track))
    order = np.lexsort((tracks.photo, -score, tracks.track))
    return order[start]


def local_affines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How the surroundings of each point change from one photo to the other, fitted to the points around it.

    Args:
        first, second: corresponding positions, shapes (M, 2).

    Returns:
        derivatives of the second position by the first, shape (M, 2, 2).
    """
    whole = _similarity(first, second)
    count = min(_NEIGHBOURS, len(first) - 1)
    if count < 3:
        return np.repeat(whole[None], len(first), axis=0)
    around = np.asarray(KDTree(first).query(first, count + 1)[1])
    a = first[around[:, 1:]].astype(np.float64) - first[:, None]
    b = second[around[:, 1:]].astype(np.float64) - second[:, None] - a @ whole.T
    # Departures from the whole are fitted; a false match among the neighbours departs by more than its distance allows.
    length = np.maximum(np.linalg.norm(a, axis=2), 1.0)
    weight = 1.0 / (length**2 + (np.linalg.norm(b, axis=2) / _STRETCH) ** 2)
    for _ in range(3):
        normal = np.einsum("nk,nki,nkj->nij", weight, a, a) + 0.3 * np.eye(2)
        departure = np.linalg.solve(normal, np.einsum("nk,nki,nkj->nij", weight, a, b)).transpose(0, 2, 1)
        left = np.linalg.norm(b - np.einsum("nij,nkj->nki", departure, a), axis=2)
        weight = 1.0 / (length**2 + (left / (0.3 * _STRETCH)) ** 2)
    affine = whole + departure
    size = np.linalg.svd(np.linalg.inv(whole) @ affine, compute_uv=False)
    wild = (size[:, 0] > _WIDEST) | (size[:, 1] < 1 / _WIDEST)
    affine[wild] = whole
    return affine


def _similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation and scale that carry most pairs of points from one photo to the other, as a matrix (2, 2)."""
    if len(first) < 2:
        return np.eye(2)
    half = len(first) // 2
    order = np.random.default_rng(0).permutation(len(first))
    i, j = order[:half], order[half : 2 * half]
    a = (first[j] - first[i]).astype(np.float64) @ [1, 1j]
    b = (second[j] - second[i]).astype(np.float64) @ [1, 1j]
    ratio = b[np.abs(a) > 0] / a[np.abs(a) > 0]
    ratio = ratio[np.abs(ratio) > 0]
    if not len(ratio):
        return np.eye(2)
    turn = ratio / np.abs(ratio)
    candidates = turn[: min(len(turn), 200)]
    angle = np.angle(candidates[np.argmin(np.abs(candidates[:, None] - turn).sum(axis=1))])
    z = np.exp(np.median(np.log(np.abs(ratio)))) * np.exp(1j * angle)
    return np.array([[z.real, -z.imag], [z.imag, z.real]])
