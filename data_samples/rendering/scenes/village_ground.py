"""The ground of the village: its heights, its roads, its image, and the plots of the houses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy.interpolate import RegularGridInterpolator

from ..modeling import textures
from ..modeling.meshes import arc_length, lattice, waves
from ..scene import Parts, part

HALF = 110.0
"""Half the side of the terrain in meters."""

PIXELS = 4096
"""Side of the image that lies on the terrain."""

CROPS = ((0.52, 0.43, 0.31), (0.63, 0.58, 0.33), (0.34, 0.45, 0.18), (0.45, 0.50, 0.24), (0.47, 0.38, 0.28))


@dataclass(frozen=True)
class Terrain:
    """The ground: heights over a grid from -HALF to HALF, and roads as paths (P, 2) with half their widths."""

    heights: np.ndarray
    roads: tuple[tuple[np.ndarray, float], ...]

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Heights at (..., 2)."""
        axis = np.linspace(-HALF, HALF, len(self.heights))
        return RegularGridInterpolator((axis, axis), self.heights, bounds_error=False, fill_value=np.nan)(xy[..., ::-1])

    def on(self, x: float, y: float, lift: float = 0.0) -> tuple[float, float, float]:
        """The point ``lift`` meters above the ground at (x, y)."""
        return x, y, self.at(np.array([x, y])).item() + lift

    def along(self, xy: np.ndarray) -> np.ndarray:
        """The points (N, 3) of the ground at (N, 2)."""
        return np.concatenate([xy, self.at(xy)[:, None]], 1)

    def off_road(self, spot: np.ndarray) -> float:
        """Distance in meters of a spot (2,) from the edge of the nearest road, to a raster of 0.2 m."""
        row, column = (np.array([HALF - spot[1], HALF + spot[0]]) * 5).astype(int)
        return float(self._off_road[row, column])

    @cached_property
    def _off_road(self) -> np.ndarray:
        return np.min([distance_to(path, (1100, 1100)) - half for path, half in self.roads], axis=0)


def terrain(rng: np.random.Generator) -> Terrain:
    """Rolling ground that climbs to the north and falls to a hollow in the south-east."""
    axis = np.linspace(-HALF, HALF, 441)
    x, y = np.meshgrid(axis, axis)
    spots = np.stack([x, y, 0 * x], -1)
    z = 2.4 * waves(spots, 90.0, rng) + 0.35 * waves(spots, 22.0, rng) + 0.05 * waves(spots, 4.0, rng)
    z = z + 14 / (1 + np.exp(-(y - 62) / 14)) - 6 * np.exp(-((x - 70) ** 2 + (y + 55) ** 2) / 1500)
    t = np.linspace(-HALF, HALF, 400)
    roads = (
        (np.stack([t, 9 * np.sin(t / 34) - 4], 1), 2.8),
        (np.stack([8 + 12 * np.sin(t / 41), t], 1), 2.2),
        (np.stack([t, 30 + 6 * np.sin(t / 25 + 1)], 1), 1.5),
        (np.stack([t, -42 + 5 * np.sin(t / 30)], 1), 1.7),
    )
    return Terrain(z, roads)


def distance_to(path: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Distance in meters of every pixel of the terrain's image, first row in the north, from a path."""
    line = np.full(shape, 255, np.uint8)
    pixels = (np.stack([path[:, 0] + HALF, HALF - path[:, 1]], 1) / (2 * HALF) * shape[0] * 16).astype(np.int32)
    cv2.polylines(line, [pixels], False, 0, 1, cv2.LINE_8, 4)
    return cv2.distanceTransform(line, cv2.DIST_L2, 5) * (2 * HALF / shape[0])


def surface(rng: np.random.Generator, ground: Terrain, homes: list[np.ndarray]) -> Parts:
    """The ground with its image: meadows, plowed and green fields, roads, gravel yards and lawns."""
    shape = (PIXELS, PIXELS)
    per_meter = PIXELS / (2 * HALF)
    y, x = np.mgrid[:PIXELS, :PIXELS].astype(np.float32)
    x, y = x / per_meter - HALF, HALF - y / per_meter
    broad, fine = textures.fractal(rng, shape, per_meter * 18, 8), textures.fractal(rng, shape, per_meter * 0.7, 4)
    image = textures.paint((0.33, 0.37, 0.20), 0.09 * broad, 0.15 * fine)
    dry = np.clip(0.5 + 0.6 * textures.fractal(rng, shape, per_meter * 9, 6), 0, 1)
    image = textures.mix(image, textures.paint((0.47, 0.45, 0.28), 0.15 * fine), 0.4 * dry)
    far = np.maximum(np.abs(x) - 62, np.abs(y + 8) - 48) + 3 * broad
    seeds = rng.uniform(-HALF, HALF, (26, 2))
    near = _nearest(seeds, shape)
    for k in range(len(seeds)):
        turn, pitch = rng.uniform(0, np.pi), rng.uniform(0.5, 1.1)
        inside = (near == k) & (far > 0)
        rows = np.sin(2 * np.pi * (x[inside] * np.cos(turn) + y[inside] * np.sin(turn)) / pitch + 0.6 * broad[inside])
        shade = np.exp(0.16 * rows + 0.17 * fine[inside] + 0.08 * broad[inside])
        image[inside] = np.array(CROPS[k % 5]) * shade[:, None]
    yards = np.zeros(shape, np.uint8)
    for cx, cy, length, width, turn in homes:
        corners = cv2.boxPoints(((cx, cy), (length + 5.5, width + 5.5), turn))
        pixels = np.stack([corners[:, 0] + HALF, HALF - corners[:, 1]], 1) * per_meter
        cv2.fillPoly(yards, [pixels.astype(np.int32)], 255)
    gravel = textures.paint((0.62, 0.58, 0.52), 0.15 * fine, 0.06 * broad)
    image = textures.mix(image, gravel, cv2.GaussianBlur(yards, (0, 0), 9).astype(np.float32) / 255)
    image = textures.speckled(rng, image, 0.5, [((0.25, 0.24, 0.19), 0.04, 1.2)])
    flowers = textures.speckles(rng, shape, 0.004, 1.4) * (far < 0)
    image = textures.mix(image, (0.85, 0.82, 0.70), flowers)
    for number, (path, half) in enumerate(ground.roads):
        away = distance_to(path, shape) + 0.15 * fine
        verge = textures.paint((0.56, 0.52, 0.44), 0.14 * fine)
        image = textures.mix(image, verge, 1.5 * (half + 0.7 - away))
        color = (0.40, 0.40, 0.41) if number < 2 else (0.60, 0.55, 0.46)
        patches = np.where(textures.fractal(rng, shape, per_meter * 5, 3) > 1.1, -0.16, 0.0)
        image = textures.mix(image, textures.paint(color, 0.10 * fine, 0.07 * broad, patches), 4 * (half - away))
        if number == 0:
            dashes = (np.floor(x / 2.5) % 2 == 0) & (away - 0.15 * fine < 0.09)
            image[dashes] = 0.85
            image = textures.mix(image, (0.80, 0.80, 0.78), 20 * (0.1 - np.abs(away - half + 0.25)))
        elif number > 1:
            image = textures.mix(image, (0.42, 0.46, 0.24), 1.2 * (0.4 - away) + 0.3 * broad * (away < 0.6))
    axis = np.linspace(-HALF, HALF, len(ground.heights))
    gx, gy = np.meshgrid(axis, axis)
    mesh = lattice(np.stack([gx, gy, ground.heights], -1), np.stack([gx, gy], -1) / (2 * HALF) + 0.5)
    yield part("ground", mesh, textures.finish(image), smooth=True)


def _nearest(seeds: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which seed (N, 2) is nearest to every pixel of the terrain's image."""
    mark = np.full(shape, 255, np.uint8)
    column, row = ((seeds * (1, -1) + HALF) / (2 * HALF) * shape[0]).astype(int).T
    mark[row, column] = 0
    _, label = cv2.distanceTransformWithLabels(mark, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return np.argsort(np.argsort(label[row, column]))[np.searchsorted(np.sort(label[row, column]), label)]


def plots(rng: np.random.Generator, ground: Terrain) -> list[np.ndarray]:
    """Houses (x, y, length, width, turn in degrees) along the roads, clear of each other and of all roads."""
    homes: list[np.ndarray] = []
    for path, half in ground.roads:
        steps = arc_length(path)
        ahead = np.gradient(path, axis=0)
        for side in (-1, 1):
            for s in np.arange(rng.uniform(0, 6), steps[-1], 5.0):
                k = int(np.searchsorted(steps, s)) - 1
                way = ahead[k] / np.linalg.norm(ahead[k])
                length, width = rng.uniform(8.5, 13.0), rng.uniform(6.5, 8.2)
                spot = path[k] + side * (half + 2.5 + width / 2 + rng.uniform(0, 3.0)) * np.array([-way[1], way[0]])
                if abs(spot[0]) > 66 or not -62 < spot[1] < 50 or np.hypot(spot[0] + 14, spot[1] + 22) < 17:
                    continue
                apart = all(np.hypot(*(spot - home[:2])) > (length + home[2]) / 2 + 3.5 for home in homes)
                if apart and ground.off_road(spot) > width / 2 + 1.2:
                    turn = np.degrees(np.arctan2(way[1], way[0])) + 90 * (rng.random() < 0.2) + rng.normal(0, 4)
                    homes.append(np.array([*spot, length, width, turn]))
    return homes
