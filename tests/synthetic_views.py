"""A small world cast by rays: textured planes and a sphere before them, seen by views whose depth is known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from diptych.stages.dense import Around, View
from diptych.stages.scene import Camera, Scene
from scipy.ndimage import map_coordinates

_SPHERE = np.array([0.3, 0.2, 5.2]), 0.9
_PLANES = (np.array([0.25, 0.0, -1.0]), -7.5), (np.array([0.05, -1.0, 0.0]), -1.4)
"""(n, d) with n·x = d: a wall that recedes to the right, and the ground (y points down)."""

_CELL = 0.08
"""The finest detail of the texture, two to four pixels of the smallest views."""


def synthetic_views(
    count: int = 5,
    size: tuple[int, int] = (160, 120),
    *,
    baseline: float = 0.5,
    along: tuple[float, float, float] = (1.0, 0.0, 0.0),
    contrast: float = 1.0,
    noise: float = 1.0,
    seed: int = 0,
) -> tuple[list[View], list[np.ndarray]]:
    """Views of a wall, the ground and a sphere, and the z-depth of every pixel.

    The cameras stand in a row about the origin, 5 to 8 units before the surfaces, and look at one point; a field of
    view of 45 degrees. Depth is that of the pixel's centre; colour is the mean over 3x3 rays a pixel.

    Args:
        count: number of views.
        size: width and height in pixels.
        baseline: distance from one camera to the next.
        along: direction of the row in the world (x right, y down, z forward).
        contrast: 1 for a strong texture, 0 for none at all.
        noise: standard deviation of the sensor in grey values.
        seed: of the texture and of the noise.

    Returns:
        The views, whose range holds every depth, and for each its depth, float64, shape (H, W), nowhere 0; read-only.
    """
    views, depths = _rendered(count, size, baseline, along, contrast, noise, seed)
    return list(views), list(depths)


@cache
def _rendered(
    count: int,
    size: tuple[int, int],
    baseline: float,
    along: tuple[float, float, float],
    contrast: float,
    noise: float,
    seed: int,
) -> tuple[tuple[View, ...], tuple[np.ndarray, ...]]:
    """Render once what several tests ask for."""
    rng = np.random.default_rng(seed)
    lattice = rng.uniform(-1.0, 1.0, (3, 32, 32, 32))
    width, height = size
    focal = 1.2 * width
    camera = Camera("PINHOLE", width, height, (focal, focal, width / 2 + 1.3, height / 2 - 0.7), "calibrated")
    direction = np.array(along) / np.linalg.norm(along)
    views, depths = [], []
    for step in np.arange(count) - (count - 1) / 2:
        center = step * baseline * direction
        rotation = _looking_at(center, np.array([0.0, 0.2, 6.0]))
        depth, _ = _cast(camera, rotation, center, [0.5])
        _, points = _cast(camera, rotation, center, [1 / 6, 3 / 6, 5 / 6])
        color = _texture(points, lattice)
        color = color.reshape(height, 3, width, 3, 3).mean(axis=(1, 3))
        image = 128 + 90 * contrast * color + noise * rng.normal(size=color.shape)
        views.append(
            View(
                image=np.clip(image, 0, 255).round(),
                mask=np.ones((height, width)),
                camera=camera,
                rotation=rotation,
                translation=-rotation @ center,
                near=0.8 * float(depth.min()),
                far=1.25 * float(depth.max()),
            )
        )
        depth.flags.writeable = False
        depths.append(depth)
    return tuple(views), tuple(depths)


def around(views: list[View], reference: int) -> Around[View]:
    """One view and all others, nearest first."""
    others = sorted((i for i in range(len(views)) if i != reference), key=lambda i: abs(i - reference))
    return Around(views[reference], tuple(views[i] for i in others))


def cameras_of(views: Sequence[View]) -> Scene:
    """A model of the views without points, named ``0.jpg`` and so on."""
    nothing = np.empty(0)
    return Scene(
        tuple(view.camera for view in views),
        tuple(f"{i}.jpg" for i in range(len(views))),
        np.arange(len(views)),
        np.array([view.rotation for view in views]),
        np.array([view.translation for view in views]),
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )


def _looking_at(center: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation of an upright camera that looks at a point, shape (3, 3)."""
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def _cast(
    camera: Camera, rotation: np.ndarray, center: np.ndarray, offsets: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """z-depth of the first surface on every ray and where it is hit; rays through these offsets within a pixel."""
    x, y = (np.add.outer(np.arange(n), offsets).ravel() for n in (camera.width, camera.height))
    rays = np.stack([*np.meshgrid(x, y), np.ones((len(y), len(x)))], axis=-1) @ np.linalg.inv(camera.matrix).T
    directions = rays @ rotation
    depth = np.full(directions.shape[:2], np.inf)
    for normal, distance in _PLANES:
        with np.errstate(divide="ignore"):
            hit = (distance - normal @ center) / (directions @ normal)
        depth = np.where(hit > 0, np.minimum(depth, hit), depth)
    middle, radius = _SPHERE
    a = (directions**2).sum(axis=-1)
    b = directions @ (middle - center)
    root = b**2 - a * ((middle - center) @ (middle - center) - radius**2)
    depth = np.where(root > 0, np.minimum(depth, (b - np.sqrt(np.maximum(root, 0))) / a), depth)
    return depth, center + depth[..., None] * directions


def _texture(points: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """A solid texture of four octaves; RGB about -1 to 1."""
    coordinates = np.moveaxis(points, -1, 0)
    octaves = [
        [map_coordinates(each, coordinates / (_CELL * 2**k) + 7.3 * k, order=1, mode="grid-wrap") for each in lattice]
        for k in range(4)
    ]
    return np.moveaxis(np.sum(octaves, axis=0), 0, -1) / 1.6
