"""Random crops of views for training: rotated, mirrored, zoomed and in other colors."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from .views import ScaledImage, SparseView, image_tensor, pixel_rays

_ZOOM = 0.9, 1.6
"""Factor on the focal length at which the whole view just fits into the crop."""

_ROLL = np.radians(5)

_FAR = 2.0
"""A pixel is far from all points at this many times the spacing of evenly spread points."""

_GAIN, _GAMMA, _TINT = 0.25, 0.25, 0.08
"""Largest changes of the logarithms of brightness, gamma and the single channels."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a view, as seen by a camera in the same place that was rolled, mirrored and zoomed.

    Attributes:
        image: RGB from 0 to 1, shape (3, H, W).
        recolored: the same in other colors.
        valid: whether the view contains the pixel, shape (H, W).
        empty: whether the pixel is far from all points, as in the sky, shape (H, W).
        rays: directions of the pixels for this camera, shape (2, H, W).
        view_rays: directions of the same pixels for the view's camera, shape (2, H, W).
        xy, log_depth: points in the crop, shapes (N, 2) and (N,).
        dense_log_depth: log-depth of the pixels between the points of the view, NaN elsewhere, shape (H, W).
    """

    image: Tensor
    recolored: Tensor
    valid: Tensor
    empty: Tensor
    rays: Tensor
    view_rays: Tensor
    xy: Tensor
    log_depth: Tensor
    dense_log_depth: Tensor


def random_crop(view: SparseView, size: tuple[int, int], rng: np.random.Generator) -> Crop:
    """A random crop of a view, ``size`` = (width, height). Roll, mirror and zoom preserve the z of the points."""
    scaled = view.scaled
    virtual, turn = _camera(scaled, size, rng)
    # A pixel of the crop lies in the view at K T K'^-1 (u, v, 1).
    to_view = scaled.matrix @ turn @ np.linalg.inv(virtual)
    # OpenCV counts pixels from the center of the first one.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    affine = (np.linalg.inv(half) @ to_view @ half)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(scaled.image, affine, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    valid = cv2.warpAffine(np.ones(scaled.image.shape[:2], np.float32), affine, size, flags=flags)
    dense = cv2.warpAffine(view.dense_log_depth, affine, size, flags=flags, borderValue=np.nan)

    rays = pixel_rays(virtual, *size)
    view_rays = np.einsum("ij,jhw->ihw", turn[:2, :2], rays).astype(np.float32)
    from_view = np.linalg.inv(to_view)
    xy = view.xy @ from_view[:2, :2].T + from_view[:2, 2]
    inside = ((xy >= 0) & (xy <= size)).all(axis=1)
    tensor = image_tensor(image)
    return Crop(
        image=tensor,
        recolored=_recolored(tensor, rng),
        valid=torch.from_numpy(valid > 0.99),
        empty=torch.from_numpy(_empty(xy[inside], size)),
        rays=torch.from_numpy(rays),
        view_rays=torch.from_numpy(view_rays),
        xy=torch.from_numpy(xy[inside].astype(np.float32)),
        log_depth=torch.from_numpy(np.log(view.depth[inside]).astype(np.float32)),
        dense_log_depth=torch.from_numpy(dense),
    )


def _camera(scaled: ScaledImage, size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Calibration matrix of the crop, and the roll and mirror from its camera frame to the view's, each (3, 3)."""
    height, width = scaled.image.shape[:2]
    fits = min(size[0] / width, size[1] / height)
    zoom = fits * np.exp(rng.uniform(*np.log(_ZOOM)))
    angle, mirrored = rng.uniform(-_ROLL, _ROLL), rng.random() < 0.5
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = turn @ np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    focal = zoom * np.array([scaled.matrix[0, 0], scaled.matrix[1, 1]])
    # Place the center of the crop where it extends beyond the view as little as possible.
    room = np.maximum(0, np.array([width, height]) - np.array(size) / zoom) / 2
    at = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * room
    ray = turn.T @ np.linalg.solve(scaled.matrix, [*at, 1.0])
    middle = np.array(size) / 2 - focal * ray[:2]
    return np.array([[focal[0], 0, middle[0]], [0, focal[1], middle[1]], [0, 0, 1]]), turn


def _empty(xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels farther from every point than ``_FAR`` times the spacing of evenly spread points."""
    width, height = size
    around = np.full((height, width), 255, np.uint8)
    column, row = np.minimum(xy, [width - 1, height - 1]).astype(np.int64).T
    around[row, column] = 0
    spacing = np.sqrt(width * height / max(1, len(xy)))
    return cv2.distanceTransform(around, cv2.DIST_L2, 3) > _FAR * spacing


def _recolored(image: Tensor, rng: np.random.Generator) -> Tensor:
    gain = float(np.exp(rng.uniform(-_GAIN, _GAIN)))
    tint = torch.from_numpy(np.exp(rng.uniform(-_TINT, _TINT, (3, 1, 1))).astype(np.float32))
    gray = image.mean(dim=0, keepdim=True)
    saturated = gray + float(rng.uniform(0.5, 1.3)) * (image - gray)
    return (saturated.clamp(1e-3, 1) ** float(np.exp(rng.uniform(-_GAMMA, _GAMMA))) * gain * tint).clamp(0, 1)
