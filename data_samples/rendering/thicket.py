"""The floor of a wood in dappled light: trunks, a fallen log, ferns, grass, ivy, stones, fungi and last year's leaves.

The world is in metres, z up; the ground lies near z = 0 and rises towards +y.
"""

from __future__ import annotations

import numpy as np

from . import plants, textures
from .camera_path import Lens, walk
from .meshes import Mesh, ball, joined, lathe, lattice, leaves, tube, waves
from .scene import Material, Part, SampleScene, Sky


class Ground:
    """Bumpy ground that rises to the back: ``height(x, y)`` in metres."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._seeds = rng.spawn(3)
        self._states = [seed.bit_generator.state for seed in self._seeds]

    def __call__(self, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
        """Heights at positions of any shape."""
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        spots = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
        total = 0.35 / (1 + np.exp(-(y.ravel() - 2.5)))
        for seed, state, (wavelength, height) in zip(
            self._seeds, self._states, ((3.5, 0.10), (0.9, 0.030), (0.25, 0.008)), strict=True
        ):
            seed.bit_generator.state = state
            total = total + height * waves(spots, wavelength, seed)
        return total.reshape(x.shape)

    def at(self, x: float, y: float, lift: float = 0.0) -> tuple[float, float, float]:
        """The point of the ground at (x, y), and a little higher."""
        return x, y, self(x, y).item() + lift


def build(seed: int = 9) -> SampleScene:
    """The thicket and a walk of ten photos along it."""
    spawn = iter(np.random.default_rng(seed).spawn(16))
    ground = Ground(next(spawn))
    parts = [
        *floor(next(spawn), ground), *trunks(next(spawn), ground), *log(next(spawn), ground),
        *ferns(next(spawn), ground),
        *grass(next(spawn), ground), *stones(next(spawn), ground), *fungi(next(spawn), ground),
        *saplings(next(spawn), ground), *backdrop(next(spawn), ground),
    ]  # fmt: skip
    turns = np.linspace(-40, 40, 10)
    views = walk(
        next(spawn), Lens(), target=(0.0, 1.3, 0.62), azimuths=list(turns),
        radii=[4.1, 3.9, 4.0, 4.2, 4.0, 3.9, 4.1, 4.0, 4.2, 4.0],
        heights=[1.35, 1.55, 1.3, 1.7, 1.45, 1.6, 1.3, 1.75, 1.4, 1.5], sway=0.06,
    )  # fmt: skip
    sky = Sky(sun_direction=(-0.48, -0.50, 0.72), sun_diameter=1.5, turbidity=3.5)
    return SampleScene("thicket", tuple(parts), sky, views, exposure=7.0)


def floor(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Dark soil under brown leaves, twigs across them, and cushions of moss."""
    axis = np.linspace(-7, 7, 281)
    x, y = np.meshgrid(axis, axis + 2)
    earth = lattice(np.stack([x, y, ground(x, y)], -1), np.stack([x, y], -1) / 14)
    shape = (2800, 2800)
    fine = textures.fractal(rng, shape, 22.0, 5)
    image = textures.paint((0.30, 0.24, 0.17), 0.30 * fine, 0.15 * textures.fractal(rng, shape, 420.0, 6))
    moss = np.clip(1.6 * textures.fractal(rng, shape, 330.0, 6) - 0.5, 0, 1)
    image = textures.mix(image, textures.paint((0.26, 0.33, 0.11), 0.22 * textures.fractal(rng, shape, 10.0, 3)), moss)
    for color, share, radius in (
        ((0.47, 0.35, 0.20), 0.12, 4.0),
        ((0.16, 0.12, 0.09), 0.10, 3.0),
        ((0.58, 0.50, 0.36), 0.03, 2.0),
    ):
        image = textures.mix(image, color, 0.8 * textures.speckles(rng, shape, share, radius))
    spots = rng.uniform((-5, -2.5), (5, 6.0), (9000, 2))
    litter = np.column_stack([spots, ground(*spots.T) + 0.012 + 0.012 * rng.random(9000)])
    dead = leaves(litter, np.tile([0.0, 0.0, 1.5], (9000, 1)), 0.062, rng)
    twigs = []
    for px, py in rng.uniform((-3.5, -1.8), (3.5, 4.5), (160, 2)):
        turn, long = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.6)
        s = np.linspace(-0.5, 0.5, 8)
        line = np.stack([px + long * s * np.cos(turn), py + long * s * np.sin(turn)], 1) + 0.015 * rng.standard_normal(
            (8, 2)
        )
        path = np.column_stack([line, ground(*line.T) + 0.02 + 0.02 * rng.random()])
        twigs.append(tube(path, rng.uniform(0.003, 0.009) * np.linspace(1.2, 0.6, 8), 6))
    return [
        Part("soil", earth, Material(textures.finish(image)), smooth=True),
        Part("litter", dead, Material(textures.foliage(rng, 256, (0.25, 0.15, 0.08), (0.60, 0.42, 0.22)))),
        Part("twigs", joined(twigs), Material(textures.bark(rng, (256, 256), (0.36, 0.29, 0.22)))),
    ]


def stem(rng: np.random.Generator, foot: tuple[float, float, float], height: float, radius: float) -> Mesh:
    """A trunk with furrowed bark and roots that run out into the ground."""
    s = np.linspace(0, 1, 150)
    lean = rng.normal(0, 0.05, 2)
    wander = 0.05 * np.stack([np.sin(2.2 * s + rng.uniform(0, 6)), np.sin(1.7 * s + rng.uniform(0, 6))], 1)
    path = np.column_stack([(lean * height * s[:, None] + wander), height * s - 0.12])
    mesh = tube(path, radius * (1.0 - 0.35 * s), 72)
    around, up = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0]), mesh.vertices[:, 2]
    flare = np.exp(-np.clip(up, 0, None) / 0.17) * (0.55 + 0.45 * np.cos(5 * around + rng.uniform(0, 6)))
    furrows = np.abs(np.sin(11 * around + 1.4 * waves(mesh.vertices * (1, 1, 0.35), 0.25, rng)))
    rough = radius * (0.9 * flare - 0.085 * furrows**3 + 0.03 * waves(mesh.vertices, 0.12, rng))
    return mesh.displaced(np.where((up > path[0, 2]) & (up < path[-1, 2]), rough, 0.0)).moved(foot, rng.uniform(0, 360))


def trunks(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Six trees, one of them a pair of slender birches, and ivy that climbs the thickest."""
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
    base = np.array(ground.at(1.75, 2.9))
    spots = (
        base
        + out * (0.29 - 0.02 * up[:, None]) * (1 + 0.2 * rng.random((count, 1)))
        + up[:, None] * np.array([0, 0, 1])
    )
    climbing = waves(spots, 0.7, rng) > 0.55 * up - 0.75
    ivy = leaves(spots[climbing], out[climbing] * (1.2, 1.2, 1) + np.array((0, 0, 0.3)), 0.075, rng)
    return [
        Part("oaks", joined(oaks), Material(textures.bark(rng, (1024, 512), (0.40, 0.33, 0.26))), smooth=True),
        Part("birches", joined(birches), Material(textures.birch(rng, (1024, 256))), smooth=True),
        Part("ivy", ivy, Material(textures.foliage(rng, 256, (0.07, 0.17, 0.06), (0.24, 0.36, 0.12)), 0.4)),
    ]


def log(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """A fallen trunk across the middle, half under moss, with a branch that stands up and a cut face with its rings."""
    s = np.linspace(0, 1, 130)
    line = np.array([-1.9, -0.15]) + s[:, None] * np.array([3.1, 1.25])
    path = np.column_stack([line, ground(*line.T).mean() + 0.13 + 0.05 * np.sin(2 * s)])
    mesh = tube(path, 0.19 - 0.04 * s, 64)
    bumps = 0.018 * waves(mesh.vertices, 0.4, rng) + 0.007 * waves(mesh.vertices, 0.07, rng)
    axis = (path[-1] - path[0]) / np.linalg.norm(path[-1] - path[0])
    along = (mesh.vertices - path[0]) @ axis
    inner = (along > 0.01) & (along < np.linalg.norm(path[-1] - path[0]) - 0.01)
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
    moss = leaves(spots, np.tile([0.0, 0.0, 1.0], (5200, 1)), 0.020, rng)
    return [
        Part(
            "log", joined([mesh, *branches]), Material(textures.bark(rng, (1024, 512), (0.36, 0.31, 0.26))), smooth=True
        ),
        Part("moss", moss, Material(textures.foliage(rng, 128, (0.20, 0.28, 0.06), (0.44, 0.50, 0.14)))),
    ]


def scattered(rng: np.random.Generator, count: int, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """Positions (count, 2) in clumps inside a rectangle."""
    clumps = rng.uniform(low, high, (max(count // 6, 1), 2))
    return np.clip(clumps[rng.integers(len(clumps), size=count)] + 0.35 * rng.standard_normal((count, 2)), low, high)


def ferns(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Ferns in three sizes, in clumps."""
    kinds = [plants.fern(rng, n, size) for n, size in ((13, 0.55), (11, 0.42), (15, 0.68), (9, 0.34))]
    spots = np.concatenate([scattered(rng, 44, (-3.2, 0.9), (3.2, 5.0)), scattered(rng, 9, (-2.4, -0.9), (2.2, 0.2))])
    every = [
        kinds[k % 4].moved(ground.at(x, y), rng.uniform(0, 360), rng.uniform(0.7, 1.1))
        for k, (x, y) in enumerate(spots)
    ]
    half = len(every) // 2
    return [
        Part(
            "ferns one",
            joined(every[:half]),
            Material(textures.foliage(rng, 128, (0.14, 0.28, 0.06), (0.36, 0.50, 0.16)), 0.6),
        ),
        Part(
            "ferns two",
            joined(every[half:]),
            Material(textures.foliage(rng, 128, (0.22, 0.34, 0.08), (0.50, 0.56, 0.20)), 0.6),
        ),
    ]


def grass(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Tufts of wood-rush and some dry stalks."""
    kinds = [plants.tuft(rng, n, size) for n, size in ((22, 0.30), (16, 0.22), (26, 0.40), (12, 0.16))]
    spots = scattered(rng, 190, (-3.6, -1.4), (3.6, 4.6))
    every = [
        kinds[k % 4].moved(ground.at(x, y), rng.uniform(0, 360), rng.uniform(0.7, 1.2))
        for k, (x, y) in enumerate(spots)
    ]
    return [
        Part(
            "rushes",
            joined(every[:150]),
            Material(textures.foliage(rng, 128, (0.18, 0.30, 0.08), (0.46, 0.54, 0.20)), 0.6),
        ),
        Part(
            "dry grass",
            joined(every[150:]),
            Material(textures.foliage(rng, 128, (0.46, 0.38, 0.20), (0.72, 0.62, 0.38)), 0.7),
        ),
    ]


def stones(rng: np.random.Generator, ground: Ground) -> list[Part]:
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
        lift = (
            0.10 * facets
            + 0.13 * waves(rock.vertices, 1.5 * radius, rng)
            + 0.02 * waves(rock.vertices, 0.2 * radius, rng)
        )
        rock = rock.displaced(radius * lift)
        rocks.append(
            Mesh(rock.vertices * (1.2, 0.9, 0.75), rock.faces, rock.uv).moved(
                ground.at(x, y, 0.25 * radius), rng.uniform(0, 360)
            )
        )
    stone = textures.granite(rng, (700, 1400), (0.50, 0.48, 0.45), 2.0) / 255.0
    lichen = textures.speckles(rng, (700, 1400), 0.10, 9.0)
    stone = textures.mix(stone, (0.62, 0.62, 0.46), 0.7 * lichen)
    green = np.clip(textures.fractal(rng, (700, 1400), 260.0) - 0.5, 0, 1)
    return [
        Part(
            "stones",
            joined(rocks),
            Material(textures.finish(textures.mix(stone, (0.28, 0.34, 0.12), 0.8 * green))),
            smooth=True,
        )
    ]


def fungi(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Toadstools in a troop, and brackets on the log."""
    cap = lathe(
        [(0.0, 0.075), (0.012, 0.07), (0.045, 0.062), (0.050, 0.070), (0.042, 0.092), (0.020, 0.104), (0.0, 0.106)],
        28,
        30,
    )
    foot = lathe([(0.0, 0.0), (0.014, 0.0), (0.009, 0.03), (0.008, 0.075), (0.0, 0.076)], 16, 14)
    caps, feet = [], []
    for x, y in scattered(rng, 26, (-0.6, -0.95), (0.7, -0.2)):
        where = ground.at(x, y), rng.uniform(0, 360), rng.uniform(0.4, 0.85)
        caps.append(cap.moved(*where))
        feet.append(foot.moved(*where))
    spotted = textures.mix(
        textures.paint((0.62, 0.24, 0.12), 0.10 * textures.fractal(rng, (128, 256), 30.0)),
        (0.90, 0.85, 0.74),
        textures.speckles(rng, (128, 256), 0.07, 2.5),
    )
    return [
        Part("caps", joined(caps), Material(textures.finish(spotted), 0.5), smooth=True),
        Part(
            "feet",
            joined(feet),
            Material(textures.finish(textures.paint((0.82, 0.78, 0.68), 0.06 * textures.fractal(rng, (64, 64), 8.0)))),
            smooth=True,
        ),
    ]


def saplings(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Young trees and brambles between the trunks."""
    wood, green = [], []
    for x, y, height, crown in (
        (-0.35, 2.9, 1.5, 0.5),
        (1.0, 1.9, 1.1, 0.38),
        (-1.85, 2.7, 1.7, 0.55),
        (2.35, 2.6, 1.3, 0.45),
        (0.75, 3.6, 1.9, 0.6),
    ):
        stick, crown_leaves = plants.tree(rng, height, crown, 0.075, 900)
        wood.append(stick.moved(ground.at(x, y)))
        green.append(crown_leaves.moved(ground.at(x, y)))
    for _ in range(16):
        x, y = rng.uniform((-3, 0.6), (3, 3.5))
        turn, long, s = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.3), np.linspace(0, 1, 24)
        arch = np.stack(
            [
                x + long * s * np.cos(turn),
                y + long * s * np.sin(turn),
                ground(x, y) + 0.9 * long * s * (1.05 - s) * 1.6,
            ],
            1,
        )
        wood.append(tube(arch, 0.006 * (1.2 - s), 6))
        at = arch[rng.integers(3, 24, 70)] + 0.03 * rng.standard_normal((70, 3))
        green.append(leaves(at, np.tile([0.0, 0.0, 0.9], (70, 1)), 0.065, rng))
    return [
        Part("sticks", joined(wood), Material(textures.bark(rng, (256, 128), (0.34, 0.26, 0.20)))),
        Part(
            "sapling leaves",
            joined(green),
            Material(textures.foliage(rng, 256, (0.14, 0.27, 0.06), (0.42, 0.52, 0.16)), 0.55),
        ),
    ]


def backdrop(rng: np.random.Generator, ground: Ground) -> list[Part]:
    """Bushes and trunks farther off, and crowns above that dapple the light."""
    far = [
        stem(rng, (x, y, 0.3), 4.5, r)
        for x, y, r in zip(rng.uniform(-7, 7, 12), rng.uniform(5.6, 9.0, 12), rng.uniform(0.1, 0.2, 12), strict=True)
    ]
    bushes = []
    for turn, r in zip(np.linspace(-25, 205, 21), rng.uniform(1.0, 1.7, 21), strict=True):
        reach = 7.2 + rng.normal(0, 0.4)
        x, y = 1.15 * reach * np.cos(np.radians(turn)), 1.0 + reach * np.sin(np.radians(turn))
        out = rng.standard_normal((2400, 3))
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        inward = rng.random((2400, 1)) ** 0.35 * (1 + 0.2 * waves(out, 0.7, rng))[:, None]
        spots = np.array([x, y, 0.9 * r]) + out * r * inward
        bushes.append(leaves(spots, out + np.array((0, 0, 0.4)), 0.14, rng))
    above = []
    for x, y in zip(rng.uniform(-7, 4, 9), rng.uniform(-6.5, 3, 9), strict=True):
        out = rng.standard_normal((700, 3)) * (0.9, 0.9, 0.4)
        above.append(leaves(out + np.array((x, y, 7.0 + rng.normal(0, 0.4))), out + np.array((0, 0, 1)), 0.22, rng))
    leaf = textures.foliage(rng, 256, (0.10, 0.20, 0.05), (0.36, 0.45, 0.15))
    return [
        Part("far trunks", joined(far), Material(textures.bark(rng, (512, 256), (0.34, 0.29, 0.24))), smooth=True),
        Part("bushes", joined(bushes), Material(leaf, 0.6)),
        Part("canopy", joined(above), Material(leaf, 0.6)),
    ]
