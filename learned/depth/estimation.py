"""Inverse depth and confidence of a view by DepthNet's network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...stages.dense import View
from ...stages.stage import Context
from ..inference import deterministic, torch_device
from ..weights.files import load_cached
from .network import COARSE, HYPOTHESES, DepthNetwork, Estimate
from .warping import Rays

_MULTIPLE = 16
"""Heights and widths that the network takes are multiples of this."""

_MAX_INITIAL_SIZE, _MAX_SPACING = 400, 0.75
"""Longest side of a view for the initial depth, and largest spacing of neighboring hypotheses in feature pixels, since
nothing matches between distant hypotheses. Larger views are processed coarse to fine."""

_CONFIDENCE = (0.45, 1.33, 1.49)
"""Weights of a constant, the network's logit, and the logarithm of the parallax in pixels of 1 % of the depth, which is
small for the small views of the training. Fitted by ``benchmarks/network_calibration.py``."""


def estimate_depth(
    views: Sequence[View], weights: str, iterations: int, context: Context
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inverse depth and confidence of the first view, and whether any other view contains the point; each (H, W).

    Raises:
        StageFailure: ``no-device``, and as :func:`~diptych.learned.weights.files.load_cached`.
    """
    device = torch_device(context)
    network = load_cached(DepthNetwork, weights, device, torch.channels_last)
    with deterministic():
        return _estimate(network, views, iterations, device)


def _estimate(
    network: DepthNetwork, views: Sequence[View], iterations: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See :func:`estimate_depth`; large views are processed coarse to fine."""
    near, far = (torch.tensor([each], dtype=torch.float32, device=device) for each in (views[0].near, views[0].far))
    halvings = _halvings(views, device)
    images = [_image(view, _MULTIPLE << halvings, device) for view in views]
    start = None
    for halving in range(halvings, -1, -1):
        scale = 2**halving
        smaller = [F.avg_pool2d(image, scale) if scale > 1 else image for image in images]
        rays = _rays(views, device).at(scale)
        rays = Rays(rays.homography, rays.epipole, smaller[0].shape[3], smaller[0].shape[2], rays.middle)
        given: Estimate = network(smaller[0], smaller[1:], rays, near, far, iterations, start)
        start = given.inverse_depth, given.trust
    inverse = given.inverse_depth
    confidence = confidence_of(given.confidence, inverse, rays)
    seen = torch.zeros_like(inverse, dtype=torch.bool)
    for s, image in enumerate(images[1:]):
        x, y = rays.positions(s, inverse[:, None])[:, 0].unbind(-1)
        seen |= (x > 0) & (y > 0) & (x < image.shape[3]) & (y < image.shape[2])
    height, width = views[0].mask.shape
    return tuple(each[0, :height, :width].cpu().numpy() for each in (inverse, confidence, seen))  # pyright: ignore


def _halvings(views: Sequence[View], device: torch.device) -> int:
    """How often a view is halved for its initial depth."""
    view = views[0]
    parallax = (1 / view.near - 1 / view.far) / float(_rays(views, device).at(COARSE).pixel().median())
    too_large = max(max(view.mask.shape) / _MAX_INITIAL_SIZE, parallax / (HYPOTHESES - 1) / _MAX_SPACING)
    return max(0, int(np.ceil(np.log2(too_large))))


def confidence_of(logit: Tensor, inverse: Tensor, rays: Rays) -> Tensor:
    """Probability that the depth is right within 1 %, from the network's logit."""
    constant, own, precise = _CONFIDENCE
    precision = (0.01 * inverse / rays.pixel()).clamp_min(1e-3)
    return (constant + own * logit + precise * precision.log()).sigmoid()


def _image(view: View, multiple: int, device: torch.device) -> Tensor:
    """RGB from 0 to 1, padded at the right and bottom to multiples of ``multiple`` pixels, shape (1, 3, H, W)."""
    image = torch.tensor(view.image, device=device).permute(2, 0, 1)[None].float() / 255
    height, width = (-(-side // multiple) * multiple for side in view.mask.shape)
    return F.pad(image, (0, width - image.shape[3], 0, height - image.shape[2]), mode="replicate")


def _rays(views: Sequence[View], device: torch.device) -> Rays:
    """How the pixels of the first view move through the others."""
    intrinsics, rotations, translations = (
        torch.from_numpy(np.stack(each)).double()[None].to(device)
        for each in (
            [view.camera.matrix for view in views],
            [view.rotation for view in views],
            [view.translation for view in views],
        )
    )
    middle = torch.tensor([(1 / views[0].near + 1 / views[0].far) / 2], dtype=torch.float32, device=device)
    height, width = views[0].mask.shape
    return Rays.between(intrinsics, rotations, translations, width, height, middle)
