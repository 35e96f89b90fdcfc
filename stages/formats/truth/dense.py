"""True depth maps, masks and surfaces in the data sets' own file formats, recognized by their layout.

Cameras are read at once, maps and surfaces on access.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ...depth_truth import DepthTruth, TrueView
from ...failure import StageFailure
from ...scene import Camera, Scene
from ..depth import read_depth
from ..ply import read_mesh_ply
from .cameras import read_truth
from .eth3d import read_scans, undistorted_depth
from .stereo import read_stereo

FOLDERS = (".", "truth", "gt")
"""Subfolders in which the truth is looked for."""

_BROKEN = (ValueError, KeyError, IndexError, OSError)


def read_dense_truth(path: str | Path) -> DepthTruth:
    """Find the true depths and surfaces of a scene.

    The folder has one of :data:`LAYOUTS`, or one of :data:`FOLDERS` in it has. Depth is z, in the unit of the true
    cameras: meters, but millimeters for DTU and the baseline for a Middlebury pair.

    Raises:
        StageFailure: ``unknown-truth`` if the folder has none of the layouts, ``damaged-truth`` if it cannot be parsed;
            a damaged map is reported when it is read.
    """
    for folder in (Path(path) / name for name in FOLDERS):
        for _, read in LAYOUTS:
            try:
                truth = read(folder)
            except _BROKEN as error:
                raise _damaged(folder, error) from error
            if truth is not None and truth.views:
                return truth
    raise StageFailure(
        "unknown-truth",
        "There is no true depth in a known format.",
        hint=f"Known are {'; '.join(what for what, _ in LAYOUTS)}.",
        path=str(path),
    )


def read_true_cameras(path: str | Path) -> Scene:
    """The true cameras of a scene; a rectified stereo pair needs no file for them.

    Raises:
        StageFailure: as :func:`diptych.stages.formats.truth.cameras.read_truth`.
    """
    try:
        return read_truth(path)
    except StageFailure as unknown:
        try:
            return read_dense_truth(path).scene
        except StageFailure:
            raise unknown from None


def _rendered(folder: Path) -> DepthTruth | None:
    if not (folder / "images.txt").is_file() or not (folder / "depth").is_dir():
        return None
    mesh = folder / "mesh.ply"
    views = _views(read_truth(folder), depths=lambda name: folder / "depth" / f"{Path(name).stem}.png")
    return DepthTruth(views, (lambda: read_mesh_ply(mesh)) if mesh.is_file() else None)


def _eth3d(folder: Path) -> DepthTruth | None:
    calibration, maps = folder / "dslr_calibration_undistorted", folder / "ground_truth_depth" / "dslr_images"
    if not calibration.is_dir():
        return None
    scene = read_truth(calibration)

    def into(camera: Camera) -> Callable[[Path], np.ndarray]:
        return lambda file: undistorted_depth(file, camera)

    views = []
    for i, name in enumerate(scene.names):
        if (maps / name).is_file():
            camera = _pinhole(scene.camera(i))
            read = _later(into(camera), maps / name)
            views.append(TrueView(name, camera, scene.rotations[i], scene.translations[i], read))
    alignment = next((f for f in (folder / name / "scan_alignment.mlp" for name in SCANS) if f.is_file()), None)
    return DepthTruth(tuple(views), _later(read_scans, alignment) if alignment else None)


SCANS = ("dslr_scan_eval", "scan_clean", "dslr_scan_clean", ".")
"""Folders of ETH3D's laser scans, the best first."""


def _hololens(folder: Path) -> DepthTruth | None:
    if not (folder / "cameras.npz").is_file() or not (folder / "depth").is_dir():
        return None
    scene = read_truth(folder / "cameras.npz")
    return DepthTruth(_views(scene, depths=lambda name: folder / "depth" / f"{Path(name).stem}.png", read=_millimeters))


def _dtu(folder: Path) -> DepthTruth | None:
    if not (folder / "cameras.npz").is_file() or not (folder / "mask").is_dir():
        return None
    return DepthTruth(
        _views(read_truth(folder / "cameras.npz"), masks=lambda name: folder / "mask" / f"{Path(name).stem}.png")
    )


def _arrays(folder: Path) -> DepthTruth | None:
    maps = folder / "depth.npz"
    cameras = (folder / "cameras.npz", folder.resolve().parent / "protocol" / f"{folder.resolve().name}.npz")
    beside = next((file for file in cameras if file.is_file()), None)
    if not maps.is_file() or beside is None:
        return None
    scene = read_truth(beside)
    with np.load(maps, allow_pickle=False) as known:
        there = set(known.files)

    def read(name: str) -> Callable[[], np.ndarray]:
        def one(file: Path) -> np.ndarray:
            with np.load(file, allow_pickle=False) as known:
                return _positive(known[name])

        return _later(one, maps)

    return DepthTruth(
        tuple(
            TrueView(name, _pinhole(scene.camera(i)), scene.rotations[i], scene.translations[i], read(name))
            for i, name in enumerate(scene.names)
            if name in there
        )
    )


LAYOUTS: tuple[tuple[str, Callable[[Path], DepthTruth | None]], ...] = (
    ("this project's samples: images.txt with depth/NAME.png and mesh.ply", _rendered),
    ("ETH3D: dslr_calibration_undistorted/ with ground_truth_depth/dslr_images/ and scan_alignment.mlp", _eth3d),
    ("HoloLens: cameras.npz with depth/NAME.png in millimeters", _hololens),
    ("DTU: cameras.npz with mask/NAME.png", _dtu),
    ("arrays: depth.npz by photo, with cameras.npz beside it or ../protocol/FOLDER.npz", _arrays),
    ("Middlebury stereo: im0/im1 with disp0.pfm, view1/view5 or im2/im6 with disp1.png or disp2.png", read_stereo),
)
"""Layouts in words, and their readers, which return None for a folder of another layout."""


def _views(
    scene: Scene,
    *,
    depths: Callable[[str], Path] | None = None,
    masks: Callable[[str], Path] | None = None,
    read: Callable[[Path], np.ndarray] | None = None,
) -> tuple[TrueView, ...]:
    """Views of the photos of a scene that have a depth map or a mask."""
    views = []
    for i, name in enumerate(scene.names):
        depth, mask = (of(name) if of else None for of in (depths, masks))
        depth, mask = (file if file and file.is_file() else None for file in (depth, mask))
        if depth or mask:
            reader = _later(read or _depth_png, depth) if depth else None
            masked = _later(_mask, mask) if mask else None
            camera = _pinhole(scene.camera(i))
            views.append(TrueView(name, camera, scene.rotations[i], scene.translations[i], reader, masked))
    return tuple(views)


def _pinhole(camera: Camera) -> Camera:
    if camera.model not in ("PINHOLE", "SIMPLE_PINHOLE"):
        raise ValueError(f"expected a camera without distortion, got {camera.model}")
    params = (*camera.focal_lengths, *camera.principal_point)
    return Camera("PINHOLE", camera.width, camera.height, params, "calibrated")


def _later(read: Callable[[Path], np.ndarray], file: Path) -> Callable[[], np.ndarray]:
    def one() -> np.ndarray:
        try:
            return read(file)
        except _BROKEN as error:
            raise _damaged(file, error) from error

    return one


def _damaged(path: Path, error: Exception) -> StageFailure:
    return StageFailure("damaged-truth", "The ground truth cannot be read.", file=str(path), reason=repr(error))


def _depth_png(file: Path) -> np.ndarray:
    return read_depth(file).astype(np.float32)


def _millimeters(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image).astype(np.float32) / 1000


def _mask(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("L")) > 127


def _positive(depth: np.ndarray) -> np.ndarray:
    """Depth with 0 where it is not finite and positive."""
    return np.where(np.isfinite(depth) & (depth > 0), depth, 0).astype(np.float32)
