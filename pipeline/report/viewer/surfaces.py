"""What the viewer draws of a cloud and a mesh: few enough for a page, and packed small."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from ....stages.dense import Cloud, Mesh
from ....stages.geometry.alignment import Similarity
from ..document import packed_array

MOST_POINTS = 300_000
MOST_TRIANGLES = 200_000

FAR = 20.0
"""What lies farther from the middle of the model than so many times the distance of most of its points is not drawn."""


def pack_cloud(cloud: Cloud, middle: np.ndarray, unit: float, most: int | None = None) -> dict[str, object]:
    """A cloud with positions, normals and colors of its points, evenly thinned.

    Args:
        middle, unit: what becomes the origin and the distance 1.
        most: the most points to keep, by default :data:`MOST_POINTS`.
    """
    cloud = thinned(cloud, most or MOST_POINTS)
    points = (cloud.points - middle) / unit
    near = _near(points)
    return _pack(points[near], cloud.normals[near], cloud.colors[near])


def pack_mesh(mesh: Mesh, middle: np.ndarray, unit: float, most: int | None = None) -> dict[str, object]:
    """A mesh with positions, normals and colors of its vertices, simplified where it has too many triangles.

    Args:
        middle, unit: what becomes the origin and the distance 1.
        most: the most triangles to keep, by default :data:`MOST_TRIANGLES`.
    """
    vertices = (mesh.vertices - middle) / unit
    triangles = mesh.triangles[_near(vertices)[mesh.triangles].all(axis=1)]
    vertices, attributes, triangles = simplify(
        vertices, np.hstack([mesh.normals, mesh.colors]).astype(np.float32), triangles, most or MOST_TRIANGLES
    )
    used, triangles = np.unique(triangles, return_inverse=True)
    packed = _pack(vertices[used], attributes[used, :3], attributes[used, 3:])
    return {**packed, "triangles": packed_array(triangles.reshape(-1, 3), "<u4")}


def thinned(cloud: Cloud, most: int) -> Cloud:
    """A cloud with so many of its points, evenly spread over all of them; as it is where it has fewer."""
    if len(cloud) <= most:
        return cloud
    shown = np.linspace(0, len(cloud) - 1, most).astype(np.int64)
    return Cloud(*(getattr(cloud, field.name)[shown] for field in fields(cloud)))


def moved_cloud(cloud: Cloud, similarity: Similarity) -> Cloud:
    """The same cloud in another world."""
    return replace(cloud, points=similarity(cloud.points), normals=cloud.normals @ similarity.rotation.T)


def moved_mesh(mesh: Mesh, similarity: Similarity) -> Mesh:
    """The same mesh in another world."""
    return replace(mesh, vertices=similarity(mesh.vertices), normals=mesh.normals @ similarity.rotation.T)


def simplify(
    vertices: np.ndarray, attributes: np.ndarray, triangles: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the vertices of a mesh that share a cell of a grid, until it has few enough triangles.

    Vertex clustering after Rossignac and Borrel (1993), with the mean of each cluster. The cells are chosen so that
    about as many triangles are left as may be, for their number falls with the square of the cell's edge.

    Args:
        vertices: shape (V, 3).
        attributes: of the vertices, which are averaged, shape (V, A).
        triangles: vertex indices, shape (F, 3).
        most: the most triangles to leave.

    Returns:
        Vertices, attributes and triangles.
    """
    if len(triangles) <= most:
        return vertices, attributes, triangles
    first, second, third = (vertices[column] for column in triangles.T)
    area = 0.5 * float(np.linalg.norm(np.cross(second - first, third - first), axis=1).sum())
    edge = float(np.sqrt(2 * area / most)) or 1.0
    low = vertices.min(axis=0)
    while True:
        cells = ((vertices - low) / edge).astype(np.int64)
        nx, ny, _ = cells.max(axis=0) + 1
        key = (cells[:, 2] * ny + cells[:, 1]) * nx + cells[:, 0]
        _, cluster, counts = np.unique(key, return_inverse=True, return_counts=True)
        left = _distinct(cluster[triangles])
        if len(left) <= most:
            break
        edge *= 1.05 * np.sqrt(len(left) / most)
    total = [np.bincount(cluster, column, len(counts)) for column in np.hstack([vertices, attributes]).T]
    mean = np.stack(total, axis=1) / counts[:, None]
    return mean[:, :3], mean[:, 3:], left


def _distinct(triangles: np.ndarray) -> np.ndarray:
    """The triangles that have three corners, each once, in their order."""
    a, b, c = np.sort(triangles, axis=1).T
    proper = (a < b) & (b < c)
    n = int(triangles.max(initial=0)) + 1
    _, first = np.unique((a[proper] * n + b[proper]) * n + c[proper], return_index=True)
    return triangles[proper][np.sort(first)]


def _near(points: np.ndarray) -> np.ndarray:
    """Whether a point is not too far off to be drawn; what is not finite is."""
    return np.abs(points).max(axis=1, initial=0.0) < FAR


def _pack(points: np.ndarray, normals: np.ndarray, colors: np.ndarray) -> dict[str, object]:
    """Base64 of 16-bit positions between their extremes, 8-bit normals and 8-bit colors."""
    low = points.min(axis=0) if len(points) else np.zeros(3)
    span = np.maximum(points.max(axis=0) - low, 1e-9) if len(points) else np.ones(3)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return {
        "low": low.tolist(),
        "span": span.tolist(),
        "positions": packed_array(np.rint(65535 * (points - low) / span), "<u2"),
        "normals": packed_array(np.rint(127 * normals / np.maximum(length, 1e-9)), "i1"),
        "colors": packed_array(np.rint(colors), "u1"),
    }
