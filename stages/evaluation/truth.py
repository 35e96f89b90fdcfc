"""The truth of a collection's photos, for the slots ``true_cameras`` and ``true_depths``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..depth_truth import TrueDepth, TrueView
from ..failure import StageFailure
from ..formats.truth.dense import read_dense_truth, read_true_cameras
from ..scene import Scene
from .cameras import common_photos


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of some photos of a collection.

    Attributes:
        cameras: true cameras of the photos that have one, by the photos' names and in their order, without points.
        views: the true view of every photo of the collection; None for a photo without true depth.
    """

    cameras: Scene
    views: tuple[TrueView | None, ...]

    @property
    def has_depths(self) -> bool:
        """Whether any photo has a true depth map."""
        return any(self.views)

    def depth(self, photo: int) -> TrueDepth:
        """Read the true depth map of a photo.

        Raises:
            StageFailure: ``damaged-truth``.
        """
        view = self.views[photo]
        if view is None:
            return TrueDepth.unknown("has no true depth map")
        return TrueDepth(view.camera, view.rotation, view.translation, view.depth)

    @staticmethod
    def read(folder: Path, names: tuple[str, ...]) -> Truth:
        """Find the truth of the photos of these names in a folder; depth maps are not read yet.

        Raises:
            StageFailure: as :func:`diptych.stages.formats.truth.cameras.read_truth`; ``truth-mismatch``, as
                :func:`diptych.stages.evaluation.cameras.common_photos`.
        """
        known = read_true_cameras(folder)
        photos, true = common_photos(names, known.names)
        by_name = np.argsort(photos)
        cameras = posed(known, true[by_name], [names[photo] for photo in photos[by_name]])
        return Truth(cameras, _views(folder, names))


def posed(scene: Scene, photos: np.ndarray, names: Sequence[str]) -> Scene:
    """The cameras of some photos of a scene, without points, under these names and marked ``calibrated``."""
    cameras = [dataclasses.replace(scene.camera(photo), focal="calibrated") for photo in photos]
    return Scene.of_cameras(cameras, names, scene.rotations[photos], scene.translations[photos])


def _views(folder: Path, names: tuple[str, ...]) -> tuple[TrueView | None, ...]:
    views: list[TrueView | None] = [None] * len(names)
    try:
        known = [view for view in read_dense_truth(folder).views if view.read_depth]
        photos, true = common_photos(names, tuple(view.name for view in known))
    except StageFailure as failure:
        if failure.code not in ("unknown-truth", "truth-mismatch"):
            raise
        return tuple(views)
    for photo, view in zip(photos, true, strict=True):
        views[photo] = known[view]
    return tuple(views)
