"""Procedural, tileable textures with detail down to the pixel.

A texture is made of layers. A layer is a scalar field in [0, 1] (noise, dead leaves, masonry, stripes, strokes, ...)
colored by a palette; layers are blended through masks, and fine grain covers all. Every field is periodic.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .draws import chance, choice, log_uniform, mean, noise, rand, uniform, whole

Field = Callable[[Generator, int, torch.device], Tensor]


def texture(generator: Generator, size: int, device: torch.device | str = "cpu") -> Tensor:
    """One texture as sRGB values in [0, 1], shape (3, S, S).

    Args:
        generator: a generator on the CPU.
        size: S in texels; even, at least 32.
    """
    device = torch.device(device)
    image = _colored(generator, choice(generator, _GROUNDS, _GROUND_WEIGHTS)(generator, size, device))
    for _ in range(choice(generator, (0, 1, 2), (0.3, 0.45, 0.25))):
        image = torch.lerp(image, _colored(generator, _any(generator, size, device)), _mask(generator, size, device))
    if chance(generator, 0.35):
        image = image * (1 - uniform(generator, 0.2, 0.8) * lines(generator, size, device))
    image = image * _grain(generator, size, device)
    return image.clamp_(0.02, 0.98)


def fractal(generator: Generator, size: int, device: torch.device, exponent: float | None = None) -> Tensor:
    """Noise whose amplitude spectrum falls as 1 / frequency ** exponent (1 is that of natural images), shape (S, S)."""
    exponent = uniform(generator, 0.9, 2.4) if exponent is None else exponent
    half = size // 2 + 1
    spectrum = torch.view_as_complex(noise(generator, size, half, 2).to(device))
    y = torch.fft.fftfreq(size, device=device)[:, None] * size
    x = torch.arange(half, device=device)[None]
    stretch = log_uniform(generator, 0.4, 2.5) if chance(generator, 0.3) else 1.0
    frequency = ((x * stretch).square() + (y / stretch).square()).clamp_(min=1.0)
    field = torch.fft.irfft2(spectrum * frequency.pow(-exponent / 2), s=(size, size))
    field = field - mean(field)
    return torch.sigmoid(1.6 * field / mean(field.square()).sqrt().clamp(min=1e-9))


def dead_leaves(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Overlapping opaque shapes of many sizes (Lee, Mumford and Huang 2001), large ones first, shape (S, S)."""
    y, x = _grid(size, device)
    field = torch.full((size, size), uniform(generator, 0.0, 1.0), device=device)
    counts = sorted(round(log_uniform(generator, 3, size / 5)) for _ in range(whole(generator, 6, 14)))
    for count in counts:
        # One leaf in every cell of a shifted lattice: dense, cheap and periodic.
        u = (x + uniform(generator, 0, 1)) * count
        v = (y + uniform(generator, 0, 1)) * count
        column, row = u.floor(), v.floor()
        cell = ((row % count) * count + column % count).long()
        radius, dx, dy, value, slope = rand(generator, 5, count * count).to(device)[:, cell]
        radius = 0.12 + 0.36 * radius
        u = (u - column - 0.5 - (2 * dx - 1) * (0.5 - radius)) / radius
        v = (v - row - 0.5 - (2 * dy - 1) * (0.5 - radius)) / radius
        if chance(generator, 0.7):
            inside = u.square() + v.square() < 1
        else:
            inside = torch.maximum(u.abs(), (v * uniform(generator, 1.0, 2.0)).abs()) < 1
        field = torch.where(inside, (value + 0.25 * (slope - 0.5) * (u + v)).clamp_(0, 1), field)
    return field


def masonry(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Bricks or tiles: rows of blocks of their own tone with joints between, shape (S, S)."""
    y, x = _grid(size, device)
    rows = whole(generator, 2, 9) * 2
    columns = max(2, round(rows / log_uniform(generator, 0.8, 3.5)))
    shift = choice(generator, (0.0, 0.5, 0.33))
    row = (y * rows).floor()
    u = x * columns + shift * (row % 2)
    column = u.floor() % columns
    wobble = 0.02 * (fractal(generator, size, device, 1.8) - 0.5)
    joint = uniform(generator, 0.02, 0.12)
    edge_x = ((u + wobble * columns) % 1 - 0.5).abs() * 2
    edge_y = ((y * rows + wobble * rows) % 1 - 0.5).abs() * 2
    inside = ((1 - edge_x) > joint * columns / rows) & ((1 - edge_y) > joint)
    tone = rand(generator, rows * columns).to(device)[(row * columns + column).long()]
    spread = uniform(generator, 0.1, 0.7)
    rough = 0.3 * (fractal(generator, size, device) - 0.5)
    return torch.where(inside, 0.6 + spread * (tone - 0.5) + rough, torch.as_tensor(0.08, device=device)).clamp_(0, 1)


def stones(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Cells of a Voronoi diagram (Worley 1996) with joints between: cobbles, cracked mud, shape (S, S)."""
    y, x = _grid(size, device)
    count = whole(generator, 5, 24)
    u, v = x * count, y * count
    column, row = u.floor().long(), v.floor().long()
    jitter = rand(generator, 3, count * count).to(device)
    first = torch.full((size, size), 9.0, device=device)
    second, tone = first.clone(), first.clone()
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            cell = ((row + down) % count) * count + (column + right) % count
            dx, dy, value = jitter[:, cell]
            distance = (column + right + dx - u).square() + (row + down + dy - v).square()
            nearer = distance < first
            second = torch.where(nearer, first, torch.minimum(second, distance))
            tone = torch.where(nearer, value, tone)
            first = torch.where(nearer, distance, first)
    gap = second.sqrt() - first.sqrt()
    joint = uniform(generator, 0.02, 0.15)
    rough = 0.3 * (fractal(generator, size, device) - 0.5)
    return ((0.3 + 0.6 * tone + rough) * (gap / joint).clamp(0, 1)).clamp_(0, 1)


def waves(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Wood and marble: sine waves bent by noise, shape (S, S)."""
    y, x = _grid(size, device)
    phase = whole(generator, 0, 12) * x + whole(generator, 1, 12) * y
    bend = uniform(generator, 0.3, 3.0) * fractal(generator, size, device, uniform(generator, 2.2, 3.5))
    wave = torch.sin(2 * math.pi * (phase + bend))
    return (0.5 + 0.35 * wave + 0.3 * (fractal(generator, size, device, 1.2) - 0.5)).clamp_(0, 1)


def checks(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Stripes or a checkerboard: the strictly repeated pattern, shape (S, S)."""
    y, x = _grid(size, device)
    across, down = whole(generator, 1, 20), whole(generator, 0, 20)
    share = uniform(generator, 0.2, 0.8)
    if chance(generator, 0.5):
        return (((across * x + down * y) % 1) < share).float()
    return ((((across * x) % 1) < share) ^ (((max(down, 1) * y) % 1) < share)).float()


def strokes(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Lines of random glyphs, like writing: dark strokes on a light ground, shape (S, S)."""
    lines_count = whole(generator, max(2, size // 40), size // 14)
    letters = round(lines_count * log_uniform(generator, 1.0, 2.0))
    glyphs = F.pad((rand(generator, lines_count, letters, 5, 3) < 0.55).float(), (0, 1, 1, 2))
    words = (rand(generator, lines_count, letters) < 0.85).float()[..., None, None]
    tall, wide = lines_count * 8, letters * 4
    page = (glyphs * words).permute(0, 2, 1, 3).reshape(1, 1, tall, wide)
    page = F.pad(page, (1, 1, 1, 1), mode="circular").to(device)
    y, x = _grid(size, device)
    at = torch.stack([(x * wide + 1) / (wide + 2), (y * tall + 1) / (tall + 2)], dim=-1) * 2 - 1
    ink = F.grid_sample(page, at[None], mode="bilinear", align_corners=False)[0, 0]
    return 1 - ((ink - 0.5) * 4 + 0.5).clamp(0, 1)


def lines(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Cracks and scratches: the thin level lines of noise, 1 on a line and 0 beside it, shape (S, S)."""
    field = fractal(generator, size, device, uniform(generator, 2.0, 3.2))
    level = uniform(generator, 0.35, 0.65)
    slope = (field - field.roll(1, 0)).abs() + (field - field.roll(1, 1)).abs()
    return (1 - (field - level).abs() / (slope * uniform(generator, 0.5, 1.5)).clamp(min=1e-4)).clamp_(0, 1)


def speckle(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Dots and grains: the peaks of slightly smoothed white noise, shape (S, S)."""
    field = fractal(generator, size, device, uniform(generator, 0.2, 1.0))
    return ((field - uniform(generator, 0.55, 0.8)) * 8).clamp_(0, 1)


def flat(generator: Generator, size: int, device: torch.device) -> Tensor:
    """A faint, slow gradient, shape (S, S)."""
    return 0.5 + uniform(generator, 0.02, 0.2) * (fractal(generator, size, device, 3.0) - 0.5)


_GROUNDS: tuple[Field, ...] = (fractal, dead_leaves, masonry, stones, waves, checks, strokes, speckle, flat)
_GROUND_WEIGHTS = (0.26, 0.22, 0.13, 0.11, 0.08, 0.05, 0.05, 0.04, 0.06)


def _any(generator: Generator, size: int, device: torch.device) -> Tensor:
    return choice(generator, _GROUNDS)(generator, size, device)


def _grid(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns of the texel centers in [0, 1)."""
    steps = (torch.arange(size, device=device) + 0.5) / size
    return steps[:, None].expand(size, size), steps[None].expand(size, size)


def _mask(generator: Generator, size: int, device: torch.device) -> Tensor:
    """A weight in [0, 1]: patches with more or less soft borders."""
    field = fractal(generator, size, device, uniform(generator, 1.6, 3.2))
    sharpness = log_uniform(generator, 2.0, 30.0)
    return ((field - uniform(generator, 0.35, 0.7)) * sharpness + 0.5).clamp_(0, 1) * uniform(generator, 0.5, 1.0)


def _grain(generator: Generator, size: int, device: torch.device) -> Tensor:
    """Fine detail as a factor around 1."""
    strength = choice(generator, (0.06, 0.2, 0.4, 0.7), (0.2, 0.35, 0.3, 0.15))
    return 1 + strength * (fractal(generator, size, device, uniform(generator, 0.5, 1.6)) - 0.5)


def _colored(generator: Generator, field: Tensor) -> Tensor:
    """The field mapped to a palette of two related colors, shape (3, S, S)."""
    colors = torch.stack([_color(generator) for _ in range(2)])
    if chance(generator, 0.6):
        # Real materials are mostly one hue, darker and lighter.
        colors[0] = colors[1] * uniform(generator, 0.2, 0.6)
    if chance(generator, 0.3):
        colors = colors.flip(0)
    low, high = colors.to(field.device)[:, :, None, None]
    return torch.lerp(low, high, field[None])


def _color(generator: Generator) -> Tensor:
    """One sRGB color: brightness anywhere, saturation mostly low, warm hues more often, shape (3,)."""
    value = uniform(generator, 0.25, 0.95)
    saturation = uniform(generator, 0.0, 1.0) ** 2 * 0.8
    hue = 0.09 + 0.08 * (uniform(generator, -1, 1)) if chance(generator, 0.6) else uniform(generator, 0.0, 1.0)
    wheel = (torch.tensor([0.0, 2 / 3, 1 / 3]) + hue) % 1
    pure = ((wheel - 0.5).abs() * 6 - 1).clamp(0, 1)
    return value * (1 - saturation * (1 - pure))
