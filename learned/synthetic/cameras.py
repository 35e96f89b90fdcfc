"""Bundles of views as real neighbours in a photo collection: one reference and sources around it, best first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from ...stages.geometry.rotations import matrix_from_vector
from .draws import chance, choice, direction, log_uniform, normal, uniform


@dataclass(frozen=True, eq=False)
class Views:
    """Pinhole cameras in Diptych's convention, in double precision.

    Attributes:
        width, height: image size in pixels.
        intrinsics: shape (V, 3, 3).
        rotations, translations: ``cam_from_world``, shapes (V, 3, 3) and (V, 3).
    """

    width: int
    height: int
    intrinsics: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def centers(self) -> np.ndarray:
        """Camera centres in the world, shape (V, 3)."""
        return -np.einsum("vji,vj->vi", self.rotations, self.translations)

    def project(self, view: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel positions (N, 2) and depths (N,) of points (N, 3) of the world."""
        local = points @ self.rotations[view].T + self.translations[view]
        image = local @ self.intrinsics[view].T
        return image[:, :2] / image[:, 2:], image[:, 2]

    def directions(self, view: int, device: torch.device) -> Tensor:
        """Rays through the pixel centres in the world, scaled so that the ray parameter is depth, shape (3, H, W)."""
        inverse = np.linalg.inv(self.intrinsics[view] @ self.rotations[view])
        matrix = torch.tensor(inverse, dtype=torch.float32, device=device)
        x = torch.arange(self.width, device=device) + 0.5
        y = torch.arange(self.height, device=device) + 0.5
        return matrix[:, 0, None, None] * x + matrix[:, 1, None, None] * y[:, None] + matrix[:, 2, None, None]


def bundle(
    rng: Generator, views: int, width: int, height: int, toward: np.ndarray, cone: float, focal: float, distance: float
) -> Views:
    """Cameras around the origin of the world (y up) that look at about the same place.

    Args:
        toward: unit vector from the origin to where the reference stands, shape (3,).
        cone: no camera leaves this angle (radians) around ``toward``.
        focal: focal length of the reference in image widths.
        distance: of the reference from the origin.

    The angle between the reference and a source, seen from the origin, is log-normal with a median drawn once a
    bundle (about 11 degrees) and lies between 3 and 35 degrees. Sources lie on an arc, or all around.
    """
    median = math.radians(log_uniform(rng, 7.0, 17.0))
    arc = chance(rng, 0.5)
    tilt = uniform(rng, -0.5, 0.5)
    angles, positions = [0.0], [toward * distance]
    right = np.cross([0.0, 1.0, 0.0], toward)
    right /= np.linalg.norm(right)
    up = np.cross(toward, right)
    for index in range(1, views):
        angle = min(max(median * math.exp(normal(rng, 0.5)), math.radians(3)), math.radians(35), cone)
        bearing = (math.pi * (index % 2) + tilt + normal(rng, 0.25)) if arc else uniform(rng, 0, 2 * math.pi)
        aside = math.cos(bearing) * right + math.sin(bearing) * up
        reach = distance * math.exp(normal(rng, 0.08))
        angles.append(angle)
        positions.append(reach * (math.cos(angle) * toward + math.sin(angle) * aside))
    order = sorted(range(views), key=lambda k: -1.0 if k == 0 else abs(math.log(angles[k] / math.radians(10))))
    one_lens = chance(rng, 0.7)
    upright = choice(rng, (0.02, 0.06, 0.3), (0.5, 0.4, 0.1))
    sway = 0.06 * distance
    poses = [_look(rng, positions[k], normal(rng, sway) * direction(rng), upright) for k in order]
    intrinsics = []
    for _ in order:
        f = focal * width * (1.0 if one_lens else math.exp(normal(rng, 0.06)))
        center = width / 2 + normal(rng, 0.01 * width), height / 2 + normal(rng, 0.01 * width)
        intrinsics.append([[f, 0, center[0]], [0, f, center[1]], [0, 0, 1]])
    rotations = np.stack(poses)
    centers = np.stack([positions[k] for k in order])
    return Views(width, height, np.array(intrinsics), rotations, -np.einsum("vij,vj->vi", rotations, centers))


def disturbed(rng: Generator, views: Views, pixels: float, distance: float) -> Views:
    """The same views with poses slightly wrong, as bundle adjustment leaves them.

    Each camera is turned and moved at random so that points at ``distance`` shift by about ``pixels``.
    """
    focal = views.intrinsics[:, 0, 0].mean()
    rotations, centers = [], []
    for rotation, center in zip(views.rotations, views.centers, strict=True):
        turn = np.array([normal(rng) for _ in range(3)]) * pixels / focal / 2
        rotations.append(matrix_from_vector(turn) @ rotation)
        centers.append(center + np.array([normal(rng) for _ in range(3)]) * pixels / focal * distance / 2)
    stacked = np.stack(rotations)
    translations = -np.einsum("vij,vj->vi", stacked, np.stack(centers))
    return Views(views.width, views.height, views.intrinsics, stacked, translations)


def _look(rng: Generator, position: np.ndarray, target: np.ndarray, roll_sigma: float) -> np.ndarray:
    """The rotation ``cam_from_world`` of a camera at ``position`` that looks at ``target``, y up in the world."""
    forward = target - position
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    upright = np.stack([right, np.cross(forward, right), forward])
    return matrix_from_vector(np.array([0.0, 0.0, normal(rng, roll_sigma)])) @ upright
