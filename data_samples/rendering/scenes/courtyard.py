"""A small walled courtyard in the afternoon sun: brick, plaster and limestone around pots, iron and a marble knot.

The world is in meters, x to the right and y towards the back wall as one enters, z up; the floor is z = 0.
"""

from __future__ import annotations

import numpy as np

from ..camera_path import Lens, walk
from ..modeling import textures
from ..modeling.masonry import blocks, courses, pierced
from ..modeling.meshes import Mesh, Plane, joined, lattice, level, panel, relief, upright, waves
from ..modeling.plants import leaves
from ..modeling.shapes import ball, box, boxes, hoop, rod
from ..scene import Parts, SampleScene, Sky, generators, part, parts_of
from . import courtyard_things as things
from .courtyard_things import BACK, HALF_WIDTH, IRON

FRONT, WALL = -2.5, 3.1
LEFT_WALL = Plane((-HALF_WIDTH, FRONT, 0), (0, 1, 0), (0, 0, 1), BACK - FRONT, 2.6)
BACK_WALL = upright((-HALF_WIDTH, BACK, 0), 2 * HALF_WIDTH, WALL)
RIGHT_WALL = Plane((HALF_WIDTH, BACK, 0), (0, -1, 0), (0, 0, 1), BACK - FRONT, 2.3)
FLOOR = level((-HALF_WIDTH, FRONT, 0), 2 * HALF_WIDTH, BACK - FRONT)

DOOR = (2.15, 0.0, 3.25, 2.15)
WINDOW = (6.75, 1.25, 7.75, 2.35)
DADO = 0.9


def build() -> SampleScene:
    """The courtyard and a walk of twelve photos through it."""
    rngs = generators(seed=2)
    parts = parts_of(
        rngs,
        (
            floor,
            brick_wall,
            ivy,
            back_wall,
            dado,
            door,
            window,
            posters,
            limestone_wall,
            coping,
            things.sculpture,
            things.chair,
            things.table,
            things.crates,
            things.pots,
            things.flower_bed,
            things.lamp_post,
            things.boulder,
        ),
    )
    views = walk(
        next(rngs),
        Lens(),
        target=(0.0, 3.7, 0.95),
        azimuths=[*np.linspace(-42.0, 42.0, 8), 27.0, 9.0, -9.0, -27.0],
        radii=[5.3, 5.2, 5.3, 5.4, 5.4, 5.3, 5.2, 5.3, 4.6, 4.4, 4.5, 4.6],
        heights=[1.45, 1.62, 1.5, 1.7, 1.55, 1.68, 1.5, 1.6, 2.35, 2.2, 2.4, 2.25],
    )
    sky = Sky(sun_direction=(0.42, -0.62, 0.80), sun_diameter=1.2, turbidity=3.2)
    return SampleScene("courtyard", parts, sky, views, exposure=5.0)


def floor(rng: np.random.Generator) -> Parts:
    """Worn flagstones on sand."""
    slabs = courses(rng, FLOOR.size, (0.34, 0.52), (0.38, 0.85), 0.022)
    palette = [(0.58, 0.55, 0.50), (0.54, 0.52, 0.49), (0.61, 0.57, 0.51), (0.50, 0.49, 0.47)]
    texture = textures.masonry(
        rng, slabs, FLOOR.size, 280, palette, (0.40, 0.36, 0.29), grain=0.11, spread=0.07, stains=0.12
    )
    stones = blocks(FLOOR, slabs, rng, height=0.012, uneven=0.003, chamfer=0.012, relief=0.0022, corners=4)
    yield part("floor", [stones, panel(FLOOR, 0.002)], texture)


def brick_wall(rng: np.random.Generator) -> Parts:
    """Old hand-made bricks on the left, in running bond."""
    bricks = courses(rng, LEFT_WALL.size, (0.074, 0.078), (0.215, 0.24), 0.012, bond=True)
    palette = [(0.55, 0.33, 0.26), (0.60, 0.38, 0.30), (0.49, 0.29, 0.24), (0.64, 0.46, 0.37), (0.42, 0.29, 0.26)]
    texture = textures.masonry(
        rng, bricks, LEFT_WALL.size, 340, palette, (0.66, 0.62, 0.55), grain=0.13, spread=0.13, pits=0.03
    )
    wall = blocks(LEFT_WALL, bricks, rng, height=0.010, uneven=0.004, chamfer=0.006, relief=0.001)
    yield part("brick wall", [wall, panel(LEFT_WALL, 0.001)], texture)


def ivy(rng: np.random.Generator) -> Parts:
    """Ivy that climbs the brick wall from the far corner."""
    count = 2400
    stems = rng.uniform(0, 1, (count, 2))
    along = 6.9 + 1.45 * (stems[:, 0] ** 0.6)
    up = 2.7 * stems[:, 1] * np.clip((along - 6.7) / 1.1, 0.12, 1)
    keep = waves(np.stack([along, up, np.zeros(count)], 1), 0.9, rng) + 1.3 * (along - 7.3) > -0.45
    lift = 0.03 + 0.09 * rng.random(count)
    green = textures.foliage(rng, 256, (0.10, 0.20, 0.07), (0.34, 0.45, 0.17))
    yield part("ivy", leaves(LEFT_WALL.at(along, up, lift)[keep], (1.0, -0.15, 0.25), 0.085, rng), green, 0.5)


def back_wall(rng: np.random.Generator) -> Parts:
    """Plain plaster with a door and a window let into it."""
    texture = textures.plaster(rng, (780, 2260), (0.84, 0.80, 0.72))
    yield part("plaster", pierced(BACK_WALL, [DOOR, WINDOW], 0.16), texture)


def dado(rng: np.random.Generator) -> Parts:
    """Glazed tiles along the foot of the plaster that do not lie quite flat, under a ledge."""
    side = 0.15
    for name, u0, u1 in (("left", 0.0, DOOR[0] - 0.2), ("right", DOOR[2] + 0.2, BACK_WALL.width)):
        rows, columns = round(DADO / side), round((u1 - u0) / side)
        plane = upright((-HALF_WIDTH + u0, BACK, 0.0), u1 - u0, DADO)
        pitch = (u1 - u0) / columns
        u, v = np.meshgrid(np.arange(columns) * pitch, np.arange(rows) * side)
        panes = np.stack([u, v, u + pitch, v + side], -1).reshape(-1, 4) + np.array([1, 1, -1, -1]) * 0.001
        mesh = blocks(plane, panes, rng, height=0.012, uneven=0.0006, chamfer=0.003, relief=0.0004)
        yield part(f"tiles {name}", mesh, textures.tiles(rng, columns, rows), 0.28)
        ledge = box((u1 - u0, 0.05, 0.035), (-HALF_WIDTH + (u0 + u1) / 2, BACK - 0.02, DADO + 0.0175))
        yield part(f"ledge {name}", ledge, (0.20, 0.30, 0.50), 0.35)


def door(rng: np.random.Generator) -> Parts:
    """A boarded door whose paint flakes, in a granite frame, with iron straps."""
    u0, _, u1, top = DOOR
    left, y, wide = -HALF_WIDTH + u0, BACK + 0.10, u1 - u0
    plane = upright((left, y, 0.0), wide, top)
    edges = np.linspace(0, wide, 7)
    boards = np.stack([edges[:-1] + 0.002, np.full(6, 0.01), edges[1:] - 0.002, np.full(6, top)], 1)
    image = textures.wood(rng, (420, 900), (0.45, 0.35, 0.25), 0.18, flaking=(0.29, 0.43, 0.43))
    leaf = blocks(plane, boards, rng, height=0.035, uneven=0.001, chamfer=0.006)
    straps = boxes((0.85, 0.012, 0.05), [left + 0.5], [y - 0.040], (0.4, 1.75))
    handle = hoop((left + 0.95, y - 0.055, 1.02), 0.06, 0.008, 8, upright=True)
    hinge = ball(0.025, 12).moved((left + 0.95, y - 0.045, 1.08))
    gray = textures.granite(rng, (512, 512), (0.55, 0.53, 0.49), 2.0)
    sides = (left - 0.1, left + u1 - u0 + 0.1)
    jambs = boxes((0.2, 0.20, 0.55 - 0.006), sides, [BACK - 0.02], [0.275 + 0.55 * k for k in range(4)], 0.008)
    lintel = box((wide + 0.6, 0.24, 0.26), (left + wide / 2, BACK - 0.03, top + 0.13 + 0.05), 0.01)
    step = box((wide + 0.3, 0.42, 0.11), (left + wide / 2, BACK - 0.20, 0.055), 0.012)
    yield part("door", [leaf, panel(plane, 0.004)], np.rot90(image).copy())
    yield part("door iron", [*straps, handle, hinge], textures.iron(rng, 256, IRON, 0.25), 0.5)
    yield part("door frame", [*jambs, lintel, step], gray, 0.7)


def window(rng: np.random.Generator) -> Parts:
    """A barred window with wooden shutters folded open and a stone sill."""
    u0, v0, u1, v1 = WINDOW
    left, right, wide, tall = -HALF_WIDTH + u0, -HALF_WIDTH + u1, u1 - u0, v1 - v0
    x, z = (left + right) / 2, (v0 + v1) / 2
    bars = [rod((x, BACK - 0.01, v0), (x, BACK - 0.01, v1), 0.009) for x in np.linspace(left + 0.1, right - 0.1, 7)]
    bars += [rod((left, BACK - 0.01, z), (right, BACK - 0.01, z), 0.009) for z in (v0 + 0.3, v1 - 0.3)]
    wood = []
    for edge, turn in ((left, 180 + 14), (right, -9)):
        boards = boxes((0.12, 0.028, tall + 0.04), [0.065 + 0.125 * k for k in range(4)], [-0.02], [0])
        braces = boxes((0.48, 0.02, 0.09), [0.255], [-0.045 if turn < 0 else 0.005], (-0.36, 0.36))
        wood.append(joined(boards + braces).moved((edge, BACK - 0.035, z), turn))
    wood += [box((0.05, 0.03, tall), (x, BACK + 0.13, z)), box((wide, 0.03, 0.05), (x, BACK + 0.13, v0 + 0.62))]
    green = textures.wood(rng, (640, 640), (0.46, 0.38, 0.29), 0.2, flaking=(0.28, 0.40, 0.32))
    sill = box((wide + 0.25, 0.24, 0.07), (x, BACK - 0.06, v0 - 0.035), 0.008)
    yield part("window pane", panel(upright((left, BACK + 0.15, v0), wide, tall)), (0.05, 0.06, 0.07), 0.12)
    yield part("window bars", bars, textures.iron(rng, 256, IRON, 0.3), 0.5, smooth=True)
    yield part("window wood", wood, green)
    yield part("window sill", sill, textures.granite(rng, (384, 384), (0.60, 0.58, 0.54), 1.8))


def posters(rng: np.random.Generator) -> Parts:
    """Two printed sheets on the plaster, their corners lifting."""
    sheets = (
        (
            "poster one",
            (4.55, 1.12),
            (0.72, 1.02),
            "DIPTYCH",
            (0.20, 0.36, 0.42),
            [
                "two panels, one frame",
                "the classical and the learned",
                "12 photographs, one courtyard",
                "from May to October",
            ],
        ),
        (
            "poster two",
            (5.50, 1.30),
            (0.52, 0.74),
            "CALIBRATIO",
            (0.62, 0.24, 0.16),
            [
                "focal length & principal point",
                "an evening of lenses",
                "doors open at 19:30",
                "entrance through the yard",
            ],
        ),
    )
    for name, (u, v), (width, height), title, ink, lines in sheets:
        plane = upright((-HALF_WIDTH + u, BACK, v), width, height)
        uu, vv = plane.grid(16, 12)
        lift = 0.003 + 0.05 * np.clip((uu / width - vv / height) - 0.55, 0, 1) ** 1.5
        lift += 0.0015 * (1 + np.sin(7 * uu / width + 3 * vv))
        image = textures.poster(rng, (round(height * 900), round(width * 900)), title, lines, ink)
        yield part(name, relief(plane, lift), image)


def limestone_wall(rng: np.random.Generator) -> Parts:
    """Rough-hewn limestone blocks on the right."""
    stones = courses(rng, RIGHT_WALL.size, (0.17, 0.33), (0.25, 0.65), 0.02)
    palette = [(0.72, 0.67, 0.57), (0.67, 0.61, 0.51), (0.76, 0.72, 0.64), (0.62, 0.58, 0.52)]
    texture = textures.masonry(
        rng, stones, RIGHT_WALL.size, 280, palette, (0.58, 0.54, 0.47), grain=0.12, spread=0.07, pits=0.03
    )
    wall = blocks(RIGHT_WALL, stones, rng, height=0.035, uneven=0.010, chamfer=0.022, relief=0.006, corners=5)
    yield part("limestone wall", [wall, panel(RIGHT_WALL, 0.008)], texture)


def coping(rng: np.random.Generator) -> Parts:
    """Clay barrel tiles along the top of the back wall, stone slabs on the others."""
    tiles = [_barrel_tile(rng, -HALF_WIDTH + 0.09 + 0.18 * k) for k in range(50)]
    slabs = [
        box((0.42, 0.70, 0.08), (side * (HALF_WIDTH + 0.12), y, top + 0.04 + rng.normal(0, 0.004)), 0.012)
        for side, top in ((-1, LEFT_WALL.height), (1, RIGHT_WALL.height))
        for y in np.arange(FRONT + 0.36, BACK - 0.1, 0.72)
    ]
    yield part("roof tiles", tiles, textures.clay(rng, (256, 256), (0.60, 0.41, 0.32)), smooth=True)
    yield part("eaves", box((2 * HALF_WIDTH, 0.60, 0.06), (0, BACK + 0.10, WALL)), (0.62, 0.57, 0.49))
    yield part("coping", slabs, textures.granite(rng, (384, 384), (0.57, 0.55, 0.51), 1.8))


def _barrel_tile(rng: np.random.Generator, x: float) -> Mesh:
    """One half-round tile that slopes towards the yard, a little out of line."""
    angle = np.linspace(0, np.pi, 9)
    radius = np.array([[0.098], [0.085]])
    y = np.array([[BACK - 0.22], [BACK + 0.35]])
    z = np.array([[WALL - 0.03], [WALL + 0.14]]) + radius * np.sin(angle)
    points = np.stack(np.broadcast_arrays(x - radius * np.cos(angle), y, z), -1)
    uv = np.broadcast_arrays(rng.random() + 0.05 * angle / np.pi, rng.random() + np.array([[0.0], [0.4]]))
    return lattice(points, np.stack(uv, -1)).moved((0, rng.normal(0, 0.012), rng.normal(0, 0.006)))
