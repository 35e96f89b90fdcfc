"""A picture of a run's mesh from one of its photos' places: colored at the left, bare at the right.

    python benchmarks/mesh_picture.py OUT PHOTO PICTURE [--width 900] [--back 0.1] [--aside 0.1]

OUT is the folder of a run with a mesh. The camera may step back and aside, in parts of the distance to the middle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.formats.ply import read_mesh_ply
from diptych.stages.peers.open3d import open3d

LIGHT = np.array([-0.4, -0.6, -0.7])
"""Towards the light in the camera's frame."""


def main() -> None:
    """Cast a ray through every pixel, shade, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("photo")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=900)
    parser.add_argument("--back", type=float, default=0.0)
    parser.add_argument("--aside", type=float, default=0.0)
    arguments = parser.parse_args()
    scene, mesh = read_colmap(arguments.out / "sparse"), read_mesh_ply(arguments.out / "mesh.ply")
    photo = scene.names.index(arguments.photo)
    camera, rotation, center = scene.camera(photo), scene.rotations[photo], scene.centers[photo]
    seen = scene.points[scene.obs_point[scene.obs_photo == photo]]
    distance = np.median((seen - center) @ rotation[2])
    center = center - rotation[2] * distance * arguments.back + rotation[0] * distance * arguments.aside

    scale = 2 * arguments.width / camera.width
    width, height = round(camera.width * scale), round(camera.height * scale)
    x, y = np.meshgrid((np.arange(width) + 0.5) / scale, (np.arange(height) + 0.5) / scale)
    turn = np.arctan(arguments.aside)
    turned = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]) @ rotation
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.matrix).T @ turned
    surface = open3d.t.geometry.RaycastingScene()
    surface.add_triangles(np.array(mesh.vertices), np.array(mesh.triangles, np.uint32))
    hits = surface.cast_rays(np.concatenate([np.broadcast_to(center, rays.shape), rays], axis=-1).astype(np.float32))
    hit = np.isfinite(hits["t_hit"].numpy())
    corners = mesh.triangles[hits["primitive_ids"].numpy()[hit]]
    u, v = hits["primitive_uvs"].numpy()[hit].T
    weights = np.stack([1 - u - v, u, v], axis=-1)[..., None]
    normals = (mesh.normals[corners] * weights).sum(axis=1) @ turned.T
    shade = 0.25 + 0.75 * np.clip(normals @ LIGHT / np.linalg.norm(LIGHT), 0, 1)

    colored, bare = np.full((height, width, 3), 250.0), np.full((height, width, 3), 250.0)
    colored[hit] = (mesh.colors[corners] * weights).sum(axis=1)
    bare[hit] = shade[:, None] * np.array([225, 220, 210])
    halves = [cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in (colored, bare)]
    picture = np.hstack(halves).round().astype(np.uint8)
    cv2.imwrite(str(arguments.picture), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
