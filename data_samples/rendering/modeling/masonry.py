"""Walls: courses of stones, openings in them, and blocks that stand out of a plane."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .meshes import Mesh, Plane, Rectangle, joined, lattice, panel


def pierced(plane: Plane, openings: Sequence[Rectangle], depth: float) -> Mesh:
    """A wall with rectangular openings and their reveals, which go ``depth`` meters into the wall."""
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
        u, v = np.tile([u0, u1, u1, u0, u0], (2, 1)), np.tile([v0, v0, v1, v1, v0], (2, 1))
        lift = np.repeat([[-depth], [0.0]], 5, axis=1)
        parts.append(lattice(plane.at(u, v, lift), plane.uv(u, v)))
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
    """Bricks, slabs or boards that stand out of a plane, each with its own chamfered edge.

    Args:
        rectangles: (u0, v0, u1, v1) of every block in meters, shape (N, 4).
        height: how far the face stands out of the plane.
        uneven: standard deviation of the height from block to block.
        chamfer: width of the beveled edge.
        relief: standard deviation of the height within a face, which has ``corners`` x ``corners`` vertices.
    """
    n, size = len(rectangles), corners + 2
    step = np.concatenate([[0.0], np.linspace(0.0, 1.0, corners), [1.0]])
    inset = np.concatenate([[0.0, 1.0], np.zeros(corners - 2), [-1.0, 0.0]]) * chamfer
    u, v = (rectangles[:, None, k] + step * (rectangles[:, k + 2] - rectangles[:, k])[:, None] + inset for k in (0, 1))
    uu = np.broadcast_to(u[:, None, :], (n, size, size)).copy()
    vv = np.broadcast_to(v[:, :, None], (n, size, size)).copy()
    lift = np.zeros((n, size, size))
    face = np.s_[:, 1:-1, 1:-1]
    lift[face] = height + uneven * rng.standard_normal((n, 1, 1)) + relief * rng.standard_normal((n, corners, corners))
    for axis in (uu, vv):
        axis[face] += 0.25 * chamfer * rng.standard_normal((n, corners, corners))
    return lattice(plane.at(uu, vv, lift), plane.uv(uu, vv))


def courses(
    rng: np.random.Generator,
    size: tuple[float, float],
    heights: tuple[float, float],
    lengths: tuple[float, float],
    joint: float,
    bond: bool = False,
) -> np.ndarray:
    """A masonry pattern: rectangles (u0, v0, u1, v1) in meters, shape (N, 4), laid in courses.

    Args:
        size: width and height of the wall.
        heights, lengths: ranges that the heights of courses and the lengths of stones are drawn from.
        joint: width of the gap between stones.
        bond: shift every other course by half a length, not by a random one.
    """
    rows = []
    v, course = 0.0, 0
    while v < size[1]:
        rise = rng.uniform(*heights)
        ends = np.cumsum(rng.uniform(*lengths, size=int(size[0] / lengths[0]) + 2))
        ends -= ends[0] * ((0.5 if course % 2 else 1.0) if bond else rng.uniform(0.3, 1.0))
        ends = np.clip(np.concatenate([[0.0], ends]), 0.0, size[0])
        for u0, u1 in itertools.pairwise(ends):
            if u1 - u0 > 3 * joint:
                rows.append((u0 + joint / 2, v + joint / 2, u1 - joint / 2, min(v + rise, size[1]) - joint / 2))
        v += rise
        course += 1
    laid = np.array(rows)
    return laid[laid[:, 3] - laid[:, 1] > 2 * joint]


def cut(rectangles: np.ndarray, openings: Sequence[Rectangle], least: float) -> np.ndarray:
    """Cut openings out of rectangles (N, 4); pieces narrower or lower than ``least`` meters are dropped."""
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
