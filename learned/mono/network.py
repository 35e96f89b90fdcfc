"""A small encoder-decoder network for depth and its expected error from one image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 32
"""Images are padded to a multiple of this."""

_WIDTHS = 16, 24, 40, 64, 96
"""Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image."""

_BLOCKS = 1, 2, 2, 3, 3
_GROWTH = 3
_MEAN, _SPREAD = 0.45, 0.25
"""Mean and standard deviation of the brightness of photographs."""

_LOG_ERRORS = -6.0, 2.0

_PLANES = (
    (1.0, 0.0, 0.0),
    (0.6, 0.0, 0.0),
    (0.4, 0.0, 1.0),
    (0.4, 0.0, -1.0),
    (0.6, 0.6, 0.0),
    (0.6, -0.6, 0.0),
    (0.8, 0.3, 0.0),
    (0.8, -0.3, 0.0),
)
"""Initial planes: inverse depth at (x, y) = 0 and its slopes along x and y. Walls ahead, a floor, a ceiling, and walls
at both sides."""

_HIDDEN = 128
"""Width of the hidden layer that predicts the planes."""

_FARTHEST, _SHARPNESS = 0.02, 4.0
"""Smallest inverse depth of a plane, and the beta of the softplus there."""


class MonoDepth(nn.Module):
    """Log-depth and its expected error from an image and the directions in which its pixels look.

    Inverted residuals (Sandler et al. 2018, MobileNetV2) down to 1/32 of the image with global pooling there, then
    up-convolutions with skips (Ronneberger et al. 2015, U-Net) to 1/2. The pooled features predict a few planes; every
    pixel predicts its assignment to them and its offset (after Liu et al. 2018, PlaneNet), since most of what people
    build is flat, and the slope of a wall is visible in the whole image only. The rays give the network the focal
    length, without which a small near object looks like a large far one (Facil et al. 2019, CAM-Convs). Group
    normalization makes the depth independent of the rest of the batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(5, _WIDTHS[0], 3, stride=2, padding=1)
        narrower = (_WIDTHS[0], *_WIDTHS[:-1])
        self.encoder = nn.ModuleList(
            nn.Sequential(
                *(_Residual(inner if i == 0 else width, width, 2 if i == 0 and width != inner else 1) for i in range(n))
            )
            for inner, width, n in zip(narrower, _WIDTHS, _BLOCKS, strict=True)
        )
        self.whole = nn.Linear(_WIDTHS[-1], _WIDTHS[-1])
        self.decoder = nn.ModuleList(
            _Up(coarse, fine) for coarse, fine in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(_WIDTHS[0], 2 + len(_PLANES), 3, padding=1)
        last = nn.Linear(_HIDDEN, 3 * len(_PLANES))
        self.planes = nn.Sequential(nn.Linear(_WIDTHS[-1], _HIDDEN), nn.ReLU(), last)
        for parameter in (*self.head.parameters(), last.weight):
            nn.init.zeros_(parameter)
        with torch.no_grad():
            last.bias.copy_(torch.tensor(_PLANES).flatten())

    def forward(self, image: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
        """Depth of every pixel, up to the scale of the scene.

        Args:
            image: RGB from 0 to 1, any size, shape (B, 3, H, W).
            rays: (x, y) of the direction (x, y, 1) of every pixel, shape (B, 2, H, W).

        Returns:
            The logarithm of z, and that of its expected absolute error, each of shape (B, H, W).
        """
        height, width = image.shape[-2:]
        features = torch.cat([(image - _MEAN) / _SPREAD, rays], dim=1)
        features = functional.pad(features, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        features = self.stem(features.contiguous(memory_format=torch.channels_last))
        skips = []
        for level in self.encoder:
            features = level(features)
            skips.append(features)
        whole = features.mean(dim=(2, 3))
        features = features + self.whole(whole)[:, :, None, None]
        for up, skip in zip(self.decoder, skips[-2::-1], strict=True):
            features = up(features, skip)
        found = functional.interpolate(self.head(features), scale_factor=2, mode="bilinear", align_corners=False)
        offset, log_error, *logits = found[..., :height, :width].unbind(dim=1)
        inverse = _inverse_depths(self.planes(whole).unflatten(1, (-1, 3)), rays)
        log_depth = offset - (torch.stack(logits, dim=1).softmax(dim=1) * inverse.log()).sum(dim=1)
        return log_depth, log_error.clamp(*_LOG_ERRORS)


def _inverse_depths(planes: Tensor, rays: Tensor) -> Tensor:
    """Inverse depth along rays (B, 2, H, W), affine in (x, y) on planes (B, K, 3) but bounded below (B, K, H, W)."""
    inverse = planes[..., 0, None, None] + torch.einsum("bkc,bchw->bkhw", planes[..., 1:], rays)
    return functional.softplus(inverse, beta=_SHARPNESS) + _FARTHEST


class _Residual(nn.Module):
    """Inverted residual: expand, depthwise convolution, project; with a skip where the shapes are equal."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        wide = _GROWTH * inner
        self.residual = inner == outer and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(inner, wide, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, wide, 3, stride=stride, padding=1, groups=wide, bias=False),
            nn.GroupNorm(8, wide),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, outer, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        changed = self.layers(features)
        return features + changed if self.residual else changed


class _Up(nn.Module):
    """Upsample coarse features by 2 and add the skip of the encoder."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarse, fine, 1)
        self.mix = nn.Sequential(nn.Conv2d(fine, fine, 3, padding=1, bias=False), nn.GroupNorm(8, fine), nn.ReLU())

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        up = functional.interpolate(self.narrow(coarse), scale_factor=2, mode="bilinear", align_corners=False)
        return self.mix(up + fine)
