"""A network whose depths a few numbers set right for one scene."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .network import MonoDepth


class FittedDepth(nn.Module):
    """The log-depth that a network reads, times a contrast, plus a slope down the image, at the scale of a scene.

    What a network has learned elsewhere leaves open in which unit this scene is measured, how much of its depth shows
    in its looks, and how far the cameras were held down. Nor does it know from how far away a photo was taken: the
    median of what it reads, pixels weighted by how sure it is of them, may be kept or be the same for all photos.

    Args:
        network: to be set right.
        contrast: of the log-depth.
        slope: of the log-depth along y of the direction (x, y, 1) of a pixel.
        scale: all depths are multiplied by this.
        distance: how much of the median of a photo's log-depth is kept, from 0 to 1.
    """

    def __init__(
        self, network: MonoDepth, contrast: float = 1.0, slope: float = 0.0, scale: float = 1.0, distance: float = 1.0
    ) -> None:
        super().__init__()
        self.network = network
        self.contrast, self.slope, self.log_scale, self.distance, self.log_doubt = (
            nn.Parameter(torch.tensor(number)) for number in (contrast, slope, math.log(scale), distance, 0.0)
        )

    def forward(self, image: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
        """Log-depth and its log-error, from and as of :class:`~diptych.learned.mono.network.MonoDepth`."""
        log_depth, log_error = self.network(image, rays)
        log_depth = log_depth - (1 - self.distance) * _weighted_median(log_depth, log_error)
        return self.contrast * log_depth + self.slope * rays[:, 1] + self.log_scale, log_error + self.log_doubt

    @torch.no_grad()
    def multiply_error(self, by: float) -> None:
        """Let all errors that it expects be larger by a factor from now on."""
        self.log_doubt += math.log(by)


def _weighted_median(log_depth: Tensor, log_error: Tensor) -> Tensor:
    """The median log-depth of each image, pixels weighted by the inverse of their expected error, shape (B, 1, 1)."""
    values, order = log_depth.flatten(1).sort(dim=1)
    reached = (-log_error).exp().flatten(1).gather(1, order).cumsum(dim=1)
    # Where weights are no numbers none is found, and the last value is taken.
    half = torch.searchsorted(reached, reached[:, -1:] / 2).clamp(max=values.shape[1] - 1)
    return values.gather(1, half)[..., None]
