"""The front of a small palace in raking light: rustic stone below, ashlar above, a portal, windows, a carved frieze.

The world is in metres, x to the right along the front and y into the house, z up; the street is z = 0, the wall y = 0.
"""

from __future__ import annotations

import itertools

import numpy as np

from . import textures
from .camera_path import Lens, walk
from .meshes import (
    Mesh,
    Plane,
    arched,
    ball,
    blocks,
    box,
    courses,
    cut,
    joined,
    lathe,
    lattice,
    leaves,
    panel,
    pierced,
    prism,
    relief,
    rod,
    tube,
    waves,
)  # fmt: skip
from .scene import Material, Part, SampleScene, Sky, plain

HALF_WIDTH, BASE, TOP = 6.0, 1.42, 4.95
WALL = Plane((-HALF_WIDTH, 0, 0), (1, 0, 0), (0, 0, 1), 2 * HALF_WIDTH, TOP + 0.8)
DOOR_HALF, SPRING = 0.78, 2.35
"""Half the width of the portal, and the height where its arch begins."""

WINDOWS = (-3.55, 3.55)
WINDOW_HALF, SILL, HEAD = 0.52, 1.85, 3.55
SANDSTONE = [(0.73, 0.67, 0.57), (0.69, 0.63, 0.53), (0.77, 0.71, 0.62), (0.66, 0.60, 0.51), (0.71, 0.64, 0.56)]


def build(seed: int = 3) -> SampleScene:
    """The front and a walk of ten photos along it."""
    spawn = iter(np.random.default_rng(seed).spawn(16))
    parts = [
        *street(next(spawn)), *wall(next(spawn)), *mouldings(next(spawn)), *frieze(next(spawn)),
        *portal(next(spawn)), *door(next(spawn)), *windows(next(spawn)), *medallions(next(spawn)),
        *lanterns(next(spawn)), *tubs(next(spawn)), *neighbours(next(spawn)),
    ]  # fmt: skip
    azimuths = np.array([-40, -31, -22, -13, -4, 5, 14, 23, 32, 41.0])
    views = walk(
        next(spawn), Lens(), target=(0.0, 0.0, 2.35), azimuths=list(azimuths),
        radii=list(8.4 + 0.5 * np.cos(np.radians(4 * azimuths))),
        heights=[1.6, 1.75, 1.5, 1.9, 1.6, 2.6, 1.7, 1.55, 2.3, 1.65], sway=0.12,
    )  # fmt: skip
    sky = Sky(sun_direction=(-0.60, -0.62, 0.50), sun_diameter=1.0, turbidity=3.0)
    return SampleScene("facade", tuple(parts), sky, views, exposure=4.6)


def street(rng: np.random.Generator) -> list[Part]:
    """Granite setts, a kerb, and a pavement of slabs along the wall."""
    setts_plane = Plane((-9.0, -11.0, -0.13), (1, 0, 0), (0, 1, 0), 18.0, 9.2)
    size = (setts_plane.width, setts_plane.height)
    setts = courses(rng, size, (0.11, 0.15), (0.12, 0.22), 0.014)
    palette = [(0.50, 0.49, 0.47), (0.43, 0.42, 0.41), (0.55, 0.52, 0.47), (0.47, 0.44, 0.42), (0.39, 0.39, 0.40)]
    paving = textures.masonry(rng, setts, size, 160, palette, (0.30, 0.27, 0.22), grain=0.13, spread=0.12)
    stones = blocks(setts_plane, setts, rng, height=0.014, uneven=0.005, chamfer=0.02, relief=0.002)
    walk_plane = Plane((-9.0, -1.62, 0.0), (1, 0, 0), (0, 1, 0), 18.0, 1.75)
    slabs = courses(rng, (18.0, 1.75), (0.55, 0.62), (0.6, 1.1), 0.014)
    grey = textures.masonry(rng, slabs, (18.0, 1.75), 200, palette[:4], (0.32, 0.30, 0.27), grain=0.12, stains=0.14)
    pavement = blocks(walk_plane, slabs, rng, height=0.006, uneven=0.002, chamfer=0.006, relief=0.001, corners=3)
    kerb = [box((0.98, 0.18, 0.16), (x, -1.71, -0.075), 0.02) for x in np.arange(-8.5, 9, 1.0)]
    return [
        Part("setts", joined([stones, panel(setts_plane)]), Material(paving)),
        Part("pavement", joined([pavement, panel(walk_plane)]), Material(grey)),
        Part("kerb", joined(kerb), Material(textures.granite(rng, (512, 512), (0.52, 0.51, 0.49), 1.6))),
    ]


def wall(rng: np.random.Generator) -> list[Part]:
    """Bossed stones below, fine ashlar above, with the openings left out."""
    size = (WALL.width, WALL.height)
    door_hole = (HALF_WIDTH - DOOR_HALF - 0.45, 0.0, HALF_WIDTH + DOOR_HALF + 0.45, SPRING + DOOR_HALF + 0.42)
    holes = [(HALF_WIDTH + x - WINDOW_HALF, SILL, HALF_WIDTH + x + WINDOW_HALF, HEAD) for x in WINDOWS]
    low = courses(rng, (size[0], BASE - 0.12), (0.40, 0.46), (0.62, 1.05), 0.03, bond=True)
    high = courses(rng, (size[0], TOP - BASE - 0.1), (0.31, 0.35), (0.5, 0.95), 0.008, bond=True)
    high = high + np.array((0, BASE, 0, BASE))
    low, high = (cut(stones, [door_hole, *holes], 0.06) for stones in (low, high))
    image = textures.masonry(
        rng, np.concatenate([low, high]), size, 210, SANDSTONE, (0.52, 0.47, 0.39), grain=0.075, spread=0.06, pits=0.02,
        stains=0.09,
    )  # fmt: skip
    rustic = blocks(WALL, low, rng, height=0.085, uneven=0.006, chamfer=0.05, relief=0.012, corners=7)
    ashlar = blocks(WALL, high, rng, height=0.012, uneven=0.0025, chamfer=0.006, relief=0.0012, corners=3)
    back = [(0.0, 0.0, door_hole[0], size[1]), (door_hole[2], 0.0, size[0], size[1]),
            (door_hole[0], door_hole[3], door_hole[2], size[1])]  # fmt: skip
    flat = [panel(WALL, inside=tuple(piece)) for piece in cut(np.array(back), holes, 0.01)]
    return [Part("wall", joined([rustic, ashlar, *flat]), Material(image))]


def moulding(profile: np.ndarray, x0: float, x1: float) -> Mesh:
    """A straight moulding along x whose profile (N, 2) is (how far it stands out, height), from bottom to top."""
    points = np.stack([np.stack([np.full(len(profile), x), -profile[:, 0], profile[:, 1]], 1) for x in (x0, x1)], 1)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    fan = np.arange(1, len(profile) - 1)
    ends = [Mesh(points[:, k], np.stack([0 * fan, fan + k, fan + 1 - k], 1), profile) for k in (0, 1)]
    uv = np.stack(np.broadcast_arrays(np.array([x0, x1]) / 1.7, along[:, None] / 1.7), axis=-1)
    return joined([lattice(points, uv), *ends])


def swelling(*steps: tuple[float, float]) -> np.ndarray:
    """A profile through corners (out, up), its long edges rounded into quarter hollows and rounds."""
    corners = np.array(steps)
    rows = [corners[:1]]
    for number, (a, b) in enumerate(itertools.pairwise(corners)):
        if min(abs(b - a)) > 0.03:
            angle = np.linspace(0, np.pi / 2, 7)[1:, None]
            along = np.concatenate([np.sin(angle), 1 - np.cos(angle)], 1)
            rows.append(a + (along if number % 2 else along[:, ::-1]) * (b - a))
        else:
            rows.append(b[None])
    return np.concatenate(rows)


def mouldings(rng: np.random.Generator) -> list[Part]:
    """The plinth, the string course, the architrave under the frieze, and the cornice with its dentils."""
    ends = -HALF_WIDTH - 0.05, HALF_WIDTH + 0.05
    gap = DOOR_HALF + 0.45
    string = swelling((0.0, BASE - 0.10), (0.10, BASE - 0.10), (0.15, BASE - 0.04), (0.15, BASE + 0.02),
                      (0.02, BASE + 0.07), (0.0, BASE + 0.07))  # fmt: skip
    plinth = swelling((0.16, 0.0), (0.16, 0.20), (0.11, 0.26), (0.0, 0.26))
    architrave = swelling((0.0, TOP - 0.72), (0.05, TOP - 0.72), (0.05, TOP - 0.62), (0.08, TOP - 0.62),
                          (0.08, TOP - 0.54), (0.12, TOP - 0.50), (0.0, TOP - 0.50))  # fmt: skip
    cornice = swelling((0.0, TOP), (0.08, TOP), (0.08, TOP + 0.05), (0.10, TOP + 0.19), (0.20, TOP + 0.19),
                       (0.20, TOP + 0.28), (0.29, TOP + 0.39), (0.29, TOP + 0.43), (0.0, TOP + 0.50))  # fmt: skip
    lines = [moulding(profile, *ends) for profile in (architrave, cornice)]
    lines += [moulding(profile, *side) for profile in (string, plinth) for side in ((ends[0], -gap), (gap, ends[1]))]
    dentils = [box((0.10, 0.10, 0.11), (x, -0.12, TOP + 0.125), 0.006) for x in np.arange(ends[0] + 0.1, ends[1], 0.19)]
    stone = textures.granite(rng, (900, 900), (0.72, 0.65, 0.53), 2.2)
    return [Part("mouldings", joined([*lines, *dentils]), Material(weathered(rng, stone)))]


def weathered(rng: np.random.Generator, stone: np.ndarray) -> np.ndarray:
    """Stone with a warm haze and dark runs, so that no two places are alike."""
    shape = stone.shape[0], stone.shape[1]
    clouds = textures.fractal(rng, shape, shape[0] / 2.5, 6)
    soot = np.clip(textures.fractal(rng, shape, (shape[0] / 2, shape[1] / 14), 5) - 0.7, 0, 1)
    image = textures.mix(stone / 255.0 * 0.55 + 0.45 * np.array((0.72, 0.64, 0.51)), (0.30, 0.27, 0.23), 0.22 * soot)
    return textures.finish(image * np.exp(0.07 * clouds)[..., None])


def frieze(rng: np.random.Generator) -> list[Part]:
    """A running scroll with a different flower in every bend, carved five centimetres deep."""
    height, wave = 0.46, 1.05
    plane = Plane((-HALF_WIDTH, -0.02, TOP - 0.48), (1, 0, 0), (0, 0, 1), 2 * HALF_WIDTH, height)
    u, v = np.meshgrid(np.linspace(0, plane.width, 1500), np.linspace(0, height, 62))
    stem = height / 2 + 0.13 * np.sin(2 * np.pi * u / wave)
    slope = 0.13 * 2 * np.pi / wave * np.cos(2 * np.pi * u / wave)
    lift = rounded(np.abs(v - stem) / np.hypot(1, slope), 0.022)
    for k in range(int(2 * plane.width / wave) + 1):
        center = np.array([wave * (0.25 + 0.5 * k), height / 2 + (-0.055 if k % 2 == 0 else 0.055)])
        du, dv = u - center[0], v - center[1]
        r, angle = np.hypot(du, dv), np.arctan2(dv, du) + rng.uniform(0, 6)
        petals = int(rng.integers(5, 10))
        reach = rng.uniform(0.10, 0.13) * (0.78 + 0.22 * np.cos(petals * angle))
        bloom = np.clip(1 - (r / reach) ** 2, 0, 1) ** 0.5 * (0.72 + 0.28 * np.cos(petals * angle))
        bloom = np.maximum(0.9 * bloom, 1.3 * rounded(r, 0.032) / 0.032)
        lift = np.maximum(lift, 0.045 * bloom)
        for turn in rng.uniform(0, 2 * np.pi, 3):
            at = center + 0.165 * np.array([np.cos(turn), 0.75 * np.sin(turn)])
            a, b = (
                (u - at[0]) * np.cos(turn) + (v - at[1]) * np.sin(turn),
                (v - at[1]) * np.cos(turn) - (u - at[0]) * np.sin(turn),
            )
            leaf = np.clip(1 - (a / 0.085) ** 2 - (b / 0.034) ** 2, 0, 1) ** 0.5
            lift = np.maximum(lift, 0.03 * leaf * (1 - 0.35 * np.exp(-((b / 0.006) ** 2))))
    worn = 0.0016 * textures.fractal(rng, lift.shape, 18.0, 4)
    stone = textures.granite(rng, (240, 6000), (0.76, 0.69, 0.57), 1.8)
    return [Part("frieze", relief(plane, lift + worn), Material(weathered(rng, stone)))]


def rounded(distance: np.ndarray, radius: float) -> np.ndarray:
    """Height of a half-round rib at a distance from its middle."""
    return np.sqrt(np.clip(radius**2 - distance**2, 0, None))


def portal(rng: np.random.Generator) -> list[Part]:
    """Jambs and an arch of wedge stones, a shell over the door, two columns with an entablature, and steps."""
    outer = DOOR_HALF + 0.42
    length = np.pi * DOOR_HALF
    edges = np.linspace(0, length, 16)
    wedges = np.stack([edges[:-1] + 0.006, np.full(15, 0.0), edges[1:] - 0.006, np.full(15, 0.42)], 1)
    flat = Plane((0, 0, 0), (1, 0, 0), (0, 0, 1), length, 0.42)
    arch = blocks(flat, wedges, rng, height=0.10, uneven=0.004, chamfer=0.02, relief=0.002, corners=4)
    arch = arched(joined([arch, relief(flat, np.zeros((2, 40)))]), DOOR_HALF, length).moved((0, 0, SPRING))
    soffit_plane = Plane((0, 0.55, 0), (1, 0, 0), (0, -1, 0), length, 0.65)
    soffit = arched(relief(soffit_plane, np.zeros((2, 40))), DOOR_HALF, length).moved((0, 0, SPRING))
    jambs = [
        box((0.48, 0.66, 0.385), (side * (DOOR_HALF + 0.24), 0.225, 0.195 + 0.391 * k), 0.012)
        for side in (-1, 1)
        for k in range(6)
    ]
    turn = np.linspace(0, np.pi / 2, 17)
    rim, rail = np.stack([outer * np.cos(turn), outer * np.sin(turn)], 1), np.full(17, DOOR_HALF + 0.45)
    spandrels = []
    for side in (-1, 1):
        across = np.stack([side * rim[:, 0], side * rail], 1)[:, ::side]
        up = np.stack([rim[:, 1]] * 2, 1)
        spandrels.append(lattice(np.stack([across, 0 * up, SPRING + up], -1), np.stack([across, up], -1) / 1.3))
    theta, reach = np.meshgrid(np.linspace(0, np.pi, 180), np.linspace(0, DOOR_HALF, 60))
    flutes = np.abs(np.sin(8.5 * theta))
    share = reach / DOOR_HALF
    bowl = 0.16 * (1 - share**2) + 0.09 * share * (1 - 0.5 * share**6) * flutes
    knob = rounded(reach, 0.14) * 0.8
    shell_points = np.stack(
        [-reach * np.cos(theta), 0.30 - np.maximum(0.0, 0.22 - bowl) - knob, SPRING + reach * np.sin(theta)], -1
    )
    shell = lattice(shell_points, np.stack([reach * np.cos(theta), reach * np.sin(theta)], -1))
    transom = box((2 * DOOR_HALF + 0.02, 0.24, 0.16), (0, 0.22, SPRING - 0.06), 0.012)
    keystone = prism(
        Plane((0, -0.09, SPRING), (1, 0, 0), (0, 0, 1), 1, 1),
        np.array([[-0.09, DOOR_HALF - 0.03], [0.09, DOOR_HALF - 0.03], [0.16, outer + 0.10], [-0.16, outer + 0.10]]),
        0.13,
    )
    column = lathe(
        [(0.0, 0.0), (0.26, 0.0), (0.26, 0.06), (0.235, 0.075), (0.25, 0.11), (0.235, 0.15), (0.19, 0.17), (0.205, 0.2),
         (0.165, 0.23), (0.165, 0.9), (0.15, 2.2), (0.14, 2.62), (0.16, 2.64), (0.145, 2.67), (0.15, 2.72),
         (0.225, 2.92), (0.235, 2.97), (0.0, 2.97)], 48, 240,
    )  # fmt: skip
    around = np.arctan2(column.vertices[:, 1], column.vertices[:, 0])
    up = column.vertices[:, 2]
    shaft = (up > 0.26) & (up < 2.6)
    column = column.displaced(np.where(shaft, -0.012 * np.abs(np.cos(8 * around)), 0.0))
    crown = (up > 2.71) & (up < 2.95)
    column = column.displaced(np.where(crown, 0.02 * np.cos(8 * around + 9 * (up - 2.7)), 0.0))
    places = [(side * (outer + 0.22), -0.36, 0.5) for side in (-1, 1)]
    pedestals = [box((0.58, 0.60, 0.5), (x, -0.33, 0.25), 0.015) for x, _, _ in places]
    span = 2 * (outer + 0.55)
    beams = [box((span, 0.70, 0.16), (0, -0.31, 3.55), 0.01), box((span + 0.12, 0.80, 0.10), (0, -0.34, 3.68), 0.02),
             box((span + 0.26, 0.92, 0.07), (0, -0.38, 3.765), 0.02)]  # fmt: skip
    balusters = lathe(
        [(0.0, 0.0), (0.05, 0.0), (0.05, 0.03), (0.03, 0.05), (0.055, 0.13), (0.05, 0.19), (0.022, 0.27),
         (0.04, 0.30), (0.045, 0.34), (0.0, 0.34)], 20, 40,
    )  # fmt: skip
    rail = [balusters.moved((x, -0.70, 3.80), 0) for x in np.linspace(-span / 2 + 0.2, span / 2 - 0.2, 15)]
    rail += [box((span + 0.12, 0.16, 0.07), (0, -0.70, 4.175), 0.015)]
    rail += [box((0.18, 0.18, 0.42), (x, -0.70, 4.01), 0.012) for x in (-span / 2 + 0.02, span / 2 - 0.02)]
    step = box((1.5, 0.5, 0.13), (0, -0.2, 0.065), 0.02)
    stone = weathered(rng, textures.granite(rng, (900, 900), (0.75, 0.68, 0.56), 2.0))
    bright = weathered(rng, textures.granite(rng, (900, 1400), (0.80, 0.76, 0.68), 2.4))
    veined = np.rot90(textures.marble(rng, (512, 1400), (0.60, 0.42, 0.37))).copy()
    return [
        Part("arch", joined([arch, soffit, *spandrels]), Material(stone)),
        Part("portal", joined([*jambs, transom, keystone, *pedestals, *beams, step]), Material(stone)),
        Part("shell", shell, Material(bright)),
        Part("columns", joined([column.moved(at, 70 * k) for k, at in enumerate(places)]), Material(veined, 0.5)),
        Part("balustrade", joined(rail), Material(bright)),
    ]


def door(rng: np.random.Generator) -> list[Part]:
    """Two leaves with raised panels, iron studs and rings."""
    plane = Plane((-DOOR_HALF, 0.32, 0.0), (1, 0, 0), (0, 0, 1), 2 * DOOR_HALF, SPRING)
    fields = [
        (u + 0.10, v, u + DOOR_HALF - 0.10, v + rise)
        for u in (0.0, DOOR_HALF)
        for v, rise in ((0.22, 0.50), (0.80, 0.62), (1.50, 0.62))
    ]
    raised = blocks(plane, np.array(fields), rng, height=0.05, uneven=0.0, chamfer=0.06)
    frames = [box((0.05, 0.05, SPRING), (x, 0.30, SPRING / 2)) for x in (-0.75, -0.03, 0.03, 0.75)]
    frames += [box((2 * DOOR_HALF, 0.05, 0.08), (0, 0.31, z), 0.01) for z in (0.14, 0.76, 1.46, 2.18)]
    image = textures.wood(rng, (640, 1000), (0.40, 0.27, 0.17), 0.28)
    studs = [
        ball(0.018, 10).moved((x, 0.285, z)) for z in (0.14, 0.76, 1.46, 2.18) for x in np.linspace(-0.68, 0.68, 13)
    ]
    ring = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    pulls = [
        tube(
            np.stack([x + 0.07 * np.sin(ring), np.full(24, 0.26), 1.08 + 0.07 * np.cos(ring)], 1), 0.01, 8, closed=True
        )
        for x in (-0.2, 0.2)
    ]
    return [
        Part("door", joined([panel(plane), raised, *frames]), Material(np.rot90(image).copy(), 0.6)),
        Part("studs", joined([*studs, *pulls]), Material(textures.iron(rng, 128, (0.12, 0.12, 0.12), 0.2), 0.4)),
    ]


def windows(rng: np.random.Generator) -> list[Part]:
    """Framed windows with leaded panes, pediments on consoles, and window boxes in bloom."""
    stone, glass, lead, iron, boxes, bloom = [], [], [], [], [], []
    for x in WINDOWS:
        wide, tall = 2 * WINDOW_HALF, HEAD - SILL
        sides = [
            box((0.20, 0.36, tall), (x + side * (WINDOW_HALF + 0.03), 0.06, (SILL + HEAD) / 2), 0.015)
            for side in (-1, 1)
        ]
        lintel = box((wide + 0.46, 0.38, 0.24), (x, 0.05, HEAD + 0.10), 0.015)
        sill = box((wide + 0.6, 0.46, 0.11), (x, 0.02, SILL - 0.055), 0.02)
        consoles = [box((0.14, 0.22, 0.26), (x + side * 0.5, -0.06, SILL - 0.24), 0.03) for side in (-1, 1)]
        face = Plane((x, 0.0, HEAD + 0.22), (1, 0, 0), (0, 0, 1), 1, 1)
        bed = box((wide + 0.70, 0.50, 0.08), (x, -0.02, HEAD + 0.26), 0.012)
        gable = prism(face, np.array([[-0.80, 0.08], [0.80, 0.08], [0.0, 0.50]]), 0.10)
        half, rise, thick = 0.93, 0.56, 0.10
        rakes = [
            prism(face, np.array([[0.0, rise - thick], [0.0, rise], [-half, 0.08], [-half + 0.17, 0.08]]), 0.26),
            prism(face, np.array([[0.0, rise], [0.0, rise - thick], [half - 0.17, 0.08], [half, 0.08]]), 0.26),
        ]
        stone += [*sides, lintel, sill, *consoles, bed, gable, *rakes]
        glass.append(panel(Plane((x - WINDOW_HALF, 0.20, SILL), (1, 0, 0), (0, 0, 1), wide, tall)))
        lead += [
            rod((x - WINDOW_HALF + d, 0.19, SILL), (x - WINDOW_HALF + d, 0.19, HEAD), 0.008)
            for d in np.arange(0.17, wide, 0.17)
        ]
        lead += [
            rod((x - WINDOW_HALF, 0.19, z), (x + WINDOW_HALF, 0.19, z), 0.008) for z in np.arange(SILL + 0.2, HEAD, 0.2)
        ]
        lead += [box((0.07, 0.06, tall), (x, 0.17, (SILL + HEAD) / 2)), box((wide, 0.06, 0.07), (x, 0.17, SILL + 1.2))]
        iron += cage(x)
        boxes.append(box((0.96, 0.20, 0.17), (x, -0.19, SILL + 0.085), 0.01))
        spots = np.stack(
            [rng.uniform(x - 0.45, x + 0.45, 420), rng.normal(-0.19, 0.06, 420), SILL + 0.17 + 0.2 * rng.random(420)], 1
        )
        bloom.append(spots)
    spots = np.concatenate(bloom)
    green = leaves(spots, np.tile([0.0, -0.6, 0.6], (len(spots), 1)), 0.06, rng)
    heads = spots[::5] + np.array((0, -0.03, 0.06))
    red = leaves(
        np.repeat(heads, 6, 0) + 0.018 * rng.standard_normal((6 * len(heads), 3)),
        np.tile([0.0, -0.8, 0.4], (6 * len(heads), 1)),
        0.035,
        rng,
    )
    material = Material(weathered(rng, textures.granite(rng, (900, 900), (0.76, 0.69, 0.57), 2.0)))
    return [
        Part("window stone", joined(stone), material),
        Part("window glass", joined(glass), Material(plain(0.10, 0.13, 0.15), 0.1)),
        Part("window lead", joined(lead), Material(textures.wood(rng, (256, 256), (0.28, 0.24, 0.20), 0.2))),
        Part(
            "window cages", joined(iron), Material(textures.iron(rng, 256, (0.13, 0.14, 0.14), 0.3), 0.5), smooth=True
        ),
        Part("window boxes", joined(boxes), Material(textures.clay(rng, (256, 512), (0.62, 0.38, 0.28)))),
        Part(
            "geranium leaves", green, Material(textures.foliage(rng, 256, (0.10, 0.22, 0.07), (0.30, 0.44, 0.16)), 0.6)
        ),
        Part("geraniums", red, Material(textures.foliage(rng, 64, (0.66, 0.08, 0.10), (0.85, 0.25, 0.22)))),
    ]


def cage(x: float) -> list[Mesh]:
    """Low bars in front of a window, with a scroll between each two."""
    y, low, high = -0.30, SILL + 0.02, SILL + 0.50
    bars = [rod((at, y, low), (at, y, high), 0.008) for at in np.linspace(x - 0.52, x + 0.52, 9)]
    bars += [rod((x - 0.52, y, z), (x + 0.52, y, z), 0.010) for z in (low + 0.03, high)]
    bars += [
        rod((x + side * 0.52, y, z), (x + side * 0.52, 0.0, z), 0.010) for side in (-1, 1) for z in (low + 0.03, high)
    ]
    t = np.linspace(0, 3.2 * np.pi, 40)
    for at in np.linspace(x - 0.455, x + 0.455, 8):
        spiral = 0.052 * (1 - t / 14)
        bars.append(
            tube(
                np.stack([at + spiral * np.cos(t), np.full(40, y), (low + high) / 2 + 2.2 * spiral * np.sin(t)], 1),
                0.005,
                6,
            )
        )
    return bars


def medallions(rng: np.random.Generator) -> list[Part]:
    """Two round reliefs between portal and windows: a sun and a knot of ribbons."""
    parts = []
    for x, kind in ((-2.05, "sun"), (2.05, "ribbons")):
        side = 0.84
        plane = Plane((x - side / 2, -0.012, 2.55), (1, 0, 0), (0, 0, 1), side, side)
        v, u = np.mgrid[:150, :150] / 149 * 2 - 1
        r, angle = np.hypot(u, v), np.arctan2(v, u)
        rim = rounded((r - 0.88) * side / 2, 0.045)
        if kind == "sun":
            rays = 0.035 * np.clip(1 - np.abs(np.sin(6 * angle + 3 * r)) * 1.6, 0, 1) * ((r > 0.4) & (r < 0.8))
            face = 0.08 * np.sqrt(np.clip(1 - (r / 0.42) ** 2, 0, 1))
            eyes = sum(np.exp(-(((u - s * 0.14) / 0.06) ** 2) - ((v - 0.1) / 0.045) ** 2) for s in (-1, 1))
            nose = np.exp(-((u / 0.045) ** 2) - ((v + 0.02) / 0.12) ** 2)
            mouth = np.exp(-((u / 0.13) ** 2) - ((v + 0.2 - 0.6 * u**2) / 0.025) ** 2)
            lift = np.maximum(rays, face - 0.02 * eyes + 0.025 * nose - 0.015 * mouth)
        else:
            bands = [np.abs(r - 0.45 - 0.22 * np.cos(3 * (angle + turn))) for turn in (0.0, np.pi / 3)]
            over = 0.015 * np.cos(3 * angle)
            lift = np.maximum(
                rounded(bands[0] * side / 2, 0.035) + over * (bands[0] < 0.16),
                rounded(bands[1] * side / 2, 0.035) - over * (bands[1] < 0.16),
            )
            lift = np.maximum(lift, 1.2 * rounded(r * side / 2, 0.06))
        lift = np.maximum(np.where(r < 0.8, lift, 0.0), rim) + 0.0012 * textures.fractal(rng, u.shape, 20.0, 4)
        disc = np.where(r < 0.995, lift + 0.03, -0.03)
        stone = weathered(rng, textures.granite(rng, (500, 500), (0.78, 0.72, 0.62), 1.8))
        parts.append(Part(f"medallion {kind}", relief(plane, disc), Material(stone)))
    return parts


def lanterns(rng: np.random.Generator) -> list[Part]:
    """Two wrought-iron lanterns on brackets beside the portal."""
    iron, panes = [], []
    for x in (-5.35, 5.35):
        s = np.linspace(0, 1, 24)
        arm = np.stack([np.full(24, x), -0.55 * s, 3.1 + 0.35 * np.sin(np.pi * s * 0.8)], 1)
        end = arm[-1]
        iron += [
            tube(arm, 0.014, 8),
            box((0.16, 0.03, 0.34), (x, -0.03, 3.1), 0.006),
            rod(end, end - np.array((0, 0, 0.12)), 0.006),
        ]
        body = end - np.array((0, 0, 0.34))
        iron += [
            rod(body + np.array((i * 0.085, j * 0.085, -0.16)), body + np.array((i * 0.11, j * 0.11, 0.14)), 0.008)
            for i in (-1, 1)
            for j in (-1, 1)
        ]
        iron += [
            box((0.22, 0.22, 0.02), tuple(body - np.array((0, 0, 0.17)))),
            box((0.27, 0.27, 0.025), tuple(body + np.array((0, 0, 0.15)))),
        ]
        iron.append(
            lathe([(0.15, 0.0), (0.09, 0.05), (0.03, 0.09), (0.0, 0.1)], 16, 12).moved(body + np.array((0, 0, 0.16)))
        )
        panes.append(
            lathe([(0.0, 0.0), (0.06, 0.0), (0.07, 0.12), (0.05, 0.22), (0.0, 0.24)], 16, 16).moved(
                tuple(body - np.array((0, 0, 0.15)))
            )
        )
    return [
        Part("lanterns", joined(iron), Material(textures.iron(rng, 256, (0.11, 0.13, 0.12), 0.2), 0.45)),
        Part("lamps", joined(panes), Material(plain(0.86, 0.80, 0.62), 0.2), smooth=True),
    ]


def tubs(rng: np.random.Generator) -> list[Part]:
    """Clipped box balls in stone tubs beside the steps, and a bench under a window."""
    tub = lathe(
        [
            (0.0, 0.0),
            (0.22, 0.0),
            (0.25, 0.06),
            (0.24, 0.1),
            (0.33, 0.38),
            (0.36, 0.42),
            (0.36, 0.5),
            (0.31, 0.5),
            (0.0, 0.46),
        ],
        40,
        50,
    )
    places = [(-2.25, -0.85, 0.0), (2.3, -0.8, 0.0), (-5.1, -0.75, 0.0)]
    tubs_mesh = [tub.displaced(0.003 * waves(tub.vertices, 0.2, rng)).moved(at, rng.uniform(0, 360)) for at in places]
    greens = []
    for x, y, z in places:
        out = rng.standard_normal((1500, 3))
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        reach = 0.36 * (0.86 + 0.14 * rng.random(1500)) * (1 + 0.04 * waves(out, 0.8, rng))
        greens.append(leaves(np.array([x, y, z + 0.78]) + out * reach[:, None], out, 0.042, rng))
    seat = [
        box((1.7, 0.42, 0.09), (3.9, -0.62, 0.45), 0.02),
        box((0.16, 0.36, 0.40), (3.3, -0.62, 0.2), 0.02),
        box((0.16, 0.36, 0.40), (4.5, -0.62, 0.2), 0.02),
    ]
    stone = weathered(rng, textures.granite(rng, (512, 1024), (0.62, 0.59, 0.53), 2.2))
    return [
        Part("tubs", joined(tubs_mesh), Material(stone), smooth=True),
        Part("bench", joined(seat), Material(stone)),
        Part(
            "box balls",
            joined(greens),
            Material(textures.foliage(rng, 256, (0.08, 0.17, 0.05), (0.27, 0.38, 0.13)), 0.55),
        ),
    ]


def neighbours(rng: np.random.Generator) -> list[Part]:
    """The plastered houses on both sides, a little set back, and the ground under everything."""
    parts = []
    for name, x0, color, top in (
        ("left", -22.0, (0.80, 0.70, 0.56), 6.0),
        ("right", HALF_WIDTH, (0.72, 0.74, 0.70), 4.6),
    ):
        plane = Plane((x0, 0.35, 0.0), (1, 0, 0), (0, 0, 1), 16.0, top)
        holes = [(u, 1.5, u + 0.9, 3.0) for u in (1.6, 4.4, 7.2, 10.4, 13.2)]
        shutters = [
            box((0.46, 0.05, 1.5), (x0 + u + side, 0.32, 2.25), 0.01) for u, _, _, _ in holes for side in (-0.25, 1.15)
        ]
        green = textures.wood(rng, (640, 640), (0.44, 0.36, 0.27), 0.2, flaking=(0.30, 0.38, 0.42))
        dark = joined([panel(Plane((x0 + u, 0.55, 1.5), (1, 0, 0), (0, 0, 1), 0.9, 1.5)) for u, _, _, _ in holes])
        parts += [
            Part(f"{name} house", pierced(plane, holes, 0.2), Material(textures.plaster(rng, (700, 2200), color))),
            Part(f"{name} shutters", joined(shutters), Material(green)),
            Part(f"{name} panes", dark, Material(plain(0.07, 0.08, 0.09), 0.15)),
        ]
    ground = panel(Plane((-60, -60, -0.16), (1, 0, 0), (0, 1, 0), 120, 120))
    return [*parts, Part("ground", ground, Material(plain(0.40, 0.38, 0.35)))]
