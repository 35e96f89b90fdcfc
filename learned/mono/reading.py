"""Depth read out of one image by a network, and networks as plain numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ...stages.failure import StageFailure
from .fitted import FittedDepth
from .glimpses import Sighted
from .network import MonoDepth
from .pictures import Picture, at_points


def read(network: MonoDepth | FittedDepth, picture: Picture) -> tuple[Tensor, Tensor]:
    """Log-depth and its log-error, each the mean of what the network says of an image and of its mirror image.

    Returns:
        Two tensors of shape (H, W).
    """
    image, rays = picture.tensors()
    mirror = image.new_tensor([-1, 1])[:, None, None]
    with torch.inference_mode():
        found = network(torch.cat([image, image.flip(-1)]), torch.cat([rays, rays.flip(-1) * mirror]))
        depth, error = (0.5 * (own + mirrored.flip(-1)) for own, mirrored in found)
    return depth, error


def residuals(network: MonoDepth | FittedDepth, sighted: Sighted) -> tuple[np.ndarray, np.ndarray]:
    """Predicted less true log-depth at the points of a view, and the log-error that the network expects, (N,) each."""
    xy = torch.from_numpy(sighted.xy.astype(np.float32))
    depth, error = (at_points(each, xy).numpy() for each in read(network, sighted.picture))
    return depth - np.log(sighted.depth), error


def flat(network: FittedDepth) -> np.ndarray:
    """Every number that a network has learned, shape (P,)."""
    return parameters_to_vector(network.parameters()).detach().numpy()


def network_of(parameters: np.ndarray) -> FittedDepth:
    """The network with these numbers.

    Raises:
        StageFailure: ``wrong-architecture``.
    """
    network = FittedDepth(MonoDepth())
    expected = sum(each.numel() for each in network.parameters())
    if len(parameters) != expected:
        raise StageFailure(
            "wrong-architecture",
            f"MonoDepth has {expected} parameters, and these are {len(parameters)}.",
            hint="They were learned with another version of Diptych: run it again.",
        )
    vector_to_parameters(torch.from_numpy(np.array(parameters, np.float32)), network.parameters())
    return network.eval()
