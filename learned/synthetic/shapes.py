"""Solid shapes and their intersections with rays: boxes, surfaces of revolution and reliefs.

A shape is a simple solid in its own frame, placed by a rotation, a center and one size per axis. Rays are triples of
coordinates, each a tensor or a plain number, so that one function serves camera rays (one origin, many directions)
and shadow rays (many origins, one direction). Directions need not have length 1: the answer is the ray parameter t of
``origin + t * direction``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Number: TypeAlias = "Tensor | float"
Triple: TypeAlias = tuple[Number, Number, Number]

NO_HIT = float("inf")
"""The ray parameter of a ray without intersection."""

_NEAR = 1e-4


@dataclass(frozen=True, eq=False)
class Shape(ABC):
    """A solid placed in the world.

    Attributes:
        rotation: world_from_local, shape (3, 3).
        center: in the world, shape (3,).
        size: half extents along the local axes, shape (3,).
        background: whether it bounds the scene, such as a wall or the ground: all cameras are in front of its face
            towards local +z, and it casts no shadow on other shapes.
    """

    rotation: np.ndarray
    center: np.ndarray
    size: np.ndarray
    background: bool = False

    def intersect(self, origin: Triple, direction: Triple, within: Number = NO_HIT) -> Tensor:
        """The ray parameter of the first hit in front of the origin, ``NO_HIT`` where there is none, shape (N,).

        Hits beyond ``within`` may be omitted.
        """
        return self._meet(self.local(origin), self.inward(direction), within)

    @abstractmethod
    def normal(self, point: Triple) -> Tensor:
        """The outward normal in the local frame, not normalized, at points given in local units, shape (3, N)."""

    def openness(self, point: Triple, toward_sun: Triple) -> Tensor:
        """Visibility of the sun and of the sky from the surface, as occluded by the shape itself, shape (2, N).

        Args:
            point: on the surface, in local units.
            toward_sun: in local units.
        """
        x = torch.as_tensor(point[0])
        return torch.ones(2, len(x), device=x.device)

    @property
    def face(self) -> np.ndarray:
        """The plane (n, d) of the side towards local +z: ``n x = d``, n outwards, shape (4,)."""
        outward = self.rotation[:, 2]
        return np.append(outward, outward @ self.center + self.size[2])

    def corners(self) -> np.ndarray:
        """The corners of the bounding box in the world, shape (8, 3)."""
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(8, 3)
        return self.center + (signs * self.size) @ self.rotation.T

    @property
    def radius(self) -> float:
        """Of the bounding sphere."""
        return float(np.linalg.norm(self.size))

    def local(self, point: Triple) -> Triple:
        """Points of the world in the local frame, in units of the size."""
        return self.inward(_minus(point, self.center))

    def inward(self, direction: Triple) -> Triple:
        """Directions of the world in the local frame, in units of the size."""
        return transform(self.rotation.T / self.size[:, None], direction)

    @abstractmethod
    def _meet(self, origin: Triple, direction: Triple, within: Number) -> Tensor:
        """:meth:`intersect` in the local frame."""


class Box(Shape):
    """The cube [-1, 1]^3 in the local frame."""

    def _meet(self, origin: Triple, direction: Triple, within: Number) -> Tensor:
        near, far = _slabs(origin, direction)
        t = torch.where(near > _NEAR, near, far)
        return torch.where((near <= far) & (t > _NEAR), t, NO_HIT)

    def normal(self, point: Triple) -> Tensor:
        p = torch.stack([torch.as_tensor(value) for value in point])
        return torch.where(p.abs() == p.abs().amax(dim=0), p.sign(), 0.0)


@dataclass(frozen=True, eq=False)
class Revolution(Shape):
    """A solid of revolution x² + y² <= a + b z + c z² with |z| <= 1 and flat ends.

    Sphere (1, 0, -1), cylinder (1, 0, 0), cone (1/4, -1/2, 1/4), and waists and bellies between them.
    """

    profile: tuple[float, float, float] = (1.0, 0.0, -1.0)

    def _meet(self, origin: Triple, direction: Triple, within: Number) -> Tensor:
        a, b, c = self.profile
        dx, dy, dz = direction
        # From the point of the ray nearest to the center the quadratic loses no digits.
        start = -_dot(origin, direction) / _dot(direction, direction)
        px, py, pz = (o + start * d for o, d in zip(origin, direction, strict=True))
        quadratic = dx * dx + dy * dy - c * dz * dz
        quadratic = quadratic + 1e-12
        half = px * dx + py * dy - (b / 2 + c * pz) * dz
        rest = px * px + py * py - a - b * pz - c * pz * pz
        root = torch.sqrt(torch.as_tensor(half * half - quadratic * rest))
        best = torch.full_like(root, NO_HIT)
        for sign in (-1, 1):
            offset = (sign * root - half) / quadratic
            inside = (pz + offset * dz).abs() <= 1
            t = start + offset
            best = torch.where(inside & (t > _NEAR) & (t < best), t, best)
        ox, oy, oz = origin
        for end, area in ((-1.0, a - b + c), (1.0, a + b + c)):
            if area > 1e-6:
                t = (end - oz) / (dz + 1e-12)
                x, y = ox + t * dx, oy + t * dy
                best = torch.where((x * x + y * y <= area) & (t > _NEAR) & (t < best), t, best)
        return best

    def normal(self, point: Triple) -> Tensor:
        _, b, c = self.profile
        x, y, z = (torch.as_tensor(value) for value in point)
        side = torch.stack([x / self.size[0], y / self.size[1], -(b / 2 + c * z) / self.size[2]])
        end = (z.abs() > 1 - 1e-4) & (self._area(z) - x * x - y * y > 1e-3)
        flat = torch.stack([torch.zeros_like(z), torch.zeros_like(z), z.sign()])
        return torch.where(end, flat, side)

    def _area(self, z: Tensor) -> Tensor:
        a, b, c = self.profile
        return a + b * z + c * z * z


@dataclass(frozen=True, eq=False)
class Relief(Shape):
    """A height field over the square [-1, 1]^2: facades with sills and niches, terrain, rubble.

    The solid fills -1 <= z <= height(x, y), heights lie in [-1, 1] and are interpolated bilinearly.

    Attributes:
        heights: one tile, repeating without a seam, shape (S, S), row by y.
        tiles: how often the tile repeats along x and y.
    """

    heights: Tensor | None = None
    tiles: tuple[float, float] = (1.0, 1.0)

    def _meet(self, origin: Triple, direction: Triple, within: Number) -> Tensor:
        near, far = _slabs(origin, direction)
        near = near.clamp(min=0.0)
        hits = torch.nonzero((near < far) & (near < within)).squeeze(1)
        result = torch.full_like(near, NO_HIT)
        if len(hits):
            rays = _RayMarch(self, _pick(origin, hits), _pick(direction, hits))
            result[hits] = rays.march(near[hits], far[hits])
        return result

    def openness(self, point: Triple, toward_sun: Triple) -> Tensor:
        assert self.heights is not None
        x, y, _ = point
        maps = torch.stack([self._sunlit(toward_sun), self._skylit()])
        maps = F.pad(maps[None], (0, 1, 0, 1), mode="circular")
        place = _pair([x * (self.tiles[0] / 2), y * (self.tiles[1] / 2)], self.heights)
        at = (place - place.floor()) * 2 - 1
        return F.grid_sample(maps, at[None, None], mode="bilinear", align_corners=True)[0, :, 0]

    def _sunlit(self, toward_sun: Triple) -> Tensor:
        """1 in the sun, 0 in the tile's own shadow, with a narrow penumbra, shape (S, S)."""
        assert self.heights is not None
        rise = float(toward_sun[2])
        if rise < 1e-3:
            return torch.zeros_like(self.heights)
        size = len(self.heights)
        at = torch.arange(size, device=self.heights.device) * (2 / size)
        x = (at / self.tiles[0]).expand(size, size).reshape(-1)
        y = (at / self.tiles[1])[:, None].expand(size, size).reshape(-1)
        top = self.heights.reshape(-1)
        rays = _RayMarch(self, (x, y, top), toward_sun)
        leave = (1 - top) / rise
        cover = torch.zeros_like(top)
        for step in range(1, 13):
            cover = torch.maximum(cover, -rays.above(leave * (step / 12) ** 1.5))
        return (1 - cover / 0.1).clamp(0, 1).reshape(size, size)

    def _skylit(self) -> Tensor:
        """Ambient visibility: 1 on heights, less the deeper a point is below its surroundings, shape (S, S)."""
        assert self.heights is not None
        size = len(self.heights)
        y = torch.fft.fftfreq(size, device=self.heights.device)[:, None] * size
        x = torch.arange(size // 2 + 1, device=self.heights.device)
        around = torch.fft.rfft2(self.heights) * torch.exp(-(x * x + y * y) / 128)
        depth = (torch.fft.irfft2(around, s=(size, size)) - self.heights) * float(self.size[2])
        width = 0.1 * float(self.size[0]) * 2 / self.tiles[0]
        return torch.exp(-1.5 * (depth / width).clamp(min=0))

    def height(self, x: Number, y: Number) -> Tensor:
        """Bilinear height at local positions, shape (N,)."""
        return _RayMarch(self, (x, y, 0.0), (0.0, 0.0, 0.0)).height(torch.as_tensor(x) * 0)

    def normal(self, point: Triple) -> Tensor:
        assert self.heights is not None
        x, y, z = (torch.as_tensor(value) for value in point)
        size = len(self.heights)
        u, v = x * (self.tiles[0] / 2) % 1.0 * size, y * (self.tiles[1] / 2) % 1.0 * size
        column, row = u.floor(), v.floor()
        fu, fv = u - column, v - row
        column, row = column.long() % size, row.long() % size
        right, down = (column + 1) % size, (row + 1) % size
        flat = self.heights.reshape(-1)
        h00, h01 = flat[row * size + column], flat[row * size + right]
        h10, h11 = flat[down * size + column], flat[down * size + right]
        slope_x = torch.lerp(h01 - h00, h11 - h10, fv) * (size * self.tiles[0] / 2)
        slope_y = torch.lerp(h10 - h00, h11 - h01, fu) * (size * self.tiles[1] / 2)
        sx, sy, sz = self.size
        top = torch.stack([-slope_x / sx, -slope_y / sy, torch.ones_like(z) / sz])
        p = torch.stack([x, y, z])
        side = (p.abs() > 1 - 1e-5) & (z < self.height(x, y) - 1e-3)
        return torch.where(side.any(dim=0), torch.where(side, p.sign(), 0.0), top)


class _RayMarch:
    """Ray marching in the local frame of a relief."""

    def __init__(self, relief: Relief, origin: Triple, direction: Triple):
        assert relief.heights is not None
        self.padded = F.pad(relief.heights[None, None], (0, 1, 0, 1), mode="circular")
        scale = [tiles / 2 for tiles in relief.tiles]
        self.start = _pair([o * s for o, s in zip(origin, scale, strict=False)], relief.heights)
        self.slope = _pair([d * s for d, s in zip(direction, scale, strict=False)], relief.heights)
        self.top, self.fall = origin[2], direction[2]

    def march(self, near: Tensor, far: Tensor) -> Tensor:
        """The first intersection: even steps of about 1.5 texels bracket it, secants and bisections refine it."""
        span = far - near
        count = self._steps(span)
        high = torch.full_like(near, NO_HIT)
        for step in range(1, count + 1):
            t = near + span * (step / count)
            high = torch.minimum(high, torch.where(self.above(t) < 0, t, NO_HIT))
        found = high < NO_HIT
        high = torch.where(found, high, far)
        low = high - span / count
        above, under = self.above(low), self.above(high)
        # A ray that enters through a side wall is below the surface at once.
        inside = above < 0
        for step in range(8):
            if step % 2 == 0:
                t = (low + high) / 2
            else:
                t = low + (high - low) * (above / (above - under).clamp(min=1e-9)).clamp(0, 1)
            value = self.above(t)
            below = value < 0
            high, under = torch.where(below, t, high), torch.where(below, value, under)
            low, above = torch.where(below, low, t), torch.where(below, above, value)
        t = torch.where(inside, near, torch.where(above < -under, low, high))
        return torch.where(found & (t > _NEAR), t, NO_HIT)

    def above(self, t: Tensor) -> Tensor:
        """Height of the ray above the surface at ``t``, in local units."""
        return self.top + t * self.fall - self.height(t)

    def height(self, t: Tensor) -> Tensor:
        """The bilinear height below or above the ray at ``t``."""
        at = self.start + t[:, None] * self.slope
        at = (at - at.floor()) * 2 - 1
        return F.grid_sample(self.padded, at[None, None], mode="bilinear", align_corners=True)[0, 0, 0]

    def _steps(self, span: Tensor) -> int:
        texels = (self.slope * span[:, None]).abs().sum(dim=1) * (self.padded.shape[-1] - 1)
        return int(texels[:: len(span) // 4096 + 1].quantile(0.98).div(1.5).clamp(4, 48).item())


def _pair(values: list[Number], like: Tensor) -> Tensor:
    """Two numbers or tensors side by side, shape (N, 2) or (1, 2)."""
    one, two = (torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(-1) for value in values)
    return torch.stack(torch.broadcast_tensors(one, two), dim=-1)


def _slabs(origin: Triple, direction: Triple) -> tuple[Tensor, Tensor]:
    """Ray parameters where rays enter and leave the cube [-1, 1]^3."""
    near, far = None, None
    for o, d in zip(origin, direction, strict=True):
        inverse = 1.0 / torch.as_tensor(d + 1e-12)
        one, two = (-1 - o) * inverse, (1 - o) * inverse
        low, high = torch.minimum(one, two), torch.maximum(one, two)
        near = low if near is None else torch.maximum(near, low)
        far = high if far is None else torch.minimum(far, high)
    assert near is not None and far is not None
    return near, far


def transform(matrix: np.ndarray, triple: Triple) -> Triple:
    """The product of a matrix (3, 3) with vectors, written out: a library's may round to fewer digits on a GPU."""
    x, y, z = triple
    first, second, third = (float(r[0]) * x + float(r[1]) * y + float(r[2]) * z for r in matrix)
    return first, second, third


def _minus(triple: Triple, center: np.ndarray) -> Triple:
    x, y, z = triple
    return x - float(center[0]), y - float(center[1]), z - float(center[2])


def _dot(one: Triple, two: Triple) -> Number:
    return one[0] * two[0] + one[1] * two[1] + one[2] * two[2]


def _pick(triple: Triple, index: Tensor) -> Triple:
    x, y, z = (value[index] if isinstance(value, Tensor) else value for value in triple)
    return x, y, z
