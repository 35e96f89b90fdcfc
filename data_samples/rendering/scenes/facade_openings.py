"""The portal of the facade with its door, and the windows."""

from __future__ import annotations

import numpy as np

from ..modeling import textures
from ..modeling.masonry import blocks
from ..modeling.meshes import Mesh, Plane, joined, lattice, panel, relief, upright
from ..modeling.plants import leaves
from ..modeling.shapes import arched, ball, box, boxes, hoop, lathe, prism, rod, tube
from ..scene import Parts, part
from .facade_wall import DOOR_HALF, HEAD, SILL, SPRING, WINDOW_HALF, WINDOWS, rounded, weathered

OUTER = DOOR_HALF + 0.42
"""Outer radius of the arch."""

SPAN = 2 * (OUTER + 0.55)
"""Width of the entablature."""

WIDE, TALL = 2 * WINDOW_HALF, HEAD - SILL
"""Size of a window."""


def portal(rng: np.random.Generator) -> Parts:
    """Jambs and an arch of wedge stones, a shell over the door, two columns with an entablature, and steps."""
    arch = _arch(rng)
    jambs = boxes(
        (0.48, 0.66, 0.385),
        [side * (DOOR_HALF + 0.24) for side in (-1, 1)],
        [0.225],
        [0.195 + 0.391 * k for k in range(6)],
        0.012,
    )
    transom = box((2 * DOOR_HALF + 0.02, 0.24, 0.16), (0, 0.22, SPRING - 0.06), 0.012)
    wedge = [[-0.09, DOOR_HALF - 0.03], [0.09, DOOR_HALF - 0.03], [0.16, OUTER + 0.10], [-0.16, OUTER + 0.10]]
    keystone = prism(upright((0, -0.09, SPRING)), np.array(wedge), 0.13)
    places = [(side * (OUTER + 0.22), -0.36, 0.5) for side in (-1, 1)]
    pedestals = [box((0.58, 0.60, 0.5), (x, -0.33, 0.25), 0.015) for x, _, _ in places]
    beams = [
        box((SPAN, 0.70, 0.16), (0, -0.31, 3.55), 0.01),
        box((SPAN + 0.12, 0.80, 0.10), (0, -0.34, 3.68), 0.02),
        box((SPAN + 0.26, 0.92, 0.07), (0, -0.38, 3.765), 0.02),
    ]
    step = box((1.5, 0.5, 0.13), (0, -0.2, 0.065), 0.02)
    column = _column()
    stone = weathered(rng, (900, 900), (0.75, 0.68, 0.56), 2.0)
    bright = weathered(rng, (900, 1400), (0.80, 0.76, 0.68), 2.4)
    veined = np.rot90(textures.marble(rng, (512, 1400), (0.60, 0.42, 0.37))).copy()
    yield part("arch", arch, stone)
    yield part("portal", [*jambs, transom, keystone, *pedestals, *beams, step], stone)
    yield part("shell", _shell(), bright)
    yield part("columns", [column.moved(at, 70 * k) for k, at in enumerate(places)], veined, 0.5)
    yield part("balustrade", _balustrade(), bright)


def _arch(rng: np.random.Generator) -> list[Mesh]:
    """Fifteen wedge stones, the soffit under them, and the flat spandrels beside."""
    length = np.pi * DOOR_HALF
    edges = np.linspace(0, length, 16)
    wedges = np.stack([edges[:-1] + 0.006, np.full(15, 0.0), edges[1:] - 0.006, np.full(15, 0.42)], 1)
    flat = upright((0, 0, 0), length, 0.42)
    stones = blocks(flat, wedges, rng, height=0.10, uneven=0.004, chamfer=0.02, relief=0.002, corners=4)
    front = joined([stones, relief(flat, np.zeros((2, 40)))])
    soffit = relief(Plane((0, 0.55, 0), (1, 0, 0), (0, -1, 0), length, 0.65), np.zeros((2, 40)))
    turn = np.linspace(0, np.pi / 2, 17)
    spandrels = []
    for side in (-1, 1):
        across = np.stack([side * OUTER * np.cos(turn), np.full(17, side * (DOOR_HALF + 0.45))], 1)[:, ::side]
        up = np.stack([OUTER * np.sin(turn)] * 2, 1)
        spandrels.append(lattice(np.stack([across, 0 * up, SPRING + up], -1), np.stack([across, up], -1) / 1.3))
    return [*(arched(mesh, DOOR_HALF, length).moved((0, 0, SPRING)) for mesh in (front, soffit)), *spandrels]


def _shell() -> Mesh:
    """A fluted half-round shell over the door."""
    theta, reach = np.meshgrid(np.linspace(0, np.pi, 180), np.linspace(0, DOOR_HALF, 60))
    share = reach / DOOR_HALF
    bowl = 0.16 * (1 - share**2) + 0.09 * share * (1 - 0.5 * share**6) * np.abs(np.sin(8.5 * theta))
    y = 0.30 - np.maximum(0.0, 0.22 - bowl) - rounded(reach, 0.14) * 0.8
    x, z = reach * np.cos(theta), reach * np.sin(theta)
    return lattice(np.stack([-x, y, SPRING + z], -1), np.stack([x, z], -1))


def _column() -> Mesh:
    """A column with its base, a fluted shaft and a leafy capital."""
    column = lathe(
        [0, 0.26, 0.26, 0.235, 0.25, 0.235, 0.19, 0.205, 0.165, 0.165, 0.15, 0.14, 0.16, 0.145, 0.15, 0.225, 0.235, 0],
        [0, 0, 0.06, 0.075, 0.11, 0.15, 0.17, 0.2, 0.23, 0.9, 2.2, 2.62, 2.64, 2.67, 2.72, 2.92, 2.97, 2.97],
        48,
        240,
    )
    around = np.arctan2(column.vertices[:, 1], column.vertices[:, 0])
    up = column.vertices[:, 2]
    column = column.displaced(np.where((up > 0.26) & (up < 2.6), -0.012 * np.abs(np.cos(8 * around)), 0.0))
    crown = (up > 2.71) & (up < 2.95)
    return column.displaced(np.where(crown, 0.02 * np.cos(8 * around + 9 * (up - 2.7)), 0.0))


def _balustrade() -> list[Mesh]:
    """Fifteen balusters under a rail, between two posts."""
    baluster = lathe(
        [0, 0.05, 0.05, 0.03, 0.055, 0.05, 0.022, 0.04, 0.045, 0],
        [0, 0, 0.03, 0.05, 0.13, 0.19, 0.27, 0.3, 0.34, 0.34],
        20,
        40,
    )
    rail = [baluster.moved((x, -0.70, 3.80), 0) for x in np.linspace(-SPAN / 2 + 0.2, SPAN / 2 - 0.2, 15)]
    rail.append(box((SPAN + 0.12, 0.16, 0.07), (0, -0.70, 4.175), 0.015))
    return rail + boxes((0.18, 0.18, 0.42), (-SPAN / 2 + 0.02, SPAN / 2 - 0.02), [-0.70], [4.01], 0.012)


def door(rng: np.random.Generator) -> Parts:
    """Two leaves with raised panels, iron studs and rings."""
    plane = upright((-DOOR_HALF, 0.32, 0.0), 2 * DOOR_HALF, SPRING)
    fields = [
        (u + 0.10, v, u + DOOR_HALF - 0.10, v + rise)
        for u in (0.0, DOOR_HALF)
        for v, rise in ((0.22, 0.50), (0.80, 0.62), (1.50, 0.62))
    ]
    raised = blocks(plane, np.array(fields), rng, height=0.05, uneven=0.0, chamfer=0.06)
    rails = (0.14, 0.76, 1.46, 2.18)
    frames = boxes((0.05, 0.05, SPRING), (-0.75, -0.03, 0.03, 0.75), [0.30], [SPRING / 2])
    frames += boxes((2 * DOOR_HALF, 0.05, 0.08), [0], [0.31], rails, 0.01)
    image = textures.wood(rng, (640, 1000), (0.40, 0.27, 0.17), 0.28)
    studs = [ball(0.018, 10).moved((x, 0.285, z)) for z in rails for x in np.linspace(-0.68, 0.68, 13)]
    pulls = [hoop((x, 0.26, 1.08), 0.07, 0.01, 8, upright=True) for x in (-0.2, 0.2)]
    yield part("door", [panel(plane), raised, *frames], np.rot90(image).copy(), 0.6)
    yield part("studs", [*studs, *pulls], textures.iron(rng, 128, (0.12, 0.12, 0.12), 0.2), 0.4)


def windows(rng: np.random.Generator) -> Parts:
    """Framed windows with leaded panes, pediments on consoles, and window boxes in bloom."""
    glass = [panel(upright((x - WINDOW_HALF, 0.20, SILL), WIDE, TALL)) for x in WINDOWS]
    flower_boxes = [box((0.96, 0.20, 0.17), (x, -0.19, SILL + 0.085), 0.01) for x in WINDOWS]
    spots = np.concatenate([_spots(rng, x) for x in WINDOWS])
    green = leaves(spots, (0.0, -0.6, 0.6), 0.06, rng)
    heads = np.repeat(spots[::5] + np.array((0, -0.03, 0.06)), 6, 0)
    red = leaves(heads + 0.018 * rng.standard_normal(heads.shape), (0.0, -0.8, 0.4), 0.035, rng)
    stone = weathered(rng, (900, 900), (0.76, 0.69, 0.57), 2.0)
    lead, rust = (
        textures.wood(rng, (256, 256), (0.28, 0.24, 0.20), 0.2),
        textures.iron(rng, 256, (0.13, 0.14, 0.14), 0.3),
    )
    yield part("window stone", [mesh for x in WINDOWS for mesh in _frame(x)], stone)
    yield part("window glass", glass, (0.10, 0.13, 0.15), 0.1)
    yield part("window lead", [mesh for x in WINDOWS for mesh in _leading(x)], lead)
    yield part("window cages", [mesh for x in WINDOWS for mesh in _cage(x)], rust, 0.5, smooth=True)
    yield part("window boxes", flower_boxes, textures.clay(rng, (256, 512), (0.62, 0.38, 0.28)))
    yield part("geranium leaves", green, textures.foliage(rng, 256, (0.10, 0.22, 0.07), (0.30, 0.44, 0.16)), 0.6)
    yield part("geraniums", red, textures.foliage(rng, 64, (0.66, 0.08, 0.10), (0.85, 0.25, 0.22)))


def _spots(rng: np.random.Generator, x: float) -> np.ndarray:
    """Where the leaves in the box of the window at ``x`` grow, shape (420, 3)."""
    across, ahead = rng.uniform(x - 0.45, x + 0.45, 420), rng.normal(-0.19, 0.06, 420)
    return np.stack([across, ahead, SILL + 0.17 + 0.2 * rng.random(420)], 1)


def _frame(x: float) -> list[Mesh]:
    """Stone sides, lintel, sill on consoles, and a pediment."""
    sides = [x + side * (WINDOW_HALF + 0.03) for side in (-1, 1)]
    face = upright((x, 0.0, HEAD + 0.22))
    half, rise, thick = 0.93, 0.56, 0.10
    left = [[0.0, rise - thick], [0.0, rise], [-half, 0.08], [-half + 0.17, 0.08]]
    right = [[0.0, rise], [0.0, rise - thick], [half - 0.17, 0.08], [half, 0.08]]
    return [
        *boxes((0.20, 0.36, TALL), sides, [0.06], [(SILL + HEAD) / 2], 0.015),
        box((WIDE + 0.46, 0.38, 0.24), (x, 0.05, HEAD + 0.10), 0.015),
        box((WIDE + 0.6, 0.46, 0.11), (x, 0.02, SILL - 0.055), 0.02),
        *boxes((0.14, 0.22, 0.26), (x - 0.5, x + 0.5), [-0.06], [SILL - 0.24], 0.03),
        box((WIDE + 0.70, 0.50, 0.08), (x, -0.02, HEAD + 0.26), 0.012),
        prism(face, np.array([[-0.80, 0.08], [0.80, 0.08], [0.0, 0.50]]), 0.10),
        *(prism(face, np.array(rake), 0.26) for rake in (left, right)),
    ]


def _leading(x: float) -> list[Mesh]:
    """Lead cames in a grid, and the wooden bars between the panes."""
    left, right, middle = x - WINDOW_HALF, x + WINDOW_HALF, (SILL + HEAD) / 2
    lead = [rod((left + d, 0.19, SILL), (left + d, 0.19, HEAD), 0.008) for d in np.arange(0.17, WIDE, 0.17)]
    lead += [rod((left, 0.19, z), (right, 0.19, z), 0.008) for z in np.arange(SILL + 0.2, HEAD, 0.2)]
    return [*lead, box((0.07, 0.06, TALL), (x, 0.17, middle)), box((WIDE, 0.06, 0.07), (x, 0.17, SILL + 1.2))]


def _cage(x: float) -> list[Mesh]:
    """Low bars in front of a window, with a scroll between each two."""
    y, low, high = -0.30, SILL + 0.02, SILL + 0.50
    left, right, rails = x - 0.52, x + 0.52, (low + 0.03, high)
    bars = [rod((at, y, low), (at, y, high), 0.008) for at in np.linspace(left, right, 9)]
    bars += [rod((left, y, z), (right, y, z), 0.010) for z in rails]
    bars += [rod((side, y, z), (side, 0.0, z), 0.010) for side in (left, right) for z in rails]
    t = np.linspace(0, 3.2 * np.pi, 40)
    spiral = 0.052 * (1 - t / 14)
    for at in np.linspace(x - 0.455, x + 0.455, 8):
        up = (low + high) / 2 + 2.2 * spiral * np.sin(t)
        bars.append(tube(np.stack([at + spiral * np.cos(t), np.full(40, y), up], 1), 0.005, 6))
    return bars
