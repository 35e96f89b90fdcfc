"""Write the results of a run as files: models for COLMAP, depth maps as images, points, clouds and meshes.

The writer of COLMAP's dense folder imports Numba, so it is imported only when it is used.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...stages.failure import StageFailure
from ...stages.formats.bundler import write_bundler
from ...stages.formats.colmap import write_colmap
from ...stages.formats.depth import write_depth
from ...stages.formats.gltf import write_glb
from ...stages.formats.nerfstudio import write_nerfstudio
from ...stages.formats.obj import write_obj
from ...stages.formats.ply import write_cloud_ply, write_mesh_ply, write_ply
from ...stages.scene import Camera, Scene, Sparse
from ..engine.parameters import nearest
from .record import file_digest
from .values import Dense

T = TypeVar("T")

FORMATS = ("colmap", "ply", "nerfstudio", "bundler", "colmap-dense", "cloud", "mesh")

MESHES = {".ply": write_mesh_ply, ".obj": write_obj, ".glb": write_glb}
"""The writer of a mesh by the suffix of the file."""

FILES = ("run.json", "report.html", "references.bib", "points.ply", "cloud.ply", "mesh.ply", "mesh.glb")
"""What a run writes beside the folders ``sparse`` and ``depths``; ``run.json`` is removed first and written last."""

UNFINISHED = ".sparse.new"
"""The folder of models until all of them are written."""

MARKER = ".diptych"
"""An empty file in an output folder: a run wrote the files beside it, and the next run may remove them."""


def clear_outputs(out: Path) -> None:
    """Remove the files of an earlier run from an output folder.

    ``run.json`` is removed first and written last: where it exists, all other files are complete and of the same run.

    Raises:
        StageFailure: ``foreign-output`` if there are files of these names in a folder that no run has written to.
    """
    if not (out / MARKER).exists():
        foreign = [name for name in ("sparse", "depths", *FILES) if (out / name).exists()]
        if foreign:
            raise StageFailure(
                "foreign-output",
                f"{out} already holds {foreign[0]}, which no run of Diptych wrote there.",
                hint="Choose another --out, or remove it yourself.",
            )
    (out / MARKER).touch()
    for name in FILES:
        (out / name).unlink(missing_ok=True)
    for name in ("sparse", "depths", UNFINISHED):
        if (out / name).exists():
            shutil.rmtree(out / name)


def write_outputs(out: Path, sparse: Sparse, dense: Dense, threads: int = 1) -> dict[str, str]:
    """Write the results of a run.

    ``sparse/`` holds the largest model, and further ones in ``sparse/1`` and so on; ``points.ply`` its points.
    ``depths/NAME.png`` are depth maps as :mod:`diptych.stages.formats.depth` writes them, with a COLMAP text model of
    their pinhole cameras. ``cloud.ply`` and ``mesh.ply`` follow, and ``mesh.glb`` for a mesh with a texture.

    Args:
        out: the output folder, cleared by :func:`clear_outputs`.
        threads: number of depth maps to write at once.

    Returns:
        The digest of every file by its relative path.
    """
    for i, model in enumerate(sparse.models):
        write_colmap(model, out / UNFINISHED / str(i) if i else out / UNFINISHED, binary=True)
    (out / UNFINISHED).rename(out / "sparse")
    write_ply(out / "points.ply", sparse.scene.points, sparse.scene.colors)
    _write_depths(out / "depths", sparse.scene, dense, threads)
    if dense.cloud is not None:
        write_cloud_ply(dense.cloud, out / "cloud.ply")
    if dense.mesh is not None:
        write_mesh_ply(dense.mesh, out / "mesh.ply")
        if dense.mesh.is_textured:
            write_glb(dense.mesh, out / "mesh.glb")
    return {path.relative_to(out).as_posix(): file_digest(path) for path in _written(out)}


def _written(out: Path) -> Iterator[Path]:
    for folder in ("sparse", "depths"):
        yield from sorted(path for path in (out / folder).rglob("*") if path.is_file())
    yield from (out / name for name in FILES if (out / name).exists())


def _write_depths(folder: Path, scene: Scene, dense: Dense, threads: int) -> None:
    """Write the depth maps, and their cameras and poses."""

    def write(name: str) -> tuple[str, Camera] | None:
        depths, view = dense.depths[name], dense.views[name]
        if depths.missing or view.missing:
            return None
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_depth(path, depths.depth, effort=3)
        return name, view.camera

    with ThreadPoolExecutor(threads) as pool:
        cameras = dict(filter(None, pool.map(write, dense.depths)))
    if cameras:
        from ...stages.formats.colmap_dense import pinhole_scene

        points = ("points", "colors", "errors", "obs_photo", "obs_point", "obs_xy", "obs_keypoint")
        poses = replace(pinhole_scene(scene, cameras), **dict.fromkeys(points, np.empty(0)))
        write_colmap(poses, folder, binary=False)


def export_result(sparse: Sparse | None, dense: Dense, kind: str, path: Path) -> None:
    """Write a result of a run in a format of another program.

    Args:
        sparse, dense: the results of the run.
        kind: one of :data:`FORMATS`: the largest model as ``colmap``, ``nerfstudio`` or ``bundler``, its points as
            ``ply``, the ``cloud`` as PLY, the ``mesh`` as PLY, OBJ or GLB by the suffix, and ``colmap-dense`` for
            COLMAP's dense folder with photos, depth and normal maps.
        path: the file, or for COLMAP the folder.

    Raises:
        StageFailure: ``unknown-format``, ``no-result`` if the run did not compute it, or ``not-writable``.
    """
    if kind not in FORMATS:
        raise StageFailure("unknown-format", f"There is no format {kind!r}.", hint=nearest(kind, FORMATS))
    if kind == "mesh" and path.suffix.lower() not in MESHES:
        sentence = f"A mesh cannot be written as {path.suffix or 'a file without suffix'!r}."
        raise StageFailure("unknown-format", sentence, hint=f"Name a file that ends with {', '.join(MESHES)}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        match kind:
            case "cloud":
                write_cloud_ply(_required(dense.cloud, kind), path)
            case "mesh":
                MESHES[path.suffix.lower()](_required(dense.mesh, kind), path)
            case _:
                _export_scene(_required(sparse, "sparse").scene, dense, kind, path)
    except OSError as error:
        raise StageFailure("not-writable", f"{path} cannot be written: {error.strerror or error}.") from error


def _export_scene(scene: Scene, dense: Dense, kind: str, path: Path) -> None:
    match kind:
        case "colmap":
            write_colmap(scene, path, binary=True)
        case "ply":
            write_ply(path, scene.points, scene.colors)
        case "nerfstudio":
            write_nerfstudio(scene, path)
        case "bundler":
            write_bundler(scene, path)
        case "colmap-dense":
            from ...stages.formats.colmap_dense import write_colmap_dense

            write_colmap_dense(path, scene, _required(dense.views or None, "views"), dense.depths, dense.neighbors)


def _required(value: T | None, what: str) -> T:
    if value is None:
        raise StageFailure("no-result", f"The run gave no {what!r}.", hint="Run it further; see diptych plan.")
    return value
