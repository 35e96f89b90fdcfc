"""Merge the points of all views into one cloud."""

from __future__ import annotations

import numpy as np

from ..dense import Cloud
from ..failure import StageFailure
from ..stage import Stage

_BITS = 21
"""Bits of a cell's index along each axis; three such indices fit into 64 bits."""


class MergedCloud(Stage):
    """The points of all views in the order of the photos, thinned if asked for.

    Args:
        voxel: side of the grid cells whose points are averaged, in units of the model; 0 keeps every point.
    """

    slot = "cloud"

    voxel: float = 0.0

    def run(self, fused: tuple[Cloud, ...]) -> Cloud:
        """Merge the clouds.

        Raises:
            StageFailure: ``empty-cloud`` if no view has a point, ``voxel-too-small`` as :func:`thinned`.
        """
        cloud = concatenated(fused)
        if not len(cloud):
            raise StageFailure(
                "empty-cloud",
                "No view has a surface point that other views confirm.",
                hint="Check why depths are missing, lower min_views or min_confidence, or add overlapping photos.",
                views=len(fused),
            )
        return thinned(cloud, self.voxel) if self.voxel > 0 else cloud


def concatenated(clouds: tuple[Cloud, ...] | list[Cloud]) -> Cloud:
    """Concatenate clouds."""
    none = Cloud(*np.zeros((3, 0, 3)), *np.zeros((2, 0)))
    names = ("points", "normals", "colors", "views", "spread")
    return Cloud(
        *(np.concatenate([getattr(none, name), *(getattr(cloud, name) for cloud in clouds)]) for name in names)
    )


def thinned(cloud: Cloud, voxel: float) -> Cloud:
    """One point per cell of a grid: mean position, normal and color, largest number of views, rms spread.

    The grid is fixed in the world; the points are sorted by cell.

    Raises:
        StageFailure: ``voxel-too-small`` where an axis would have more than two million cells.
    """
    if not len(cloud):
        return cloud
    keys = cells(cloud.points, voxel)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    count = np.diff(first, append=len(keys))

    def mean(column: np.ndarray) -> np.ndarray:
        return np.add.reduceat(column[order].astype(np.float64), first) / count

    points = np.stack([mean(column) for column in cloud.points.T], axis=1)
    normals = np.stack([mean(column) for column in cloud.normals.T], axis=1)
    # If opposite normals cancel out, take the first.
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 1e-6, normals / np.maximum(length, 1e-6), cloud.normals[order[first]])
    colors = np.rint(np.stack([mean(column) for column in cloud.colors.T], axis=1))
    views = np.maximum.reduceat(cloud.views[order], first)
    return Cloud(points, normals, colors, views, np.sqrt(mean(np.square(cloud.spread))))


def cells(points: np.ndarray, voxel: float) -> np.ndarray:
    """Index of the cell of each point, int64, ordered by x, then y, then z."""
    keys = np.zeros(len(points), np.int64)
    for column in points.T:
        cell = np.floor(column / np.float64(voxel))
        cell -= cell.min()
        if cell.max() >= 1 << _BITS:
            raise StageFailure(
                "voxel-too-small",
                "The cloud is too wide for voxels this small.",
                hint="Take larger voxels, or remove the points far away.",
                voxel=voxel,
                extent=float(np.ptp(column)),
            )
        keys = (keys << _BITS) | cell.astype(np.int64)
    return keys
