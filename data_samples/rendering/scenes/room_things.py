"""Books, pictures, plants and a plaster cast of the room."""

from __future__ import annotations

import numpy as np

from ..modeling import plants, textures
from ..modeling.freeform import blended, boxed, capsule, ellipsoid, surface_net
from ..modeling.meshes import Mesh, Plane, panel, upright, waves
from ..modeling.shapes import ball, box, boxes, lathe
from ..scene import Parts, part

HALF_WIDTH, BACK = 3.0, 2.9

LEFT, RIGHT, Y = 1.05, 2.85, BACK - 0.17
"""Sides of the bookcase and its middle in y."""

CLOTH = (
    (0.45, 0.12, 0.10),
    (0.12, 0.22, 0.34),
    (0.16, 0.30, 0.20),
    (0.62, 0.50, 0.30),
    (0.72, 0.68, 0.58),
    (0.22, 0.20, 0.22),
    (0.66, 0.34, 0.14),
)


def shelves(rng: np.random.Generator) -> Parts:
    """A bookcase on the right of the back wall, full but for a few gaps."""
    deep, middle = 0.32, (LEFT + RIGHT) / 2
    boards = boxes((RIGHT - LEFT, deep, 0.028), [middle], [Y], (0.09, 0.47, 0.83, 1.17, 1.51, 1.85), 0.003)
    boards += boxes((0.028, deep, 1.86), (LEFT, middle, RIGHT), [Y], [0.935], 0.003)
    boards.append(box((RIGHT - LEFT, 0.01, 1.86), (middle, BACK - 0.006, 0.935), 0.002))
    covers: list[list[Mesh]] = [[] for _ in range(6)]
    for z in (0.104, 0.484, 0.844, 1.184, 1.524):
        for left, right in ((LEFT + 0.02, middle - 0.02), (middle + 0.02, RIGHT - 0.02)):
            _fill(rng, covers, left, right, z)
    land = textures.fractal(rng, (256, 512), 110.0, 6)
    seas = textures.mix(textures.paint((0.30, 0.46, 0.56), 0 * land), (0.76, 0.68, 0.46), 8 * (land - 0.3))
    stand = lathe([0, 0.09, 0.02, 0.02, 0], [0, 0, 0.04, 0.08, 0.09], 20, 12).moved((1.35, Y, 1.865))
    cartons = [box((0.34, 0.26, 0.2), (1.95, Y, 1.965), 0.004), box((0.30, 0.24, 0.12), (1.96, Y, 2.125), 0.004)]
    yield part("bookcase", boards, textures.wood(rng, (640, 640), (0.46, 0.34, 0.24), 0.1), 0.6)
    for k, books in enumerate(covers):
        yield part(f"books {k}", books, spines(rng), 0.6)
    yield part("globe", ball(0.15, 40).moved((1.35, Y, 2.09)), textures.finish(seas), 0.35, smooth=True)
    yield part("stand", stand, (0.3, 0.2, 0.12), 0.4, smooth=True)
    yield part("cartons", cartons, textures.mottled(rng, (256, 256), (0.60, 0.48, 0.34), (0.05, 60.0)))


def _fill(rng: np.random.Generator, covers: list[list[Mesh]], x: float, right: float, z: float) -> None:
    """Put books on a shelf from ``x`` to ``right``, each into one of the lists of ``covers``."""
    while x < right - 0.06:
        if rng.random() < 0.06:
            x += rng.uniform(0.05, 0.16)
            continue
        thick, tall, wide = rng.uniform(0.014, 0.048), rng.uniform(0.19, 0.30), rng.uniform(0.14, 0.22)
        lean = np.radians(rng.uniform(5, 13) if rng.random() < 0.07 else 0.0)
        book = box((thick, wide, tall), (0, 0, tall / 2), 0.003)
        c, s = np.cos(lean), np.sin(lean)
        turned = book.vertices @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        book = Mesh(turned - np.array((0, 0, turned[:, 2].min())), book.faces, book.uv * 0.4 + rng.random(2))
        if x + thick + tall * s > right:
            break
        cover = covers[rng.integers(6)]
        cover.append(book.moved((x + thick / 2, Y - 0.12 + wide / 2 + rng.normal(0, 0.006), z)))
        x += thick + tall * s + 0.002


def spines(rng: np.random.Generator) -> np.ndarray:
    """Book cloth in many colors, with gilt lines and marks like lettering."""
    image = np.empty((900, 900, 3), np.float32)
    for k in range(0, 900, 30):
        spine = image[:, k : k + 30]
        color = np.clip(rng.choice(CLOTH) * rng.uniform(0.8, 1.25), 0, 0.95)
        spine[:] = color
        for at in rng.integers(0, 860, 7):
            spine[at : at + int(rng.integers(2, 5))] = (0.80, 0.68, 0.38)
        ink = (0.88, 0.84, 0.74) if color.mean() < 0.4 else (0.15, 0.13, 0.12)
        for at in range(int(rng.integers(0, 40)), 880, 9):
            if rng.random() < 0.4:
                spine[at : at + 5, 8 : 8 + int(rng.integers(4, 14))] = ink
    return textures.finish(image * np.exp(0.04 * textures.fractal(rng, (900, 900), 5.0, 2))[..., None])


def pictures(rng: np.random.Generator) -> Parts:
    """Three framed prints on walls that are otherwise bare."""
    frames = []
    lines = ["a dark room", "with one small hole", "and a white wall", "opposite"]
    for n, (on_back, u, v, width, height, title, ink) in enumerate(
        (
            (True, 0.55, 1.35, 0.62, 0.84, "CAMERA", (0.24, 0.34, 0.30)),
            (False, 0.75, 1.30, 0.50, 0.70, "OBSCURA", (0.50, 0.30, 0.16)),
            (True, 2.9, 1.75, 0.44, 0.58, "LUCIDA", (0.22, 0.24, 0.44)),
        )
    ):
        z = v + height / 2
        if on_back:
            plane = upright((-HALF_WIDTH + u, BACK - 0.02, v), width, height)
            frame = (width + 0.06, 0.022, height + 0.06), (-HALF_WIDTH + u + width / 2, BACK - 0.012, z)
        else:
            plane = Plane((HALF_WIDTH - 0.02, BACK - u, v), (0, -1, 0), (0, 0, 1), width, height)
            frame = (0.022, width + 0.06, height + 0.06), (HALF_WIDTH - 0.012, BACK - u - width / 2, z)
        frames.append(box(*frame, 0.006))
        print_ = textures.poster(rng, (round(height * 800), round(width * 800)), title, lines, ink)
        yield part(f"print {n}", panel(plane, 0.005), print_)
    yield part("frames", frames, textures.wood(rng, (256, 256), (0.24, 0.17, 0.11), 0.2), 0.4)


def plant(rng: np.random.Generator) -> Parts:
    """A fig tree in a basket in the corner, and a fern on the sill."""
    stem, crown = plants.tree(rng, 1.75, 0.48, 0.15, 260)
    basket = lathe([0, 0.17, 0.21, 0.22, 0.205, 0], [0, 0, 0.16, 0.32, 0.33, 0.30], 48, 60)
    x, y, z = basket.vertices.T
    basket = basket.displaced(0.006 * np.sign(np.sin(24 * np.arctan2(y, x)) * np.sin(z / 0.33 * 40)))
    fern = plants.fern(rng, 15, 0.36).moved((-HALF_WIDTH + 0.02, 1.05, 1.08))
    pot = lathe([0, 0.06, 0.09, 0.08, 0], [0, 0, 0.12, 0.12, 0.1], 32, 20).moved((-HALF_WIDTH + 0.02, 1.05, 0.955))
    in_basket, fig = (0.35, 2.5, 0.2), textures.wood(rng, (128, 128), (0.40, 0.32, 0.24), 0.2)
    yield part("fig stem", stem.moved(in_basket), fig)
    leaf = textures.foliage(rng, 128, (0.10, 0.24, 0.09), (0.26, 0.42, 0.16))
    yield part("fig leaves", crown.moved(in_basket), leaf, 0.35)
    wicker = textures.wood(rng, (512, 512), (0.66, 0.52, 0.34), 0.3)
    yield part("basket", basket.moved((0.35, 2.5, 0.0)), wicker, smooth=True)
    yield part("fern", fern, textures.foliage(rng, 128, (0.16, 0.32, 0.08), (0.36, 0.52, 0.18)), 0.6)
    yield part("fern pot", pot, textures.clay(rng, (128, 256), (0.64, 0.40, 0.30)), smooth=True)


def oddments(rng: np.random.Generator) -> Parts:
    """A plaster torso on a stand, a folding screen without pattern, and a stack of canvases against the wall."""
    torso = blended(
        [
            ellipsoid((0, 0, 0.30), (0.16, 0.11, 0.20)),
            ellipsoid((0, 0, 0.10), (0.15, 0.115, 0.12)),
            capsule((0, 0, 0.45), (0, -0.02, 0.58), 0.055, 0.05),
            ellipsoid((0, -0.03, 0.68), (0.075, 0.095, 0.115)),
            capsule((-0.17, 0, 0.42), (-0.21, 0.02, 0.28), 0.06, 0.05),
            capsule((0.17, 0, 0.42), (0.21, 0.02, 0.30), 0.06, 0.05),
            ellipsoid((0, -0.125, 0.68), (0.016, 0.03, 0.03)),
            *(ellipsoid((x, -0.08, 0.36), (0.06, 0.05, 0.05)) for x in (0.065, -0.065)),
        ],
        0.05,
    )
    cast = surface_net(torso, (-0.32, -0.22, 0.0), (0.32, 0.2, 0.82), 0.011)
    cast = boxed(cast.displaced(0.0008 * waves(cast.vertices, 0.03, rng)), 0.5)
    leaf = box((0.62, 0.03, 1.75), (0, 0, 0.90), 0.006)
    screen = [leaf.moved((x, y, 0.0), turn) for x, y, turn in ((2.72, -0.1, 80), (2.66, -0.72, 101), (2.72, -1.34, 80))]
    white = textures.mottled(rng, (512, 512), (0.84, 0.82, 0.78), (0.02, 90.0), (0.01, 5.0, 2))
    linen = textures.mottled(rng, (512, 512), (0.74, 0.68, 0.57), (0.05, 4.0, 2))
    pedestal, gray = box((0.34, 0.34, 0.85), (-1.9, 2.35, 0.425), 0.008), (0.36, 0.34, 0.32)
    yield part("cast", cast.moved((-1.9, 2.35, 0.85)), white, smooth=True)
    yield part("pedestal", pedestal, textures.wood(rng, (512, 512), gray, 0.08))
    yield part("screen", screen, white)
    yield part("canvases", [_canvas(k) for k in range(5)], linen)


def _canvas(k: int) -> Mesh:
    """The ``k``-th canvas of the stack that leans against the wall."""
    sheet = box((0.9 - 0.08 * k, 0.022, 0.7 - 0.05 * k), (0, 0, 0.35 - 0.025 * k), 0.002)
    c, s = np.cos(np.radians(14 + 1.5 * k)), np.sin(np.radians(14 + 1.5 * k))
    lean = sheet.vertices @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]).T * (1, -1, 1)
    return Mesh(lean, sheet.faces[:, ::-1], sheet.uv).moved((-2.2 + 0.1 * k, BACK - 0.32 - 0.045 * k, 0.01))
