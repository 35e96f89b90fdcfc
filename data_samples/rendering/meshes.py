"""Triangle meshes and the few shapes that the scenes are built of. Metres, z up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

TILE = 0.8
"""Metres that a repeating texture covers on a box."""


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

    def moved(self, offset: Sequence[float] = (0, 0, 0), turn: float = 0.0, scale: float = 1.0) -> Mesh:
        """The mesh scaled, turned about z by ``turn`` degrees and shifted, in this order."""
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return replace(self, vertices=scale * self.vertices @ rotation.T + np.asarray(offset, float))

    def displaced(self, amount: np.ndarray) -> Mesh:
        """The mesh with every vertex moved along its normal by ``amount`` (V,)."""
        return replace(self, vertices=self.vertices + self.normals() * amount[:, None])

    def normals(self) -> np.ndarray:
        """Area-weighted unit vertex normals (V, 3); vertices at one place share theirs, so no seam shows."""
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
    """A rectangle in space to lay things on: ``origin``, unit axes ``u`` and ``v``, facing u x v.

    Attributes:
        width, height: extent along u and v in metres; texture coordinates run from 0 to 1 over it.
    """

    origin: tuple[float, float, float]
    u: tuple[float, float, float]
    v: tuple[float, float, float]
    width: float
    height: float

    def at(self, u: np.ndarray, v: np.ndarray, lift: np.ndarray | float = 0.0) -> np.ndarray:
        """Points (..., 3) at (u, v) metres in the rectangle, ``lift`` metres above it."""
        normal = np.cross(self.u, self.v)
        lift = np.broadcast_to(lift, np.shape(u))
        return np.asarray(self.origin) + u[..., None] * self.u + v[..., None] * self.v + lift[..., None] * normal

    def uv(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Texture coordinates (..., 2) at (u, v) metres."""
        return np.stack([u / self.width, v / self.height], axis=-1)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
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
    one = np.concatenate(
        [np.stack([at, at + 1, at + columns + 1], 1), np.stack([at, at + columns + 1, at + columns], 1)]
    )
    grids = points.size // (rows * columns * 3)
    faces = (one[None] + (np.arange(grids) * rows * columns)[:, None, None]).reshape(-1, 3)
    return Mesh(points.reshape(-1, 3), faces, uv.reshape(-1, 2))


def panel(plane: Plane, lift: float = 0.0, inside: tuple[float, float, float, float] | None = None) -> Mesh:
    """A flat rectangle on a plane; ``inside`` = (u0, v0, u1, v1) in metres restricts it."""
    u0, v0, u1, v1 = inside or (0.0, 0.0, plane.width, plane.height)
    v, u = np.meshgrid([v0, v1], [u0, u1], indexing="ij")
    return lattice(plane.at(u, v, lift), plane.uv(u, v))


def relief(plane: Plane, lift: np.ndarray, inside: tuple[float, float, float, float] | None = None) -> Mesh:
    """A carved rectangle on a plane, ``lift`` (R, C) metres above it, its first row at the bottom.

    ``inside`` = (u0, v0, u1, v1) in metres restricts it to a part of the plane.
    """
    u0, v0, u1, v1 = inside or (0.0, 0.0, plane.width, plane.height)
    v, u = np.meshgrid(np.linspace(v0, v1, lift.shape[0]), np.linspace(u0, u1, lift.shape[1]), indexing="ij")
    return lattice(plane.at(u, v, lift), plane.uv(u, v))


def prism(plane: Plane, outline: np.ndarray, height: float) -> Mesh:
    """A convex outline (N, 2) on a plane, counter-clockwise, raised by ``height``; a texture spans :data:`TILE`."""
    ring = np.vstack([outline, outline[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    u, v = ring.T
    top = plane.at(u[:-1], v[:-1], height)
    fan = np.stack([np.zeros(len(outline) - 2, int), *(np.arange(1, len(outline) - 1) + k for k in (0, 1))], axis=1)
    sides = [
        lattice(
            np.stack([plane.at(u[k : k + 2], v[k : k + 2], lift) for lift in (0.0, height)]),
            np.stack(np.broadcast_arrays(along[k : k + 2], np.array([[0.0], [height]])), axis=-1) / TILE,
        )
        for k in range(len(outline))
    ]
    return joined([Mesh(top, fan, outline / TILE), *sides])


def arched(mesh: Mesh, radius: float, length: float) -> Mesh:
    """A mesh in the plane y = 0 bent to half a circle: x from 0 to ``length`` runs along it from -x over +z to +x.

    What stands at z lies ``radius`` + z from the origin.
    """
    x, y, z = mesh.vertices.T
    angle = np.pi * x / length
    reach = radius + z
    return replace(mesh, vertices=np.stack([-reach * np.cos(angle), y, reach * np.sin(angle)], axis=1))


def pierced(plane: Plane, openings: Sequence[tuple[float, float, float, float]], depth: float) -> Mesh:
    """A wall with rectangular openings (u0, v0, u1, v1) and their reveals, ``depth`` metres into the wall."""
    us = sorted({0.0, plane.width, *(u for o in openings for u in (o[0], o[2]))})
    vs = sorted({0.0, plane.height, *(v for o in openings for v in (o[1], o[3]))})

    def is_open(u: float, v: float) -> bool:
        return any(o[0] < u < o[2] and o[1] < v < o[3] for o in openings)

    parts = [
        panel(plane, inside=(u0, v0, u1, v1))
        for u0, u1 in itertools.pairwise(us)
        for v0, v1 in itertools.pairwise(vs)
        if not is_open((u0 + u1) / 2, (v0 + v1) / 2)
    ]
    for u0, v0, u1, v1 in openings:
        ring = np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1], [u0, v0]])
        u, v = np.stack([ring[:, 0]] * 2), np.stack([ring[:, 1]] * 2)
        lift = np.repeat([[0.0], [-depth]], 5, axis=1)
        parts.append(lattice(plane.at(u, v, lift)[::-1], plane.uv(u, v)[::-1]))
    return joined(parts)


def blocks(
    plane: Plane,
    rectangles: np.ndarray,
    rng: np.random.Generator,
    *,
    height: float,
    uneven: float,
    chamfer: float,
    relief: float = 0.0,
    corners: int = 2,
) -> Mesh:
    """Bricks, slabs or boards standing out of a plane, each with a chamfered edge of its own.

    Args:
        rectangles: (u0, v0, u1, v1) of every block in metres, shape (N, 4).
        height: how far the face stands out of the plane; ``uneven`` is the spread of it from block to block.
        chamfer: width of the bevelled edge.
        relief: spread of the height inside a face, with ``corners`` x ``corners`` vertices.
    """
    n = len(rectangles)
    step = np.concatenate([[0.0], np.linspace(0.0, 1.0, corners), [1.0]])
    inset = np.concatenate([[0.0], np.full(1, 1.0), np.zeros(corners - 2), np.full(1, -1.0), [0.0]]) * chamfer
    u = rectangles[:, None, 0] + step * (rectangles[:, 2] - rectangles[:, 0])[:, None] + inset
    v = rectangles[:, None, 1] + step * (rectangles[:, 3] - rectangles[:, 1])[:, None] + inset
    size = corners + 2
    uu = np.broadcast_to(u[:, None, :], (n, size, size)).copy()
    vv = np.broadcast_to(v[:, :, None], (n, size, size)).copy()
    lift = np.zeros((n, size, size))
    lift[:, 1:-1, 1:-1] = (
        height + uneven * rng.standard_normal((n, 1, 1)) + relief * rng.standard_normal((n, corners, corners))
    )
    uu[:, 1:-1, 1:-1] += 0.25 * chamfer * rng.standard_normal((n, corners, corners))
    vv[:, 1:-1, 1:-1] += 0.25 * chamfer * rng.standard_normal((n, corners, corners))
    return lattice(plane.at(uu, vv, lift), plane.uv(uu, vv))


def courses(
    rng: np.random.Generator,
    size: tuple[float, float],
    heights: tuple[float, float],
    lengths: tuple[float, float],
    joint: float,
    bond: bool = False,
) -> np.ndarray:
    """A masonry pattern: rectangles (N, 4) in metres, laid in courses.

    Heights and lengths are drawn from their ranges; with ``bond`` every other course is shifted by half a length.
    """
    rows = []
    v = 0.0
    course = 0
    while v < size[1]:
        rise = rng.uniform(*heights)
        count = int(size[0] / lengths[0]) + 2
        ends = np.cumsum(rng.uniform(*lengths, size=count))
        ends -= ends[0] * ((0.5 if course % 2 else 1.0) if bond else rng.uniform(0.3, 1.0))
        ends = np.clip(np.concatenate([[0.0], ends]), 0.0, size[0])
        for u0, u1 in itertools.pairwise(ends):
            if u1 - u0 > 3 * joint:
                rows.append((u0 + joint / 2, v + joint / 2, u1 - joint / 2, min(v + rise, size[1]) - joint / 2))
        v += rise
        course += 1
    laid = np.array(rows)
    return laid[laid[:, 3] - laid[:, 1] > 2 * joint]


def cut(rectangles: np.ndarray, openings: Sequence[tuple[float, float, float, float]], least: float) -> np.ndarray:
    """What is left of rectangles (N, 4) around openings (u0, v0, u1, v1), in pieces ``least`` metres wide or more."""
    for u0, v0, u1, v1 in openings:
        a, b, c, d = rectangles.T
        beside = (c <= u0) | (a >= u1) | (d <= v0) | (b >= v1)
        a, b, c, d = rectangles[~beside].T
        low, high = np.maximum(b, v0), np.minimum(d, v1)
        pieces = [(a, low, np.full_like(a, u0), high), (np.full_like(a, u1), low, c, high)]
        pieces += [(a, b, c, np.full_like(a, v0)), (a, np.full_like(a, v1), c, d)]
        rectangles = np.concatenate([rectangles[beside], *(np.stack(piece, axis=1) for piece in pieces)])
        rectangles = rectangles[((rectangles[:, 2:] - rectangles[:, :2]) > least).all(axis=1)]
    return rectangles


def box(size: Sequence[float], center: Sequence[float] = (0, 0, 0), chamfer: float = 0.004) -> Mesh:
    """A box with bevelled edges; a texture spans :data:`TILE` metres, its x along the longer side of each face."""
    half = np.asarray(size, float) / 2
    start = np.modf(np.asarray(center, float) @ [[3.71, 5.13], [7.37, 1.91], [2.23, 9.41]])[0]
    faces = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            u, v = np.zeros(3), np.zeros(3)
            u[(axis + 1) % 3], v[(axis + 2) % 3] = sign, 1.0
            a, b = half[(axis + 1) % 3], half[(axis + 2) % 3]
            normal = np.cross(u, v)
            c = min(chamfer, 0.3 * a, 0.3 * b, 0.3 * half[axis])
            steps_a, steps_b = np.array([-a, c - a, a - c, a]), np.array([-b, c - b, b - c, b])
            vv, uu = np.meshgrid(steps_b, steps_a, indexing="ij")
            lift = np.full((4, 4), half[axis])
            lift[[0, -1]] -= c / 2
            lift[:, [0, -1]] = half[axis] - c / 2
            edge_u, edge_v = np.abs(uu) == a, np.abs(vv) == b
            points = (
                np.where(edge_u, uu * (1 - c / 2 / a), uu)[..., None] * u
                + np.where(edge_v, vv * (1 - c / 2 / b), vv)[..., None] * v
                + lift[..., None] * normal
            )
            along, across = (uu, vv) if a >= b else (vv, uu)
            faces.append(lattice(points, start + np.stack([along, across], axis=-1) / TILE))
    return joined(faces).moved(center)


def tube(path: np.ndarray, radius: float | np.ndarray, sides: int = 10, closed: bool = False) -> Mesh:
    """A round rod along a path (P, 3), its frame transported without twist; ends taper shut unless ``closed``."""
    path = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(path)).copy()
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    tangents = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(tangents[0], np.eye(3)[np.argmin(np.abs(tangents[0]))])
    normals = []
    for tangent in tangents:
        side = side - tangent * (side @ tangent)
        side = side / np.linalg.norm(side)
        normals.append(side)
    normal = np.array(normals)
    other = np.cross(tangents, normal)
    if closed:
        lag = np.arctan2(normal[0] @ other[-1], normal[0] @ normal[-1])
        path, radii = np.vstack([path, path[:1]]), np.append(radii, radii[0])
        normal, other = np.vstack([normal, normal[:1]]), np.vstack([other, other[:1]])
        back = np.append(lag * np.linspace(0, 1, len(path) - 1), 0.0)[:, None]
        normal, other = np.cos(back) * normal + np.sin(back) * other, np.cos(back) * other - np.sin(back) * normal
    else:
        path = np.vstack([path[:1], path, path[-1:]])
        radii = np.concatenate([[0.0], radii, [0.0]])
        normal, other = (np.vstack([a[:1], a, a[-1:]]) for a in (normal, other))
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * normal[:, None] + np.sin(angle)[:, None] * other[:, None]
    points = path[:, None] + radii[:, None, None] * ring
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi), along[:, None]), axis=-1)
    return lattice(points, uv)


def rod(start: Sequence[float], end: Sequence[float], radius: float, sides: int = 8) -> Mesh:
    """A straight round rod."""
    return tube(np.array([start, end], float), radius, sides)


def lathe(profile: Sequence[tuple[float, float]], sides: int = 40, rings: int = 40) -> Mesh:
    """A surface of revolution about z through a smooth profile of (radius, z), bottom first."""
    knots = np.array(profile, float)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    s = np.linspace(0, along[-1], rings)
    radius, z = PchipInterpolator(along, knots)(s).T
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    points = np.stack(
        np.broadcast_arrays(radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), z[:, None]), axis=-1
    )
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi), (s / s[-1])[:, None]), axis=-1)
    return lattice(points, uv)


def ball(radius: float, sides: int = 32) -> Mesh:
    """A sphere about the origin."""
    theta = np.linspace(0, np.pi, sides // 2 + 1)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    points = radius * np.stack(
        np.broadcast_arrays(
            np.sin(theta)[:, None] * np.cos(angle), np.sin(theta)[:, None] * np.sin(angle), -np.cos(theta)[:, None]
        ),
        axis=-1,
    )
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi), (theta / np.pi)[:, None]), axis=-1)
    return lattice(points, uv)


def knot(radius: float, thickness: float, segments: int = 160, sides: int = 20) -> Mesh:
    """A trefoil knot standing upright on z = 0, as a closed tube that swells and thins."""
    t = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    path = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.sin(3 * t) * 0.9, np.cos(t) - 2 * np.cos(2 * t)], axis=1)
    mesh = tube(radius / 3 * path, thickness * (1 + 0.25 * np.cos(3 * t)), sides, closed=True)
    return mesh.moved((0, 0, -mesh.vertices[:, 2].min()))


def leaves(positions: np.ndarray, normals: np.ndarray, size: float, rng: np.random.Generator) -> Mesh:
    """Small folded leaves (four triangles each), lying roughly across ``normals`` and hanging a little."""
    n = len(positions)
    normal = normals + 0.45 * rng.standard_normal((n, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    tip = np.array([0, 0, -0.6]) + 0.7 * rng.standard_normal((n, 3))
    tip -= normal * (tip * normal).sum(1, keepdims=True)
    tip /= np.linalg.norm(tip, axis=1, keepdims=True)
    side = np.cross(normal, tip)
    scale = size * rng.uniform(0.6, 1.25, (n, 1, 1))
    outline = np.array([[0, -0.5, 0], [0.42, -0.1, 0.14], [0, 0.7, -0.08], [-0.42, -0.1, 0.14], [0, 0.0, 0]])
    axes = np.stack([side, tip, normal], axis=1)
    vertices = positions[:, None] + scale * np.einsum("kc,nci->nki", outline, axes)
    faces = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    uv = (rng.uniform(0, 1, (n, 1, 2)) + 0.03 * outline[None, :, :2]).reshape(-1, 2)
    return Mesh(vertices.reshape(-1, 3), (faces[None] + 5 * np.arange(n)[:, None, None]).reshape(-1, 3), uv)


def blade(length: float, width: float, droop: float, segments: int = 9) -> Mesh:
    """One curved, channelled blade of a plant such as an agave, rising from the origin towards +x."""
    s = np.linspace(0, 1, segments)[:, None]
    half = width * (1 - s**2.2) * (0.55 + 0.45 * np.sin(np.pi * np.minimum(s * 1.6, 1)))
    across = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    rise = 1.1 - droop * s
    x = length * s * np.cos(rise)
    z = length * s * np.sin(rise)
    points = np.stack(np.broadcast_arrays(x, half * across, z + 0.35 * half * across**2), axis=-1)
    uv = np.stack(np.broadcast_arrays(0.5 + 0.5 * across, s), axis=-1)
    return lattice(points, uv)


def waves(points: np.ndarray, wavelength: float, rng: np.random.Generator, count: int = 24) -> np.ndarray:
    """A smooth random field of unit spread at points (N, 3): a sum of plane waves."""
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    number = 2 * np.pi / (wavelength * rng.uniform(0.5, 2.0, count))
    phase = rng.uniform(0, 2 * np.pi, count)
    return np.sqrt(2 / count) * np.cos(points @ direction.T * number + phase).sum(axis=1)
