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
    """A body with a tool cut out of it; ``blend`` is the radius of the softened edge."""
    inverse = blended([lambda points: -body(points), tool], blend)
    return lambda points: -inverse(points)


def surface_net(field: Field, low: Sequence[float], high: Sequence[float], step: float) -> Mesh:
    """Mesh the zero level of a field inside a box by surface nets (Gibson 1998): a vertex per cell, a quad per edge.

    Texture coordinates are 0; :func:`boxed` adds them.
    """
    axes = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    value = np.concatenate([field(part) for part in np.array_split(grid.reshape(-1, 3), 64)]).reshape(grid.shape[:3])
    cells = [n - 1 for n in value.shape]
    total, count = np.zeros((*cells, 3)), np.zeros(cells)
    for axis in range(3):
        before, after = np.delete(value, -1, axis), np.delete(value, 0, axis)
        crossed = (before < 0) != (after < 0)
        point = np.delete(grid, -1, axis)
        point[..., axis] += np.where(crossed, before / np.where(crossed, before - after, 1), 0) * step
        point = np.where(crossed[..., None], point, 0)
        # Every edge belongs to four cells, one step apart along the two other axes.
        for offset in itertools.product(*((0,) if k == axis else (0, 1) for k in range(3))):
            window = tuple(slice(o, o + n) for o, n in zip(offset, cells, strict=True))
            total += point[window]
            count += crossed[window]
    held = count > 0
    index = np.full(held.shape, -1)
    index[held] = np.arange(held.sum())
    faces = []
    for axis in range(3):
        b, c = np.roll(np.eye(3, dtype=int), -axis - 1, axis=0)[:2]
        inside = value[tuple(slice(None) if k == axis else slice(1, -1) for k in range(3))] < 0
        before, after = np.delete(inside, -1, axis), np.delete(inside, 0, axis)
        at = np.argwhere(before != after)
        corners = np.stack([index[tuple((at + step).T)] for step in (0 * b, b, b + c, c)], 1)
        outward = before[tuple(at.T)]
        corners[~outward] = corners[~outward][:, ::-1]
        faces += [corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]
    return Mesh(total[held] / count[held][:, None], np.concatenate(faces), np.zeros((held.sum(), 2)))


def boxed(mesh: Mesh, tile: float) -> Mesh:
    """Project a texture of ``tile`` meters onto a mesh along x, y or z, whichever each triangle faces most."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    axis = np.abs(np.cross(b - a, c - a)).argmax(axis=1)
    corners = np.stack([mesh.faces, np.repeat(axis[:, None], 3, 1)], -1).reshape(-1, 2)
    keys, corner = np.unique(corners, axis=0, return_inverse=True)
    vertices = mesh.vertices[keys[:, 0]]
    plane = np.array([[1, 2], [0, 2], [0, 1]])[keys[:, 1]]
    uv = np.take_along_axis(vertices, plane, axis=1) / tile + 0.37 * keys[:, 1:]
    return Mesh(vertices, corner.reshape(-1, 3), uv)
