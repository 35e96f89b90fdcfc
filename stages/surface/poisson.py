"""A mesh from a cloud with normals."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ..dense import Cloud, Mesh
from ..failure import StageFailure
from ..peers.open3d import DISTRIBUTIONS, open3d
from ..stage import Context, Stage
from .cloud import cells, thinned
from .meshing import finished

_MIN_POINTS = 100
_CUBE = 1.1
"""Side of the octree's cube over the longest side of the cloud."""

_SHALLOWEST, _DEEPEST = 5, 13
_POINTS_IN_CELL = 2
_AROUND = 6


class Poisson(Stage):
    """Screened Poisson surface reconstruction (Kazhdan and Hoppe 2013), trimmed to where there are points.

    The surface is the level set of a function whose gradient follows the normals: it is closed and smooth, and also
    spans what no camera saw, which is cut off again. The cloud is first thinned to one mean point for each
    cell of the octree's finest level, so memory depends on the number of cells and not of points.

    Args:
        depth: of the octree: the surface has details of 1.1 x the cloud's longest side / 2^depth. 0 chooses the
            deepest where the median point shares its cell with another and no more than ``max_cells`` have points.
        max_cells: bounds memory and time where the depth is chosen, about 1 kB and 50 microseconds each.
        support: vertices farther than this from the nearest point are cut off, in cells of the octree or, where the
            points are sparser than these and on all sides, in spacings of the points.
        min_component: connected pieces with fewer triangles are removed.
    """

    slot = "mesh"
    papers = ("kazhdan2013", "zhou2018")
    libraries = ("numpy", "scipy", *DISTRIBUTIONS)

    depth: int = 0
    max_cells: int = 1_000_000
    support: float = 2.0
    min_component: int = 100

    def run(self, cloud: Cloud, context: Context) -> Mesh:
        """Mesh a cloud; vertices take the color of the nearest point.

        Raises:
            StageFailure: ``too-few-points``, or ``empty-mesh`` where nothing is left after trimming.
        """
        extent = float(np.ptp(cloud.points, axis=0).max(initial=0)) if len(cloud) else 0.0
        if len(cloud) < _MIN_POINTS or extent == 0:
            raise StageFailure(
                "too-few-points",
                f"The cloud has {len(cloud)} point{'s' * (len(cloud) != 1)}, too few for a surface.",
                hint="Check why so few pixels have a depth that other views confirm.",
                points=len(cloud),
                needed=_MIN_POINTS,
            )
        depth = self.depth or self._depth(cloud.points, _CUBE * extent)
        cell = _CUBE * extent / 2**depth
        cloud = thinned(cloud, cell)
        vertices, triangles = _surface(cloud, depth)
        tree = KDTree(cloud.points, balanced_tree=False, compact_nodes=False)
        distance, nearest = map(np.asarray, tree.query(vertices, workers=context.threads))
        supported = distance <= self.support * cell
        far = np.flatnonzero(~supported)
        supported[far] = self._amid_sparse_points(vertices[far], tree, context.threads)
        kept = triangles[supported[triangles].all(axis=1)]
        return finished(vertices, kept, cloud.colors[nearest], self.min_component)

    def _amid_sparse_points(self, vertices: np.ndarray, tree: KDTree, threads: int) -> np.ndarray:
        """Whether vertices lie near points, relative to the points' spacing, and have points on all sides."""
        points = np.asarray(tree.data)
        distance, nearest = (np.asarray(each) for each in tree.query(vertices, k=_AROUND, workers=threads))
        spacing, _ = tree.query(points[nearest[:, 0]], k=3, workers=threads)
        offset = np.linalg.norm(points[nearest].mean(axis=1) - vertices, axis=1)
        # The first of three is the point itself. At a border, the middle of the points around lies to one side.
        near = distance[:, 0] <= self.support * spacing[:, 1:].mean(axis=1)
        return near & (offset <= 0.5 * distance.mean(axis=1))

    def _depth(self, points: np.ndarray, side: float) -> int:
        for depth in range(_DEEPEST, _SHALLOWEST, -1):
            _, count = np.unique(cells(points, side / 2**depth), return_counts=True)
            if len(count) <= self.max_cells and np.median(np.repeat(count, count)) >= _POINTS_IN_CELL:
                return depth
        return _SHALLOWEST


def _surface(cloud: Cloud, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (F, 3) of the closed surface."""
    points = open3d.geometry.PointCloud()
    points.points = open3d.utility.Vector3dVector(cloud.points.astype(np.float64))
    points.normals = open3d.utility.Vector3dVector(cloud.normals.astype(np.float64))
    # Its threads add in any order: only with one do two runs give the same bytes.
    mesh, _ = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
        points, depth=depth, full_depth=min(depth, _SHALLOWEST), scale=_CUBE, n_threads=1
    )
    return np.asarray(mesh.vertices, np.float32), np.array(mesh.triangles)
