"""DTU's robot scenes (Jensen et al., CVPR 2014): distances between the cloud and a structured-light scan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.spatial import KDTree

from .protocol import Case, Given, PhotoProtocol, photos_in
from .table import COST, Column, PublishedRow

if TYPE_CHECKING:
    from ..results.result import Result

LIGHT = "3_r5000"
"""The diffuse one of the seven illuminations of every position."""

SPACING, FARTHEST = 0.2, 20.0
"""Millimeters: the spacing that the cloud is thinned to, and the distance from which a point is an outlier."""

_YAO = "Yao et al., ECCV 2018 (MVSNet), table 1"
_CONDITIONS = "mean of the 22 evaluation scans from 49 views each, by the authors' program"


def _published(method: str, accuracy: float, completeness: float, overall: float) -> PublishedRow:
    values = {"accuracy_mm": accuracy, "completeness_mm": completeness, "overall_mm": overall}
    return PublishedRow("mean", method, values, _YAO, _CONDITIONS)


class Dtu(PhotoProtocol):
    """Clouds of DTU's scans, with the cameras that the authors give.

    Without the reference scans, the masks give the share of object pixels with a depth and the share of points beside
    the object.
    """

    name = "dtu"
    layout = (
        "Rectified/scanN/rect_NNN_3_r5000.png with Calibration/cal18/pos_NNN.txt and, for distances, Points/stl/ and "
        "ObsMask/; or a folder for each scan with images/, cameras.npz (names, K, R, t) and mask/"
    )
    columns: ClassVar = (
        Column("accuracy_mm", "accuracy mm", ".3f"),
        Column("completeness_mm", "completeness mm", ".3f"),
        Column("overall_mm", "overall mm", ".3f"),
        Column("object_kept", "object with depth %", ".1f", 100),
        Column("points_outside", "points beside it %", ".2f", 100),
        Column("cloud_points", "points", ".0f"),
        *COST,
    )
    published = (
        _published("Campbell", 0.835, 0.554, 0.695),
        _published("Furukawa", 0.613, 0.941, 0.777),
        _published("Tola", 0.342, 1.190, 0.766),
        _published("Gipuma", 0.283, 0.873, 0.578),
        _published("MVSNet", 0.396, 0.527, 0.462),
    )
    until = "cloud"

    def scene(self, place: Path) -> Case | None:
        """Return a scan in the authors' folders, or one with arrays of its cameras."""
        name = place.resolve().name.removeprefix("dtu_")
        if (place / "cameras.npz").is_file() and (place / "mask").is_dir():
            photos = photos_in(place / "images")
        elif _calibration(place).is_dir():
            photos = tuple(photo for photo in photos_in(place) if photo.stem.endswith(LIGHT))
        else:
            return None
        return Case(name, place, photos) if photos else None

    def truth(self, case: Case, out: Path) -> Path:
        """Return the folder of the camera arrays, which are made of the authors' text files if need be."""
        if (case.path / "cameras.npz").is_file():
            return case.path
        return _as_arrays(case, out / "truth")

    def gives(self, case: Case) -> Given:
        """Return ``poses``: the authors give the cameras."""
        return "poses"

    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """Return the distances to the scan and the errors by the masks, as far as these exist."""
        from ...stages.failure import StageFailure
        from .. import api

        numbers: dict[str, float] = {"cloud_points": len(result.cloud)}
        try:
            numbers |= api.evaluate_dense(result.out, truth=truth).as_dict()
        except StageFailure as failure:
            if failure.code != "unknown-truth":
                raise
        if (reference := Reference.of(case)) is not None:
            accuracy, completeness = distances(result.cloud.points.astype(np.float64), reference)
            overall = (accuracy + completeness) / 2
            numbers |= {"accuracy_mm": accuracy, "completeness_mm": completeness, "overall_mm": overall}
        return numbers


@dataclass(frozen=True)
class Reference:
    """The scan of one scene, in millimeters.

    Attributes:
        points: shape (P, 3).
        observed: True for voxels that the cameras could measure, shape (X, Y, Z).
        corner: center of the first voxel, shape (3,).
        side: edge length of a voxel.
        plane: (a, b, c, d), shape (4,); points on its negative side belong to the table and are ignored.
    """

    points: np.ndarray
    observed: np.ndarray
    corner: np.ndarray
    side: float
    plane: np.ndarray

    @staticmethod
    def of(case: Case) -> Reference | None:
        """Read ``Points/stl/stlNNN_total.ply`` and ``ObsMask/``, in the folder above ``Rectified``, if they exist."""
        import scipy.io

        from ...stages.formats.ply import read_ply

        root, number = case.path.parent.parent, re.search(r"(\d+)", case.name)
        if number is None:
            return None
        scan = int(number[1])
        files = (
            root / "Points" / "stl" / f"stl{scan:03d}_total.ply",
            root / "ObsMask" / f"ObsMask{scan}_10.mat",
            root / "ObsMask" / f"Plane{scan}.mat",
        )
        if not all(file.is_file() for file in files):
            return None
        mask, plane = scipy.io.loadmat(files[1]), scipy.io.loadmat(files[2])
        return Reference(
            read_ply(files[0]).points.astype(np.float64),
            mask["ObsMask"].astype(bool),
            mask["BB"][0].astype(np.float64),
            float(np.ravel(mask["Res"])[0]),
            np.ravel(plane["P"]).astype(np.float64),
        )


def distances(points: np.ndarray, reference: Reference) -> tuple[float, float]:
    """Return accuracy and completeness of a cloud (P, 3) in millimeters, after Jensen et al. (2014).

    Both are means of the distances to the nearest point, without outliers: from the cloud's points in observed voxels
    to the scan, and from the scan's points above the table to the cloud. The cloud is thinned first, so that
    dense parts do not weigh more; the authors do so at random, here one point of each voxel is kept.
    """
    _, first = np.unique(np.floor(points / SPACING).astype(np.int64), axis=0, return_index=True)
    thin = points[np.sort(first)]
    voxel = np.round((thin - reference.corner) / reference.side).astype(np.int64)
    inside = ((voxel >= 0) & (voxel < reference.observed.shape)).all(axis=1)
    measured = thin[inside][reference.observed[tuple(voxel[inside].T)]]
    above = reference.points @ reference.plane[:3] + reference.plane[3] > 0
    return (_mean_distance(measured, KDTree(reference.points)), _mean_distance(reference.points[above], KDTree(thin)))


def _mean_distance(points: np.ndarray, tree: KDTree) -> float:
    distance = np.asarray(tree.query(points, distance_upper_bound=FARTHEST)[0])
    near = distance[distance < FARTHEST]
    return float(near.mean()) if len(near) else float("nan")


def _calibration(scan: Path) -> Path:
    """Return the folder of the authors' projection matrices for ``Rectified/scanN``."""
    return scan.parent.parent / "Calibration" / "cal18"


def _as_arrays(case: Case, folder: Path) -> Path:
    """Write the cameras of a scan as ``cameras.npz``, from the 3x4 matrices in ``pos_NNN.txt``."""
    from ...stages.formats.truth.cameras import decompose

    numbers = [photo.stem.split("_")[1] for photo in case.photos]
    matrices = np.stack([np.loadtxt(_calibration(case.path) / f"pos_{number}.txt") for number in numbers])
    k, r, t = decompose(matrices)
    folder.mkdir(parents=True, exist_ok=True)
    names = [photo.name for photo in case.photos]
    size = np.array(_size(case.photos[0]))
    np.savez(folder / "cameras.npz", names=np.array(names), K=k, R=r, t=t, size=size)
    return folder


def _size(photo: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(photo) as image:
        return image.size
