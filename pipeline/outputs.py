"""What a run leaves for other programs: the models as COLMAP files and the points to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..stages.failure import StageFailure
from ..stages.formats.bundler import write_bundler
from ..stages.formats.colmap import write_colmap
from ..stages.formats.nerfstudio import write_nerfstudio
from ..stages.formats.ply import write_ply
from ..stages.scene import Scene, Sparse
from .parameters import nearest
from .record import file_digest

FORMATS = ("colmap", "ply", "nerfstudio", "bundler")

UNFINISHED = ".sparse.new"
"""Where models are written before they are whole."""

OURS = ".diptych"
"""Marks an output folder: what lies beside it was written by a run, and the next may remove it."""


def clear_outputs(out: Path) -> None:
    """Remove what an earlier run left in an output folder, so that nothing there is older than the last run.

    ``run.json`` goes first and is written last: where it lies, the rest is whole and of the same run.

    Raises:
        StageFailure: ``foreign-output``, where files of these names lie in a folder that no run has written to.
    """
    if not (out / OURS).exists():
        foreign = [name for name in ("sparse", "points.ply", "report.html", "run.json") if (out / name).exists()]
        if foreign:
            raise StageFailure(
                "foreign-output", f"{out} already holds {foreign[0]}, which no run of Diptych wrote there.",
                hint="Choose another --out, or remove it yourself.",
            )  # fmt: skip
    (out / OURS).touch()
    for name in ("run.json", "report.html", "points.ply"):
        (out / name).unlink(missing_ok=True)
    for name in ("sparse", UNFINISHED):
        if (out / name).exists():
            shutil.rmtree(out / name)


def write_outputs(out: Path, sparse: Sparse) -> dict[str, str]:
    """Write ``sparse/`` (the largest model, and further ones in ``sparse/1`` and so on) and ``points.ply``.

    Args:
        out: the output folder, cleared by :func:`clear_outputs`.

    Returns:
        The digest of every file by its name.
    """
    for i, model in enumerate(sparse.models):
        write_colmap(model, out / UNFINISHED / str(i) if i else out / UNFINISHED, binary=True)
    (out / UNFINISHED).rename(out / "sparse")
    write_ply(out / "points.ply", sparse.scene.points, sparse.scene.colors)
    files = sorted(path for path in (out / "sparse").rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): file_digest(path) for path in [*files, out / "points.ply"]}


def export_scene(scene: Scene, kind: str, path: Path) -> None:
    """Write a model for another program.

    Args:
        kind: one of :data:`FORMATS`.
        path: the file, or for COLMAP the folder.

    Raises:
        StageFailure: ``unknown-format``, or ``not-writable``.
    """
    if kind not in FORMATS:
        raise StageFailure("unknown-format", f"There is no format {kind!r}.", hint=nearest(kind, FORMATS))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "colmap":
            write_colmap(scene, path, binary=True)
        elif kind == "ply":
            write_ply(path, scene.points, scene.colors)
        elif kind == "nerfstudio":
            write_nerfstudio(scene, path)
        else:
            write_bundler(scene, path)
    except OSError as error:
        raise StageFailure("not-writable", f"{path} cannot be written: {error.strerror or error}.") from error
