"""A small multi-view depth network: plane sweep, recurrent refinement, upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .warping import Rays, correlate

HYPOTHESES = 32
"""Number of inverse depths of the initial plane sweep, evenly over the range."""

GROUPS = 4
"""Groups of channels of the group-wise correlation."""

COARSE, MIDDLE, FINE = 8, 4, 2
"""Strides of the feature maps."""

_CHANNELS = {COARSE: 32, MIDDLE: 32, FINE: 16}
_STATE = 32
_NEAR_STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
_FAR_STEPS = (-4.0, -2.0, 0.0, 2.0, 4.0)
_FINE_STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Offsets of the correlation look-ups from the current estimate, in pixels of parallax at its resolution."""


class Estimate(NamedTuple):
    """The output of the network.

    Attributes:
        inverse_depth: shape (B, H, W).
        confidence: logit of the probability that the depth is right within 1 %, shape (B, H, W).
        trust: weight of every source at every pixel of the coarse features, shape (B, S, H / 8, W / 8).
        logits: of the plane sweep, shape (B, HYPOTHESES, H / 8, W / 8); empty if it was skipped.
        course: inverse depth after every step, of growing size, for the loss.
    """

    inverse_depth: Tensor
    confidence: Tensor
    trust: Tensor
    logits: Tensor
    course: tuple[Tensor, ...]


class DepthNetwork(nn.Module):
    """Depth of a view from its neighbors.

    A plane sweep at 1/8 of the size compares inverse depths by group-wise correlation (Guo et al. 2019), with weights
    of the sources predicted from the correlation. A convolutional GRU at 1/4 looks up the correlation around its
    estimate (Teed and Deng 2020, RAFT; Wang et al. 2022, IterMVS), in steps of pixels of parallax, so that neither the
    scale of the scene nor the depth range matters. Two residuals at 1/2 refine it, and learned convex weights upsample
    it. All convolutions are 2D. Learned terms are added to the peak of the correlation, so that an untrained network
    matches too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = FeaturePyramid()
        self.first = InitialDepth()
        self.context = nn.Conv2d(_CHANNELS[MIDDLE] + HYPOTHESES, 2 * _STATE, 3, padding=1)
        self.closer = GRURefinement()
        self.enlarge_middle = ConvexUpsampling(_STATE)
        self.sharpen = ResidualRefinement()
        self.enlarge_fine = ConvexUpsampling(_STATE)

    def forward(
        self,
        reference: Tensor,
        sources: Sequence[Tensor],
        rays: Rays,
        near: Tensor,
        far: Tensor,
        iterations: int = 3,
        start: tuple[Tensor, Tensor] | None = None,
    ) -> Estimate:
        """Estimate inverse depth.

        Args:
            reference: RGB in [0, 1], height and width multiples of 16, shape (B, 3, H, W).
            sources: the same of each neighbor, which may have other sizes.
            rays: from the reference to the sources.
            near, far: the depth range, shape (B,).
            iterations: of the GRU.
            start: initial inverse depth of any size, shape (B, h, w), and trust, instead of the plane sweep.
        """
        of_reference = self.features(normalize(reference))
        of_sources = [self.features(normalize(source)) for source in sources]

        def levels(size: int) -> tuple[Tensor, list[Tensor], Rays]:
            return of_reference[size], [each[size] for each in of_sources], rays.at(size)

        if start is None:
            inverse, logits, trust = self.first(*levels(COARSE), near, far)
        else:
            inverse, trust = start
            logits = inverse.new_zeros(len(inverse), HYPOTHESES, *of_reference[COARSE].shape[2:])
        size = of_reference[MIDDLE].shape[2:]
        inverse, beside = _resize(inverse[:, None], size)[:, 0], _resize(logits.softmax(1), size)
        state, context = self.context(torch.cat([of_reference[MIDDLE], beside], 1)).chunk(2, 1)
        state, context = state.tanh(), context.relu()
        course = []
        for _ in range(iterations):
            inverse = inverse.detach()
            state, inverse = self.closer(state, context, inverse, levels(MIDDLE), levels(COARSE), trust)
            course.append(inverse)
        inverse = self.enlarge_middle(state, inverse)
        course.append(inverse)
        state = _resize(state, inverse.shape[1:])
        for _ in range(2):
            inverse = inverse.detach()
            state, inverse, confidence = self.sharpen(state, inverse, levels(FINE), trust)
            course.append(inverse)
        inverse = self.enlarge_fine(state, inverse)
        confidence = _resize(confidence[:, None], reference.shape[2:])[:, 0]
        course.append(inverse)
        return Estimate(inverse, confidence, trust, logits if start is None else logits[:, :0], tuple(course))


class FeaturePyramid(nn.Module):
    """Features of an image at 1/2, 1/4 and 1/8 of its size, by a feature pyramid (Lin et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.at_half = nn.Sequential(_conv(12, 24), _conv(24, 24))
        self.at_quarter = nn.Sequential(_halving(24, 40), _conv(40, 40), _conv(40, 40))
        self.at_eighth = nn.Sequential(_halving(40, 64), _conv(64, 64), _conv(64, 64))
        self.to_coarse = nn.Conv2d(64, _CHANNELS[COARSE], 1)
        self.to_middle = nn.Conv2d(64 + 40, _CHANNELS[MIDDLE], 1)
        self.to_fine = nn.Conv2d(_CHANNELS[MIDDLE] + 24, _CHANNELS[FINE], 3, padding=1)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        half = self.at_half(F.pixel_unshuffle(image, 2))
        quarter = self.at_quarter(half)
        eighth = self.at_eighth(quarter)
        middle = self.to_middle(torch.cat([_resize(eighth, quarter.shape[2:]), quarter], 1))
        fine = self.to_fine(torch.cat([_resize(middle, half.shape[2:]), half], 1))
        features = {COARSE: self.to_coarse(eighth), MIDDLE: middle, FINE: fine}
        # Channels last, as correlations are read pixel by pixel.
        return {size: _unit(each).contiguous(memory_format=torch.channels_last) for size, each in features.items()}


class Peak(nn.Module):
    """The peak of the correlation by a soft argmax over steps."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(10.0))

    def weights(self, correlation: Tensor) -> Tensor:
        """Logits of the steps from correlations of shape (B, G, K, h, w)."""
        return self.sharpness * correlation.mean(1)

    def forward(self, correlation: Tensor, steps: tuple[float, ...]) -> Tensor:
        """The mean step, shape (B, h, w)."""
        values = torch.tensor(steps, device=correlation.device)[:, None, None]
        return (self.weights(correlation).softmax(1) * values).sum(1)


class InitialDepth(nn.Module):
    """Plane sweep over the whole range, with a weight of each source predicted from its correlation."""

    def __init__(self) -> None:
        super().__init__()
        self.trust = nn.Sequential(_conv(HYPOTHESES, 16), nn.Conv2d(16, 1, 3, padding=1))
        self.squeeze = _conv(GROUPS * HYPOTHESES + _CHANNELS[COARSE], 64)
        self.around = nn.Sequential(_halving(64, 64), _conv(64, 64), _conv(64, 64))
        self.logits = nn.Sequential(_conv(64 + 64, 64), nn.Conv2d(64, HYPOTHESES, 3, padding=1))
        self.peak = Peak()

    def forward(
        self, reference: Tensor, sources: list[Tensor], rays: Rays, near: Tensor, far: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        share = torch.linspace(0, 1, HYPOTHESES, device=reference.device)
        farthest, nearest = (1 / far)[:, None], (1 / near)[:, None]
        hypotheses = farthest + (nearest - farthest) * share
        size = reference.shape[2:]
        correlation = correlate(reference, sources, rays, hypotheses[:, :, None, None].expand(-1, -1, *size), GROUPS)
        trust = torch.stack([self.trust(each.mean(1))[:, 0] for each in correlation], 1).sigmoid()
        mean = _weighted_mean(correlation, trust)
        local = self.squeeze(torch.cat([mean.flatten(1, 2), reference], 1))
        logits = self.logits(torch.cat([local, _resize(self.around(local), size)], 1)) + self.peak.weights(mean)
        return _peak(logits, hypotheses), logits, trust


class GRURefinement(nn.Module):
    """One step of the GRU at 1/4 of the size."""

    def __init__(self) -> None:
        super().__init__()
        looked = GROUPS * (len(_NEAR_STEPS) + len(_FAR_STEPS))
        self.seen = nn.Sequential(nn.Conv2d(looked + 1, 48, 1), nn.ReLU(), nn.Conv2d(48, 32, 3, padding=1), nn.ReLU())
        self.gates = nn.Conv2d(_STATE + 32 + _STATE, 2 * _STATE, 3, padding=1)
        self.proposal = nn.Conv2d(_STATE + 32 + _STATE, _STATE, 3, padding=1)
        self.step = nn.Sequential(nn.Conv2d(_STATE, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 3, padding=1))
        self.peak = Peak()

    def forward(
        self,
        state: Tensor,
        context: Tensor,
        inverse: Tensor,
        middle: tuple[Tensor, list[Tensor], Rays],
        coarse: tuple[Tensor, list[Tensor], Rays],
        trust: Tensor,
    ) -> tuple[Tensor, Tensor]:
        reference, sources, rays = middle
        size, pixel = reference.shape[2:], rays.pixel()
        around = _resize(coarse[0], size)
        near = correlate(reference, sources, rays, _hypotheses(inverse, pixel, _NEAR_STEPS), GROUPS)
        far = correlate(around, coarse[1], rays, _hypotheses(inverse, pixel, _FAR_STEPS), GROUPS, COARSE // MIDDLE)
        trust = _resize(trust, size)
        near, far = _weighted_mean(near, trust), _weighted_mean(far, trust)
        seen = self.seen(torch.cat([near.flatten(1, 2), far.flatten(1, 2), _local_relief(inverse, pixel)], 1))
        update, reset = self.gates(torch.cat([state, seen, context], 1)).sigmoid().chunk(2, 1)
        proposal = self.proposal(torch.cat([reset * state, seen, context], 1)).tanh()
        state = (1 - update) * state + update * proposal
        return state, inverse + (self.step(state)[:, 0] + self.peak(near, _NEAR_STEPS)) * pixel


class ResidualRefinement(nn.Module):
    """A residual at 1/2 of the size, and its confidence."""

    def __init__(self) -> None:
        super().__init__()
        looked = GROUPS * len(_FINE_STEPS)
        self.seen = nn.Sequential(
            nn.Conv2d(looked + 1 + _CHANNELS[FINE] + _STATE, 40, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(40, _STATE, 3, padding=1),
            nn.ReLU(),
        )
        self.step = nn.Conv2d(_STATE, 2, 3, padding=1)
        self.peak = Peak()

    def forward(
        self, state: Tensor, inverse: Tensor, fine: tuple[Tensor, list[Tensor], Rays], trust: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        reference, sources, rays = fine
        pixel = rays.pixel()
        correlation = correlate(reference, sources, rays, _hypotheses(inverse, pixel, _FINE_STEPS), GROUPS)
        correlation = _weighted_mean(correlation, _resize(trust, reference.shape[2:]))
        state = state + self.seen(
            torch.cat([correlation.flatten(1, 2), _local_relief(inverse, pixel), reference, state], 1)
        )
        step, confidence = self.step(state).unbind(1)
        return state, inverse + (step + self.peak(correlation, _FINE_STEPS)) * pixel, confidence


class ConvexUpsampling(nn.Module):
    """Upsample by 2; each pixel is a convex combination of 3x3 coarse pixels (Teed and Deng 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.Sequential(nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 4 * 9, 1))

    def forward(self, state: Tensor, inverse: Tensor) -> Tensor:
        batch, height, width = inverse.shape
        weights = self.weights(state).view(batch, 4, 9, height, width).softmax(2)
        around = F.unfold(F.pad(inverse[:, None], (1, 1, 1, 1), mode="replicate"), 3)
        enlarged = (weights * around.view(batch, 1, 9, height, width)).sum(2)
        return F.pixel_shuffle(enlarged, 2)[:, 0]


def normalize(image: Tensor) -> Tensor:
    """An image of mean 0 and standard deviation 1, independent of exposure."""
    mean, deviation = image.mean((1, 2, 3), keepdim=True), image.std((1, 2, 3), keepdim=True)
    return (image - mean) / (deviation + 0.02)


def _unit(features: Tensor) -> Tensor:
    """Features with groups of mean square 1 at every pixel, so that their correlation is a cosine."""
    batch, channels, height, width = features.shape
    grouped = features.view(batch, GROUPS, channels // GROUPS, height, width)
    length = grouped.square().mean(2, keepdim=True).add(1e-9).rsqrt()
    return (grouped * length).view_as(features)


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.GroupNorm(8, outputs), nn.ReLU())


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    """Halve the size; an even kernel keeps the center of a coarse pixel at the center of its four fine ones."""
    convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(8, outputs), nn.ReLU())


def _resize(values: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(values.shape[2:]) == tuple(size):
        return values
    return F.interpolate(values, tuple(size), mode="bilinear", align_corners=False)


def _hypotheses(inverse: Tensor, pixel: Tensor, steps: tuple[float, ...]) -> Tensor:
    """Hypotheses around an estimate, shape (B, K, h, w)."""
    offsets = torch.tensor(steps, device=inverse.device)[:, None, None]
    return inverse[:, None] + pixel[:, None] * offsets


def _local_relief(inverse: Tensor, pixel: Tensor) -> Tensor:
    """Difference of an estimate from its local mean, in pixels of parallax, shape (B, 1, h, w)."""
    smooth = F.avg_pool2d(F.pad(inverse[:, None], (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return ((inverse[:, None] - smooth) / pixel[:, None]).clamp(-8, 8)


def _weighted_mean(correlation: list[Tensor], trust: Tensor) -> Tensor:
    """The mean correlation of the sources, weighted by trust, shape (B, G, K, h, w)."""
    total = trust.sum(1)[:, None, None] + 1e-6
    return sum(each * trust[:, i, None, None] for i, each in enumerate(correlation)) / total


def _peak(logits: Tensor, hypotheses: Tensor) -> Tensor:
    """The expected inverse depth over the most likely hypothesis and its two neighbors, shape (B, h, w)."""
    best = logits.argmax(1, keepdim=True).clamp(1, HYPOTHESES - 2)
    near = torch.cat([best - 1, best, best + 1], 1)
    share = logits.gather(1, near).softmax(1)
    values = hypotheses[:, :, None, None].expand_as(logits).gather(1, near)
    return (share * values).sum(1)
