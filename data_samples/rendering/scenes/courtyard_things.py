"""Furniture, plants and rocks of the courtyard."""

from __future__ import annotations

import numpy as np

from ..modeling import textures
from ..modeling.meshes import Mesh, directions, joined, lattice, waves
from ..modeling.plants import blade, leaves
from ..modeling.shapes import ball, box, boxes, hoop, lathe, rod, tube
from ..scene import Parts, part

HALF_WIDTH, BACK = 4.5, 6.0
IRON = (0.13, 0.15, 0.15)


def sculpture(rng: np.random.Generator) -> Parts:
    """A trefoil knot of veined marble on a speckled granite plinth."""
    x, y = 0.45, 3.55
    veins = np.abs(textures.fractal(rng, (512, 1024), 260.0, 6, 0.6))
    marble = textures.paint((0.74, 0.72, 0.68), 0.06 * textures.fractal(rng, (512, 1024), 120.0))
    marble = textures.finish(textures.mix(marble, (0.40, 0.38, 0.39), 0.9 - 5.0 * veins))
    plinth = [
        box((wide, wide, tall), (x, y, z), chamfer)
        for wide, tall, z, chamfer in ((0.56, 0.10, 0.06, 0.010), (0.42, 0.68, 0.45, 0.008), (0.52, 0.08, 0.83, 0.010))
    ]
    gray = textures.granite(rng, (512, 512), (0.53, 0.52, 0.50), 2.2)
    yield part("knot", _trefoil(0.36, 0.082).moved((x, y, 0.862), 25), marble, 0.3, smooth=True)
    yield part("plinth", plinth, gray, 0.6)


def _trefoil(radius: float, thickness: float) -> Mesh:
    """A trefoil knot standing upright on z = 0, as a closed tube that swells and thins."""
    t = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    path = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.sin(3 * t) * 0.9, np.cos(t) - 2 * np.cos(2 * t)], axis=1)
    mesh = tube(radius / 3 * path, thickness * (1 + 0.25 * np.cos(3 * t)), 20, closed=True)
    return mesh.moved((0, 0, -mesh.vertices[:, 2].min()))


def chair(rng: np.random.Generator) -> Parts:
    """A folding bistro chair: thin iron legs, ash slats."""
    iron = []
    for side in (-0.20, 0.20):
        iron.append(rod((side, -0.24, 0.0), (side, 0.19, 0.88), 0.010))
        iron.append(rod((side * 0.92, 0.24, 0.0), (side * 0.92, -0.19, 0.455), 0.010))
    iron += [rod((-0.2, y, z), (0.2, y, z), 0.007) for y, z in ((-0.176, 0.13), (0.165, 0.13), (-0.17, 0.445))]
    slats = [box((0.42, 0.052, 0.016), (0, -0.17 + 0.064 * k, 0.468 - 0.002 * k), 0.004) for k in range(6)]
    slats += [box((0.42, 0.014, 0.055), (0, 0.125 + 0.045 * k, 0.70 + 0.085 * k), 0.004) for k in range(2)]
    ash = textures.wood(rng, (640, 640), (0.62, 0.49, 0.36), 0.16)
    paint = textures.iron(rng, 256, (0.16, 0.24, 0.22), 0.12)
    place = (-1.85, 2.75, 0.013), 118.0
    yield part("chair iron", joined(iron).moved(*place), paint, 0.4, smooth=True)
    yield part("chair slats", joined(slats).moved(*place), ash, 0.6)


def table(rng: np.random.Generator) -> Parts:
    """A mosaic table on three bent legs with a jug and a bowl of lemons."""
    place, on_table = (-1.05, 3.05, 0.013), (-1.05 - 0.10, 3.05 - 0.10, 0.013 + 0.724)
    t = np.linspace(0, 1, 14)
    leg = tube(np.stack([0.30 - 0.24 * np.sin(np.pi * t) * (1 - 0.2 * t), 0 * t, 0.70 * t], 1), 0.011, 8)
    legs = [*(leg.moved(turn=turn) for turn in (20, 140, 260)), hoop((0, 0, 0.70), 0.36, 0.012, 8, 40)]
    palette = [(0.16, 0.40, 0.48), (0.83, 0.80, 0.70), (0.80, 0.56, 0.20), (0.62, 0.24, 0.16), (0.30, 0.52, 0.42)]
    glaze = textures.clay(rng, (256, 512), (0.72, 0.70, 0.62))
    for band in (glaze[90:120], glaze[60:68]):
        band[:] = (band * (0.30, 0.42, 0.72)).astype(np.uint8)
    bowl = lathe([0, 0.05, 0.06, 0.12, 0.145, 0.138, 0.11, 0], [0, 0, 0.012, 0.06, 0.085, 0.085, 0.06, 0.022], 36, 24)
    lemons = [
        _lemon(rng).moved(at, rng.uniform(0, 360))
        for at in ((0.0, 0.045, 0.062), (-0.045, -0.035, 0.062), (0.05, -0.03, 0.064), (0.005, -0.002, 0.105))
    ]
    yellow = textures.mottled(rng, (64, 64), (0.90, 0.74, 0.16), (0.06, 20.0))
    rust, mosaic = textures.iron(rng, 256, IRON, 0.15), textures.mosaic(rng, 700, 420, palette)
    blue = textures.clay(rng, (128, 256), (0.30, 0.45, 0.55))
    yield part("table legs", joined(legs).moved(place), rust, 0.45, smooth=True)
    yield part("table top", _table_top().moved(place, 10), mosaic, 0.3)
    yield part("jug", _jug().moved(place), glaze, 0.25, smooth=True)
    yield part("bowl", bowl.moved(on_table), blue, 0.3, smooth=True)
    yield part("lemons", joined(lemons).moved(on_table), yellow, 0.5, smooth=True)


def _table_top() -> Mesh:
    """A round top with a rounded edge, its texture seen from above."""
    angle = np.linspace(0, 2 * np.pi, 49)
    radius = np.array([0.0, 0.345, 0.358, 0.362])[:, None]
    height = np.array([0.724, 0.724, 0.720, 0.69])[:, None]
    points = np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), height), -1)[::-1]
    return lattice(points, 0.5 + 0.5 * points[..., :2] / 0.362)


def _jug() -> Mesh:
    """A jug with its handle, on the table."""
    jug = lathe(
        [0, 0.055, 0.085, 0.08, 0.042, 0.05, 0.046, 0.036, 0], [0, 0, 0.07, 0.14, 0.21, 0.26, 0.258, 0.20, 0.05], 32, 36
    )
    grip = np.linspace(-0.9, 1.3, 14)
    handle = np.stack([0.045 + 0.062 * np.cos(grip), 0 * grip, 0.16 + 0.075 * np.sin(grip)], 1)
    at = (0.10, 0.12, 0.724)
    return joined([jug.moved(at), tube(handle, 0.009, 8).moved(at, 200)])


def _lemon(rng: np.random.Generator) -> Mesh:
    """A ball with pointed ends along x and an uneven skin."""
    lemon = ball(0.034, 20)
    x, y, z = lemon.vertices.T
    lemon = Mesh(np.stack([x * (1 + 0.28 * (np.abs(x) / 0.034) ** 3), y, z], 1), lemon.faces, lemon.uv)
    return lemon.displaced(0.0006 * waves(lemon.vertices, 0.02, rng))


def crates(rng: np.random.Generator) -> Parts:
    """Stacked fruit crates, open between their slats, and a barrel."""
    stack = [
        _crate(0.62, 0.42, 0.30).moved((2.55, 4.25, 0.013), -24),
        _crate(0.62, 0.42, 0.30).moved((2.52, 4.28, 0.315), -10),
        _crate(0.50, 0.36, 0.26).moved((3.30, 3.55, 0.013), 38),
    ]
    pine = textures.wood(rng, (640, 640), (0.62, 0.52, 0.40), 0.18)
    staves = np.rot90(textures.wood(rng, (1400, 512), (0.43, 0.31, 0.21), 0.22)).copy()
    staves[:, ::78] = (staves[:, ::78] * 0.35).astype(np.uint8)
    staves[:, 1::78] = (staves[:, 1::78] * 0.45).astype(np.uint8)
    barrel = lathe(
        [0.25, 0.285, 0.305, 0.285, 0.25, 0.238, 0.236, 0], [0, 0.2, 0.42, 0.64, 0.84, 0.84, 0.80, 0.80], 40, 32
    )
    rings = ((0.05, 0.263), (0.22, 0.290), (0.62, 0.290), (0.79, 0.263))
    hoops = [hoop((0, 0, z), radius, 0.008, 6, 48) for z, radius in rings]
    at = (3.35, 4.75, 0.013)
    yield part("crates", stack, pine)
    yield part("barrel", barrel.moved(at), staves, 0.7, smooth=True)
    yield part("hoops", joined(hoops).moved(at), textures.iron(rng, 256, (0.2, 0.19, 0.18), 0.5), 0.5, smooth=True)


def _crate(width: float, depth: float, height: float) -> Mesh:
    """Corner posts, three slats a side, and a bottom of four boards."""
    x, y = width / 2, depth / 2
    rows = np.linspace(0.055, height - 0.05, 3)
    posts = boxes((0.04, 0.04, height), (-x + 0.03, x - 0.03), (-y + 0.03, y - 0.03), [height / 2])
    long = boxes((width, 0.014, 0.082), [0], (-y, y), rows)
    short = boxes((0.014, depth - 0.016, 0.082), (-x + 0.008, x - 0.008), [0], rows)
    bottom = boxes((width - 0.03, 0.085, 0.012), [0], np.linspace(-y + 0.07, y - 0.07, 4), [0.02])
    return joined(posts + long + short + bottom)


def lamp_post(rng: np.random.Generator) -> Parts:
    """A slender cast-iron lamp post in front of everything, with a cable of bulbs to the back wall."""
    at = (0.84, 0.85, 0.013)
    shaft = lathe(
        [0, 0.13, 0.13, 0.09, 0.075, 0.045, 0.034, 0.030, 0.042, 0.028, 0.026, 0.05, 0],
        [0, 0, 0.05, 0.09, 0.24, 0.32, 0.40, 1.4, 1.44, 1.48, 2.55, 2.62, 2.66],
        20,
        60,
    ).moved(at)
    cables, bulbs = [], []
    start, s = np.array([at[0], at[1], 2.6]), np.linspace(0, 1, 40)[:, None]
    for end in ((-2.9, BACK - 0.05, 2.75), (3.4, BACK - 0.05, 2.85)):
        line = start + s * (np.array(end) - start) - np.array([0, 0, 0.9]) * (s * (1 - s))
        cables.append(tube(line, 0.006, 6))
        bulbs += [ball(0.035, 12).moved(point - (0, 0, 0.075)) for point in line[4:38:5]]
        cables += [rod(point, point - (0, 0, 0.05), 0.014) for point in line[4:38:5]]
    yield part("lamp post", shaft, textures.iron(rng, 512, (0.12, 0.19, 0.17), 0.10), 0.4, smooth=True)
    yield part("cables", cables, (0.08, 0.08, 0.08))
    yield part("bulbs", bulbs, (0.90, 0.86, 0.74), 0.15, smooth=True)


def pots(rng: np.random.Generator) -> Parts:
    """Terracotta pots with agaves, and an amphora by the door."""
    pot = lathe(
        [0, 0.15, 0.20, 0.235, 0.262, 0.262, 0.232, 0.225, 0], [0, 0, 0.22, 0.36, 0.365, 0.42, 0.42, 0.37, 0.36], 40, 32
    )
    amphora = lathe(
        [0, 0.10, 0.19, 0.235, 0.17, 0.085, 0.10, 0.088, 0.07, 0],
        [0, 0, 0.22, 0.46, 0.70, 0.82, 0.93, 0.93, 0.82, 0.6],
        40,
        40,
    )
    amphora = amphora.displaced(0.002 * waves(amphora.vertices, 0.15, rng))
    s = np.linspace(0, 1, 16)
    arc = np.stack([0.085 + 0.10 * np.sin(np.pi * s) + 0.09 * (1 - s), 0 * s, 0.66 + 0.20 * s], 1)
    amphora = joined([amphora, *(tube(arc, 0.014, 8).moved(turn=turn) for turn in (15, 195))])
    clay = textures.clay(rng, (384, 768), (0.64, 0.41, 0.31))
    places = (((1.95, 2.35, 0.013), 0.86), ((1.02, 5.45, 0.013), 1.05), ((3.85, 5.45, 0.013), 1.2))
    agaves = []
    for (x, y, z), scale in places:
        for k in range(26):
            droop = 0.15 + 1.15 * k / 26 + rng.normal(0, 0.06)
            one = blade((0.50 + 0.12 * rng.random()) * scale, 0.042 * scale, droop)
            agaves.append(one.moved((x, y, z + 0.36 * scale), k * 137.5 + rng.normal(0, 6)))
    green = textures.foliage(rng, 256, (0.24, 0.36, 0.28), (0.46, 0.56, 0.42))
    green[:, :14] = green[:, -14:] = (205, 196, 130)
    pale = textures.clay(rng, (512, 768), (0.68, 0.52, 0.41))
    yield part("pots", [pot.moved(at, 40 * k, scale) for k, (at, scale) in enumerate(places)], clay, smooth=True)
    yield part("agaves", agaves, green, 0.45, smooth=True)
    yield part("amphora", amphora.moved((-0.55, 5.35, 0.013), 30), pale, smooth=True)


def flower_bed(rng: np.random.Generator) -> Parts:
    """A raised bed at the left with bushes, behind an iron railing on its kerb."""
    x0, x1, y0, y1, rim = -HALF_WIDTH + 0.02, -2.75, 2.35, 5.05, 0.34
    kerb = boxes((0.20, 0.445, rim), [x1], np.arange(y0 + 0.225, y1, 0.45), [rim / 2], 0.012)
    for y in (y0 - 0.1, y1 + 0.1):
        kerb += boxes((0.426, 0.20, rim), np.arange(x0 + 0.2, x1, 0.43), [y], [rim / 2], 0.012)
    gravel = textures.granite(rng, (512, 512), (0.30, 0.24, 0.18), 2.5)
    v, u = np.meshgrid(np.linspace(y0, y1, 28), np.linspace(x0, x1, 20), indexing="ij")
    ground = np.stack([u, v, np.full_like(u, rim - 0.05)], -1)
    ground[..., 2] += 0.018 * waves(ground, 0.35, rng)
    soil = lattice(ground, np.stack([u, v], -1) * 0.8)
    bushes = []
    for *center, r, count in (
        (-3.75, 3.0, 0.62, 0.36, 620),
        (-3.45, 4.1, 0.66, 0.42, 780),
        (-4.05, 4.65, 0.75, 0.42, 620),
    ):
        out = directions(rng, count)
        reach = r * (0.72 + 0.30 * rng.random(count) ** 0.5 + 0.10 * waves(out, 0.8, rng))
        bushes.append(leaves(np.array(center) + out * reach[:, None] * (1.0, 1.0, 0.85), out, 0.075, rng))
    posts = np.arange(y0, y1 + 0.01, 0.15)
    railing = [rod((x1, y0 - 0.02, z), (x1, y1 + 0.02, z), 0.012) for z in (rim + 0.08, rim + 0.62)]
    railing += [rod((x1, y, rim - 0.01), (x1, y, rim + 0.70), 0.0075) for y in posts]
    railing += [ball(0.02, 10).moved((x1, y, rim + 0.71)) for y in posts[::3]]
    stone = textures.granite(rng, (512, 512), (0.60, 0.57, 0.51), 2.0)
    leaf = textures.foliage(rng, 256, (0.15, 0.24, 0.08), (0.42, 0.50, 0.20))
    yield part("kerb", kerb, stone)
    yield part("soil", soil, gravel)
    yield part("bushes", bushes, leaf, 0.55)
    yield part("railing", railing, textures.iron(rng, 256, IRON, 0.2), 0.4, smooth=True)


def boulder(rng: np.random.Generator) -> Parts:
    """A weathered boulder with two smaller rocks."""
    rocks = []
    for (x, y), radius, flat in (((1.66, 4.55), 0.33, 0.75), ((1.22, 4.22), 0.12, 0.65), ((2.0, 4.95), 0.17, 0.7)):
        rock = ball(radius, 48 if radius > 0.3 else 24)
        bumps = 0.16 * waves(rock.vertices, 1.6 * radius, rng) + 0.035 * waves(rock.vertices, 0.4 * radius, rng)
        rock = rock.displaced(radius * bumps).stretched((1.15, 0.95, flat))
        rocks.append(rock.moved((x, y, 0.62 * radius * flat), rng.uniform(0, 360)))
    stone = textures.granite(rng, (512, 1024), (0.52, 0.50, 0.47), 1.8)
    moss = np.clip(textures.fractal(rng, (512, 1024), 200.0) - 0.6, 0, 1)
    stone = textures.finish(textures.mix(stone / 255.0, (0.36, 0.38, 0.18), 0.7 * moss))
    yield part("boulder", rocks, stone, smooth=True)
