"""Render a sample scene: ``python data_samples/render.py --scene facade``.

Needs the development extra ``render`` (Mitsuba 3). Writes photos and truth to a cache folder and prints its name; those
of the courtyard replace the committed ones beside this script.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from diptych.stages.formats.colmap import write_colmap
from diptych.stages.formats.depth import write_depth
from diptych.stages.formats.normals import write_normals
from diptych.stages.formats.ply import write_ply
from rendering import photo, renderer, truth
from rendering.modeling.meshes import joined
from rendering.scenes import courtyard, facade, lion, room, thicket, village

SCENES = {
    module.__name__.rpartition(".")[2]: module.build for module in (courtyard, facade, lion, room, thicket, village)
}


def folder_of(scene: str) -> Path:
    """The default output folder of a scene."""
    if scene == "courtyard":
        return Path(__file__).parent / scene
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "diptych" / "scenes" / scene


def main() -> None:
    parser = argparse.ArgumentParser(description="Path-trace a sample scene: photos, cameras, depth, normals and mesh.")
    parser.add_argument("--scene", choices=SCENES, default="courtyard")
    parser.add_argument("--out", type=Path, help="folder to write to (default: a cache folder)")
    paths = "light paths per pixel to the sun and as many to the sky, a multiple of 16"
    parser.add_argument("--samples", type=int, default=16, help=paths)
    parser.add_argument("--size", type=int, nargs=2, default=(960, 640), metavar=("WIDTH", "HEIGHT"))
    only = "render photos of these views only, counted from 0; without numbers, of none"
    parser.add_argument("--views", type=int, nargs="*", help=only)
    given = parser.parse_args()

    scene = SCENES[given.scene]()
    out = given.out or folder_of(scene.name)
    print(out, flush=True)
    photos, truths = out / "photos", out / "truth"
    for folder in (photos, truths / "depth", truths / "normals"):
        folder.mkdir(parents=True, exist_ok=True)

    size = tuple(given.size)
    names = [f"{scene.name}_{number:02d}.jpg" for number in range(1, len(scene.views) + 1)]
    world = renderer.load(scene)
    surfaces = [renderer.surface(world, scene.views, index, size) for index in range(len(names))]
    depths, normals, colors = zip(*surfaces, strict=True)
    for name, depth, normal in zip(names, depths, normals, strict=True):
        write_depth(truths / "depth" / f"{Path(name).stem}.png", depth)
        write_normals(truths / "normals" / f"{Path(name).stem}.png", normal)
    rng = np.random.default_rng(11)
    write_colmap(truth.true_scene(scene.views, names, size, depths, colors, rng), truths, binary=False)
    vertices, triangles = truth.welded(joined([part.mesh for part in scene.parts]))
    write_ply(truths / "mesh.ply", vertices, faces=triangles)

    for index in given.views if given.views is not None else range(len(names)):
        light = renderer.radiance(world, scene.views, index, size, given.samples)
        pixels = photo.develop(light, scene.exposure, np.random.default_rng((7, index)))
        photo.save(photos / names[index], pixels, scene.views.lens, index)
        print(names[index], flush=True)


if __name__ == "__main__":
    main()
