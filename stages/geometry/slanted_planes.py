"""Slanted planes of the pixels of a depth map: inverse depth and its slopes in the image.

In a pinhole view the inverse depth of a plane is affine in the pixel: ``1 / z = w + wx dx + wy dy`` at (dx, dy) pixels
from where it is ``w``. Such planes are arrays (H, W, 3) of w, wx, wy here.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..scene import Camera


def normals_of(planes: np.ndarray, camera: Camera) -> np.ndarray:
    """Unit normals in the camera's frame, facing the camera, shape (H, W, 3)."""
    (fx, fy), (dx, dy) = camera.focal_lengths, _from_principal_point(camera)
    w, wx, wy = np.moveaxis(planes, -1, 0)
    normals = -np.stack([wx * fx, wy * fy, w - wx * dx - wy * dy], axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def planes_from(depth: np.ndarray, normals: np.ndarray, camera: Camera) -> np.ndarray:
    """The planes through points of these depths with these normals; all three 0 where there is no depth.

    Args:
        depth: z, 0 for none, shape (H, W).
        normals: in the camera's frame; where they are 0 or seen edge-on the plane faces the camera, shape (H, W, 3).
    """
    (fx, fy), (dx, dy) = camera.focal_lengths, _from_principal_point(camera)
    w = np.divide(1, depth, out=np.zeros(depth.shape), where=depth > 0)
    nx, ny, nz = np.moveaxis(normals.astype(np.float64), -1, 0)
    toward = nx * dx / fx + ny * dy / fy + nz
    slanted = toward < -0.02
    scale = np.divide(w, toward, out=np.zeros(depth.shape), where=slanted)
    return np.stack([w, scale * nx / fx, scale * ny / fy], axis=-1)


def fill(planes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The planes, with unknown ones replaced by that of the nearest known pixel, without its slopes."""
    rows, columns = np.asarray(distance_transform_edt(~known, return_distances=False, return_indices=True))
    filled = planes[rows, columns]
    filled[~known, 1:] = 0
    return filled


def enlarge(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The planes for an image of about twice the size: each pixel takes that of the pixel it is a part of."""
    rows, columns = parts(height, planes.shape[0]), parts(width, planes.shape[1])
    ratio_y, ratio_x = planes.shape[0] / height, planes.shape[1] / width
    enlarged = planes[rows[:, None], columns]
    dy = (np.arange(height) + 0.5) * ratio_y - 0.5 - rows
    dx = (np.arange(width) + 0.5) * ratio_x - 0.5 - columns
    enlarged[..., 0] += enlarged[..., 1] * dx + enlarged[..., 2] * dy[:, None]
    enlarged[..., 1] *= ratio_x
    enlarged[..., 2] *= ratio_y
    return enlarged


def parts(fine: int, coarse: int) -> np.ndarray:
    """Along one side, the coarse pixel that the center of each fine one lies in, shape (fine,)."""
    return (np.arange(fine) * 2 + 1) * coarse // (2 * fine)


def _from_principal_point(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Pixels from the principal point to the right, shape (1, W), and down, shape (H, 1)."""
    cx, cy = camera.principal_point
    return np.arange(camera.width)[None] + 0.5 - cx, np.arange(camera.height)[:, None] + 0.5 - cy
