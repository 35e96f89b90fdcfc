"""Sample number N of a seed, and exact correspondences between its views."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .cameras import PinholeCameras, bundle, perturb_poses
from .draws import chance, choice, generator, log_uniform, uniform, whole
from .layouts import THINGS, Layout, Mix, layout
from .photography import develop, expose, photograph
from .shading import Atlas, Light, Material, render
from .shapes import Shape
from .textures import texture

_FLATTENING = 0.6, 0.97
"""Share by which the contrast of a plain texture is reduced."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Views of a scene, on one device.

    Attributes:
        images: sRGB in [0, 1], view 0 is the reference, then the sources, roughly best first, shape (V, 3, H, W).
        intrinsics: K with pixel centers at halves, shape (V, 3, 3).
        rotations, translations: ``cam_from_world``, shapes (V, 3, 3) and (V, 3).
        depth: exact z-depth of the first D views at pixel centers, 0 where a ray meets nothing, shape (D, H, W).
        normal: in the camera's frame and facing the camera, 0 where a ray meets nothing, shape (D, H, W, 3).
        near, far: the depth range of the reference, as from a sparse model.
    """

    images: Tensor
    intrinsics: Tensor
    rotations: Tensor
    translations: Tensor
    depth: Tensor
    normal: Tensor
    near: float
    far: float


@dataclass(frozen=True, eq=False)
class PixelCorrespondences:
    """Positions of the pixel centers of one view in another.

    Attributes:
        xy: position in the other view in pixels, shape (H, W, 2).
        depth: z-depth in the other view, shape (H, W).
        visible: whether the other view sees the point, shape (H, W).
    """

    xy: Tensor
    depth: Tensor
    visible: Tensor


def sample(
    number: int,
    *,
    seed: int,
    views: int = 5,
    width: int = 256,
    height: int = 192,
    depth_views: int = 1,
    device: torch.device | str = "cpu",
    augment: bool = True,
    pose_noise: float = 0.1,
    mix: Mix = THINGS,
    plain: float = 0.0,
    same_material: float = 0.0,
) -> Sample:
    """Sample ``number`` of ``seed``: the same for the same arguments.

    Args:
        views: the reference and its sources, at least 1.
        depth_views: how many views get depth and normals.
        augment: whether to augment the images (:func:`~diptych.learned.synthetic.photography.photograph`) and to
            perturb the cameras; else clean images and exact cameras.
        pose_noise: largest error of the cameras, in pixels of reprojection; half of the samples have none.
        mix: kinds of arrangements and how often each is drawn.
        plain: share of nearly uniform textures, such as painted walls.
        same_material: share of the shapes with the material of the previous one, such as the parts of a building.

    Raises:
        ValueError: ``depth_views`` is not between 1 and ``views``.
    """
    if not 1 <= depth_views <= views:
        raise ValueError(f"sample: expected 1 <= depth_views <= views, got {depth_views} of {views} views")
    device = torch.device(device)
    rng = generator(seed, number)
    plan = layout(rng, device, mix)
    cameras = bundle(rng, views, width, height, plan.toward, plan.fronts)
    shapes = [shape for shape in plan.shapes if shape.background or not _blocks_view(shape, cameras)]
    count = whole(rng, 2, 4)
    # About as many texels as the image has pixels across.
    size = min(max(1 << (width - 1).bit_length(), 64), 512)
    textures = torch.stack([_flattened(rng, texture(rng, size, device), plain) for _ in range(count)])
    materials = _materials(rng, len(shapes), count, width, same_material)
    rendering = render(shapes, materials, Atlas(textures**2.2), _light(rng, plan), cameras)
    if augment:
        images = photograph(rng, rendering.radiance)
        if chance(rng, 0.5):
            cameras = perturb_poses(rng, cameras, uniform(rng, 0.0, pose_noise))
    else:
        images = develop(expose(rendering.radiance, torch.ones(views)))
    scale = log_uniform(rng, 0.2, 20.0)
    depth = rendering.depth[:depth_views] * scale
    near, far = _range(rng, depth[0])
    return Sample(
        images=images,
        intrinsics=torch.tensor(cameras.intrinsics, dtype=torch.float32, device=device),
        rotations=torch.tensor(cameras.rotations, dtype=torch.float32, device=device),
        translations=torch.tensor(cameras.translations * scale, dtype=torch.float32, device=device),
        depth=depth,
        normal=rendering.normal[:depth_views],
        near=near,
        far=far,
    )


def correspondences(sample: Sample, first: int = 0, second: int = 1, tolerance: float = 0.003) -> PixelCorrespondences:
    """Exact matches of every pixel center of view ``first`` in view ``second``.

    Both need depth (``depth_views``). A point is visible where it falls inside the other image and the depth there,
    taken at the surrounding pixel centers, is its own within ``tolerance`` (relative); so pixels next to an occluding
    border count as hidden. The cameras must be exact (``augment=False`` or ``pose_noise=0``).
    """
    depth, other = sample.depth[first], sample.depth[second]
    height, width = depth.shape
    x = torch.arange(width, device=depth.device) + 0.5
    y = torch.arange(height, device=depth.device) + 0.5
    pixels = torch.stack([x.expand(height, width), y[:, None].expand(height, width), torch.ones_like(depth)], dim=-1)
    k1, k2 = sample.intrinsics[first].double(), sample.intrinsics[second].double()
    r1, r2 = sample.rotations[first].double(), sample.rotations[second].double()
    t1, t2 = sample.translations[first].double(), sample.translations[second].double()
    points = pixels.double() @ torch.linalg.inv(k1).T * depth[..., None]
    points = (points - t1) @ r1 @ r2.T + t2
    z = points[..., 2]
    xy = (points @ k2.T)[..., :2] / z[..., None].clamp(min=1e-9)
    inside = (z > 0) & (xy >= 0.5).all(dim=-1)
    inside &= (xy[..., 0] <= width - 0.5) & (xy[..., 1] <= height - 0.5)
    grid = torch.stack([xy[..., 0] / width * 2 - 1, xy[..., 1] / height * 2 - 1], dim=-1)
    # Inverse depth is linear on a plane, so its interpolation is exact there; sky is infinitely far.
    inverse = torch.where(other > 0, 1 / other.clamp(min=1e-9), 0.0)[None, None].double()
    there = F.grid_sample(inverse, grid[None], align_corners=False, padding_mode="border")[0, 0]
    visible = inside & (depth > 0) & ((there * z - 1).abs() < tolerance)
    return PixelCorrespondences(xy.float(), z.float(), visible)


def _range(rng: Generator, depth: Tensor) -> tuple[float, float]:
    """About 0.8 times the 1st and 1.25 times the 99th percentile of the depths, with random factors."""
    known = depth[depth > 0]
    low, high = torch.quantile(
        known[:: max(1, len(known) // 8192)], torch.tensor([0.01, 0.99], device=depth.device)
    ).tolist()
    return low * uniform(rng, 0.65, 0.9), high * log_uniform(rng, 1.1, 1.6)


def _flattened(rng: Generator, image: Tensor, plain: float) -> Tensor:
    """A texture, with the probability ``plain`` nearly of one color."""
    # Draw nothing if plain is 0, so that such samples do not depend on it; the same for same_material.
    if not plain or not chance(rng, plain):
        return image
    return torch.lerp(image, image.mean(dim=2, keepdim=True).mean(dim=1, keepdim=True), uniform(rng, *_FLATTENING))


def _blocks_view(shape: Shape, cameras: PinholeCameras) -> bool:
    """Whether a shape is so near to a camera that it would fill its view."""
    distance = np.linalg.norm(cameras.centers - shape.center, axis=1)
    return bool((distance - shape.radius < 0.3 * np.linalg.norm(cameras.centers, axis=1)).any())


def _materials(rng: Generator, shapes: int, textures: int, width: int, same_material: float) -> list[Material]:
    """One for each shape, with the probability ``same_material`` that of the previous shape."""
    found: list[Material] = []
    for _ in range(shapes):
        same = found and same_material and chance(rng, same_material)
        found.append(found[-1] if same else _material(rng, textures, width))
    return found


def _material(rng: Generator, textures: int, width: int) -> Material:
    """A random material with texels about as large as pixels, since photographs are sharp."""
    tone = log_uniform(rng, 0.6, 1.2)
    return Material(
        texture=whole(rng, 0, textures - 1),
        density=width * log_uniform(rng, 0.5, 2.2),
        offset=(uniform(rng, 0, 512), uniform(rng, 0, 512)),
        tint=(tone * log_uniform(rng, 0.85, 1.15), tone, tone * log_uniform(rng, 0.85, 1.15)),
        gloss=uniform(rng, 0.02, 0.25) if chance(rng, 0.3) else 0.0,
        shine=log_uniform(rng, 5, 60),
        stains=uniform(rng, 0.2, 0.8) if chance(rng, 0.35) else 0.0,
    )


def _light(rng: Generator, plan: Layout) -> Light:
    """From an overcast sky to hard sunshine, the sun on the side of the cameras."""
    azimuth, height = uniform(rng, -1.2, 1.2), uniform(rng, 0.35, 1.3)
    front = math.atan2(plan.toward[0], plan.toward[2])
    toward = np.array(
        [math.cos(height) * math.sin(front + azimuth), math.sin(height), math.cos(height) * math.cos(front + azimuth)]
    )
    sun = choice(rng, (0.0, uniform(rng, 0.3, 1.0), uniform(rng, 1.0, 2.5)), (0.2, 0.4, 0.4))
    warm, cold = uniform(rng, 0.0, 0.2), uniform(rng, 0.0, 0.25)
    sky, below = uniform(rng, 0.4, 0.8), uniform(rng, 0.15, 0.5)
    return Light(
        toward,
        (sun * (1 + warm), sun, sun * (1 - warm)),
        (sky * (1 - cold), sky, sky * (1 + cold)),
        (below * (1 + warm / 2), below, below * (1 - warm / 2)),
    )
