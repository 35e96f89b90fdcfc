"""Layouts with the camera at a person's height: yards between buildings under the sky, and rooms.

As in :mod:`~diptych.learned.synthetic.layouts`, the world is about 1 wide where the cameras look; buildings and walls
are behind that.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Generator, Tensor

from ...stages.geometry.rotations import matrix_from_vector
from .draws import chance, choice, log_uniform, normal, uniform, whole
from .layouts import (
    FLOOR,
    Mix,
    Range,
    court,
    extent,
    facade,
    ground,
    heights,
    rounded,
    slab,
    smooth_steps,
    standing,
    statue,
    table,
    thicket,
)
from .shapes import Box, Relief, Revolution, Shape

CEILING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Local z downwards."""

UP = np.array([0.0, 1.0, 0.0])

_FARTHEST = 1.6
"""Largest distance of a camera from its target; walls beside the target are farther away."""


def yard(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """A building on open ground, perhaps with wings and other buildings, trees and small objects."""
    floor, behind = -uniform(rng, 0.32, 0.6), log_uniform(rng, 0.3, 7.0)
    scale = 1 + behind
    shapes = [ground(rng, device, floor, relief=0.15)]
    turn = _upright(uniform(rng, -0.8, 0.8))
    size = scale * np.array([uniform(rng, 0.15, 0.7), uniform(rng, 0.1, 0.4), 0.3])
    foot = np.array([uniform(rng, -0.4, 0.4) * size[0], floor, -behind])
    shapes += _building(rng, device, turn, foot, size, scale)
    for side in (-1, 1):
        if chance(rng, 0.5):
            wing = size * [uniform(rng, 0.15, 0.5), uniform(rng, 0.8, 1.4), 1.0]
            ahead = min(behind, scale / 3) * uniform(rng, -0.1, 0.7)
            aside = side * (size[0] + wing[0] * uniform(rng, -1.0, 1.0))
            shapes += _building(rng, device, turn, foot + turn @ [aside, 0.0, ahead], wing, scale)
    for side in (-1, 1):
        if chance(rng, 0.25):
            row = np.array([scale * uniform(rng, 0.5, 1.5), scale * uniform(rng, 0.1, 0.5), 1.0])
            place = np.array([side * uniform(rng, 0.8, 2.0), floor, -behind + uniform(rng, 0.0, 1.0) * row[0]])
            shapes += _building(rng, device, _upright(-side * math.pi / 2 + normal(rng, 0.1)), place, row, scale)
    for _ in range(choice(rng, (0, 1, 3), (0.3, 0.4, 0.3))):
        away = uniform(rng, 0.0, 1.5) * behind
        place = np.array([uniform(rng, -0.7, 0.7) * (1 + away), floor, -away])
        shapes += _tree(rng, place, (1 + away) * log_uniform(rng, 0.05, 0.25))
    shapes += [standing(rng, floor) for _ in range(choice(rng, (0, 1, 3), (0.5, 0.3, 0.2)))]
    return shapes, (-0.3, 0.3), (-0.1, 0.12)


def room(rng: Generator, device: torch.device) -> tuple[list[Shape], Range, Range]:
    """A floor, a ceiling, one to three walls, furniture along them and in the middle."""
    yaw, drop, back = uniform(rng, -0.7, 0.7), uniform(rng, 0.3, 0.9), log_uniform(rng, 0.15, 4.0)
    elevation = uniform(rng, -0.05, 0.8)
    turn, top = _upright(yaw), _FARTHEST * math.sin(elevation) + uniform(rng, 0.4, 1.2)
    shapes = [
        slab(rng, device, FLOOR, np.array([0.0, -drop, 0.0]), 0.05),
        slab(rng, device, CEILING, np.array([0.0, top, 0.0]), 0.05),
        slab(rng, device, turn, turn @ [0.0, 0.0, -back], 0.2),
    ]
    for side in (-1, 1):
        if chance(rng, 0.65):
            away = uniform(rng, 0.5, 1.4) + _FARTHEST * max(0.0, -side * math.sin(yaw))
            shapes.append(slab(rng, device, turn @ _upright(-side * math.pi / 2), turn @ [side * away, 0.0, 0.0], 0.1))
    furniture: list[Shape] = []
    for _ in range(whole(rng, 2, 6)):
        furnish = choice(rng, (_cupboard, _desk, _picture), (0.45, 0.35, 0.2))
        furniture += furnish(rng, drop, back)
    for piece in furniture:
        shapes.append(Box(turn @ piece.rotation, turn @ piece.center, piece.size))
    shapes += [standing(rng, -drop) for _ in range(choice(rng, (0, 1, 3), (0.4, 0.3, 0.3)))]
    return shapes, (-0.1, 0.1), (elevation, elevation)


PLACES: Mix = {facade: 0.08, court: 0.11, table: 0.09, statue: 0.05, thicket: 0.05, yard: 0.36, room: 0.26}
"""Object layouts and places."""


def _building(
    rng: Generator, device: torch.device, turn: np.ndarray, foot: np.ndarray, size: np.ndarray, scale: float
) -> list[Shape]:
    """A block with or without a roof.

    Args:
        turn: world_from_local, the front towards local +z.
        foot: bottom center of the front, in the world.
        size: half extents.
        scale: width of the view there.
    """
    middle = foot + turn @ [0.0, size[1], -size[2]]
    shapes: list[Shape] = [Box(turn, middle, size, background=True)]
    if chance(rng, 0.75):
        tile = scale * uniform(rng, 0.15, 0.6)
        skin = np.array([size[0], size[1], tile * log_uniform(rng, 0.02, 0.08)])
        # Whole tiles, so that no window is cut.
        tiles = (max(1.0, round(2 * size[0] / tile)), max(1.0, round(2 * size[1] / tile)))
        field = _bays(rng, 128, device) if chance(rng, 0.7) else heights(rng, device)
        shapes.append(Relief(turn, foot + size[1] * UP, skin, True, field, tiles))
    eaves = foot + 2 * size[1] * UP
    kind = choice(rng, ("slope", "cone", "flat"), (0.55, 0.15, 0.3))
    if kind == "slope":
        # Its local z points down along the slope, so that the plane at the eaves bounds the cameras.
        lean, length = uniform(rng, 0.3, 1.0), size[1] * uniform(rng, 0.2, 0.7)
        down = turn @ np.array(
            [[1.0, 0.0, 0.0], [0.0, math.sin(lean), -math.cos(lean)], [0.0, math.cos(lean), math.sin(lean)]]
        )
        thick = 0.3 * length
        shapes.append(Box(down, eaves - down @ [0.0, thick, length], np.array([size[0], thick, length]), True))
    elif kind == "cone":
        radius, tall = min(size[0], size[2]), size[1] * uniform(rng, 0.3, 0.8)
        top = eaves + turn @ [0.0, tall, -radius]
        shapes.append(Revolution(turn @ CEILING, top, np.array([radius, radius, tall]), True, (0.25, 0.5, 0.25)))
    return shapes


def _bays(rng: Generator, size: int, device: torch.device) -> Tensor:
    """Heights in [-1, 1] of a front with rows of windows, a cornice over each row or pillars between, shape (S, S)."""
    place = torch.arange(size, device=device) / size
    across, up = place * whole(rng, 1, 4) % 1, (place * whole(rng, 1, 3) % 1)[:, None]
    wide, tall = uniform(rng, 0.2, 0.7), uniform(rng, 0.3, 0.8)
    sunk = ((across - 0.5).abs() < wide / 2) & ((up - 0.5).abs() < tall / 2)
    field = torch.where(sunk, -0.95, uniform(rng, 0.0, 0.6)).to(torch.float32)
    if chance(rng, 0.5):
        field = torch.where(up > 0.94, 0.95, field)
    if chance(rng, 0.3):
        field = torch.where((across - 0.5).abs() > 0.46, 0.9, field)
    return smooth_steps(field)


def _tree(rng: Generator, foot: np.ndarray, radius: float) -> list[Shape]:
    """A crown of a few balls over a trunk."""
    height = radius * uniform(rng, 1.2, 2.5)
    trunk = np.array([0.08 * radius, 0.08 * radius, height / 2])
    shapes: list[Shape] = [Revolution(FLOOR, foot + height / 2 * UP, trunk, profile=(1.0, 0.0, 0.0))]
    for _ in range(whole(rng, 1, 3)):
        shift = np.array([normal(rng, 0.4) for _ in range(3)]) * radius
        shapes.append(rounded(rng, foot + height * UP + shift, 0.8 * radius))
    return shapes


def _cupboard(rng: Generator, drop: float, back: float) -> list[Shape]:
    """A box on the floor, along the back wall or before it."""
    size = extent(rng, 0.08, 0.4)
    near = -back if chance(rng, 0.6) else uniform(rng, -back, 0.2)
    return [Box(np.eye(3), np.array([uniform(rng, -0.9, 0.9), size[1] - drop, near + size[2]]), size)]


def _desk(rng: Generator, drop: float, back: float) -> list[Shape]:
    """A board on four legs, with an object on it, and perhaps a chair's seat and back."""
    wide, deep, tall, thick = uniform(rng, 0.15, 0.5), uniform(rng, 0.1, 0.3), drop * uniform(rng, 0.4, 0.9), 0.015
    turn = _upright(normal(rng, 0.1) + choice(rng, (0.0, math.pi / 2)))
    foot = np.array([uniform(rng, -0.7, 0.7), -drop, uniform(rng, -back + deep, 0.3)])
    shapes: list[Shape] = [Box(turn, foot + tall * UP, np.array([wide, thick, deep]))]
    leg = np.array([thick, tall / 2, thick])
    shapes += [
        Box(turn, foot + turn @ [x * 0.9 * wide, tall / 2, z * 0.9 * deep], leg) for x in (-1, 1) for z in (-1, 1)
    ]
    thing = extent(rng, 0.03, 0.1)
    shapes.append(Box(turn, foot + turn @ [uniform(rng, -0.5, 0.5) * wide, tall + thick + thing[1], 0.0], thing))
    if chance(rng, 0.5):
        seat, aside = 0.55 * tall, uniform(rng, -0.5, 0.5) * wide
        shapes.append(Box(turn, foot + turn @ [aside, seat, 1.2 * deep], np.array([0.07, thick, 0.07])))
        shapes.append(Box(turn, foot + turn @ [aside, 1.6 * seat, 1.2 * deep + 0.07], np.array([0.07, 0.1, thick])))
    return shapes


def _picture(rng: Generator, drop: float, back: float) -> list[Shape]:
    """A thin box on the back wall: a picture, a window, a door."""
    wide, tall = log_uniform(rng, 0.06, 0.3), log_uniform(rng, 0.06, 0.4)
    place = np.array([uniform(rng, -0.8, 0.8), max(uniform(rng, -0.1, 0.7), tall - drop), -back])
    return [Box(np.eye(3), place, np.array([wide, tall, uniform(rng, 0.005, 0.03)]))]


def _upright(angle: float) -> np.ndarray:
    """A rotation about the vertical."""
    return matrix_from_vector(np.array([0.0, angle, 0.0]))
