"""Plants: leaves, trees that branch, conifers, hedges, ferns and grass. Meters, z up, rooted at the origin."""

from __future__ import annotations

import numpy as np

from .meshes import Mesh, arc_length, directions, joined, lattice, unit
from .shapes import tube


def leaves(positions: np.ndarray, normals: np.ndarray | tuple, size: float, rng: np.random.Generator) -> Mesh:
    """Small folded leaves of four triangles, lying roughly across ``normals`` (N, 3) or (3,) and hanging a little."""
    n = len(positions)
    normal = unit(normals + 0.45 * rng.standard_normal((n, 3)))
    tip = np.array([0, 0, -0.6]) + 0.7 * rng.standard_normal((n, 3))
    tip = unit(tip - normal * (tip * normal).sum(1, keepdims=True))
    side = np.cross(normal, tip)
    scale = size * rng.uniform(0.6, 1.25, (n, 1, 1))
    outline = np.array([[0, -0.5, 0], [0.42, -0.1, 0.14], [0, 0.7, -0.08], [-0.42, -0.1, 0.14], [0, 0.0, 0]])
    axes = np.stack([side, tip, normal], axis=1)
    vertices = positions[:, None] + scale * np.einsum("kc,nci->nki", outline, axes)
    uv = rng.uniform(0, 1, (n, 1, 2)) + 0.03 * outline[None, :, :2]
    return _repeated(vertices, np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]), uv)


def _repeated(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> Mesh:
    """Copies of one patch of ``faces`` (F, 3) with the vertices (N, V, 3) and uv (N, V, 2)."""
    n, size = vertices.shape[:2]
    every = faces[None] + size * np.arange(n)[:, None, None]
    return Mesh(vertices.reshape(-1, 3), every.reshape(-1, 3), uv.reshape(-1, 2))


def blade(length: float, width: float, droop: float, segments: int = 9) -> Mesh:
    """One curved, channeled blade of a plant such as an agave, rising from the origin towards +x."""
    s = np.linspace(0, 1, segments)[:, None]
    half = width * (1 - s**2.2) * (0.55 + 0.45 * np.sin(np.pi * np.minimum(s * 1.6, 1)))
    across = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    rise = 1.1 - droop * s
    x, z = length * s * np.cos(rise), length * s * np.sin(rise)
    points = np.stack(np.broadcast_arrays(x, half * across, z + 0.35 * half * across**2), axis=-1)
    return lattice(points, np.stack(np.broadcast_arrays(0.5 + 0.5 * across, s), axis=-1))


def tree(rng: np.random.Generator, height: float, crown: float, leaf: float, count: int) -> tuple[Mesh, Mesh]:
    """A broad-leaved tree: its wood, and ``count`` leaves of size ``leaf`` in a crown of this radius.

    The crown is a heap of lobes, one about the end of every bough.
    """
    fork = height - 1.25 * crown
    lean = rng.normal(0, 0.03, 2)
    s = np.linspace(0, 1, 12)[:, None]
    wander = 0.06 * crown * np.cumsum(rng.standard_normal((12, 2)), axis=0) / 3 * s
    trunk = np.concatenate([lean * height * s + wander, fork * s], axis=1)
    thick = 0.028 * height
    wood = [tube(trunk, thick * (1.25 - 0.5 * s[:, 0] + 0.5 * np.exp(-9 * s[:, 0])), 10)]
    lobes = []
    for k in range(9):
        turn, rise = k * 2.4 + rng.normal(0, 0.25), rng.uniform(0.25, 1.25)
        way = np.array([np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)])
        end = trunk[-1] + crown * (0.72 * way + np.array((0, 0, 0.35)))
        bend = 0.12 * crown * np.sin(np.pi * s) * rng.standard_normal((1, 3))
        wood.append(tube(trunk[-2] + s * (end - trunk[-2]) + bend, 0.45 * thick * (1.15 - s[:, 0]), 7))
        lobes.append(end)
    lobes.append(trunk[-1] + np.array((0, 0, 0.95 * crown)))
    centers = np.array(lobes)[rng.integers(len(lobes), size=count)]
    out = directions(rng, count)
    reach = 0.46 * crown * rng.random((count, 1)) ** 0.4
    return joined(wood), leaves(centers + out * reach * (1, 1, 0.8), out + np.array((0, 0, 0.4)), leaf, rng)


def conifer(rng: np.random.Generator, height: float, spread: float, leaf: float, count: int) -> tuple[Mesh, Mesh]:
    """A spruce: a straight trunk, and twigs in whorls that droop and shorten towards the tip."""
    s = rng.random(count) ** 0.7
    whorl = np.round(s * 14) / 14 + 0.012 * rng.standard_normal(count)
    reach = spread * np.clip(1.02 - whorl, 0.02, 1) * np.sqrt(rng.random(count))
    turn = rng.uniform(0, 2 * np.pi, count)
    z = height * (0.10 + 0.9 * whorl) - 0.28 * reach
    spots = np.stack([reach * np.cos(turn), reach * np.sin(turn), z], axis=1)
    out = np.stack([np.cos(turn), np.sin(turn), np.full(count, 0.9)], axis=1)
    stem = np.array([[0, 0, 0], [0, 0, 0.6 * height], [0, 0, 0.98 * height]])
    return tube(stem, np.array([0.022, 0.012, 0.002]) * height, 8), leaves(spots, out, leaf, rng)


def hedge(rng: np.random.Generator, path: np.ndarray, width: float, height: float, leaf: float, density: float) -> Mesh:
    """A clipped hedge along a path (P, 3) on the ground, ``density`` leaves a metre."""
    along = arc_length(path)
    count = round(density * along[-1])
    at = rng.uniform(0, along[-1], count)
    spine = np.stack([np.interp(at, along, path[:, k]) for k in range(3)], axis=1)
    ahead = np.diff(path, axis=0)[np.clip(np.searchsorted(along, at) - 1, 0, len(path) - 2)]
    side = np.cross(unit(ahead), (0.0, 0.0, 1.0))
    face = rng.integers(4, size=count)[:, None]
    across, up = rng.uniform(-0.5, 0.5, (count, 1)), rng.uniform(0.05, 1, (count, 1))
    depth = 0.06 * rng.random((count, 1))
    across = np.where(face == 0, 0.5 - depth, np.where(face == 1, depth - 0.5, across))
    up = np.where(face > 1, 1 - depth, up)
    out = np.where(face == 0, side, np.where(face == 1, -side, np.array([0.0, 0.0, 1.0])))
    return leaves(spine + across * width * side + up * height * np.array([0.0, 0.0, 1.0]), out, leaf, rng)


def fern(rng: np.random.Generator, fronds: int, length: float) -> Mesh:
    """A rosette of arching fronds, each with two rows of leaflets that shorten towards the tip."""
    every = []
    for k in range(fronds):
        reach = length * rng.uniform(0.7, 1.1)
        s = np.linspace(0.04, 1, 26)
        rise = rng.uniform(0.85, 1.25) - rng.uniform(1.0, 1.5) * s
        spine = np.cumsum(np.stack([np.cos(rise), 0 * s, np.sin(rise)], 1), axis=0) * reach / 26
        frond = [tube(spine, 0.0035 * (1.1 - s), 5)]
        for sign in (-1, 1):
            half = 0.24 * reach * np.clip(np.sin(np.pi * np.clip(s, 0.12, 1)) ** 0.8, 0.05, 1) * (1.15 - 0.5 * s)
            tangent = unit(np.gradient(spine, axis=0))
            out = np.stack([0.35 * tangent[:, 0], np.full(26, sign * 0.9), 0.35 * tangent[:, 2] - 0.25], 1)
            tips = spine + half[:, None] * out
            wide = 0.021 * reach / length**0.3
            base_a, base_b = spine - wide * tangent, spine + wide * tangent
            middle = 0.45 * spine + 0.55 * tips + np.array((0, 0, 0.012))
            quads = np.stack([base_a, base_b, middle + 0.8 * wide * tangent, tips, middle - 0.8 * wide * tangent], 1)
            faces = np.array([[0, 1, 2], [0, 2, 4], [2, 3, 4]])
            uv = np.repeat(rng.uniform(0, 1, (1, 2)) + 0.05 * rng.standard_normal((26, 2)), 5, axis=0)
            frond.append(_repeated(quads, faces[:, ::sign], uv))
        every.append(joined(frond).moved(turn=360 * k / fronds + rng.normal(0, 14)))
    return joined(every)


def tuft(rng: np.random.Generator, blades: int, length: float) -> Mesh:
    """A tuft of grass: blades that lean out from one root and droop."""
    every = []
    for _ in range(blades):
        one = blade(length * rng.uniform(0.5, 1.15), 0.011 * length**0.5, rng.uniform(0.1, 1.3), 6)
        every.append(one.moved((rng.normal(0, 0.02), rng.normal(0, 0.02), 0), rng.uniform(0, 360)))
    return joined(every)
