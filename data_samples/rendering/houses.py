"""Gabled houses: plastered walls with windows, tiled roofs with chimneys, and what makes them differ."""

from __future__ import annotations

import numpy as np

from . import textures
from .meshes import TILE, Mesh, Plane, box, courses, joined, lathe, prism, tube

Parts = dict[str, list[Mesh]]
"""Meshes by what they are made of: ``wall``, ``roof``, ``trim``, ``glass`` and ``brick``."""

OVERHANG = 0.45
SHEET = 3.0
"""Metres that the texture of a roof covers."""


def house(rng: np.random.Generator, length: float, width: float, eaves: float, pitch: float, kind: str) -> Parts:
    """A house about the origin, its ridge along x.

    Args:
        eaves: height of the walls; the gables rise ``width / 2 * tan(pitch)`` above.
        pitch: of the roof, in radians.
        kind: ``plain``, or with a ``dormer`` or two, a ``wing`` across, or ``solar`` panels.
    """
    ridge = eaves + width / 2 * np.tan(pitch)
    out: Parts = {"wall": gables(length, width, eaves, ridge), "roof": [], "trim": [], "glass": [], "brick": []}
    _add_roof(out, rng, length, width, pitch, ridge)
    for side in (-1, 1):
        for x in np.arange(-length / 2 + 1.3, length / 2 - 0.8, 2.3):
            for z in np.arange(1.0, eaves - 1.2, 2.6):
                _add_window(out, (x, side * (width / 2 + 0.01), z), 0.0 if side < 0 else 180.0)
        for z in np.arange(1.0, ridge - 1.8, 2.6):
            for y in (-width / 4, width / 4) if z < eaves - 1 else (0.0,):
                _add_window(out, (side * (length / 2 + 0.01), y, z), 90.0 * side)
    x, y = rng.uniform(-length / 3, length / 3), rng.choice([-0.9, 0.9])
    out["brick"].append(box((0.75, 0.55, 2.2), (x, y, ridge + 0.2), 0.02))
    out["trim"].append(box((0.9, 0.7, 0.10), (x, y, ridge + 1.32), 0.02))
    out["trim"].append(lathe([(0.13, 0.0), (0.10, 0.35), (0.0, 0.36)], 12, 6).moved((x, y, ridge + 1.37)))
    match kind:
        case "dormer":
            for x in np.linspace(-length / 4, length / 4, int(rng.integers(1, 3))):
                side = rng.choice([-1, 1])
                place = (x, side * width * 0.24, ridge - width * 0.24 * np.tan(pitch))
                add(out, dormer(rng), place, 0.0 if side < 0 else 180.0)
        case "wing":
            wing = house(rng, width * 0.9, width * 0.62, eaves * 0.8, pitch, "plain")
            add(out, wing, (length / 4, (width * 0.8) * rng.choice([-1, 1]), 0.0), 90.0)
        case "solar":
            _add_solar_panels(out, rng, length, pitch, ridge)
    return out


def add(out: Parts, more: Parts, place: tuple[float, float, float], turn: float) -> None:
    """Put the parts of one thing among those of another, turned about z and shifted."""
    for name, meshes in more.items():
        out.setdefault(name, []).extend(mesh.moved(place, turn) for mesh in meshes)


def gables(length: float, width: float, eaves: float, ridge: float) -> list[Mesh]:
    """The walls; they go a little way into the ground, which is not flat."""
    front = np.array([[-width / 2, -1.5], [width / 2, -1.5], [width / 2, eaves], [0, ridge], [-width / 2, eaves]])
    walls = prism(Plane((-length / 2, 0, 0), (0, 1, 0), (0, 0, 1), 1, 1), front, length)
    fan = np.arange(1, len(front) - 1)
    corners = Plane((-length / 2, 0, 0), (0, -1, 0), (0, 0, 1), 1, 1).at(-front[:, 0], front[:, 1])
    return [walls, Mesh(corners, np.stack([0 * fan, fan + 1, fan], 1), front * (-1, 1) / 3.0)]


def dormer(rng: np.random.Generator) -> Parts:
    """A small gable with a window that looks towards -y from the origin."""
    out: Parts = {"wall": [], "roof": [], "trim": [], "glass": []}
    front = np.array([[-0.75, -0.3], [0.75, -0.3], [0.75, 1.25], [0.0, 1.85], [-0.75, 1.25]])
    out["wall"].append(prism(Plane((0, 2.2, 0), (1, 0, 0), (0, 0, 1), 1, 1), front, 2.2))
    fall = np.arctan2(0.6, 0.75)
    for side in (-1, 1):
        top, down = (0, 2.2 if side > 0 else -0.2, 1.95), (side * np.cos(fall), 0, -np.sin(fall))
        out["roof"].append(sheet(Plane(top, (0, -side, 0), down, 2.4, 1.15), 0.08, rng))
    _add_window(out, (0.0, -0.02, 0.05), 0.0)
    return out


def sheet(plane: Plane, thickness: float, rng: np.random.Generator) -> Mesh:
    """A slab as large as its plane; the texture starts anywhere."""
    corners = np.array([[0, 0], [plane.width, 0], [plane.width, plane.height], [0, plane.height]])
    slab = prism(plane, corners, thickness)
    return Mesh(slab.vertices, slab.faces, slab.uv * TILE / SHEET + rng.random(2))


def _add_roof(out: Parts, rng: np.random.Generator, length: float, width: float, pitch: float, ridge: float) -> None:
    """Two slopes with their gutters, and ridge tiles."""
    long, deep = length + 2 * OVERHANG, width / 2 / np.cos(pitch) + OVERHANG
    for side in (-1, 1):
        down = (0.0, side * np.cos(pitch), -np.sin(pitch))
        slope = Plane((-side * long / 2, 0.0, ridge + 0.10), (side, 0.0, 0.0), down, long, deep)
        out["roof"].append(sheet(slope, 0.12, rng))
        out["trim"].append(tube(slope.at(np.array([0.0, long]), np.full(2, deep + 0.05), 0.03), 0.07, 8))
    out["roof"].append(tube(np.array([[-long / 2, 0, ridge + 0.2], [long / 2, 0, ridge + 0.2]]), 0.14, 8))


def _add_solar_panels(out: Parts, rng: np.random.Generator, length: float, pitch: float, ridge: float) -> None:
    """Two rows on the slope towards -y."""
    up = np.array((0.0, np.cos(pitch), np.sin(pitch)))
    for column in range(int(length / 1.3) - 2):
        for row in range(2):
            corner = np.array((-length / 2 + 1.2 + 1.15 * column, 0.0, ridge + 0.24)) - (0.9 + 1.7 * (row + 1)) * up
            x, y, z = corner.tolist()
            out["glass"].append(sheet(Plane((x, y, z), (1, 0, 0), tuple(up.tolist()), 1.05, 1.6), 0.05, rng))


def _add_window(out: Parts, place: tuple[float, float, float], turn: float) -> None:
    out["glass"].append(box((0.85, 0.03, 1.15), (0, 0, 0.6)).moved(place, turn))
    frame = [box((0.95, 0.09, 0.09), (0, 0, z)) for z in (0.0, 1.2)]
    frame += [box((0.08, 0.08, 1.2), (x, 0, 0.6)) for x in (-0.45, 0.0, 0.45)]
    frame.append(box((1.15, 0.22, 0.07), (0, -0.06, -0.05)))
    out["trim"].append(joined(frame).moved(place, turn))


def roofing(rng: np.random.Generator, color: textures.Color) -> np.ndarray:
    """Clay tiles in courses, three metres of them: dark under every overlap, no two alike, moss here and there."""
    size, per = 1024, 1024 / 3.0
    laid = courses(rng, (3.0, 3.0), (0.30, 0.30), (0.2, 0.2), 0.0, bond=True)
    palette = [tuple(np.clip(np.array(color) * f, 0, 1)) for f in (0.85, 0.95, 1.0, 1.08, 1.18)]
    image = textures.masonry(rng, laid, (3.0, 3.0), per, palette, color, grain=0.08, spread=0.12, stains=0.12) / 255.0
    v = (np.arange(size) / per % 0.30 / 0.30)[:, None]
    u = (np.arange(size) / per % 0.20 / 0.20)[None, :]
    image = image * (0.62 + 0.45 * np.minimum(v * 3, 1))[..., None] * (0.80 + 0.25 * np.sin(np.pi * u))[..., None]
    moss = np.clip(textures.fractal(rng, (size, size), 300.0) - 1.0, 0, 0.7)
    return textures.finish(textures.mix(image, (0.32, 0.34, 0.18), moss))
