"""A mesh from depth maps, by a signed distance field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dense import DepthMap, Mesh, View
from ..failure import StageFailure
from ..peers.open3d import DISTRIBUTIONS, open3d
from ..stage import Stage
from .meshing import finished, in_canonical_order

_BLOCK = 8
"""Voxels along each side of a block, the unit in which memory is taken."""

_PIXELS_PER_VOXEL = 2.0


class Tsdf(Stage):
    """Truncated signed distances, averaged over the views, and their zero level (Curless and Levoy 1996).

    Only blocks of voxels near a surface are kept (Nießner et al. 2013). Depths are not checked against other views:
    outliers are removed by the number of views a voxel needs. Fast, at a fixed resolution; noise is averaged, not
    smoothed.

    Args:
        voxel: side of a voxel in units of the model. 0 takes twice the median ground resolution (depth / focal
            length) of a pixel, or more where that would need more than ``max_blocks``.
        truncation: largest distance from a surface that is kept, in voxels; it should exceed the noise.
        min_views: number of views that must see a voxel.
        min_confidence: less confident pixels count as having no depth.
        min_component: connected components with fewer triangles are removed.
        max_blocks: bounds the memory, about 25 kB for each block of 8 x 8 x 8 voxels.
    """

    slot = "mesh"
    papers = ("curless1996", "niessner2013", "zhou2018")
    libraries = ("numpy", "scipy", *DISTRIBUTIONS)

    voxel: float = 0.0
    truncation: float = 4.0
    min_views: int = 2
    min_confidence: float = 0.2
    min_component: int = 100
    max_blocks: int = 80_000

    def run(self, views: Sequence[View], depths: Sequence[DepthMap]) -> Mesh:
        """Mesh the depth maps, which are read one at a time, twice.

        Raises:
            StageFailure: ``no-depth`` where no view has any, ``too-many-blocks`` where the given voxel needs more
                than ``max_blocks``, ``empty-mesh`` where no surface is seen by enough views.
        """
        voxel = self.voxel or self._ground_resolution(views, depths)
        blocks = self._count_blocks(views, depths, voxel)
        if blocks > self.max_blocks and self.voxel:
            raise StageFailure(
                "too-many-blocks",
                f"Voxels of {voxel:.3g} need {blocks:,} blocks of memory.",
                hint="Take larger voxels, or raise max_blocks.",
                blocks=blocks,
                max_blocks=self.max_blocks,
            )
        if blocks > self.max_blocks:
            # Blocks lie along surfaces: their number goes with the square of their size.
            voxel *= float(np.sqrt(1.1 * blocks / self.max_blocks))
        grid = _grid(voxel, min(blocks, self.max_blocks))
        for frame in self._frames(views, depths):
            near_surface = frame.blocks(grid, self.truncation)
            grid.integrate(near_surface, frame.depth, frame.color, *frame.geometry, self.truncation)
        mesh = grid.extract_triangle_mesh(self.min_views - 0.5)
        colors = np.rint(255 * np.clip(mesh.vertex.colors.numpy(), 0, 1)).astype(np.uint8)
        # Blocks come out of a hash table in any order.
        vertices, triangles, colors = in_canonical_order(
            mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy(), colors
        )
        return finished(vertices, triangles, colors, self.min_component)

    def _frames(self, views: Sequence[View], depths: Sequence[DepthMap]) -> Iterator[_Frame]:
        """The views that have depths, one at a time."""
        for index in range(len(views)):
            view, depth = views[index], depths[index]
            if not (view.missing or depth.missing):
                trusted = depth.depth * (depth.confidence >= np.float16(self.min_confidence))
                if trusted.any():
                    yield _Frame(view, trusted)

    def _ground_resolution(self, views: Sequence[View], depths: Sequence[DepthMap]) -> float:
        medians = [
            float(np.median(frame.z[frame.z > 0])) / min(frame.view.camera.focal_lengths)
            for frame in self._frames(views, depths)
        ]
        return _PIXELS_PER_VOXEL * float(np.median(medians or [1.0]))

    def _count_blocks(self, views: Sequence[View], depths: Sequence[DepthMap], voxel: float) -> int:
        """Number of blocks near a surface that any view sees."""
        grid, seen = _grid(voxel, 1), np.zeros((0, 3), np.int32)
        for frame in self._frames(views, depths):
            seen = np.unique(np.concatenate([seen, frame.blocks(grid, self.truncation).numpy()]), axis=0)
        if not len(seen):
            raise StageFailure(
                "no-depth",
                "No view has a depth.",
                hint="Check the reasons in the depth maps, or lower min_confidence.",
                views=len(views),
            )
        return len(seen)


@dataclass(frozen=True, eq=False)
class _Frame:
    """A view and its trusted depths in Open3D's types.

    Open3D reads the pixel that a voxel's center falls into, so pixel centers at halves need no shift.
    """

    view: View
    z: np.ndarray

    @property
    def depth(self) -> Any:
        return open3d.t.geometry.Image(open3d.core.Tensor(self.z[..., None]))

    @property
    def color(self) -> Any:
        return open3d.t.geometry.Image(open3d.core.Tensor(self.view.image.astype(np.float32) / 255))

    @property
    def geometry(self) -> tuple[Any, Any, float, float]:
        """Intrinsics, extrinsics, depth scale, and largest depth."""
        extrinsic = np.eye(4)
        extrinsic[:3, :3], extrinsic[:3, 3] = self.view.rotation, self.view.translation
        tensor = open3d.core.Tensor
        return tensor(self.view.camera.matrix), tensor(extrinsic), 1.0, 2.0 * float(self.z.max())

    def blocks(self, grid: Any, truncation: float) -> Any:
        """Coordinates of the blocks near its surface, shape (B, 3)."""
        return grid.compute_unique_block_coordinates(self.depth, *self.geometry, truncation)


def _grid(voxel: float, blocks: int) -> Any:
    return open3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"), (open3d.core.float32,) * 3, ((1), (1), (3)), voxel, _BLOCK, blocks
    )
