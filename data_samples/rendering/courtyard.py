"""A small walled courtyard in the afternoon sun: brick, plaster and limestone around pots, iron and a marble knot.

The world is in metres, x to the right and y towards the back wall as one enters, z up; the floor is z = 0.
"""

from __future__ import annotations

import numpy as np

from . import textures
from .camera_path import Lens, walk
from .meshes import (
    Mesh,
    Plane,
    ball,
    blade,
    blocks,
    box,
    courses,
    joined,
    knot,
    lathe,
    lattice,
    leaves,
    panel,
    pierced,
    rod,
    tube,
    waves,
)  # fmt: skip
from .scene import Material, Part, SampleScene, Sky, plain

HALF_WIDTH, FRONT, BACK = 4.5, -2.5, 6.0
WALL = 3.1
LEFT_WALL = Plane((-HALF_WIDTH, FRONT, 0), (0, 1, 0), (0, 0, 1), BACK - FRONT, 2.6)
BACK_WALL = Plane((-HALF_WIDTH, BACK, 0), (1, 0, 0), (0, 0, 1), 2 * HALF_WIDTH, WALL)
RIGHT_WALL = Plane((HALF_WIDTH, BACK, 0), (0, -1, 0), (0, 0, 1), BACK - FRONT, 2.3)
FLOOR = Plane((-HALF_WIDTH, FRONT, 0), (1, 0, 0), (0, 1, 0), 2 * HALF_WIDTH, BACK - FRONT)

DOOR = (2.15, 0.0, 3.25, 2.15)
WINDOW = (6.75, 1.25, 7.75, 2.35)
DADO = 0.9
IRON = (0.13, 0.15, 0.15)
TERRACOTTA = (0.64, 0.41, 0.31)


def build(seed: int = 2) -> SampleScene:
    """The courtyard and a walk of twelve photos through it."""
    spawn = iter(np.random.default_rng(seed).spawn(32))
    parts = [
        *floor(next(spawn)), *brick_wall(next(spawn)), *ivy(next(spawn)), *back_wall(next(spawn)), *dado(next(spawn)),
        *door(next(spawn)), *window(next(spawn)), *posters(next(spawn)), *limestone_wall(next(spawn)),
        *coping(next(spawn)), *sculpture(next(spawn)), *chair(next(spawn)), *table(next(spawn)), *crates(next(spawn)),
        *pots(next(spawn)), *flower_bed(next(spawn)), *lamp_post(next(spawn)), *boulder(next(spawn)),
    ]  # fmt: skip
    low = np.linspace(-42.0, 42.0, 8)
    high = np.array([27.0, 9.0, -9.0, -27.0])
    views = walk(
        next(spawn), Lens(), target=(0.0, 3.7, 0.95),
        azimuths=[*low, *high],
        radii=[5.3, 5.2, 5.3, 5.4, 5.4, 5.3, 5.2, 5.3, 4.6, 4.4, 4.5, 4.6],
        heights=[1.45, 1.62, 1.5, 1.7, 1.55, 1.68, 1.5, 1.6, 2.35, 2.2, 2.4, 2.25],
    )  # fmt: skip
    sky = Sky(sun_direction=(0.42, -0.62, 0.80), sun_diameter=1.2, turbidity=3.2)
    return SampleScene("courtyard", tuple(parts), sky, views, exposure=5.0)


def floor(rng: np.random.Generator) -> list[Part]:
    """Worn flagstones on sand."""
    size = (FLOOR.width, FLOOR.height)
    slabs = courses(rng, size, (0.34, 0.52), (0.38, 0.85), 0.022)
    palette = [(0.58, 0.55, 0.50), (0.54, 0.52, 0.49), (0.61, 0.57, 0.51), (0.50, 0.49, 0.47)]
    texture = textures.masonry(rng, slabs, size, 280, palette, (0.40, 0.36, 0.29), grain=0.11, spread=0.07, stains=0.12)
    stones = blocks(FLOOR, slabs, rng, height=0.012, uneven=0.003, chamfer=0.012, relief=0.0022, corners=4)
    return [Part("floor", joined([stones, panel(FLOOR, 0.002)]), Material(texture))]


def brick_wall(rng: np.random.Generator) -> list[Part]:
    """Old hand-made bricks on the left, in running bond."""
    size = (LEFT_WALL.width, LEFT_WALL.height)
    bricks = courses(rng, size, (0.074, 0.078), (0.215, 0.24), 0.012, bond=True)
    palette = [(0.55, 0.33, 0.26), (0.60, 0.38, 0.30), (0.49, 0.29, 0.24), (0.64, 0.46, 0.37), (0.42, 0.29, 0.26)]
    texture = textures.masonry(rng, bricks, size, 340, palette, (0.66, 0.62, 0.55), grain=0.13, spread=0.13, pits=0.03)
    wall = blocks(LEFT_WALL, bricks, rng, height=0.010, uneven=0.004, chamfer=0.006, relief=0.001)
    return [Part("brick wall", joined([wall, panel(LEFT_WALL, 0.001)]), Material(texture))]


def ivy(rng: np.random.Generator) -> list[Part]:
    """Ivy that climbs the brick wall from the far corner."""
    count = 2400
    stems = rng.uniform(0, 1, (count, 2))
    along = 6.9 + 1.45 * (stems[:, 0] ** 0.6)
    up = 2.7 * stems[:, 1] * np.clip((along - 6.7) / 1.1, 0.12, 1)
    spot = np.stack([along, up, np.zeros(count)], 1)
    keep = waves(spot, 0.9, rng) + 1.3 * (along - 7.3) > -0.45
    lift = 0.03 + 0.09 * rng.random(count)
    positions = LEFT_WALL.at(along, up, lift)[keep]
    green = textures.foliage(rng, 256, (0.10, 0.20, 0.07), (0.34, 0.45, 0.17))
    mesh = leaves(positions, np.tile([1.0, -0.15, 0.25], (len(positions), 1)), 0.085, rng)
    return [Part("ivy", mesh, Material(green, roughness=0.5))]


def back_wall(rng: np.random.Generator) -> list[Part]:
    """Plain plaster with a door and a window let into it."""
    texture = textures.plaster(rng, (780, 2260), (0.84, 0.80, 0.72))
    return [Part("plaster", pierced(BACK_WALL, [DOOR, WINDOW], 0.16), Material(texture))]


def dado(rng: np.random.Generator) -> list[Part]:
    """Glazed tiles along the foot of the plaster, in single panes that do not lie quite flat."""
    parts = []
    side = 0.15
    rows = round(DADO / side)
    for name, (u0, u1) in {"left": (0.0, DOOR[0] - 0.2), "right": (DOOR[2] + 0.2, BACK_WALL.width)}.items():
        columns = round((u1 - u0) / side)
        plane = Plane((-HALF_WIDTH + u0, BACK, 0.0), (1, 0, 0), (0, 0, 1), u1 - u0, DADO)
        pitch = (u1 - u0) / columns
        u, v = np.meshgrid(np.arange(columns) * pitch, np.arange(rows) * side)
        panes = np.stack([u, v, u + pitch, v + side], -1).reshape(-1, 4) + np.array([1, 1, -1, -1]) * 0.001
        mesh = blocks(plane, panes, rng, height=0.012, uneven=0.0006, chamfer=0.003, relief=0.0004)
        material = Material(textures.tiles(rng, columns, rows, 56), roughness=0.28)
        parts.append(Part(f"tiles {name}", mesh, material))
        ledge = box((u1 - u0, 0.05, 0.035), (-HALF_WIDTH + (u0 + u1) / 2, BACK - 0.02, DADO + 0.0175))
        parts.append(Part(f"ledge {name}", ledge, Material(plain(0.20, 0.30, 0.50), roughness=0.35)))
    return parts


def door(rng: np.random.Generator) -> list[Part]:
    """A boarded door whose paint flakes, in a granite frame, with iron straps."""
    u0, _, u1, top = DOOR
    left, y = -HALF_WIDTH + u0, BACK + 0.10
    plane = Plane((left, y, 0.0), (1, 0, 0), (0, 0, 1), u1 - u0, top)
    edges = np.linspace(0, u1 - u0, 7)
    boards = np.stack([edges[:-1] + 0.002, np.full(6, 0.01), edges[1:] - 0.002, np.full(6, top)], 1)
    image = textures.wood(rng, (420, 900), (0.45, 0.35, 0.25), 0.18, flaking=(0.29, 0.43, 0.43))
    leaf = blocks(plane, boards, rng, height=0.035, uneven=0.001, chamfer=0.006)
    leaf = joined([leaf, panel(plane, 0.004)])
    straps = [box((0.85, 0.012, 0.05), (left + 0.5, y - 0.040, z)) for z in (0.4, 1.75)]
    ring = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    handle = np.stack([left + 0.95 + 0.06 * np.sin(ring), np.full(24, y - 0.055), 1.02 + 0.06 * np.cos(ring)], 1)
    ironwork = joined(
        [*straps, tube(handle, 0.008, 8, closed=True), ball(0.025, 12).moved((left + 0.95, y - 0.045, 1.08))]
    )
    grey = textures.granite(rng, (512, 512), (0.55, 0.53, 0.49), 2.0)
    jambs = [
        box((0.2, 0.20, 0.55 - 0.006), (x, BACK - 0.02, 0.275 + 0.55 * k), 0.008)
        for x in (left - 0.1, left + u1 - u0 + 0.1)
        for k in range(4)
    ]
    lintel = box((u1 - u0 + 0.6, 0.24, 0.26), (left + (u1 - u0) / 2, BACK - 0.03, top + 0.13 + 0.05), 0.01)
    step = box((u1 - u0 + 0.3, 0.42, 0.11), (left + (u1 - u0) / 2, BACK - 0.20, 0.055), 0.012)
    return [
        Part("door", leaf, Material(np.rot90(image).copy())),
        Part("door iron", ironwork, Material(textures.iron(rng, 256, IRON, 0.25), roughness=0.5)),
        Part("door frame", joined([*jambs, lintel, step]), Material(grey, roughness=0.7)),
    ]


def window(rng: np.random.Generator) -> list[Part]:
    """A barred window with wooden shutters folded open and a stone sill."""
    u0, v0, u1, v1 = WINDOW
    left, right = -HALF_WIDTH + u0, -HALF_WIDTH + u1
    pane = Plane((left, BACK + 0.15, v0), (1, 0, 0), (0, 0, 1), u1 - u0, v1 - v0)
    bars = [rod((x, BACK - 0.01, v0), (x, BACK - 0.01, v1), 0.009) for x in np.linspace(left + 0.1, right - 0.1, 7)]
    bars += [rod((left, BACK - 0.01, z), (right, BACK - 0.01, z), 0.009) for z in (v0 + 0.3, v1 - 0.3)]
    muntins = [
        box((0.05, 0.03, v1 - v0), ((left + right) / 2, BACK + 0.13, (v0 + v1) / 2)),
        box((u1 - u0, 0.03, 0.05), ((left + right) / 2, BACK + 0.13, v0 + 0.62)),
    ]
    shutters = []
    for edge, turn in ((left, 180 + 14), (right, -9)):
        boards = [box((0.12, 0.028, v1 - v0 + 0.04), (0.065 + 0.125 * k, -0.02, 0)) for k in range(4)]
        braces = [box((0.48, 0.02, 0.09), (0.255, -0.045 if turn < 0 else 0.005, z)) for z in (-0.36, 0.36)]
        shutters.append(joined(boards + braces).moved((edge, BACK - 0.035, (v0 + v1) / 2), turn))
    green = textures.wood(rng, (640, 640), (0.46, 0.38, 0.29), 0.2, flaking=(0.28, 0.40, 0.32))
    sill = box((u1 - u0 + 0.25, 0.24, 0.07), ((left + right) / 2, BACK - 0.06, v0 - 0.035), 0.008)
    return [
        Part("window pane", panel(pane), Material(plain(0.05, 0.06, 0.07), roughness=0.12)),
        Part("window bars", joined(bars), Material(textures.iron(rng, 256, IRON, 0.3), roughness=0.5), smooth=True),
        Part("window wood", joined(shutters + muntins), Material(green)),
        Part("window sill", sill, Material(textures.granite(rng, (384, 384), (0.60, 0.58, 0.54), 1.8))),
    ]


def posters(rng: np.random.Generator) -> list[Part]:
    """Two printed sheets on the plaster, their corners lifting."""
    sheets = (
        ("poster one", (4.55, 1.12), (0.72, 1.02), "DIPTYCH", (0.20, 0.36, 0.42),
         ["two panels, one frame", "the classical and the learned", "12 photographs, one courtyard",
          "from May to October"]),
        ("poster two", (5.50, 1.30), (0.52, 0.74), "CALIBRATIO", (0.62, 0.24, 0.16),
         ["focal length & principal point", "an evening of lenses", "doors open at 19:30",
          "entrance through the yard"]),
    )  # fmt: skip
    parts = []
    for name, (u, v), (width, height), title, ink, lines in sheets:
        plane = Plane((-HALF_WIDTH + u, BACK, v), (1, 0, 0), (0, 0, 1), width, height)
        vv, uu = np.meshgrid(np.linspace(0, height, 16), np.linspace(0, width, 12), indexing="ij")
        lift = 0.003 + 0.05 * np.clip((uu / width - vv / height) - 0.55, 0, 1) ** 1.5
        lift += 0.0015 * (1 + np.sin(7 * uu / width + 3 * vv))
        image = textures.poster(rng, (round(height * 900), round(width * 900)), title, lines, ink)
        parts.append(Part(name, lattice(plane.at(uu, vv, lift), plane.uv(uu, vv)), Material(image)))
    return parts


def limestone_wall(rng: np.random.Generator) -> list[Part]:
    """Rough-hewn limestone blocks on the right."""
    size = (RIGHT_WALL.width, RIGHT_WALL.height)
    stones = courses(rng, size, (0.17, 0.33), (0.25, 0.65), 0.02)
    palette = [(0.72, 0.67, 0.57), (0.67, 0.61, 0.51), (0.76, 0.72, 0.64), (0.62, 0.58, 0.52)]
    texture = textures.masonry(rng, stones, size, 280, palette, (0.58, 0.54, 0.47), grain=0.12, spread=0.07, pits=0.03)
    wall = blocks(RIGHT_WALL, stones, rng, height=0.035, uneven=0.010, chamfer=0.022, relief=0.006, corners=5)
    return [Part("limestone wall", joined([wall, panel(RIGHT_WALL, 0.008)]), Material(texture))]


def coping(rng: np.random.Generator) -> list[Part]:
    """Clay barrel tiles along the top of the back wall, stone slabs on the others."""
    angle = np.linspace(0, np.pi, 9)
    tiles = []
    for k in range(50):
        x = -HALF_WIDTH + 0.09 + 0.18 * k
        radius = np.array([0.098, 0.085])[:, None] * np.ones(9)
        y = np.array([BACK - 0.22, BACK + 0.35])[:, None] * np.ones(9)
        z = np.array([WALL - 0.03, WALL + 0.14])[:, None] + radius * np.sin(angle)
        points = np.stack([x - radius * np.cos(angle), y, z], -1)
        uv = np.stack(
            np.broadcast_arrays(rng.random() + 0.05 * angle / np.pi, rng.random() + np.array([[0.0], [0.4]])), -1
        )
        tiles.append(lattice(points, uv).moved((0, rng.normal(0, 0.012), rng.normal(0, 0.006))))
    under = box((2 * HALF_WIDTH, 0.60, 0.06), (0, BACK + 0.10, WALL))
    slabs = [
        box((0.42, 0.70, 0.08), (side * (HALF_WIDTH + 0.12), y, top + 0.04 + rng.normal(0, 0.004)), 0.012)
        for side, top in ((-1, LEFT_WALL.height), (1, RIGHT_WALL.height))
        for y in np.arange(FRONT + 0.36, BACK - 0.1, 0.72)
    ]
    red = textures.clay(rng, (256, 256), (0.60, 0.41, 0.32))
    return [
        Part("roof tiles", joined(tiles), Material(red), smooth=True),
        Part("eaves", under, Material(plain(0.62, 0.57, 0.49))),
        Part("coping", joined(slabs), Material(textures.granite(rng, (384, 384), (0.57, 0.55, 0.51), 1.8))),
    ]


def sculpture(rng: np.random.Generator) -> list[Part]:
    """A trefoil knot of veined marble on a speckled granite plinth."""
    x, y = 0.45, 3.55
    veins = np.abs(textures.fractal(rng, (512, 1024), 260.0, 6, 0.6))
    marble = textures.paint((0.74, 0.72, 0.68), 0.06 * textures.fractal(rng, (512, 1024), 120.0))
    marble = textures.finish(textures.mix(marble, (0.40, 0.38, 0.39), 0.9 - 5.0 * veins))
    trefoil = knot(0.36, 0.082).moved((x, y, 0.862), 25)
    plinth = joined(
        [box((0.56, 0.56, 0.10), (x, y, 0.06), 0.010), box((0.42, 0.42, 0.68), (x, y, 0.45), 0.008),
         box((0.52, 0.52, 0.08), (x, y, 0.83), 0.010)]
    )  # fmt: skip
    grey = textures.granite(rng, (512, 512), (0.53, 0.52, 0.50), 2.2)
    return [
        Part("knot", trefoil, Material(marble, roughness=0.3), smooth=True),
        Part("plinth", plinth, Material(grey, roughness=0.6)),
    ]


def chair(rng: np.random.Generator) -> list[Part]:
    """A folding bistro chair: thin iron legs, ash slats."""
    iron, slats = [], []
    for side in (-0.20, 0.20):
        iron.append(rod((side, -0.24, 0.0), (side, 0.19, 0.88), 0.010))
        iron.append(rod((side * 0.92, 0.24, 0.0), (side * 0.92, -0.19, 0.455), 0.010))
    iron += [rod((-0.2, y, z), (0.2, y, z), 0.007) for y, z in ((-0.176, 0.13), (0.165, 0.13), (-0.17, 0.445))]
    slats += [box((0.42, 0.052, 0.016), (0, -0.17 + 0.064 * k, 0.468 - 0.002 * k), 0.004) for k in range(6)]
    slats += [box((0.42, 0.014, 0.055), (0, 0.125 + 0.045 * k, 0.70 + 0.085 * k), 0.004) for k in range(2)]
    oak = textures.wood(rng, (640, 640), (0.62, 0.49, 0.36), 0.16)
    paint = textures.iron(rng, 256, (0.16, 0.24, 0.22), 0.12)
    place, turn = (-1.85, 2.75, 0.013), 118.0
    return [
        Part("chair iron", joined(iron).moved(place, turn), Material(paint, roughness=0.4), smooth=True),
        Part("chair slats", joined(slats).moved(place, turn), Material(oak, roughness=0.6)),
    ]


def table(rng: np.random.Generator) -> list[Part]:
    """A mosaic table on three bent legs with a jug and a bowl of lemons."""
    place = (-1.05, 3.05, 0.013)
    t = np.linspace(0, 1, 14)
    legs = []
    for turn in (20, 140, 260):
        reach = 0.30 - 0.24 * np.sin(np.pi * t) * (1 - 0.2 * t)
        legs.append(tube(np.stack([reach, 0 * t, 0.70 * t], 1), 0.011, 8).moved(turn=turn))
    ring = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    legs.append(tube(np.stack([0.36 * np.cos(ring), 0.36 * np.sin(ring), 0 * ring + 0.70], 1), 0.012, 8, closed=True))
    angle = np.linspace(0, 2 * np.pi, 49)
    radius = np.array([0.0, 0.345, 0.358, 0.362])[:, None]
    height = np.array([0.724, 0.724, 0.720, 0.69])[:, None]
    points = np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), height), -1)
    uv = 0.5 + 0.5 * points[..., :2] / 0.362
    top = lattice(points[::-1], uv[::-1])
    palette = [(0.16, 0.40, 0.48), (0.83, 0.80, 0.70), (0.80, 0.56, 0.20), (0.62, 0.24, 0.16), (0.30, 0.52, 0.42)]
    jug = lathe(
        [(0.0, 0.0), (0.055, 0.0), (0.085, 0.07), (0.08, 0.14), (0.042, 0.21), (0.05, 0.26),
         (0.046, 0.258), (0.036, 0.20), (0.0, 0.05)], 32, 36,
    ).moved((0.10, 0.12, 0.724))  # fmt: skip
    grip = np.linspace(-0.9, 1.3, 14)
    handle = np.stack([0.045 + 0.062 * np.cos(grip), 0 * grip, 0.16 + 0.075 * np.sin(grip)], 1)
    jug = joined([jug, tube(handle, 0.009, 8).moved((0.10, 0.12, 0.724), 200)])
    glaze = textures.clay(rng, (256, 512), (0.72, 0.70, 0.62))
    glaze[90:120] = (glaze[90:120] * (0.30, 0.42, 0.72)).astype(np.uint8)
    glaze[60:68] = (glaze[60:68] * (0.30, 0.42, 0.72)).astype(np.uint8)
    bowl = lathe(
        [
            (0.0, 0.0),
            (0.05, 0.0),
            (0.06, 0.012),
            (0.12, 0.06),
            (0.145, 0.085),
            (0.138, 0.085),
            (0.11, 0.06),
            (0.0, 0.022),
        ],
        36,
        24,
    )
    fruit = []
    for x, y, z in ((0.0, 0.045, 0.062), (-0.045, -0.035, 0.062), (0.05, -0.03, 0.064), (0.005, -0.002, 0.105)):
        lemon = ball(0.034, 20)
        stretch = 1 + 0.28 * (np.abs(lemon.vertices[:, :1]) / 0.034) ** 3
        lemon = Mesh(lemon.vertices * np.concatenate([stretch, np.ones((len(stretch), 2))], 1), lemon.faces, lemon.uv)
        lemon = lemon.displaced(0.0006 * waves(lemon.vertices, 0.02, rng))
        fruit.append(lemon.moved((x, y, z), rng.uniform(0, 360)))
    yellow = textures.finish(textures.paint((0.90, 0.74, 0.16), 0.06 * textures.fractal(rng, (64, 64), 20.0)))
    on_table = (place[0] - 0.10, place[1] - 0.10, place[2] + 0.724)
    shine = Material(glaze, roughness=0.25)
    return [
        Part(
            "table legs",
            joined(legs).moved(place),
            Material(textures.iron(rng, 256, IRON, 0.15), roughness=0.45),
            smooth=True,
        ),
        Part("table top", top.moved(place, 10), Material(textures.mosaic(rng, 700, 420, palette), roughness=0.3)),
        Part("jug", jug.moved(place), shine, smooth=True),
        Part(
            "bowl",
            bowl.moved(on_table),
            Material(textures.clay(rng, (128, 256), (0.30, 0.45, 0.55)), roughness=0.3),
            smooth=True,
        ),
        Part("lemons", joined(fruit).moved(on_table), Material(yellow, roughness=0.5), smooth=True),
    ]


def crates(rng: np.random.Generator) -> list[Part]:
    """Stacked fruit crates, open between their slats, and a barrel."""

    def crate(width: float, depth: float, height: float) -> Mesh:
        posts = [
            box((0.04, 0.04, height), (x, y, height / 2))
            for x in (-width / 2 + 0.03, width / 2 - 0.03)
            for y in (-depth / 2 + 0.03, depth / 2 - 0.03)
        ]
        rows = np.linspace(0.055, height - 0.05, 3)
        long = [box((width, 0.014, 0.082), (0, y, z)) for y in (-depth / 2, depth / 2) for z in rows]
        short = [
            box((0.014, depth - 0.016, 0.082), (x, 0, z)) for x in (-width / 2 + 0.008, width / 2 - 0.008) for z in rows
        ]
        floor_boards = [
            box((width - 0.03, 0.085, 0.012), (0, y, 0.02)) for y in np.linspace(-depth / 2 + 0.07, depth / 2 - 0.07, 4)
        ]
        return joined(posts + long + short + floor_boards)

    stack = [
        crate(0.62, 0.42, 0.30).moved((2.55, 4.25, 0.013), -24),
        crate(0.62, 0.42, 0.30).moved((2.52, 4.28, 0.315), -10),
        crate(0.50, 0.36, 0.26).moved((3.30, 3.55, 0.013), 38),
    ]
    pine = textures.wood(rng, (640, 640), (0.62, 0.52, 0.40), 0.18)
    staves = np.rot90(textures.wood(rng, (1400, 512), (0.43, 0.31, 0.21), 0.22)).copy()
    staves[:, ::78] = (staves[:, ::78] * 0.35).astype(np.uint8)
    staves[:, 1::78] = (staves[:, 1::78] * 0.45).astype(np.uint8)
    barrel = lathe(
        [
            (0.25, 0.0),
            (0.285, 0.2),
            (0.305, 0.42),
            (0.285, 0.64),
            (0.25, 0.84),
            (0.238, 0.84),
            (0.236, 0.80),
            (0.0, 0.80),
        ],
        40,
        32,
    )
    hoops = []
    ring = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    for z, r in ((0.05, 0.263), (0.22, 0.290), (0.62, 0.290), (0.79, 0.263)):
        wheel = np.stack([r * np.cos(ring), r * np.sin(ring), 0 * ring + z], 1)
        hoops.append(tube(wheel, 0.008, 6, closed=True))
    at = (3.35, 4.75, 0.013)
    return [
        Part("crates", joined(stack), Material(pine)),
        Part("barrel", barrel.moved(at), Material(staves, roughness=0.7), smooth=True),
        Part(
            "hoops",
            joined(hoops).moved(at),
            Material(textures.iron(rng, 256, (0.2, 0.19, 0.18), 0.5), roughness=0.5),
            smooth=True,
        ),
    ]


def pots(rng: np.random.Generator) -> list[Part]:
    """Terracotta pots with agaves, and an amphora by the door."""
    pot = lathe(
        [(0.0, 0.0), (0.15, 0.0), (0.20, 0.22), (0.235, 0.36), (0.262, 0.365), (0.262, 0.42), (0.232, 0.42),
         (0.225, 0.37), (0.0, 0.36)],
        40, 32,
    )  # fmt: skip
    amphora = lathe(
        [(0.0, 0.0), (0.10, 0.0), (0.19, 0.22), (0.235, 0.46), (0.17, 0.70), (0.085, 0.82), (0.10, 0.93), (0.088, 0.93),
         (0.07, 0.82), (0.0, 0.6)],
        40, 40,
    )  # fmt: skip
    amphora = amphora.displaced(0.002 * waves(amphora.vertices, 0.15, rng))
    s = np.linspace(0, 1, 16)
    arc = np.stack([0.085 + 0.10 * np.sin(np.pi * s) + 0.09 * (1 - s), 0 * s, 0.66 + 0.20 * s], 1)
    amphora = joined([amphora, tube(arc, 0.014, 8).moved(turn=15), tube(arc, 0.014, 8).moved(turn=195)])
    clay = textures.clay(rng, (384, 768), TERRACOTTA)
    agave_places = (((1.95, 2.35, 0.013), 0.86), ((1.02, 5.45, 0.013), 1.05), ((3.85, 5.45, 0.013), 1.2))
    plants = []
    for (x, y, z), scale in agave_places:
        for k in range(26):
            droop = 0.15 + 1.15 * k / 26 + rng.normal(0, 0.06)
            one = blade((0.50 + 0.12 * rng.random()) * scale, 0.042 * scale, droop)
            plants.append(one.moved((x, y, z + 0.36 * scale), k * 137.5 + rng.normal(0, 6)))
    green = textures.foliage(rng, 256, (0.24, 0.36, 0.28), (0.46, 0.56, 0.42))
    green[:, :14] = green[:, -14:] = (205, 196, 130)
    return [
        Part(
            "pots",
            joined([pot.moved(at, 40 * k, scale) for k, (at, scale) in enumerate(agave_places)]),
            Material(clay),
            smooth=True,
        ),
        Part("agaves", joined(plants), Material(green, roughness=0.45), smooth=True),
        Part(
            "amphora",
            amphora.moved((-0.55, 5.35, 0.013), 30),
            Material(textures.clay(rng, (512, 768), (0.68, 0.52, 0.41))),
            smooth=True,
        ),
    ]


def flower_bed(rng: np.random.Generator) -> list[Part]:
    """A raised bed at the left with bushes, behind an iron railing on its kerb."""
    x0, x1, y0, y1, rim = -HALF_WIDTH + 0.02, -2.75, 2.35, 5.05, 0.34
    kerb = [
        *(box((0.20, 0.445, rim), (x1, y, rim / 2), 0.012) for y in np.arange(y0 + 0.225, y1, 0.45)),
        *(
            box((0.426, 0.20, rim), (x, y, rim / 2), 0.012)
            for y in (y0 - 0.1, y1 + 0.1)
            for x in np.arange(x0 + 0.2, x1, 0.43)
        ),
    ]
    gravel = textures.granite(rng, (512, 512), (0.30, 0.24, 0.18), 2.5)
    v, u = np.meshgrid(np.linspace(y0, y1, 28), np.linspace(x0, x1, 20), indexing="ij")
    ground = np.stack([u, v, np.full_like(u, rim - 0.05)], -1)
    ground[..., 2] += 0.018 * waves(ground.reshape(-1, 3), 0.35, rng).reshape(u.shape)
    soil = lattice(ground, np.stack([u, v], -1) * 0.8)
    greens = []
    for x, y, z, r, count in (
        (-3.75, 3.0, 0.62, 0.36, 620),
        (-3.45, 4.1, 0.66, 0.42, 780),
        (-4.05, 4.65, 0.75, 0.42, 620),
    ):
        out = rng.standard_normal((count, 3))
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        reach = r * (0.72 + 0.30 * rng.random(count) ** 0.5 + 0.10 * waves(out, 0.8, rng))
        greens.append(leaves(np.array([x, y, z]) + out * reach[:, None] * (1.0, 1.0, 0.85), out, 0.075, rng))
    posts = np.arange(y0, y1 + 0.01, 0.15)
    rails = [rod((x1, y0 - 0.02, z), (x1, y1 + 0.02, z), 0.012) for z in (rim + 0.08, rim + 0.62)]
    rails += [rod((x1, y, rim - 0.01), (x1, y, rim + 0.70), 0.0075) for y in posts]
    knobs = [ball(0.02, 10).moved((x1, y, rim + 0.71)) for y in posts[::3]]
    stone = textures.granite(rng, (512, 512), (0.60, 0.57, 0.51), 2.0)
    leaf = textures.foliage(rng, 256, (0.15, 0.24, 0.08), (0.42, 0.50, 0.20))
    return [
        Part("kerb", joined(kerb), Material(stone)),
        Part("soil", soil, Material(gravel)),
        Part("bushes", joined(greens), Material(leaf, roughness=0.55)),
        Part(
            "railing", joined(rails + knobs), Material(textures.iron(rng, 256, IRON, 0.2), roughness=0.4), smooth=True
        ),
    ]


def lamp_post(rng: np.random.Generator) -> list[Part]:
    """A slender cast-iron lamp post in front of everything, with a cable of bulbs to the back wall."""
    at = (0.84, 0.85, 0.013)
    shaft = lathe(
        [(0.0, 0.0), (0.13, 0.0), (0.13, 0.05), (0.09, 0.09), (0.075, 0.24), (0.045, 0.32), (0.034, 0.40), (0.030, 1.4),
         (0.042, 1.44), (0.028, 1.48), (0.026, 2.55), (0.05, 2.62), (0.0, 2.66)], 20, 60,
    ).moved(at)  # fmt: skip
    cables, bulbs = [], []
    start = np.array([at[0], at[1], 2.6])
    for end in (np.array([-2.9, BACK - 0.05, 2.75]), np.array([3.4, BACK - 0.05, 2.85])):
        s = np.linspace(0, 1, 40)[:, None]
        line = start + s * (end - start) - np.array([0, 0, 0.9]) * (s * (1 - s))
        cables.append(tube(line, 0.006, 6))
        for k in range(4, 38, 5):
            bulbs.append(ball(0.035, 12).moved(line[k] - (0, 0, 0.075)))
            cables.append(rod(line[k], line[k] - (0, 0, 0.05), 0.014))
    paint = textures.iron(rng, 512, (0.12, 0.19, 0.17), 0.10)
    return [
        Part("lamp post", shaft, Material(paint, roughness=0.4), smooth=True),
        Part("cables", joined(cables), Material(plain(0.08, 0.08, 0.08))),
        Part("bulbs", joined(bulbs), Material(plain(0.90, 0.86, 0.74), roughness=0.15), smooth=True),
    ]


def boulder(rng: np.random.Generator) -> list[Part]:
    """A weathered boulder with two pebbles, as free as form gets."""
    rocks = []
    for (x, y), radius, flat in (((1.66, 4.55), 0.33, 0.75), ((1.22, 4.22), 0.12, 0.65), ((2.0, 4.95), 0.17, 0.7)):
        rock = ball(radius, 48 if radius > 0.3 else 24)
        rock = rock.displaced(
            radius * (0.16 * waves(rock.vertices, 1.6 * radius, rng) + 0.035 * waves(rock.vertices, 0.4 * radius, rng))
        )
        rock = Mesh(rock.vertices * (1.15, 0.95, flat), rock.faces, rock.uv)
        rocks.append(rock.moved((x, y, 0.62 * radius * flat), rng.uniform(0, 360)))
    stone = textures.granite(rng, (512, 1024), (0.52, 0.50, 0.47), 1.8)
    moss = np.clip(textures.fractal(rng, (512, 1024), 200.0) - 0.6, 0, 1)
    stone = textures.finish(textures.mix(stone / 255.0, (0.36, 0.38, 0.18), 0.7 * moss))
    return [Part("boulder", joined(rocks), Material(stone), smooth=True)]
