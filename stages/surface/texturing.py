"""Texture a mesh with the photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..dense import Mesh, View
from ..failure import StageFailure
from ..peers.open3d import DISTRIBUTIONS, open3d
from ..stage import Stage
from .meshing import vertex_normals

_MARGIN = 2
"""Pixels of the photo that are kept around each chart, so that no seam shows when the texture is filtered."""

_SWATCH = 4
"""Side of the square of one color that a triangle without a photo gets."""

_VOTES = 4
"""Rounds in which each triangle may take the view of its neighbors."""

_SMALLEST = 0.01
"""Smallest scale of the charts; if they do not fit then, the texture is too small."""

_VISIBLE = 1e-3
"""A surface hides a vertex only if it lies closer to the camera by more than this share of the distance."""


class TextureAtlas(Stage):
    """A texture atlas; each triangle is textured from the view that shows it best (Waechter et al. 2014).

    A view's score is the triangle's area in its image times the cosine to its normal; a triangle is seen if neither a
    corner nor its middle is hidden. In a few rounds triangles take the view on which two neighbors agree, if it sees
    them too, which enlarges the charts. Connected triangles of one view are a chart: a rectangle of the photo, not
    stretched, with a margin around its seams. Exposure is not adjusted. Triangles that no photo shows take the mean
    color of their corners.

    Args:
        size: the longest side of the texture in pixels; all charts are shrunk by one factor until they fit.
        max_triangles: larger meshes are simplified first (Garland and Heckbert 1997); 0 for no limit.
    """

    slot = "mesh"
    papers = ("waechter2014", "garland1997", "zhou2018")
    libraries = ("numpy", "scipy", "opencv-contrib-python", *DISTRIBUTIONS)

    size: int = 4096
    max_triangles: int = 200_000

    def run(self, mesh: Mesh, views: Sequence[View]) -> Mesh:
        """The mesh, simplified if need be, with a texture; views are read one at a time, twice.

        Raises:
            StageFailure: ``unseen-mesh`` where no view shows a triangle, ``texture-too-small`` where ``size`` is too
                small for the number of charts.
        """
        if self.max_triangles and len(mesh.triangles) > self.max_triangles:
            mesh = _simplified(mesh, self.max_triangles)
        projections, scores = _view_scores(mesh, views)
        neighbors = _neighbors(mesh.triangles)
        best = _smoothed(scores, neighbors)
        charts = _charts(mesh, best, neighbors, projections)
        place, size, shape = _packed(charts, self.size)
        texture = np.zeros((*shape, 3), np.uint8)
        for index in np.unique(charts.view[charts.view >= 0]):
            _copy_charts(texture, views[index].image, charts, place, size, index)
        swatches = np.rint(mesh.colors[mesh.triangles[best < 0]].mean(axis=1))
        for (x, y), color in zip(place[charts.of[best < 0]], swatches, strict=True):
            texture[y : y + _SWATCH, x : x + _SWATCH] = color
        shrunk = (size / charts.size)[charts.of, None]
        corners = (charts.corners - charts.origin[charts.of, None]) * shrunk + place[charts.of, None]
        return Mesh(mesh.vertices, mesh.triangles, mesh.normals, mesh.colors, corners / shape[::-1], texture)


def _simplified(mesh: Mesh, triangles: int) -> Mesh:
    """Simplify to about this number of triangles."""
    whole = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(mesh.vertices.astype(np.float64)),
        open3d.utility.Vector3iVector(mesh.triangles.copy()),
    )
    whole.vertex_colors = open3d.utility.Vector3dVector(mesh.colors / 255.0)
    simple = whole.simplify_quadric_decimation(triangles)
    vertices, corners = np.asarray(simple.vertices, np.float32), np.array(simple.triangles)
    colors = np.rint(255 * np.clip(simple.vertex_colors, 0, 1))
    return Mesh(vertices, corners, vertex_normals(vertices, corners), colors)


def _view_scores(mesh: Mesh, views: Sequence[View]) -> tuple[np.ndarray, np.ndarray]:
    """Projection of each view (N, 3, 4), and its score for each triangle, 0 where it is not visible (N, F)."""
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(open3d.core.Tensor(mesh.vertices.copy()), open3d.core.Tensor(mesh.triangles.astype(np.uint32)))
    corners = mesh.vertices[mesh.triangles].astype(np.float64)
    middle = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    projections = np.zeros((len(views), 3, 4))
    scores = np.zeros((len(views), len(middle)), np.float32)
    for index in range(len(views)):
        view = views[index]
        if view.missing:
            continue
        projections[index] = view.camera.matrix @ np.column_stack([view.rotation, view.translation])
        xy, depth = _project(projections[index], mesh.vertices)
        seen = _inside(xy, depth, view.mask) & _visible_from(scene, view.center, mesh.vertices)
        visible = seen[mesh.triangles].all(axis=1) & _visible_from(scene, view.center, middle)
        toward = view.center - middle
        cosine = np.einsum("fi,fi->f", normal, toward) / np.linalg.norm(toward, axis=1)
        a, b, c = np.moveaxis(xy[mesh.triangles], 1, 0)
        area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
        scores[index] = np.where(visible, area * np.maximum(cosine, 0), 0)
    if not scores.any():
        raise StageFailure(
            "unseen-mesh",
            "No photo shows a triangle of the mesh.",
            hint="Check that mesh and views belong to the same model.",
            views=len(views),
        )
    return projections, scores


def _project(projection: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixel positions (..., 2) and depths (...)."""
    homogeneous = points @ projection[:, :3].T + projection[:, 3]
    depth = homogeneous[..., 2]
    return homogeneous[..., :2] / np.where(depth > 0, depth, 1)[..., None], depth


def _inside(xy: np.ndarray, depth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Whether points before the camera fall on the mask."""
    height, width = mask.shape
    inside = (depth > 0) & (xy >= 0).all(axis=1) & (xy < [width, height]).all(axis=1)
    column, row = np.where(inside[:, None], xy, 0).astype(np.int64).T
    return inside & mask[row, column]


def _visible_from(scene: Any, center: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points of the surface are not hidden from a camera center."""
    rays = np.concatenate([np.broadcast_to(center, points.shape), points - center], axis=1).astype(np.float32)
    return scene.cast_rays(open3d.core.Tensor(rays))["t_hit"].numpy() > 1 - _VISIBLE


def _neighbors(triangles: np.ndarray) -> np.ndarray:
    """The triangle across each edge, -1 where there is none or more than one, shape (F, 3)."""
    edges = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    keys = edges[:, 0].astype(np.int64) << 32 | edges[:, 1]
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    start = np.flatnonzero(np.diff(ordered, prepend=-1))
    first = start[np.diff(start, append=len(ordered)) == 2]
    across = np.full(len(keys), -1)
    across[order[first]], across[order[first + 1]] = order[first + 1] // 3, order[first] // 3
    return across.reshape(-1, 3)


def _smoothed(scores: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
    """View of each triangle, -1 for none: the best, or one that two neighbors have and that scores half as much."""
    every = np.arange(scores.shape[1])
    highest = scores.max(axis=0)
    best = np.where(highest > 0, scores.argmax(axis=0), -1)
    for _ in range(_VOTES):
        a, b, c = np.where(neighbors >= 0, best[neighbors], -1).T
        agreed = np.where((a == b) | (a == c), a, np.where(b == c, b, -1))
        good = (agreed >= 0) & (scores[agreed, every] >= 0.5 * highest) & (highest > 0)
        best = np.where(good, agreed, best)
    return best


@dataclass(frozen=True, eq=False)
class _Charts:
    """Rectangles of photos, each with the triangles that it textures.

    Attributes:
        of: the chart of each triangle, shape (F,).
        corners: of the triangles, in pixels of the view, shape (F, 3, 2).
        view: from which view each chart is cut, -1 for a swatch of one color, shape (C,).
        origin, size: top-left pixel, width and height of each chart, shape (C, 2).
    """

    of: np.ndarray
    corners: np.ndarray
    view: np.ndarray
    origin: np.ndarray
    size: np.ndarray


def _charts(mesh: Mesh, best: np.ndarray, neighbors: np.ndarray, projections: np.ndarray) -> _Charts:
    """Group connected triangles of one view into charts; a triangle without a view is a chart of its own."""
    here, side = np.nonzero((neighbors >= 0) & (best[neighbors] == best[:, None]) & (best >= 0)[:, None])
    links = coo_array((np.ones(len(here), bool), (here, neighbors[here, side])), shape=(len(best), len(best)))
    count, of = connected_components(links, directed=False)
    view = np.empty(count, np.int64)
    view[of] = best
    corners = np.full((len(best), 3, 2), _SWATCH / 2)
    for index in np.unique(best[best >= 0]):
        corners[best == index], _ = _project(projections[index], mesh.vertices[mesh.triangles[best == index]])
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, of, corners.min(axis=1))
    np.maximum.at(high, of, corners.max(axis=1))
    swatch = (view < 0)[:, None]
    low = np.where(swatch, 0, np.floor(low) - _MARGIN).astype(np.int64)
    high = np.where(swatch, _SWATCH, np.ceil(high) + _MARGIN).astype(np.int64)
    return _Charts(of, corners, view, low, high - low)


def _packed(charts: _Charts, longest: int) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """The top-left pixel and the size of each chart in the texture (C, 2), and its height and width."""
    scale = 1.0
    while scale > _SMALLEST:
        size = np.where(charts.view[:, None] < 0, charts.size, np.ceil(scale * charts.size)).astype(np.int64)
        square = int(np.ceil(np.sqrt(1.1 * size.prod(axis=1).sum())))
        width = max(int(size[:, 0].max()), min(longest, square))
        place, height = _shelves(size, width)
        if max(width, height) <= longest:
            return place, size, (height, width)
        scale *= min(0.95, float(np.sqrt(longest / max(width, height))))
    raise StageFailure(
        "texture-too-small",
        f"{len(charts.size):,} charts do not fit into a texture of {longest} pixels.",
        hint="Raise size, or lower max_triangles.",
        charts=len(charts.size),
        size=longest,
    )


def _shelves(size: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Pack rectangles in rows, the highest first: top-left pixel of each, and the total height."""
    place = np.zeros_like(size)
    x = y = shelf = 0
    for chart in np.argsort(-size[:, 1], kind="stable").tolist():
        wide, high = size[chart].tolist()
        if x + wide > width:
            x, y, shelf = 0, y + shelf, 0
        place[chart] = x, y
        x, shelf = x + wide, max(shelf, high)
    return place, y + shelf


def _copy_charts(
    texture: np.ndarray, image: np.ndarray, charts: _Charts, place: np.ndarray, size: np.ndarray, view: int
) -> None:
    """Copy the charts of a view into the texture; beyond the photo's edge its last pixels are repeated."""
    edge = _MARGIN + 1
    image = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    for chart in np.flatnonzero(charts.view == view):
        (x, y), (w, h) = charts.origin[chart] + edge, charts.size[chart]
        (left, top), (wide, high) = place[chart], size[chart]
        piece = cv2.resize(image[y : y + h, x : x + w], (int(wide), int(high)), interpolation=cv2.INTER_AREA)
        texture[top : top + high, left : left + wide] = piece
