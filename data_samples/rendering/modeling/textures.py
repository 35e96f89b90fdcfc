"""Procedural textures: sRGB images (H, W, 3) as uint8, first row at the top."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import KDTree

Color = tuple[float, float, float]
"""sRGB, 0..1."""

Shape = tuple[int, int]
"""Height and width in pixels."""


def fractal(
    rng: Generator, shape: Shape, cell: float | tuple[float, float], octaves: int = 6, gain: float = 0.55
) -> np.ndarray:
    """Fractal noise (H, W) of zero mean and unit spread; ``cell`` is its longest period in pixels, (y, x)."""
    cy, cx = (cell, cell) if isinstance(cell, (int, float)) else cell
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows, columns = (int(np.ceil(shape[k] / c * 2**octave)) + 3 for k, c in ((0, cy), (1, cx)))
        grid = rng.standard_normal((min(rows, shape[0]), min(columns, shape[1]))).astype(np.float32)
        total += gain**octave * cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (total - total.mean()) / total.std()


def paint(color: Color, *layers: np.ndarray) -> np.ndarray:
    """A float image (H, W, 3) of one color, its brightness multiplied by exp of the sum of the layers (H, W)."""
    return np.asarray(color, np.float32) * np.exp(sum(layers, np.zeros_like(layers[0])))[..., None]


def finish(image: np.ndarray) -> np.ndarray:
    """A float image in 0..1 as uint8."""
    return (np.clip(image, 0.02, 0.98) * 255 + 0.5).astype(np.uint8)


def mottled(rng: Generator, shape: Shape, color: Color, *layers: tuple) -> np.ndarray:
    """A texture of one color whose brightness varies by layers (amplitude, *arguments of :func:`fractal`)."""
    return finish(paint(color, *(layer[0] * fractal(rng, shape, *layer[1:]) for layer in layers)))


def mix(below: np.ndarray, above: np.ndarray | Color, amount: np.ndarray) -> np.ndarray:
    """``above`` over ``below`` with opacity ``amount`` (H, W)."""
    a = np.clip(amount, 0, 1)[..., None]
    return below * (1 - a) + np.asarray(above, np.float32) * a


def speckles(rng: Generator, shape: Shape, density: float, radius: float) -> np.ndarray:
    """Soft-edged random grains: a mask (H, W) in 0..1 that covers about ``density`` of the surface."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), radius)
    threshold = np.quantile(noise, 1 - density)
    return np.clip((noise - threshold) / (0.25 * noise.std()), 0, 1)


def speckled(
    rng: Generator, image: np.ndarray, opacity: float, grains: Sequence[tuple[Color, float, float]]
) -> np.ndarray:
    """A float image (H, W, 3) under :func:`speckles`, given as (color, density, radius)."""
    for color, density, radius in grains:
        image = mix(image, color, opacity * speckles(rng, image.shape[:2], density, radius))
    return image


def masonry(
    rng: Generator,
    rectangles: np.ndarray,
    size: tuple[float, float],
    per_meter: float,
    palette: Sequence[Color],
    joint: Color,
    *,
    grain: float = 0.10,
    spread: float = 0.10,
    pits: float = 0.02,
    stains: float = 0.10,
) -> np.ndarray:
    """The texture of a wall or pavement of ``rectangles`` (N, 4) in meters on a surface of ``size`` (width, height).

    Every block takes a color of the palette, its own brightness (``spread``) and its own piece of ``grain``; ``pits``
    is the share of dark holes and ``stains`` the weathering that runs over all.
    """
    shape = round(size[1] * per_meter), round(size[0] * per_meter)
    index = np.full(shape, -1, np.int32)
    corners = np.round(rectangles * per_meter).astype(int)
    for k, (u0, v0, u1, v1) in enumerate(corners):
        index[max(shape[0] - v1, 0) : shape[0] - v0, u0:u1] = k
    colors = np.asarray(palette, np.float32)[rng.integers(len(palette), size=len(rectangles))]
    colors = colors * np.exp(spread * rng.standard_normal((len(rectangles), 1)))
    colors = colors * np.exp(0.015 * rng.standard_normal((len(rectangles), 3)))
    image = np.where((index >= 0)[..., None], colors[index], np.asarray(joint, np.float32)).astype(np.float32)
    grains = grain * fractal(rng, shape, per_meter * 0.10) + grain * fractal(rng, shape, per_meter * 0.012, 2)
    image *= np.exp(grains)[..., None]
    cloudy = fractal(rng, shape, per_meter * 0.05, 4)
    image = mix(image, 0.72 * image, (index >= 0) * np.clip(cloudy - 0.8, 0, 1))
    image = mix(image, 0.35 * image, speckles(rng, shape, pits, per_meter * 0.0025))
    image = mix(image, 1.25 * image, 0.8 * speckles(rng, shape, pits, per_meter * 0.003))
    return finish(image * np.exp(stains * fractal(rng, shape, per_meter * 1.2, 7))[..., None])


def granite(rng: Generator, shape: Shape, base: Color, grain: float) -> np.ndarray:
    """Speckled stone: light, dark and tinted grains of about ``grain`` pixels."""
    return finish(
        speckled(
            rng,
            paint(base, 0.08 * fractal(rng, shape, shape[1] / 4)),
            0.8,
            (
                ((0.80, 0.78, 0.74), 0.20, grain * 1.3),
                ((0.30, 0.29, 0.28), 0.14, grain * 1.1),
                ((0.60, 0.53, 0.46), 0.12, grain * 1.8),
                ((0.14, 0.14, 0.14), 0.05, grain * 0.8),
                ((0.92, 0.91, 0.88), 0.05, grain * 0.7),
            ),
        )
    )


def marble(rng: Generator, shape: Shape, base: Color) -> np.ndarray:
    """Polished marble: clouds of the base color, pale and dark veins that branch along lines of a warped noise."""
    warp = fractal(rng, shape, shape[0] / 1.5, 5)
    image = paint(base, 0.14 * fractal(rng, shape, shape[0] / 4), 0.05 * fractal(rng, shape, 9.0, 3))
    for color, cell, width, opacity in (
        ((0.90, 0.86, 0.80), 2.5, 0.05, 0.7),
        ((0.25, 0.20, 0.20), 3.5, 0.03, 0.7),
        ((0.93, 0.90, 0.86), 7.0, 0.06, 0.5),
    ):
        noise = fractal(rng, shape, shape[0] / cell, 6) + 0.5 * warp
        vein = np.clip(1 - np.abs(noise) / width, 0, 1)
        image = mix(image, color, opacity * vein * np.clip(0.6 + 0.6 * warp, 0.1, 1))
    return finish(image)


def wood(rng: Generator, shape: Shape, color: Color, contrast: float = 0.2, flaking: Color | None = None) -> np.ndarray:
    """Planks' surface with the grain along x; ``flaking`` is a coat of paint that has partly come off."""
    height, width = shape
    bend = fractal(rng, shape, (130.0, width / 1.5), 3)
    y = np.arange(height)[:, None] / 27
    rings = np.sin(2 * np.pi * (y + 0.55 * bend)) * 0.6
    fibres = fractal(rng, shape, (6.0, width / 3), 4)
    pores = speckles(rng, (height, width // 12), 0.05, 0.8)
    image = paint(color, contrast * rings, contrast * fibres, 0.5 * contrast * fractal(rng, shape, height / 2))
    image = mix(image, 0.45 * image, cv2.resize(pores, (width, height)))
    if flaking is not None:
        worn = fractal(rng, shape, (105.0, 180.0), 6, 0.62)
        coat = paint(flaking, 0.10 * fibres, 0.07 * fractal(rng, shape, height / 3))
        image = mix(image, coat, 6 * (1.05 - worn))
        image = mix(image, 0.6 * image, np.clip(1 - 9 * np.abs(worn - 1.05), 0, 1) * 0.6)
    return finish(image)


def plaster(rng: Generator, shape: Shape, color: Color, cracks: int = 5) -> np.ndarray:
    """Plain lime plaster: almost without texture, with faint clouds, a few hair cracks and dirt under the top edge."""
    clouds, spots = 0.018 * fractal(rng, shape, shape[0] / 3), 0.010 * fractal(rng, shape, 40.0)
    image = paint(color, clouds, spots, 0.008 * fractal(rng, shape, 4.0, 2))
    lines = np.zeros(shape, np.float32)
    for _ in range(cracks):
        steps = np.cumsum(rng.normal((2.0, 5.0), (7.0, 4.0), size=(rng.integers(25, 70), 2)), axis=0)
        start = rng.uniform((0, 0), (shape[1], shape[0] * 0.4))
        cv2.polylines(lines, [np.round(start + steps).astype(np.int32)], False, 1.0, 1, cv2.LINE_AA)
    image = mix(image, 0.62 * image, 0.75 * lines)
    runs = np.clip(fractal(rng, shape, (shape[0], 60.0), 4), 0, None)
    fade = np.exp(-np.linspace(0, 7, shape[0]))[:, None]
    return finish(image * np.exp(-0.22 * fade * runs)[..., None])


def tiles(rng: Generator, columns: int, rows: int) -> np.ndarray:
    """Hand-painted glazed tiles, 56 pixels each: blue and ochre motifs on white, no two alike."""
    side = 56
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    image = np.empty((rows * side, columns * side, 3), np.float32)
    blue, pale, ochre = (0.13, 0.24, 0.52), (0.44, 0.58, 0.76), (0.80, 0.60, 0.22)
    for row in range(rows):
        for column in range(columns):
            petals, turn = rng.choice([3, 4, 5, 6, 8]), rng.uniform(0, 2 * np.pi)
            wobble = 0.02 * fractal(rng, (side, side), side / 2, 2)
            tile = paint((0.90, 0.89, 0.84), 0.02 * fractal(rng, (side, side), side / 2))
            flower = 0.34 + rng.uniform(0.12, 0.3) * np.cos(petals * (angle + turn)) - radius + wobble
            tile = mix(tile, pale if rng.random() < 0.5 else blue, 14 * flower)
            tile = mix(tile, blue, 16 * (0.035 - np.abs(flower)))
            tile = mix(tile, ochre, 14 * (rng.uniform(0.08, 0.2) - radius + wobble))
            ring = rng.uniform(0.72, 0.9)
            tile = mix(tile, blue, 16 * (rng.uniform(0.02, 0.06) - np.abs(radius - ring + wobble)))
            corner = np.hypot(1 - np.abs(x), 1 - np.abs(y))
            tile = mix(tile, blue, 12 * (rng.uniform(0.25, 0.5) - corner + wobble))
            tile = mix(tile, (0.90, 0.89, 0.84), 12 * (rng.uniform(0.08, 0.22) - corner + wobble))
            tile = mix(tile, (0.55, 0.52, 0.47), 8 * (np.maximum(np.abs(x), np.abs(y)) - 0.95))
            image[row * side : (row + 1) * side, column * side : (column + 1) * side] = tile * rng.normal(1, 0.03)
    return finish(image)


def mosaic(rng: Generator, size: int, cells: int, palette: Sequence[Color]) -> np.ndarray:
    """Broken-tile mosaic (trencadis): Voronoi cells of glazed shards with pale grout."""
    seeds = rng.uniform(-0.05, 1.05, (cells, 2))
    y, x = np.mgrid[:size, :size] / size
    distance, index = KDTree(seeds).query(np.stack([x, y], -1).reshape(-1, 2), k=2)
    index = np.asarray(index)
    gap = (distance[:, 1] - distance[:, 0]).reshape(size, size) * np.sqrt(cells)
    colors = np.asarray(palette, np.float32)[rng.integers(len(palette), size=cells)]
    colors = colors * np.exp(0.12 * rng.standard_normal((cells, 1)))
    image = colors[index[:, 0]].reshape(size, size, 3)
    return finish(mix(image, (0.74, 0.71, 0.66), 10 * (0.13 - gap)))


def bark(rng: Generator, shape: Shape, color: Color) -> np.ndarray:
    """Furrowed bark, its ridges along y, gray-green with algae here and there."""
    ridges = 1 - np.abs(fractal(rng, shape, (shape[0] / 3, shape[1] / 22), 4))
    image = paint(color, 0.30 * np.clip(ridges, -1.2, 0.6), 0.12 * fractal(rng, shape, 7.0, 3))
    image = mix(image, (0.34, 0.38, 0.22), 0.6 * np.clip(fractal(rng, shape, shape[1] / 2) - 0.6, 0, 1))
    return finish(mix(image, (0.58, 0.58, 0.52), 0.7 * speckles(rng, shape, 0.04, 4.0)))


def birch(rng: Generator, shape: Shape) -> np.ndarray:
    """White bark with dark dashes across and black scars."""
    image = paint((0.80, 0.77, 0.71), 0.05 * fractal(rng, shape, (20.0, shape[1])), 0.04 * fractal(rng, shape, 9.0, 3))
    dashes = fractal(rng, shape, (7.0, shape[1] / 3), 3)
    image = mix(image, (0.24, 0.20, 0.18), 3 * (dashes - 1.5))
    return finish(mix(image, (0.12, 0.10, 0.09), 0.9 * speckles(rng, shape, 0.03, 11.0)))


def clay(rng: Generator, shape: Shape, color: Color) -> np.ndarray:
    """Fired clay with turning marks around and white efflorescence."""
    marks = fractal(rng, shape, (8.0, shape[1] * 2.0), 3)
    image = paint(color, 0.06 * marks, 0.08 * fractal(rng, shape, shape[0] / 3), 0.05 * fractal(rng, shape, 6.0, 3))
    bloom = fractal(rng, shape, shape[0] / 2.5, 6)
    image = mix(image, (0.80, 0.74, 0.68), 0.55 * np.clip(bloom - 0.7, 0, 1))
    return finish(mix(image, 0.6 * image, speckles(rng, shape, 0.02, 1.5)))


def foliage(rng: Generator, size: int, dark: Color, light: Color) -> np.ndarray:
    """Many greens to pick from: leaves take their color at a random place of it."""
    noise = fractal(rng, (size, size), size / 6, 6)
    image = mix(paint(dark, 0.05 * noise), light, 0.5 + 0.35 * noise)
    return finish(mix(image, (0.55, 0.47, 0.16), 2 * (fractal(rng, (size, size), size / 10, 3) - 1.9)))


def iron(rng: Generator, size: int, color: Color, rust: float) -> np.ndarray:
    """Painted iron with rust coming through on a share ``rust`` of it."""
    noise = fractal(rng, (size, size), size / 5, 6)
    image = paint(color, 0.10 * fractal(rng, (size, size), size / 12, 4))
    spots = paint((0.42, 0.22, 0.12), 0.25 * fractal(rng, (size, size), 12.0, 3))
    return finish(mix(image, spots, 3 * (noise - np.quantile(noise, 1 - rust))))


def poster(rng: Generator, shape: Shape, title: str, lines: Sequence[str], ink: Color) -> np.ndarray:
    """A printed poster: a title, a picture of overlapping discs and hatching, and lines of small print."""
    height, width = shape
    sheet = Image.new("RGB", (width, height), (236, 228, 208))
    draw = ImageDraw.Draw(sheet, "RGBA")
    tint = tuple(int(255 * c) for c in ink)
    margin = width // 14
    top, bottom = int(height * 0.24), int(height * 0.72)
    title_font = ImageFont.load_default(size=width * 1.45 / len(title))
    draw.text((width / 2, height * 0.125), title, (30, 28, 32), font=title_font, anchor="mm")
    draw.rectangle((margin, top, width - margin, bottom), fill=(*tint, 255))
    middle = width // 2
    draw.rectangle((middle - 4, top, middle + 4, bottom), fill=(236, 228, 208))
    for _ in range(26):
        x, y = rng.uniform(margin * 2, width - margin * 2), rng.uniform(top, bottom)
        r = rng.uniform(width * 0.02, width * 0.13)
        r = min(r, y - top, bottom - y, x - margin, width - margin - x)
        shade = rng.choice([[236, 228, 208], [206, 84, 52], [40, 44, 60], [222, 170, 70]])
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(*(int(c) for c in shade), int(rng.integers(150, 255))))
    for x in np.arange(margin, width - margin, width / 60):
        draw.line((x, bottom - (x % 37) * 2.2 - 8, x, bottom), fill=(30, 28, 32, 220), width=2)
    small = ImageFont.load_default(size=width / 17)
    for k, line in enumerate(lines):
        draw.text((margin, height * (0.76 + 0.052 * k)), line, (34, 32, 36), font=small)
    paper = 0.03 * fractal(rng, shape, width / 2) + 0.015 * fractal(rng, shape, 3.0, 2)
    return finish(np.asarray(sheet, np.float32) / 255 * np.exp(paper)[..., None])
