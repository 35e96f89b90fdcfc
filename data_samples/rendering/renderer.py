"""The path tracer: Mitsuba 3 behind three functions. Everything outside this file is NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .camera_path import Views
from .modeling.meshes import Mesh
from .photo import srgb
from .scene import Material, Part, SampleScene, Sky

mi: Any = import_module("mitsuba")  # its types depend on the variant that is chosen when the program runs
mi.set_variant("llvm_ad_rgb")

SAMPLES_A_PASS = 16
"""A pass is stratified within the pixel (correlated multi-jittered sampling), which halves the grain."""


@dataclass(frozen=True)
class World:
    """A scene in the path tracer's memory, once under the sun alone and once under the sky alone.

    Light adds up, so a photo is the sum of the two. Traced together, every path would have to choose one of them,
    and that choice alone makes most of the grain.
    """

    under_sun: Any
    under_sky: Any


def load(scene: SampleScene) -> World:
    """Hand a scene over to the path tracer."""
    shapes = {f"part{number}": _shape(part) for number, part in enumerate(scene.parts)}
    return World(_lit(shapes, scene.sky, sun=1.0, sky=0.0), _lit(shapes, scene.sky, sun=0.0, sky=1.0))


def radiance(world: World, views: Views, index: int, size: tuple[int, int], samples: int) -> np.ndarray:
    """Linear RGB (H, W, 3) of one view, box-filtered: ``samples`` paths a pixel to the sun and as many to the sky."""
    sensor = _sensor(views, index, size)
    passes = max(1, round(samples / SAMPLES_A_PASS))
    total = np.zeros((size[1], size[0], 3))
    for number in range(passes):
        for light in (world.under_sun, world.under_sky):
            image = mi.render(light, sensor=sensor, spp=SAMPLES_A_PASS, seed=1000 * index + number)
            total += np.array(image)[..., :3]
    return total / passes


def surface(world: World, views: Views, index: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What one ray through the center of every pixel meets.

    Returns:
        z-depth (H, W) and the unit normal of the triangle in the camera's frame (H, W, 3), facing the camera, both 0
        where nothing is hit, and the surface's own color in sRGB (H, W, 3), uint8.
    """
    width, height = size
    rotation, translation = views.rotations[index], views.translations[index]
    y, x = np.mgrid[:height, :width] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3) @ np.linalg.inv(views.lens.matrix(width, height)).T
    length = np.linalg.norm(rays, axis=1)
    directions = rays / length[:, None] @ rotation
    center = np.broadcast_to(-rotation.T @ translation, directions.shape)
    hit = world.under_sky.ray_intersect(
        mi.Ray3f(mi.Point3f(np.float32(center).T), mi.Vector3f(np.float32(directions).T))
    )
    distance = np.array(hit.t, dtype=np.float64)
    depth = np.where(np.isfinite(distance), distance / length, 0.0).reshape(height, width)
    normals = np.nan_to_num(np.array(hit.n, dtype=np.float64).T)
    normals *= np.where((normals * directions).sum(axis=1, keepdims=True) > 0, -1.0, 1.0)
    normals = (normals @ rotation.T).reshape(height, width, 3) * (depth > 0)[..., None]
    albedo = np.array(hit.bsdf().eval_diffuse_reflectance(hit, hit.is_valid())).T.reshape(height, width, 3)
    return depth, normals, (srgb(np.clip(albedo, 0, 1)) * 255 + 0.5).astype(np.uint8)


def _lit(shapes: dict[str, Any], light: Sky, sun: float, sky: float) -> Any:
    """The shapes under sun and sky of these relative strengths."""
    emitter = {
        "type": "sunsky",
        "sun_direction": list(light.sun_direction),
        "sun_aperture": light.sun_diameter,
        "turbidity": light.turbidity,
        "sun_scale": sun * light.sun,
        "sky_scale": sky,
    }
    return mi.load_dict({"type": "scene", "integrator": {"type": "path", "max_depth": 5}, "light": emitter, **shapes})


def _sensor(views: Views, index: int, size: tuple[int, int]) -> Any:
    """The view as Mitsuba's camera, whose x points left and y up where OpenCV's point right and down."""
    width, height = size
    k = views.lens.matrix(width, height)
    pose = np.eye(4)
    pose[:3, :3] = views.rotations[index].T * (-1, -1, 1)
    pose[:3, 3] = -views.rotations[index].T @ views.translations[index]
    return mi.load_dict(
        {
            "type": "perspective",
            "fov": float(np.degrees(2 * np.arctan(width / 2 / k[0, 0]))),
            "fov_axis": "x",
            "principal_point_offset_x": -(k[0, 2] - width / 2) / width,
            "principal_point_offset_y": -(k[1, 2] - height / 2) / height,
            "to_world": mi.ScalarTransform4f(pose),
            "sampler": {"type": "multijitter", "sample_count": SAMPLES_A_PASS},
            "film": {"type": "hdrfilm", "width": width, "height": height, "rfilter": {"type": "box"}},
        }
    )


def _shape(part: Part) -> Any:
    mesh: Mesh = part.mesh
    props = mi.Properties()
    props["bsdf"] = mi.load_dict(_bsdf(part.material))
    shape = mi.Mesh(
        part.name,
        len(mesh.vertices),
        len(mesh.faces),
        props=props,
        has_vertex_normals=part.smooth,
        has_vertex_texcoords=True,
    )
    values = mi.traverse(shape)
    values["vertex_positions"] = np.float32(mesh.vertices).ravel()
    values["faces"] = np.uint32(mesh.faces).ravel()
    values["vertex_texcoords"] = np.float32(mesh.uv * (1, -1) + (0, 1)).ravel()
    if part.smooth:
        values["vertex_normals"] = np.float32(mesh.normals()).ravel()
    values.update()
    return shape


def _bsdf(material: Material) -> dict[str, Any]:
    color = {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(material.texture))}
    if material.roughness >= 1.0:
        surface = {"type": "diffuse", "reflectance": color}
    else:
        surface = {"type": "principled", "base_color": color, "roughness": material.roughness, "specular": 0.5}
    return {"type": "twosided", "surface": surface}
