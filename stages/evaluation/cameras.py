"""Errors of a scene's cameras against the truth, and its reprojection errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ..arrays import check_arrays
from ..failure import StageFailure
from ..geometry.alignment import Similarity, align_cameras, align_cameras_robustly
from ..geometry.rotations import angle_between
from ..scene import Scene
from ..sfm.bundle import reprojection_errors

AUC_DEGREES = (0.1, 0.5, 1.0, 3.0, 5.0)
"""Thresholds of the relative-pose AUC."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of :func:`evaluate`. Lengths are in the truth's unit, angles in degrees, NaN where not registered.

    Attributes:
        names: the N photos of the truth.
        position_errors: distance of the camera centers from the truth after the robust similarity alignment, which
            ignores outlier cameras, shape (N,).
        least_squares_position_errors: the same after the least-squares alignment to all registered cameras, shape (N,).
            Published tables on Strecha's scenes give the mean of these.
        rotation_errors: angle between the orientations after the robust alignment, shape (N,).
        pair_errors: for each pair of photos of the truth, the larger of the angle between the relative rotations and
            the angle between the directions of the relative translations; infinite if a photo is not registered.
        reprojection_errors: pixels, one per observation, shape (M,).
        points: number of points.
    """

    names: tuple[str, ...]
    position_errors: np.ndarray
    least_squares_position_errors: np.ndarray
    rotation_errors: np.ndarray
    pair_errors: np.ndarray
    reprojection_errors: np.ndarray
    points: int

    def __post_init__(self) -> None:
        real, photos = np.float64, (len(self.names),)
        check_arrays(
            self,
            position_errors=(real, photos),
            least_squares_position_errors=(real, photos),
            rotation_errors=(real, photos),
            pair_errors=(real, (None,)),
            reprojection_errors=(real, ("M",)),
        )

    @property
    def registered(self) -> int:
        """Number of photos of the truth that the scene has."""
        return int(np.isfinite(self.position_errors).sum())

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the photos of the truth that the scene does not have."""
        return tuple(name for name, error in zip(self.names, self.position_errors, strict=True) if np.isnan(error))

    @property
    def track_length(self) -> float:
        """Mean number of photos that see a point; NaN without points."""
        return len(self.reprojection_errors) / self.points if self.points else float("nan")

    def auc(self, degrees: float) -> float:
        """Area under the recall of the relative-pose errors up to a threshold, between 0 and 1."""
        return pose_auc(self.pair_errors, degrees)

    def as_dict(self) -> dict[str, float]:
        """All numbers by name, for tables and JSON; NaN where undefined."""
        robust, plain = _statistics(self.position_errors), _statistics(self.least_squares_position_errors)
        return {
            "registered": self.registered,
            "photos": len(self.names),
            **{f"position_{name}": value for name, value in robust.items()},
            **{f"position_least_squares_{name}": value for name, value in plain.items()},
            **{f"rotation_{name}_deg": value for name, value in _statistics(self.rotation_errors).items()},
            **{f"auc_{degrees:g}_deg": self.auc(degrees) for degrees in AUC_DEGREES},
            **{f"reprojection_{name}_px": value for name, value in _statistics(self.reprojection_errors).items()},
            "track_length": self.track_length,
            "points": self.points,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row per photo of the truth: its name and its errors."""
        return [
            {"photo": name, "position": position, "position_least_squares": plain, "rotation_deg": rotation}
            for name, position, plain, rotation in zip(
                self.names,
                self.position_errors.tolist(),
                self.least_squares_position_errors.tolist(),
                self.rotation_errors.tolist(),
                strict=True,
            )
        ]

    def table(self) -> list[tuple[str, str]]:
        """Rows to print: label and text."""
        missing = (
            f" (not: {', '.join(self.missing[:5])}{', …' if len(self.missing) > 5 else ''})" if self.missing else ""
        )
        lines = [
            ("registered photos", f"{self.registered} of {len(self.names)}{missing}"),
            ("position error, robust alignment", _spread(self.position_errors, "in the truth's unit")),
            ("position error, least squares", _spread(self.least_squares_position_errors, "in the truth's unit")),
            ("rotation error", _spread(self.rotation_errors, "degrees")),
            ("relative-pose AUC", ", ".join(f"{100 * self.auc(d):.1f} % at {d:g}°" for d in AUC_DEGREES)),
        ]
        if len(self.reprojection_errors):
            lines.append(("reprojection error", _spread(self.reprojection_errors, "px")))
        seen = f", seen by {self.track_length:.2f} photos on average" if self.points else ""
        return [*lines, ("points", f"{self.points}{seen}")]


def evaluate(scene: Scene, truth: Scene) -> Evaluation:
    """Compare a scene with the truth.

    Photos are matched by name, else by the file name without folders, else by the file name without its suffix. Photos
    that the truth does not have are left out.

    Raises:
        StageFailure: ``truth-mismatch`` if fewer than two photos of the scene are in the truth;
            ``degenerate-alignment`` if all cameras of either are at one place.
    """
    ours, theirs = common_photos(scene.names, truth.names)
    rotations, centers = scene.rotations[ours], scene.centers[ours]
    true_rotations, true_centers = truth.rotations[theirs], truth.centers[theirs]
    robust = align_with_truth(scene, truth)
    plain = align_cameras(rotations, centers, true_rotations, true_centers)

    def per_photo(errors: np.ndarray) -> np.ndarray:
        every = np.full(len(truth.names), np.nan)
        every[theirs] = errors
        return every

    return Evaluation(
        names=truth.names,
        position_errors=per_photo(np.linalg.norm(robust(centers) - true_centers, axis=1)),
        least_squares_position_errors=per_photo(np.linalg.norm(plain(centers) - true_centers, axis=1)),
        rotation_errors=per_photo(np.degrees(angle_between(rotations @ robust.rotation.T, true_rotations))),
        pair_errors=_pair_errors(rotations, centers, true_rotations, true_centers, len(truth.names)),
        reprojection_errors=reprojection_errors(scene),
        points=len(scene.points),
    )


def align_with_truth(scene: Scene, truth: Scene) -> Similarity:
    """The robust similarity from the scene's world to the truth's.

    Raises:
        StageFailure: as :func:`evaluate`.
    """
    ours, theirs = common_photos(scene.names, truth.names)
    return align_cameras_robustly(
        scene.rotations[ours], scene.centers[ours], truth.rotations[theirs], truth.centers[theirs]
    )


def pose_auc(errors: np.ndarray, threshold: float) -> float:
    """Area under the recall curve of errors up to a threshold, by the trapezoids customary for relative poses.

    As in the evaluation of SuperGlue (Sarlin et al. 2020): the recall rises linearly from one error to the next.
    """
    errors = np.sort(errors)
    below = errors[: np.searchsorted(errors, threshold)]
    recall = np.arange(len(below) + 1) / max(len(errors), 1)
    x = np.concatenate([[0.0], below, [threshold]])
    return float(np.trapezoid(np.append(recall, recall[-1]), x) / threshold)


def common_photos(names: tuple[str, ...], true_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the same photos among those of a scene and those of the truth, in the order of the truth.

    Raises:
        StageFailure: ``truth-mismatch`` if there are fewer than two.
    """
    ways: tuple[Callable[[str], str], ...] = (
        str,
        lambda name: PurePosixPath(name).name,
        lambda name: PurePosixPath(name).stem,
    )
    for way in ways:
        ours = {way(name): index for index, name in enumerate(names)}
        theirs = {way(name): index for index, name in enumerate(true_names)}
        unambiguous = len(ours) == len(names) and len(theirs) == len(true_names)
        common = [name for name in theirs if name in ours]
        if unambiguous and len(common) > 1:
            return np.array([ours[name] for name in common]), np.array([theirs[name] for name in common])
    raise StageFailure(
        "truth-mismatch",
        "The truth is not of these photos: fewer than two names of the scene are found in it.",
        hint="Name the folder with the truth of this scene; photos are matched by their file names.",
        scene_photos=len(names),
        truth_photos=len(true_names),
        scene_names=list(names[:3]),
        truth_names=list(true_names[:3]),
    )


def _pair_errors(
    rotations: np.ndarray, centers: np.ndarray, true_rotations: np.ndarray, true_centers: np.ndarray, photos: int
) -> np.ndarray:
    """Relative-pose errors in degrees over all pairs of ``photos``, of which only these cameras are registered."""
    registered = len(centers)
    errors = np.full(photos * (photos - 1) // 2, np.inf)
    extent = np.linalg.norm(np.ptp(true_centers, axis=0))
    filled = 0
    for i in range(registered - 1):
        rest = slice(i + 1, None)
        turn = angle_between(rotations[rest] @ rotations[i].T, true_rotations[rest] @ true_rotations[i].T)
        # Directions as the second camera sees them, as in the translation of `second_from_first`.
        direction = np.einsum("nij,nj->ni", rotations[rest], centers[i] - centers[rest])
        true_direction = np.einsum("nij,nj->ni", true_rotations[rest], true_centers[i] - true_centers[rest])
        apart = np.linalg.norm(true_direction, axis=1) > 1e-9 * extent
        errors[filled : filled + len(turn)] = np.maximum(turn, np.where(apart, _angle(direction, true_direction), 0.0))
        filled += len(turn)
    return np.degrees(errors)


def _angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles between rows of vectors in radians; exact for small angles, where the cosine is not."""
    return np.arctan2(np.linalg.norm(np.cross(first, second), axis=1), np.einsum("ni,ni->n", first, second))


def _statistics(errors: np.ndarray) -> dict[str, float]:
    """Mean, median, maximum and root mean square of those that are not NaN; NaN of none."""
    errors = errors[~np.isnan(errors)]
    if not len(errors):
        return dict.fromkeys(("mean", "median", "max", "rms"), float("nan"))
    rms = np.sqrt(np.mean(errors**2))
    return {
        name: float(v)
        for name, v in (("mean", errors.mean()), ("median", np.median(errors)), ("max", errors.max()), ("rms", rms))
    }


def _spread(errors: np.ndarray, unit: str) -> str:
    statistics = _statistics(errors)
    return ", ".join(f"{name} {value:.4g}" for name, value in statistics.items()) + f" {unit}"
