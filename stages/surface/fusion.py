"""Fuse depth maps into points: keep what several views confirm, each surface point once.

Every view is fused by a task of its own that sees only its neighbors, so all tasks follow one rule: of the views that
agree on a point, the one with the finest ground resolution emits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit

from ..dense import Around, Cloud, DepthMap, View
from ..stage import Sizes, Stage
from .cloud import concatenated

_TILE_PIXELS = 1 << 16
"""Pixels that are fused at a time; temporary memory grows with it."""

_HALF = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
"""The value of every half-precision number, by its bits."""

_RESOLUTION_STEP = np.log(1.1)
"""Ground resolutions within a step of 10 % count as equal, so that noise does not decide which view is the finest."""


class ConsistentPoints(Stage):
    """The points of a view that its neighbors confirm (Galliani et al. 2015; Schönberger et al. 2016).

    A pixel's point is projected into a neighbor and the surface there is projected back. The neighbor agrees
    if that ends near the pixel and near its depth, and if both normals are about the same. Position, normal and color
    are means over the views that agree, weighted by their confidence.

    Of the views that agree, the one with the finest ground resolution (depth / focal length) emits the point and the
    others leave it out; if two are equal, the order of the camera centers decides. A view leaves a point to another one
    only if enough of the views at hand confirm that one's pixel too, so that no point is lost.

    Args:
        min_views: number of other views that must agree.
        max_reprojection: largest round-trip error in pixels.
        max_relative_depth: largest error of the depth, as a share of it.
        max_normal_angle: largest angle between the normals in degrees; not checked where a view has no normal.
        min_confidence: less confident pixels count as having no depth.
    """

    slot = "fused"
    papers = ("galliani2015", "schoenberger2016mvs")
    libraries = ("numpy", "numba")

    min_views: int = 2
    max_reprojection: float = 1.0
    max_relative_depth: float = 0.01
    max_normal_angle: float = 45.0
    min_confidence: float = 0.2

    def run(self, views: Around[View], depths: Around[DepthMap]) -> Cloud:
        """Points in the order of the view's pixels; none where the view has no depth."""
        pairs = zip((views.reference, *views.sources), (depths.reference, *depths.sources), strict=True)
        panels = [_Panel(view, depth, self.min_confidence) for view, depth in pairs]
        reference, *sources = panels
        if reference.missing:
            return concatenated([])
        sources = [source for source in sources if not source.missing]
        pixels = np.flatnonzero(reference.depth).astype(np.int32)
        tiles = [pixels[start : start + _TILE_PIXELS] for start in range(0, len(pixels), _TILE_PIXELS)]
        return concatenated([self._fuse(tile, reference, sources) for tile in tiles])

    def footprint(self, sizes: Sizes) -> int:
        """As measured: 21 bytes a pixel of every view at hand, 40 of the points, and the arrays of a tile."""
        return sizes.pixels * (21 * (1 + sizes.neighbors) + 40) + 512 * _TILE_PIXELS

    def _fuse(self, pixels: np.ndarray, reference: _Panel, sources: list[_Panel]) -> Cloud:
        """The points of some pixels, each with a depth."""
        points, normals = reference.points(pixels), reference.normals(pixels)
        sums = _Sums.of(points)
        _add(pixels, points, reference.arrays, _HALF, sums)
        resolution = reference.resolution(points)
        finer = np.full((len(sources), len(pixels)), -1, np.int32)
        for source, left_to in zip(sources, finer, strict=True):
            pixel, surface = self._agreement(points, normals, reference, source)
            _add(pixel, surface, source.arrays, _HALF, sums)
            seen = np.flatnonzero(pixel >= 0)
            theirs = source.resolution(points[seen])
            before = (theirs < resolution[seen]) | ((theirs == resolution[seen]) & (source.order < reference.order))
            left_to[seen[before]] = pixel[seen[before]]
        kept = sums.views > self.min_views
        for source, left_to in zip(sources, finer, strict=True):
            asked = np.flatnonzero(kept & (left_to >= 0))
            kept[asked] = ~self._keeps(source, left_to[asked], [reference, *sources])
        return sums.cloud(kept, reference.view)

    def _keeps(self, panel: _Panel, pixels: np.ndarray, others: list[_Panel]) -> np.ndarray:
        """Whether enough of the other views agree with these pixels of a view."""
        points, normals = panel.points(pixels), panel.normals(pixels)
        votes = np.zeros(len(pixels), int)
        for other in others:
            undecided = np.flatnonzero(votes < self.min_views)
            if other is not panel and len(undecided):
                pixel, _ = self._agreement(points[undecided], normals[undecided], panel, other)
                votes[undecided] += pixel >= 0
        return votes >= self.min_views

    def _agreement(
        self, points: np.ndarray, normals: np.ndarray, observer: _Panel, view: _Panel
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pixel of a view that shows each point of an observer, -1 where they disagree, and its surface there."""
        pixel, surface = np.empty(len(points), np.int32), np.empty((len(points), 3))
        min_cosine = np.cos(np.radians(self.max_normal_angle))
        limits = _Limits(self.max_reprojection, self.max_relative_depth, min_cosine)
        _agree(points, normals, observer.arrays.projection, view.arrays, limits, _HALF, pixel, surface)
        return pixel, surface


class _Limits(NamedTuple):
    """The limits of :class:`ConsistentPoints`, the angle by its cosine."""

    reprojection: float
    relative_depth: float
    cosine: float


class _Arrays(NamedTuple):
    """A view as compiled code reads it. It does not know half precision, so that is given by its bits.

    Attributes:
        projection: homogeneous pixel from world, shape (3, 4).
        back_projection: world from homogeneous pixel times depth, shape (3, 4).
        rotation: ``cam_from_world``, shape (3, 3).
        depth: shape (H, W).
        normals, confidence: bits of half-precision numbers, shapes (H W, 3) and (H W,).
        image: RGB, shape (H W, 3).
    """

    projection: np.ndarray
    back_projection: np.ndarray
    rotation: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    confidence: np.ndarray
    image: np.ndarray


@dataclass(frozen=True, eq=False)
class _Panel:
    """A view and its depth map, pixels by flat index."""

    view: View
    map: DepthMap
    min_confidence: float

    @property
    def missing(self) -> bool:
        return bool(self.view.missing or self.map.missing)

    @cached_property
    def depth(self) -> np.ndarray:
        """Depth where it is trusted, else 0."""
        return np.where(self.map.confidence >= np.float16(self.min_confidence), self.map.depth, np.float32(0))

    @cached_property
    def arrays(self) -> _Arrays:
        """The view as compiled code reads it."""
        view, matrix = self.view, self.view.camera.matrix
        return _Arrays(
            projection=matrix @ np.column_stack([view.rotation, view.translation]),
            back_projection=np.column_stack([view.rotation.T @ np.linalg.inv(matrix), view.center]),
            rotation=view.rotation,
            depth=self.depth,
            normals=self.map.normal.reshape(-1, 3).view(np.uint16),
            confidence=self.map.confidence.ravel().view(np.uint16),
            image=view.image.reshape(-1, 3),
        )

    @cached_property
    def order(self) -> tuple[float, ...]:
        """A sort key that does not depend on which views are at hand."""
        return (*self.view.center.tolist(), *self.view.rotation.ravel().tolist())

    def resolution(self, points: np.ndarray) -> np.ndarray:
        """Ground resolution in steps, smaller is finer, of points before the camera."""
        depth = points @ self.view.rotation[2] + self.view.translation[2]
        return np.floor(np.log(depth / min(self.view.camera.focal_lengths)) / _RESOLUTION_STEP)

    def points(self, pixel: np.ndarray) -> np.ndarray:
        """Points of the surface at pixels, in the world."""
        y, x = np.divmod(pixel, self.view.camera.width)
        back = self.arrays.back_projection
        rays = np.stack([x + 0.5, y + 0.5, np.ones(len(pixel))], axis=1) @ back[:, :3].T
        return rays * self.depth.reshape(-1, 1)[pixel] + back[:, 3]

    def normals(self, pixel: np.ndarray) -> np.ndarray:
        """Normals at pixels, in the world."""
        in_camera = self.map.normal.reshape(-1, 3)[pixel].astype(np.float32)
        return in_camera @ self.view.rotation.astype(np.float32)


class _Sums(NamedTuple):
    """Weighted sums over the views that agree on each of N points; positions are relative to ``points``."""

    points: np.ndarray
    views: np.ndarray
    weight: np.ndarray
    squared: np.ndarray
    offset: np.ndarray
    normal: np.ndarray
    color: np.ndarray

    @staticmethod
    def of(points: np.ndarray) -> _Sums:
        n, shape = len(points), points.shape
        weight, squared = np.zeros(n), np.zeros(n)
        return _Sums(points, np.zeros(n, np.uint16), weight, squared, *(np.zeros(shape) for _ in range(3)))

    def cloud(self, kept: np.ndarray, view: View) -> Cloud:
        """The means of the points that are kept; a point without a normal faces this view."""
        weight, views = self.weight[kept, None], self.views[kept]
        offset = self.offset[kept] / weight
        points = self.points[kept] + offset
        variance = self.squared[kept] / weight[:, 0] - np.einsum("ni,ni->n", offset, offset)
        # As among equal weights: one degree of freedom went into the mean.
        spread = np.sqrt(np.maximum(variance, 0) * (views / np.maximum(views - 1.0, 1.0)))
        normals = self.normal[kept]
        normals = np.where(normals.any(axis=1, keepdims=True), normals, view.center - points)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return Cloud(points, normals, np.rint(self.color[kept] / weight), views, spread)


@njit(nogil=True, cache=True)
def _add(pixel: np.ndarray, surface: np.ndarray, view: _Arrays, half: np.ndarray, sums: _Sums) -> None:
    """Add a view to the sums, by its pixel (-1 for none) and its surface at each point."""
    rotation, normals = view.rotation, view.normals
    for i in range(len(pixel)):
        at = pixel[i]
        if at < 0:
            continue
        w = max(half[view.confidence[at]], 1e-3)  # a view without confidences counts all the same
        x, y, z = half[normals[at, 0]], half[normals[at, 1]], half[normals[at, 2]]
        sums.views[i] += 1
        sums.weight[i] += w
        for axis in range(3):
            difference = surface[i, axis] - sums.points[i, axis]
            sums.offset[i, axis] += w * difference
            sums.squared[i] += w * difference * difference
            sums.normal[i, axis] += w * (rotation[0, axis] * x + rotation[1, axis] * y + rotation[2, axis] * z)
            sums.color[i, axis] += w * view.image[at, axis]


@njit(nogil=True, cache=True)
def _agree(
    points: np.ndarray,
    normals: np.ndarray,
    observer: np.ndarray,
    view: _Arrays,
    limits: _Limits,
    half: np.ndarray,
    pixel: np.ndarray,
    surface: np.ndarray,
) -> None:
    """Project points (N, 3) of an observer into a view, and the view's surface there back into the observer.

    Between the centers of four pixels inverse depth is interpolated, which is exact on planes; across a depth
    discontinuity the nearest pixel counts. Filled are the flat index of the nearest pixel (N,), -1 where the view does
    not agree, and the view's surface in the world (N, 3).
    """
    project, back, rotation, depth = view.projection, view.back_projection, view.rotation, view.depth
    max_relative_depth = limits.relative_depth
    height, width = depth.shape
    for i in range(len(points)):
        pixel[i] = -1
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        w = project[2, 0] * x + project[2, 1] * y + project[2, 2] * z + project[2, 3]
        if w <= 0:
            continue
        u = (project[0, 0] * x + project[0, 1] * y + project[0, 2] * z + project[0, 3]) / w
        v = (project[1, 0] * x + project[1, 1] * y + project[1, 2] * z + project[1, 3]) / w
        if not (0 <= u < width and 0 <= v < height):
            continue
        column, row = int(u), int(v)
        nearest = depth[row, column]
        if nearest <= 0:
            continue
        left, top = min(max(int(u - 0.5), 0), width - 2), min(max(int(v - 0.5), 0), height - 2)
        there = nearest
        if left >= 0 and top >= 0:
            a, b, c, d = depth[top, left], depth[top, left + 1], depth[top + 1, left], depth[top + 1, left + 1]
            low, high = min(a, b, c, d), max(a, b, c, d)
            if low > 0 and high - low <= max_relative_depth * low:
                right, down = u - 0.5 - left, v - 0.5 - top
                there = 1 / ((1 - down) * ((1 - right) / a + right / b) + down * ((1 - right) / c + right / d))
        for axis in range(3):
            surface[i, axis] = (back[axis, 0] * u + back[axis, 1] * v + back[axis, 2]) * there + back[axis, 3]

        before = observer[2, 0] * x + observer[2, 1] * y + observer[2, 2] * z + observer[2, 3]
        u = (observer[0, 0] * x + observer[0, 1] * y + observer[0, 2] * z + observer[0, 3]) / before
        v = (observer[1, 0] * x + observer[1, 1] * y + observer[1, 2] * z + observer[1, 3]) / before
        x, y, z = surface[i, 0], surface[i, 1], surface[i, 2]
        after = observer[2, 0] * x + observer[2, 1] * y + observer[2, 2] * z + observer[2, 3]
        if abs(after - before) > max_relative_depth * before:
            continue
        u -= (observer[0, 0] * x + observer[0, 1] * y + observer[0, 2] * z + observer[0, 3]) / after
        v -= (observer[1, 0] * x + observer[1, 1] * y + observer[1, 2] * z + observer[1, 3]) / after
        if u * u + v * v > limits.reprojection * limits.reprojection:
            continue

        at = row * width + column
        x, y, z = half[view.normals[at, 0]], half[view.normals[at, 1]], half[view.normals[at, 2]]
        cosine = 0.0
        for axis in range(3):
            cosine += normals[i, axis] * (rotation[0, axis] * x + rotation[1, axis] * y + rotation[2, axis] * z)
        # The cosine is 0 where one of the two has no normal.
        if cosine >= limits.cosine or cosine == 0:
            pixel[i] = at
