"""Shared by the meshing stages: vertex normals, connected components, a canonical order."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..dense import Mesh
from ..failure import StageFailure


def finished(vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray, min_component: int) -> Mesh:
    """The mesh of the connected components with at least ``min_component`` triangles, without unused vertices.

    Args:
        vertices: shape (V, 3).
        triangles: shape (F, 3), counter-clockwise seen from outside.
        colors: RGB of the vertices, shape (V, 3).
        min_component: number of triangles.

    Raises:
        StageFailure: ``empty-mesh`` if nothing is left.
    """
    triangles = triangles[component_sizes(triangles, len(vertices)) >= min_component]
    if not len(triangles):
        raise StageFailure(
            "empty-mesh",
            "No piece of the surface is large enough to be kept.",
            hint="Lower min_component, raise support or lower min_views, or check that the cloud shows a surface.",
            min_component=min_component,
        )
    used = np.zeros(len(vertices), bool)
    used[triangles] = True
    triangles = (np.cumsum(used) - 1)[triangles]
    vertices = np.ascontiguousarray(vertices[used], np.float32)
    return Mesh(vertices, triangles, vertex_normals(vertices, triangles), colors[used])


def component_sizes(triangles: np.ndarray, vertices: int) -> np.ndarray:
    """Number of triangles in the connected component of each triangle, shape (F,)."""
    if not len(triangles):
        return np.zeros(0, int)
    ends = triangles[:, [0, 1]].ravel(), triangles[:, [1, 2]].ravel()
    graph = coo_array((np.ones(len(ends[0]), bool), ends), shape=(vertices, vertices))
    piece = connected_components(graph, directed=False)[1][triangles[:, 0]]
    return np.bincount(piece)[piece]


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals, area-weighted means over the triangles around a vertex, shape (V, 3)."""
    a, b, c = (vertices[corner].astype(np.float64) for corner in triangles.T)
    face = np.cross(b - a, c - a)
    total = np.stack([np.bincount(triangles.ravel(), np.repeat(n, 3), len(vertices)) for n in face.T], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])


def in_canonical_order(
    vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort vertices by position, merge equal ones, and sort triangles: the result does not depend on the input's order.

    Triangles begin with their lowest vertex; triangles with two equal corners are left out.
    """
    rows = np.concatenate([vertices, colors], axis=1)
    order = np.lexsort(rows.T[::-1])
    ordered = vertices[order]
    first = np.ones(len(order), bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(first) - 1
    corners = place[triangles]
    start = corners.argmin(axis=1)[:, None]
    corners = np.take_along_axis(corners, (start + np.arange(3)) % 3, axis=1)
    corners = corners[(corners != np.roll(corners, 1, axis=1)).all(axis=1)]
    return ordered[first], corners[np.lexsort(corners.T[::-1])], colors[order[first]]
