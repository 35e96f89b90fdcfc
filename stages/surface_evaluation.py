"""How far a cloud or a mesh is from the true surface: accuracy, completeness and F-score, as ETH3D defines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .arrays import settle
from .dense import Cloud, Mesh
from .depth_truth import TrueView
from .open3d import open3d

_MOST_SAMPLES = 2_000_000
_DENSITY = 4
"""Samples of a mesh on every square as wide as a voxel."""

_HIDDEN = 1e-4
"""A surface hides what lies farther behind it than this share of its distance from the camera."""


@dataclass(frozen=True, eq=False)
class SurfaceEvaluation:
    """What :func:`evaluate_surface` measured.

    Attributes:
        thresholds: distances in the truth's unit, shape (T,).
        accuracy: share of the estimate that is nearer to the truth than each, shape (T,).
        completeness: share of the truth that is nearer to the estimate than each, shape (T,).
        unobserved: share of the estimate's points that lie where no view of the truth looks, shape (T,).
        distance: median distance of the estimate's observed points from the truth.
    """

    thresholds: np.ndarray
    accuracy: np.ndarray
    completeness: np.ndarray
    unobserved: np.ndarray
    distance: float

    def __post_init__(self) -> None:
        real, shape = np.float64, ("T",)
        settle(
            self, thresholds=(real, shape), accuracy=(real, shape), completeness=(real, shape), unobserved=(real, shape)
        )  # fmt: skip

    @property
    def f_score(self) -> np.ndarray:
        """Harmonic mean of accuracy and completeness, shape (T,)."""
        both = self.accuracy + self.completeness
        return np.divide(2 * self.accuracy * self.completeness, both, out=np.zeros(len(both)), where=both > 0)

    def table(self) -> list[tuple[str, str]]:
        """Lines to print: what, and its numbers in words."""
        return [
            (what, ", ".join(f"{100 * v:.1f} % at {t:.3g}" for v, t in zip(values, self.thresholds, strict=True)))
            for what, values in (
                ("accuracy", self.accuracy), ("completeness", self.completeness), ("F-score", self.f_score)
            )
        ]  # fmt: skip


def evaluate_surface(
    estimate: Cloud | Mesh | np.ndarray, truth: Mesh | np.ndarray, thresholds: Sequence[float],
    views: Sequence[TrueView] = (), voxel: float | None = None, seed: int = 0,
) -> SurfaceEvaluation:  # fmt: skip
    """Accuracy, completeness and F-score of a cloud or mesh in the truth's world (Schöps et al. 2017)."""
    side = voxel or min(thresholds)
    points, true = sample(estimate, side, seed), sample(truth, side, seed + 1)
    off, missed = distances(points, truth), distances(true, estimate)
    seen = np.ones(len(points), bool) if not views else views_of(points, truth, views) > 0
    reachable = np.ones(len(true), bool) if not views else views_of(true, truth, views) > 1
    limits = np.asarray(thresholds, np.float64)
    kept = [seen | (off < limit) for limit in limits]
    return SurfaceEvaluation(
        limits,
        np.array([by_voxel(points[k], off[k] < limit, side) for k, limit in zip(kept, limits, strict=True)]),
        np.array([by_voxel(true[reachable], missed[reachable] < limit, side) for limit in limits]),
        np.array([1 - k.mean() if len(k) else np.nan for k in kept]),
        float(np.median(off[seen])) if seen.any() else float("nan"),
    )


def sample(surface: Cloud | Mesh | np.ndarray, side: float, seed: int = 0) -> np.ndarray:
    """Points of a cloud, or points spread evenly at random over a mesh, shape (P, 3)."""
    if isinstance(surface, Cloud):
        return surface.points.astype(np.float64)
    if not isinstance(surface, Mesh):
        return np.asarray(surface, np.float64)
    a, b, c = np.moveaxis(surface.vertices.astype(np.float64)[surface.triangles], 1, 0)
    areas = np.cumsum(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)
    if not len(areas) or areas[-1] == 0:
        return np.empty((0, 3))
    rng = np.random.default_rng(seed)
    count = int(np.clip(_DENSITY * areas[-1] / side**2, 10_000, _MOST_SAMPLES))
    at = np.searchsorted(areas, (np.arange(count) + rng.uniform()) / count * areas[-1])
    u, v = rng.uniform(size=(2, count, 1))
    root = np.sqrt(u)
    return (1 - root) * a[at] + root * (1 - v) * b[at] + root * v * c[at]


def distances(points: np.ndarray, surface: Cloud | Mesh | np.ndarray) -> np.ndarray:
    """Distance of points (P, 3) from a mesh, or from the nearest point of a cloud, shape (P,)."""
    if isinstance(surface, Mesh):
        return _scene(surface).compute_distance(points.astype(np.float32), nthreads=1).numpy().astype(np.float64)
    other = surface.points if isinstance(surface, Cloud) else surface
    return np.asarray(cKDTree(other).query(points)[0])


def views_of(points: np.ndarray, truth: Mesh | np.ndarray, views: Sequence[TrueView]) -> np.ndarray:
    """How many views look at each point past the true surface, shape (P,)."""
    seen = np.zeros(len(points), np.int64)
    scene = _scene(truth) if isinstance(truth, Mesh) else None
    for view in views:
        in_camera = points @ view.rotation.T + view.translation
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = (in_camera @ view.camera.matrix.T)[:, :2] / in_camera[:, 2:]
        inside = (in_camera[:, 2] > 0) & ((xy >= 0) & (xy < [view.camera.width, view.camera.height])).all(axis=1)
        there = np.flatnonzero(inside)
        if scene is None:
            column, row = xy[there].astype(np.int64).T
            depth = view.depth[row, column]
            seen[there] += (depth > 0) & (in_camera[there, 2] < 1.01 * depth)
        else:
            rays = np.concatenate([np.tile(view.center, (len(there), 1)), points[there] - view.center], axis=1)
            hit = scene.cast_rays(rays.astype(np.float32), nthreads=1)["t_hit"].numpy()
            seen[there] += hit > 1 - _HIDDEN
    return seen


def by_voxel(points: np.ndarray, right: np.ndarray, side: float) -> float:
    """Mean over the voxels of the share of right points in each; NaN without points."""
    if not len(points):
        return float("nan")
    _, voxel = np.unique(np.floor(points / side).astype(np.int64), axis=0, return_inverse=True)
    voxel = voxel.reshape(-1)
    return float(np.mean(np.bincount(voxel, right) / np.bincount(voxel)))


def _scene(mesh: Mesh) -> object:
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(mesh.vertices, mesh.triangles.astype(np.uint32))
    return scene
