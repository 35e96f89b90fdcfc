"""Furniture of the room: a work table with a chair, a couch, an easel and a stove."""

from __future__ import annotations

import numpy as np

from ..modeling import textures
from ..modeling.meshes import Mesh, Plane, joined, lattice, panel, waves
from ..modeling.shapes import box, boxes, hoop, lathe, rod, tube
from ..scene import Parts, part


def table(rng: np.random.Generator) -> Parts:
    """A work table with jars of brushes, papers, a lamp, and a chair of bent wood."""
    place = (1.25, 0.35, 0.0), 12.0
    wood = [
        box((1.35, 0.75, 0.04), (0, 0, 0.74), 0.006),
        *boxes((0.06, 0.06, 0.72), (-0.6, 0.6), (-0.3, 0.3), [0.36], 0.006),
        *boxes((1.18, 0.025, 0.09), [0], (-0.3, 0.3), [0.67], 0.004),
        *boxes((0.025, 0.58, 0.09), (-0.6, 0.6), [0], [0.67], 0.004),
    ]
    jar = lathe(
        [0, 0.042, 0.045, 0.045, 0.038, 0.04, 0.034, 0.034, 0],
        [0, 0, 0.02, 0.11, 0.125, 0.135, 0.13, 0.02, 0.015],
        28,
        40,
    )
    spots = ((-0.48, 0.18), (-0.36, 0.25), (-0.53, 0.03))
    brushes = [_brush(rng, np.array([*spot, 0.77])) for spot in spots for _ in range(7)]
    papers = []
    for k, (x, y) in enumerate(((0.05, -0.1), (0.12, -0.05), (0.0, 0.02))):
        sheet = box((0.297, 0.21, 0.0015), (x, y, 0.762 + 0.002 * k), 0.0003).moved()
        flat = sheet.vertices[:, :2]
        papers.append(Mesh(sheet.vertices, sheet.faces, (flat - flat.min(0)) / np.ptp(flat, axis=0)))
    sketch = textures.poster(
        rng, (420, 594), "STUDY", ["no. 41, from nature", "in the studio, in June"], (0.35, 0.45, 0.38)
    )
    lamp = [
        lathe([0, 0.09, 0.09, 0.02, 0], [0, 0, 0.015, 0.03, 0.035], 28, 16).moved((0.5, 0.24, 0.76)),
        rod((0.5, 0.24, 0.78), (0.42, 0.2, 1.12), 0.009),
        rod((0.42, 0.2, 1.12), (0.24, 0.1, 1.30), 0.009),
        lathe([0.10, 0.085, 0.035, 0], [0, 0.06, 0.13, 0.14], 28, 20).moved((0.22, 0.09, 1.18)),
    ]
    pine = textures.wood(rng, (640, 900), (0.62, 0.50, 0.36), 0.08)
    handles = textures.clay(rng, (128, 256), (0.56, 0.60, 0.58))
    yield part("table", joined(wood).moved(*place), pine, 0.6)
    yield part("jars", joined([jar.moved((x, y, 0.76)) for x, y in spots]).moved(*place), handles, 0.3, smooth=True)
    colors = textures.foliage(rng, 64, (0.45, 0.20, 0.10), (0.75, 0.58, 0.30))
    yield part("brushes", joined(brushes).moved(*place), colors, 0.5)
    yield part("papers", joined(papers).moved(*place), sketch)
    yield part("lamp", joined(lamp).moved(*place), (0.16, 0.30, 0.26), 0.3, smooth=True)
    beech = textures.wood(rng, (512, 512), (0.36, 0.20, 0.12), 0.2)
    yield part("chair", joined(_chair()).moved((0.9, -0.45, 0), 160), beech, 0.35, smooth=True)


def _brush(rng: np.random.Generator, foot: np.ndarray) -> Mesh:
    """A brush that leans out of its jar."""
    lean, way = rng.uniform(0.05, 0.2), rng.uniform(0, 2 * np.pi)
    tip = foot + rng.uniform(0.2, 0.3) * np.array([lean * np.cos(way), lean * np.sin(way), 1.0])
    return tube(np.linspace(foot, tip, 6), np.array([0.003, 0.004, 0.005, 0.004, 0.006, 0.008]), 7)


def _chair() -> list[Mesh]:
    """A round seat on four legs with a ring, and a back of two hoops."""
    s = np.linspace(0, np.pi, 30)
    outer = np.stack([0.19 * np.cos(s), 0.17 + 0.06 * np.sin(s), 0.46 + 0.46 * np.sin(s)], 1)
    inner = np.stack([0.11 * np.cos(s), 0.175 + 0.045 * np.sin(s), 0.47 + 0.33 * np.sin(s)], 1)
    leg = np.array([[0.13, 0.13, 0.45], [0.17, 0.17, 0.22], [0.19, 0.19, 0.0]])
    return [
        lathe([0, 0.19, 0.205, 0.19, 0], [0.45, 0.45, 0.46, 0.475, 0.47], 36, 16),
        tube(outer, 0.014, 9),
        tube(inner, 0.011, 9),
        *(tube(leg * (i, j, 1), 0.014, 9) for i in (-1, 1) for j in (-1, 1)),
        hoop((0, 0, 0.24), 0.155, 0.009, 7, 32),
    ]


def sofa(rng: np.random.Generator) -> Parts:
    """A couch with cushions on the left, under the window."""
    place = (-2.5, 1.0, 0.0), 90.0
    couch = [box((1.9, 0.85, 0.22), (0, 0, 0.22), 0.03), box((1.9, 0.20, 0.60), (0, 0.36, 0.50), 0.05)]
    couch += boxes((0.18, 0.85, 0.42), (-0.92, 0.92), [0], [0.40], 0.05)
    couch += [_cushion(rng, (0.84, 0.70, 0.24)).moved((x, -0.06, 0.42)) for x in (-0.42, 0.42)]
    throw = _cushion(rng, (0.46, 0.46, 0.20)).moved()
    leaning = throw.vertices @ np.array([[1, 0, 0], [0, 0.35, 0.94], [0, -0.94, 0.35]]).T
    loose = [Mesh(leaning, throw.faces, throw.uv).moved((x, 0.17, 0.74), t) for x, t in ((-0.55, 8), (0.50, -12))]
    feet = [rod((x, y, 0.0), (x, y, 0.12), 0.025) for x in (-0.85, 0.85) for y in (-0.36, 0.36)]
    thread = textures.fractal(rng, (700, 700), 4.0, 2)
    stripes = np.arange(700) // 35 % 2
    cloth = textures.paint((0.34, 0.40, 0.42), 0.12 * thread, 0.06 * textures.fractal(rng, (700, 700), 200.0))
    red, checks = textures.paint((0.66, 0.24, 0.16), 0.10 * thread), 0.4 * (stripes[:, None] + stripes)
    plaid = textures.mix(red, (0.86, 0.76, 0.56), checks)
    yield part("couch", joined(couch).moved(*place), textures.finish(cloth))
    yield part("cushions", joined(loose).moved(*place), textures.finish(plaid), smooth=True)
    yield part("feet", joined(feet).moved(*place), (0.25, 0.16, 0.1), 0.5)


def _cushion(rng: np.random.Generator, size: tuple[float, float, float]) -> Mesh:
    """A pillow about the origin, a little dented."""
    a, b = np.meshgrid(np.linspace(-1, 1, 24), np.linspace(-1, 1, 24))
    puff = ((1 - a**4) * (1 - b**4)) ** 0.45
    thick = puff + 0.06 * waves(np.stack([a, b, 0 * a], -1), 0.8, rng) * puff
    halves = [np.stack([side * a * size[0] / 2, b * size[1] / 2, side * thick * size[2] / 2], -1) for side in (1, -1)]
    return lattice(np.stack(halves), np.stack([np.stack([a, b], -1) * 0.5] * 2))


def easel(rng: np.random.Generator) -> Parts:
    """An easel with a painted landscape, and a rolling stool."""
    place = (-0.95, 1.75, 0.0), 14.0
    wood = [rod((x, 0.0, 0.0), (0.35 * x, 0.32, 1.95), 0.018) for x in (-0.38, 0.38)]
    wood += [rod((0, 0.75, 0.0), (0, 0.34, 1.85), 0.018), box((0.80, 0.09, 0.03), (0, 0.09, 0.80), 0.004)]
    painting = _landscape(rng)
    canvas = panel(Plane((-0.42, 0.075, 0.82), (1, 0, 0), (0, 0.155, 0.988), 0.84, 0.65), 0.004)
    stool = [lathe([0, 0.17, 0.175, 0], [0.50, 0.50, 0.53, 0.54], 32, 14), rod((0, 0, 0.1), (0, 0, 0.5), 0.02)]
    for a in np.arange(5) * 2 * np.pi / 5:
        stool.append(rod((0, 0, 0.12), (0.22 * np.cos(a), 0.22 * np.sin(a), 0.03), 0.014))
    yield part("easel", joined(wood).moved(*place), textures.wood(rng, (512, 512), (0.56, 0.42, 0.28), 0.1))
    yield part("canvas", canvas.moved(*place), painting)
    yield part("stretcher", box((0.84, 0.025, 0.65), (0, 0.15, 1.14), 0.002).moved(*place), (0.78, 0.74, 0.66))
    yield part("stool", joined(stool).moved((-0.35, 0.75, 0)), (0.18, 0.18, 0.19), 0.35, smooth=True)


def _landscape(rng: np.random.Generator) -> np.ndarray:
    """A painting in broad strokes: sky, clouds, four ridges of hills, and poppies."""
    height, width = shape = 620, 800
    y = np.mgrid[:height, :width][0] / height
    image = textures.paint((0.62, 0.74, 0.84), 0.05 * textures.fractal(rng, shape, 160.0))
    clouds = 1.5 * (textures.fractal(rng, shape, (60.0, 260.0)) - 0.4) * (y < 0.5)
    image = textures.mix(image, (0.93, 0.88, 0.80), clouds)
    for top, color in (
        (0.42, (0.42, 0.50, 0.56)),
        (0.55, (0.36, 0.44, 0.28)),
        (0.68, (0.60, 0.54, 0.26)),
        (0.82, (0.30, 0.30, 0.16)),
    ):
        ridge = top + 0.05 * textures.fractal(rng, (1, width), 260.0, 5)
        strokes = textures.fractal(rng, shape, (8.0, 60.0), 4)
        image = textures.mix(image, textures.paint(color, 0.18 * strokes), 60 * (y - ridge))
    poppies = 0.9 * textures.speckles(rng, shape, 0.02, 4.0) * (y > 0.7)
    return textures.finish(textures.mix(image, (0.80, 0.30, 0.14), poppies))


def stove(rng: np.random.Generator) -> Parts:
    """An iron stove on the right with its pipe, and a pile of logs."""
    x, y = 2.45, 1.15
    body = [
        box((0.55, 0.48, 0.62), (x, y, 0.42), 0.03),
        box((0.62, 0.55, 0.05), (x, y, 0.755), 0.015),
        box((0.03, 0.34, 0.34), (x - 0.28, y, 0.45), 0.012),
    ]
    for i, j in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        body.append(rod((x + i * 0.22, y + j * 0.18, 0.0), (x + i * 0.2, y + j * 0.16, 0.13), 0.025))
    bend = ((0, 0.77), (0, 1.4), (0, 1.95), (0.03, 2.1), (0.15, 2.22), (0.3, 2.25), (0.6, 2.25))
    body.append(tube(np.array([(x + across, y, z) for across, z in bend]), 0.065, 16))
    logs = []
    for _ in range(16):
        spot = np.array([2.5 + rng.normal(0, 0.10), 0.35 + rng.normal(0, 0.06), 0.06 + 0.26 * rng.random()])
        way = 0.17 * np.array([rng.normal(0, 0.1), 1.0, rng.normal(0, 0.1)])
        logs.append(tube(np.stack([spot - way, spot, spot + way]), rng.uniform(0.03, 0.05), 9))
    bark = textures.wood(rng, (256, 256), (0.42, 0.32, 0.24), 0.35)
    yield part("stove", body, textures.iron(rng, 512, (0.14, 0.14, 0.15), 0.08), 0.45)
    yield part("logs", logs, bark)
