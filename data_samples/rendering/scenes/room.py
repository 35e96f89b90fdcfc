"""A painter's studio under a roof of glass: plain white walls, a parquet floor, shelves of books, an easel, furniture.

The world is in meters, x to the right and y towards the back wall as one enters, z up; the floor is z = 0. The panes of
the roof are left out, only its bars throw their shadows: the room is lit as by day, and every wall is seen by the sky.
"""

from __future__ import annotations

import numpy as np

from ..camera_path import Lens, walk
from ..modeling import textures
from ..modeling.masonry import blocks, pierced
from ..modeling.meshes import Mesh, Plane, level, panel, relief, upright, waves
from ..modeling.shapes import ball, box, boxes, rod
from ..scene import Parts, SampleScene, Sky, generators, part, parts_of
from .room_furniture import easel, sofa, stove, table
from .room_things import BACK, HALF_WIDTH, oddments, pictures, plant, shelves

FRONT, HIGH = -2.6, 3.0


def build() -> SampleScene:
    """The studio and a walk of ten photos along its open side."""
    rngs = generators(seed=6)
    parts = parts_of(rngs, (floor, walls, roof, shelves, table, sofa, easel, pictures, plant, stove, oddments))
    views = walk(
        next(rngs),
        Lens(focal=0.80),
        target=(0.0, 1.1, 1.05),
        radii=[3.35] * 10,
        azimuths=[-46, -36, -27, -18, -9, 0, 9, 18, 28, 38],
        heights=[1.45, 1.65, 1.5, 1.75, 1.55, 1.65, 1.4, 1.7, 1.55, 1.6],
        sway=0.05,
    )
    sky = Sky(sun_direction=(-0.50, -0.30, 0.81), sun_diameter=6.0, turbidity=9.0, sun=0.05)
    return SampleScene("room", parts, sky, views, exposure=11.5)


def floor(rng: np.random.Generator) -> Parts:
    """Oak parquet laid in a herringbone, and a woven rug."""
    long, wide = 0.48, 0.08
    i, j, kind = (a.ravel() for a in np.meshgrid(np.arange(-16, 17), np.arange(-50, 51), (0, 1), indexing="ij"))
    x, y = (2 * i + kind) * long / np.sqrt(2), j * np.sqrt(2) * wide
    inside = (np.abs(x) < 3.4) & (y > -4.6) & (y < 3.3)
    stave = box((long - 0.002, wide - 0.002, 0.02), (0, 0, -0.01), 0.0015)
    pieces = zip(x[inside], y[inside], np.where(kind == 0, 45.0, -45.0)[inside], strict=True)
    laid = [stave.moved((x, y, rng.normal(0, 0.0003)), turn) for x, y, turn in pieces]
    laid = [Mesh(m.vertices, m.faces, m.uv * 0.9 + rng.random(2)) for m in laid]
    oak = textures.wood(rng, (1400, 1400), (0.56, 0.42, 0.28), 0.09)
    patches = np.exp(0.12 * rng.standard_normal((18, 2))).repeat(78, 0)[:1400].repeat(700, 1)
    yield part("parquet", laid, textures.finish(oak / 255.0 * patches[..., None]), 0.55)
    yield part("floor below", panel(level((-4, -6, -0.02), 8, 10)), (0.2, 0.15, 0.1))
    plane = level((-1.45, -0.1, 0.0), 2.6, 1.9)
    u, v = plane.grid(40, 50)
    lift = 0.012 + 0.0015 * waves(np.stack([u, v, 0 * u], -1), 0.5, rng)
    yield part("rug", relief(plane, lift), weave(rng))


def weave(rng: np.random.Generator) -> np.ndarray:
    """An oriental rug: borders, a field of lozenges, a medallion, and the grain of its knots."""
    height, width = 760, 1040
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x - width / 2) / 62, (y - height / 2) / 62
    cell = np.abs((u + v) % 2 - 1) + np.abs((u - v) % 2 - 1)
    middle = np.abs(u) / 1.5 + np.abs(v) + 0.18 * np.cos(6 * np.arctan2(v, u))
    image = textures.paint((0.50, 0.13, 0.12), 0 * x)
    for color, opacity in (
        ((0.13, 0.17, 0.33), 9 * (0.45 - cell)),
        ((0.83, 0.72, 0.50), 9 * (0.09 - np.abs(cell - 0.62))),
        ((0.20, 0.36, 0.34), 9 * (0.16 - np.abs(cell - 1.3))),
        ((0.82, 0.73, 0.55), 6 * (2.5 - middle)),
        ((0.44, 0.12, 0.12), 6 * (2.2 - middle)),
        ((0.15, 0.20, 0.36), 6 * (0.25 - np.abs(middle - 1.3))),
    ):
        image = textures.mix(image, color, opacity)
    from_side, from_end = np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y)
    edge = np.minimum(from_side, from_end)
    for below, color in (
        (96, (0.82, 0.74, 0.56)),
        (88, (0.14, 0.18, 0.32)),
        (22, (0.82, 0.74, 0.56)),
        (14, (0.16, 0.14, 0.16)),
    ):
        image[edge < below] = color
    along = np.where(from_side < from_end, y, x)
    flower = np.hypot((along % 54) - 27, edge - 55)
    image = textures.mix(image, (0.72, 0.28, 0.20), 0.5 * (19 + 4 * np.cos(along / 9) - flower))
    image = textures.mix(image, (0.88, 0.78, 0.52), 0.5 * (8 - flower))
    knots = 0.16 * rng.standard_normal((height // 2, width // 2)).repeat(2, 0).repeat(2, 1)
    return textures.finish(image * np.exp(knots + 0.08 * textures.fractal(rng, (height, width), 300.0))[..., None])


def walls(rng: np.random.Generator) -> Parts:
    """White plaster with next to nothing on it, skirting boards, a window and a door."""
    near, deep = FRONT - 1, BACK - FRONT + 1
    hole, doorway = (deep - 1.5 - 1.6, 0.95, deep - 1.5, 2.35), (2.7, 0.0, 3.6, 2.1)
    planes = (
        (upright((-HALF_WIDTH, BACK, 0), 2 * HALF_WIDTH, HIGH), []),
        (Plane((-HALF_WIDTH, near, 0), (0, 1, 0), (0, 0, 1), deep, HIGH), [hole]),
        (Plane((HALF_WIDTH, BACK, 0), (0, -1, 0), (0, 0, 1), deep, HIGH), [doorway]),
        (Plane((HALF_WIDTH, near, 0), (-1, 0, 0), (0, 0, 1), 2 * HALF_WIDTH, HIGH), []),
    )
    for n, (plane, openings) in enumerate(planes):
        white = textures.plaster(rng, (700, 1400), (0.86, 0.85, 0.82), cracks=2)
        yield part(f"wall {n}", pierced(plane, openings, 0.18), white)
    y0, y1 = near + hole[0], near + hole[2]
    middle, rise, outside = (y0 + y1) / 2, hole[3] - hole[1], -HALF_WIDTH - 0.12
    woodwork = [
        box((2 * HALF_WIDTH, 0.018, 0.11), (0, BACK - 0.009, 0.055), 0.005),
        box((0.018, deep, 0.11), (-HALF_WIDTH + 0.009, (BACK + FRONT - 1) / 2, 0.055), 0.005),
        box((0.018, 2.6, 0.11), (HALF_WIDTH - 0.009, BACK - 1.3, 0.055), 0.005),
        *boxes((0.06, 0.07, rise), [outside], (y0 + 0.03, middle, y1 - 0.03), [(hole[1] + hole[3]) / 2], 0.005),
        *boxes((0.06, y1 - y0, 0.07), [outside], [middle], (hole[1] + 0.03, hole[1] + 0.9, hole[3] - 0.03), 0.005),
        box((0.30, y1 - y0 + 0.16, 0.035), (-HALF_WIDTH + 0.06, middle, hole[1] - 0.015), 0.006),
        *(box((0.03, 0.09, 2.2), (HALF_WIDTH - 0.01, BACK - u, 1.1), 0.006) for u in (2.7 - 0.045, 3.6 + 0.045)),
        box((0.03, 1.08, 0.09), (HALF_WIDTH - 0.01, BACK - 3.15, 2.145), 0.006),
    ]
    leaf = Plane((HALF_WIDTH + 0.06, BACK - doorway[0], 0), (0, -1, 0), (0, 0, 1), 0.9, 2.1)
    fields = [[u0, v0, u1, v1] for v0, v1 in ((0.15, 0.85), (1.0, 1.95)) for u0, u1 in ((0.1, 0.42), (0.48, 0.8))]
    raised = blocks(leaf, np.array(fields), rng, height=0.015, uneven=0, chamfer=0.03)
    yield part("woodwork", woodwork, textures.mottled(rng, (512, 512), (0.84, 0.83, 0.79), (0.015, 120.0)), 0.4)
    yield part("door", [panel(leaf), raised], textures.wood(rng, (512, 512), (0.56, 0.62, 0.60), 0.06), 0.5)
    knob = ball(0.03, 16).moved((HALF_WIDTH + 0.01, BACK - 2.8, 1.02))
    yield part("knob", knob, (0.70, 0.58, 0.30), 0.25, smooth=True)
    yield part("meadow", panel(level((-300, -300, -0.4), 600, 600)), (0.34, 0.40, 0.22))


def roof(rng: np.random.Generator) -> Parts:
    """Iron bars and two beams of the glass roof."""
    x, near, z = HALF_WIDTH, FRONT - 1, HIGH + 0.02
    bars = [rod((at, near, z), (at, BACK, z), 0.018) for at in np.linspace(-x, x, 11)]
    bars += [rod((-x, y, HIGH + 0.03), (x, y, HIGH + 0.03), 0.014) for y in np.linspace(near, BACK, 8)]
    beams = boxes((2 * HALF_WIDTH, 0.14, 0.20), [0], (-0.6, 1.5), [HIGH - 0.12], 0.01)
    yield part("bars", bars, (0.22, 0.24, 0.24))
    yield part("beams", beams, textures.wood(rng, (512, 512), (0.46, 0.36, 0.26), 0.12))
