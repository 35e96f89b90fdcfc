"""Middlebury's rectified stereo pairs (Scharstein et al. 2002 to 2014) as scenes of two views with known cameras."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...depth_truth import DepthTruth, TrueView
from ...failure import StageFailure
from ...scene import Camera
from ..pfm import read_pfm

FOCAL = 1.2
"""Focal length, in units of the longer side, where no ``calib.txt`` states it: depth is then right up to a factor."""


@dataclass(frozen=True)
class _Layout:
    """File names of the photos and their disparities, and the scale of the disparities.

    ``steps`` are (least width, steps per pixel), widest first: the files of 2003 to 2006 come in full, half and third
    or quarter size, which only their width tells.
    """

    left: str
    right: str
    left_disparity: str
    right_disparity: str
    steps: tuple[tuple[int, int], ...] = ((0, 1),)


LAYOUTS = (
    _Layout("im0.png", "im1.png", "disp0.pfm", "disp1.pfm"),
    _Layout("view1.png", "view5.png", "disp1.png", "disp5.png", ((1000, 1), (550, 2), (0, 3))),
    _Layout("im2.png", "im6.png", "disp2.png", "disp6.png", ((1400, 1), (700, 2), (0, 4))),
    _Layout("im2.ppm", "im6.ppm", "disp2.pgm", "disp6.pgm", ((0, 8),)),
    _Layout("*_left.png", "*_right.png", "*_disp.npz", ""),
)
"""Of 2014, of 2005 and 2006, of 2003, of 2001, and scikit-image's copy of one of 2014."""


def read_stereo(folder: Path) -> DepthTruth | None:
    """Read a pair as two views: the left one at the origin, the right one at x = 1, both looking along z.

    Depth is ``f / (d + doffs)`` in units of the baseline, for the left view and, where its disparity is there, the
    right one. ``f`` and the principal points are those of ``calib.txt`` if there is one, ``doffs`` their difference.
    Otherwise f is :data:`FOCAL` times the longer side and the principal point the center of both photos, which changes
    no disparity and no epipolar line.

    Returns:
        None if the folder holds no such pair.

    Raises:
        StageFailure: ``damaged-truth``, when a disparity is read that is not of the photo's size.
    """
    for layout in LAYOUTS:
        left, right = (_only(folder, name) for name in (layout.left, layout.right))
        disparities = [_only(folder, name) for name in (layout.left_disparity, layout.right_disparity)]
        if left and right and any(disparities):
            with Image.open(left) as image:
                width, height = image.size
            cameras = _cameras(folder / "calib.txt", width, height)
            offset = cameras[1].principal_point[0] - cameras[0].principal_point[0]
            step = next(steps for least, steps in layout.steps if width >= least)
            return DepthTruth(
                tuple(
                    TrueView(
                        photo.name,
                        camera,
                        np.eye(3),
                        np.array([-float(at), 0, 0]),
                        _reader(file, step, camera.focal_lengths[0], offset) if file else None,
                    )
                    for at, (photo, camera, file) in enumerate(zip((left, right), cameras, disparities, strict=True))
                ),
                baseline=1.0,
            )
    return None


def _only(folder: Path, pattern: str) -> Path | None:
    """The only file that matches, or None."""
    found = sorted(folder.glob(pattern)) if pattern and folder.is_dir() else []
    return found[0] if len(found) == 1 else None


def _cameras(calibration: Path, width: int, height: int) -> tuple[Camera, Camera]:
    """Both cameras; the file counts pixels from 0 at their centers, here they are counted from 0.5."""
    if not calibration.is_file():
        focal = FOCAL * max(width, height)
        camera = Camera("PINHOLE", width, height, (focal, focal, width / 2, height / 2), "guess")
        return camera, camera
    text = calibration.read_text()
    cameras = []
    for name in ("cam0", "cam1"):
        row = re.search(rf"{name}\s*=\s*\[([^\]]*)\]", text)
        if row is None:
            raise ValueError(f"{calibration.name} has no {name}")
        k = np.array(row[1].replace(";", " ").split(), np.float64).reshape(3, 3)
        cameras.append(Camera("PINHOLE", width, height, (k[0, 0], k[1, 1], k[0, 2] + 0.5, k[1, 2] + 0.5), "calibrated"))
    return cameras[0], cameras[1]


def _reader(file: Path, step: int, focal: float, offset: float) -> Callable[[], np.ndarray]:
    def depth() -> np.ndarray:
        try:
            disparity = _disparity(file) / step
        except (ValueError, KeyError, OSError) as error:
            raise StageFailure(
                "damaged-truth", "The ground truth cannot be read.", file=str(file), reason=repr(error)
            ) from error
        known = np.isfinite(disparity) & (disparity > 0) & (disparity + offset > 0)
        return np.where(known, focal / np.where(known, disparity + offset, 1), 0).astype(np.float32)

    return depth


def _disparity(file: Path) -> np.ndarray:
    """Disparity in the file's steps, 0 or infinite where unknown, shape (H, W)."""
    if file.suffix == ".pfm":
        return read_pfm(file).astype(np.float64)
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return arrays[arrays.files[0]].astype(np.float64)
    with Image.open(file) as image:
        return np.asarray(image).astype(np.float64)
