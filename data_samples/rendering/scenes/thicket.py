"""The floor of a wood in dappled light: trunks, a fallen log, ferns, grass, ivy, stones, fungi and last year's leaves.

The world is in meters, z up; the ground lies near z = 0 and rises towards +y.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from ..camera_path import Lens, walk
from ..modeling import plants, textures
from ..modeling.meshes import Mesh, directions, lattice, waves
from ..modeling.plants import leaves
from ..modeling.shapes import ball, lathe, tube
from ..scene import Parts, SampleScene, Sky, generators, part, parts_of


class Ground:
    """Bumpy ground that rises to the back: ``height(x, y)`` in meters."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rngs = rng.spawn(3)

    def __call__(self, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
        """Heights at positions of any shape."""
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        spots = np.stack([x, y, 0 * x], -1)
        total = 0.35 / (1 + np.exp(-(y - 2.5)))
        for rng, wavelength, height in zip(deepcopy(self._rngs), (3.5, 0.9, 0.25), (0.10, 0.030, 0.008), strict=True):
            total = total + height * waves(spots, wavelength, rng)
        return total

    def at(self, x: float, y: float, lift: float = 0.0) -> tuple[float, float, float]:
        """The point ``lift`` meters above the ground at (x, y)."""
        return x, y, self(x, y).item() + lift


def build() -> SampleScene:
    """The thicket and a walk of ten photos along it."""
    rngs = generators(seed=9)
    ground = Ground(next(rngs))
    parts = parts_of(rngs, (floor, trunks, log, ferns, grass, stones, fungi, saplings, backdrop), ground)
    views = walk(
        next(rngs),
        Lens(),
        target=(0.0, 1.3, 0.62),
        azimuths=np.linspace(-40, 40, 10),
        radii=[4.1, 3.9, 4.0, 4.2, 4.0, 3.9, 4.1, 4.0, 4.2, 4.0],
        heights=[1.35, 1.55, 1.3, 1.7, 1.45, 1.6, 1.3, 1.75, 1.4, 1.5],
        sway=0.06,
    )
    sky = Sky(sun_direction=(-0.48, -0.50, 0.72), sun_diameter=1.5, turbidity=3.5)
    return SampleScene("thicket", parts, sky, views, exposure=7.0)


def floor(rng: np.random.Generator, ground: Ground) -> Parts:
    """Dark soil under brown leaves, twigs across them, and cushions of moss."""
    axis = np.linspace(-7, 7, 281)
    x, y = np.meshgrid(axis, axis + 2)
    earth = lattice(np.stack([x, y, ground(x, y)], -1), np.stack([x, y], -1) / 14)
    shape = (2800, 2800)
    fine = textures.fractal(rng, shape, 22.0, 5)
    image = textures.paint((0.30, 0.24, 0.17), 0.30 * fine, 0.15 * textures.fractal(rng, shape, 420.0, 6))
    moss = np.clip(1.6 * textures.fractal(rng, shape, 330.0, 6) - 0.5, 0, 1)
    image = textures.mix(image, textures.paint((0.26, 0.33, 0.11), 0.22 * textures.fractal(rng, shape, 10.0, 3)), moss)
    image = textures.speckled(
        rng,
        image,
        0.8,
        (((0.47, 0.35, 0.20), 0.12, 4.0), ((0.16, 0.12, 0.09), 0.10, 3.0), ((0.58, 0.50, 0.36), 0.03, 2.0)),
    )
    spots = rng.uniform((-5, -2.5), (5, 6.0), (9000, 2))
    litter = np.column_stack([spots, ground(*spots.T) + 0.012 + 0.012 * rng.random(9000)])
    dead = leaves(litter, (0.0, 0.0, 1.5), 0.062, rng)
    twigs = []
    s = np.linspace(-0.5, 0.5, 8)[:, None]
    for middle in rng.uniform((-3.5, -1.8), (3.5, 4.5), (160, 2)):
        turn, long = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.6)
        line = middle + long * s * (np.cos(turn), np.sin(turn)) + 0.015 * rng.standard_normal((8, 2))
        path = np.column_stack([line, ground(*line.T) + 0.02 + 0.02 * rng.random()])
        twigs.append(tube(path, rng.uniform(0.003, 0.009) * np.linspace(1.2, 0.6, 8), 6))
    yield part("soil", earth, textures.finish(image), smooth=True)
    yield part("litter", dead, textures.foliage(rng, 256, (0.25, 0.15, 0.08), (0.60, 0.42, 0.22)))
    yield part("twigs", twigs, textures.bark(rng, (256, 256), (0.36, 0.29, 0.22)))


def stem(rng: np.random.Generator, foot: tuple[float, float, float], height: float, radius: float) -> Mesh:
    """A trunk with furrowed bark and roots that run out into the ground."""
    s = np.linspace(0, 1, 150)
    lean = rng.normal(0, 0.05, 2)
    wander = 0.05 * np.stack([np.sin(2.2 * s + rng.uniform(0, 6)), np.sin(1.7 * s + rng.uniform(0, 6))], 1)
    path = np.column_stack([lean * height * s[:, None] + wander, height * s - 0.12])
    mesh = tube(path, radius * (1.0 - 0.35 * s), 72)
    around, up = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0]), mesh.vertices[:, 2]
    flare = np.exp(-np.clip(up, 0, None) / 0.17) * (0.55 + 0.45 * np.cos(5 * around + rng.uniform(0, 6)))
    furrows = np.abs(np.sin(11 * around + 1.4 * waves(mesh.vertices * (1, 1, 0.35), 0.25, rng)))
    rough = radius * (0.9 * flare - 0.085 * furrows**3 + 0.03 * waves(mesh.vertices, 0.12, rng))
    return mesh.displaced(np.where((up > path[0, 2]) & (up < path[-1, 2]), rough, 0.0)).moved(foot, rng.uniform(0, 360))


def trunks(rng: np.random.Generator, ground: Ground) -> Parts:
    """Four oaks, three slender birches, and ivy that climbs the thickest oak."""
    oaks = [
        stem(rng, ground.at(x, y), h, r)
        for x, y, h, r in (
            (-1.15, 2.1, 3.6, 0.21),
            (1.75, 2.9, 3.8, 0.26),
            (0.25, 4.3, 3.6, 0.17),
            (-2.9, 3.9, 3.4, 0.20),
        )
    ]
    birches = [
        stem(rng, ground.at(x, y), 3.7, r) for x, y, r in ((2.75, 1.75, 0.085), (2.98, 2.0, 0.07), (-2.35, 1.2, 0.08))
    ]
    count = 2600
    turn, up = rng.uniform(0, 2 * np.pi, count), 3.2 * rng.random(count) ** 1.3
    out = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    away = out * (0.29 - 0.02 * up[:, None]) * (1 + 0.2 * rng.random((count, 1)))
    spots = np.array(ground.at(1.75, 2.9)) + away + up[:, None] * np.array([0, 0, 1])
    climbing = waves(spots, 0.7, rng) > 0.55 * up - 0.75
    ivy = leaves(spots[climbing], out[climbing] * (1.2, 1.2, 1) + np.array((0, 0, 0.3)), 0.075, rng)
    yield part("oaks", oaks, textures.bark(rng, (1024, 512), (0.40, 0.33, 0.26)), smooth=True)
    yield part("birches", birches, textures.birch(rng, (1024, 256)), smooth=True)
    yield part("ivy", ivy, textures.foliage(rng, 256, (0.07, 0.17, 0.06), (0.24, 0.36, 0.12)), 0.4)


def log(rng: np.random.Generator, ground: Ground) -> Parts:
    """A fallen trunk across the middle, half under moss, with branches that stand up."""
    s = np.linspace(0, 1, 130)
    line = np.array([-1.9, -0.15]) + s[:, None] * np.array([3.1, 1.25])
    path = np.column_stack([line, ground(*line.T).mean() + 0.13 + 0.05 * np.sin(2 * s)])
    mesh = tube(path, 0.19 - 0.04 * s, 64)
    bumps = 0.018 * waves(mesh.vertices, 0.4, rng) + 0.007 * waves(mesh.vertices, 0.07, rng)
    length = np.linalg.norm(path[-1] - path[0])
    along = (mesh.vertices - path[0]) @ ((path[-1] - path[0]) / length)
    inner = (along > 0.01) & (along < length - 0.01)
    mesh = mesh.displaced(np.where(inner, bumps, 0.0))
    t = np.linspace(0, 1, 20)[:, None]
    branches = []
    for at, way, long, thick in (
        (45, (0.15, -0.35, 0.9), 0.75, 0.045),
        (85, (0.3, 0.5, 0.75), 0.9, 0.05),
        (100, (0.1, -0.8, 0.35), 0.5, 0.03),
    ):
        bend = 0.06 * np.sin(3 * t) * rng.standard_normal((1, 3))
        branches.append(tube(path[at] + t * long * np.array(way) + bend, thick * (1.1 - 0.8 * t[:, 0]), 12))
    up = mesh.normals()[:, 2] + 0.35 * waves(mesh.vertices, 0.3, rng)
    mossy = np.flatnonzero((up > 0.55) & inner)
    spots = mesh.vertices[rng.choice(mossy, 5200)] + 0.008 * rng.standard_normal((5200, 3))
    moss = leaves(spots, (0.0, 0.0, 1.0), 0.020, rng)
    yield part("log", [mesh, *branches], textures.bark(rng, (1024, 512), (0.36, 0.31, 0.26)), smooth=True)
    yield part("moss", moss, textures.foliage(rng, 128, (0.20, 0.28, 0.06), (0.44, 0.50, 0.14)))


def scattered(rng: np.random.Generator, count: int, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """Positions (count, 2) in clumps inside a rectangle."""
    clumps = rng.uniform(low, high, (max(count // 6, 1), 2))
    return np.clip(clumps[rng.integers(len(clumps), size=count)] + 0.35 * rng.standard_normal((count, 2)), low, high)


def planted(
    rng: np.random.Generator, ground: Ground, kinds: list[Mesh], spots: np.ndarray, largest: float
) -> list[Mesh]:
    """One of ``kinds`` in turn at each of ``spots`` (N, 2), turned and scaled at random from 0.7 to ``largest``."""
    return [
        kinds[k % len(kinds)].moved(ground.at(x, y), rng.uniform(0, 360), rng.uniform(0.7, largest))
        for k, (x, y) in enumerate(spots)
    ]


def ferns(rng: np.random.Generator, ground: Ground) -> Parts:
    """Ferns in four sizes, in clumps."""
    kinds = [plants.fern(rng, n, size) for n, size in ((13, 0.55), (11, 0.42), (15, 0.68), (9, 0.34))]
    spots = np.concatenate([scattered(rng, 44, (-3.2, 0.9), (3.2, 5.0)), scattered(rng, 9, (-2.4, -0.9), (2.2, 0.2))])
    every = planted(rng, ground, kinds, spots, 1.1)
    yield part("ferns one", every[:26], textures.foliage(rng, 128, (0.14, 0.28, 0.06), (0.36, 0.50, 0.16)), 0.6)
    yield part("ferns two", every[26:], textures.foliage(rng, 128, (0.22, 0.34, 0.08), (0.50, 0.56, 0.20)), 0.6)


def grass(rng: np.random.Generator, ground: Ground) -> Parts:
    """Tufts of wood-rush and some dry stalks."""
    kinds = [plants.tuft(rng, n, size) for n, size in ((22, 0.30), (16, 0.22), (26, 0.40), (12, 0.16))]
    every = planted(rng, ground, kinds, scattered(rng, 190, (-3.6, -1.4), (3.6, 4.6)), 1.2)
    yield part("rushes", every[:150], textures.foliage(rng, 128, (0.18, 0.30, 0.08), (0.46, 0.54, 0.20)), 0.6)
    yield part("dry grass", every[150:], textures.foliage(rng, 128, (0.46, 0.38, 0.20), (0.72, 0.62, 0.38)), 0.7)


def stones(rng: np.random.Generator, ground: Ground) -> Parts:
    """Boulders with lichen, half sunk."""
    rocks = []
    for x, y, radius in (
        (0.85, 0.05, 0.26),
        (1.25, 0.35, 0.14),
        (-0.75, 1.15, 0.20),
        (-1.9, 0.55, 0.15),
        (2.1, 0.6, 0.30),
        (0.1, -0.75, 0.10),
        (-1.2, -0.7, 0.13),
    ):
        rock = ball(radius, 72)
        facets = np.round(3 * waves(rock.vertices, 1.2 * radius, rng)) / 3
        bumps, grain = waves(rock.vertices, 1.5 * radius, rng), waves(rock.vertices, 0.2 * radius, rng)
        rock = rock.displaced(radius * (0.10 * facets + 0.13 * bumps + 0.02 * grain)).stretched((1.2, 0.9, 0.75))
        rocks.append(rock.moved(ground.at(x, y, 0.25 * radius), rng.uniform(0, 360)))
    shape = (700, 1400)
    stone = textures.granite(rng, shape, (0.50, 0.48, 0.45), 2.0) / 255.0
    stone = textures.mix(stone, (0.62, 0.62, 0.46), 0.7 * textures.speckles(rng, shape, 0.10, 9.0))
    green = np.clip(textures.fractal(rng, shape, 260.0) - 0.5, 0, 1)
    yield part("stones", rocks, textures.finish(textures.mix(stone, (0.28, 0.34, 0.12), 0.8 * green)), smooth=True)


def fungi(rng: np.random.Generator, ground: Ground) -> Parts:
    """Toadstools in a troop."""
    cap = lathe([0, 0.012, 0.045, 0.050, 0.042, 0.020, 0], [0.075, 0.07, 0.062, 0.070, 0.092, 0.104, 0.106], 28, 30)
    foot = lathe([0, 0.014, 0.009, 0.008, 0], [0, 0, 0.03, 0.075, 0.076], 16, 14)
    places = [
        (ground.at(x, y), rng.uniform(0, 360), rng.uniform(0.4, 0.85))
        for x, y in scattered(rng, 26, (-0.6, -0.95), (0.7, -0.2))
    ]
    red = textures.paint((0.62, 0.24, 0.12), 0.10 * textures.fractal(rng, (128, 256), 30.0))
    spotted = textures.mix(red, (0.90, 0.85, 0.74), textures.speckles(rng, (128, 256), 0.07, 2.5))
    white = textures.mottled(rng, (64, 64), (0.82, 0.78, 0.68), (0.06, 8.0))
    yield part("caps", [cap.moved(*place) for place in places], textures.finish(spotted), 0.5, smooth=True)
    yield part("feet", [foot.moved(*place) for place in places], white, smooth=True)


def saplings(rng: np.random.Generator, ground: Ground) -> Parts:
    """Young trees and brambles between the trunks."""
    sticks, green = [], []
    for x, y, height, crown in (
        (-0.35, 2.9, 1.5, 0.5),
        (1.0, 1.9, 1.1, 0.38),
        (-1.85, 2.7, 1.7, 0.55),
        (2.35, 2.6, 1.3, 0.45),
        (0.75, 3.6, 1.9, 0.6),
    ):
        for meshes, mesh in zip((sticks, green), plants.tree(rng, height, crown, 0.075, 900), strict=True):
            meshes.append(mesh.moved(ground.at(x, y)))
    s = np.linspace(0, 1, 24)
    for _ in range(16):
        x, y = rng.uniform((-3, 0.6), (3, 3.5))
        turn, long = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.3)
        z = ground(x, y) + 0.9 * long * s * (1.05 - s) * 1.6
        arch = np.stack([x + long * s * np.cos(turn), y + long * s * np.sin(turn), z], 1)
        sticks.append(tube(arch, 0.006 * (1.2 - s), 6))
        at = arch[rng.integers(3, 24, 70)] + 0.03 * rng.standard_normal((70, 3))
        green.append(leaves(at, (0.0, 0.0, 0.9), 0.065, rng))
    yield part("sticks", sticks, textures.bark(rng, (256, 128), (0.34, 0.26, 0.20)))
    yield part("sapling leaves", green, textures.foliage(rng, 256, (0.14, 0.27, 0.06), (0.42, 0.52, 0.16)), 0.55)


def backdrop(rng: np.random.Generator, _: Ground) -> Parts:
    """Bushes and trunks farther off, and crowns above that dapple the light."""
    x, y, radius = (rng.uniform(*limits, 12) for limits in ((-7, 7), (5.6, 9.0), (0.1, 0.2)))
    far = [stem(rng, (*place, 0.3), 4.5, r) for *place, r in zip(x, y, radius, strict=True)]
    bushes = []
    for turn, r in zip(np.linspace(-25, 205, 21), rng.uniform(1.0, 1.7, 21), strict=True):
        reach = 7.2 + rng.normal(0, 0.4)
        center = 1.15 * reach * np.cos(np.radians(turn)), 1.0 + reach * np.sin(np.radians(turn)), 0.9 * r
        out = directions(rng, 2400)
        inward = rng.random((2400, 1)) ** 0.35 * (1 + 0.2 * waves(out, 0.7, rng))[:, None]
        bushes.append(leaves(np.array(center) + out * r * inward, out + np.array((0, 0, 0.4)), 0.14, rng))
    above = []
    for x, y in zip(rng.uniform(-7, 4, 9), rng.uniform(-6.5, 3, 9), strict=True):
        out = rng.standard_normal((700, 3)) * (0.9, 0.9, 0.4)
        above.append(leaves(out + np.array((x, y, 7.0 + rng.normal(0, 0.4))), out + np.array((0, 0, 1)), 0.22, rng))
    leaf = textures.foliage(rng, 256, (0.10, 0.20, 0.05), (0.36, 0.45, 0.15))
    yield part("far trunks", far, textures.bark(rng, (512, 256), (0.34, 0.29, 0.24)), smooth=True)
    yield part("bushes", bushes, leaf, 0.6)
    yield part("canopy", above, leaf, 0.6)
