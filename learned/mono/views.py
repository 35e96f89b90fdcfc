"""Views at the size of the network's input, with the sparse points that they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...stages.dense import View
from ...stages.scene import Scene
from .interpolation import interpolate_log_depth

MIN_POINTS = 20
"""Fewest sparse points of a view that is learned from."""


@dataclass(frozen=True, eq=False)
class ScaledImage:
    """An image at the size of the network's input.

    Attributes:
        image: RGB, uint8, shape (H, W, 3).
        matrix: its calibration matrix, shape (3, 3).
    """

    image: np.ndarray
    matrix: np.ndarray

    @staticmethod
    def of(view: View, size: int) -> ScaledImage:
        """The image of a view with its longer side at most ``size`` pixels."""
        width, height = view.camera.width, view.camera.height
        scale = min(1.0, size / max(width, height))
        small = max(1, round(scale * width)), max(1, round(scale * height))
        image = cv2.resize(view.image, small, interpolation=cv2.INTER_AREA) if scale < 1 else view.image
        return ScaledImage(image, np.diag([small[0] / width, small[1] / height, 1.0]) @ view.camera.matrix)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Image and rays as inputs of :class:`~diptych.learned.mono.network.MonoDepth`, a batch of one."""
        height, width = self.image.shape[:2]
        return image_tensor(self.image)[None], torch.from_numpy(pixel_rays(self.matrix, width, height))[None]


@dataclass(frozen=True, eq=False)
class SparseView:
    """A view with the points of the sparse model that it sees.

    Attributes:
        scaled: its image at the size of the network's input.
        xy: pixel positions of the points in that image, shape (N, 2).
        depth: z of the points, shape (N,).
        rotation, translation: ``cam_from_world``.
    """

    scaled: ScaledImage
    xy: np.ndarray
    depth: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    @cached_property
    def dense_log_depth(self) -> np.ndarray:
        """Log-depth of every pixel between the points, NaN elsewhere, shape (H, W)."""
        height, width = self.scaled.image.shape[:2]
        return interpolate_log_depth(self.xy, self.depth, width, height)


def sparse_views(views: Sequence[View], scene: Scene, names: Sequence[str], size: int) -> dict[int, SparseView]:
    """The scaled views that see enough points of a model, by photo.

    Args:
        views: of all photos.
        scene: the model.
        names: of all photos, in the order of the views.
        size: most pixels of the longer side.
    """
    found = {}
    for registered, name in enumerate(scene.names):
        photo = names.index(name)
        view = views[photo]
        if view.missing:
            continue
        points = scene.points[scene.obs_point[scene.obs_photo == registered]]
        x, y, z = view.rotation @ points.T + view.translation[:, None]
        scaled = ScaledImage.of(view, size)
        height, width = scaled.image.shape[:2]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = (scaled.matrix[:2] @ np.stack([x / z, y / z, np.ones_like(z)])).T
        inside = (z > 0) & (xy >= 0).all(axis=1) & (xy <= [width, height]).all(axis=1)
        sparse = SparseView(scaled, xy[inside], z[inside], view.rotation, view.translation)
        if inside.sum() >= MIN_POINTS and np.isfinite(sparse.dense_log_depth).any():
            found[photo] = sparse
    return dict(sorted(found.items()))


def image_tensor(image: np.ndarray) -> Tensor:
    """RGB from 0 to 1, shape (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / 255)


def pixel_rays(matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """(x, y) of the direction (x, y, 1) of every pixel, float32, shape (2, H, W)."""
    back = np.linalg.inv(matrix)
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([back[0, 0] * u + back[0, 1] * v + back[0, 2], back[1, 1] * v + back[1, 2]]).astype(np.float32)


def sample_at(values: Tensor, xy: Tensor) -> Tensor:
    """Values (N,) of a map (H, W) at pixel positions (N, 2), bilinearly interpolated."""
    height, width = values.shape[-2:]
    grid = 2 * xy / xy.new_tensor([width, height]) - 1
    found = functional.grid_sample(
        values[None, None], grid[None, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, 0, 0]
