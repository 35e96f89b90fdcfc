"""Triangle meshes, planes in space, and surfaces through grids of points. Meters, z up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

TILE = 0.8
"""Meters that a repeating texture covers on a box or prism."""

Point = Sequence[float] | np.ndarray
"""x, y, z in meters."""

Rectangle = tuple[float, float, float, float]
"""(u0, v0, u1, v1) in meters on a plane."""


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh with texture coordinates.

    Attributes:
        vertices: positions, shape (V, 3).
        faces: vertex indices, counter-clockwise seen from outside, shape (F, 3).
        uv: texture coordinates, v upwards from the texture's last row, shape (V, 2).
    """

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray

    def moved(self, offset: Point = (0, 0, 0), turn: float = 0.0, scale: float = 1.0) -> Mesh:
        """Return the mesh scaled, turned about z by ``turn`` degrees and shifted, in this order."""
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return replace(self, vertices=scale * self.vertices @ rotation.T + np.asarray(offset, float))

    def stretched(self, factors: Sequence[float]) -> Mesh:
        """Return the mesh with x, y and z multiplied by ``factors``."""
        return replace(self, vertices=self.vertices * factors)

    def displaced(self, amount: np.ndarray) -> Mesh:
        """Return the mesh with every vertex moved along its normal by ``amount`` (V,)."""
        return replace(self, vertices=self.vertices + self.normals() * amount[:, None])

    def normals(self) -> np.ndarray:
        """Area-weighted unit vertex normals (V, 3); vertices at one position share theirs, so no seam shows."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        face_normals = np.cross(b - a, c - a)
        _, place = np.unique(np.round(self.vertices, 6), axis=0, return_inverse=True)
        place = place.reshape(-1)
        total = np.zeros((place.max() + 1, 3))
        for k in range(3):
            np.add.at(total, place[self.faces[:, k]], face_normals)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        return (total / np.maximum(length, 1e-12))[place]


@dataclass(frozen=True)
class Plane:
    """A rectangle in space: ``origin`` is its corner, ``u`` and ``v`` are unit axes, it faces u x v.

    Attributes:
        width, height: extent along u and v in meters; texture coordinates run from 0 to 1 over it.
    """

    origin: tuple[float, float, float]
    u: tuple[float, float, float]
    v: tuple[float, float, float]
    width: float
    height: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in meters."""
        return self.width, self.height

    def at(self, u: np.ndarray, v: np.ndarray, lift: np.ndarray | float = 0.0) -> np.ndarray:
        """Points (..., 3) at (u, v) meters in the rectangle, ``lift`` meters above it."""
        normal = np.cross(self.u, self.v)
        lift = np.broadcast_to(lift, np.shape(u))
        return np.asarray(self.origin) + u[..., None] * self.u + v[..., None] * self.v + lift[..., None] * normal

    def uv(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Texture coordinates (..., 2) at (u, v) meters."""
        return np.stack([u / self.width, v / self.height], axis=-1)

    def grid(self, rows: int, columns: int, inside: Rectangle | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Evenly spaced (u, v), shapes (rows, columns), over the plane or ``inside`` a part of it, lowest row first."""
        u0, v0, u1, v1 = inside or (0.0, 0.0, self.width, self.height)
        u, v = np.meshgrid(np.linspace(u0, u1, columns), np.linspace(v0, v1, rows))
        return u, v


def upright(origin: tuple[float, float, float], width: float = 1.0, height: float = 1.0) -> Plane:
    """A vertical plane that faces -y: u along x, v along z."""
    return Plane(origin, (1, 0, 0), (0, 0, 1), width, height)


def level(origin: tuple[float, float, float], width: float, height: float) -> Plane:
    """A horizontal plane that faces up: u along x, v along y."""
    return Plane(origin, (1, 0, 0), (0, 1, 0), width, height)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Merge several meshes into one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]),
        np.concatenate([mesh.uv for mesh in meshes]),
    )


def lattice(points: np.ndarray, uv: np.ndarray) -> Mesh:
    """A surface through grids of points, shapes (..., R, C, 3) and (..., R, C, 2); u x v (columns x rows) faces out."""
    rows, columns = points.shape[-3:-1]
    r, c = np.mgrid[: rows - 1, : columns - 1]
    at = (r * columns + c).ravel()
    lower = np.stack([at, at + 1, at + columns + 1], axis=1)
    upper = np.stack([at, at + columns + 1, at + columns], axis=1)
    grids = np.arange(points.size // (rows * columns * 3))[:, None, None]
    faces = np.concatenate([lower, upper]) + grids * rows * columns
    return Mesh(points.reshape(-1, 3), faces.reshape(-1, 3), uv.reshape(-1, 2))


def relief(plane: Plane, lift: np.ndarray, inside: Rectangle | None = None) -> Mesh:
    """A carved rectangle on a plane, or ``inside`` a part of it.

    Args:
        lift: height above the plane in meters, shape (R, C), the first row at the bottom.
    """
    u, v = plane.grid(len(lift), len(lift[0]), inside)
    return lattice(plane.at(u, v, lift), plane.uv(u, v))


def panel(plane: Plane, lift: float = 0.0, inside: Rectangle | None = None) -> Mesh:
    """A flat rectangle ``lift`` meters above a plane, or above a part of it."""
    return relief(plane, np.full((2, 2), lift), inside)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, 3) scaled to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def directions(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random unit vectors (count, 3), uniform on the sphere."""
    return unit(rng.standard_normal((count, 3)))


def arc_length(path: np.ndarray) -> np.ndarray:
    """Length along a path (P, D) from its start to each of its points, shape (P,)."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])


def waves(points: np.ndarray, wavelength: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field of unit spread at points (..., 3): a sum of 24 plane waves of about this wavelength."""
    count = 24
    direction = directions(rng, count)
    number = 2 * np.pi / (wavelength * rng.uniform(0.5, 2.0, count))
    phase = rng.uniform(0, 2 * np.pi, count)
    total = np.sqrt(2 / count) * np.cos(points.reshape(-1, 3) @ direction.T * number + phase).sum(axis=1)
    return total.reshape(points.shape[:-1])
