"""A village between fields and a wood, seen from a drone that flies its grid sixty meters above the roofs.

The world is in meters, x to the east and y to the north, z up; the middle of the village lies near z = 0.
"""

from __future__ import annotations

import itertools

import numpy as np

from ..camera_path import Lens, flight
from ..modeling import plants, textures
from ..modeling.meshes import Mesh, joined, upright
from ..modeling.shapes import box, boxes, prism, rod, tube
from ..scene import Parts, SampleScene, Sky, generators, part, parts_of
from .village_ground import Terrain, plots, surface, terrain
from .village_houses import buildings, church


def build() -> SampleScene:
    """The village and a flight of twelve photos."""
    rngs = generators(seed=5)
    ground = terrain(next(rngs))
    homes = plots(next(rngs), ground)
    parts = parts_of(rngs, (surface, buildings, church, trees, hedges, things), ground, homes)
    views = flight(
        next(rngs), Lens(), xs=(-27.0, -9.0, 9.0, 27.0), ys=(-45.0, -27.0, -9.0), altitude=62.0, tilt=24.0, sway=0.7
    )
    sky = Sky(sun_direction=(-0.55, -0.35, 0.76), sun_diameter=0.8, turbidity=3.0)
    return SampleScene("village", parts, sky, views, exposure=4.4)


def trees(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> Parts:
    """Trees in gardens and along the roads, and a wood in the north."""
    stems, green, dark = [], [], []
    sizes = ((6.5, 2.3), (8.0, 2.8), (5.0, 2.0), (10.0, 3.3), (7.0, 2.4))
    kinds = [plants.tree(rng, height, crown, 0.34, 1500) for height, crown in sizes]
    spruces = [plants.conifer(rng, h, s, 0.42, 1900) for h, s in ((11.0, 2.5), (14.0, 3.0), (9.0, 2.2))]
    placed: list[np.ndarray] = []
    for _ in range(3000):
        forest = rng.random() < 0.35
        spot = np.array([rng.uniform(-95, 95), rng.uniform(58, 100)]) if forest else rng.uniform(-85, 62, 2)
        free = ground.off_road(spot) > 1.6 and np.hypot(spot[0] + 16, spot[1] + 22) > 15.5
        free &= all(np.hypot(*(spot - home[:2])) > 0.55 * home[2] + 2.6 for home in homes)
        free &= all(np.hypot(*(spot - other)) > (3.4 if forest else 6.0) for other in placed)
        if free and len(placed) < 190:
            placed.append(spot)
            is_spruce = rng.random() < (0.6 if forest else 0.12)
            stem, crown = (spruces if is_spruce else kinds)[rng.integers(3 if is_spruce else 5)]
            where = ground.on(*spot, lift=-0.1), rng.uniform(0, 360), rng.uniform(0.75, 1.15)
            stems.append(stem.moved(*where))
            (dark if is_spruce else green).append(crown.moved(*where))
    half = len(green) // 2
    yield part("trunks", stems, np.rot90(textures.wood(rng, (512, 512), (0.34, 0.27, 0.21), 0.3)).copy())
    yield part("crowns one", green[:half], textures.foliage(rng, 256, (0.13, 0.22, 0.06), (0.38, 0.46, 0.17)), 0.7)
    yield part("crowns two", green[half:], textures.foliage(rng, 256, (0.17, 0.24, 0.10), (0.44, 0.46, 0.20)), 0.7)
    yield part("spruces", dark, textures.foliage(rng, 256, (0.07, 0.15, 0.09), (0.20, 0.30, 0.17)), 0.7)


def hedges(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> Parts:
    """Clipped hedges and board fences behind the houses, and rows of vegetables."""
    green, beds, boards = [], [], []
    for number, home in enumerate(homes):
        length, width = home[2:4]
        side = -1 if number % 2 else 1
        u = np.linspace(-length / 2 - 2.2, length / 2 + 2.2, 12)
        path = _behind(ground, home, u, side, width / 2 + 3.4)
        if number % 3:
            green.append(plants.hedge(rng, path, 0.8, 1.3, 0.16, 110))
            continue
        for a, b in itertools.pairwise(path):
            way = np.degrees(np.arctan2(b[1] - a[1], b[0] - a[0]))
            rails = boxes((np.hypot(*(b - a)[:2]), 0.04, 0.16), [0], [0], (0.3, 0.6, 0.9))
            boards += [rail.moved((a + b) / 2, way) for rail in rails]
            boards.append(box((0.1, 0.1, 1.2), (0, 0, 0.5)).moved(a, way))
        for k in range(4):
            row = _behind(ground, home, u[2:9], side, width / 2 + 4.6 + 0.8 * k)
            beds.append(plants.hedge(rng, row, 0.35, 0.35, 0.14, 45))
    yield part("hedges", green, textures.foliage(rng, 256, (0.10, 0.20, 0.06), (0.28, 0.38, 0.14)), 0.7)
    yield part("vegetables", beds, textures.foliage(rng, 256, (0.22, 0.32, 0.10), (0.50, 0.58, 0.26)), 0.7)
    yield part("fences", boards, textures.wood(rng, (512, 512), (0.52, 0.44, 0.34), 0.25))


def _behind(ground: Terrain, home: np.ndarray, u: np.ndarray, side: int, reach: float) -> np.ndarray:
    """Points (N, 3) of the ground at ``u`` meters along a house and ``reach`` meters from its middle, on one side."""
    x, y, turn = home[[0, 1, 4]]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return ground.along(np.stack([x + c * u - s * side * reach, y + s * u + c * side * reach], 1))


def things(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> Parts:
    """Cars by the road and in yards, hay bales on a field, and a power line across the village."""
    path, half = ground.roads[0]
    spots = []
    for k in rng.integers(60, 340, 13):
        lane = np.array((0, rng.choice([-1, 1]) * (half - 1.2)))
        spots.append((path[k] + lane, np.degrees(np.arctan(0.26 * np.cos(path[k][0] / 34)))))
    for x, y, length, _, turn in homes[::2]:
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        spots.append((np.array((x, y)) + (length / 2 + 1.6) * np.array((c, s)), turn + 90))
    body, dark = _car()
    places = [(ground.on(*spot), turn) for spot, turn in spots]
    bale = rod((-0.65, 0, 0.62), (0.65, 0, 0.62), 0.65, 20)
    bales = []
    for _ in range(24):
        spot = (rng.uniform(-60, 60), rng.uniform(-80, -50))
        bales.append(bale.moved(ground.on(*spot), rng.uniform(0, 360)))
    paints = ((0.62, 0.12, 0.10), (0.16, 0.24, 0.44), (0.84, 0.84, 0.82), (0.22, 0.23, 0.24), (0.55, 0.58, 0.60))
    straw = textures.wood(rng, (512, 512), (0.72, 0.61, 0.36), 0.3)
    for k, color in enumerate(paints):
        yield part(f"cars {k}", [body.moved(*place) for place in places[k :: len(paints)]], color, 0.25)
    yield part("car glass", [dark.moved(*place) for place in places], (0.06, 0.06, 0.07), 0.3)
    yield part("bales", bales, straw)
    poles, wires = _power_line(ground)
    yield part("poles", poles, textures.wood(rng, (256, 256), (0.40, 0.32, 0.25), 0.25))
    yield part("wires", wires, (0.10, 0.10, 0.10))


def _car() -> tuple[Mesh, Mesh]:
    """A car's painted body with its roof, and its windows with the wheels."""
    sides = np.array([[-2.1, 0.3], [2.1, 0.3], [2.15, 0.72], [1.2, 0.92], [-2.0, 0.98], [-2.15, 0.8]])
    cabin = np.array([[-1.75, 0.9], [1.0, 0.88], [0.25, 1.42], [-1.35, 1.45]])
    body = [prism(upright((0, -0.86, 0)), sides, -1.72), box((1.5, 1.4, 0.05), (-0.55, 0, 1.45), 0.02)]
    dark = [prism(upright((0, -0.74, 0)), cabin, -1.48)]
    dark += [rod((x, y - 0.1, 0.31), (x, y + 0.1, 0.31), 0.31, 14) for x in (-1.35, 1.35) for y in (-0.78, 0.78)]
    return joined(body), joined(dark)


def _power_line(ground: Terrain) -> tuple[list[Mesh], list[Mesh]]:
    """Six poles with their crossbars, and three sagging wires from each to the next."""
    feet = [np.array(ground.on(x, 12 * np.sin(x / 60) + 20)) for x in np.arange(-75, 80, 30.0)]
    poles, wires = [], []
    for foot in feet:
        top, bar = (foot + np.array((0, 0, height)) for height in (8.5, 8.1))
        poles += [rod(foot, top, 0.13), box((0.14, 2.2, 0.14), bar)]
    s = np.linspace(0, 1, 16)[:, None]
    for foot, following in itertools.pairwise(feet):
        for y in (-1.0, 0.0, 1.0):
            a, b = foot + np.array((0, y, 8.2)), following + np.array((0, y, 8.2))
            wires.append(tube(a + s * (b - a) - np.array([0, 0, 2.4]) * s * (1 - s), 0.02, 5))
    return poles, wires
