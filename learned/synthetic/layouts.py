"""Layouts of shapes: facades, courts, tables, statues and thickets.

The world is about 1 wide where the cameras look: y points up, the cameras look at the origin from the side of +z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from ...stages.geometry.rotations import matrix_from_vector
from .cameras import in_front
from .draws import chance, choice, direction, log_uniform, normal, uniform, whole
from .shapes import Box, Relief, Revolution, Shape
from .textures import dead_leaves, fractal, masonry, stones

WALL = np.eye(3)
"""Local z towards +z of the world: vertical surfaces."""
FLOOR = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Local z upwards: horizontal surfaces."""

_RELIEF_SIZE = 256

_TRIES = 100
"""Camera positions to try before new shapes are drawn."""


Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Layout:
    """Shapes and the direction of the cameras.

    Attributes:
        shapes: all of them, reliefs last.
        fronts: planes (n, d) in front of which all cameras stay, ``n x > d``, shape (K, 4).
        toward: unit vector from the origin to the reference camera, shape (3,).
    """

    shapes: list[Shape]
    fronts: np.ndarray
    toward: np.ndarray


Kind: TypeAlias = "Callable[[Generator, torch.device], tuple[list[Shape], Range, Range]]"
"""Draws shapes and the ranges of azimuth and elevation (radians) of the cameras."""

Mix: TypeAlias = Mapping[Kind, float]
"""Kinds of layouts and their probabilities."""


def layout(rng: Generator, device: torch.device, mix: Mix) -> Layout:
    """A random layout of a random kind."""
    kind = choice(rng, tuple(mix), tuple(mix.values()))
    while True:
        shapes, azimuths, elevations = kind(rng, device)
        # Reliefs last: ray marching ends at nearer hits of other shapes.
        shapes.sort(key=lambda shape: isinstance(shape, Relief))
        fronts = np.stack([shape.face for shape in shapes if shape.background])
        for _ in range(_TRIES):
            toward = _outward(uniform(rng, *azimuths), uniform(rng, *elevations))
            if in_front(fronts, 0.7 * toward):
                return Layout(shapes, fronts, toward)


def _outward(azimuth: float, elevation: float) -> np.ndarray:
    level = math.cos(elevation)
    return np.array([level * math.sin(azimuth), math.sin(elevation), level * math.cos(azimuth)])


def facade(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """A wall that fills the image, flat or in relief, with objects on it and before it."""
    shapes = [_wall(rng, device, 0.0)]
    if chance(rng, 0.5):
        shapes.append(ground(rng, device, -uniform(rng, 0.25, 0.5)))
    for _ in range(whole(rng, 1, 7)):
        size = extent(rng, 0.04, 0.22)
        place = np.array([uniform(rng, -0.55, 0.55), uniform(rng, -0.4, 0.4), uniform(rng, -0.5, 1.0) * size[2]])
        shapes.append(Box(matrix_from_vector(np.array([0.0, 0.0, normal(rng, 0.02)])), place, size))
    shapes += [_object(rng, 0.35, depth=(0.02, 0.35)) for _ in range(whole(rng, 0, 4))]
    shapes += [rod(rng, depth=(0.02, 0.3)) for _ in range(choice(rng, (0, 1, 3), (0.5, 0.3, 0.2)))]
    return shapes, (-0.8, 0.8), (-0.15, 0.4)


def court(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """Two walls that meet at a corner over a floor, with objects in it."""
    floor = -uniform(rng, 0.15, 0.4)
    turn = uniform(rng, 0.3, 1.2)
    left, right = (
        matrix_from_vector(np.array([0.0, angle, 0.0])) for angle in (turn, turn - math.pi / 2 + normal(rng, 0.1))
    )
    corner = np.array([uniform(rng, -0.3, 0.3), 0.0, -uniform(rng, 0.2, 0.7)])
    shapes: list[Shape] = [ground(rng, device, floor)]
    shapes += [slab(rng, device, axes, corner, 0.4) for axes in (left, right)]
    shapes += [standing(rng, floor) for _ in range(whole(rng, 2, 6))]
    shapes += [rod(rng, depth=(-0.3, 0.3)) for _ in range(choice(rng, (0, 1, 2), (0.6, 0.25, 0.15)))]
    return shapes, (-0.35, 0.35), (0.0, 0.6)


def table(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """Ground seen from above: objects on a table, terrain from the air."""
    shapes = [ground(rng, device, 0.0, relief=0.6)]
    if chance(rng, 0.4):
        shapes.append(_wall(rng, device, -uniform(rng, 0.5, 1.5)))
    shapes += [standing(rng, 0.0) for _ in range(whole(rng, 1, 8))]
    return shapes, (-0.5, 0.5), (0.4, 1.25)


def statue(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """One large object of many rounded parts, before a wall or the sky."""
    floor = -uniform(rng, 0.3, 0.45)
    shapes = [ground(rng, device, floor)]
    if chance(rng, 0.75):
        shapes.append(_wall(rng, device, -uniform(rng, 0.3, 1.2)))
    height = uniform(rng, 0.1, 0.2)
    base = np.array([uniform(rng, 0.08, 0.2), height / 2, uniform(rng, 0.08, 0.2)])
    turn = matrix_from_vector(np.array([0.0, uniform(rng, -0.8, 0.8), 0.0]))
    shapes.append(Box(turn, np.array([0.0, floor + height / 2, 0.0]), base))
    for _ in range(whole(rng, 4, 8)):
        place = np.array([normal(rng, 0.08), normal(rng, 0.14), normal(rng, 0.08)])
        shapes.append(rounded(rng, place, log_uniform(rng, 0.05, 0.17)))
    return shapes, (-0.5, 0.5), (-0.05, 0.5)


def thicket(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """Many thin and small objects at all depths before a background."""
    shapes = [_wall(rng, device, -uniform(rng, 0.2, 0.8))]
    if chance(rng, 0.5):
        shapes.append(ground(rng, device, -uniform(rng, 0.3, 0.5)))
    shapes += [rod(rng, depth=(-0.3, 0.35)) for _ in range(whole(rng, 3, 7))]
    shapes += [_object(rng, 0.15, depth=(-0.3, 0.35)) for _ in range(whole(rng, 2, 6))]
    return shapes, (-0.5, 0.5), (-0.1, 0.5)


THINGS: Mix = {facade: 0.3, court: 0.2, table: 0.22, statue: 0.16, thicket: 0.12}
"""Layouts at arm's length or a little more."""


def _wall(rng: Generator, device: torch.device, depth: float) -> Shape:
    lean = matrix_from_vector(np.array([normal(rng, 0.04), normal(rng, 0.08), 0.0]))
    return slab(rng, device, lean @ WALL, np.array([0.0, 0.0, depth]), 0.6)


def ground(rng: Generator, device: torch.device, height: float, relief: float = 0.35) -> Shape:
    lean = matrix_from_vector(np.array([normal(rng, 0.03), 0.0, normal(rng, 0.03)]))
    return slab(rng, device, lean @ FLOOR, np.array([0.0, height, 0.0]), relief)


def slab(rng: Generator, device: torch.device, axes: np.ndarray, place: np.ndarray, relief: float) -> Shape:
    """A large surface whose local z points outwards, with probability ``relief`` in relief, else flat."""
    reach, thick = 8.0, log_uniform(rng, 0.01, 0.1)
    if not chance(rng, relief):
        return Box(axes, place - axes[:, 2], np.array([reach, reach, 1.0]), background=True)
    tile = uniform(rng, 0.6, 1.5)
    tiles = (2 * reach / tile, 2 * reach / tile)
    return Relief(axes, place, np.array([reach, reach, thick]), True, heights(rng, device), tiles)


def heights(rng: Generator, device: torch.device) -> Tensor:
    """Heights in [-1, 1]: rolling, panels and niches as of a facade, masonry or rubble, shape (S, S)."""
    smooth = fractal(rng, _RELIEF_SIZE, device, uniform(rng, 2.2, 3.5))
    kind = choice(rng, ("smooth", "blocks", "masonry", "stones", "leaves"), (0.25, 0.35, 0.15, 0.1, 0.15))
    if kind == "smooth":
        field = smooth
    else:
        fields = {"blocks": _blocks, "masonry": masonry, "stones": stones, "leaves": dead_leaves}
        field = fields[kind](rng, _RELIEF_SIZE, device)
        field = smooth_steps(torch.lerp(field, smooth, uniform(rng, 0.0, 0.5)))
    field = (field - field.min()) / (field.max() - field.min()).clamp(min=1e-6)
    return field * 1.96 - 0.98


def _blocks(rng: Generator, size: int, device: torch.device) -> Tensor:
    """Overlapping raised and sunk rectangles: windows, sills, panels, shape (S, S)."""
    field = torch.zeros(size, size, device=device)
    for _ in range(whole(rng, 5, 24)):
        top, left = whole(rng, 0, size), whole(rng, 0, size)
        tall, wide = (int(log_uniform(rng, 6, size / 2)) for _ in range(2))
        rows = (torch.arange(tall, device=device) + top) % size
        columns = (torch.arange(wide, device=device) + left) % size
        field[rows[:, None], columns] = field[rows[:, None], columns] * 0.5 + uniform(rng, -1, 1)
    return field


def smooth_steps(field: Tensor) -> Tensor:
    """Smooth steps over two or three texels, so that their slope is finite."""
    for axis in (0, 1):
        field = 0.25 * field.roll(1, axis) + 0.5 * field + 0.25 * field.roll(-1, axis)
    return field


def extent(rng: Generator, low: float, high: float) -> np.ndarray:
    return np.array([log_uniform(rng, low, high) for _ in range(3)])


def _object(rng: Generator, reach: float, depth: tuple[float, float]) -> Shape:
    """A box or rounded solid anywhere in the view."""
    place = np.array([uniform(rng, -0.5, 0.5), uniform(rng, -0.35, 0.35), uniform(rng, *depth)])
    if chance(rng, 0.4):
        return Box(_rotated(rng), place, extent(rng, 0.03, reach / 2))
    return rounded(rng, place, log_uniform(rng, 0.03, reach / 2))


def standing(rng: Generator, floor: float) -> Shape:
    """A box or rounded solid on the floor."""
    size = extent(rng, 0.03, 0.2)
    place = np.array([uniform(rng, -0.5, 0.5), floor + 0.95 * size[1], uniform(rng, -0.4, 0.35)])
    turn = matrix_from_vector(np.array([0.0, uniform(rng, -math.pi, math.pi), 0.0]))
    if chance(rng, 0.5):
        return Box(turn, place, size)
    upright = turn @ FLOOR
    return Revolution(upright, place, size[[0, 2, 1]], profile=_profile(rng))


def rounded(rng: Generator, place: np.ndarray, radius: float) -> Shape:
    size = radius * np.array([log_uniform(rng, 0.6, 1.6) for _ in range(3)])
    return Revolution(_rotated(rng), place, size, profile=_profile(rng))


def rod(rng: Generator, depth: tuple[float, float]) -> Shape:
    """A thin cylinder, upright or of any direction: poles, branches, cables."""
    place = np.array([uniform(rng, -0.5, 0.5), uniform(rng, -0.3, 0.3), uniform(rng, *depth)])
    thick = log_uniform(rng, 0.004, 0.03)
    turn = FLOOR if chance(rng, 0.5) else _rotated(rng)
    return Revolution(turn, place, np.array([thick, thick, uniform(rng, 0.15, 0.7)]), profile=(1.0, 0.0, 0.0))


def _profile(rng: Generator) -> tuple[float, float, float]:
    """Sphere, cylinder, cone, barrel or waist, none wider than its unit circle at the widest place of its kind."""
    bend = uniform(rng, 0.2, 0.8)
    profiles = ((1.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.25, -0.5, 0.25), (1.0, 0.0, -bend), (1 - bend, 0.0, bend))
    return choice(rng, profiles, (0.45, 0.2, 0.1, 0.15, 0.1))


def _rotated(rng: Generator) -> np.ndarray:
    return matrix_from_vector(direction(rng) * uniform(rng, 0.0, math.pi))
