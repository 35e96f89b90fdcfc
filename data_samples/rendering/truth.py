"""The truth beside the photos: cameras, a sample of surface points with all their observations, and the mesh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from diptych.stages.scene import Camera, Scene

from .camera_path import Views
from .modeling.meshes import Mesh

POINTS_A_VIEW = 100
TOLERANCE = 1e-3
"""A point is seen if its depth differs from the depth map by at most this share of it."""


def true_scene(
    views: Views,
    names: Sequence[str],
    size: tuple[int, int],
    depths: Sequence[np.ndarray],
    colors: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> Scene:
    """The exact cameras, and surface points under random pixels with their exact projections.

    Args:
        depths, colors: z-depth (H, W) and RGB (H, W, 3) of the surface under the pixel centers of every view.
    """
    width, height = size
    k = views.lens.matrix(width, height)
    points, point_colors = [], []
    for index, (depth, color) in enumerate(zip(depths, colors, strict=True)):
        rows, columns = np.nonzero(depth > 0)
        chosen = np.sort(rng.choice(len(rows), POINTS_A_VIEW, replace=False))
        rows, columns = rows[chosen], columns[chosen]
        pixels = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], axis=1)
        in_camera = pixels @ np.linalg.inv(k).T * depth[rows, columns, None]
        points.append((in_camera - views.translations[index]) @ views.rotations[index])
        point_colors.append(color[rows, columns])
    world, rgb = np.concatenate(points), np.concatenate(point_colors)

    in_cameras = np.einsum("nij,pj->pni", views.rotations, world) + views.translations
    z = in_cameras[..., 2]
    xy = (in_cameras @ k.T)[..., :2] / z[..., None]
    seen = np.stack([_visible(depth, xy[:, n], z[:, n]) for n, depth in enumerate(depths)], axis=1)
    kept = seen.sum(axis=1) >= 2
    obs_point, obs_photo = np.nonzero(seen[kept])
    by_photo = np.argsort(obs_photo, kind="stable")
    obs_keypoint = np.empty_like(obs_photo)
    obs_keypoint[by_photo] = np.concatenate([np.arange(n) for n in np.bincount(obs_photo, minlength=len(views))])
    return Scene(
        cameras=(Camera("PINHOLE", width, height, (k[0, 0], k[1, 1], k[0, 2], k[1, 2]), "calibrated"),),
        names=tuple(names),
        camera_of=np.zeros(len(views), np.int32),
        rotations=views.rotations,
        translations=views.translations,
        points=world[kept],
        colors=rgb[kept],
        errors=np.zeros(int(kept.sum())),
        obs_photo=obs_photo,
        obs_point=obs_point,
        obs_xy=xy[kept][seen[kept]],
        obs_keypoint=obs_keypoint,
    )


def _visible(depth: np.ndarray, xy: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Whether points (P,) at pixels ``xy`` (P, 2) lie on the surface that a view sees, away from its edges."""
    height, width = depth.shape
    column, row = (np.floor(xy - 0.5) * (z > 0)[:, None]).astype(int).T
    inside = (z > 0) & (column > 0) & (row > 0) & (column < width - 2) & (row < height - 2)
    column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    around = np.stack([depth[row + i, column + j] for i in (0, 1) for j in (0, 1)])
    low, high = around.min(axis=0), around.max(axis=0)
    smooth = (low > 0) & (high < 1.01 * low)
    return inside & smooth & (z > low * (1 - TOLERANCE)) & (z < high * (1 + TOLERANCE))


def welded(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in float32 and triangles (F, 3), the vertices at one place merged and empty triangles gone."""
    vertices, index = np.unique(np.float32(mesh.vertices), axis=0, return_inverse=True)
    triangles = index.reshape(-1)[mesh.faces]
    whole = (np.diff(np.sort(triangles, axis=1), axis=1) > 0).all(axis=1)
    return vertices, triangles[whole]
