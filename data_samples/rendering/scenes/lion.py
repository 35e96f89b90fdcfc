"""A seated stone lion with a ball under its paw, on a plinth in a garden of gravel, hedges and trees.

The world is in meters, z up; the gravel is z = 0 and the lion, which looks to -y, sits above the origin.
"""

from __future__ import annotations

import numpy as np

from ..camera_path import Lens, walk
from ..modeling import plants, textures
from ..modeling.lion_figure import lion
from ..modeling.masonry import blocks, courses
from ..modeling.meshes import Mesh, lattice, level, panel, upright, waves
from ..modeling.plants import leaves
from ..modeling.shapes import box, boxes, lathe
from ..scene import Parts, SampleScene, Sky, generators, part, parts_of


def build() -> SampleScene:
    """The lion and a walk of twelve photos almost half around it, from two heights."""
    rngs = generators(seed=4)
    parts = parts_of(rngs, (lion, plinth, ground, garden, wall))
    turns = np.linspace(-82, 82, 12)
    views = walk(
        next(rngs),
        Lens(),
        target=(0.0, 0.0, 1.42),
        azimuths=turns,
        radii=3.55 + 0.15 * np.cos(turns / 20),
        heights=[1.6, 2.05] * 6,
        sway=0.05,
    )
    sky = Sky(sun_direction=(0.52, -0.60, 0.62), sun_diameter=2.0, turbidity=4.0)
    return SampleScene("lion", parts, sky, views, exposure=4.6)


def plinth(rng: np.random.Generator) -> Parts:
    """A stepped plinth of granite with framed panels."""
    stone = textures.granite(rng, (900, 900), (0.60, 0.57, 0.52), 2.2)
    stains = textures.fractal(rng, (900, 900), 300.0, 6)
    stone = textures.finish(stone / 255.0 * np.exp(0.05 * stains)[..., None])
    pieces = [
        box((1.5, 2.15, 0.16), (0, 0, 0.08), 0.02),
        box((1.28, 1.92, 0.12), (0, 0, 0.22), 0.02),
        box((1.02, 1.66, 0.44), (0, 0, 0.50), 0.012),
        box((1.14, 1.78, 0.07), (0, 0, 0.755), 0.02),
        box((1.06, 1.70, 0.07), (0, 0, 0.825), 0.012),
    ]
    for y in (-0.835, 0.835):
        pieces += boxes((0.84, 0.03, 0.035), [0], [y], (0.34, 0.66), 0.008)
        pieces += boxes((0.035, 0.03, 0.355), (-0.405, 0.405), [y], [0.50], 0.008)
    for x in (-0.515, 0.515):
        pieces += boxes((0.03, 1.42, 0.035), [x], [0], (0.34, 0.66), 0.008)
        pieces += boxes((0.03, 0.035, 0.355), [x], (-0.69, 0.69), [0.50], 0.008)
    yield part("plinth", pieces, stone)


def ground(rng: np.random.Generator) -> Parts:
    """Raked gravel with pebbles and fallen leaves, and a ring of brick about the plinth."""
    axis = np.linspace(-9, 9, 361)
    x, y = np.meshgrid(axis, axis)
    z = 0.012 * waves(np.stack([x, y, 0 * x], -1), 1.1, rng)
    z += 0.004 * np.sin(2 * np.pi * np.hypot(x, y) / 0.16) * (np.hypot(x, y) > 1.75)
    gravel = lattice(np.stack([x, y, z], -1), np.stack([x, y], -1) / 18 + 0.5)
    shape = (3600, 3600)
    fine = textures.fractal(rng, shape, 14.0, 4)
    image = textures.paint((0.62, 0.57, 0.49), 0.20 * fine, 0.10 * textures.fractal(rng, shape, 500.0, 6))
    image = textures.speckled(
        rng,
        image,
        0.8,
        (((0.80, 0.77, 0.71), 0.10, 2.2), ((0.36, 0.33, 0.30), 0.12, 2.0), ((0.55, 0.42, 0.33), 0.06, 2.4)),
    )
    bricks = []
    for a in np.linspace(0, 2 * np.pi, 64, endpoint=False):
        at = (1.62 * np.cos(a), 1.62 * np.sin(a), 0.02 + rng.normal(0, 0.004))
        bricks.append(box((0.105, 0.22, 0.07), (0, 0, 0), 0.01).moved(at, np.degrees(a) + 90 + rng.normal(0, 2)))
    spots = np.concatenate([rng.normal(0, 2.6, (900, 2)), np.full((900, 1), 0.03)], 1)
    fallen = leaves(spots, (0.0, 0.0, 1.6), 0.06, rng)
    brown = textures.foliage(rng, 128, (0.34, 0.20, 0.09), (0.70, 0.50, 0.20))
    brick = textures.mottled(rng, (512, 512), (0.52, 0.32, 0.26), (0.14, 60.0), (0.1, 6.0, 2))
    yield part("gravel", gravel, textures.finish(image), smooth=True)
    yield part("brick ring", bricks, brick)
    yield part("fallen leaves", fallen, brown)


def garden(rng: np.random.Generator) -> Parts:
    """A clipped hedge around, trees behind it, and four urns with flowers."""
    turn = np.linspace(0, 2 * np.pi, 90)
    ring = np.stack([6.3 * np.cos(turn), 6.3 * np.sin(turn), 0 * turn], 1)
    green = plants.hedge(rng, ring[8:83], 0.8, 1.9, 0.10, 2400)
    stems, crowns = [], []
    kinds = [plants.tree(rng, h, c, 0.20, 6500) for h, c in ((5.2, 1.8), (6.4, 2.2), (4.4, 1.6))]
    for number, a in enumerate(np.linspace(-0.3, np.pi + 0.3, 9)):
        place = (8.6 * np.cos(a) + rng.normal(0, 0.4), 8.6 * np.sin(a) + rng.normal(0, 0.4), 0.0), rng.uniform(0, 360)
        for meshes, mesh in zip((stems, crowns), kinds[number % 3], strict=True):
            meshes.append(mesh.moved(*place))
    urn = lathe(
        [0, 0.20, 0.20, 0.09, 0.07, 0.22, 0.30, 0.36, 0.34, 0.27, 0],
        [0, 0, 0.05, 0.10, 0.17, 0.32, 0.52, 0.60, 0.64, 0.58, 0.5],
        40,
        60,
    )
    urns, blossom, stalks = [], [], []
    for a in np.radians((20, 75, 125, 165)):
        x, y = 4.6 * np.cos(a), 4.6 * np.sin(a)
        urns.append(urn.displaced(0.004 * waves(urn.vertices, 0.1, rng)).moved((x, y, 0.5)))
        urns.append(box((0.5, 0.5, 0.5), (x, y, 0.25), 0.02))
        spots = rng.standard_normal((420, 3)) * (0.20, 0.20, 0.13) + np.array((x, y, 1.2))
        stalks.append(leaves(spots, (0.0, 0.0, 0.8), 0.075, rng))
        heads = np.repeat(spots[::6] + np.array((0, 0, 0.05)), 7, 0)
        blossom.append(leaves(heads + 0.02 * rng.standard_normal(heads.shape), (0.0, 0.0, 1.0), 0.04, rng))
    bark = np.rot90(textures.wood(rng, (512, 512), (0.36, 0.29, 0.23), 0.3)).copy()
    leaf = textures.foliage(rng, 256, (0.10, 0.19, 0.06), (0.36, 0.46, 0.16))
    yield part("hedge", green, textures.foliage(rng, 256, (0.08, 0.16, 0.05), (0.26, 0.36, 0.13)), 0.6)
    yield part("stems", stems, bark)
    yield part("crowns", crowns, leaf, 0.6)
    yield part("urns", urns, textures.granite(rng, (512, 1024), (0.66, 0.62, 0.55), 2.0))
    yield part("stalks", stalks, leaf, 0.6)
    yield part("blossom", blossom, textures.foliage(rng, 64, (0.60, 0.18, 0.42), (0.90, 0.55, 0.72)))


def wall(rng: np.random.Generator) -> Parts:
    """A garden wall of brick in the far background on the open side, and meadow beyond."""
    plane = upright((-12.0, 13.0, 0.0), 24.0, 2.4)
    bricks = courses(rng, (24.0, 2.4), (0.074, 0.078), (0.215, 0.24), 0.012, bond=True)
    palette = [(0.55, 0.34, 0.27), (0.60, 0.39, 0.31), (0.49, 0.30, 0.25)]
    image = textures.masonry(rng, bricks, (24.0, 2.4), 130, palette, (0.66, 0.62, 0.55), grain=0.13, spread=0.13)
    far = panel(level((-900, -900, -0.06), 1800, 1800))
    grass = textures.foliage(rng, 1024, (0.20, 0.28, 0.10), (0.42, 0.46, 0.20))
    mesh = blocks(plane, bricks, rng, height=0.010, uneven=0.004, chamfer=0.006)
    yield part("garden wall", [mesh, panel(plane, 0.001)], image)
    yield part("meadow", Mesh(far.vertices, far.faces, far.uv * 340), grass)
