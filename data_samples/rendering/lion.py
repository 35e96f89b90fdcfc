"""A seated stone lion with a ball under its paw, on a plinth in a garden of gravel, hedges and trees.

The world is in metres, z up; the gravel is z = 0 and the lion, which looks to -y, sits above the origin.
"""

from __future__ import annotations

import itertools

import numpy as np

from . import plants, textures
from .camera_path import Lens, walk
from .freeform import Field, blended, boxed, capsule, carved, ellipsoid, mirrored, surface_net
from .meshes import Mesh, Plane, blocks, box, courses, joined, lathe, lattice, leaves, panel, waves
from .scene import Material, Part, SampleScene, Sky

SEAT = 0.86
"""Height of the plinth."""


def build(seed: int = 4) -> SampleScene:
    """The lion and a walk of twelve photos almost half around it, from two heights."""
    spawn = iter(np.random.default_rng(seed).spawn(16))
    parts = [*lion(next(spawn)), *plinth(next(spawn)), *ground(next(spawn)), *garden(next(spawn)), *wall(next(spawn))]
    turns = np.linspace(-82, 82, 12)
    views = walk(
        next(spawn), Lens(), target=(0.0, 0.0, 1.42), azimuths=list(turns),
        radii=list(3.55 + 0.15 * np.cos(turns / 20)), heights=[1.6, 2.05] * 6, sway=0.05,
    )  # fmt: skip
    sky = Sky(sun_direction=(0.52, -0.60, 0.62), sun_diameter=2.0, turbidity=4.0)
    return SampleScene("lion", tuple(parts), sky, views, exposure=4.6)


def body() -> Field:
    """The animal, sitting: x to its left, -y ahead, z up from its seat; about 1.4 m tall."""
    trunk = [
        ellipsoid((0, 0.16, 0.50), (0.25, 0.30, 0.48), -24),
        ellipsoid((0, -0.10, 0.72), (0.24, 0.22, 0.34), 8),
        ellipsoid((0, 0.36, 0.24), (0.27, 0.27, 0.25)),
    ]
    hind = mirrored(blended([
        ellipsoid((0.25, 0.22, 0.26), (0.14, 0.32, 0.25), 18),
        capsule((0.29, 0.02, 0.10), (0.30, -0.16, 0.07), 0.10, 0.085),
        ellipsoid((0.30, -0.24, 0.07), (0.095, 0.14, 0.075)),
    ], 0.06))  # fmt: skip
    left = blended([
        capsule((0.15, -0.22, 0.72), (0.17, -0.30, 0.36), 0.115, 0.088),
        capsule((0.17, -0.30, 0.36), (0.17, -0.36, 0.08), 0.085, 0.075),
        ellipsoid((0.17, -0.43, 0.065), (0.095, 0.15, 0.07)),
    ], 0.05)  # fmt: skip
    right = blended([
        capsule((-0.15, -0.22, 0.72), (-0.20, -0.42, 0.48), 0.115, 0.085),
        capsule((-0.20, -0.42, 0.48), (-0.20, -0.54, 0.36), 0.085, 0.075),
        ellipsoid((-0.20, -0.60, 0.33), (0.095, 0.14, 0.07), 25),
    ], 0.05)  # fmt: skip
    toes = [
        ellipsoid((x + side * 0.055, y - 0.10, z), (0.032, 0.055, 0.045), tilt)
        for x, y, z, tilt in (
            (0.17, -0.43, 0.055, 0),
            (-0.20, -0.60, 0.295, 25),
            (0.30, -0.25, 0.055, 0),
            (-0.30, -0.25, 0.055, 0),
        )
        for side in (-1, 0, 1)
    ]
    t = np.linspace(0, 1, 9)
    curl = np.stack([0.30 * np.sin(2.6 * t) + 0.02, 0.55 + 0.14 * np.cos(2.6 * t), 0.09 + 0.02 * t], 1)
    tail = [capsule(a, b, 0.045, 0.043) for a, b in itertools.pairwise(curl)]
    tuft = ellipsoid((0.22, 0.36, 0.13), (0.07, 0.12, 0.07))
    return blended([*trunk, hind, left, right, *tail, tuft, *toes], 0.045)


def head() -> Field:
    """The face, looking a little to its right, with sunken eyes, a broad nose, and an open mouth."""
    skull = blended([
        ellipsoid((0, -0.22, 1.18), (0.17, 0.19, 0.18)),
        ellipsoid((0, -0.40, 1.10), (0.105, 0.13, 0.085)),
        ellipsoid((0, -0.37, 1.00), (0.075, 0.10, 0.045), -12),
        mirrored(ellipsoid((0.085, -0.33, 1.10), (0.07, 0.09, 0.075))),
        mirrored(ellipsoid((0.075, -0.355, 1.255), (0.055, 0.05, 0.030), -20)),
        capsule((0, -0.36, 1.24), (0, -0.49, 1.15), 0.040, 0.040),
    ], 0.045)  # fmt: skip
    nose = blended([skull, ellipsoid((0, -0.525, 1.135), (0.055, 0.03, 0.035))], 0.015)
    face = carved(nose, mirrored(ellipsoid((0.075, -0.42, 1.215), (0.036, 0.045, 0.026))), 0.012)
    face = carved(face, ellipsoid((0, -0.50, 1.035), (0.075, 0.13, 0.016), -6), 0.01)
    face = carved(face, mirrored(ellipsoid((0.026, -0.55, 1.125), (0.012, 0.02, 0.010))), 0.008)
    eyes = mirrored(ellipsoid((0.075, -0.392, 1.213), (0.028, 0.028, 0.022)))
    ears = mirrored(
        carved(
            ellipsoid((0.155, -0.15, 1.335), (0.06, 0.035, 0.065)),
            ellipsoid((0.158, -0.19, 1.34), (0.038, 0.03, 0.042)),
            0.01,
        )
    )
    return blended([face, eyes, ears], 0.012)


def lion(rng: np.random.Generator) -> list[Part]:
    """The figure in weathered stone: body, mane in locks, face, and the ball."""
    mane_shape = blended([
        ellipsoid((0, -0.12, 1.10), (0.30, 0.20, 0.30)), ellipsoid((0, -0.06, 0.92), (0.29, 0.25, 0.30)),
        ellipsoid((0, -0.26, 0.80), (0.20, 0.16, 0.26)), ellipsoid((0, 0.05, 1.02), (0.22, 0.22, 0.30)),
    ], 0.08)  # fmt: skip
    phase = rng.uniform(0, 2 * np.pi, 3)

    def mane(points: np.ndarray) -> np.ndarray:
        x, y, z = (points - np.array((0, -0.12, 1.12))).T
        around, fall = np.arctan2(x, z + 0.15), np.hypot(x, z) + 0.8 * y
        bend = 0.5 * np.sin(9 * fall + phase[0]) + 0.3 * np.sin(21 * fall + 3 * around + phase[1])
        locks = np.abs(np.sin(8.5 * around + bend + phase[2] + 2.0 * np.floor(fall / 0.11)))
        edge = np.abs(fall / 0.11 - np.floor(fall / 0.11) - 0.5)
        return (
            mane_shape(points)
            - 0.030 * locks
            + 0.018 * np.clip(edge - 0.30, 0, 1) * 5
            - 0.006 * np.sin(60 * fall + 30 * around)
        )

    figure = blended([body(), mane, head()], 0.014)
    mesh = surface_net(figure, (-0.5, -0.85, -0.03), (0.5, 0.85, 1.55), 0.0105)
    mesh = mesh.displaced(0.0016 * waves(mesh.vertices, 0.05, rng) + 0.0008 * waves(mesh.vertices, 0.018, rng))
    mesh = Mesh(mesh.vertices + np.array((0, 0, SEAT)), mesh.faces, mesh.uv)
    globe = surface_net(
        ellipsoid((-0.20, -0.56, 0.135), (0.135, 0.135, 0.135)), (-0.4, -0.75, -0.02), (0.0, -0.4, 0.3), 0.01
    )
    ridge = 0.004 * np.sign(np.sin(9 * globe.vertices[:, 2] / 0.135)) * 0.5
    globe = Mesh(globe.displaced(ridge).vertices + np.array((0, 0, SEAT)), globe.faces, globe.uv)
    stone = textures.granite(rng, (1024, 1024), (0.70, 0.66, 0.58), 1.9) / 255.0
    stone = 0.5 * stone + 0.5 * np.array((0.70, 0.65, 0.56))
    grey = np.clip(textures.fractal(rng, (1024, 1024), 340.0, 7) - 0.3, 0, 1)
    lichen = textures.speckles(rng, (1024, 1024), 0.05, 6.0)
    image = textures.mix(textures.mix(stone, (0.36, 0.35, 0.32), 0.5 * grey), (0.66, 0.62, 0.36), 0.6 * lichen)
    image = textures.mix(image, (0.24, 0.23, 0.21), 0.8 * textures.speckles(rng, (1024, 1024), 0.03, 2.0))
    return [Part("lion", boxed(joined([mesh, globe]), 0.62), Material(textures.finish(image)), smooth=True)]


def plinth(rng: np.random.Generator) -> list[Part]:
    """A stepped plinth of granite with framed panels."""
    stone = textures.granite(rng, (900, 900), (0.60, 0.57, 0.52), 2.2)
    stains = textures.fractal(rng, (900, 900), 300.0, 6)
    stone = textures.finish(stone / 255.0 * np.exp(0.05 * stains)[..., None])
    pieces = [
        box((1.5, 2.15, 0.16), (0, 0, 0.08), 0.02), box((1.28, 1.92, 0.12), (0, 0, 0.22), 0.02),
        box((1.02, 1.66, 0.44), (0, 0, 0.50), 0.012), box((1.14, 1.78, 0.07), (0, 0, 0.755), 0.02),
        box((1.06, 1.70, 0.07), (0, 0, 0.825), 0.012),
    ]  # fmt: skip
    frames = []
    for y in (-0.835, 0.835):
        frames += [box((0.84, 0.03, 0.035), (0, y, z), 0.008) for z in (0.34, 0.66)]
        frames += [box((0.035, 0.03, 0.355), (x, y, 0.50), 0.008) for x in (-0.405, 0.405)]
    for x in (-0.515, 0.515):
        frames += [box((0.03, 1.42, 0.035), (x, 0, z), 0.008) for z in (0.34, 0.66)]
        frames += [box((0.03, 0.035, 0.355), (x, y, 0.50), 0.008) for y in (-0.69, 0.69)]
    return [Part("plinth", joined([*pieces, *frames]), Material(stone))]


def ground(rng: np.random.Generator) -> list[Part]:
    """Raked gravel with pebbles and fallen leaves, and a ring of brick about the plinth."""
    axis = np.linspace(-9, 9, 361)
    x, y = np.meshgrid(axis, axis)
    z = 0.012 * waves(np.stack([x, y, 0 * x], -1).reshape(-1, 3), 1.1, rng).reshape(x.shape)
    z += 0.004 * np.sin(2 * np.pi * np.hypot(x, y) / 0.16) * (np.hypot(x, y) > 1.75)
    shape = (3600, 3600)
    fine = textures.fractal(rng, shape, 14.0, 4)
    image = textures.paint((0.62, 0.57, 0.49), 0.20 * fine, 0.10 * textures.fractal(rng, shape, 500.0, 6))
    for color, share, radius in (
        ((0.80, 0.77, 0.71), 0.10, 2.2),
        ((0.36, 0.33, 0.30), 0.12, 2.0),
        ((0.55, 0.42, 0.33), 0.06, 2.4),
    ):
        image = textures.mix(image, color, 0.8 * textures.speckles(rng, shape, share, radius))
    gravel = lattice(np.stack([x, y, z], -1), np.stack([x, y], -1) / 18 + 0.5)
    around = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    bricks = [
        box((0.105, 0.22, 0.07), (0, 0, 0), 0.01).moved(
            (1.62 * np.cos(a), 1.62 * np.sin(a), 0.02 + rng.normal(0, 0.004)), np.degrees(a) + 90 + rng.normal(0, 2)
        )
        for a in around
    ]
    spots = np.concatenate([rng.normal(0, 2.6, (900, 2)), np.full((900, 1), 0.03)], 1)
    fallen = leaves(spots, np.tile([0.0, 0.0, 1.6], (900, 1)), 0.06, rng)
    brown = textures.foliage(rng, 128, (0.34, 0.20, 0.09), (0.70, 0.50, 0.20))
    brick = textures.finish(
        textures.paint(
            (0.52, 0.32, 0.26),
            0.14 * textures.fractal(rng, (512, 512), 60.0),
            0.1 * textures.fractal(rng, (512, 512), 6.0, 2),
        )
    )
    return [
        Part("gravel", gravel, Material(textures.finish(image)), smooth=True),
        Part("brick ring", joined(bricks), Material(brick)),
        Part("fallen leaves", fallen, Material(brown)),
    ]


def garden(rng: np.random.Generator) -> list[Part]:
    """A clipped hedge around, trees behind it, and four urns with flowers."""
    turn = np.linspace(0, 2 * np.pi, 90)
    ring = np.stack([6.3 * np.cos(turn), 6.3 * np.sin(turn), 0 * turn], 1)
    green = plants.hedge(rng, ring[8:83], 0.8, 1.9, 0.10, 2400)
    wood, crowns = [], []
    kinds = [plants.tree(rng, h, c, 0.20, 6500) for h, c in ((5.2, 1.8), (6.4, 2.2), (4.4, 1.6))]
    for number, a in enumerate(np.linspace(-0.3, np.pi + 0.3, 9)):
        stem, crown = kinds[number % 3]
        place = (8.6 * np.cos(a) + rng.normal(0, 0.4), 8.6 * np.sin(a) + rng.normal(0, 0.4), 0.0), rng.uniform(0, 360)
        wood.append(stem.moved(*place))
        crowns.append(crown.moved(*place))
    urn = lathe(
        [
            (0.0, 0.0),
            (0.20, 0.0),
            (0.20, 0.05),
            (0.09, 0.10),
            (0.07, 0.17),
            (0.22, 0.32),
            (0.30, 0.52),
            (0.36, 0.60),
            (0.34, 0.64),
            (0.27, 0.58),
            (0.0, 0.5),
        ],
        40,
        60,
    )
    urns, blossom, stalks = [], [], []
    for a in np.radians((20, 75, 125, 165)):
        x, y = 4.6 * np.cos(a), 4.6 * np.sin(a)
        urns += [
            urn.displaced(0.004 * waves(urn.vertices, 0.1, rng)).moved((x, y, 0.5)),
            box((0.5, 0.5, 0.5), (x, y, 0.25), 0.02),
        ]
        out = rng.standard_normal((420, 3)) * (0.20, 0.20, 0.13) + np.array((x, y, 1.2))
        stalks.append(leaves(out, np.tile([0.0, 0.0, 0.8], (420, 1)), 0.075, rng))
        heads = np.repeat(out[::6] + np.array((0, 0, 0.05)), 7, 0)
        blossom.append(
            leaves(
                heads + 0.02 * rng.standard_normal(heads.shape), np.tile([0.0, 0.0, 1.0], (len(heads), 1)), 0.04, rng
            )
        )
    bark = np.rot90(textures.wood(rng, (512, 512), (0.36, 0.29, 0.23), 0.3)).copy()
    leaf = textures.foliage(rng, 256, (0.10, 0.19, 0.06), (0.36, 0.46, 0.16))
    return [
        Part("hedge", green, Material(textures.foliage(rng, 256, (0.08, 0.16, 0.05), (0.26, 0.36, 0.13)), 0.6)),
        Part("stems", joined(wood), Material(bark)),
        Part("crowns", joined(crowns), Material(leaf, 0.6)),
        Part("urns", joined(urns), Material(textures.granite(rng, (512, 1024), (0.66, 0.62, 0.55), 2.0)), smooth=False),
        Part("stalks", joined(stalks), Material(leaf, 0.6)),
        Part("blossom", joined(blossom), Material(textures.foliage(rng, 64, (0.60, 0.18, 0.42), (0.90, 0.55, 0.72)))),
    ]


def wall(rng: np.random.Generator) -> list[Part]:
    """A garden wall of brick in the far background on the open side, and meadow beyond."""
    plane = Plane((-12.0, 13.0, 0.0), (1, 0, 0), (0, 0, 1), 24.0, 2.4)
    bricks = courses(rng, (24.0, 2.4), (0.074, 0.078), (0.215, 0.24), 0.012, bond=True)
    palette = [(0.55, 0.34, 0.27), (0.60, 0.39, 0.31), (0.49, 0.30, 0.25)]
    image = textures.masonry(rng, bricks, (24.0, 2.4), 130, palette, (0.66, 0.62, 0.55), grain=0.13, spread=0.13)
    far = panel(Plane((-900, -900, -0.06), (1, 0, 0), (0, 1, 0), 1800, 1800))
    grass = textures.foliage(rng, 1024, (0.20, 0.28, 0.10), (0.42, 0.46, 0.20))
    mesh = blocks(plane, bricks, rng, height=0.010, uneven=0.004, chamfer=0.006)
    return [
        Part("garden wall", joined([mesh, panel(plane, 0.001)]), Material(image)),
        Part("meadow", Mesh(far.vertices, far.faces, far.uv * 340), Material(grass)),
    ]
