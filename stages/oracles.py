"""Oracles: the truth in the place of a stage, to find out which stage costs the accuracy."""

from __future__ import annotations

import numpy as np

from .known_poses import triangulate_known
from .scene import Camera, Features, Photos, Scene, Sparse, Tracks
from .stage import Stage
from .truth import posed


class TruePoses(Stage):
    """The true cameras and poses, with points triangulated from the tracks as by ``TriangulateKnownPoses``.

    What a model loses beside this one is lost by the mapper. The true intrinsics are used with the poses, so they must
    be those of the photos as they are given.

    Args:
        max_error: largest reprojection error in pixels of an observation that is used.
        min_angle: smallest triangulation angle of a point in degrees.
    """

    slot = "sparse"
    libraries = ("numpy", "numba")

    max_error: float = 4.0
    min_angle: float = 1.5

    def run(self, photos: Photos, features: tuple[Features, ...], tracks: Tracks, true_cameras: Scene) -> Sparse:
        """One model of all photos whose true camera is known; the others are missing.

        Raises:
            StageFailure: ``no-known-pose`` where there is none.
        """
        true = {name: true_cameras.camera(i) for i, name in enumerate(true_cameras.names)}
        why = {name: _misfit(photos.camera(i), true.get(name)) for i, name in enumerate(photos.names)}
        fitting = np.array([i for i, name in enumerate(true_cameras.names) if not why[name]], np.int64)
        known = posed(true_cameras, fitting, [true_cameras.names[i] for i in fitting])
        model = triangulate_known(known, photos, features, tracks, self.max_error, self.min_angle)
        return Sparse((model,), tuple((name, reason) for name, reason in why.items() if reason))


def _misfit(photo: Camera, true: Camera | None) -> str:
    """Why a true camera cannot stand for that of a photo; empty where it can."""
    if true is None:
        return "is not in the truth"
    sizes = [f"{camera.width}x{camera.height}" for camera in (photo, true)]
    return "" if sizes[0] == sizes[1] else f"is {sizes[0]}, but its true camera says {sizes[1]}"
