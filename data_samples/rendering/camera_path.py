"""The pinhole camera and the poses that a scene is photographed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lens:
    """A pinhole camera for a photo of any size: focal length and principal point in units of the photo's width.

    The principal point is given as an offset from the center of the photo.
    """

    focal: float = 0.9702
    offset: tuple[float, float] = (0.0036, -0.0022)

    def matrix(self, width: int, height: int) -> np.ndarray:
        """K (3, 3) in pixels; the center of the top-left pixel is (0.5, 0.5)."""
        f = self.focal * width
        cx, cy = width / 2 + self.offset[0] * width, height / 2 + self.offset[1] * width
        return np.array([[f, 0.0, cx], [0.0, f, cy], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class Views:
    """The camera and its poses, ``x_cam = R x_world + t``.

    Attributes:
        rotations, translations: shapes (N, 3, 3) and (N, 3); x right, y down, z forward.
    """

    lens: Lens
    rotations: np.ndarray
    translations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)


def looking(centers: np.ndarray, targets: np.ndarray, roll: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses at ``centers`` that look at ``targets``, both (N, 3), with z up and rolled by ``roll`` (N,) degrees."""
    forward = targets - centers
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    down = np.cross(forward, right)
    c, s = np.cos(np.radians(roll))[:, None], np.sin(np.radians(roll))[:, None]
    rotations = np.stack([c * right + s * down, c * down - s * right, forward], axis=1)
    return rotations, -np.einsum("nij,nj->ni", rotations, centers)


def walk(
    rng: np.random.Generator,
    lens: Lens,
    target: Sequence[float],
    azimuths: Sequence[float] | np.ndarray,
    radii: Sequence[float] | np.ndarray,
    heights: Sequence[float],
    sway: float = 0.06,
) -> Views:
    """A hand-held walk around ``target``: azimuth in degrees (0 is towards -y), distance and eye height of each step.

    ``sway`` is the standard deviation in meters of the positions, twice that for the points looked at; the camera
    rolls by about a degree.
    """
    count, angle, reach = len(azimuths), np.radians(azimuths), np.asarray(radii, float)
    centers = np.stack([np.sin(angle) * reach, -np.cos(angle) * reach, np.asarray(heights, float)], axis=1)
    centers[:, :2] += np.asarray(target, float)[:2]
    centers += sway * rng.standard_normal((count, 3))
    targets = np.asarray(target, float) + 2 * sway * rng.standard_normal((count, 3))
    return Views(lens, *looking(centers, targets, rng.standard_normal(count)))


def flight(
    rng: np.random.Generator,
    lens: Lens,
    xs: Sequence[float],
    ys: Sequence[float],
    altitude: float,
    tilt: float,
    sway: float,
) -> Views:
    """A drone's grid flown in strips along x, looking to +y and ``tilt`` degrees off the vertical.

    ``sway`` is the standard deviation in meters of the positions and of the points looked at; the camera rolls by
    about half a degree.
    """
    strips = [list(xs) if row % 2 == 0 else list(xs)[::-1] for row in range(len(ys))]
    over = np.array([(x, y, altitude) for strip, y in zip(strips, ys, strict=True) for x in strip], float)
    centers = over + sway * rng.standard_normal(over.shape)
    ahead = np.array([0.0, altitude * np.tan(np.radians(tilt)), -altitude])
    targets = over + ahead + sway * rng.standard_normal(over.shape)
    return Views(lens, *looking(centers, targets, 0.5 * rng.standard_normal(len(over))))
