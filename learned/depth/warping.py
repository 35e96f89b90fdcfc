"""Warping of pixels into neighboring views, and correlation of the features there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .correlation_kernel import correlation_kernel


@dataclass(frozen=True)
class Rays:
    """The epipolar geometry of a view and its sources, as functions of inverse depth.

    The pixel (x, y) at the inverse depth z projects into source s at ``A_s (x, y, 1) + z b_s``, homogeneous. The center
    of the first pixel is (0.5, 0.5).

    Attributes:
        homography: A, shape (B, S, 3, 3).
        epipole: b, shape (B, S, 3).
        width, height: of the reference.
        middle: inverse depth in the middle of the range, shape (B,).
        size: image pixels on a side of one of these pixels.
    """

    homography: Tensor
    epipole: Tensor
    width: int
    height: int
    middle: Tensor
    size: int = 1

    @staticmethod
    def between(
        intrinsics: Tensor, rotations: Tensor, translations: Tensor, width: int, height: int, middle: Tensor
    ) -> Rays:
        """The rays of the first of V views through the others.

        Args:
            intrinsics: shape (B, V, 3, 3).
            rotations, translations: ``cam_from_world``, shapes (B, V, 3, 3) and (B, V, 3).
            width, height: of the first view.
            middle: inverse depth in the middle of the range, shape (B,).
        """
        relative = rotations[:, 1:] @ rotations[:, :1].transpose(2, 3)
        moved = translations[:, 1:] - (relative @ translations[:, :1, :, None])[..., 0]
        inverse = torch.linalg.inv(intrinsics[:, :1])
        homography = intrinsics[:, 1:] @ relative @ inverse
        epipole = (intrinsics[:, 1:] @ moved[..., None])[..., 0]
        return Rays(homography.float(), epipole.float(), width, height, middle)

    def at(self, size: int) -> Rays:
        """The same for feature maps of 1/``size`` of the resolution."""
        scale = self.homography.new_tensor([size, size, 1.0])
        homography = self.homography * scale / scale[:, None]
        width, height = self.width // size, self.height // size
        return Rays(homography, self.epipole / scale, width, height, self.middle, size * self.size)

    def pixel(self) -> Tensor:
        """The step of inverse depth that moves the view's center by a pixel (RMS over sources), shape (B, 1, 1)."""
        at = self.homography.new_tensor([self.width / 2, self.height / 2, 1.0])
        # Not as a matrix product, which a GPU would round to bfloat16 in training.
        at_infinity = (self.homography * at).sum(-1)
        here = at_infinity + self.middle[:, None, None] * self.epipole
        xy = here[..., :2] / here[..., 2:]
        slope = (self.epipole[..., :2] - xy * self.epipole[..., 2:]) / here[..., 2:]
        length = slope.square().sum(-1).mean(1).sqrt()
        # With a tiny baseline a pixel would exceed the whole range.
        return 1 / length.maximum(1e-2 / self.middle)[:, None, None]

    def positions(self, source: int, inverse: Tensor) -> Tensor:
        """Project the pixels into a source.

        Args:
            inverse: inverse depths, shape (B, K, h, w).

        Returns:
            Positions in its pixels, far outside for points behind the camera, shape (B, K, h, w, 2).
        """
        device = inverse.device
        x = torch.arange(self.width, device=device) + 0.5
        y = torch.arange(self.height, device=device)[:, None] + 0.5
        a, b = self.homography[:, source, :, :, None, None], self.epipole[:, source, :, None, None, None]
        at_infinity = a[:, :, 0] * x + a[:, :, 1] * y + a[:, :, 2]
        px, py, pz = (at_infinity[:, i, None] + b[:, i] * inverse for i in range(3))
        front = pz > 1e-6
        depth = torch.where(front, pz, torch.ones_like(pz))
        xy = torch.stack([px / depth, py / depth], -1)
        return torch.where(front[..., None], xy.clamp(-1e5, 1e5), torch.full_like(xy, -1e5))


def correlate(
    reference: Tensor, sources: list[Tensor], rays: Rays, inverse: Tensor, groups: int, coarser: int = 1
) -> list[Tensor]:
    """Group-wise correlation (Guo et al. 2019) of the reference's features with each source's.

    Args:
        reference: shape (B, C, h, w).
        sources: of each neighbor, shape (B, C, hs, ws).
        inverse: inverse depths, shape (B, K, h, w).
        coarser: ratio of the reference's resolution to the sources'.

    Returns:
        For each source the mean product per group, zero outside the source, shape (B, groups, K, h, w).
    """
    if reference.device.type == "cpu" and not torch.is_grad_enabled():
        return [
            _correlate_numba(reference, source, rays, s, inverse, groups, coarser) for s, source in enumerate(sources)
        ]
    batch, count, height, width = inverse.shape
    grouped = reference.reshape(batch, groups, -1, 1, height, width)
    found = []
    for s, source in enumerate(sources):
        xy = rays.positions(s, inverse)
        grid = xy / xy.new_tensor([coarser * source.shape[3], coarser * source.shape[2]]) * 2 - 1
        sampled = F.grid_sample(source, grid.view(batch, count * height, width, 2), align_corners=False)
        found.append((grouped * sampled.view(batch, groups, -1, count, height, width)).mean(2))
    return found


def _correlate_numba(
    reference: Tensor, source: Tensor, rays: Rays, s: int, inverse: Tensor, groups: int, coarser: int
) -> Tensor:
    """The same without gradients, three times as fast on a CPU."""
    found = inverse.new_empty(len(inverse), groups, *inverse.shape[1:])
    correlate_one = correlation_kernel(reference.shape[1], groups)
    for i in range(len(inverse)):
        correlate_one(
            reference[i].permute(1, 2, 0).contiguous().numpy(),
            source[i].permute(1, 2, 0).contiguous().numpy(),
            rays.homography[i, s].contiguous().numpy(),
            rays.epipole[i, s].contiguous().numpy(),
            inverse[i].contiguous().numpy(),
            np.float32(coarser),
            found[i].numpy(),
        )
    return found
