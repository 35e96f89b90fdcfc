"""Made-up results of the dense half, small and exactly known, and stages that make such."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from diptych.pipeline.results.values import Dense
from diptych.stages.dense import Cloud, DepthMap, Mesh, Neighbors, Reason, View
from diptych.stages.images.photos import decode
from diptych.stages.scene import Camera, Photo, Scene
from diptych.stages.stage import Stage

T = TypeVar("T")


class OneByOne(Mapping[str, T], Generic[T]):
    """Items of which no more than two may live at once: the one at hand, and the next while it is read."""

    def __init__(self, items: Mapping[str, T]) -> None:
        self._items = items
        self._alive: weakref.WeakSet[object] = weakref.WeakSet()

    def __getitem__(self, name: str) -> T:
        made: T = replace(self._items[name])  # pyright: ignore
        gc.collect()
        assert len(self._alive) < 2, "an item was kept"
        self._alive.add(made)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def one_by_one(dense: Dense) -> Dense:
    """The same, read so that it is noticed when views or depth maps pile up in memory."""
    return replace(dense, views=OneByOne(dense.views), depths=OneByOne(dense.depths))


def dense_half(scene: Scene, blind: str, *, size: tuple[int, int] = (200, 150), texture: bool = False) -> Dense:
    """Depth maps of all photos of a model but one, a sphere as cloud and as mesh.

    A map is 4 deep on its left half and 8 on its right; in bands of 10 rows from the top, one for every reason but
    ``FOUND``, it has none.
    """
    width, height = size
    camera = Camera("PINHOLE", width, height, (0.9 * width, 0.9 * width, width / 2, height / 2))
    views, depths = {}, {}
    for i, name in enumerate(scene.names):
        image = np.full((height, width, 3), 40 * (i + 1), np.uint8)
        view = View(image, np.ones((height, width)), camera, scene.rotations[i], scene.translations[i], 2.5, 12.5)
        depth = np.where(np.arange(width) < width / 2, 4.0, 8.0) * np.ones((height, 1))
        reason = np.zeros((height, width))
        for each in Reason:
            if each is not Reason.FOUND:
                reason[10 * each - 10 : 10 * each] = each
        found = reason == Reason.FOUND
        normal = found[..., None] * np.array([0, 0, -1.0])
        views[name] = view
        depths[name] = DepthMap(found * depth, normal, 0.75 * found, reason)
    why = "sees <nothing> & nobody"
    views[blind] = replace(views[blind], near=0.0, far=0.0, missing=why)
    depths[blind] = DepthMap.empty(views[blind], why)
    n = len(scene.names)
    others = np.array([[j for j in range(n) if j != i] for i in range(n)])
    neighbors = Neighbors(
        np.arange(n + 1) * (n - 1),
        others.ravel(),
        100 + np.arange(n * (n - 1)),
        np.full(n * (n - 1), 7.5),
        np.full(n, 2.5),
        np.full(n, 12.5),
        tuple(why if name == blind else "" for name in scene.names),
    )
    mesh = sphere(24)
    spread = np.full(len(mesh.vertices), 0.002)
    cloud = Cloud(mesh.vertices, mesh.normals, mesh.colors, np.full(len(mesh.vertices), 3), spread)
    if texture:
        corners = np.linspace(0, 1, 6 * len(mesh.triangles))
        mesh = replace(mesh, uv=corners.reshape(-1, 3, 2), texture=np.zeros((8, 16, 3)))
    return Dense(neighbors, views, depths, cloud, mesh)


def sphere(rings: int, radius: float = 1.0) -> Mesh:
    """A sphere of about 4 x ``rings`` squared triangles, turquoise, counter-clockwise seen from outside."""
    polar, around = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    theta, phi = np.meshgrid(polar, around, indexing="ij")
    normals = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    at = np.arange(theta.size).reshape(theta.shape)
    a, b = at[:-1], np.roll(at, -1, axis=1)[:-1]
    c, d = at[1:], np.roll(at, -1, axis=1)[1:]
    triangles = np.stack([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3)
    normals = normals.reshape(-1, 3)
    return Mesh(radius * normals, triangles, normals, np.tile([0, 255, 255], (len(normals), 1)))


class Flashlight(Stage):
    """The photo as a view, where it is bright enough."""

    slot = "views"
    least: float = 100.0

    def run(self, photo: Photo) -> View:
        pixels = decode(photo)
        height, width = pixels.shape[:2]
        camera = Camera("PINHOLE", width, height, (30, 30, width / 2, height / 2))
        why = "" if pixels.mean() >= self.least else "is too dark"
        return View(pixels, np.ones((height, width)), camera, np.eye(3), np.zeros(3), 1.0, 9.0, why)


class Wall(Stage):
    """Every view looks at a wall 4 units off."""

    slot = "depths"

    def run(self, views: View) -> DepthMap:
        if views.missing:
            return DepthMap.empty(views, views.missing)
        shape = views.mask.shape
        facing = np.tile([0, 0, -1.0], (*shape, 1))
        return DepthMap(np.full(shape, 4.0), facing, np.ones(shape), np.zeros(shape))


class Ball(Stage):
    """A sphere, whatever the depth maps say."""

    slot = "cloud"

    def run(self, depths: tuple[DepthMap, ...]) -> Cloud:
        mesh = sphere(20)
        n = len(mesh.vertices)
        return Cloud(mesh.vertices, mesh.normals, mesh.colors, np.full(n, len(depths)), np.zeros(n))


class Hull(Stage):
    """The same sphere as a mesh."""

    slot = "mesh"

    def run(self, cloud: Cloud) -> Mesh:
        return sphere(20)
