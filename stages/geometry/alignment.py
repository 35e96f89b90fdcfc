"""Similarity transforms between two worlds: closed form, from cameras, and robust to cameras that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import check_arrays
from ..failure import StageFailure
from ..scene import Scene
from .rotations import nearest_rotation

HYPOTHESES = 500
"""Most pairs of cameras to try; with half of the cameras wrong, a quarter of the pairs are right."""

MEDIAN_OF_CHI_3, CUT_OF_CHI_3 = 1.5382, 3.3682
"""Median and 99th percentile of the length of a vector of three standard normal numbers."""

COLLINEAR = 1e-3
"""Spread across a line, relative to that along it, below which positions do not determine the rotation about it."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """``x_target = scale * rotation @ x_source + translation``.

    Attributes:
        scale: positive.
        rotation: shape (3, 3).
        translation: shape (3,).
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self, rotation=(np.float64, (3, 3)), translation=(np.float64, (3,)))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points of the source world in the target world, shape (..., 3)."""
        return self.scale * points @ self.rotation.T + self.translation

    def __matmul__(self, first: Similarity) -> Similarity:
        """The composition that applies ``first`` and then this one."""
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, self(first.translation))

    @property
    def inverse(self) -> Similarity:
        """The similarity from the target world back to the source world."""
        return Similarity(1 / self.scale, self.rotation.T, -self.rotation.T @ self.translation / self.scale)


def transform_scene(scene: Scene, similarity: Similarity) -> Scene:
    """The same scene in another world; projections and observations do not change."""
    rotations = scene.rotations @ similarity.rotation.T
    translations = similarity.scale * scene.translations - rotations @ similarity.translation
    return replace(scene, rotations=rotations, translations=translations, points=similarity(scene.points))


def umeyama(source: np.ndarray, target: np.ndarray) -> Similarity:
    """The similarity with the least sum of squared distances between two sets of points (Umeyama 1991).

    Args:
        source, target: corresponding points, shape (N, 3), at least three and not on one line.

    Raises:
        StageFailure: ``degenerate-alignment`` if all points coincide.
    """
    return _with_rotation(nearest_rotation(_correlation(source, target)), source, target)


def align_cameras(
    source_rotations: np.ndarray, source_centers: np.ndarray, target_rotations: np.ndarray, target_centers: np.ndarray
) -> Similarity:
    """The least-squares similarity between two sets of the same cameras, over all of them.

    It minimizes the squared distances between the centers. Centers on one line, as two always are, do not
    determine the rotation about it; only then the orientations of the cameras enter, with a small weight.

    Args:
        source_rotations, target_rotations: ``cam_from_world``, shape (N, 3, 3).
        source_centers, target_centers: camera centers, shape (N, 3).

    Raises:
        StageFailure: ``too-few-cameras`` for fewer than two, ``degenerate-alignment`` if the centers coincide.
    """
    count = len(source_centers)
    if count < 2:
        raise StageFailure("too-few-cameras", "An alignment needs at least two cameras.", cameras=count)
    if min(_breadth(source_centers), _breadth(target_centers)) > COLLINEAR:
        return umeyama(source_centers, target_centers)
    by_centers = _correlation(source_centers, target_centers)
    by_axes = np.einsum("nji,njk->ik", target_rotations, source_rotations)
    weight = COLLINEAR * np.linalg.norm(by_centers) / np.linalg.norm(by_axes)
    return _with_rotation(nearest_rotation(by_centers + weight * by_axes), source_centers, target_centers)


def align_cameras_robustly(
    source_rotations: np.ndarray, source_centers: np.ndarray, target_rotations: np.ndarray, target_centers: np.ndarray
) -> Similarity:
    """The least-squares similarity of those cameras that agree with each other.

    Up to half of the cameras may be wrong, by any amount; no threshold is needed. Least trimmed squares with
    concentration steps (Rousseeuw and Van Driessen 1999) from pairs of cameras, then one least-squares fit to all
    cameras within 3.4 robust standard deviations. If all are, the result is that of :func:`align_cameras`. The pairs
    are all pairs, or a fixed choice of them if there are many: the same cameras always give the same result.

    Arguments and failures are those of :func:`align_cameras`.
    """
    cameras = source_rotations, source_centers, target_rotations, target_centers

    def fit(chosen: np.ndarray) -> Similarity:
        return align_cameras(*(array[chosen] for array in cameras))

    def distances(similarity: Similarity) -> np.ndarray:
        return np.linalg.norm(similarity(source_centers) - target_centers, axis=1)

    count = len(source_centers)
    agreeing = (count + 3) // 2
    if agreeing >= count:
        return align_cameras(*cameras)
    pairs = _pairs(source_centers, target_centers)
    starts = sorted((np.partition(distances(fit(pair)), agreeing - 1)[agreeing - 1], *pair) for pair in pairs)
    trials = [_concentrate(np.array(pair), agreeing, fit, distances) for _, *pair in starts[:10]]
    if not trials:
        return align_cameras(*cameras)
    distance = min((distances(fit(trial)) for trial in trials), key=lambda d: np.sum(np.sort(d)[:agreeing] ** 2))

    inliers = np.zeros(count, bool)
    exact = 1e-12 * np.linalg.norm(np.ptp(target_centers, axis=0))
    for _ in range(20):
        # Rousseeuw and Leroy's correction for few samples; a pair of cameras fixes the similarity.
        deviation = np.sort(distance)[agreeing - 1] / MEDIAN_OF_CHI_3 * (1 + 5 / (count - 2))
        before, inliers = inliers, distance <= CUT_OF_CHI_3 * deviation + exact
        if (inliers == before).all():
            break
        distance = distances(fit(inliers))
    return fit(inliers)


def _concentrate(
    chosen: np.ndarray,
    agreeing: int,
    fit: Callable[[np.ndarray], Similarity],
    distances: Callable[[Similarity], np.ndarray],
) -> np.ndarray:
    """Fit and take the closest cameras, until they no longer change; the sum of squares never rises."""
    for _ in range(50):
        closest = np.sort(np.argsort(distances(fit(chosen)), kind="stable")[:agreeing])
        if np.array_equal(closest, chosen):
            break
        chosen = closest
    return chosen


def _pairs(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pairs of cameras that stand apart in both worlds, shape (H, 2)."""
    count = len(source)
    if count * (count - 1) // 2 <= HYPOTHESES:
        pairs = np.column_stack(np.triu_indices(count, k=1))
    else:
        pairs = np.random.default_rng(0).integers(0, count, (HYPOTHESES, 2))
    i, j = pairs.T
    return pairs[(source[i] != source[j]).any(axis=1) & (target[i] != target[j]).any(axis=1)]


def _correlation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    return (target - target.mean(axis=0)).T @ (source - source.mean(axis=0))


def _breadth(points: np.ndarray) -> float:
    """Second largest spread of points relative to the largest."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(spread[1] / spread[0]) if spread[0] > 0 else 0.0


def _with_rotation(rotation: np.ndarray, source: np.ndarray, target: np.ndarray) -> Similarity:
    """The best scale and translation for a rotation."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    along, spread = np.sum(b * (a @ rotation.T)), np.sum(a * a)
    if not (along > 0 and spread > 0):
        raise StageFailure("degenerate-alignment", "The camera positions coincide: no scale aligns them.")
    scale = along / spread
    return Similarity(float(scale), rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))
