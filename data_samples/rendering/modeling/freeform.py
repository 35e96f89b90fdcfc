"""Free forms as level sets: smooth unions of rounded pieces, meshed by surface nets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from .meshes import Mesh

Field = Callable[[np.ndarray], np.ndarray]
"""Signed distances (N,), negative inside, at points (N, 3)."""


def capsule(start: Sequence[float], end: Sequence[float], r0: float, r1: float) -> Field:
    """A round limb from a ball of radius ``r0`` to one of ``r1``."""
    a, axis = np.asarray(start, float), np.asarray(end, float) - np.asarray(start, float)

    def distance(points: np.ndarray) -> np.ndarray:
        along = np.clip((points - a) @ axis / (axis @ axis), 0, 1)
        return np.linalg.norm(points - a - along[:, None] * axis, axis=1) - (r0 + along * (r1 - r0))

    return distance


def ellipsoid(center: Sequence[float], radii: Sequence[float], turn: float = 0.0) -> Field:
    """An ellipsoid turned about x (nodding) by ``turn`` degrees; the distance is exact to first order."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    rotation, size = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), np.asarray(radii, float)

    def distance(points: np.ndarray) -> np.ndarray:
        local = (points - np.asarray(center)) @ rotation
        near, slope = np.linalg.norm(local / size, axis=1), np.linalg.norm(local / size**2, axis=1)
        return near * (near - 1) / np.maximum(slope, 1e-9)

    return distance


def blended(pieces: Sequence[Field], blend: float) -> Field:
    """The union of pieces, filleted with the radius ``blend`` where they meet (polynomial smooth minimum)."""

    def distance(points: np.ndarray) -> np.ndarray:
        total = pieces[0](points)
        for piece in pieces[1:]:
            other = piece(points)
            share = np.clip(0.5 + 0.5 * (total - other) / blend, 0, 1)
            total = total * (1 - share) + other * share - blend * share * (1 - share)
        return total

    return distance


def mirrored(piece: Field) -> Field:
    """A piece and its mirror image across x = 0."""
    return lambda points: piece(np.abs(points) * (1, 0, 0) + points * (0, 1, 1))


def carved(body: Field, tool: Field, blend: float) -> Field:
    """What is left of a body where a tool cuts into it, with a softened edge."""
    inverse = blended([lambda points: -body(points), tool], blend)
    return lambda points: -inverse(points)


def surface_net(field: Field, low: Sequence[float], high: Sequence[float], step: float) -> Mesh:
    """The zero level of a field inside a box, by surface nets (Gibson 1998): a vertex a cell, a quad a crossed edge.

    Texture coordinates are laid on by :func:`boxed`.
    """
    axes = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    shape = grid.shape[:3]
    value = np.concatenate([field(part) for part in np.array_split(grid.reshape(-1, 3), 64)]).reshape(shape)
    total, count = np.zeros((*(n - 1 for n in shape), 3)), np.zeros([n - 1 for n in shape])
    for axis in range(3):
        ahead = np.take(value, range(1, shape[axis]), axis), np.take(value, range(shape[axis] - 1), axis)
        crossed = (ahead[0] < 0) != (ahead[1] < 0)
        share = np.where(crossed, ahead[1] / np.where(crossed, ahead[1] - ahead[0], 1), 0)
        here = np.take(grid, range(shape[axis] - 1), axis).copy()
        here[..., axis] += share * step
        others = [k for k in range(3) if k != axis]
        for i, j in itertools.product((0, 1), repeat=2):
            window = [slice(None)] * 3
            window[others[0]], window[others[1]] = (
                slice(i, i + shape[others[0]] - 1),
                slice(j, j + shape[others[1]] - 1),
            )
            part = tuple(window)
            total += np.where(crossed[part][..., None], here[part], 0)
            count += crossed[part]
    held = count > 0
    index = np.full(held.shape, -1)
    index[held] = np.arange(held.sum())
    vertices = total[held] / count[held][:, None]
    faces = []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        inner = [slice(None)] * 3
        inner[b], inner[c] = slice(1, shape[b] - 1), slice(1, shape[c] - 1)
        sign = np.take(value[tuple(inner)], range(shape[axis] - 1), axis) < 0
        after = np.take(value[tuple(inner)], range(1, shape[axis]), axis) < 0
        at = np.argwhere(sign != after)
        outward = sign[tuple(at.T)]
        offset = np.eye(3, dtype=int)
        corners = np.stack(
            [index[tuple((at + i * offset[b] + j * offset[c]).T)] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))], 1
        )
        corners[~outward] = corners[~outward][:, ::-1]
        faces += [corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]
    return Mesh(vertices, np.concatenate(faces), np.zeros((len(vertices), 2)))


def boxed(mesh: Mesh, tile: float) -> Mesh:
    """The mesh with a texture of ``tile`` metres laid on from the three axes, each triangle from its steepest one."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    axis = np.abs(np.cross(b - a, c - a)).argmax(axis=1)
    keys, corner = np.unique(
        np.stack([mesh.faces, np.repeat(axis[:, None], 3, 1)], -1).reshape(-1, 2), axis=0, return_inverse=True
    )
    vertices = mesh.vertices[keys[:, 0]]
    plane = np.array([[1, 2], [0, 2], [0, 1]])[keys[:, 1]]
    uv = np.take_along_axis(vertices, plane, axis=1) / tile + 0.37 * keys[:, 1:]
    return Mesh(vertices, corner.reshape(-1, 3), uv)
