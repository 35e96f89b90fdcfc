"""Two-view geometry: the inliers of a pair's matches, its pose, and its kind.

Every implementation estimates an essential matrix, a fundamental matrix and a homography in its own way. The kind is
then chosen by the rules of COLMAP (Schönberger and Frahm 2016): a model is preferred to a simpler one if it has clearly
more inliers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import poselib
from scipy.optimize import minimize_scalar

from ..geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    homogeneous,
    homography_distance,
    pose_in_front,
    ray_depths,
    rotation_between,
    sampson_distance,
    triangulation_angle,
)
from ..geometry.projection import undistort
from ..scene import Camera, Features, FocalSource, Matches, Pair, TwoView, TwoViewKind
from ..stage import Stage

Distance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From a model and two sets of positions to the distance of each pair from it, in pixels."""

MIN_ESSENTIAL_RATIO: dict[FocalSource, float] = {"calibrated": 0.95, "exif": 0.8, "guess": 0.5}
"""Least ratio of the essential matrix' inliers to the fundamental matrix', by the source of the focal length. One from
EXIF or a guess only has to give a first pose: it is refined later, and so is the distortion.
"""

MIN_HOMOGRAPHY_RATIO = 0.8
"""Ratio of the homography's inliers to the epipolar geometry's from which the pair is planar or a pure rotation."""

_BY_CHANCE = 5
"""Inliers that the fundamental matrix has by chance beyond the essential one, with its two degrees of freedom more."""

_MIN_MATCHES = 8
_REWEIGHTINGS = 5


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Matched keypoints of two photos, without distortion.

    Attributes:
        first, second: positions as pinhole cameras with the same calibration matrices would see them, shape (M, 2).
        first_matrix, second_matrix: these calibration matrices K, shape (3, 3).
    """

    first: np.ndarray
    second: np.ndarray
    first_matrix: np.ndarray
    second_matrix: np.ndarray

    @classmethod
    def of(cls, camera: Pair[Camera], features: Pair[Features], matches: np.ndarray) -> Correspondences:
        """Of the given matches, keypoint indices of shape (M, 2)."""
        first = pinhole_positions(camera.first, features.first.xy[matches[:, 0]])
        second = pinhole_positions(camera.second, features.second.xy[matches[:, 1]])
        return cls(first, second, camera.first.matrix, camera.second.matrix)

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, rows: np.ndarray) -> Correspondences:
        return dataclasses.replace(self, first=self.first[rows], second=self.second[rows])

    @property
    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Rays of z = 1 in each camera's frame, shape (M, 3)."""
        return (
            homogeneous(self.first) @ np.linalg.inv(self.first_matrix).T,
            homogeneous(self.second) @ np.linalg.inv(self.second_matrix).T,
        )

    @property
    def focal_length(self) -> float:
        """Mean over both cameras and axes, in pixels."""
        return float(np.mean([np.diag(self.first_matrix)[:2], np.diag(self.second_matrix)[:2]]))


def pinhole_positions(camera: Camera, xy: np.ndarray) -> np.ndarray:
    """Where a pinhole camera with the same calibration matrix would see the pixels, shape (N, 2)."""
    return homogeneous(undistort(camera, xy)) @ camera.matrix[:2].T


@dataclass(frozen=True, eq=False)
class Models:
    """Models of a pair, in pixels of :class:`Correspondences`; zeros where an estimator found nothing.

    Attributes:
        essential, fundamental, homography: shape (3, 3).
    """

    essential: np.ndarray
    fundamental: np.ndarray
    homography: np.ndarray


@dataclass(frozen=True, eq=False)
class _Motion:
    """A relative pose and its inliers.

    Attributes:
        rotation, translation, fundamental: as in :class:`TwoView`.
        angles: triangulation angles in radians, shape (M,).
        inliers: which matches fit the epipolar geometry, shape (M,).
        in_front: which of them show a point in front of both cameras, shape (M,).
    """

    rotation: np.ndarray
    translation: np.ndarray
    fundamental: np.ndarray
    angles: np.ndarray
    inliers: np.ndarray
    in_front: np.ndarray


class RobustTwoView(Stage):
    """Base of the two-view stages; a subclass adds :meth:`estimate`.

    Args:
        max_error: largest Sampson distance of an inlier from the epipolar geometry, or transfer error by the
            homography, in pixels.
        min_inliers: least number of inliers of a verified pair.
        min_inlier_ratio: least share of inliers among its matches.
        min_angle: median triangulation angle in degrees below which a pair is a ``small_baseline``.
        confidence: probability to draw a sample without outliers, at which to stop.
        max_iterations: most samples to draw.
    """

    slot = "two_views"
    papers = ("schoenberger2016sfm",)

    max_error: float = 2.0
    min_inliers: int = 15
    min_inlier_ratio: float = 0.1
    min_angle: float = 1.0
    confidence: float = 0.9999
    max_iterations: int = 10_000

    def estimate(self, points: Correspondences, seed: int) -> Models:
        """The three models, each estimated by itself."""
        raise TypeError(f"{type(self).__name__} has no method estimate")

    def run(
        self, camera: Pair[Camera], features: Pair[Features], matches: Matches, rng: np.random.Generator
    ) -> TwoView:
        """The verified geometry of a pair, of kind ``none`` if there is none."""
        seed = int(rng.integers(2**31))
        if len(matches) < _MIN_MATCHES:
            return _two_view("none")
        points = Correspondences.of(camera, features, matches.indices)
        min_ratio = min(MIN_ESSENTIAL_RATIO[each.focal] for each in (camera.first, camera.second))
        view, inliers = self._choose(points, self.estimate(points, seed), min_ratio)
        return dataclasses.replace(view, matches=matches.indices[inliers])

    def _choose(self, points: Correspondences, models: Models, min_ratio: float) -> tuple[TwoView, np.ndarray]:
        """The two-view geometry without matches, and its inliers, shape (M,)."""
        free = self._inliers(sampson_distance, models.fundamental, points)
        flat = self._inliers(homography_distance, models.homography, points)
        essentials = [models.essential]
        if flat.sum() >= MIN_HOMOGRAPHY_RATIO * free.sum():
            # Solvers for the essential matrix are inaccurate on a plane; its homography determines the motion too.
            essentials += _essentials_of_plane(points, models.homography)
        motion = max((self._motion(points, each) for each in essentials), key=lambda each: each.in_front.sum())
        rigid = motion.inliers

        trusted = min_ratio == MIN_ESSENTIAL_RATIO["calibrated"]
        calibrated = rigid.sum() + _BY_CHANCE >= min_ratio * free.sum()
        # With an inexact focal length the essential matrix loses matches that are no worse than the others.
        inliers = rigid if calibrated and (trusted or rigid.sum() > free.sum()) else free
        if inliers.sum() < max(self.min_inliers, self.min_inlier_ratio * len(points)):
            return _two_view("none"), np.zeros(len(points), bool)
        homography = np.zeros((3, 3))
        if flat.sum() >= MIN_HOMOGRAPHY_RATIO * inliers.sum():
            homography = models.homography
            turn, turned = self._turn(points, flat, trusted)
            if turned.sum() >= MIN_HOMOGRAPHY_RATIO * inliers.sum():
                return _two_view("pure_rotation", rotation=turn, homography=homography), turned
        if not calibrated:
            return _two_view("uncalibrated", fundamental=models.fundamental, homography=homography), inliers

        inliers &= motion.in_front | ~rigid
        angle = float(np.degrees(np.median(motion.angles[inliers & rigid])))
        kind: TwoViewKind = "planar" if homography.any() else "calibrated"
        view = _two_view(
            "small_baseline" if angle < self.min_angle else kind,
            rotation=motion.rotation,
            translation=motion.translation,
            fundamental=motion.fundamental,
            homography=homography,
            angle=angle,
        )
        return view, inliers

    def _inliers(self, distance: Distance, model: np.ndarray, points: Correspondences) -> np.ndarray:
        """Which matches fit a model, shape (M,)."""
        if not model.any():
            return np.zeros(len(points), bool)
        return distance(model, points.first, points.second) < self.max_error

    def _motion(self, points: Correspondences, essential: np.ndarray) -> _Motion:
        """The motion of an essential matrix, refined on its inliers."""
        fundamental = fundamental_from_essential(essential, points.first_matrix, points.second_matrix)
        near = points[self._inliers(sampson_distance, fundamental, points)]
        rotation, translation, front = pose_in_front(essential, *near.rays)
        if essential.any() and front.sum() >= _MIN_MATCHES:
            rotation, translation = _refine(near[front], rotation, translation, self.max_error)
            fundamental = _fundamental(points, rotation, translation)

        inliers = self._inliers(sampson_distance, fundamental, points)
        angles = triangulation_angle(rotation, *points.rays)
        # Rays that are parallel within the noise may meet in front or behind.
        parallel = angles < self.max_error / points.focal_length
        front = np.all(ray_depths(rotation, translation, *points.rays) > 0, axis=1)
        return _Motion(rotation, translation, fundamental, angles, inliers, inliers & (front | parallel))

    def _turn(self, points: Correspondences, flat: np.ndarray, trusted: bool) -> tuple[np.ndarray, np.ndarray]:
        """The rotation about the camera's center that fits best, and its inliers, shape (M,).

        An inexact focal length is estimated too, because no rotation fits with a wrong one.
        """
        scale = 1.0 if trusted else _focal_scale(points[flat])
        turn, _ = _best_turn(points[flat], scale)
        return turn, self._inliers(homography_distance, _turning_homography(points, turn, scale), points)


class PoseLibTwoView(RobustTwoView):
    """LO-RANSAC as in PoseLib (Larsson 2020): five points, seven points and four points, with local optimization."""

    papers = ("larsson2020", "chum2003", "nister2004")
    libraries = ("numpy", "poselib", "scipy")

    def estimate(self, points: Correspondences, seed: int) -> Models:
        """The three models, each estimated by itself."""
        options = {
            "max_epipolar_error": self.max_error,
            "max_reproj_error": self.max_error,
            "success_prob": self.confidence,
            "min_iterations": 100,
            "max_iterations": self.max_iterations,
            "seed": seed,
        }
        cameras = _poselib_camera(points.first_matrix), _poselib_camera(points.second_matrix)
        pose, _ = poselib.estimate_relative_pose(points.first, points.second, *cameras, options)
        fundamental, _ = poselib.estimate_fundamental(points.first, points.second, options)
        # Only a homography with most matches as inliers is of interest, and that is found in a few samples.
        homography, _ = poselib.estimate_homography(points.first, points.second, options | {"max_iterations": 200})
        return Models(essential_from_pose(pose.R, pose.t), fundamental, homography)


class OpenCVTwoView(RobustTwoView):
    """MAGSAC++ (Barath et al. 2020) as in OpenCV."""

    papers = ("barath2020",)
    libraries = ("numpy", "opencv-contrib-python", "poselib", "scipy")

    def estimate(self, points: Correspondences, seed: int) -> Models:
        """The three models, each estimated by itself."""
        options = self._options(seed, self.max_error)
        on_plane_at_one = self._options(seed, self.max_error / points.focal_length)
        pinhole, straight = np.eye(3), np.zeros(4)
        first, second = (np.ascontiguousarray(rays[:, :2]) for rays in points.rays)
        essential, _ = cv2.findEssentialMat(
            first, second, pinhole, pinhole, dist_coeff1=straight, dist_coeff2=straight, params=on_plane_at_one
        )
        fundamental, _ = cv2.findFundamentalMat(points.first, points.second, params=options)
        homography, _ = cv2.findHomography(points.first, points.second, params=options)
        return Models(_matrix_or_zeros(essential), _matrix_or_zeros(fundamental), _matrix_or_zeros(homography))

    def _options(self, seed: int, threshold: float) -> cv2.UsacParams:
        options = cv2.UsacParams()
        options.confidence, options.maxIterations, options.threshold = self.confidence, self.max_iterations, threshold
        options.score, options.sampler = cv2.SCORE_METHOD_MAGSAC, cv2.SAMPLING_UNIFORM
        options.loMethod, options.final_polisher = cv2.LOCAL_OPTIM_SIGMA, cv2.MAGSAC
        options.randomGeneratorState, options.isParallel = seed, False
        return options


def _two_view(kind: TwoViewKind, **known: Any) -> TwoView:
    """A two-view geometry without matches, with the identity or zeros for what is not known."""
    unknown: dict[str, Any] = {
        "matches": np.empty((0, 2)),
        "rotation": np.eye(3),
        "translation": np.zeros(3),
        "angle": 0.0,
        "fundamental": np.zeros((3, 3)),
        "homography": np.zeros((3, 3)),
    }
    return TwoView(kind=kind, **unknown | known)


def _fundamental(points: Correspondences, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    essential = essential_from_pose(rotation, translation)
    return fundamental_from_essential(essential, points.first_matrix, points.second_matrix)


def _essentials_of_plane(points: Correspondences, homography: np.ndarray) -> list[np.ndarray]:
    """The two essential matrices that a plane's homography allows (Ma et al. 2004), or none."""
    calibrated = np.linalg.inv(points.second_matrix) @ homography @ points.first_matrix
    motions, _ = poselib.motion_from_homography(calibrated)
    # Each motion is followed by its opposite, whose essential matrix is the same.
    return [essential_from_pose(each.R, each.t) for each in motions[::2] if each.t.any()]


def _refine(
    points: Correspondences, rotation: np.ndarray, translation: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """The pose with the least Sampson distances under Cauchy's loss."""
    cameras = _poselib_camera(points.first_matrix), _poselib_camera(points.second_matrix)
    pose = poselib.CameraPose()
    pose.R, pose.t = rotation, translation
    options = {"loss_type": "CAUCHY", "loss_scale": scale / 2}
    pose, _ = poselib.refine_relative_pose(points.first, points.second, pose, *cameras, options)
    return pose.R, pose.t / np.linalg.norm(pose.t)


def _poselib_camera(matrix: np.ndarray) -> dict[str, Any]:
    params = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]
    return {"model": "PINHOLE", "width": -1, "height": -1, "params": params}


def _best_turn(points: Correspondences, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The rotation that takes the first rays to the second, at ``scale`` times the focal length, and its errors (M,).

    Iteratively reweighted least squares, so that a few matches with parallax do no harm.
    """
    stretch = np.array([scale, scale, 1.0])
    rays = [each / stretch for each in points.rays]
    first, second = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in rays)
    weights = np.ones(len(points))
    for _ in range(_REWEIGHTINGS):
        turn = rotation_between(first, second, weights)
        errors = homography_distance(_turning_homography(points, turn, scale), points.first, points.second)
        weights = 1 / (1 + (errors / max(float(np.median(errors)), 1e-9)) ** 2)
    return turn, errors  # pyright: ignore[reportPossiblyUnboundVariable] (the loop runs)


def _focal_scale(points: Correspondences) -> float:
    """The factor of the focal length, from 1/e to e, with which a rotation fits best."""

    def median_error(log_scale: float) -> float:
        return float(np.median(_best_turn(points, np.exp(log_scale))[1]))

    found: Any = minimize_scalar(median_error, bounds=(-1, 1), method="bounded")
    return float(np.exp(found.x))


def _turning_homography(points: Correspondences, turn: np.ndarray, scale: float) -> np.ndarray:
    """The homography of a rotation about the camera's center, shape (3, 3)."""
    stretch = np.diag([scale, scale, 1.0])
    return points.second_matrix @ stretch @ turn @ np.linalg.inv(points.first_matrix @ stretch)


def _matrix_or_zeros(matrix: np.ndarray | None) -> np.ndarray:
    return np.zeros((3, 3)) if matrix is None or matrix.shape != (3, 3) else matrix
