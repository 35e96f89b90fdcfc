"""Accuracy, completeness and F-score of a cloud or mesh against the true surface (Schöps et al. 2017).

As in ETH3D's evaluation, the shares are taken in cubic voxels first and averaged over the voxels that hold a point, so
that the density of the samples does not matter. Parts that cannot be measured are left out:

- An estimated point farther from the truth than the threshold counts as wrong only in observed free space, where at
  least one true camera sees it in front of the true surface. ETH3D defines free space by thickened laser beams; here it
  is the cameras' rays, without thickness.
- Completeness counts only what at least two true cameras see, as stereo needs. ETH3D's scans were cut by hand instead.

Without true views all of space counts as observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.spatial import KDTree

from ..arrays import check_arrays
from ..dense import Cloud, Mesh
from ..depth_truth import TrueView
from ..peers.open3d import open3d

_FEWEST_SAMPLES, _MOST_SAMPLES = 10_000, 1_000_000
_DENSITY = 4
"""Samples of a mesh on an area as large as a voxel's side, between these bounds."""

_HIDDEN = 1e-4
"""A mesh hides what lies farther behind it than this share of the distance from the camera."""

_HIDDEN_BY_PIXEL = 0.01
"""So does a depth map, whose pixels are read at their centers only."""


@dataclass(frozen=True, eq=False)
class SurfaceEvaluation:
    """Result of :func:`evaluate_surface`.

    Attributes:
        thresholds: distances in the truth's unit, shape (T,).
        accuracy: share of the observed estimate that is nearer to the truth than each, shape (T,).
        completeness: share of the truth that is nearer to the estimate than each, shape (T,).
        unobserved: share of the estimate's points that are left out at each, shape (T,).
        distance: median distance from the truth of the estimate's points in observed space.
    """

    thresholds: np.ndarray
    accuracy: np.ndarray
    completeness: np.ndarray
    unobserved: np.ndarray
    distance: float

    def __post_init__(self) -> None:
        real, shape = np.float64, ("T",)
        check_arrays(
            self, thresholds=(real, shape), accuracy=(real, shape), completeness=(real, shape), unobserved=(real, shape)
        )

    @property
    def f_score(self) -> np.ndarray:
        """Harmonic mean of accuracy and completeness, 0 where both are, shape (T,)."""
        both = self.accuracy + self.completeness
        return np.divide(2 * self.accuracy * self.completeness, both, out=np.zeros(len(both)), where=both != 0)

    def as_dict(self) -> dict[str, float]:
        """All numbers by name, for tables and JSON; NaN where undefined."""
        columns = {
            "threshold": self.thresholds,
            "accuracy": self.accuracy,
            "completeness": self.completeness,
            "f_score": self.f_score,
            "unobserved": self.unobserved,
        }
        shares = {f"{what}_{i}": float(value) for what, column in columns.items() for i, value in enumerate(column)}
        return {**shares, "distance_median": self.distance}

    def table(self) -> list[tuple[str, str]]:
        """Rows to print: label and text."""
        columns = {"accuracy": self.accuracy, "completeness": self.completeness, "F-score": self.f_score}
        lines = [
            (what, ", ".join(f"{100 * v:.1f} % at {t:.3g}" for v, t in zip(values, self.thresholds, strict=True)))
            for what, values in columns.items()
        ]
        left_out = f"{100 * self.unobserved[0]:.1f} % of it left out, where no true view looks"
        return [*lines, ("median distance from the truth", f"{self.distance:.3g} in the truth's unit; {left_out}")]


def evaluate_surface(
    estimate: Cloud | Mesh | np.ndarray,
    truth: Mesh | np.ndarray,
    thresholds: Sequence[float],
    views: Sequence[TrueView] = (),
    voxel: float | None = None,
    seed: int = 0,
) -> SurfaceEvaluation:
    """Accuracy, completeness and F-score of a cloud or mesh, as the head of this module defines them.

    Meshes are sampled evenly at random, about four points to a voxel's face and a million at most. Distances are
    those from the mesh itself where it is one, else from the nearest point. The same arguments give the same result.

    Args:
        estimate: a cloud, its positions (P, 3), or a mesh, in the world of the truth.
        truth: a mesh, or the points of a scan (P, 3).
        thresholds: distances in the truth's unit.
        views: the true cameras, which define observed space; for a scan their true depths are used too.
        voxel: side of the voxels, by default the smallest threshold, as in ETH3D's tables.
        seed: of the samples.
    """
    side, limits = voxel or min(thresholds), np.asarray(thresholds, np.float64)
    points, true = sampled(estimate, side, seed), sampled(truth, side, seed + 1)
    observed = np.ones(len(points), np.bool_)
    if views:
        observed, true = views_of(points, truth, views) > 0, true[views_of(true, truth, views) > 1]
    off, missed = distances(points, truth), distances(true, estimate, float(limits.max()))
    counted = [observed | (off < limit) for limit in limits]
    return SurfaceEvaluation(
        thresholds=limits,
        accuracy=np.array(
            [by_voxel(points[kept], off[kept] < limit, side) for kept, limit in zip(counted, limits, strict=True)]
        ),
        completeness=np.array([by_voxel(true, missed < limit, side) for limit in limits]),
        unobserved=np.array([1 - kept.mean() if len(kept) else np.nan for kept in counted]),
        distance=float(np.median(off[observed])) if observed.any() else float("nan"),
    )


def sampled(surface: Cloud | Mesh | np.ndarray, side: float, seed: int = 0) -> np.ndarray:
    """The points of a cloud, or points spread evenly at random over a mesh, four to an area of ``side`` squared."""
    if isinstance(surface, Cloud):
        return surface.points.astype(np.float64)
    if not isinstance(surface, Mesh):
        return np.asarray(surface, np.float64)
    a, b, c = np.moveaxis(surface.vertices.astype(np.float64)[surface.triangles], 1, 0)
    areas = np.cumsum(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)
    if not len(areas) or areas[-1] == 0:
        return np.empty((0, 3))
    rng = np.random.default_rng(seed)
    count = int(np.clip(_DENSITY * areas[-1] / side**2, _FEWEST_SAMPLES, _MOST_SAMPLES))
    # Even steps along the summed area give every triangle its share but for one sample.
    triangle = np.searchsorted(areas, (np.arange(count) + rng.uniform()) / count * areas[-1], side="right")
    u, v = rng.uniform(size=(2, count, 1))
    root = np.sqrt(u)
    return (1 - root) * a[triangle] + root * (1 - v) * b[triangle] + root * v * c[triangle]


def distances(points: np.ndarray, surface: Cloud | Mesh | np.ndarray, most: float = np.inf) -> np.ndarray:
    """Distance of points (P, 3) from a mesh, or from the nearest point of a cloud; infinite where that is empty.

    Args:
        most: from a cloud, larger distances may be infinite, which is quicker.
    """
    if isinstance(surface, Mesh):
        if not len(surface.triangles):
            return np.full(len(points), np.inf)
        return _raycasting(surface).compute_distance(np.float32(points), nthreads=1).numpy().astype(np.float64)
    tree = KDTree(surface.points if isinstance(surface, Cloud) else surface)
    return np.asarray(tree.query(points, distance_upper_bound=most)[0])


def views_of(points: np.ndarray, truth: Mesh | np.ndarray, views: Sequence[TrueView]) -> np.ndarray:
    """Number of views that see each point (P, 3) in front of the true surface, shape (P,).

    Visibility is tested by ray casting in a mesh; for a scan by the true depth of the pixel, and a view without a depth
    there does not count.
    """
    seen = np.zeros(len(points), np.int64)
    scene = _raycasting(truth) if isinstance(truth, Mesh) else None
    for view in views:
        there, pixel, z = _inside(points, view)
        if scene is None:
            depth = view.depth[pixel[:, 1], pixel[:, 0]]
            seen[there] += (depth > 0) & (z < (1 + _HIDDEN_BY_PIXEL) * depth)
        else:
            towards = points[there] - view.center
            rays = np.concatenate([np.broadcast_to(view.center, towards.shape), towards], axis=1)
            seen[there] += scene.cast_rays(np.float32(rays), nthreads=1)["t_hit"].numpy() > 1 - _HIDDEN
    return seen


def by_voxel(points: np.ndarray, right: np.ndarray, side: float) -> float:
    """Mean over the occupied voxels of their share of right points; NaN without points."""
    if not len(points):
        return float("nan")
    cells = np.floor((points - points.min(axis=0)) / side).astype(np.int64)
    voxel = np.zeros(len(points), np.int64)
    for cell in cells.T:  # renumbered after each axis, so that a far outlier lets nothing overflow
        voxel = np.unique(voxel * (cell.max() + 1) + cell, return_inverse=True)[1]
    return float(np.mean(np.bincount(voxel, right) / np.bincount(voxel)))


@dataclass(frozen=True)
class MaskEvaluation:
    """Counts against the masks of an object, for scenes without a true surface.

    Attributes:
        pixels: pixels of the object in all true views.
        kept: how many of them have a depth.
        points: points of the cloud.
        outside: how many of them lie outside the object's visual hull, widened by the dilation of the masks.
    """

    pixels: int = 0
    kept: int = 0
    points: int = 0
    outside: int = 0

    def as_dict(self) -> dict[str, float]:
        """All numbers by name, for tables and JSON; NaN where undefined."""
        nan = float("nan")
        return {
            "object_pixels": self.pixels,
            "object_kept": self.kept / self.pixels if self.pixels else nan,
            "points_outside": self.outside / self.points if self.points else nan,
        }

    def table(self) -> list[tuple[str, str]]:
        """Rows to print: label and text."""
        numbers = self.as_dict()
        lines = []
        if self.pixels:
            lines.append(("object pixels with a depth", f"{100 * numbers['object_kept']:.1f} % of {self.pixels}"))
        if self.points:
            outside = f"{100 * numbers['points_outside']:.1f} % of {self.points}"
            lines.append(("points outside the object's masks", outside))
        return lines


def mask_containment(points: np.ndarray, views: Sequence[TrueView], dilation: int = 12) -> MaskEvaluation:
    """How many points (P, 3) lie outside an object's masks in some view, or in no view's picture at all.

    Args:
        dilation: pixels by which the masks are widened, as they are not exact.
    """
    seen, outside = np.zeros(len(points), np.bool_), np.zeros(len(points), np.bool_)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilation + 1,) * 2)
    for view in views:
        if (mask := view.mask) is not None:
            there, pixel, _ = _inside(points, view)
            wide = cv2.dilate(mask.astype(np.uint8), disk)
            seen[there] = True
            outside[there] |= wide[pixel[:, 1], pixel[:, 0]] == 0
    return MaskEvaluation(points=len(points), outside=int((outside | ~seen).sum()))


def _inside(points: np.ndarray, view: TrueView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the points in the view's picture, their pixels (column, row), and their z."""
    in_camera = points @ view.rotation.T + view.translation
    z = in_camera[:, 2]
    ahead = np.where(z > 0, z, np.inf)
    xy = in_camera[:, :2] / ahead[:, None] * view.camera.focal_lengths + view.camera.principal_point
    inside = (z > 0) & ((xy >= 0) & (xy < [view.camera.width, view.camera.height])).all(axis=1)
    there = np.flatnonzero(inside)
    return there, xy[there].astype(np.int64), z[there]


def _raycasting(mesh: Mesh) -> Any:
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(np.ascontiguousarray(mesh.vertices), mesh.triangles.astype(np.uint32))
    return scene
