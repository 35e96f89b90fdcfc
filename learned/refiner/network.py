"""The network behind :class:`~diptych.learned.refiner.stage.SubpixelRefiner`."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REACH = 4
"""Search radius in steps of a patch."""

_OWN_REACH = 2
_WINDOW, _MARGIN = 9, 2
_CHANNELS, _GROUPS = 16, 4

FIXED_SIZE = _WINDOW + 2 * (_OWN_REACH + _MARGIN)
MOVING_SIZE = _WINDOW + 2 * (REACH + _MARGIN)
"""Sides of the two input patches."""

_LEAST_CONTRAST = 4.0 / 255.0


class ShiftEstimate(NamedTuple):
    """The output of the network for pairs of patches.

    Attributes:
        shift: from the center of the moving patch to the point at the center of the fixed one, x and y in steps of the
            patch, shape (B, 2).
        log_deviation: logarithm of the expected error of each coordinate, in steps, shape (B,).
        match: logit of the probability that both show the same point, within reach, shape (B,).
    """

    shift: Tensor
    log_deviation: Tensor
    match: Tensor


class RefinerNet(nn.Module):
    """The shift between two patches to a fraction of a pixel, with its uncertainty.

    Two convolutions compute features of both patches. At every whole shift within reach the squared difference of a
    window of features is taken, in four groups of channels; the fixed patch is compared with itself too, which shows
    along which directions it can be located. From these a small perceptron computes a heat map, whose mean, with a
    small correction, is the shift. The idea to refine a keypoint from both patches is that of Keypt2Subpx (Kim,
    Pollefeys and Barath 2024).
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, _CHANNELS, 3)
        self.second = nn.Conv2d(_CHANNELS, _CHANNELS, 3)
        self.log_window = nn.Parameter(_log_gaussian(_WINDOW))
        side = 2 * REACH + 1
        differences = _GROUPS * (side**2 + (2 * _OWN_REACH + 1) ** 2)
        self.sharpness = nn.Parameter(torch.zeros(_GROUPS))
        self.perceptron = nn.Sequential(
            nn.Linear(differences, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, side**2 + 4)
        )
        steps = torch.arange(-REACH, REACH + 1, dtype=torch.float32)
        self.register_buffer("steps", torch.cartesian_prod(steps, steps).flip(1), persistent=False)

    def forward(self, fixed: Tensor, moving: Tensor) -> ShiftEstimate:
        """Compare patches.

        Args:
            fixed, moving: brightness in [0, 1], shapes (B, FIXED_SIZE, FIXED_SIZE) and (B, MOVING_SIZE, MOVING_SIZE).
        """
        one, other = self._features(fixed), self._features(moving)
        window = one[..., _OWN_REACH:-_OWN_REACH, _OWN_REACH:-_OWN_REACH]
        weight = self.log_window.exp()
        # A small difference of large numbers, and a mean to a fraction of a step, need all digits on a GPU too.
        with torch.autocast(fixed.device.type, enabled=False):
            across, own = (_differences(window, each, weight) for each in (other, one))
            x = torch.cat([across.flatten(1), own.flatten(1)], 1)
            out = self.perceptron(torch.log1p(x))
            heat, correction, log_deviation, match = out.split([out.shape[1] - 4, 2, 1, 1], 1)
            heat = heat - torch.einsum("bgs,g->bs", across, self.sharpness.exp())
            return ShiftEstimate(heat.softmax(1) @ self.steps + correction, log_deviation[:, 0], match[:, 0])

    def _features(self, patch: Tensor) -> Tensor:
        centered = patch - patch.mean((1, 2), keepdim=True)
        deviation = centered.square().mean((1, 2), keepdim=True).sqrt()
        normal = centered / (deviation + _LEAST_CONTRAST)
        return self.second(F.relu(self.first(normal[:, None]))).float()


def _differences(window: Tensor, features: Tensor, weight: Tensor) -> Tensor:
    """Mean squared difference of a window to the features at every shift, per group of channels.

    Args:
        window: shape (B, C, W, W).
        features: shape (B, C, W + 2 R, W + 2 R).
        weight: of the positions in the window, shape (W, W).

    Returns:
        shape (B, groups, (2 R + 1) ** 2).
    """
    batch = len(window)
    weighted = window * weight
    product = _Correlation.apply(features, weighted)
    energy = features.square().unflatten(1, (_GROUPS, -1)).sum(2)
    moved = _Correlation.apply(energy, weight.expand(batch, _GROUPS, -1, -1)).flatten(2)
    own = (weighted * window).reshape(batch, _GROUPS, -1).sum(2, keepdim=True)
    total = own + moved - 2 * product.flatten(2).unflatten(1, (_GROUPS, -1)).sum(2)
    return total.clamp(min=0) / weight.sum()


class _Correlation(torch.autograd.Function):
    """The product of each window (B, C, W, W) with its own features (B, C, S, S) at every shift.

    The derivatives are such products too; torch's own backward is far slower.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, window: Tensor) -> Tensor:
        ctx.save_for_backward(features, window)
        return _slide(features, window)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        features, window = ctx.saved_tensors
        (gradient,) = gradients
        around = window.shape[-1] - 1
        padded = F.pad(gradient, (around,) * 4)
        return _slide(padded, window.flip(2, 3)), _slide(features, gradient)


def _slide(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlate every image with its own kernel, by a grouped convolution."""
    batch, channels, height, width = images.shape
    flat = images.reshape(1, batch * channels, height, width)
    found = F.conv2d(flat, kernels.reshape(batch * channels, 1, *kernels.shape[2:]), groups=batch * channels)
    return found.reshape(batch, channels, *found.shape[2:])


def _log_gaussian(side: int) -> Tensor:
    """Logarithm of a Gaussian over a square, shape (side, side)."""
    steps = torch.arange(side) - (side - 1) / 2
    return -(steps[:, None].square() + steps.square()) / (0.4 * side) ** 2
