"""COLMAP's dense workspace, the input of COLMAP's fusion and meshing, OpenMVS and others.

Layout::

    images/NAME                                 photos without distortion
    sparse/{cameras,images,points3D}.bin        their pinhole cameras and poses, and the points that they see
    stereo/depth_maps/NAME.geometric.bin        z-depth, 0 where there is none
    stereo/normal_maps/NAME.geometric.bin       unit normals in the camera's frame, facing the camera
    stereo/patch-match.cfg, stereo/fusion.cfg   neighbors of each photo, and photos to fuse

A map is the text ``width&height&channels&`` and then float32, plane by plane, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..dense import DepthMap, Neighbors, View
from ..geometry.projection import undistort
from ..scene import Camera, Scene
from .colmap import write_colmap


def write_colmap_dense(
    folder: str | Path,
    scene: Scene,
    views: Mapping[str, View],
    depths: Mapping[str, DepthMap],
    neighbors: Neighbors | None = None,
) -> None:
    """Write a dense workspace. Views and depth maps are read one at a time; missing ones are left out.

    Args:
        folder: made if it does not exist.
        scene: the model that the views belong to.
        views, depths: by the photo's name.
        neighbors: of the photos in the order of ``views``; without them COLMAP chooses.
    """
    folder = Path(folder)
    stereo = folder / "stereo"
    for each in (folder / "images", stereo / "depth_maps", stereo / "normal_maps", stereo / "consistency_graphs"):
        each.mkdir(parents=True, exist_ok=True)
    cameras: dict[str, Camera] = {}
    fused = []
    for name in views:
        view = views[name]
        if view.missing:
            continue
        cameras[name] = view.camera
        _write_image(folder / "images" / name, view.image)
        depth = depths.get(name)
        if depth is not None and not depth.missing:
            fused.append(name)
            write_colmap_map(stereo / "depth_maps" / f"{name}.geometric.bin", depth.depth)
            write_colmap_map(stereo / "normal_maps" / f"{name}.geometric.bin", depth.normal)
    write_colmap(pinhole_scene(scene, cameras), folder / "sparse", binary=True)
    sources = _sources(list(views), cameras, neighbors)
    (stereo / "patch-match.cfg").write_text("".join(f"{name}\n{sources[name]}\n" for name in cameras), "utf-8")
    (stereo / "fusion.cfg").write_text("".join(f"{name}\n" for name in fused), "utf-8")


def pinhole_scene(scene: Scene, cameras: Mapping[str, Camera]) -> Scene:
    """The part of a model that some photos see, with their cameras and observations undistorted.

    Args:
        scene: the model.
        cameras: the pinhole camera of each photo to keep, by its name.
    """
    kept = np.array([name in cameras for name in scene.names], np.bool_)
    names = tuple(name for name in scene.names if name in cameras)
    distinct = tuple(dict.fromkeys(cameras[name] for name in names))
    seen = kept[scene.obs_photo]
    points, obs_point = np.unique(scene.obs_point[seen], return_inverse=True)
    photo, xy = scene.obs_photo[seen], scene.obs_xy[seen].copy()
    for i, name in enumerate(scene.names):
        if kept[i]:
            mine, camera = photo == i, cameras[name]
            xy[mine] = undistort(scene.camera(i), xy[mine]) * camera.focal_lengths + camera.principal_point
    return Scene(
        cameras=distinct,
        names=names,
        camera_of=np.array([distinct.index(cameras[name]) for name in names]),
        rotations=scene.rotations[kept],
        translations=scene.translations[kept],
        points=scene.points[points],
        colors=scene.colors[points],
        errors=scene.errors[points],
        obs_photo=(np.cumsum(kept) - 1)[photo],
        obs_point=obs_point,
        obs_xy=xy,
        obs_keypoint=scene.obs_keypoint[seen],
    )


def write_colmap_map(path: str | Path, values: np.ndarray) -> None:
    """Write a depth map (H, W) or a normal map (H, W, 3) in single precision."""
    path = Path(path)
    planes = np.moveaxis(np.atleast_3d(np.asarray(values, "<f4")), 2, 0)
    channels, height, width = planes.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"{width}&{height}&{channels}&".encode() + planes.tobytes())


def read_colmap_map(path: str | Path) -> np.ndarray:
    """Read a depth map as (H, W) or a normal map as (H, W, 3), float32.

    Raises:
        ValueError: no such map, or one that ends early.
    """
    data = Path(path).read_bytes()
    try:
        width, height, channels = map(int, data.split(b"&", 3)[:3])
        start = len(f"{width}&{height}&{channels}&")
        planes = np.frombuffer(data, "<f4", offset=start).reshape(channels, height, width)
    except ValueError as error:
        raise ValueError(f"{path}: expected a map as COLMAP writes it: {error}") from error
    return planes[0] if channels == 1 else np.ascontiguousarray(np.moveaxis(planes, 0, 2))


def _write_image(path: Path, image: np.ndarray) -> None:
    """Write in the format of the name's suffix; JPEG at high quality, as the pixels may be matched again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(path.suffix, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    path.write_bytes(encoded.tobytes())


def _sources(photos: Sequence[str], written: Mapping[str, Camera], neighbors: Neighbors | None) -> dict[str, str]:
    """The line of ``patch-match.cfg`` with the neighbors of each photo."""
    if neighbors is None:
        return dict.fromkeys(photos, "__auto__, 20")
    of = {name: [photos[int(j)] for j in neighbors.of(i)] for i, name in enumerate(photos)}
    return {name: ", ".join(source for source in sources if source in written) for name, sources in of.items()}
