"""Augmentations that simulate a camera.

Images are float32, shape (V, 3, H, W); before :func:`develop` in linear light, after it in sRGB from 0 to 1.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import ive
from torch import Generator, Tensor

from .draws import chance, choice, log_uniform, mean, noise, normal, uniform


def photograph(generator: Generator, radiance: Tensor) -> Tensor:
    """All augmentations with random strengths: mostly good photographs, some mediocre ones."""
    views = len(radiance)
    mild = chance(generator, 0.6)
    spread = 0.05 if mild else 0.2
    image = expose(radiance, _drawn(generator, views, spread) * log_uniform(generator, 0.7, 1.4))
    balance = torch.stack([_drawn(generator, views, spread / 3) for _ in range(3)], dim=1)
    image = white_balance(image, balance)
    if chance(generator, 0.3):
        image = vignette(image, uniform(generator, 0.05, 0.35))
    widest = choice(generator, (0.35, 0.6, 1.1), (0.5, 0.35, 0.15))
    image = blur(image, [uniform(generator, 0.2, widest) for _ in range(views)])
    image = develop(image, log_uniform(generator, 0.85, 1.2))
    if chance(generator, 0.4):
        image = sharpen(image, uniform(generator, 0.2, 0.9))
    image = grain(generator, image, log_uniform(generator, 0.001, 0.012 if mild else 0.03))
    if chance(generator, 0.7):
        image = jpeg(image, uniform(generator, 60 if mild else 40, 97))
    return (image.clamp(0, 1) * 255).round_() / 255


def expose(radiance: Tensor, gain: Tensor) -> Tensor:
    """Scale the mean brightness of view 0 to middle gray, and each view by its gain (V,)."""
    bright = mean(radiance[0]).clamp(min=1e-6)
    return radiance * (0.22 / bright * gain.to(radiance.device)[:, None, None, None])


def white_balance(image: Tensor, gains: Tensor) -> Tensor:
    """Scale each color of each view by its gain (V, 3)."""
    return image * gains.to(image.device)[:, :, None, None]


def vignette(image: Tensor, loss: float) -> Tensor:
    """Darker towards the corners, by ``loss`` (0..1) at the corners."""
    height, width = image.shape[-2:]
    y = torch.linspace(-1, 1, height, device=image.device)[:, None]
    x = torch.linspace(-1, 1, width, device=image.device)[None]
    return image * (1 - loss * (x * x + y * y) / 2)


def blur(image: Tensor, sigma: list[float]) -> Tensor:
    """Gaussian blur of the lens, sigma in pixels for each view.

    The kernel is the discrete Gaussian (Lindeberg 1990), which has the variance asked for also below a pixel.
    """
    reach = max(1, math.ceil(3 * max(sigma)))
    at = np.abs(np.arange(-reach, reach + 1))
    kernels = torch.tensor(ive(at, np.square(sigma)[:, None]), dtype=torch.float32)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).to(image.device).repeat_interleave(3, 0)
    views, _, height, width = image.shape
    stacked = image.reshape(1, views * 3, height, width)
    stacked = F.conv2d(
        F.pad(stacked, (0, 0, reach, reach), mode="replicate"), kernels[:, None, :, None], groups=3 * views
    )
    stacked = F.conv2d(F.pad(stacked, (reach, reach, 0, 0), mode="replicate"), kernels[:, None, None], groups=3 * views)
    return stacked.reshape(image.shape)


def develop(image: Tensor, contrast: float = 1.0) -> Tensor:
    """Linear light to sRGB in [0, 1] (gamma 2.2), highlights rolled off softly, then contrast around the middle."""
    # Identity in the shadows, 1 reached smoothly at about four times middle gray and beyond.
    image = image.clamp(min=0)
    image = torch.where(image < 0.5, image, 1 - 0.5 * torch.exp(1 - 2 * image))
    return ((image.clamp(min=1e-5) ** (1 / 2.2) - 0.5) * contrast + 0.5).clamp(0, 1)


def sharpen(image: Tensor, amount: float) -> Tensor:
    """Unsharp mask, as cameras apply it."""
    return (image + amount * (image - blur(image, [1.0] * len(image)))).clamp(0, 1)


def grain(generator: Generator, image: Tensor, sigma: float) -> Tensor:
    """Noise of the sensor, stronger where it is bright and shared a little between neighbors, as by demosaicing.

    Args:
        sigma: standard deviation at half brightness.
    """
    views, colors, height, width = image.shape
    drawn = noise(generator, views, colors, height + 1, width + 1).to(image.device)
    shared = drawn[..., 1:, :-1] + drawn[..., :-1, 1:]
    return image + sigma * (0.5 + image) * (0.8 * drawn[..., :-1, :-1] + 0.6 / math.sqrt(2) * shared)


def jpeg(image: Tensor, quality: float) -> Tensor:
    """The loss of JPEG: 8x8 cosine transform of luma and chroma, quantized by the standard's tables.

    Args:
        quality: 1 to 100, by libjpeg's scale.
    """
    height, width = image.shape[-2:]
    transform, tables, to_luma, from_luma = (t.to(image.device) for t in _jpeg_constants())
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    steps = (tables * scale).clamp(min=1 / 255)
    padded = F.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")
    views, _, rows, columns = padded.shape
    color = _mixed(to_luma, padded)
    blocks = color.reshape(views, 3, rows // 8, 8, columns // 8, 8).transpose(3, 4)
    frequencies = transform @ blocks @ transform.T
    step = steps[None, :, None, None]
    blocks = transform.T @ ((frequencies / step).round() * step) @ transform
    color = blocks.transpose(3, 4).reshape(views, 3, rows, columns)
    return _mixed(from_luma, color)[..., :height, :width].clamp(0, 1)


def _mixed(matrix: Tensor, image: Tensor) -> Tensor:
    """Each color as a mixture of all three, by a matrix (3, 3)."""
    red, green, blue = image.unbind(dim=1)
    return torch.stack([row[0] * red + row[1] * green + row[2] * blue for row in matrix], dim=1)


@lru_cache(maxsize=1)
def _jpeg_constants() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The cosine transform (8, 8), quantization (3, 8, 8) in units of white, and colors to YCbCr and back."""
    k = torch.arange(8, dtype=torch.float64)
    transform = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / 16) / 2
    transform[0] /= math.sqrt(2)
    # Annex K of the JPEG standard (ITU T.81).
    luma = [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
    chroma = torch.full((8, 8), 99.0)
    chroma[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
    tables = torch.stack([torch.tensor(luma, dtype=torch.float32), chroma, chroma]) / 255
    to_luma = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    return transform.float(), tables, to_luma, torch.linalg.inv(to_luma)


def _drawn(generator: Generator, count: int, spread: float) -> Tensor:
    return torch.tensor([math.exp(normal(generator, spread)) for _ in range(count)])
