"""The front of a small palace in raking light: rustic stone below, ashlar above, a portal, windows, a carved frieze.

The world is in meters, x to the right along the front and y into the house, z up; the street is z = 0, the wall y = 0.
"""

from __future__ import annotations

import numpy as np

from ..camera_path import Lens, walk
from ..modeling import textures
from ..modeling.masonry import blocks, courses, pierced
from ..modeling.meshes import directions, level, panel, upright, waves
from ..modeling.plants import leaves
from ..modeling.shapes import box, boxes, lathe, rod, tube
from ..scene import Parts, SampleScene, Sky, generators, part, parts_of
from .facade_openings import door, portal, windows
from .facade_wall import HALF_WIDTH, frieze, medallions, moldings, wall, weathered


def build() -> SampleScene:
    """The front and a walk of ten photos along it."""
    rngs = generators(seed=3)
    parts = parts_of(
        rngs, (street, wall, moldings, frieze, portal, door, windows, medallions, lanterns, tubs, neighbors)
    )
    azimuths = np.array([-40, -31, -22, -13, -4, 5, 14, 23, 32, 41.0])
    views = walk(
        next(rngs),
        Lens(),
        target=(0.0, 0.0, 2.35),
        azimuths=azimuths,
        radii=8.4 + 0.5 * np.cos(np.radians(4 * azimuths)),
        heights=[1.6, 1.75, 1.5, 1.9, 1.6, 2.6, 1.7, 1.55, 2.3, 1.65],
        sway=0.12,
    )
    sky = Sky(sun_direction=(-0.60, -0.62, 0.50), sun_diameter=1.0, turbidity=3.0)
    return SampleScene("facade", parts, sky, views, exposure=4.6)


def street(rng: np.random.Generator) -> Parts:
    """Granite setts, a kerb, and a pavement of slabs along the wall."""
    road, walkway = level((-9.0, -11.0, -0.13), 18.0, 9.2), level((-9.0, -1.62, 0.0), 18.0, 1.75)
    setts = courses(rng, (18.0, 9.2), (0.11, 0.15), (0.12, 0.22), 0.014)
    palette = [(0.50, 0.49, 0.47), (0.43, 0.42, 0.41), (0.55, 0.52, 0.47), (0.47, 0.44, 0.42), (0.39, 0.39, 0.40)]
    paving = textures.masonry(rng, setts, (18.0, 9.2), 160, palette, (0.30, 0.27, 0.22), grain=0.13, spread=0.12)
    stones = blocks(road, setts, rng, height=0.014, uneven=0.005, chamfer=0.02, relief=0.002)
    slabs = courses(rng, (18.0, 1.75), (0.55, 0.62), (0.6, 1.1), 0.014)
    gray = textures.masonry(rng, slabs, (18.0, 1.75), 200, palette[:4], (0.32, 0.30, 0.27), grain=0.12, stains=0.14)
    pavement = blocks(walkway, slabs, rng, height=0.006, uneven=0.002, chamfer=0.006, relief=0.001, corners=3)
    kerb = boxes((0.98, 0.18, 0.16), np.arange(-8.5, 9, 1.0), [-1.71], [-0.075], 0.02)
    yield part("setts", [stones, panel(road)], paving)
    yield part("pavement", [pavement, panel(walkway)], gray)
    yield part("kerb", kerb, textures.granite(rng, (512, 512), (0.52, 0.51, 0.49), 1.6))


def lanterns(rng: np.random.Generator) -> Parts:
    """Two wrought-iron lanterns on brackets beside the portal."""
    iron, panes = [], []
    s = np.linspace(0, 1, 24)
    roof = lathe([0.15, 0.09, 0.03, 0], [0, 0.05, 0.09, 0.1], 16, 12)
    lamp = lathe([0, 0.06, 0.07, 0.05, 0], [0, 0, 0.12, 0.22, 0.24], 16, 16)
    for x in (-5.35, 5.35):
        arm = np.stack([np.full(24, x), -0.55 * s, 3.1 + 0.35 * np.sin(np.pi * s * 0.8)], 1)
        end, body = arm[-1], arm[-1] - np.array((0, 0, 0.34))
        iron += [tube(arm, 0.014, 8), box((0.16, 0.03, 0.34), (x, -0.03, 3.1), 0.006)]
        iron += [rod(end, end - np.array((0, 0, 0.12)), 0.006)]
        for corner in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            foot, head = (
                body + np.array((reach * corner[0], reach * corner[1], z))
                for reach, z in ((0.085, -0.16), (0.11, 0.14))
            )
            iron.append(rod(foot, head, 0.008))
        iron += [box((0.22, 0.22, 0.02), body - np.array((0, 0, 0.17)))]
        iron += [box((0.27, 0.27, 0.025), body + np.array((0, 0, 0.15))), roof.moved(body + np.array((0, 0, 0.16)))]
        panes.append(lamp.moved(body - np.array((0, 0, 0.15))))
    yield part("lanterns", iron, textures.iron(rng, 256, (0.11, 0.13, 0.12), 0.2), 0.45)
    yield part("lamps", panes, (0.86, 0.80, 0.62), 0.2, smooth=True)


def tubs(rng: np.random.Generator) -> Parts:
    """Clipped box balls in stone tubs beside the steps, and a bench under a window."""
    tub = lathe([0, 0.22, 0.25, 0.24, 0.33, 0.36, 0.36, 0.31, 0], [0, 0, 0.06, 0.1, 0.38, 0.42, 0.5, 0.5, 0.46], 40, 50)
    places = [(-2.25, -0.85, 0.0), (2.3, -0.8, 0.0), (-5.1, -0.75, 0.0)]
    pots = [tub.displaced(0.003 * waves(tub.vertices, 0.2, rng)).moved(at, rng.uniform(0, 360)) for at in places]
    greens = []
    for x, y, z in places:
        out = directions(rng, 1500)
        reach = 0.36 * (0.86 + 0.14 * rng.random(1500)) * (1 + 0.04 * waves(out, 0.8, rng))
        greens.append(leaves(np.array([x, y, z + 0.78]) + out * reach[:, None], out, 0.042, rng))
    bench = [
        box((1.7, 0.42, 0.09), (3.9, -0.62, 0.45), 0.02),
        *boxes((0.16, 0.36, 0.40), (3.3, 4.5), [-0.62], [0.2], 0.02),
    ]
    stone = weathered(rng, (512, 1024), (0.62, 0.59, 0.53), 2.2)
    yield part("tubs", pots, stone, smooth=True)
    yield part("bench", bench, stone)
    yield part("box balls", greens, textures.foliage(rng, 256, (0.08, 0.17, 0.05), (0.27, 0.38, 0.13)), 0.55)


def neighbors(rng: np.random.Generator) -> Parts:
    """The plastered houses on both sides, a little set back, and the ground under everything."""
    lefts = (1.6, 4.4, 7.2, 10.4, 13.2)
    for name, x0, color, top in (
        ("left", -22.0, (0.80, 0.70, 0.56), 6.0),
        ("right", HALF_WIDTH, (0.72, 0.74, 0.70), 4.6),
    ):
        front = pierced(upright((x0, 0.35, 0.0), 16.0, top), [(u, 1.5, u + 0.9, 3.0) for u in lefts], 0.2)
        shutters = boxes(
            (0.46, 0.05, 1.5), [x0 + u + side for u in lefts for side in (-0.25, 1.15)], [0.32], [2.25], 0.01
        )
        panes = [panel(upright((x0 + u, 0.55, 1.5), 0.9, 1.5)) for u in lefts]
        green = textures.wood(rng, (640, 640), (0.44, 0.36, 0.27), 0.2, flaking=(0.30, 0.38, 0.42))
        yield part(f"{name} house", front, textures.plaster(rng, (700, 2200), color))
        yield part(f"{name} shutters", shutters, green)
        yield part(f"{name} panes", panes, (0.07, 0.08, 0.09), 0.15)
    yield part("ground", panel(level((-60, -60, -0.16), 120, 120)), (0.40, 0.38, 0.35))
