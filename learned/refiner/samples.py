"""Pairs of patches whose exact correspondence is known, made from procedural textures.

A texture is photographed twice: from slightly different directions (the residual of the local affine alignment), with
different blur, exposure, gamma and noise. The points are corners and blobs, and the shifts between patches are those of
detectors and of rounding. Some points are at an edge with a moving background, and some pairs are false matches.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ..synthetic.draws import noise, rand
from ..synthetic.textures import texture
from .network import FIXED_SIZE, MOVING_SIZE, REACH

_TEXTURE_SIZE = 256
_FINER = 2
"""Samples of the texture per pixel and axis."""

_BORDER = 2
"""Margin of a patch for its blur, in pixels."""

_NO_EDGE = 1e3

_LUMA = (0.299, 0.587, 0.114)


class Samples(NamedTuple):
    """Pairs of patches.

    Attributes:
        fixed, moving: brightness in [0, 1], shapes (B, S, S).
        shift: from the center of the moving patch to the point at the center of the fixed one, x and y, shape (B, 2).
        match: whether both show the same point, shape (B,).
    """

    fixed: Tensor
    moving: Tensor
    shift: Tensor
    match: Tensor


def samples(rng: Generator, textures: int, each: int, device: torch.device) -> Samples:
    """Pairs of patches, ``each`` from every texture."""
    count = textures * each
    images = torch.stack([_gray(texture(rng, _TEXTURE_SIZE, device)) for _ in range(textures)])
    points = torch.cat([_keypoints(rng, image, each) for image in images])

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * rand(rng, count, *shape).to(device)

    def normal(*shape: int) -> Tensor:
        return noise(rng, count, *shape).to(device)

    pixel = torch.exp(drawn(math.log(0.8), math.log(2.2)))
    upright = pixel[:, None, None] * _rotation(drawn(-math.pi, math.pi))
    change = _rotation(0.1 * normal()) @ _stretch(drawn(-math.pi, math.pi), 0.08 * normal(), 0.08 * normal())
    tilt = 0.004 * normal(2)
    shift = _initial_shifts(rng, count).to(device)

    wrong = drawn(0, 1) < 0.12
    points_there = torch.where(wrong[:, None], points.roll(1, 0), points)
    behind = _Background(
        normal=_unit(drawn(-math.pi, math.pi)),
        distance=torch.where(drawn(0, 1) < 0.25, drawn(0.5, 8), torch.full_like(pixel, _NO_EDGE)),
        place=drawn(0, _TEXTURE_SIZE, 2),
        motion=3 * normal(2),
    )
    fixed = _grid(FIXED_SIZE, device).expand(count, -1, -1)
    moving = _grid(MOVING_SIZE, device)[None] - shift[:, None]
    moving = moving * (1 + moving @ tilt[:, :, None]) @ change.transpose(1, 2)
    fixed_gray = _brightness(images, points, upright, fixed, behind, torch.zeros_like(shift))
    moving_gray = _brightness(images, points_there, upright, moving, behind, behind.motion)

    blur = torch.exp(drawn(math.log(0.3), math.log(1.0)))
    other = blur * torch.exp(0.35 * normal()).clamp(0.5, 2.0)
    return Samples(
        fixed=_exposed(rng, _sensor(fixed_gray, blur, FIXED_SIZE)),
        moving=_exposed(rng, _sensor(moving_gray, other, MOVING_SIZE)),
        shift=shift,
        match=~wrong,
    )


class _Background(NamedTuple):
    """The background beyond an edge: another part of the texture, which moves between the views."""

    normal: Tensor
    distance: Tensor
    place: Tensor
    motion: Tensor


def _gray(image: Tensor) -> Tensor:
    return torch.einsum("chw,c->hw", image, torch.tensor(_LUMA, device=image.device))


def _keypoints(rng: Generator, image: Tensor, count: int) -> Tensor:
    """Keypoints (x, y) in texels: mostly maxima of cornerness and blobs, a few random, shape (count, 2)."""
    size = image.shape[0]
    sigma = 1.0 + 1.5 * float(rand(rng, 1))
    smooth = _blurred(image, sigma)
    dx, dy = (smooth.roll(-1, axis) - smooth.roll(1, axis) for axis in (1, 0))
    xx, xy, yy = (_blurred(product, 1.5 * sigma) for product in (dx * dx, dx * dy, dy * dy))
    corner = 0.5 * (xx + yy) - (0.25 * (xx - yy).square() + xy.square()).sqrt()
    blob = (smooth - _blurred(image, 1.6 * sigma)).abs()
    places = []
    for response in (corner, blob):
        peaks = F.max_pool2d(F.pad(response[None, None], (2, 2, 2, 2), mode="circular"), 5, 1)[0, 0] == response
        at = torch.nonzero(peaks)
        strength = response[peaks].cpu() + 1e-12
        drawn = torch.multinomial(strength.sqrt(), (2 * count) // 5, replacement=True, generator=rng)
        places.append(at[drawn.to(at.device)].flip(1).float())
    anywhere = size * rand(rng, count - sum(map(len, places)), 2).to(image.device)
    found = torch.cat([*places, anywhere])
    return found + 0.6 * noise(rng, count, 2).to(image.device)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """A periodic Gaussian blur."""
    radius = math.ceil(3 * sigma)
    steps = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma).square())
    kernel = kernel / kernel.sum()
    padded = F.pad(image[None, None], (radius,) * 4, mode="circular")
    return F.conv2d(F.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])[0, 0]


def _initial_shifts(rng: Generator, count: int) -> Tensor:
    """Shifts between keypoints of two photos in pixels, shape (count, 2).

    As of SIFT, of learned detectors, of detectors that round to whole pixels, or up to the search radius.
    """
    kind = rand(rng, count, 1)
    normal, uniform = noise(rng, count, 2), 2 * rand(rng, count, 2) - 1
    rounded = uniform / 2 + (2 * rand(rng, count, 2) - 1) / 2 + 0.3 * normal
    error = torch.where(kind < 0.3, 0.35 * normal, torch.where(kind < 0.55, normal, rounded))
    error = torch.where(kind > 0.75, (REACH - 0.4) * uniform, error)
    return error.clamp(0.3 - REACH, REACH - 0.3)


def _rotation(angle: Tensor) -> Tensor:
    c, s = angle.cos(), angle.sin()
    return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


def _unit(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], -1)


def _stretch(direction: Tensor, along: Tensor, scale: Tensor) -> Tensor:
    """Scale by exp(scale + along) along a direction and exp(scale - along) across it, shape (B, 2, 2)."""
    turn = _rotation(direction)
    size = torch.stack([scale + along, scale - along], -1).exp()
    return turn * size[:, None] @ turn.transpose(1, 2)


def _grid(size: int, device: torch.device) -> Tensor:
    """Positions of the samples of a patch with its margin, x and y from the center in pixels, shape (N, 2)."""
    count = (size + 2 * _BORDER) * _FINER
    steps = (torch.arange(count, device=device) + 0.5) / _FINER - (size + 2 * _BORDER) / 2
    return torch.cartesian_prod(steps, steps).flip(1)


def _brightness(
    images: Tensor, points: Tensor, upright: Tensor, places: Tensor, behind: _Background, motion: Tensor
) -> Tensor:
    """The brightness of the texture, and of the background beyond the edge, around points, shape (B, N)."""
    texel = torch.baddbmm(points[:, None], places, upright.transpose(1, 2))
    edge = (behind.distance < _NO_EDGE).nonzero()[:, 0]
    beyond = places[edge] @ behind.normal[edge, :, None] > behind.distance[edge, None, None]
    other = behind.place[edge, None] + (places[edge] - motion[edge, None]) @ upright[edge].transpose(1, 2)
    texel[edge] = torch.where(beyond, other, texel[edge])
    # Sample image by image, from textures padded periodically by a texel.
    whole = F.pad(images[:, None], (0, 1, 0, 1), mode="circular")
    grid = texel.remainder_(_TEXTURE_SIZE).mul_(2 / _TEXTURE_SIZE).sub_(1).unflatten(0, (len(images), -1))
    return F.grid_sample(whole, grid, align_corners=True).reshape(len(points), -1)


def _sensor(seen: Tensor, blur: Tensor, size: int) -> Tensor:
    """Integrate samples to pixels with a Gaussian blur of ``blur`` pixels, shape (B, size, size)."""
    count = (size + 2 * _BORDER) * _FINER
    taps = (torch.arange(2 * _BORDER * _FINER + _FINER, device=seen.device) + 0.5) / _FINER - _BORDER - 0.5
    kernel = torch.exp(-0.5 * taps.square() / (blur.square() + 1 / 12)[:, None])
    kernel = (kernel / kernel.sum(1, keepdim=True))[:, None]
    rows = F.conv2d(seen.reshape(1, -1, count, count), kernel[..., None], stride=(_FINER, 1), groups=len(seen))
    return F.conv2d(rows, kernel[:, :, None], stride=(1, _FINER), groups=len(seen))[0]


def _exposed(rng: Generator, patch: Tensor) -> Tensor:
    """Random exposure, gamma, black level and noise, rounded to eight bits."""
    count = len(patch)
    draw = rand(rng, 4, count, 1, 1).to(patch.device)
    gamma, gain = torch.exp(0.6 * draw[0] - 0.3), torch.exp(0.8 * draw[1] - 0.5)
    level, grain = 0.1 * draw[2] - 0.05, 0.03 * draw[3].square()
    exposed = gain * patch.clamp(min=1e-3).pow(gamma) + level
    return ((exposed + grain * noise(rng, *patch.shape).to(patch.device)).clamp(0, 1) * 255).round() / 255
