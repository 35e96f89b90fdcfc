"""True cameras in the data sets' own file formats, recognized by their layout.

The formats seldom state where the center of the top-left pixel lies. Middlebury's, Olsson's and the arrays are taken to
count from 0; Olsson's own points lie within 0.001 px of SIFT keypoints counted so. Strecha's are taken to count from
0.5, as here: over the matches in fountain-P11 and Herz-Jesus-P8 the principal point that fits best is his own to 0.2
px.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import scipy.io
import scipy.linalg

from ...failure import StageFailure
from ...geometry.rotations import nearest_rotation
from ...scene import Camera, Scene
from ..bundler import HEADER, read_bundler
from ..colmap import read_colmap
from ..nerfstudio import read_nerfstudio
from ..photo_files import photo_size

FOLDERS = (".", "gt", "truth", "dslr_calibration_undistorted", "dslr_calibration_jpg", "sparse", "sparse/0", "bundle")
"""Subfolders in which the truth is looked for."""


def read_truth(path: str | Path) -> Scene:
    """Read the true cameras of a scene, and its points if the files hold true points.

    Formats: Strecha's ``NNNN.jpg.camera`` (2008), Middlebury's ``*_par.txt`` (Seitz et al. 2006), Olsson's
    ``data.mat`` (2011), COLMAP models, among them ETH3D's (Schöps et al. 2017), nerfstudio's ``transforms.json``,
    arrays ``names``, ``K``, ``R`` and ``t`` in a ``.npz``, and Bundler files.

    Photos are named by their file names without folders if these are unambiguous. A size that is not stated is that of
    the photo, if it is nearby, else twice the principal point.

    Args:
        path: the folder of the scene, the folder in it that holds the truth, or the file itself.

    Raises:
        StageFailure: ``unknown-truth`` if none of these is there, ``damaged-truth`` if it cannot be parsed, and the
            failures of the formats' own readers.
    """
    path = Path(path)
    for folder in (path / name for name in FOLDERS):
        for pattern, read in LAYOUTS:
            files = [path] if path.is_file() and path.match(pattern) else sorted(folder.glob(pattern))
            try:
                scene = read(files) if files else None
            except (ValueError, KeyError, IndexError, OSError) as error:
                raise StageFailure(
                    "damaged-truth", "The ground truth cannot be read.", file=str(files[0]), reason=repr(error)
                ) from error
            if scene is not None:
                return _without_folders(scene)
    raise StageFailure(
        "unknown-truth",
        "There is no ground truth in a known format.",
        hint=f"Known are {', '.join(pattern for pattern, _ in LAYOUTS)}, there or in {', '.join(FOLDERS[1:])}.",
        path=str(path),
    )


def _strecha(files: Sequence[Path]) -> Scene:
    """K row by row, three zeros, R camera to world, camera center, width and height."""
    numbers = np.array([path.read_text().split() for path in files], np.float64)
    to_world, centers = numbers[:, 12:21].reshape(-1, 3, 3), numbers[:, 21:24]
    rotations = np.swapaxes(to_world, 1, 2)
    return _photographed(
        [path.name.removesuffix(".camera") for path in files],
        numbers[:, :9].reshape(-1, 3, 3),
        rotations,
        -np.einsum("nij,nj->ni", rotations, centers),
        numbers[:, 24:26],
        first_pixel=0.5,
    )


def _middlebury(files: Sequence[Path]) -> Scene:
    """The number of photos, then a line each: name, K, R, t, row by row."""
    count, *lines = files[0].read_text().strip().splitlines()
    rows = [line.split() for line in lines]
    if len(rows) != int(count):
        raise ValueError(f"{count} photos announced, {len(rows)} there")
    numbers = np.array([row[1:] for row in rows], np.float64)
    matrices = numbers[:, :18].reshape(-1, 2, 3, 3)
    names = [row[0] for row in rows]
    return _photographed(
        names, matrices[:, 0], matrices[:, 1], numbers[:, 18:], _sizes(files[0].parent, names, matrices[:, 0])
    )


def _olsson(files: Sequence[Path]) -> Scene | None:
    """``P`` of each photo, ``imnames``, and the points ``U`` in homogeneous coordinates."""
    data = scipy.io.loadmat(files[0], squeeze_me=True, struct_as_record=False)
    if not {"P", "imnames"} <= set(data):
        return None
    names = [str(entry.name) for entry in np.atleast_1d(data["imnames"])]
    calibrations, rotations, translations = decompose(np.stack([np.asarray(p, np.float64) for p in data["P"]]))
    sizes = _sizes(files[0].parent, names, calibrations)
    scene = _photographed(names, calibrations, rotations, translations, sizes)
    if "U" not in data:
        return scene
    points = (data["U"][:3] / data["U"][3]).T
    return replace(scene, points=points, colors=np.zeros(points.shape), errors=np.full(len(points), np.nan))


def _arrays(files: Sequence[Path]) -> Scene | None:
    """``names`` (N,), ``K`` (N, 3, 3), ``R`` (N, 3, 3), ``t`` (N, 3), and perhaps one ``size`` of all photos."""
    for path in files:
        with np.load(path, allow_pickle=False) as data:
            if {"names", "K", "R", "t"} <= set(data):
                names, size = [str(name) for name in data["names"]], data.get("size")
                sizes = _sizes(path.parent, names, data["K"]) if size is None else np.tile(size, (len(names), 1))
                return _photographed(names, data["K"], data["R"], data["t"], sizes)
    return None


def _colmap(files: Sequence[Path]) -> Scene:
    return read_colmap(files[0].parent, poses_only=True)


def _bundler(files: Sequence[Path]) -> Scene | None:
    known = (path for path in files if path.read_bytes().startswith(HEADER.encode()))
    return next(map(read_bundler, known), None)


LAYOUTS: tuple[tuple[str, Callable[[Sequence[Path]], Scene | None]], ...] = (
    ("*.camera", _strecha),
    ("*_par.txt", _middlebury),
    ("*.mat", _olsson),
    ("images.bin", _colmap),
    ("images.txt", _colmap),
    ("transforms.json", lambda files: read_nerfstudio(files[0])),
    ("*.npz", _arrays),
    ("*.out", _bundler),
)
"""File names and their readers, which return None for files of another kind."""


def decompose(projections: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K, R and t of projection matrices ``P ~ K [R | t]`` of any scale and sign (Hartley and Zisserman 2004, 6.2.4).

    Args:
        projections: shape (N, 3, 4).

    Returns:
        K with a positive diagonal and 1 in its corner (N, 3, 3), R (N, 3, 3), t (N, 3).
    """
    positive = projections * np.sign(np.linalg.det(projections[:, :, :3]))[:, None, None]
    pairs = [scipy.linalg.rq(matrix) for matrix in positive[:, :, :3]]
    upper, orthogonal = (np.stack(part).reshape(-1, 3, 3) for part in zip(*pairs, strict=True))
    signs = np.sign(np.diagonal(upper, axis1=1, axis2=2))
    upper, orthogonal = upper * signs[:, None, :], orthogonal * signs[:, :, None]
    translations = np.linalg.solve(upper, positive[:, :, 3:])[:, :, 0]
    return upper / upper[:, 2:, 2:], orthogonal, translations


def _sizes(folder: Path, names: Sequence[str], calibrations: np.ndarray) -> np.ndarray:
    sizes = np.ceil(2 * calibrations[:, :2, 2])
    for photo, name in enumerate(names):
        sizes[photo] = photo_size(folder, name) or sizes[photo]
    return sizes


def _photographed(
    names: Sequence[str],
    calibrations: np.ndarray,
    rotations: np.ndarray,
    translations: np.ndarray,
    sizes: np.ndarray,
    first_pixel: float = 0.0,
) -> Scene:
    """A scene without points, of pinhole cameras; a slight skew is left out.

    Args:
        first_pixel: both coordinates of the center of the top-left pixel where the matrices come from.
    """
    shift = 0.5 - first_pixel
    cameras = [
        Camera("PINHOLE", int(w), int(h), (k[0, 0], k[1, 1], k[0, 2] + shift, k[1, 2] + shift), "calibrated")
        for k, (w, h) in zip(calibrations, sizes, strict=True)
    ]
    # Printed with six digits, a matrix is no rotation to the last bit.
    return Scene.of_cameras(cameras, names, nearest_rotation(rotations), translations)


def _without_folders(scene: Scene) -> Scene:
    short = tuple(PurePosixPath(name).name for name in scene.names)
    return replace(scene, names=short) if len(set(short)) == len(short) else scene
