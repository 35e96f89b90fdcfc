"""Views at the size at which the network looks at them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...stages.dense import View


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as the network sees it.

    Attributes:
        image: RGB, uint8, shape (H, W, 3).
        matrix: the calibration of its size, shape (3, 3).
    """

    image: np.ndarray
    matrix: np.ndarray

    @staticmethod
    def of(view: View, size: int) -> Picture:
        """A view with its longer side at most ``size`` pixels."""
        width, height = view.camera.width, view.camera.height
        scale = min(1.0, size / max(width, height))
        small = max(1, round(scale * width)), max(1, round(scale * height))
        image = cv2.resize(view.image, small, interpolation=cv2.INTER_AREA) if scale < 1 else view.image
        return Picture(image, np.diag([small[0] / width, small[1] / height, 1.0]) @ view.camera.matrix)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Image and directions as :class:`~diptych.learned.mono.network.MonoDepth` takes them, a batch of one."""
        height, width = self.image.shape[:2]
        return image_tensor(self.image)[None], torch.from_numpy(directions(self.matrix, width, height))[None]


def image_tensor(image: np.ndarray) -> Tensor:
    """RGB from 0 to 1, shape (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / 255)


def directions(matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """(x, y) of the direction (x, y, 1) of every pixel, float32, shape (2, H, W)."""
    back = np.linalg.inv(matrix)
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([back[0, 0] * u + back[0, 1] * v + back[0, 2], back[1, 1] * v + back[1, 2]]).astype(np.float32)


def at_points(values: Tensor, xy: Tensor) -> Tensor:
    """A map's values at pixel positions, bilinear.

    Args:
        values: shape (H, W).
        xy: pixel positions, shape (N, 2).

    Returns:
        Shape (N,).
    """
    height, width = values.shape[-2:]
    grid = 2 * xy / xy.new_tensor([width, height]) - 1
    found = functional.grid_sample(
        values[None, None], grid[None, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, 0, 0]
