"""Tiny stages over real photos, for tests of the engine.

With ``TOY_LOG`` in the environment every run appends the stage and what it made to that file; ``TOY_SLEEP`` makes each
take so many seconds.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from diptych import Node, Recipe
from diptych.stages.dense import Around, Cloud, DepthMap, Mesh, Neighbors, View
from diptych.stages.failure import StageFailure
from diptych.stages.images.photos import decode
from diptych.stages.scene import Camera, Features, Matches, Pair, Pairs, Photo, Photos, Scene, Sparse, Tracks, TwoView
from diptych.stages.stage import Context, Sizes, Stage
from PIL import Image


def paint(path: Path, brightness: int) -> Path:
    """A small photo of one brightness with a little texture."""
    pixels = np.full((24, 32, 3), brightness, np.uint8)
    pixels[::4] += 5
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def note(stage: object, what: object) -> None:
    if log := os.environ.get("TOY_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{type(stage).__name__} {what}\n")
    time.sleep(float(os.environ.get("TOY_SLEEP", "0")))


def kinds(lines: list[str]) -> Counter[str]:
    """How often each stage ran, from the lines of the log."""
    return Counter(line.partition(" ")[0] for line in lines)


class Corners(Stage):
    """Keypoints on a grid, described by the photo's mean color."""

    slot = "features"
    count: int = 4
    spread: float = 1.0
    warns: bool = False
    fails_above: float = 256.0

    def run(self, photo: Photo, context: Context) -> Features:
        pixels = decode(photo)
        mean = float(pixels.mean())
        note(self, round(mean, 3))
        if mean > self.fails_above:
            raise StageFailure("too-bright", "The photo is too bright.", hint="Close the shutter.", mean=round(mean))
        if self.warns:
            context.warn("The photo is plain.")
        context.progress(1, 2)
        n = self.count
        xy = np.stack([np.arange(n), np.arange(n)], 1) * self.spread + 0.5
        plain = np.zeros(n)
        colors = np.full((n, 3), mean)
        return Features(xy, plain + 1, plain, plain, colors, np.full((n, 2), mean, np.float32), "toy")


class Nudge(Stage):
    """Moves the keypoints: takes features and fills features."""

    slot = "features"
    by: float = 0.25

    def run(self, features: Features) -> Features:
        note(self, len(features))
        f = features
        return Features(f.xy + self.by, f.scale, f.angle, f.score, f.color, f.descriptors, f.kind)


class Rounded(Stage):
    """Features whose bytes do not depend on how far the keypoints were nudged."""

    slot = "features"

    def run(self, features: Features) -> Features:
        note(self, len(features))
        f = features
        return Features(np.floor(f.xy), f.scale, f.angle, f.score, f.color, f.descriptors, f.kind)


class EveryPair(Stage):
    """All pairs."""

    slot = "pairs"

    def run(self, photos: Photos) -> Pairs:
        note(self, len(photos))
        return Pairs(np.array(list(combinations(range(len(photos)), 2))))


class SimilarPairs(Stage):
    """Neighbors in brightness: the choice depends on the features."""

    slot = "pairs"

    def run(self, features: tuple[Features, ...]) -> Pairs:
        note(self, len(features))
        order = np.argsort([float(f.descriptors.mean()) for f in features])
        couples = sorted(tuple(sorted((int(i), int(j)))) for i, j in pairwise(order))
        return Pairs(np.array(couples))


class SameIndex(Stage):
    """Matches every keypoint with its namesake."""

    slot = "matches"

    def run(self, features: Pair[Features]) -> Matches:
        n = min(len(features.first), len(features.second))
        note(self, (features.first.descriptors[0, 0], features.second.descriptors[0, 0]))
        brightness = features.first.descriptors[:n, 0] + features.second.descriptors[:n, 0] / 256
        return Matches(np.stack([np.arange(n)] * 2, 1), brightness)


class Drawn(Stage):
    """A relative pose that is drawn."""

    slot = "two_views"

    def run(
        self, matches: Matches, features: Pair[Features], camera: Pair[Camera], rng: np.random.Generator
    ) -> TwoView:
        note(self, len(matches))
        nothing = np.zeros((3, 3))
        focal = camera.first.focal_lengths[0] + len(features.second)
        return TwoView("calibrated", matches.indices, np.eye(3), rng.normal(size=3), nothing, nothing, focal)


class OneTrackEach(Stage):
    """One track per keypoint index, through all photos."""

    slot = "tracks"

    def run(self, features: tuple[Features, ...], two_views: tuple[TwoView, ...], pairs: Pairs) -> Tracks:
        note(self, (len(two_views), len(pairs)))
        n = min(map(len, features))
        return Tracks(
            np.repeat(np.arange(n), len(features)),
            np.tile(np.arange(len(features)), n),
            np.repeat(np.arange(n), len(features)),
        )


class Line(Stage):
    """All cameras on a line that all drawn translations have moved."""

    slot = "sparse"
    step: float = 1.0

    def run(
        self, photos: Photos, two_views: tuple[TwoView, ...], tracks: Tracks, features: tuple[Features, ...]
    ) -> Sparse:
        note(self, len(tracks))
        n, points = len(photos), len(tracks)
        offset = np.sum([view.translation for view in two_views], axis=0)
        translations = offset + self.step * np.arange(n)[:, None]
        xy = np.array([features[p].xy[k] for p, k in zip(tracks.photo, tracks.keypoint, strict=True)])
        where = np.arange(points)[:, None] + np.zeros((points, 3))
        scene = Scene(
            photos.cameras,
            photos.names,
            photos.camera_of,
            np.tile(np.eye(3), (n, 1, 1)),
            translations,
            where,
            np.zeros((points, 3)),
            np.ones(points),
            tracks.photo,
            tracks.track,
            xy,
            tracks.keypoint,
        )
        return Sparse((scene,))


class Likeness(Stage):
    """The neighbors of a photo are those most like it in brightness."""

    slot = "neighbors"
    count: int = 2

    def run(self, features: tuple[Features, ...], sparse: Sparse) -> Neighbors:
        note(self, len(sparse.scene.names))
        brightness = np.array([float(f.descriptors.mean()) for f in features])
        order = np.argsort(abs(brightness[:, None] - brightness), axis=1, kind="stable")[:, 1 : self.count + 1]
        n, most = order.shape
        plain = np.ones(n * most)
        start = np.arange(n + 1) * most
        return Neighbors(start, order.ravel(), plain, plain, np.ones(n), np.full(n, 9.0), ("",) * n)

    def resized(self, sizes: Sizes) -> Sizes:
        return replace(sizes, neighbors=min(self.count, sizes.photos - 1))


class Developed(Stage):
    """The photo as a view; its far end is the length of the photo's name."""

    slot = "views"
    max_size: int = 1000

    def run(self, name: str, photo: Photo, neighbors: Neighbors) -> View:
        note(self, name)
        pixels = decode(photo)
        step = -(-max(pixels.shape) // self.max_size)
        pixels = pixels[::step, ::step]
        height, width = pixels.shape[:2]
        camera = Camera("PINHOLE", width, height, (30, 30, width / 2, height / 2))
        everywhere = np.ones((height, width), bool)
        return View(pixels, everywhere, camera, np.eye(3), np.zeros(3), neighbors.near[0], 2.0 + len(name))

    def resized(self, sizes: Sizes) -> Sizes:
        steps = [-(-max(size) // self.max_size) for size in sizes.images]
        images = ((-(-w // step), -(-h // step)) for (w, h), step in zip(sizes.images, steps, strict=True))
        return replace(sizes, images=tuple(images))


class Layers(Stage):
    """Depth is the brightness of a view and its neighbors, above the depths that there are."""

    slot = "depths"
    above: float = 1.0

    def run(self, views: Around[View], context: Context, depths: Around[DepthMap] | None = None) -> DepthMap:
        around = (views.reference, *views.sources)
        note(self, [round(float(view.image.mean()), 3) for view in around])
        context.progress(1, 2)
        depth = np.full(views.reference.mask.shape, self.above, np.float64)
        for i, view in enumerate(around):
            depth += view.image.mean(axis=2) / 256**i
        if depths:
            depth += depths.reference.depth + sum(each.depth for each in depths.sources)
        nothing = np.zeros(depth.shape)
        return DepthMap(depth, np.zeros((*depth.shape, 3)), nothing, nothing)

    def footprint(self, sizes: Sizes) -> int:
        return 1000 * sizes.pixels * (1 + sizes.neighbors)


class Agreed(Stage):
    """One point in the middle of every view."""

    slot = "fused"

    def run(self, views: Around[View], depths: Around[DepthMap]) -> Cloud:
        depth = float(depths.reference.depth.mean())
        note(self, round(depth, 3))
        far = [view.far for view in (views.reference, *views.sources)]
        return Cloud([far[:1] * 2 + [depth]], [[0, 0, -1]], [[0, 0, 0]], [len(far)], [0])  # pyright: ignore


class Gathered(Stage):
    """The points of all views."""

    slot = "cloud"

    def run(self, fused: tuple[Cloud, ...]) -> Cloud:
        note(self, len(fused))
        fields = ("points", "normals", "colors", "views", "spread")
        return Cloud(*(np.concatenate([getattr(cloud, field) for cloud in fused]) for field in fields))


class Corner(Stage):
    """A vertex for every view, which is read when its turn comes."""

    slot = "mesh"
    lift: float = 0.0

    def run(self, views: Sequence[View], depths: Sequence[DepthMap]) -> Mesh:
        note(self, (len(views), len(depths)))
        vertices = [[view.far, float(depth.depth.mean()), self.lift] for view, depth in zip(views, depths, strict=True)]
        n = len(vertices)
        return Mesh(vertices, [[0, 1, n - 1]], np.zeros((n, 3)), np.zeros((n, 3)))  # pyright: ignore


TOY = Recipe([Corners(), EveryPair(), SameIndex(), Drawn(), OneTrackEach(), Line()], "toy")

DENSE = Recipe(
    [*TOY.nodes, Likeness(), Developed(), Layers(), Node("refined", Layers(above=5.0)), Agreed(), Gathered(), Corner()],
    "dense",
)
"""The dense half after the other: depths are found, then found again from the first."""
