"""Losses of a monocular network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_STRUCTURE = 0.85
"""Weight of the structural dissimilarity in the difference of two images; the rest is the absolute difference."""


def laplace(residual: Tensor, log_error: Tensor) -> Tensor:
    """Negative log-likelihood of Laplace distributed residuals, up to a constant (Kendall and Gal 2017)."""
    return residual.abs() * torch.exp(-log_error) + log_error


def smoothness(log_depth: Tensor, image: Tensor) -> Tensor:
    """Mean step of the log-depth from pixel to pixel, less where the image has an edge (Godard et al. 2017).

    Args:
        log_depth: shape (H, W).
        image: RGB from 0 to 1, shape (3, H, W).
    """
    total = log_depth.new_zeros(())
    for axis in (-1, -2):
        step = torch.diff(log_depth, dim=axis).abs()
        edge = torch.diff(image, dim=axis).abs().mean(dim=0)
        total = total + (step * torch.exp(-10 * edge)).mean()
    return total


def image_difference(first: Tensor, second: Tensor) -> Tensor:
    """Per-pixel difference of two images: structural dissimilarity (Wang et al. 2004) in 3x3 windows, and L1.

    Args:
        first, second: RGB from 0 to 1, shape (3, H, W).

    Returns:
        From 0 to 1, shape (H, W).
    """
    both = torch.cat([first, second, first * first, second * second, first * second])
    mean = functional.avg_pool2d(functional.pad(both, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    a, b, aa, bb, ab = mean.chunk(5)
    c1, c2 = 0.01**2, 0.03**2
    alike = (2 * a * b + c1) * (2 * (ab - a * b) + c2) / ((a * a + b * b + c1) * (aa - a * a + bb - b * b + c2))
    structure = ((1 - alike) / 2).clamp(0, 1)
    return (_STRUCTURE * structure + (1 - _STRUCTURE) * (first - second).abs()).mean(dim=0)


def warp(source: Tensor, rays: Tensor, depth: Tensor, projection: Tensor) -> tuple[Tensor, Tensor]:
    """Warp a source view into a reference by the reference's depths.

    Args:
        source: image, shape (3, H', W').
        rays: directions of the reference's pixels, shape (2, H, W).
        depth: of these pixels, shape (H, W).
        projection: from the reference's camera frame to pixels of the source, K [R | t], shape (3, 4).

    Returns:
        The image, shape (3, H, W), and whether the pixel is inside the source, shape (H, W).
    """
    height, width = source.shape[-2:]
    points = depth * torch.cat([rays, torch.ones_like(rays[:1])])
    x, y, z = torch.einsum("ij,jhw->ihw", projection[:, :3], points) + projection[:, 3, None, None]
    front = z > 1e-3 * depth.detach()
    z = torch.where(front, z, torch.ones_like(z))
    grid = torch.stack([2 * x / (z * width) - 1, 2 * y / (z * height) - 1], dim=-1)
    visible = front & (grid.abs() < 1).all(dim=-1)
    # Where a depth is NaN, sampling with this padding reads memory that is not the source's (torch 2.13).
    grid = grid.nan_to_num(nan=0.0)
    return functional.grid_sample(source[None], grid[None], padding_mode="border", align_corners=False)[0], visible
