"""True depth maps, masks and surfaces in the files of the data sets' own authors, recognised by their layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..depth_truth import DepthTruth, TrueView
from ..failure import StageFailure
from ..scene import Camera, Scene
from .depth import read_depth
from .ply import read_mesh_ply
from .truth import read_truth

FOLDERS = (".", "truth", "gt")
"""Where the truth may lie, seen from the folder that is named."""


def read_dense_truth(path: str | Path) -> DepthTruth:
    """Find what is known of the depth and the surfaces of a scene; maps are read when they are asked for.

    Raises:
        StageFailure: ``unknown-truth`` where none of the known layouts is there.
    """
    for folder in (Path(path) / name for name in FOLDERS):
        for _, read in LAYOUTS:
            truth = read(folder)
            if truth is not None:
                return truth
    raise StageFailure(
        "unknown-truth",
        "There is no true depth in a known form.",
        hint=f"Known are {'; '.join(what for what, _ in LAYOUTS)}.",
        path=str(path),
    )


def _rendered(folder: Path) -> DepthTruth | None:
    """This project's own: a COLMAP model, ``depth/NAME.png`` by ``write_depth``, and perhaps ``mesh.ply``."""
    if not (folder / "images.txt").is_file() or not (folder / "depth").is_dir():
        return None
    mesh = folder / "mesh.ply"
    views = _views(read_truth(folder), lambda name: folder / "depth" / f"{Path(name).stem}.png", _depth_png)
    return DepthTruth(views, (lambda: read_mesh_ply(mesh)) if mesh.is_file() else None)


LAYOUTS: tuple[tuple[str, Callable[[Path], DepthTruth | None]], ...] = (
    ("a COLMAP model beside depth/*.png as this project writes them", _rendered),
)
"""What is known, in words, and its readers, which return none where the folder holds something else."""


def _views(
    scene: Scene, file_of: Callable[[str], Path], read: Callable[[Path], np.ndarray]
) -> tuple[TrueView, ...]:  # fmt: skip
    """Views of those photos of a scene that have a file."""
    return tuple(
        TrueView(name, _pinhole(scene.camera(i)), scene.rotations[i], scene.translations[i], _later(read, file))
        for i, name in enumerate(scene.names)
        if (file := file_of(name)).is_file()
    )


def _pinhole(camera: Camera) -> Camera:
    return Camera(
        "PINHOLE", camera.width, camera.height, (*camera.focal_lengths, *camera.principal_point), "calibrated"
    )  # fmt: skip


def _later(read: Callable[[Path], np.ndarray], file: Path) -> Callable[[], np.ndarray]:
    return lambda: read(file)


def _depth_png(file: Path) -> np.ndarray:
    return read_depth(file).astype(np.float32)
