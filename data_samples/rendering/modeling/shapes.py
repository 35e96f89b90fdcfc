"""Solid shapes: boxes, prisms, tubes, surfaces of revolution. Meters, z up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from .meshes import TILE, Mesh, Plane, Point, arc_length, joined, lattice, unit


def box(size: Sequence[float], center: Point = (0, 0, 0), chamfer: float = 0.004) -> Mesh:
    """A box with beveled edges; a texture spans :data:`TILE` meters, its x along the longer side of each face."""
    half = np.asarray(size, float) / 2
    start = np.modf(np.asarray(center, float) @ [[3.71, 5.13], [7.37, 1.91], [2.23, 9.41]])[0]
    faces = []
    for axis, sign in itertools.product(range(3), (1.0, -1.0)):
        u, v = np.zeros(3), np.zeros(3)
        u[(axis + 1) % 3], v[(axis + 2) % 3] = sign, 1.0
        a, b = half[(axis + 1) % 3], half[(axis + 2) % 3]
        c = min(chamfer, 0.3 * a, 0.3 * b, 0.3 * half[axis])
        uu, vv = np.meshgrid([-a, c - a, a - c, a], [-b, c - b, b - c, b])
        lift = np.full((4, 4), half[axis])
        lift[[0, -1]] -= c / 2
        lift[:, [0, -1]] = half[axis] - c / 2
        shrunk_u = np.where(np.abs(uu) == a, uu * (1 - c / 2 / a), uu)
        shrunk_v = np.where(np.abs(vv) == b, vv * (1 - c / 2 / b), vv)
        points = shrunk_u[..., None] * u + shrunk_v[..., None] * v + lift[..., None] * np.cross(u, v)
        along, across = (uu, vv) if a >= b else (vv, uu)
        faces.append(lattice(points, start + np.stack([along, across], axis=-1) / TILE))
    return joined(faces).moved(center)


def boxes(
    size: Sequence[float], xs: Iterable[float], ys: Iterable[float], zs: Iterable[float], chamfer: float = 0.004
) -> list[Mesh]:
    """Equal boxes at every combination of the coordinates, z running fastest."""
    return [box(size, center, chamfer) for center in itertools.product(xs, ys, zs)]


def prism(plane: Plane, outline: np.ndarray, height: float) -> Mesh:
    """A convex outline (N, 2) on a plane, counter-clockwise, raised by ``height``; a texture spans :data:`TILE`."""
    ring = np.vstack([outline, outline[:1]])
    u, v = ring.T
    fan = np.arange(1, len(outline) - 1)
    top = Mesh(plane.at(u[:-1], v[:-1], height), np.stack([0 * fan, fan, fan + 1], axis=1), outline / TILE)
    along, up = np.broadcast_arrays(_pairs(arc_length(ring)), np.array([[0.0], [height]]))
    sides = plane.at(_pairs(u).repeat(2, axis=1), _pairs(v).repeat(2, axis=1), up)
    return joined([top, lattice(sides, np.stack([along, up], axis=-1) / TILE)])


def _pairs(values: np.ndarray) -> np.ndarray:
    """Every value (N,) with the next, shape (N - 1, 1, 2)."""
    return np.stack([values[:-1], values[1:]], axis=1)[:, None]


def arched(mesh: Mesh, radius: float, length: float) -> Mesh:
    """Bend a mesh that lies along x to half a circle: x from 0 to ``length`` runs from -x over +z to +x.

    A vertex at height z ends up ``radius`` + z from the origin.
    """
    x, y, z = mesh.vertices.T
    angle = np.pi * x / length
    reach = radius + z
    return replace(mesh, vertices=np.stack([-reach * np.cos(angle), y, reach * np.sin(angle)], axis=1))


def tube(path: np.ndarray, radius: float | np.ndarray, sides: int = 10, closed: bool = False) -> Mesh:
    """A round rod along a path (P, 3), its frame transported without twist; ends taper shut unless ``closed``."""
    path = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(path)).copy()
    tangents = unit(np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0))
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
        path, normal, other = (np.vstack([a, a[:1]]) for a in (path, normal, other))
        radii = np.append(radii, radii[0])
        back = np.append(lag * np.linspace(0, 1, len(path) - 1), 0.0)[:, None]
        normal, other = np.cos(back) * normal + np.sin(back) * other, np.cos(back) * other - np.sin(back) * normal
    else:
        path, normal, other = (np.vstack([a[:1], a, a[-1:]]) for a in (path, normal, other))
        radii = np.concatenate([[0.0], radii, [0.0]])
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * normal[:, None] + np.sin(angle)[:, None] * other[:, None]
    points = path[:, None] + radii[:, None, None] * ring
    return lattice(points, _grid(angle / (2 * np.pi), arc_length(path)[:, None]))


def _grid(*coordinates: np.ndarray) -> np.ndarray:
    """Coordinates broadcast against each other, along a new last axis."""
    return np.stack(np.broadcast_arrays(*coordinates), axis=-1)


def rod(start: Point, end: Point, radius: float, sides: int = 8) -> Mesh:
    """A straight round rod."""
    return tube(np.array([start, end], float), radius, sides)


def hoop(center: Point, radius: float, thickness: float, sides: int, count: int = 24, upright: bool = False) -> Mesh:
    """A ring of ``count`` segments and this thickness, horizontal or ``upright`` in the plane y = constant."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    a, b, flat = radius * np.cos(angle), radius * np.sin(angle), np.zeros(count)
    return tube(
        np.asarray(center) + np.stack([b, flat, a] if upright else [a, b, flat], axis=1), thickness, sides, True
    )


def lathe(radii: Sequence[float], heights: Sequence[float], sides: int = 40, rings: int = 40) -> Mesh:
    """A surface of revolution about z through a smooth profile of (radius, height), bottom first."""
    knots = np.array([radii, heights], float).T
    along = arc_length(knots)
    s = np.linspace(0, along[-1], rings)
    radius, z = PchipInterpolator(along, knots)(s).T
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    points = _grid(radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), z[:, None])
    return lattice(points, _grid(angle / (2 * np.pi), (s / s[-1])[:, None]))


def ball(radius: float, sides: int = 32) -> Mesh:
    """A sphere about the origin."""
    theta = np.linspace(0, np.pi, sides // 2 + 1)[:, None]
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    points = radius * _grid(np.sin(theta) * np.cos(angle), np.sin(theta) * np.sin(angle), -np.cos(theta))
    return lattice(points, _grid(angle / (2 * np.pi), theta / np.pi))
