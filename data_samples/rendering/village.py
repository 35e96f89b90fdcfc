"""A village between fields and a wood, seen from a drone that flies its grid sixty metres above the roofs.

The world is in metres, x to the east and y to the north, z up; the middle of the village lies near z = 0.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import RegularGridInterpolator

from . import plants, textures
from .camera_path import Lens, flight
from .houses import Parts, add, house, roofing
from .meshes import Mesh, Plane, ball, box, courses, joined, lathe, lattice, prism, rod, tube, waves
from .scene import Material, Part, SampleScene, Sky, plain

HALF = 110.0
"""Half the side of the terrain."""

PIXELS = 4096
"""Side of the image that lies on the terrain."""


@dataclass(frozen=True)
class Terrain:
    """The ground: heights over a grid from -HALF to HALF, and roads as paths (P, 2) with half their widths."""

    heights: np.ndarray
    roads: tuple[tuple[np.ndarray, float], ...]

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Heights at (..., 2)."""
        axis = np.linspace(-HALF, HALF, len(self.heights))
        return RegularGridInterpolator((axis, axis), self.heights, bounds_error=False, fill_value=np.nan)(xy[..., ::-1])

    def on(self, x: float, y: float, lift: float = 0.0) -> tuple[float, float, float]:
        """The point of the ground at (x, y), and a little higher."""
        return x, y, self.at(np.array([x, y])).item() + lift


def build(seed: int = 5) -> SampleScene:
    """The village and a flight of twelve photos."""
    spawn = iter(np.random.default_rng(seed).spawn(16))
    ground = terrain(next(spawn))
    homes = plots(next(spawn), ground)
    parts = [
        *surface(next(spawn), ground, homes), *buildings(next(spawn), ground, homes), *church(next(spawn), ground),
        *trees(next(spawn), ground, homes), *hedges(next(spawn), ground, homes), *things(next(spawn), ground, homes),
    ]  # fmt: skip
    views = flight(
        next(spawn), Lens(), xs=(-27.0, -9.0, 9.0, 27.0), ys=(-45.0, -27.0, -9.0), altitude=62.0, tilt=24.0, sway=0.7
    )
    sky = Sky(sun_direction=(-0.55, -0.35, 0.76), sun_diameter=0.8, turbidity=3.0)
    return SampleScene("village", tuple(parts), sky, views, exposure=4.4)


def terrain(rng: np.random.Generator) -> Terrain:
    """Rolling ground that climbs to the north and falls to a hollow in the south-east."""
    axis = np.linspace(-HALF, HALF, 441)
    x, y = np.meshgrid(axis, axis)
    spots = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    z = 2.4 * waves(spots, 90.0, rng) + 0.35 * waves(spots, 22.0, rng) + 0.05 * waves(spots, 4.0, rng)
    z = z.reshape(x.shape) + 14 / (1 + np.exp(-(y - 62) / 14)) - 6 * np.exp(-((x - 70) ** 2 + (y + 55) ** 2) / 1500)
    t = np.linspace(-HALF, HALF, 400)
    roads = (
        (np.stack([t, 9 * np.sin(t / 34) - 4], 1), 2.8),
        (np.stack([8 + 12 * np.sin(t / 41), t], 1), 2.2),
        (np.stack([t, 30 + 6 * np.sin(t / 25 + 1)], 1), 1.5),
        (np.stack([t, -42 + 5 * np.sin(t / 30)], 1), 1.7),
    )
    return Terrain(z, roads)


def distance_to(path: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Distance in metres of every pixel of the terrain's image, first row in the north, from a path."""
    line = np.full(shape, 255, np.uint8)
    pixels = (np.stack([path[:, 0] + HALF, HALF - path[:, 1]], 1) / (2 * HALF) * shape[0] * 16).astype(np.int32)
    cv2.polylines(line, [pixels], False, 0, 1, cv2.LINE_8, 4)
    return cv2.distanceTransform(line, cv2.DIST_L2, 5) * (2 * HALF / shape[0])


def surface(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> list[Part]:
    """The ground with its image: meadows, ploughed and green fields, roads, gravel yards and lawns."""
    shape = (PIXELS, PIXELS)
    per_metre = PIXELS / (2 * HALF)
    y, x = np.mgrid[:PIXELS, :PIXELS].astype(np.float32)
    x, y = x / per_metre - HALF, HALF - y / per_metre
    broad, fine = textures.fractal(rng, shape, per_metre * 18, 8), textures.fractal(rng, shape, per_metre * 0.7, 4)
    image = textures.paint((0.33, 0.37, 0.20), 0.09 * broad, 0.15 * fine)
    dry = np.clip(0.5 + 0.6 * textures.fractal(rng, shape, per_metre * 9, 6), 0, 1)
    image = textures.mix(image, textures.paint((0.47, 0.45, 0.28), 0.15 * fine), 0.4 * dry)
    far = np.maximum(np.abs(x) - 62, np.abs(y + 8) - 48) + 3 * broad
    seeds = rng.uniform(-HALF, HALF, (26, 2))
    near = _nearest(seeds, shape)
    for k in range(len(seeds)):
        turn, pitch = rng.uniform(0, np.pi), rng.uniform(0.5, 1.1)
        color = [(0.52, 0.43, 0.31), (0.63, 0.58, 0.33), (0.34, 0.45, 0.18), (0.45, 0.50, 0.24), (0.47, 0.38, 0.28)][
            k % 5
        ]
        inside = (near == k) & (far > 0)
        rows = np.sin(2 * np.pi * (x[inside] * np.cos(turn) + y[inside] * np.sin(turn)) / pitch + 0.6 * broad[inside])
        shade = np.exp(0.16 * rows + 0.17 * fine[inside] + 0.08 * broad[inside])
        image[inside] = np.array(color) * shade[:, None]
    yards = np.zeros(shape, np.uint8)
    for cx, cy, length, width, turn in homes:
        rect = cv2.boxPoints(((cx, cy), (length + 5.5, width + 5.5), turn))
        pixels = np.stack([rect[:, 0] + HALF, HALF - rect[:, 1]], 1) * per_metre
        cv2.fillPoly(yards, [pixels.astype(np.int32)], 255)
    gravel = textures.paint((0.62, 0.58, 0.52), 0.15 * fine, 0.06 * broad)
    image = textures.mix(image, gravel, cv2.GaussianBlur(yards, (0, 0), 9).astype(np.float32) / 255)
    stones = textures.speckles(rng, shape, 0.04, 1.2)
    image = textures.mix(image, (0.25, 0.24, 0.19), 0.5 * stones)
    flowers = textures.speckles(rng, shape, 0.004, 1.4) * (far < 0)
    image = textures.mix(image, (0.85, 0.82, 0.70), flowers)
    for number, (path, half) in enumerate(ground.roads):
        away = distance_to(path, shape) + 0.15 * fine
        verge = textures.paint((0.56, 0.52, 0.44), 0.14 * fine)
        image = textures.mix(image, verge, 1.5 * (half + 0.7 - away))
        asphalt = (0.40, 0.40, 0.41) if number < 2 else (0.60, 0.55, 0.46)
        patches = np.where(textures.fractal(rng, shape, per_metre * 5, 3) > 1.1, -0.16, 0.0)
        image = textures.mix(image, textures.paint(asphalt, 0.10 * fine, 0.07 * broad, patches), 4 * (half - away))
        if number == 0:
            dashes = (np.floor(x / 2.5) % 2 == 0) & (away - 0.15 * fine < 0.09)
            image[dashes] = 0.85
            image = textures.mix(image, (0.80, 0.80, 0.78), 20 * (0.1 - np.abs(away - half + 0.25)))
        elif number > 1:
            image = textures.mix(image, (0.42, 0.46, 0.24), 1.2 * (0.4 - away) + 0.3 * broad * (away < 0.6))
    axis = np.linspace(-HALF, HALF, len(ground.heights))
    gx, gy = np.meshgrid(axis, axis)
    mesh = lattice(np.stack([gx, gy, ground.heights], -1), np.stack([gx, gy], -1) / (2 * HALF) + 0.5)
    return [Part("ground", mesh, Material(textures.finish(image)), smooth=True)]


def _nearest(seeds: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which seed (N, 2) is nearest to every pixel of the terrain's image."""
    mark = np.full(shape, 255, np.uint8)
    column, row = ((seeds * (1, -1) + HALF) / (2 * HALF) * shape[0]).astype(int).T
    mark[row, column] = 0
    _, label = cv2.distanceTransformWithLabels(mark, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return np.argsort(np.argsort(label[row, column]))[np.searchsorted(np.sort(label[row, column]), label)]


def plots(rng: np.random.Generator, ground: Terrain) -> list[np.ndarray]:
    """Houses (x, y, length, width, turn in degrees) along the roads, none in the way of another or of a road."""
    homes: list[np.ndarray] = []
    shape = (1100, 1100)
    roads = np.min([distance_to(path, shape) - half for path, half in ground.roads], axis=0)
    for path, half in ground.roads:
        steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        ahead = np.gradient(path, axis=0)
        for side in (-1, 1):
            for s in np.arange(rng.uniform(0, 6), steps[-1], 5.0):
                k = int(np.searchsorted(steps, s)) - 1
                way = ahead[k] / np.linalg.norm(ahead[k])
                length, width = rng.uniform(8.5, 13.0), rng.uniform(6.5, 8.2)
                spot = path[k] + side * (half + 2.5 + width / 2 + rng.uniform(0, 3.0)) * np.array([-way[1], way[0]])
                row, column = (np.array([HALF - spot[1], HALF + spot[0]]) * 5).astype(int)
                if abs(spot[0]) > 66 or not -62 < spot[1] < 50 or np.hypot(spot[0] + 14, spot[1] + 22) < 17:
                    continue
                apart = all(np.hypot(*(spot - home[:2])) > (length + home[2]) / 2 + 3.5 for home in homes)
                if apart and roads[row, column] > width / 2 + 1.2:
                    turn = np.degrees(np.arctan2(way[1], way[0])) + 90 * (rng.random() < 0.2) + rng.normal(0, 4)
                    homes.append(np.array([*spot, length, width, turn]))
    return homes


WALLS = ((0.84, 0.80, 0.70), (0.78, 0.68, 0.52), (0.86, 0.84, 0.80), (0.70, 0.58, 0.48), (0.74, 0.76, 0.70))
ROOFS = ((0.58, 0.31, 0.22), (0.47, 0.27, 0.22), (0.33, 0.32, 0.33))


def _bricks(rng: np.random.Generator) -> np.ndarray:
    laid = courses(rng, (0.8, 0.8), (0.08, 0.08), (0.22, 0.24), 0.012, True)
    palette = [(0.50, 0.30, 0.24), (0.56, 0.34, 0.27)]
    return textures.masonry(rng, laid, (0.8, 0.8), 400, palette, (0.60, 0.57, 0.50))


def _painted(rng: np.random.Generator, color: textures.Color) -> np.ndarray:
    layers = [0.06 * textures.fractal(rng, (1024, 1024), cell, n) for cell, n in ((400.0, 6), (30.0, 4))]
    return textures.finish(textures.paint(color, *layers))


def buildings(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> list[Part]:
    """All houses, in five colours of plaster and three of roof."""
    sorted_out: Parts = {}
    for number, (x, y, length, width, turn) in enumerate(homes):
        kind = ("plain", "dormer", "wing", "plain", "solar", "dormer")[number % 6]
        made = house(rng, length, width, rng.uniform(3.0, 5.8), np.radians(rng.uniform(34, 47)), kind)
        named = {"wall": f"wall{number * 7 % 5}", "roof": f"roof{rng.choice(3, p=(0.5, 0.3, 0.2))}"}
        corners = np.array([x, y]) + length / 3 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
        add(sorted_out, {named.get(name, name): meshes for name, meshes in made.items()},
              (x, y, float(ground.at(corners).min())), turn)  # fmt: skip
    looks = {
        **{f"wall{k}": Material(_painted(rng, color)) for k, color in enumerate(WALLS)},
        **{f"roof{k}": Material(roofing(rng, color), 0.8) for k, color in enumerate(ROOFS)},
        "trim": Material(_painted(rng, (0.80, 0.78, 0.74))),
        "glass": Material(plain(0.10, 0.13, 0.18), 0.25),
        "brick": Material(_bricks(rng)),
    }
    return [Part(name, joined(meshes), looks[name]) for name, meshes in sorted_out.items()]


def church(rng: np.random.Generator, ground: Terrain) -> list[Part]:
    """A church with a nave, a tower with a slated spire, and a walled yard with graves."""
    at = ground.on(-14.0, -22.0)
    out = house(rng, 17.0, 8.5, 6.5, np.radians(48), "plain")
    tower = box((5.0, 5.0, 19.0), (-10.0, 0, 8.0), 0.08)
    spire = lathe([(3.1, 0.0), (2.6, 0.6), (1.5, 4.0), (0.10, 10.0), (0.0, 10.2)], 8, 24).moved((-10.0, 0, 17.5), 22.5)
    bells = [box((1.2, 5.06, 2.0), (-10.0, 0, 15.0), 0.05), box((5.06, 1.2, 2.0), (-10.0, 0, 15.0), 0.05)]
    bands = [box((5.3, 5.3, 0.25), (-10.0, 0, z), 0.05) for z in (6.0, 12.5, 17.4)]
    cross = [
        rod((-10.0, 0, 27.5), (-10.0, 0, 29.6), 0.06),
        rod((-10.5, 0, 28.9), (-9.5, 0, 28.9), 0.06),
        ball(0.3, 12).moved((-10, 0, 27.7)),
    ]
    a = np.linspace(0.3, 2 * np.pi, 60)
    ring = np.stack([at[0] - 1 + 14 * np.cos(a), at[1] + 11 * np.sin(a)], 1)
    feet = ground.at(ring)
    wall = []
    for (x, y), z, turn in zip(ring, feet, np.degrees(np.arctan2(11 * np.cos(a), -14 * np.sin(a))), strict=True):
        wall.append(box((1.55, 0.4, 1.8), (0, 0, 0.3), 0.05).moved((x, y, z), turn))
    graves = []
    for _ in range(46):
        u, v = rng.uniform(-11, 11), rng.choice([-1, 1]) * rng.uniform(5.6, 8.6)
        graves.append(
            box((0.7, 0.18, rng.uniform(0.8, 1.3)), (0, 0, 0.3), 0.03).moved(
                ground.on(at[0] + u, at[1] + v), rng.normal(0, 6)
            )
        )
    stone_size = (6.0, 6.0)
    stones = courses(rng, stone_size, (0.28, 0.36), (0.4, 0.8), 0.015)
    image = textures.masonry(
        rng,
        stones,
        stone_size,
        170,
        [(0.64, 0.60, 0.53), (0.58, 0.55, 0.49), (0.70, 0.65, 0.56)],
        (0.55, 0.52, 0.47),
        grain=0.1,
    )
    slate = roofing(rng, (0.30, 0.32, 0.36))
    scaled = Mesh(tower.vertices, tower.faces, tower.uv * 0.8 / 6.0)
    spired = Mesh(spire.vertices, spire.faces, spire.uv * (6, 4))
    metal = Material(plain(0.72, 0.58, 0.22), 0.3)
    return [
        Part("tower", joined([scaled, *out["wall"]]).moved(at), Material(image)),
        Part("slates", joined([spired, *out["roof"]]).moved(at), Material(slate, 0.6)),
        Part(
            "church trim",
            joined([*bands, *out["trim"], *out["brick"]]).moved(at),
            Material(_painted(rng, (0.72, 0.69, 0.62))),
        ),
        Part("church glass", joined([*bells, *out["glass"]]).moved(at), Material(plain(0.12, 0.12, 0.14), 0.3)),
        Part("cross", joined(cross).moved(at), metal),
        Part(
            "churchyard", joined([*wall, *graves]), Material(textures.granite(rng, (512, 512), (0.55, 0.53, 0.49), 2.0))
        ),
    ]


def trees(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> list[Part]:
    """Trees in gardens and along the roads, and a wood in the north."""
    shape = (1100, 1100)
    roads = np.min([distance_to(path, shape) - half for path, half in ground.roads], axis=0)
    wood, green, dark = [], [], []
    kinds = [
        plants.tree(rng, h, c, 0.34, 1500) for h, c in ((6.5, 2.3), (8.0, 2.8), (5.0, 2.0), (10.0, 3.3), (7.0, 2.4))
    ]
    spruces = [plants.conifer(rng, h, s, 0.42, 1900) for h, s in ((11.0, 2.5), (14.0, 3.0), (9.0, 2.2))]
    placed: list[np.ndarray] = []
    for _ in range(3000):
        forest = rng.random() < 0.35
        spot = np.array([rng.uniform(-95, 95), rng.uniform(58, 100)]) if forest else rng.uniform(-85, 62, 2)
        row, column = (np.array([HALF - spot[1], HALF + spot[0]]) * 5).astype(int)
        free = roads[row, column] > 1.6 and np.hypot(spot[0] + 16, spot[1] + 22) > 15.5
        free &= all(np.hypot(*(spot - home[:2])) > 0.55 * home[2] + 2.6 for home in homes)
        free &= all(np.hypot(*(spot - other)) > (3.4 if forest else 6.0) for other in placed)
        if free and len(placed) < 190:
            placed.append(spot)
            is_spruce = rng.random() < (0.6 if forest else 0.12)
            stem, crown = (spruces if is_spruce else kinds)[rng.integers(3 if is_spruce else 5)]
            where = ground.on(*spot, lift=-0.1), rng.uniform(0, 360), rng.uniform(0.75, 1.15)
            wood.append(stem.moved(*where))
            (dark if is_spruce else green).append(crown.moved(*where))
    half = len(green) // 2
    bark = np.rot90(textures.wood(rng, (512, 512), (0.34, 0.27, 0.21), 0.3)).copy()
    return [
        Part("trunks", joined(wood), Material(bark)),
        Part(
            "crowns one",
            joined(green[:half]),
            Material(textures.foliage(rng, 256, (0.13, 0.22, 0.06), (0.38, 0.46, 0.17)), 0.7),
        ),
        Part(
            "crowns two",
            joined(green[half:]),
            Material(textures.foliage(rng, 256, (0.17, 0.24, 0.10), (0.44, 0.46, 0.20)), 0.7),
        ),
        Part(
            "spruces", joined(dark), Material(textures.foliage(rng, 256, (0.07, 0.15, 0.09), (0.20, 0.30, 0.17)), 0.7)
        ),
    ]


def hedges(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> list[Part]:
    """Clipped hedges and board fences behind the houses, and rows of vegetables."""
    green, rows, boards = [], [], []
    for number, (x, y, length, width, turn) in enumerate(homes):
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        u = np.linspace(-length / 2 - 2.2, length / 2 + 2.2, 12)
        side = -1 if number % 2 else 1
        line = np.stack([x + c * u - s * side * (width / 2 + 3.4), y + s * u + c * side * (width / 2 + 3.4)], 1)
        path = np.concatenate([line, ground.at(line)[:, None]], 1)
        if number % 3:
            green.append(plants.hedge(rng, path, 0.8, 1.3, 0.16, 110))
        else:
            for a, b in itertools.pairwise(path):
                middle, way = (a + b) / 2, np.degrees(np.arctan2(b[1] - a[1], b[0] - a[0]))
                boards += [
                    box((np.hypot(*(b - a)[:2]), 0.04, 0.16), (0, 0, z)).moved(tuple(middle), way)
                    for z in (0.3, 0.6, 0.9)
                ]
                boards.append(box((0.1, 0.1, 1.2), (0, 0, 0.5)).moved(tuple(a), way))
            for k in range(4):
                bed = np.stack(
                    [
                        x + c * u[2:9] - s * side * (width / 2 + 4.6 + 0.8 * k),
                        y + s * u[2:9] + c * side * (width / 2 + 4.6 + 0.8 * k),
                    ],
                    1,
                )
                rows.append(plants.hedge(rng, np.concatenate([bed, ground.at(bed)[:, None]], 1), 0.35, 0.35, 0.14, 45))
    return [
        Part(
            "hedges", joined(green), Material(textures.foliage(rng, 256, (0.10, 0.20, 0.06), (0.28, 0.38, 0.14)), 0.7)
        ),
        Part(
            "vegetables",
            joined(rows),
            Material(textures.foliage(rng, 256, (0.22, 0.32, 0.10), (0.50, 0.58, 0.26)), 0.7),
        ),
        Part("fences", joined(boards), Material(textures.wood(rng, (512, 512), (0.52, 0.44, 0.34), 0.25))),
    ]


def things(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> list[Part]:
    """Cars by the road and in yards, hay bales on a field, and a power line across the village."""
    paints = [(0.62, 0.12, 0.10), (0.16, 0.24, 0.44), (0.84, 0.84, 0.82), (0.22, 0.23, 0.24), (0.55, 0.58, 0.60)]
    bodies: list[list[Mesh]] = [[] for _ in paints]
    dark: list[Mesh] = []
    path, half = ground.roads[0]
    spots = []
    for k in rng.integers(60, 340, 13):
        lane = np.array((0, rng.choice([-1, 1]) * (half - 1.2)))
        spots.append((path[k] + lane, np.degrees(np.arctan(0.26 * np.cos(path[k][0] / 34)))))
    for x, y, length, _, turn in homes[::2]:
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        spots.append((np.array((x, y)) + (length / 2 + 1.6) * np.array((c, s)), turn + 90))
    for number, (spot, turn) in enumerate(spots):
        place = ground.on(*spot)
        side = Plane((0, -0.86, 0), (1, 0, 0), (0, 0, 1), 1, 1)
        body = np.array([[-2.1, 0.3], [2.1, 0.3], [2.15, 0.72], [1.2, 0.92], [-2.0, 0.98], [-2.15, 0.8]])
        cabin = np.array([[-1.75, 0.9], [1.0, 0.88], [0.25, 1.42], [-1.35, 1.45]])
        bodies[number % len(paints)].append(prism(side, body, -1.72).moved(place, turn))
        glass = Plane((0, -0.74, 0), (1, 0, 0), (0, 0, 1), 1, 1)
        dark.append(prism(glass, cabin, -1.48).moved(place, turn))
        bodies[number % len(paints)].append(box((1.5, 1.4, 0.05), (-0.55, 0, 1.45), 0.02).moved(place, turn))
        for x in (-1.35, 1.35):
            for y in (-0.78, 0.78):
                dark.append(tube(np.array([[x, y - 0.1, 0.31], [x, y + 0.1, 0.31]]), 0.31, 14).moved(place, turn))
    bales = []
    for _ in range(24):
        spot = np.array([rng.uniform(-60, 60), rng.uniform(-80, -50)])
        axis = tube(np.array([[-0.65, 0, 0.62], [0.65, 0, 0.62]]), 0.65, 20)
        bales.append(axis.moved(ground.on(*spot), rng.uniform(0, 360)))
    poles, wires, previous = [], [], None
    for x in np.arange(-75, 80, 30.0):
        foot = np.array(ground.on(x, 12 * np.sin(x / 60) + 20))
        poles += [
            tube(foot + np.array([[0, 0, 0], [0, 0, 8.5]]), 0.13, 8),
            box((0.14, 2.2, 0.14), (foot[0], foot[1], foot[2] + 8.1)),
        ]
        tops = foot + np.array([[0, y, 8.2] for y in (-1.0, 0.0, 1.0)])
        if previous is not None:
            s = np.linspace(0, 1, 16)[:, None]
            wires += [
                tube(a + s * (b - a) - np.array([0, 0, 2.4]) * s * (1 - s), 0.02, 5)
                for a, b in zip(previous, tops, strict=True)
            ]
        previous = tops
    straw = textures.wood(rng, (512, 512), (0.72, 0.61, 0.36), 0.3)
    return [
        *(
            Part(f"cars {k}", joined(some), Material(plain(*color), 0.25))
            for k, (some, color) in enumerate(zip(bodies, paints, strict=True))
            if some
        ),
        Part("car glass", joined(dark), Material(plain(0.06, 0.06, 0.07), 0.3)),
        Part("bales", joined(bales), Material(straw)),
        Part("poles", joined(poles), Material(textures.wood(rng, (256, 256), (0.40, 0.32, 0.25), 0.25))),
        Part("wires", joined(wires), Material(plain(0.10, 0.10, 0.10))),
    ]
