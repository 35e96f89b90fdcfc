"""View selection: the neighbors and the depth range of every photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..dense import Neighbors
from ..scene import Photos, Scene, Sparse
from ..stage import Sizes, Stage

_BEST_ANGLE = 5.0
_NARROWER, _WIDER = 1.0, 10.0
"""Degrees. A triangulation angle weighs as a Gaussian about the best with these widths on its two sides: depth from a
narrower one is imprecise, at a wider one photos look less alike."""

_APART = 3.0
"""Degrees, seen from the scene. A source closer than this to a better one adds little, and counts in proportion."""

_SAME_SCALE = 1.5
"""A point may be this much larger in one photo than in the other before the pair counts less."""

_LEAST = 0.01
"""A source whose score is a smaller share of the best one's is left out: it adds errors rather than depth."""

_QUANTILES = 0.01, 0.99
_NEARER, _FARTHER = 0.3, 0.15
"""The range holds these quantiles of the inverse depths of a photo's points, stretched by these shares of their span
towards the camera and away from it, and by at least a twentieth of themselves: points lie on texture, and surfaces go
on nearer and farther. What is near moves most, and ground before the feet bears few points, so more is given there."""

_WIDEST_RANGE = 1000.0
"""A range from almost zero, or to infinity, comes of points that are wrong, and no search covers it."""


class SharedPoints(Stage):
    """Choose as neighbors those that see the same points at a good angle; take the depth range from the points.

    A pair of photos scores, for every point that both see, a Gaussian of its triangulation angle about 5 degrees, 1
    degree wide below and 10 above (Yao et al. 2018, MVSNet), less where the photos show the point at different scales.
    A photo's sources are then chosen greedily, best first; a source that is close to a chosen one, seen from the scene,
    scores less (both after Goesele et al. 2007). Only the largest model is used.

    The depth range of a photo reaches from the first to the last percentile of the inverse depths of its points,
    stretched by 0.3 of this span towards the camera and by 0.15 away from it, at most to four times the farthest of
    these points. Inverse depth is what parallax measures, so a share of it is a share of the pixels to search.

    Args:
        count: most neighbors of a photo.
        min_angle: degrees; a shared point seen at a smaller angle does not count.
        min_points: least number of shared points of two neighbors, and of points of a photo with a range.
        near, far: the range of every photo in units of the model; 0 estimates it from the points.
    """

    slot = "neighbors"
    papers = ("yao2018", "goesele2007")

    count: int = 10
    min_angle: float = 1.0
    min_points: int = 10
    near: float = 0.0
    far: float = 0.0

    def run(self, photos: Photos, sparse: Sparse) -> Neighbors:
        """Choose neighbors and depth range of every photo; ``missing`` says why a photo has none."""
        scene = sparse.scene
        index = {name: photo for photo, name in enumerate(photos.names)}
        photo_of = np.array([index[name] for name in scene.names], np.int64)
        missing = self._missing_from_model(photos, sparse)
        depth = _depths(scene)
        near, far = np.zeros(len(photos)), np.zeros(len(photos))
        pairs = _Pairs(scene, depth, self.min_angle, self.min_points)
        chosen: list[np.ndarray] = [np.empty(0, np.int64)] * len(photos)
        for local, photo in enumerate(photo_of):
            z = depth[(scene.obs_photo == local) & (depth > 0)]
            chosen[photo] = pairs.best(local, self.count)
            if len(z) < self.min_points:
                points = f"{len(z)} point{'s' * (len(z) != 1)}"
                missing[photo] = f"sees {points} of the model; its depth range needs {self.min_points}"
            elif not len(chosen[photo]):
                missing[photo] = (
                    f"shares no {self.min_points} points with another photo at an angle of at least "
                    f"{self.min_angle:g} degrees"
                )
            else:
                found = depth_range(z)
                near[photo], far[photo] = self.near or found[0], self.far or found[1]
                if not far[photo] <= _WIDEST_RANGE * near[photo] < np.inf:
                    missing[photo] = f"has points at depths from {z.min():g} to {z.max():g}: no range to search"
            if missing[photo]:
                chosen[photo], near[photo], far[photo] = np.empty(0, np.int64), 0.0, 0.0
        rows = np.concatenate([np.empty(0, np.int64), *chosen])
        return Neighbors(
            start=np.concatenate([[0], np.cumsum([len(each) for each in chosen])]),
            source=photo_of[pairs.source[rows]],
            shared=pairs.shared[rows],
            angle=pairs.angle[rows],
            near=near,
            far=far,
            missing=tuple(missing),
        )

    def resized(self, sizes: Sizes) -> Sizes:
        """At most ``count`` neighbors a photo."""
        return replace(sizes, neighbors=min(self.count, sizes.photos - 1))

    @staticmethod
    def _missing_from_model(photos: Photos, sparse: Sparse) -> list[str]:
        reasons = dict(sparse.missing)
        others = {name for model in sparse.models[1:] for name in model.names}
        registered = set(sparse.scene.names)

        def why(name: str) -> str:
            if name in registered:
                return ""
            if name in others:
                return "is registered in a smaller model, apart from the largest"
            return f"is not registered: {reasons[name]}" if name in reasons else "is not registered"

        return [why(name) for name in photos.names]


def depth_range(depth: np.ndarray) -> tuple[float, float]:
    """Nearest and farthest depth to search, from the depths of a photo's points; see :class:`SharedPoints`.

    Args:
        depth: positive, in any unit, shape (N,).
    """
    last, first = np.quantile(1 / depth, _QUANTILES)
    nearest = max(first + _NEARER * (first - last), 1.05 * first)
    farthest = max(min(last - _FARTHER * (first - last), last / 1.05), last / 4)
    return float(1 / nearest), float(1 / farthest)


class _Pairs:
    """Pairs of photos that share enough points, in both directions, sorted by reference.

    Attributes:
        source: shape (E,), like all that follow.
        score: of the source for its reference.
        shared: number of points seen at a sufficient angle.
        angle: their median angle in degrees.
    """

    def __init__(self, scene: Scene, depth: np.ndarray, min_angle: float, min_points: int) -> None:
        first, second = _observation_pairs(scene.obs_point)
        in_front = (depth[first] > 0) & (depth[second] > 0)
        first, second = first[in_front], second[in_front]
        angle = _angles(scene, first, second)
        wide = angle >= min_angle
        first, second, angle = first[wide], second[wide], angle[wide]

        focal = np.array([np.mean(scene.camera(photo).focal_lengths) for photo in range(len(scene.names))])
        scale = focal[scene.obs_photo] / np.where(depth > 0, depth, np.inf)
        ratio = scale[first] / scale[second]
        width = np.where(angle < _BEST_ANGLE, _NARROWER, _WIDER)
        weight = np.exp(-0.5 * ((angle - _BEST_ANGLE) / width) ** 2)
        weight *= np.minimum(1, _SAME_SCALE * np.minimum(ratio, 1 / ratio))

        n = len(scene.names)
        i, j = np.sort(np.stack([scene.obs_photo[first], scene.obs_photo[second]]).astype(np.int64), axis=0)
        keys, pair, shared = np.unique(i * n + j, return_inverse=True, return_counts=True)
        score = np.bincount(pair, weight, len(keys))
        angle = angle[np.lexsort((angle, pair))][np.cumsum(shared) - (shared + 1) // 2] if len(keys) else angle
        enough = shared >= min_points
        reference, source = np.divmod(keys[enough], n)
        order = np.lexsort((np.concatenate([source, reference]), np.concatenate([reference, source])))
        both = np.concatenate([np.flatnonzero(enough)] * 2)[order]
        self.source = np.concatenate([source, reference])[order]
        self.score, self.shared, self.angle = score[both], shared[both], angle[both]
        self._start = np.searchsorted(np.concatenate([reference, source])[order], np.arange(n + 1))
        self._centers, self._middles = scene.centers, _middles(scene)

    def best(self, reference: int, count: int) -> np.ndarray:
        """Rows of the best sources of one photo, best first."""
        rows = np.arange(self._start[reference], self._start[reference + 1])
        towards = self._centers[self.source[rows]] - self._middles[reference]
        towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-300)
        apart = np.degrees(np.arccos(np.clip(towards @ towards.T, -1, 1)))
        left, chosen = self.score[rows], []
        while len(chosen) < min(count, len(rows)) and left.max() >= _LEAST * self.score[rows].max():
            chosen.append(int(left.argmax()))
            left = np.minimum(left, self.score[rows] * np.minimum(1, apart[chosen[-1]] / _APART))
            left[chosen] = -1
        return rows[chosen]


def _depths(scene: Scene) -> np.ndarray:
    """z of each observation's point in its photo, shape (M,)."""
    axis = scene.rotations[scene.obs_photo, 2]
    return np.einsum("mi,mi->m", axis, scene.points[scene.obs_point]) + scene.translations[scene.obs_photo, 2]


def _middles(scene: Scene) -> np.ndarray:
    """Mean of the points each photo sees, shape (N, 3)."""
    n = len(scene.names)
    seen = np.maximum(np.bincount(scene.obs_photo, minlength=n), 1)
    points = scene.points[scene.obs_point]
    return np.stack([np.bincount(scene.obs_photo, axis, n) for axis in points.T], axis=1) / seen[:, None]


def _observation_pairs(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every two observations of one point; the points are ascending."""
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for lag in range(1, int(np.bincount(point).max(initial=0))):
        same = np.flatnonzero(point[lag:] == point[:-lag])
        first.append(same)
        second.append(same + lag)
    return np.concatenate(first), np.concatenate(second)


def _angles(scene: Scene, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle in degrees between the rays of two observations of a point, shape (P,)."""
    rays = scene.centers[scene.obs_photo] - scene.points[scene.obs_point]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-300)
    return np.degrees(np.arccos(np.clip(np.einsum("mi,mi->m", rays[first], rays[second]), -1, 1)))
