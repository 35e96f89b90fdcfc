"""A monocular network with an affine alignment of its log-depth to one scene, and its predictions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ...stages.failure import StageFailure
from .network import MonoDepth
from .views import ScaledImage, SparseView, sample_at


class AlignedDepth(nn.Module):
    """The log-depth of a network times a contrast, plus a slope along y of the image, plus a log-scale.

    A pretrained network does not know the unit of this scene, how strongly its depth varies, or the pitch of the
    cameras. Nor can it tell the distance of the scene from one photo: the median of its log-depth, pixels weighted by
    its confidence, may be kept or removed.

    Args:
        network: to be aligned.
        contrast: factor on the log-depth.
        slope: of the log-depth along y of the direction (x, y, 1) of a pixel.
        scale: factor on all depths.
        distance: share of the median log-depth of a photo that is kept, from 0 to 1.
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
        """Log-depth and its log-error; arguments as of :class:`~diptych.learned.mono.network.MonoDepth`."""
        log_depth, log_error = self.network(image, rays)
        log_depth = log_depth - (1 - self.distance) * _weighted_median(log_depth, log_error)
        return self.contrast * log_depth + self.slope * rays[:, 1] + self.log_scale, log_error + self.log_doubt

    @torch.no_grad()
    def multiply_error(self, by: float) -> None:
        """Multiply all predicted errors by a factor."""
        self.log_doubt += math.log(by)


def predict_log_depth(network: nn.Module, scaled: ScaledImage) -> tuple[Tensor, Tensor]:
    """Log-depth and log-error (H, W) of a MonoDepth or AlignedDepth, the means for an image and its mirror image."""
    image, rays = scaled.tensors()
    mirror = image.new_tensor([-1, 1])[:, None, None]
    with torch.inference_mode():
        found = network(torch.cat([image, image.flip(-1)]), torch.cat([rays, rays.flip(-1) * mirror]))
        depth, error = (0.5 * (own + mirrored.flip(-1)) for own, mirrored in found)
    return depth, error


def residuals(network: nn.Module, view: SparseView) -> tuple[np.ndarray, np.ndarray]:
    """Predicted minus true log-depth at the points of a view, and the predicted log-error, (N,) each."""
    xy = torch.from_numpy(view.xy.astype(np.float32))
    depth, error = (sample_at(each, xy).numpy() for each in predict_log_depth(network, view.scaled))
    return depth - np.log(view.depth), error


def parameter_vector(network: nn.Module) -> np.ndarray:
    """All parameters of a network, shape (P,)."""
    return parameters_to_vector(network.parameters()).detach().numpy()


def network_from_vector(parameters: np.ndarray) -> AlignedDepth:
    """The network with these parameters, shape (P,).

    Raises:
        StageFailure: ``wrong-architecture``.
    """
    network = AlignedDepth(MonoDepth())
    expected = sum(each.numel() for each in network.parameters())
    if len(parameters) != expected:
        raise StageFailure(
            "wrong-architecture",
            f"MonoDepth has {expected} parameters, and these are {len(parameters)}.",
            hint="They were learned with another version of Diptych: run it again.",
        )
    vector_to_parameters(torch.from_numpy(np.array(parameters, np.float32)), network.parameters())
    return network.eval()


def _weighted_median(log_depth: Tensor, log_error: Tensor) -> Tensor:
    """The median log-depth of each image, pixels weighted by the inverse of their predicted error, shape (B, 1, 1)."""
    values, order = log_depth.flatten(1).sort(dim=1)
    cumulative = (-log_error).exp().flatten(1).gather(1, order).cumsum(dim=1)
    # With weights of NaN the search finds no median; the last value is taken.
    half = torch.searchsorted(cumulative, cumulative[:, -1:] / 2).clamp(max=values.shape[1] - 1)
    return values.gather(1, half)[..., None]
