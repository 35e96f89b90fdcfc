"""What the network is shown while it learns a scene: views turned, mirrored, zoomed and in other colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor

from .filling import filled
from .pictures import Picture, directions, image_tensor

_ZOOM = 0.9, 1.6
"""Of the focal length, against that at which the whole view just fills the glimpse."""

_ROLL = np.radians(5)
_FAR = 2.0
"""Times the spacing of evenly spread points is far from a point."""

_GAIN, _GAMMA, _TINT = 0.25, 0.25, 0.08
"""Largest changes of the logarithm of brightness, of the exponent and of the single channels."""


@dataclass(frozen=True, eq=False)
class Sighted:
    """A view with the points of the sparse model that it sees.

    Attributes:
        picture: the view at the size at which it is looked at.
        xy: pixel positions of the points in it, shape (N, 2).
        depth: z of the points, shape (N,).
        rotation, translation: ``cam_from_world``.
    """

    picture: Picture
    xy: np.ndarray
    depth: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    @cached_property
    def filled(self) -> np.ndarray:
        """Log-depth of every pixel between the points, NaN elsewhere, shape (H, W)."""
        height, width = self.picture.image.shape[:2]
        return filled(self.xy, self.depth, width, height)


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A part of a view, as a camera in the same place saw it that was turned about its axis, mirrored and zoomed.

    Attributes:
        image: RGB from 0 to 1, shape (3, H, W).
        shown: the same in changed colours.
        seen: whether the view shows the pixel, shape (H, W).
        empty: whether there is no point near, as far as the points lie from each other, shape (H, W).
        rays: directions for this camera, shape (2, H, W).
        view_rays: directions of the same pixels for the view, shape (2, H, W).
        xy, log_depth: points in it, shapes (N, 2) and (N,).
        filled: log-depth of the pixels between the points of the view, NaN elsewhere, shape (H, W).
    """

    image: Tensor
    shown: Tensor
    seen: Tensor
    empty: Tensor
    rays: Tensor
    view_rays: Tensor
    xy: Tensor
    log_depth: Tensor
    filled: Tensor


def glimpse(sighted: Sighted, size: tuple[int, int], rng: np.random.Generator) -> Glimpse:
    """A random glimpse of a view.

    Turning about the axis, mirroring and zooming leave z as it is, so the points keep their depths.

    Args:
        size: width and height of the glimpse.
    """
    picture = sighted.picture
    virtual, turn = _camera(picture, size, rng)
    # A pixel of the glimpse lies in the view at K T K'^-1 (u, v, 1).
    to_view = picture.matrix @ turn @ np.linalg.inv(virtual)
    # OpenCV counts pixels from the centre of the first one.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    affine = (np.linalg.inv(half) @ to_view @ half)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(picture.image, affine, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    seen = cv2.warpAffine(np.ones(picture.image.shape[:2], np.float32), affine, size, flags=flags)
    between = cv2.warpAffine(sighted.filled, affine, size, flags=flags, borderValue=np.nan)

    rays = directions(virtual, *size)
    view_rays = np.einsum("ij,jhw->ihw", turn[:2, :2], rays).astype(np.float32)
    from_view = np.linalg.inv(to_view)
    xy = sighted.xy @ from_view[:2, :2].T + from_view[:2, 2]
    inside = ((xy >= 0) & (xy <= size)).all(axis=1)
    tensor = image_tensor(image)
    return Glimpse(
        image=tensor,
        shown=_recolored(tensor, rng),
        seen=torch.from_numpy(seen > 0.99),
        empty=torch.from_numpy(_empty(xy[inside], size)),
        rays=torch.from_numpy(rays),
        view_rays=torch.from_numpy(view_rays),
        xy=torch.from_numpy(xy[inside].astype(np.float32)),
        log_depth=torch.from_numpy(np.log(sighted.depth[inside]).astype(np.float32)),
        filled=torch.from_numpy(between),
    )


def _camera(picture: Picture, size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Calibration of the glimpse and the turn (rotation about the axis, or mirrored too) that leads to the view."""
    height, width = picture.image.shape[:2]
    fits = min(size[0] / width, size[1] / height)
    zoom = fits * np.exp(rng.uniform(*np.log(_ZOOM)))
    angle, mirrored = rng.uniform(-_ROLL, _ROLL), rng.random() < 0.5
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = turn @ np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    focal = zoom * np.array([picture.matrix[0, 0], picture.matrix[1, 1]])
    # The middle of the glimpse looks at a place of the view from which it shows as little beyond the rim as can be.
    room = np.maximum(0, np.array([width, height]) - np.array(size) / zoom) / 2
    at = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * room
    ray = turn.T @ np.linalg.solve(picture.matrix, [*at, 1.0])
    middle = np.array(size) / 2 - focal * ray[:2]
    return np.array([[focal[0], 0, middle[0]], [0, focal[1], middle[1]], [0, 0, 1]]), turn


def _empty(xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels farther from every point than points that were spread evenly would lie from each other, twice over."""
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
