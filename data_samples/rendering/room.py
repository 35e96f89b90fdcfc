"""A painter's studio under a roof of glass: plain white walls, a parquet floor, shelves of books, an easel, furniture.

The world is in metres, x to the right and y towards the back wall as one enters, z up; the floor is z = 0. The panes of
the roof are left out, only its bars throw their shadows: the room is lit as by day, and every wall is seen by the sky.
"""

from __future__ import annotations

import numpy as np

from . import plants, textures
from .camera_path import Lens, walk
from .freeform import blended, boxed, capsule, ellipsoid, surface_net
from .meshes import (
    Mesh,
    Plane,
    ball,
    blocks,
    box,
    joined,
    lathe,
    lattice,
    panel,
    pierced,
    rod,
    tube,
    waves,
)  # fmt: skip
from .scene import Material, Part, SampleScene, Sky, plain

HALF_WIDTH, FRONT, BACK, HIGH = 3.0, -2.6, 2.9, 3.0
WINDOW = (1.15, 0.95, 2.75, 2.35)
"""In the left wall: from u0, v0 to u1, v1, counted from its near end."""


def build(seed: int = 6) -> SampleScene:
    """The studio and a walk of ten photos along its open side."""
    spawn = iter(np.random.default_rng(seed).spawn(20))
    parts = [
        *floor(next(spawn)), *walls(next(spawn)), *roof(next(spawn)), *shelves(next(spawn)), *table(next(spawn)),
        *sofa(next(spawn)), *easel(next(spawn)), *pictures(next(spawn)), *plant(next(spawn)), *stove(next(spawn)),
        *oddments(next(spawn)),
    ]  # fmt: skip
    turns = np.array([-46, -36, -27, -18, -9, 0, 9, 18, 28, 38.0])
    views = walk(
        next(spawn), Lens(focal=0.80), target=(0.0, 1.1, 1.05), azimuths=list(turns), radii=[3.35] * 10,
        heights=[1.45, 1.65, 1.5, 1.75, 1.55, 1.65, 1.4, 1.7, 1.55, 1.6], sway=0.05,
    )  # fmt: skip
    sky = Sky(sun_direction=(-0.50, -0.30, 0.81), sun_diameter=6.0, turbidity=9.0, sun=0.05)
    return SampleScene("room", tuple(parts), sky, views, exposure=11.5)


def floor(rng: np.random.Generator) -> list[Part]:
    """Oak parquet laid in a herring-bone, and a woven rug."""
    long, wide = 0.48, 0.08
    pieces = []
    for i in range(-16, 17):
        for j in range(-50, 51):
            for kind in (0, 1):
                x, y = (2 * i + kind) * long / np.sqrt(2), j * np.sqrt(2) * wide
                pieces.append((x, y, 45.0 if kind == 0 else -45.0))
    stave = box((long - 0.002, wide - 0.002, 0.02), (0, 0, -0.01), 0.0015)
    laid = [
        stave.moved((x, y, rng.normal(0, 0.0003)), turn) for x, y, turn in pieces if abs(x) < 3.4 and -4.6 < y < 3.3
    ]
    laid = [Mesh(m.vertices, m.faces, m.uv * 0.9 + rng.random(2)) for m in laid]
    oak = textures.wood(rng, (1400, 1400), (0.56, 0.42, 0.28), 0.09)
    patches = np.repeat(np.repeat(np.exp(0.12 * rng.standard_normal((18, 2))), 78, 0)[:1400], 700, 1)
    oak = textures.finish(oak[: len(patches)] / 255.0 * patches[: len(oak), :, None])
    v, u = np.meshgrid(np.linspace(0, 1.9, 40), np.linspace(0, 2.6, 50), indexing="ij")
    lift = 0.012 + 0.0015 * waves(np.stack([u, v, 0 * u], -1).reshape(-1, 3), 0.5, rng).reshape(u.shape)
    rug_plane = Plane((-1.45, -0.1, 0.0), (1, 0, 0), (0, 1, 0), 2.6, 1.9)
    rug = lattice(rug_plane.at(u, v, lift), rug_plane.uv(u, v))
    return [
        Part("parquet", joined(laid), Material(oak, 0.55)),
        Part(
            "floor below", panel(Plane((-4, -6, -0.02), (1, 0, 0), (0, 1, 0), 8, 10)), Material(plain(0.2, 0.15, 0.1))
        ),
        Part("rug", rug, Material(weave(rng))),
    ]


def weave(rng: np.random.Generator) -> np.ndarray:
    """An oriental rug: borders, a field of lozenges, a medallion, and the grain of its knots."""
    height, width = 760, 1040
    y, x = np.mgrid[:height, :width].astype(np.float32)
    edge = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    image = textures.paint((0.50, 0.13, 0.12), 0 * x)
    u, v = (x - width / 2) / 62, (y - height / 2) / 62
    cell = np.abs((u + v) % 2 - 1) + np.abs((u - v) % 2 - 1)
    image = textures.mix(image, (0.13, 0.17, 0.33), 9 * (0.45 - cell))
    image = textures.mix(image, (0.83, 0.72, 0.50), 9 * (0.09 - np.abs(cell - 0.62)))
    image = textures.mix(image, (0.20, 0.36, 0.34), 9 * (0.16 - np.abs(cell - 1.3)))
    middle = np.abs(u) / 1.5 + np.abs(v) + 0.18 * np.cos(6 * np.arctan2(v, u))
    image = textures.mix(image, (0.82, 0.73, 0.55), 6 * (2.5 - middle))
    image = textures.mix(image, (0.44, 0.12, 0.12), 6 * (2.2 - middle))
    image = textures.mix(image, (0.15, 0.20, 0.36), 6 * (0.25 - np.abs(middle - 1.3)))
    for low, high, color in (
        (0, 14, (0.16, 0.14, 0.16)),
        (14, 22, (0.82, 0.74, 0.56)),
        (22, 88, (0.14, 0.18, 0.32)),
        (88, 96, (0.82, 0.74, 0.56)),
    ):
        image[(edge >= low) & (edge < high)] = color
    along = np.where(np.minimum(x, width - 1 - x) < np.minimum(y, height - 1 - y), y, x)
    flower = np.hypot((along % 54) - 27, edge - 55)
    image = textures.mix(image, (0.72, 0.28, 0.20), 0.5 * (19 + 4 * np.cos(along / 9) - flower))
    image = textures.mix(image, (0.88, 0.78, 0.52), 0.5 * (8 - flower))
    knots = 0.16 * rng.standard_normal((height // 2, width // 2)).repeat(2, 0).repeat(2, 1)
    return textures.finish(image * np.exp(knots + 0.08 * textures.fractal(rng, (height, width), 300.0))[..., None])


def walls(rng: np.random.Generator) -> list[Part]:
    """White plaster with next to nothing on it, skirting boards, a window and a door."""
    back = Plane((-HALF_WIDTH, BACK, 0), (1, 0, 0), (0, 0, 1), 2 * HALF_WIDTH, HIGH)
    left = Plane((-HALF_WIDTH, FRONT - 1, 0), (0, 1, 0), (0, 0, 1), BACK - FRONT + 1, HIGH)
    right = Plane((HALF_WIDTH, BACK, 0), (0, -1, 0), (0, 0, 1), BACK - FRONT + 1, HIGH)
    front = Plane((HALF_WIDTH, FRONT - 1, 0), (-1, 0, 0), (0, 0, 1), 2 * HALF_WIDTH, HIGH)
    hole = (left.width - 1.5 - 1.6, WINDOW[1], left.width - 1.5, WINDOW[3])
    doorway = (2.7, 0.0, 3.6, 2.1)
    flat = [(back, []), (left, [hole]), (right, [doorway]), (front, [])]
    parts = [
        Part(
            f"wall {n}",
            pierced(p, holes, 0.18) if holes else panel(p),
            Material(textures.plaster(rng, (700, 1400), (0.86, 0.85, 0.82), cracks=2)),
        )
        for n, (p, holes) in enumerate(flat)
    ]
    skirting = [box((2 * HALF_WIDTH, 0.018, 0.11), (0, BACK - 0.009, 0.055), 0.005)]
    skirting += [box((0.018, BACK - FRONT + 1, 0.11), (-HALF_WIDTH + 0.009, (BACK + FRONT - 1) / 2, 0.055), 0.005)]
    skirting += [box((0.018, 2.6, 0.11), (HALF_WIDTH - 0.009, BACK - 1.3, 0.055), 0.005)]
    y0, y1 = FRONT - 1 + hole[0], FRONT - 1 + hole[2]
    frame = [
        box((0.06, 0.07, hole[3] - hole[1]), (-HALF_WIDTH - 0.12, y, (hole[1] + hole[3]) / 2), 0.005)
        for y in (y0 + 0.03, (y0 + y1) / 2, y1 - 0.03)
    ]
    frame += [
        box((0.06, y1 - y0, 0.07), (-HALF_WIDTH - 0.12, (y0 + y1) / 2, z), 0.005)
        for z in (hole[1] + 0.03, hole[1] + 0.9, hole[3] - 0.03)
    ]
    sill = box((0.30, y1 - y0 + 0.16, 0.035), (-HALF_WIDTH + 0.06, (y0 + y1) / 2, hole[1] - 0.015), 0.006)
    door_leaf = Plane((HALF_WIDTH + 0.06, BACK - doorway[0], 0), (0, -1, 0), (0, 0, 1), 0.9, 2.1)
    fields = np.array(
        [[0.1, 0.15, 0.42, 0.85], [0.48, 0.15, 0.8, 0.85], [0.1, 1.0, 0.42, 1.95], [0.48, 1.0, 0.8, 1.95]]
    )
    leaf = joined([panel(door_leaf), blocks(door_leaf, fields, rng, height=0.015, uneven=0, chamfer=0.03)])
    case = [
        box((0.03, 0.09, 2.2), (HALF_WIDTH - 0.01, BACK - u, 1.1), 0.006)
        for u in (doorway[0] - 0.045, doorway[2] + 0.045)
    ]
    case.append(box((0.03, 1.08, 0.09), (HALF_WIDTH - 0.01, BACK - 3.15, 2.145), 0.006))
    knob = ball(0.03, 16).moved((HALF_WIDTH + 0.01, BACK - 2.8, 1.02))
    white = textures.finish(textures.paint((0.84, 0.83, 0.79), 0.015 * textures.fractal(rng, (512, 512), 120.0)))
    return [
        *parts,
        Part("woodwork", joined([*skirting, *frame, sill, *case]), Material(white, 0.4)),
        Part("door", leaf, Material(textures.wood(rng, (512, 512), (0.56, 0.62, 0.60), 0.06), 0.5)),
        Part("knob", knob, Material(plain(0.70, 0.58, 0.30), 0.25), smooth=True),
        Part(
            "meadow",
            panel(Plane((-300, -300, -0.4), (1, 0, 0), (0, 1, 0), 600, 600)),
            Material(plain(0.34, 0.40, 0.22)),
        ),
    ]


def roof(rng: np.random.Generator) -> list[Part]:
    """Iron bars and two beams of the glass roof."""
    bars = [
        rod((x, FRONT - 1, HIGH + 0.02), (x, BACK, HIGH + 0.02), 0.018)
        for x in np.linspace(-HALF_WIDTH, HALF_WIDTH, 11)
    ]
    bars += [
        rod((-HALF_WIDTH, y, HIGH + 0.03), (HALF_WIDTH, y, HIGH + 0.03), 0.014) for y in np.linspace(FRONT - 1, BACK, 8)
    ]
    beams = [box((2 * HALF_WIDTH, 0.14, 0.20), (0, y, HIGH - 0.12), 0.01) for y in (-0.6, 1.5)]
    return [
        Part("bars", joined(bars), Material(plain(0.22, 0.24, 0.24))),
        Part("beams", joined(beams), Material(textures.wood(rng, (512, 512), (0.46, 0.36, 0.26), 0.12))),
    ]


def shelves(rng: np.random.Generator) -> list[Part]:
    """A bookcase on the right of the back wall, full but for a few gaps."""
    x0, x1, y, deep = 1.05, 2.85, BACK - 0.17, 0.32
    boards = [box((x1 - x0, deep, 0.028), ((x0 + x1) / 2, y, z), 0.003) for z in (0.09, 0.47, 0.83, 1.17, 1.51, 1.85)]
    boards += [box((0.028, deep, 1.86), (x, y, 0.935), 0.003) for x in (x0, (x0 + x1) / 2, x1)]
    boards.append(box((x1 - x0, 0.01, 1.86), ((x0 + x1) / 2, BACK - 0.006, 0.935), 0.002))
    covers: list[list[Mesh]] = [[] for _ in range(6)]
    for z in (0.104, 0.484, 0.844, 1.184, 1.524):
        for left, right in ((x0 + 0.02, (x0 + x1) / 2 - 0.02), ((x0 + x1) / 2 + 0.02, x1 - 0.02)):
            x = left
            while x < right - 0.06:
                if rng.random() < 0.06:
                    x += rng.uniform(0.05, 0.16)
                    continue
                thick, tall, wide = rng.uniform(0.014, 0.048), rng.uniform(0.19, 0.30), rng.uniform(0.14, 0.22)
                lean = rng.uniform(5, 13) if rng.random() < 0.07 else 0.0
                book = box((thick, wide, tall), (0, 0, tall / 2), 0.003)
                c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
                turned = book.vertices @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
                book = Mesh(turned - np.array((0, 0, turned[:, 2].min())), book.faces, book.uv * 0.4 + rng.random(2))
                if x + thick + tall * s > right:
                    break
                covers[rng.integers(6)].append(
                    book.moved((x + thick / 2, y - 0.12 + wide / 2 + rng.normal(0, 0.006), z))
                )
                x += thick + tall * s + 0.002
    globe = ball(0.15, 40).moved((1.35, y, 2.09))
    stand = lathe([(0.0, 0.0), (0.09, 0.0), (0.02, 0.04), (0.02, 0.08), (0.0, 0.09)], 20, 12).moved((1.35, y, 1.865))
    land = textures.fractal(rng, (256, 512), 110.0, 6)
    seas = textures.mix(textures.paint((0.30, 0.46, 0.56), 0 * land), (0.76, 0.68, 0.46), 8 * (land - 0.3))
    boxes = [box((0.34, 0.26, 0.2), (1.95, y, 1.965), 0.004), box((0.30, 0.24, 0.12), (1.96, y, 2.125), 0.004)]
    return [
        Part("bookcase", joined(boards), Material(textures.wood(rng, (640, 640), (0.46, 0.34, 0.24), 0.1), 0.6)),
        *(Part(f"books {k}", joined(some), Material(spines(rng), 0.6)) for k, some in enumerate(covers)),
        Part("globe", globe, Material(textures.finish(seas), 0.35), smooth=True),
        Part("stand", stand, Material(plain(0.3, 0.2, 0.12), 0.4), smooth=True),
        Part(
            "cartons",
            joined(boxes),
            Material(
                textures.finish(textures.paint((0.60, 0.48, 0.34), 0.05 * textures.fractal(rng, (256, 256), 60.0)))
            ),
        ),
    ]


def spines(rng: np.random.Generator) -> np.ndarray:
    """Book cloth in many colours, with gilt lines and marks like lettering."""
    image = np.empty((900, 900, 3), np.float32)
    for k in range(0, 900, 30):
        color = np.clip(
            rng.choice(
                [
                    [0.45, 0.12, 0.10],
                    [0.12, 0.22, 0.34],
                    [0.16, 0.30, 0.20],
                    [0.62, 0.50, 0.30],
                    [0.72, 0.68, 0.58],
                    [0.22, 0.20, 0.22],
                    [0.66, 0.34, 0.14],
                ]
            )
            * rng.uniform(0.8, 1.25),
            0,
            0.95,
        )
        image[:, k : k + 30] = color
        for at in rng.integers(0, 860, 7):
            image[at : at + int(rng.integers(2, 5)), k : k + 30] = (0.80, 0.68, 0.38)
        for at in range(int(rng.integers(0, 40)), 880, 9):
            if rng.random() < 0.4:
                image[at : at + 5, k + 8 : k + 8 + int(rng.integers(4, 14))] = (
                    (0.88, 0.84, 0.74) if color.mean() < 0.4 else (0.15, 0.13, 0.12)
                )
    return textures.finish(image * np.exp(0.04 * textures.fractal(rng, (900, 900), 5.0, 2))[..., None])


def table(rng: np.random.Generator) -> list[Part]:
    """A work table with jars of brushes, papers, a lamp, and a chair of bent wood."""
    at, turn = (1.25, 0.35, 0.0), 12.0
    top = box((1.35, 0.75, 0.04), (0, 0, 0.74), 0.006)
    legs = [box((0.06, 0.06, 0.72), (x, y, 0.36), 0.006) for x in (-0.6, 0.6) for y in (-0.3, 0.3)]
    legs += [box((1.18, 0.025, 0.09), (0, y, 0.67), 0.004) for y in (-0.3, 0.3)] + [
        box((0.025, 0.58, 0.09), (x, 0, 0.67), 0.004) for x in (-0.6, 0.6)
    ]
    jars, brushes = [], []
    jar = lathe(
        [
            (0.0, 0.0),
            (0.042, 0.0),
            (0.045, 0.02),
            (0.045, 0.11),
            (0.038, 0.125),
            (0.040, 0.135),
            (0.034, 0.13),
            (0.034, 0.02),
            (0.0, 0.015),
        ],
        28,
        40,
    )
    for x, y in ((-0.48, 0.18), (-0.36, 0.25), (-0.53, 0.03)):
        jars.append(jar.moved((x, y, 0.76)))
        for _ in range(7):
            lean, way = rng.uniform(0.05, 0.2), rng.uniform(0, 2 * np.pi)
            tip = np.array([x, y, 0.77]) + rng.uniform(0.2, 0.3) * np.array(
                [lean * np.cos(way), lean * np.sin(way), 1.0]
            )
            brushes.append(
                tube(np.linspace((x, y, 0.77), tip, 6), np.array([0.003, 0.004, 0.005, 0.004, 0.006, 0.008]), 7)
            )
    papers = [
        box((0.297, 0.21, 0.0015), (x, y, 0.762 + 0.002 * k), 0.0003).moved()
        for k, (x, y) in enumerate(((0.05, -0.1), (0.12, -0.05), (0.0, 0.02)))
    ]
    papers = [
        Mesh(p.vertices, p.faces, (p.vertices[:, :2] - p.vertices[:, :2].min(0)) / np.ptp(p.vertices[:, :2], axis=0))
        for p in papers
    ]
    sketch = textures.poster(
        rng, (420, 594), "STUDY", ["no. 41, from nature", "in the studio, in June"], (0.35, 0.45, 0.38)
    )
    lamp = [
        lathe([(0.0, 0.0), (0.09, 0.0), (0.09, 0.015), (0.02, 0.03), (0.0, 0.035)], 28, 16).moved((0.5, 0.24, 0.76))
    ]
    lamp += [rod((0.5, 0.24, 0.78), (0.42, 0.2, 1.12), 0.009), rod((0.42, 0.2, 1.12), (0.24, 0.1, 1.30), 0.009)]
    lamp.append(lathe([(0.10, 0.0), (0.085, 0.06), (0.035, 0.13), (0.0, 0.14)], 28, 20).moved((0.22, 0.09, 1.18)))
    seat = lathe([(0.0, 0.45), (0.19, 0.45), (0.205, 0.46), (0.19, 0.475), (0.0, 0.47)], 36, 16)
    s = np.linspace(0, np.pi, 30)
    hoop = np.stack([0.19 * np.cos(s), 0.17 + 0.06 * np.sin(s), 0.46 + 0.46 * np.sin(s)], 1)
    inner = np.stack([0.11 * np.cos(s), 0.175 + 0.045 * np.sin(s), 0.47 + 0.33 * np.sin(s)], 1)
    chair = [seat, tube(hoop, 0.014, 9), tube(inner, 0.011, 9)]
    chair += [
        tube(np.array([[0.13 * i, 0.13 * j, 0.45], [0.17 * i, 0.17 * j, 0.22], [0.19 * i, 0.19 * j, 0.0]]), 0.014, 9)
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    ring = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    chair.append(
        tube(np.stack([0.155 * np.cos(ring), 0.155 * np.sin(ring), 0 * ring + 0.24], 1), 0.009, 7, closed=True)
    )
    pine = textures.wood(rng, (640, 900), (0.62, 0.50, 0.36), 0.08)
    return [
        Part("table", joined([top, *legs]).moved(at, turn), Material(pine, 0.6)),
        Part(
            "jars",
            joined(jars).moved(at, turn),
            Material(textures.clay(rng, (128, 256), (0.56, 0.60, 0.58)), 0.3),
            smooth=True,
        ),
        Part(
            "brushes",
            joined(brushes).moved(at, turn),
            Material(textures.foliage(rng, 64, (0.45, 0.20, 0.10), (0.75, 0.58, 0.30)), 0.5),
        ),
        Part("papers", joined(papers).moved(at, turn), Material(sketch)),
        Part("lamp", joined(lamp).moved(at, turn), Material(plain(0.16, 0.30, 0.26), 0.3), smooth=True),
        Part(
            "chair",
            joined(chair).moved((0.9, -0.45, 0), 160),
            Material(textures.wood(rng, (512, 512), (0.36, 0.20, 0.12), 0.2), 0.35),
            smooth=True,
        ),
    ]


def sofa(rng: np.random.Generator) -> list[Part]:
    """A couch with cushions on the left, under the window."""

    def cushion(size: tuple[float, float, float], center: tuple[float, float, float], turn: float = 0.0) -> Mesh:
        n = 24
        a, b = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
        puff = ((1 - a**4) * (1 - b**4)) ** 0.45
        dent = 0.06 * waves(np.stack([a, b, 0 * a], -1).reshape(-1, 3), 0.8, rng).reshape(a.shape) * puff
        halves = [
            lattice(
                np.stack([side * a * size[0] / 2, b * size[1] / 2, side * (puff + dent) * size[2] / 2], -1),
                np.stack([a, b], -1) * 0.5,
            )
            for side in (1, -1)
        ]
        return joined(halves).moved(center, turn)

    place, turn = (-2.5, 1.0, 0.0), 90.0
    frame = [box((1.9, 0.85, 0.22), (0, 0, 0.22), 0.03), box((1.9, 0.20, 0.60), (0, 0.36, 0.50), 0.05)]
    frame += [box((0.18, 0.85, 0.42), (x, 0, 0.40), 0.05) for x in (-0.92, 0.92)]
    feet = [rod((x, y, 0.0), (x, y, 0.12), 0.025) for x in (-0.85, 0.85) for y in (-0.36, 0.36)]
    seats = [cushion((0.84, 0.70, 0.24), (x, -0.06, 0.42)) for x in (-0.42, 0.42)]
    throw = cushion((0.46, 0.46, 0.20), (0, 0, 0))
    leaning = throw.vertices @ np.array([[1, 0, 0], [0, 0.35, 0.94], [0, -0.94, 0.35]]).T
    loose = [Mesh(leaning, throw.faces, throw.uv).moved((x, 0.17, 0.74), t) for x, t in ((-0.55, 8), (0.50, -12))]
    thread = textures.fractal(rng, (700, 700), 4.0, 2)
    grid = (np.arange(700) // 35 % 2)[:, None] + (np.arange(700) // 35 % 2)[None, :]
    cloth = textures.finish(
        textures.paint((0.34, 0.40, 0.42), 0.12 * thread, 0.06 * textures.fractal(rng, (700, 700), 200.0))
    )
    plaid = textures.mix(textures.paint((0.66, 0.24, 0.16), 0.10 * thread), (0.86, 0.76, 0.56), 0.4 * grid)
    return [
        Part("couch", joined([*frame, *seats]).moved(place, turn), Material(cloth), smooth=False),
        Part("cushions", joined(loose).moved(place, turn), Material(textures.finish(plaid)), smooth=True),
        Part("feet", joined(feet).moved(place, turn), Material(plain(0.25, 0.16, 0.1), 0.5)),
    ]


def easel(rng: np.random.Generator) -> list[Part]:
    """An easel with a painted landscape, and a rolling stool."""
    legs = [rod((x, 0.0, 0.0), (0.35 * x, 0.32, 1.95), 0.018) for x in (-0.38, 0.38)] + [
        rod((0, 0.75, 0.0), (0, 0.34, 1.85), 0.018)
    ]
    tray = box((0.80, 0.09, 0.03), (0, 0.09, 0.80), 0.004)
    height, width = 620, 800
    y = np.mgrid[:height, :width][0] / height
    image = textures.paint((0.62, 0.74, 0.84), 0.05 * textures.fractal(rng, (height, width), 160.0))
    image = textures.mix(
        image, (0.93, 0.88, 0.80), 1.5 * (textures.fractal(rng, (height, width), (60.0, 260.0)) - 0.4) * (y < 0.5)
    )
    for level, color in (
        (0.42, (0.42, 0.50, 0.56)),
        (0.55, (0.36, 0.44, 0.28)),
        (0.68, (0.60, 0.54, 0.26)),
        (0.82, (0.30, 0.30, 0.16)),
    ):
        edge = level + 0.05 * textures.fractal(rng, (1, width), 260.0, 5)
        strokes = textures.fractal(rng, (height, width), (8.0, 60.0), 4)
        image = textures.mix(image, textures.paint(color, 0.18 * strokes), 60 * (y - edge))
    image = textures.mix(
        image, (0.80, 0.30, 0.14), 0.9 * textures.speckles(rng, (height, width), 0.02, 4.0) * (y > 0.7)
    )
    canvas = Plane((-0.42, 0.075, 0.82), (1, 0, 0), (0, 0.155, 0.988), 0.84, 0.65)
    back = box((0.84, 0.025, 0.65), (0, 0.15, 1.14), 0.002)
    place, turn = (-0.95, 1.75, 0.0), 14.0
    stool = [
        lathe([(0.0, 0.50), (0.17, 0.50), (0.175, 0.53), (0.0, 0.54)], 32, 14),
        rod((0, 0, 0.1), (0, 0, 0.5), 0.02),
    ]
    stool += [
        rod((0, 0, 0.12), (0.22 * np.cos(a), 0.22 * np.sin(a), 0.03), 0.014) for a in np.arange(5) * 2 * np.pi / 5
    ]
    return [
        Part(
            "easel",
            joined([*legs, tray]).moved(place, turn),
            Material(textures.wood(rng, (512, 512), (0.56, 0.42, 0.28), 0.1)),
        ),
        Part("canvas", panel(canvas, 0.004).moved(place, turn), Material(textures.finish(image))),
        Part("stretcher", back.moved(place, turn), Material(plain(0.78, 0.74, 0.66))),
        Part("stool", joined(stool).moved((-0.35, 0.75, 0)), Material(plain(0.18, 0.18, 0.19), 0.35), smooth=True),
    ]


def pictures(rng: np.random.Generator) -> list[Part]:
    """Three framed prints and a clock on walls that are otherwise bare."""
    parts, frames = [], []
    for n, (wall, u, v, width, height, title) in enumerate(
        (
            ("back", 0.55, 1.35, 0.62, 0.84, "CAMERA"),
            ("right", 0.75, 1.30, 0.50, 0.70, "OBSCURA"),
            ("back", 2.9, 1.75, 0.44, 0.58, "LUCIDA"),
        )
    ):
        if wall == "back":
            plane = Plane((-HALF_WIDTH + u, BACK - 0.02, v), (1, 0, 0), (0, 0, 1), width, height)
            middle, flat = (
                (-HALF_WIDTH + u + width / 2, BACK - 0.012, v + height / 2),
                (width + 0.06, 0.022, height + 0.06),
            )
        else:
            plane = Plane((HALF_WIDTH - 0.02, BACK - u, v), (0, -1, 0), (0, 0, 1), width, height)
            middle, flat = (
                (HALF_WIDTH - 0.012, BACK - u - width / 2, v + height / 2),
                (0.022, width + 0.06, height + 0.06),
            )
        frames.append(box(flat, middle, 0.006))
        ink = [(0.24, 0.34, 0.30), (0.50, 0.30, 0.16), (0.22, 0.24, 0.44)][n]
        print_ = textures.poster(
            rng,
            (round(height * 800), round(width * 800)),
            title,
            ["a dark room", "with one small hole", "and a white wall", "opposite"],
            ink,
        )
        parts.append(Part(f"print {n}", panel(plane, 0.005), Material(print_)))
    return [
        *parts,
        Part("frames", joined(frames), Material(textures.wood(rng, (256, 256), (0.24, 0.17, 0.11), 0.2), 0.4)),
    ]


def plant(rng: np.random.Generator) -> list[Part]:
    """A fig tree in a basket in the corner, and a fern on the sill."""
    stem, crown = plants.tree(rng, 1.75, 0.48, 0.15, 260)
    pot = lathe([(0.0, 0.0), (0.17, 0.0), (0.21, 0.16), (0.22, 0.32), (0.205, 0.33), (0.0, 0.30)], 48, 60)
    around = np.arctan2(pot.vertices[:, 1], pot.vertices[:, 0])
    pot = pot.displaced(0.006 * np.sign(np.sin(24 * around) * np.sin(pot.vertices[:, 2] / 0.33 * 40)))
    at = (0.35, 2.5, 0.0)
    fern = plants.fern(rng, 15, 0.36).moved((-HALF_WIDTH + 0.02, 1.05, 1.08))
    saucer = lathe([(0.0, 0.0), (0.06, 0.0), (0.09, 0.12), (0.08, 0.12), (0.0, 0.1)], 32, 20).moved(
        (-HALF_WIDTH + 0.02, 1.05, 0.955)
    )
    return [
        Part(
            "fig stem",
            stem.moved((at[0], at[1], 0.2)),
            Material(textures.wood(rng, (128, 128), (0.40, 0.32, 0.24), 0.2)),
        ),
        Part(
            "fig leaves",
            crown.moved((at[0], at[1], 0.2)),
            Material(textures.foliage(rng, 128, (0.10, 0.24, 0.09), (0.26, 0.42, 0.16)), 0.35),
        ),
        Part("basket", pot.moved(at), Material(textures.wood(rng, (512, 512), (0.66, 0.52, 0.34), 0.3)), smooth=True),
        Part("fern", fern, Material(textures.foliage(rng, 128, (0.16, 0.32, 0.08), (0.36, 0.52, 0.18)), 0.6)),
        Part("fern pot", saucer, Material(textures.clay(rng, (128, 256), (0.64, 0.40, 0.30))), smooth=True),
    ]


def stove(rng: np.random.Generator) -> list[Part]:
    """An iron stove on the right with its pipe, and a basket of logs."""
    x, y = 2.45, 1.15
    body = [
        box((0.55, 0.48, 0.62), (x, y, 0.42), 0.03),
        box((0.62, 0.55, 0.05), (x, y, 0.755), 0.015),
        box((0.03, 0.34, 0.34), (x - 0.28, y, 0.45), 0.012),
    ]
    body += [
        rod((x + i * 0.22, y + j * 0.18, 0.0), (x + i * 0.2, y + j * 0.16, 0.13), 0.025)
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    bend = np.array(
        [
            [x, y, 0.77],
            [x, y, 1.4],
            [x, y, 1.95],
            [x + 0.03, y, 2.1],
            [x + 0.15, y, 2.22],
            [x + 0.3, y, 2.25],
            [x + 0.6, y, 2.25],
        ]
    )
    body.append(tube(bend, 0.065, 16))
    logs = []
    for _ in range(16):
        spot = np.array([2.5 + rng.normal(0, 0.10), 0.35 + rng.normal(0, 0.06), 0.06 + 0.26 * rng.random()])
        way = np.array([rng.normal(0, 0.1), 1.0, rng.normal(0, 0.1)])
        logs.append(tube(np.stack([spot - 0.17 * way, spot, spot + 0.17 * way]), rng.uniform(0.03, 0.05), 9))
    bark = textures.wood(rng, (256, 256), (0.42, 0.32, 0.24), 0.35)
    return [
        Part("stove", joined(body), Material(textures.iron(rng, 512, (0.14, 0.14, 0.15), 0.08), 0.45)),
        Part("logs", joined(logs), Material(bark)),
    ]


def oddments(rng: np.random.Generator) -> list[Part]:
    """A plaster torso on a stand, a folding screen without pattern, and a stack of canvases against the wall."""
    torso = blended([
        ellipsoid((0, 0, 0.30), (0.16, 0.11, 0.20)), ellipsoid((0, 0, 0.10), (0.15, 0.115, 0.12)),
        capsule((0, 0, 0.45), (0, -0.02, 0.58), 0.055, 0.05), ellipsoid((0, -0.03, 0.68), (0.075, 0.095, 0.115)),
        capsule((-0.17, 0, 0.42), (-0.21, 0.02, 0.28), 0.06, 0.05),
        capsule((0.17, 0, 0.42), (0.21, 0.02, 0.30), 0.06, 0.05),
        ellipsoid((0, -0.125, 0.68), (0.016, 0.03, 0.03)),
        *(ellipsoid((x, -0.08, 0.36), (0.06, 0.05, 0.05)) for x in (0.065, -0.065)),
    ], 0.05)  # fmt: skip
    cast = surface_net(torso, (-0.32, -0.22, 0.0), (0.32, 0.2, 0.82), 0.011)
    cast = boxed(cast.displaced(0.0008 * waves(cast.vertices, 0.03, rng)), 0.5)
    at = (-1.9, 2.35, 0.85)
    stand = [box((0.34, 0.34, 0.85), (at[0], at[1], 0.425), 0.008)]
    screen = [
        box((0.62, 0.03, 1.75), (0, 0, 0.90), 0.006).moved((x, y, 0.0), t)
        for x, y, t in ((2.72, -0.1, 80), (2.66, -0.72, 101), (2.72, -1.34, 80))
    ]
    stack = []
    for k in range(5):
        sheet = box((0.9 - 0.08 * k, 0.022, 0.7 - 0.05 * k), (0, 0, 0.35 - 0.025 * k), 0.002)
        tilt = np.radians(14 + 1.5 * k)
        lean = (
            sheet.vertices @ np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]]).T
        )
        stack.append(
            Mesh(lean * (1, -1, 1), sheet.faces[:, ::-1], sheet.uv).moved(
                (-2.2 + 0.1 * k, BACK - 0.32 - 0.045 * k, 0.01)
            )
        )
    white = textures.finish(
        textures.paint(
            (0.84, 0.82, 0.78),
            0.02 * textures.fractal(rng, (512, 512), 90.0),
            0.01 * textures.fractal(rng, (512, 512), 5.0, 2),
        )
    )
    linen = textures.finish(textures.paint((0.74, 0.68, 0.57), 0.05 * textures.fractal(rng, (512, 512), 4.0, 2)))
    return [
        Part("cast", cast.moved(at), Material(white), smooth=True),
        Part("pedestal", joined(stand), Material(textures.wood(rng, (512, 512), (0.36, 0.34, 0.32), 0.08))),
        Part("screen", joined(screen), Material(white)),
        Part("canvases", joined(stack), Material(linen)),
    ]
