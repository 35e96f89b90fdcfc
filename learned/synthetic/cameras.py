"""Random cameras like neighboring photos of a collection: one reference and sources around it, best first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from ...stages.geometry.rotations import matrix_from_vector
from .draws import chance, choice, direction, log_uniform, normal, uniform


@dataclass(frozen=True, eq=False)
class PinholeCameras:
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
        """Camera centers in the world, shape (V, 3)."""
        return -np.einsum("vji,vj->vi", self.rotations, self.translations)

    def project(self, view: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel positions (N, 2) and depths (N,) of points (N, 3) of the world."""
        local = points @ self.rotations[view].T + self.translations[view]
        image = local @ self.intrinsics[view].T
        return image[:, :2] / image[:, 2:], image[:, 2]

    def directions(self, view: int, device: torch.device) -> Tensor:
        """Rays through the pixel centers in the world, scaled so that the ray parameter is depth, shape (3, H, W)."""
        inverse = np.linalg.inv(self.intrinsics[view] @ self.rotations[view])
        matrix = torch.tensor(inverse, dtype=torch.float32, device=device)
        x = torch.arange(self.width, device=device) + 0.5
        y = torch.arange(self.height, device=device) + 0.5
        return matrix[:, 0, None, None] * x + matrix[:, 1, None, None] * y[:, None] + matrix[:, 2, None, None]


def bundle(
    rng: Generator, views: int, width: int, height: int, toward: np.ndarray, fronts: np.ndarray
) -> PinholeCameras:
    """Cameras around the origin of the world (y up) that look at about the same place, which is about 1 wide in view.

    Args:
        toward: unit vector from the origin to the reference camera, shape (3,).
        fronts: planes that no camera stands behind (:func:`in_front`), shape (K, 4).

    Focal lengths are 0.7 to 1.6 image widths. The angle between the reference and a source, seen from the origin, is
    log-normal with a median drawn once a bundle (about 11 degrees) and lies between 3 and 35 degrees. Sources lie on
    an arc, or all around. Those near 10 degrees come first.
    """
    focal = uniform(rng, 0.7, 1.6)
    median = math.radians(log_uniform(rng, 7.0, 17.0))
    tilt = uniform(rng, -0.5, 0.5) if chance(rng, 0.5) else None
    sources = [_source(rng, k, toward * focal, median, tilt, fronts) for k in range(1, views)]
    sources.sort(key=lambda source: abs(math.log(source[0] / math.radians(10))))
    centers = [toward * focal, *(center for _, center in sources)]

    roll_sigma = choice(rng, (0.02, 0.06, 0.3), (0.5, 0.4, 0.1))
    rotations = np.stack(
        [_look_at(center, normal(rng, 0.06 * focal) * direction(rng), normal(rng, roll_sigma)) for center in centers]
    )
    zoom = 0.0 if chance(rng, 0.7) else 0.06
    intrinsics = []
    for _ in centers:
        f = focal * width * math.exp(normal(rng, zoom))
        cx, cy = width / 2 + normal(rng, 0.01 * width), height / 2 + normal(rng, 0.01 * width)
        intrinsics.append([[f, 0, cx], [0, f, cy], [0, 0, 1]])
    translations = -np.einsum("vij,vj->vi", rotations, np.stack(centers))
    return PinholeCameras(width, height, np.array(intrinsics), rotations, translations)


def in_front(fronts: np.ndarray, center: np.ndarray) -> bool:
    """Whether a camera at ``center`` (3,) stands well in front of all planes (n, d), shape (K, 4)."""
    return bool((fronts[:, :3] @ center - fronts[:, 3] > 0.15).all())


def _source(
    rng: Generator, index: int, reference: np.ndarray, median: float, tilt: float | None, fronts: np.ndarray
) -> tuple[float, np.ndarray]:
    """The angle to the reference and the center of source ``index``, on the arc of this tilt or anywhere around."""
    distance = float(np.linalg.norm(reference))
    toward = reference / distance
    right = np.cross([0.0, 1.0, 0.0], toward)
    right /= np.linalg.norm(right)
    up = np.cross(toward, right)
    angle = min(max(median * math.exp(normal(rng, 0.5)), math.radians(3)), math.radians(35))
    while True:
        if tilt is None:
            bearing = uniform(rng, 0, 2 * math.pi)
        else:
            bearing = math.pi * (index % 2) + tilt + normal(rng, 0.25)
        aside = math.cos(bearing) * right + math.sin(bearing) * up
        center = distance * math.exp(normal(rng, 0.08)) * (math.cos(angle) * toward + math.sin(angle) * aside)
        # An arc may run into a wall on one side; then take the other side.
        if in_front(fronts, center) or angle < math.radians(3.1):
            return angle, center
        index += 1
        angle = max(angle * 0.95, math.radians(3))


def perturb_poses(rng: Generator, views: PinholeCameras, pixels: float) -> PinholeCameras:
    """The same cameras with small errors of their poses, as after bundle adjustment.

    Each camera is rotated and moved at random so that points near the origin shift by about ``pixels``.
    """
    focal, distance = views.intrinsics[0, 0, 0], np.linalg.norm(views.centers[0])
    rotations, centers = [], []
    for rotation, center in zip(views.rotations, views.centers, strict=True):
        turn = np.array([normal(rng) for _ in range(3)]) * pixels / focal / 2
        rotations.append(matrix_from_vector(turn) @ rotation)
        centers.append(center + np.array([normal(rng) for _ in range(3)]) * pixels / focal * distance / 2)
    stacked = np.stack(rotations)
    translations = -np.einsum("vij,vj->vi", stacked, np.stack(centers))
    return PinholeCameras(views.width, views.height, views.intrinsics, stacked, translations)


def _look_at(position: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    """The rotation ``cam_from_world`` of a camera that looks at ``target``, with a ``roll`` from upright (y up)."""
    forward = target - position
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    upright = np.stack([right, np.cross(forward, right), forward])
    return matrix_from_vector(np.array([0.0, 0.0, roll])) @ upright
