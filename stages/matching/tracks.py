"""Tracks: verified matches joined over several photos."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..scene import Features, Pairs, Tracks, TwoView
from ..stage import Stage


class UnionFindTracks(Stage):
    """Join verified matches to tracks, without those that would put two keypoints of a photo into one.

    Connected components of the match graph are tracks (Moulon and Monasse 2012). If one holds two keypoints of a
    photo, some match in it is false. Then its matches are joined again, those that close most triangles first, and a
    match that would join two keypoints of one photo is left out.

    Args:
        min_length: least number of photos of a track.
    """

    slot = "tracks"
    papers = ("moulon2012",)
    libraries = ("numpy", "scipy", "numba")

    min_length: int = 2

    def run(self, features: tuple[Features, ...], pairs: Pairs, two_views: tuple[TwoView, ...]) -> Tracks:
        """Tracks over all photos; the inputs are in the order of the photos and of the pairs."""
        start = np.concatenate([[0], np.cumsum([len(each) for each in features], dtype=np.int64)])
        photo_of = np.repeat(np.arange(len(features), dtype=np.int32), np.diff(start))
        edges = np.concatenate(
            [np.empty((0, 2), np.int64)]
            + [view.matches + start[pair] for pair, view in zip(pairs.indices, two_views, strict=True)]
        )
        component = _components(edges, len(photo_of))
        conflicting = _conflicting(component, photo_of)[component[edges[:, 0]]] if len(edges) else np.empty(0, bool)
        ambiguous = edges[conflicting][_by_support(edges[conflicting])]
        joined, left_out = _join_without_conflict(ambiguous, photo_of)
        component = _components(np.concatenate([edges[~conflicting], ambiguous[joined]]), len(photo_of))
        return self._tracks(component, photo_of, start, int(left_out))

    def _tracks(self, component: np.ndarray, photo_of: np.ndarray, start: np.ndarray, conflicts: int) -> Tracks:
        length = np.bincount(component, minlength=1)
        node = np.flatnonzero(length[component] >= max(self.min_length, 2))
        node = node[np.argsort(component[node], kind="stable")]
        _, track = np.unique(component[node], return_inverse=True)
        photo = photo_of[node]
        return Tracks(track=track, photo=photo, keypoint=node - start[photo], conflicts=conflicts)


def _components(edges: np.ndarray, nodes: int) -> np.ndarray:
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1]


def _conflicting(component: np.ndarray, photo_of: np.ndarray) -> np.ndarray:
    """Whether each component holds two keypoints of one photo, shape (number of components,)."""
    order = np.lexsort((photo_of, component))
    twice = (np.diff(component[order]) == 0) & (np.diff(photo_of[order]) == 0)
    flags = np.zeros(component.max(initial=0) + 1, bool)
    flags[component[order][1:][twice]] = True
    return flags


def _by_support(edges: np.ndarray) -> np.ndarray:
    """Order of the matches by how many triangles of the match graph each closes, most first."""
    nodes, local = np.unique(edges, return_inverse=True)
    i, j = local.reshape(-1, 2).T
    half = coo_array((np.ones(len(i), np.int32), (i, j)), shape=(len(nodes), len(nodes)))
    graph = (half + half.T).tocsr()
    triangles = np.asarray(graph[i].multiply(graph[j]).sum(axis=1)).ravel() if len(i) else np.empty(0)
    return np.argsort(-triangles, kind="stable")


@njit(cache=True, nogil=True)
def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _join_without_conflict(edges: np.ndarray, photo_of: np.ndarray) -> tuple[np.ndarray, int]:
    """Union-find over the edges in their order. Each set is also a circular linked list, merged by a swap.

    Returns which edges were kept, and how many were left out.
    """
    parent = np.arange(len(photo_of))
    ring = np.arange(len(photo_of))
    kept = np.zeros(len(edges), np.bool_)
    left_out = 0
    for e in range(len(edges)):
        a, b = _root(parent, edges[e, 0]), _root(parent, edges[e, 1])
        if a == b:
            kept[e] = True
            continue
        conflict = False
        u = a
        while not conflict:
            v = b
            while True:
                conflict = conflict or photo_of[u] == photo_of[v]
                v = ring[v]
                if v == b or conflict:
                    break
            u = ring[u]
            if u == a:
                break
        if conflict:
            left_out += 1
            continue
        parent[b] = a
        ring[a], ring[b] = ring[b], ring[a]
        kept[e] = True
    return kept, left_out
