"""ETH3D's ground truth (Schöps et al. 2017): depth of the photos as they were taken, and aligned laser scans."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ...geometry.projection import unproject
from ...scene import Camera
from ..ply import read_ply


def undistorted_depth(file: Path, camera: Camera) -> np.ndarray:
    """Depth (H, W) in the pixels of an undistorted photo, 0 where none is known.

    The file holds z as raw little-endian float32, row by row, infinite where it is unknown, without its size. If it is
    of the size of ``camera`` it is taken as it is. ETH3D's own maps are of the distorted photos: then every pixel takes
    the value of the nearest pixel there, by the THIN_PRISM_FISHEYE camera in ``dslr_calibration_jpg``.

    Args:
        file: ``ground_truth_depth/dslr_images/NAME.JPG``.
        camera: of the undistorted photo, from ``dslr_calibration_undistorted``.

    Raises:
        ValueError: the file is of neither size, or the distorted camera is not there.
    """
    values = np.fromfile(file, "<f4")
    depth = np.where(np.isfinite(values) & (values > 0), values, 0).astype(np.float32)
    if len(depth) == camera.width * camera.height:
        return depth.reshape(camera.height, camera.width)
    width, height, params = _distorted_camera(file.parents[2] / "dslr_calibration_jpg", file.name)
    if len(depth) != width * height:
        raise ValueError(f"{file.name}: expected {width}x{height} depths, got {len(depth)}")
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    xy = thin_prism_fisheye(params, unproject(camera, np.stack([x.ravel(), y.ravel()], axis=1)))
    inside: np.ndarray = np.all((xy >= 0) & (xy < (width, height)), axis=1)
    column, row = np.where(inside[:, None], xy, 0).astype(np.int64).T
    found = np.where(inside, depth.reshape(height, width)[row, column], 0)
    return found.reshape(camera.height, camera.width).astype(np.float32)


def thin_prism_fisheye(params: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Pixels (N, 2) of rays (N, 3) with z > 0 by COLMAP's model THIN_PRISM_FISHEYE.

    Args:
        params: fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx1, sy1.
    """
    fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx1, sy1 = params
    u, v = (rays[:, :2] / rays[:, 2:]).T
    radius = np.hypot(u, v)
    bend = np.where(radius > 1e-12, np.arctan(radius) / np.maximum(radius, 1e-12), 1.0)
    u, v = u * bend, v * bend
    r2 = u * u + v * v
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
    x = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u) + sx1 * r2
    y = v * radial + 2 * p2 * u * v + p1 * (r2 + 2 * v * v) + sy1 * r2
    return np.stack([fx * x + cx, fy * y + cy], axis=1)


def read_scans(alignment: Path) -> np.ndarray:
    """All points of the laser scans in the frame of the cameras, meters, float32, shape (P, 3).

    Args:
        alignment: ``scan_alignment.mlp``, a MeshLab project that names each PLY file and its transform.

    Raises:
        ValueError: no scan is named, or a transform is none.
    """
    scans = []
    for entry in ElementTree.parse(alignment).getroot().iter("MLMesh"):
        matrix = np.array((entry.findtext("MLMatrix44") or "").split(), np.float64).reshape(4, 4)
        points = read_ply(alignment.parent / entry.attrib["filename"]).points
        scans.append((points @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32))
    if not scans:
        raise ValueError("no scan is named")
    return np.concatenate(scans)


def _distorted_camera(folder: Path, name: str) -> tuple[int, int, np.ndarray]:
    """Size and parameters of a photo's THIN_PRISM_FISHEYE camera."""
    cameras = {words[0]: words[1:] for words in _rows(folder / "cameras.txt")}
    images = (words for words in _rows(folder / "images.txt") if len(words) == 10)
    camera = next((cameras[words[8]] for words in images if Path(words[9]).name == name), None)
    if camera is None or camera[0] != "THIN_PRISM_FISHEYE":
        raise ValueError(f"{name} has no THIN_PRISM_FISHEYE camera in {folder.name}")
    return int(camera[1]), int(camera[2]), np.array(camera[3:], np.float64)


def _rows(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
