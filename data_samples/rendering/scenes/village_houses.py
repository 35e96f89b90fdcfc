"""Houses and the church of the village: plastered walls with windows, tiled roofs with chimneys."""

from __future__ import annotations

import numpy as np

from ..modeling import textures
from ..modeling.masonry import courses
from ..modeling.meshes import TILE, Mesh, Plane, joined, upright
from ..modeling.shapes import ball, box, boxes, lathe, prism, rod, tube
from ..scene import Parts, part
from .village_ground import Terrain

Pieces = dict[str, list[Mesh]]
"""Meshes by what they are made of: ``wall``, ``roof``, ``trim``, ``glass`` and ``brick``."""

OVERHANG = 0.45
"""Meters that a roof reaches beyond the walls."""

SHEET = 3.0
"""Meters that the texture of a roof covers."""

WALLS = ((0.84, 0.80, 0.70), (0.78, 0.68, 0.52), (0.86, 0.84, 0.80), (0.70, 0.58, 0.48), (0.74, 0.76, 0.70))
ROOFS = ((0.58, 0.31, 0.22), (0.47, 0.27, 0.22), (0.33, 0.32, 0.33))


def house(rng: np.random.Generator, length: float, width: float, eaves: float, pitch: float, kind: str) -> Pieces:
    """A house about the origin, its ridge along x.

    Args:
        eaves: height of the walls; the gables rise ``width / 2 * tan(pitch)`` above.
        pitch: of the roof, in radians.
        kind: ``plain``, or with one or two ``dormer`` windows, a ``wing`` across, or ``solar`` panels.
    """
    ridge = eaves + width / 2 * np.tan(pitch)
    out: Pieces = {"wall": gables(length, width, eaves, ridge), "roof": [], "trim": [], "glass": [], "brick": []}
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
    out["trim"].append(lathe([0.13, 0.10, 0], [0, 0.35, 0.36], 12, 6).moved((x, y, ridge + 1.37)))
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


def add(out: Pieces, more: Pieces, place: tuple[float, float, float], turn: float) -> None:
    """Put the pieces of one thing among those of another, turned about z and shifted."""
    for name, meshes in more.items():
        out.setdefault(name, []).extend(mesh.moved(place, turn) for mesh in meshes)


def gables(length: float, width: float, eaves: float, ridge: float) -> list[Mesh]:
    """The walls; they go a little way into the ground, which is not flat."""
    front = np.array([[-width / 2, -1.5], [width / 2, -1.5], [width / 2, eaves], [0, ridge], [-width / 2, eaves]])
    walls = prism(Plane((-length / 2, 0, 0), (0, 1, 0), (0, 0, 1), 1, 1), front, length)
    fan = np.arange(1, len(front) - 1)
    corners = Plane((-length / 2, 0, 0), (0, -1, 0), (0, 0, 1), 1, 1).at(-front[:, 0], front[:, 1])
    return [walls, Mesh(corners, np.stack([0 * fan, fan + 1, fan], 1), front * (-1, 1) / 3.0)]


def dormer(rng: np.random.Generator) -> Pieces:
    """A small gable with a window that looks towards -y from the origin."""
    front = np.array([[-0.75, -0.3], [0.75, -0.3], [0.75, 1.25], [0.0, 1.85], [-0.75, 1.25]])
    out: Pieces = {"wall": [prism(upright((0, 2.2, 0)), front, 2.2)], "roof": [], "trim": [], "glass": []}
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


def _add_roof(out: Pieces, rng: np.random.Generator, length: float, width: float, pitch: float, ridge: float) -> None:
    """Two slopes with their gutters, and ridge tiles."""
    long, deep = length + 2 * OVERHANG, width / 2 / np.cos(pitch) + OVERHANG
    for side in (-1, 1):
        down = (0.0, side * np.cos(pitch), -np.sin(pitch))
        slope = Plane((-side * long / 2, 0.0, ridge + 0.10), (side, 0.0, 0.0), down, long, deep)
        out["roof"].append(sheet(slope, 0.12, rng))
        out["trim"].append(tube(slope.at(np.array([0.0, long]), np.full(2, deep + 0.05), 0.03), 0.07, 8))
    out["roof"].append(rod((-long / 2, 0, ridge + 0.2), (long / 2, 0, ridge + 0.2), 0.14))


def _add_solar_panels(out: Pieces, rng: np.random.Generator, length: float, pitch: float, ridge: float) -> None:
    """Two rows on the slope towards -y."""
    up = (0.0, np.cos(pitch), np.sin(pitch))
    for column in range(int(length / 1.3) - 2):
        for down in (2.6, 4.3):
            corner = np.array((-length / 2 + 1.2 + 1.15 * column, 0.0, ridge + 0.24)) - down * np.array(up)
            out["glass"].append(sheet(Plane(tuple(corner.tolist()), (1, 0, 0), up, 1.05, 1.6), 0.05, rng))


def _add_window(out: Pieces, place: tuple[float, float, float], turn: float) -> None:
    """A pane in a frame with a sill."""
    out["glass"].append(box((0.85, 0.03, 1.15), (0, 0, 0.6)).moved(place, turn))
    frame = boxes((0.95, 0.09, 0.09), [0], [0], (0.0, 1.2)) + boxes((0.08, 0.08, 1.2), (-0.45, 0.0, 0.45), [0], [0.6])
    out["trim"].append(joined([*frame, box((1.15, 0.22, 0.07), (0, -0.06, -0.05))]).moved(place, turn))


def roofing(rng: np.random.Generator, color: textures.Color) -> np.ndarray:
    """Clay tiles in courses, three meters of them: dark under every overlap, no two alike, moss here and there."""
    size, per = 1024, 1024 / 3.0
    laid = courses(rng, (3.0, 3.0), (0.30, 0.30), (0.2, 0.2), 0.0, bond=True)
    palette = [tuple(np.clip(np.array(color) * f, 0, 1)) for f in (0.85, 0.95, 1.0, 1.08, 1.18)]
    image = textures.masonry(rng, laid, (3.0, 3.0), per, palette, color, grain=0.08, spread=0.12, stains=0.12) / 255.0
    v = (np.arange(size) / per % 0.30 / 0.30)[:, None]
    u = (np.arange(size) / per % 0.20 / 0.20)[None, :]
    image = image * (0.62 + 0.45 * np.minimum(v * 3, 1))[..., None] * (0.80 + 0.25 * np.sin(np.pi * u))[..., None]
    moss = np.clip(textures.fractal(rng, (size, size), 300.0) - 1.0, 0, 0.7)
    return textures.finish(textures.mix(image, (0.32, 0.34, 0.18), moss))


def painted(rng: np.random.Generator, color: textures.Color) -> np.ndarray:
    """Plaster of one color, seen from afar."""
    return textures.mottled(rng, (1024, 1024), color, (0.06, 400.0, 6), (0.06, 30.0, 4))


def buildings(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> Parts:
    """All houses, in five colors of plaster and three of roof."""
    pieces: Pieces = {}
    for number, (x, y, length, width, turn) in enumerate(homes):
        kind = ("plain", "dormer", "wing", "plain", "solar", "dormer")[number % 6]
        made = house(rng, length, width, rng.uniform(3.0, 5.8), np.radians(rng.uniform(34, 47)), kind)
        named = {"wall": f"wall{number * 7 % 5}", "roof": f"roof{rng.choice(3, p=(0.5, 0.3, 0.2))}"}
        corners = np.array([x, y]) + length / 3 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
        z = float(ground.at(corners).min())
        add(pieces, {named.get(name, name): meshes for name, meshes in made.items()}, (x, y, z), turn)
    looks: dict[str, tuple] = {f"wall{k}": (painted(rng, color),) for k, color in enumerate(WALLS)}
    looks |= {f"roof{k}": (roofing(rng, color), 0.8) for k, color in enumerate(ROOFS)}
    looks |= {"trim": (painted(rng, (0.80, 0.78, 0.74)),), "glass": ((0.10, 0.13, 0.18), 0.25)}
    bricks, palette = (
        courses(rng, (0.8, 0.8), (0.08, 0.08), (0.22, 0.24), 0.012, True),
        [(0.50, 0.30, 0.24), (0.56, 0.34, 0.27)],
    )
    looks["brick"] = (textures.masonry(rng, bricks, (0.8, 0.8), 400, palette, (0.60, 0.57, 0.50)),)
    for name, meshes in pieces.items():
        yield part(name, meshes, *looks[name])


def church(rng: np.random.Generator, ground: Terrain, _: list[np.ndarray]) -> Parts:
    """A church with a nave, a tower with a slated spire, and a walled yard with graves."""
    at = ground.on(-14.0, -22.0)
    nave = house(rng, 17.0, 8.5, 6.5, np.radians(48), "plain")
    tower = box((5.0, 5.0, 19.0), (-10.0, 0, 8.0), 0.08)
    spire = lathe([3.1, 2.6, 1.5, 0.10, 0], [0, 0.6, 4, 10, 10.2], 8, 24).moved((-10.0, 0, 17.5), 22.5)
    bells = [box((1.2, 5.06, 2.0), (-10.0, 0, 15.0), 0.05), box((5.06, 1.2, 2.0), (-10.0, 0, 15.0), 0.05)]
    bands = boxes((5.3, 5.3, 0.25), [-10.0], [0], (6.0, 12.5, 17.4), 0.05)
    cross = [rod((-10.0, 0, 27.5), (-10.0, 0, 29.6), 0.06), rod((-10.5, 0, 28.9), (-9.5, 0, 28.9), 0.06)]
    cross.append(ball(0.3, 12).moved((-10, 0, 27.7)))
    a = np.linspace(0.3, 2 * np.pi, 60)
    ring = ground.along(np.stack([at[0] - 1 + 14 * np.cos(a), at[1] + 11 * np.sin(a)], 1))
    turns = np.degrees(np.arctan2(11 * np.cos(a), -14 * np.sin(a)))
    yard = [box((1.55, 0.4, 1.8), (0, 0, 0.3), 0.05).moved(spot, turn) for spot, turn in zip(ring, turns, strict=True)]
    for _grave in range(46):
        u, v = rng.uniform(-11, 11), rng.choice([-1, 1]) * rng.uniform(5.6, 8.6)
        stone = box((0.7, 0.18, rng.uniform(0.8, 1.3)), (0, 0, 0.3), 0.03)
        yard.append(stone.moved(ground.on(at[0] + u, at[1] + v), rng.normal(0, 6)))
    stones = courses(rng, (6.0, 6.0), (0.28, 0.36), (0.4, 0.8), 0.015)
    palette = [(0.64, 0.60, 0.53), (0.58, 0.55, 0.49), (0.70, 0.65, 0.56)]
    image = textures.masonry(rng, stones, (6.0, 6.0), 170, palette, (0.55, 0.52, 0.47), grain=0.1)
    slate = roofing(rng, (0.30, 0.32, 0.36))
    tower = Mesh(tower.vertices, tower.faces, tower.uv * 0.8 / 6.0)
    spire = Mesh(spire.vertices, spire.faces, spire.uv * (6, 4))
    for name, meshes, look, roughness in (
        ("tower", [tower, *nave["wall"]], image, 1.0),
        ("slates", [spire, *nave["roof"]], slate, 0.6),
        ("church trim", [*bands, *nave["trim"], *nave["brick"]], painted(rng, (0.72, 0.69, 0.62)), 1.0),
        ("church glass", [*bells, *nave["glass"]], (0.12, 0.12, 0.14), 0.3),
        ("cross", cross, (0.72, 0.58, 0.22), 0.3),
    ):
        yield part(name, joined(meshes).moved(at), look, roughness)
    yield part("churchyard", yard, textures.granite(rng, (512, 512), (0.55, 0.53, 0.49), 2.0))
