"""A coloured ball, seen from around, with exact depth and normals: what a mesh must look like is known everywhere."""

from __future__ import annotations

import numpy as np
from diptych.stages.dense import DepthMap, Reason, View
from diptych.stages.scene import Camera

RADIUS = 1.0


def color_of(points: np.ndarray) -> np.ndarray:
    """The ball's colour, which goes with the direction from its middle, shape (N, 3)."""
    return 128 + 100 * points / np.linalg.norm(points, axis=-1, keepdims=True)


def around_a_ball(
    count: int = 16, side: int = 96, noise: float = 0.0, front: bool = False, seed: int = 0
) -> tuple[list[View], list[DepthMap]]:
    """Views from directions spread evenly over the sphere (Fibonacci), 4 radii from the ball's middle, the origin.

    Args:
        count: number of views.
        side: width and height in pixels; the ball fills two thirds.
        noise: standard deviation of depth, as a share of it.
        front: only from one side, within 45 degrees of the -z axis.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    step = np.arange(count) + 0.5
    z = 1 - step / count * (1 - np.sqrt(0.5)) if front else 1 - 2 * step / count
    turn = np.pi * (1 + 5**0.5) * step
    directions = np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), -z], axis=1)
    camera = Camera("PINHOLE", side, side, (1.25 * side, 1.25 * side, side / 2 + 0.3, side / 2 - 0.4), "calibrated")
    views, maps = [], []
    for center in 4 * RADIUS * directions:
        rotation = _looking_at_middle(center)
        x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.matrix).T @ rotation
        a, b = (rays**2).sum(axis=-1), rays @ center
        root = b**2 - a * (center @ center - RADIUS**2)
        hit = root > 0
        depth = np.where(hit, (-b - np.sqrt(np.maximum(root, 0))) / a, 0)
        points = center + depth[..., None] * rays
        views.append(
            View(
                image=np.where(hit[..., None], color_of(points), 0).round(),
                mask=hit,
                camera=camera,
                rotation=rotation,
                translation=-rotation @ center,
                near=2.0,
                far=6.0,
            )
        )
        maps.append(
            DepthMap(
                depth=depth * (1 + noise * rng.normal(size=depth.shape)),
                normal=np.where(hit[..., None], points @ rotation.T / RADIUS, 0),
                confidence=np.where(hit, 0.9, 0),
                reason=np.where(hit, Reason.FOUND, Reason.MASKED),
            )
        )
    return views, maps


def _looking_at_middle(center: np.ndarray) -> np.ndarray:
    forward = -center / np.linalg.norm(center)
    right = np.cross([0.0, 1.0, 0.1], forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])
