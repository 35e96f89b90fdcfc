"""Tiny stages over real photos, for tests of the engine.

With ``TOY_LOG`` in the environment every run appends the stage and what it made to that file; ``TOY_SLEEP`` makes each
take so many seconds.
"""

from __future__ import annotations

import os
import time
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from diptych.stages.failure import StageFailure
from diptych.stages.photos import decode
from diptych.stages.scene import Camera, Features, Matches, Pair, Pairs, Photo, Photos, Scene, Sparse, Tracks, TwoView
from diptych.stages.stage import Context, Stage
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


class Corners(Stage):
    """Keypoints on a grid, described by the photo's mean colour."""

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
    """Neighbours in brightness: the choice depends on the features."""

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
            photos.cameras, photos.names, photos.camera_of, np.tile(np.eye(3), (n, 1, 1)), translations, where,
            np.zeros((points, 3)), np.ones(points), tracks.photo, tracks.track, xy, tracks.keypoint,
        )  # fmt: skip
        return Sparse((scene,))
