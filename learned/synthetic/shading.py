"""Render images with exact depth from shapes, materials and light: ray casting, filtered textures, sun and shadow.

Radiance depends on the position in the world only (except for faint highlights), so that views are consistent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .cameras import PinholeCameras
from .shapes import NO_HIT, Shape, Triple, transform

PROBES = 2
"""Texture look-ups along the longer axis of a pixel's footprint."""


@dataclass(frozen=True)
class Material:
    """The material of a shape.

    Attributes:
        texture: index of the texture.
        density: texels per unit of the world.
        offset: of the texture's origin in texels.
        tint: factor on the texture's colors (linear light).
        gloss: strength of highlights, 0 for none.
        shine: exponent of the highlight (Blinn 1977).
        stains: strength of slow variations of brightness, 0 for none, which hide the repetition of the texture.
    """

    texture: int
    density: float
    offset: tuple[float, float]
    tint: tuple[float, float, float]
    gloss: float = 0.0
    shine: float = 20.0
    stains: float = 0.0


@dataclass(frozen=True, eq=False)
class Light:
    """A sun and a sky. Colors are linear RGB.

    Attributes:
        toward_sun: unit vector in the world, shape (3,).
        sun, sky, ground: colors of the sun's light, of the light from above and of that from below.
    """

    toward_sun: np.ndarray
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Rendering:
    """The images, depths and normals of views.

    Attributes:
        radiance: linear RGB, shape (V, 3, H, W).
        depth: exact z-depth at pixel centers, 0 for sky, shape (V, H, W).
        normal: in the camera's frame and facing it, 0 for sky, shape (V, H, W, 3).
    """

    radiance: Tensor
    depth: Tensor
    normal: Tensor


class Atlas:
    """Textures with their mip levels (Williams 1983) in one table, for filtered look-ups.

    Args:
        textures: linear RGB, tileable, shape (N, 3, S, S), S a power of two.

    Attributes:
        means: mean brightness of each texture, shape (N,).
    """

    def __init__(self, textures: Tensor):
        self.size = textures.shape[-1]
        self.levels = int(math.log2(self.size)) - 1
        rows, level = [], textures
        starts = [0]
        for _ in range(self.levels):
            rows.append(level.permute(0, 2, 3, 1).reshape(-1, 3))
            starts.append(starts[-1] + len(rows[-1]))
            level = _halved(level)
        self.starts = torch.tensor(starts, dtype=torch.int32, device=textures.device)
        self.table = torch.cat(rows)
        self.means = level.mean(dim=(1, 2, 3))

    def look_up(self, texture: int, u: Tensor, v: Tensor, footprint: Tensor) -> Tensor:
        """Trilinear look-ups.

        Args:
            texture: index of the texture.
            u, v: position in texels of the finest level, shape (N, K) for K probes that are averaged.
            footprint: filter width in texels, shape (N,).

        Returns: linear RGB, shape (N, 3).
        """
        level = torch.log2(footprint.clamp(min=1.0)).clamp(max=self.levels - 1.001)
        lower = level.floor()
        blend = (level - lower)[:, None] / u.shape[1]
        indices, weights = [], []
        for step, share in ((0, 1 / u.shape[1] - blend), (1, blend)):
            at = lower.int() + step
            size = torch.bitwise_right_shift(torch.full_like(at, self.size), at)[:, None]
            scale = torch.exp2(-lower - step)[:, None]
            x, y = u * scale - 0.5, v * scale - 0.5
            column, row = x.floor(), y.floor()
            fx, fy = x - column, y - row
            last = size - 1
            left, top = column.int() & last, row.int() & last
            right, below = (left + 1) & last, (top + 1) & last
            start = self.starts[at][:, None] + texture * size * size
            top, below = start + top * size, start + below * size
            indices += [top + left, top + right, below + left, below + right]
            heavy = share * fy
            light = share - heavy
            light_right, heavy_right = light * fx, heavy * fx
            weights += [light - light_right, light_right, heavy - heavy_right, heavy_right]
        return F.embedding_bag(
            torch.cat(indices, dim=1), self.table, mode="sum", per_sample_weights=torch.cat(weights, dim=1)
        )


def render(
    shapes: list[Shape], materials: list[Material], atlas: Atlas, light: Light, views: PinholeCameras
) -> Rendering:
    """Render the shapes, each with its material, in every view."""
    device = atlas.table.device
    directions = torch.stack([views.directions(view, device) for view in range(len(views))])
    depth, which = _trace(shapes, views, directions)
    # Sort pixels by the shape they see, so that those of a shape are contiguous; the sky comes first.
    ordered, order = torch.sort(which.reshape(-1), stable=True)
    first = torch.searchsorted(ordered, torch.arange(len(shapes) + 1, dtype=ordered.dtype, device=device)).tolist()
    rays = directions.permute(1, 0, 2, 3).reshape(3, -1).index_select(1, order)
    seen = depth.reshape(-1).index_select(0, order)
    view = order // (views.width * views.height)
    centers = torch.tensor(views.centers.T, dtype=torch.float32, device=device)
    point = centers.index_select(1, view) + rays * seen
    focal = torch.tensor(views.intrinsics[:, 0, 0], dtype=torch.float32, device=device)
    pixel = seen / focal.index_select(0, view)

    parts = [
        _surface(shape, material, atlas, light, point[:, start:stop], rays[:, start:stop], pixel[start:stop])
        for shape, material, start, stop in zip(shapes, materials, first, first[1:], strict=False)
        if start < stop
    ]
    normal, albedo, openness = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    sky = first[0]
    gloss = torch.tensor([[m.gloss, m.shine] for m in materials], device=device).T.index_select(1, ordered[sky:].long())
    lit = _shade(shapes, light, point[:, sky:], normal, rays[:, sky:], albedo, openness, gloss)

    shape = (3, len(views), views.height, views.width)
    radiance = torch.empty_like(rays).index_copy_(1, order, torch.cat([_sky(rays[:, :sky], light), lit], dim=1))
    picture = radiance.reshape(shape).transpose(0, 1).contiguous()
    world = torch.zeros_like(rays).index_copy_(1, order[sky:], normal).reshape(shape)
    in_camera = [_rotated(*pair) for pair in zip(views.rotations, world.transpose(0, 1), strict=True)]
    return Rendering(_softened(picture, which), depth, torch.stack(in_camera).permute(0, 2, 3, 1).contiguous())


def _trace(shapes: list[Shape], views: PinholeCameras, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Depth (V, H, W), 0 where nothing is met, and index of the shape met, -1 for none."""
    count, _, height, width = directions.shape
    depth = torch.full((count, height, width), NO_HIT, device=directions.device)
    which = torch.full((count, height, width), -1, dtype=torch.int8, device=directions.device)
    for view, center in enumerate(views.centers):
        origin = (float(center[0]), float(center[1]), float(center[2]))
        for index, shape in enumerate(shapes):
            rows, columns = _window(shape, views, view)
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            x, y, z = directions[view, :, rows, columns].reshape(3, -1)
            nearest, met = depth[view, rows, columns], which[view, rows, columns]
            t = shape.intersect(origin, (x, y, z), nearest.reshape(-1)).reshape(nearest.shape)
            nearer = t < nearest
            met.masked_fill_(nearer, index)
            torch.minimum(nearest, t, out=nearest)
    return torch.where(which >= 0, depth, 0.0), which


def _window(shape: Shape, views: PinholeCameras, view: int) -> tuple[slice, slice]:
    """The rows and columns of a view in which the shape can be seen."""
    pixels, depth = views.project(view, shape.corners())
    if depth.min() < 0.05:
        return slice(0, views.height), slice(0, views.width)
    low = np.floor(pixels.min(axis=0)).astype(int)
    high = np.ceil(pixels.max(axis=0)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, [views.width, views.height])
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _surface(
    shape: Shape, material: Material, atlas: Atlas, light: Light, point: Tensor, ray: Tensor, pixel: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of hits: unit normal facing the camera in the world (3, N), albedo (3, N), and openness to sun and sky (2, N)."""
    device = point.device
    place = shape.local((point[0], point[1], point[2]))
    outward = _unit(shape.normal(place))
    toward = _unit(_rotated(shape.rotation.T, ray))
    cosine = (outward * toward).sum(dim=0)

    # The texture is laid on from the side that the surface faces most.
    nx, ny, nz = outward.abs()
    by_x, by_y = (nx >= ny) & (nx >= nz), (ny > nx) & (ny >= nz)
    # A pixel covers 1 across and 1 / slant along the direction in which the surface recedes.
    slant = cosine.abs().clamp(min=0.05)
    along = toward - cosine * outward
    width = pixel * material.density
    length = width / slant
    along = along * (length / along.square().sum(dim=0).sqrt().clamp(min=1e-6))
    reach = torch.tensor([(k + 0.5) / PROBES - 0.5 for k in range(PROBES)], device=device)
    x, y, z = (
        torch.as_tensor(local) * (float(size) * material.density) for local, size in zip(place, shape.size, strict=True)
    )
    u = torch.where(by_x, z, x) + material.offset[0]
    v = torch.where(by_y, z, y) + material.offset[1]
    u = u[:, None] + torch.where(by_x, along[2], along[0])[:, None] * reach
    v = v[:, None] + torch.where(by_y, along[2], along[1])[:, None] * reach
    footprint = torch.maximum(width, length / PROBES)
    albedo = atlas.look_up(material.texture, u, v, footprint).T * torch.tensor(material.tint, device=device)[:, None]
    if material.stains > 0:
        slow = 0.19
        stain = atlas.look_up(material.texture, u[:, :1] * slow, v[:, :1] * slow, footprint * slow).mean(dim=1)
        albedo = albedo * (1 + material.stains * (stain / atlas.means[material.texture] - 1)).clamp(min=0.2)
    sun = light.toward_sun
    openness = shape.openness(place, shape.inward((float(sun[0]), float(sun[1]), float(sun[2]))))
    return _rotated(shape.rotation, outward * -torch.sign(cosine)), albedo, openness


def _shade(
    shapes: list[Shape],
    light: Light,
    point: Tensor,
    normal: Tensor,
    ray: Tensor,
    albedo: Tensor,
    openness: Tensor,
    gloss: Tensor,
) -> Tensor:
    """Radiance of surfaces under sun and sky, shape (3, N)."""
    device = point.device
    sun, sky, ground = (torch.tensor(c, device=device)[:, None] for c in (light.sun, light.sky, light.ground))
    toward = torch.tensor(light.toward_sun, dtype=torch.float32, device=device)[:, None]
    facing = (normal * toward).sum(dim=0)
    direct = facing.clamp(min=0) * openness[0] * ~_in_shadow(shapes, light, point + 1e-3 * normal, facing > 0)
    ambient = openness[1] * torch.lerp(ground, sky, 0.5 + 0.5 * normal[1])
    half = _unit(toward - _unit(ray))
    highlight = gloss[0] * (half * normal).sum(dim=0).clamp(min=0) ** gloss[1] * (direct > 0)
    return albedo * (ambient + sun * direct) + sun * highlight


def _in_shadow(shapes: list[Shape], light: Light, point: Tensor, lit: Tensor) -> Tensor:
    """Whether a shape occludes the sun at points (3, N), tested only where ``lit``, shape (N,)."""
    shadow = torch.zeros_like(lit)
    x, y, z = (float(value) for value in light.toward_sun)
    for shape in shapes:
        if shape.background:
            continue
        cx, cy, cz = (float(value) for value in shape.center)
        px, py, pz = point[0] - cx, point[1] - cy, point[2] - cz
        ahead = px * x + py * y + pz * z
        aside = px * px + py * py + pz * pz - ahead * ahead
        near = torch.nonzero(lit & (aside < shape.radius**2) & (ahead < shape.radius)).squeeze(1)
        if len(near) == 0:
            continue
        origin: Triple = (point[0, near], point[1, near], point[2, near])
        shadow[near] |= shape.intersect(origin, (x, y, z)) < NO_HIT
    return shadow


def _sky(rays: Tensor, light: Light) -> Tensor:
    up = _unit(rays)[1].clamp(0, 1)
    sky = torch.tensor(light.sky, device=rays.device)[:, None]
    return 1.6 * torch.lerp(sky.mean().expand_as(sky), sky, up)


def _softened(picture: Tensor, which: Tensor) -> Tensor:
    """Blur pixels at the border of two shapes, as a sensor does; the inside of shapes does not change."""
    border = torch.zeros_like(which, dtype=torch.bool)
    down, right = which[:, 1:] != which[:, :-1], which[:, :, 1:] != which[:, :, :-1]
    border[:, 1:] |= down
    border[:, :-1] |= down
    border[:, :, 1:] |= right
    border[:, :, :-1] |= right
    padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    rows = 0.6 * padded[..., 1:-1, :] + 0.2 * (padded[..., :-2, :] + padded[..., 2:, :])
    blurred = 0.6 * rows[..., 1:-1] + 0.2 * (rows[..., :-2] + rows[..., 2:])
    return torch.where(border[:, None], blurred, picture)


def _rotated(rotation: np.ndarray, vectors: Tensor) -> Tensor:
    """Vectors (3, N) rotated by a matrix."""
    x, y, z = vectors
    return torch.stack([torch.as_tensor(value) for value in transform(rotation, (x, y, z))])


def _unit(vectors: Tensor) -> Tensor:
    """Vectors (3, N) of length 1; the library's norm over the first axis is a hundred times slower."""
    return vectors * torch.rsqrt(vectors.square().sum(dim=0).clamp(min=1e-24))


def _halved(textures: Tensor) -> Tensor:
    """Half the size by a binomial filter of four taps, periodic."""
    kernel = torch.tensor([1.0, 3.0, 3.0, 1.0], device=textures.device) / 8
    count = textures.shape[1]
    padded = F.pad(textures, (1, 1, 1, 1), mode="circular")
    rows = F.conv2d(padded, kernel.reshape(1, 1, 4, 1).expand(count, 1, 4, 1), stride=(2, 1), groups=count)
    return F.conv2d(rows, kernel.reshape(1, 1, 1, 4).expand(count, 1, 1, 4), stride=(1, 2), groups=count)
