"""The wall of the facade, and what is carved on it."""

from __future__ import annotations

import itertools

import numpy as np

from ..modeling import textures
from ..modeling.masonry import blocks, courses, cut
from ..modeling.meshes import Mesh, arc_length, joined, lattice, panel, relief, upright
from ..modeling.shapes import boxes
from ..scene import Parts, part

HALF_WIDTH, BASE, TOP = 6.0, 1.42, 4.95
WALL = upright((-HALF_WIDTH, 0, 0), 2 * HALF_WIDTH, TOP + 0.8)
DOOR_HALF, SPRING = 0.78, 2.35
"""Half the width of the portal, and the height where its arch begins."""

WINDOWS = (-3.55, 3.55)
WINDOW_HALF, SILL, HEAD = 0.52, 1.85, 3.55
SANDSTONE = [(0.73, 0.67, 0.57), (0.69, 0.63, 0.53), (0.77, 0.71, 0.62), (0.66, 0.60, 0.51), (0.71, 0.64, 0.56)]


def wall(rng: np.random.Generator) -> Parts:
    """Bossed stones below, fine ashlar above, with the openings left out."""
    size = WALL.size
    door_hole = (HALF_WIDTH - DOOR_HALF - 0.45, 0.0, HALF_WIDTH + DOOR_HALF + 0.45, SPRING + DOOR_HALF + 0.42)
    holes = [(HALF_WIDTH + x - WINDOW_HALF, SILL, HALF_WIDTH + x + WINDOW_HALF, HEAD) for x in WINDOWS]
    low = courses(rng, (size[0], BASE - 0.12), (0.40, 0.46), (0.62, 1.05), 0.03, bond=True)
    high = courses(rng, (size[0], TOP - BASE - 0.1), (0.31, 0.35), (0.5, 0.95), 0.008, bond=True)
    high = high + np.array((0, BASE, 0, BASE))
    low, high = (cut(stones, [door_hole, *holes], 0.06) for stones in (low, high))
    stones, joint = np.concatenate([low, high]), (0.52, 0.47, 0.39)
    image = textures.masonry(rng, stones, size, 210, SANDSTONE, joint, grain=0.075, spread=0.06, pits=0.02, stains=0.09)
    rustic = blocks(WALL, low, rng, height=0.085, uneven=0.006, chamfer=0.05, relief=0.012, corners=7)
    ashlar = blocks(WALL, high, rng, height=0.012, uneven=0.0025, chamfer=0.006, relief=0.0012, corners=3)
    back = [
        (0.0, 0.0, door_hole[0], size[1]),
        (door_hole[2], 0.0, size[0], size[1]),
        (door_hole[0], door_hole[3], door_hole[2], size[1]),
    ]
    flat = [panel(WALL, inside=tuple(piece)) for piece in cut(np.array(back), holes, 0.01)]
    yield part("wall", [rustic, ashlar, *flat], image)


def molding(profile: np.ndarray, x0: float, x1: float) -> Mesh:
    """A straight molding along x whose profile (N, 2) is (how far it stands out, height), from bottom to top."""
    points = np.stack([np.stack([np.full(len(profile), x), -profile[:, 0], profile[:, 1]], 1) for x in (x0, x1)], 1)
    fan = np.arange(1, len(profile) - 1)
    ends = [Mesh(points[:, k], np.stack([0 * fan, fan + k, fan + 1 - k], 1), profile) for k in (0, 1)]
    uv = np.stack(np.broadcast_arrays(np.array([x0, x1]) / 1.7, arc_length(profile)[:, None] / 1.7), axis=-1)
    return joined([lattice(points, uv), *ends])


def molding_profile(*corners: tuple[float, float]) -> np.ndarray:
    """A profile (N, 2) through corners (out, up); its long edges become quarter-circle hollows and rounds in turn."""
    rows = [np.array(corners[:1])]
    for number, (a, b) in enumerate(itertools.pairwise(np.array(corners))):
        if min(abs(b - a)) > 0.03:
            angle = np.linspace(0, np.pi / 2, 7)[1:, None]
            along = np.concatenate([np.sin(angle), 1 - np.cos(angle)], 1)
            rows.append(a + (along if number % 2 else along[:, ::-1]) * (b - a))
        else:
            rows.append(b[None])
    return np.concatenate(rows)


def moldings(rng: np.random.Generator) -> Parts:
    """The plinth, the string course, the architrave under the frieze, and the cornice with its dentils."""
    left, right = -HALF_WIDTH - 0.05, HALF_WIDTH + 0.05
    gap = DOOR_HALF + 0.45
    string = molding_profile(
        (0.0, BASE - 0.10),
        (0.10, BASE - 0.10),
        (0.15, BASE - 0.04),
        (0.15, BASE + 0.02),
        (0.02, BASE + 0.07),
        (0.0, BASE + 0.07),
    )
    plinth = molding_profile((0.16, 0.0), (0.16, 0.20), (0.11, 0.26), (0.0, 0.26))
    architrave = molding_profile(
        (0.0, TOP - 0.72),
        (0.05, TOP - 0.72),
        (0.05, TOP - 0.62),
        (0.08, TOP - 0.62),
        (0.08, TOP - 0.54),
        (0.12, TOP - 0.50),
        (0.0, TOP - 0.50),
    )
    cornice = molding_profile(
        (0.0, TOP),
        (0.08, TOP),
        (0.08, TOP + 0.05),
        (0.10, TOP + 0.19),
        (0.20, TOP + 0.19),
        (0.20, TOP + 0.28),
        (0.29, TOP + 0.39),
        (0.29, TOP + 0.43),
        (0, TOP + 0.50),
    )
    lines = [molding(profile, left, right) for profile in (architrave, cornice)]
    lines += [molding(profile, *ends) for profile in (string, plinth) for ends in ((left, -gap), (gap, right))]
    dentils = boxes((0.10, 0.10, 0.11), np.arange(left + 0.1, right, 0.19), [-0.12], [TOP + 0.125], 0.006)
    yield part("mouldings", [*lines, *dentils], weathered(rng, (900, 900), (0.72, 0.65, 0.53), 2.2))


def weathered(rng: np.random.Generator, shape: tuple[int, int], base: textures.Color, grain: float) -> np.ndarray:
    """Granite with a warm haze and dark runs, so that no two places are alike."""
    stone = textures.granite(rng, shape, base, grain)
    clouds = textures.fractal(rng, shape, shape[0] / 2.5, 6)
    soot = np.clip(textures.fractal(rng, shape, (shape[0] / 2, shape[1] / 14), 5) - 0.7, 0, 1)
    image = textures.mix(stone / 255.0 * 0.55 + 0.45 * np.array((0.72, 0.64, 0.51)), (0.30, 0.27, 0.23), 0.22 * soot)
    return textures.finish(image * np.exp(0.07 * clouds)[..., None])


def rounded(distance: np.ndarray, radius: float) -> np.ndarray:
    """Height of a half-round rib at a distance from its middle."""
    return np.sqrt(np.clip(radius**2 - distance**2, 0, None))


def frieze(rng: np.random.Generator) -> Parts:
    """A running scroll with a different flower in every bend, carved five centimeters deep."""
    height, wave = 0.46, 1.05
    plane = upright((-HALF_WIDTH, -0.02, TOP - 0.48), 2 * HALF_WIDTH, height)
    u, v = plane.grid(62, 1500)
    stem = height / 2 + 0.13 * np.sin(2 * np.pi * u / wave)
    slope = 0.13 * 2 * np.pi / wave * np.cos(2 * np.pi * u / wave)
    lift = rounded(np.abs(v - stem) / np.hypot(1, slope), 0.022)
    for k in range(int(2 * plane.width / wave) + 1):
        center = np.array([wave * (0.25 + 0.5 * k), height / 2 + (-0.055 if k % 2 == 0 else 0.055)])
        lift = np.maximum(lift, 0.045 * _flower(rng, u - center[0], v - center[1]))
        for turn in rng.uniform(0, 2 * np.pi, 3):
            x, y = center + 0.165 * np.array([np.cos(turn), 0.75 * np.sin(turn)])
            a = (u - x) * np.cos(turn) + (v - y) * np.sin(turn)
            b = (v - y) * np.cos(turn) - (u - x) * np.sin(turn)
            leaf = np.clip(1 - (a / 0.085) ** 2 - (b / 0.034) ** 2, 0, 1) ** 0.5
            lift = np.maximum(lift, 0.03 * leaf * (1 - 0.35 * np.exp(-((b / 0.006) ** 2))))
    worn = 0.0016 * textures.fractal(rng, lift.shape, 18.0, 4)
    yield part("frieze", relief(plane, lift + worn), weathered(rng, (240, 6000), (0.76, 0.69, 0.57), 1.8))


def _flower(rng: np.random.Generator, du: np.ndarray, dv: np.ndarray) -> np.ndarray:
    """Height of a flower with five to nine petals at (du, dv) meters from its middle."""
    r, angle = np.hypot(du, dv), np.arctan2(dv, du) + rng.uniform(0, 6)
    petals = int(rng.integers(5, 10))
    reach = rng.uniform(0.10, 0.13) * (0.78 + 0.22 * np.cos(petals * angle))
    bloom = np.clip(1 - (r / reach) ** 2, 0, 1) ** 0.5 * (0.72 + 0.28 * np.cos(petals * angle))
    return np.maximum(0.9 * bloom, 1.3 * rounded(r, 0.032) / 0.032)


def medallions(rng: np.random.Generator) -> Parts:
    """Two round reliefs between portal and windows: a sun and a knot of ribbons."""
    side = 0.84
    v, u = np.mgrid[:150, :150] / 149 * 2 - 1
    r = np.hypot(u, v)
    rim = rounded((r - 0.88) * side / 2, 0.045)
    for x, kind, carved in ((-2.05, "sun", _sun(u, v)), (2.05, "ribbons", _ribbons(u, v, side))):
        worn = 0.0012 * textures.fractal(rng, u.shape, 20.0, 4)
        lift = np.maximum(np.where(r < 0.8, carved, 0.0), rim) + worn
        disc = relief(upright((x - side / 2, -0.012, 2.55), side, side), np.where(r < 0.995, lift + 0.03, -0.03))
        yield part(f"medallion {kind}", disc, weathered(rng, (500, 500), (0.78, 0.72, 0.62), 1.8))


def _sun(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Height of a face with rays, over (u, v) from -1 to 1."""
    r, angle = np.hypot(u, v), np.arctan2(v, u)
    rays = 0.035 * np.clip(1 - np.abs(np.sin(6 * angle + 3 * r)) * 1.6, 0, 1) * ((r > 0.4) & (r < 0.8))
    face = 0.08 * np.sqrt(np.clip(1 - (r / 0.42) ** 2, 0, 1))
    eyes = sum(np.exp(-(((u - s * 0.14) / 0.06) ** 2) - ((v - 0.1) / 0.045) ** 2) for s in (-1, 1))
    nose = np.exp(-((u / 0.045) ** 2) - ((v + 0.02) / 0.12) ** 2)
    mouth = np.exp(-((u / 0.13) ** 2) - ((v + 0.2 - 0.6 * u**2) / 0.025) ** 2)
    return np.maximum(rays, face - 0.02 * eyes + 0.025 * nose - 0.015 * mouth)


def _ribbons(u: np.ndarray, v: np.ndarray, side: float) -> np.ndarray:
    """Height of two ribbons that cross over and under each other, on a disc ``side`` meters wide."""
    r, angle = np.hypot(u, v), np.arctan2(v, u)
    one, two = (np.abs(r - 0.45 - 0.22 * np.cos(3 * (angle + turn))) for turn in (0.0, np.pi / 3))
    over = 0.015 * np.cos(3 * angle)
    first = rounded(one * side / 2, 0.035) + over * (one < 0.16)
    second = rounded(two * side / 2, 0.035) - over * (two < 0.16)
    return np.maximum(np.maximum(first, second), 1.2 * rounded(r * side / 2, 0.06))
