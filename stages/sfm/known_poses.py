"""Triangulation with known poses."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..failure import StageFailure
from ..scene import Features, Photos, Scene, Sparse, Tracks
from ..stage import Stage
from .growing_model import GrowingModel


class TriangulateKnownPoses(Stage):
    """Triangulate new points for a model whose poses and intrinsics are kept.

    Robust multi-view triangulation over all tracks, as in :mod:`diptych.stages.sfm.triangulation`. The poses come from
    another mapper; :class:`~diptych.stages.evaluation.oracles.TruePoses` does the same with the true ones.

    Args:
        max_error: largest reprojection error in pixels of an observation that is used.
        min_angle: smallest triangulation angle of a point in degrees.
    """

    slot = "sparse"
    papers = ("torr2000",)
    libraries = ("numpy", "numba")

    max_error: float = 4.0
    min_angle: float = 1.5

    def run(self, photos: Photos, features: tuple[Features, ...], tracks: Tracks, sparse: Sparse) -> Sparse:
        """The same models with the same cameras and new points.

        Raises:
            StageFailure: none of the known poses is of one of the photos.
        """
        return Sparse(
            models=tuple(
                triangulate_known(known, photos, features, tracks, self.max_error, self.min_angle)
                for known in sparse.models
            ),
            missing=sparse.missing,
        )


def triangulate_known(
    known: Scene, photos: Photos, features: tuple[Features, ...], tracks: Tracks, max_error: float, min_angle: float
) -> Scene:
    """A model of those photos whose cameras are known, with points triangulated from the tracks.

    Args:
        known: cameras and poses, under the photos' names; its points are ignored.
        max_error, min_angle: as of :class:`TriangulateKnownPoses`.

    Raises:
        StageFailure: ``no-known-pose``.
    """
    index = {name: photo for photo, name in enumerate(photos.names)}
    of_known = np.array([photo for photo, name in enumerate(known.names) if name in index], np.int64)
    if not len(of_known):
        raise StageFailure(
            "no-known-pose",
            "None of the known poses belongs to one of the photos.",
            hint="The names in the model must be the photos' file names.",
            examples=list(known.names[:1]),
        )
    of_photos = np.array([index[known.names[photo]] for photo in of_known])
    camera_of = photos.camera_of.copy()
    camera_of[of_photos] = len(photos.cameras) + known.camera_of[of_known]
    calibrated = dataclasses.replace(photos, cameras=photos.cameras + known.cameras, camera_of=camera_of)
    model = GrowingModel(calibrated, features, tracks, max_error=max_error, min_angle=min_angle)
    for photo, pose in zip(of_photos, of_known, strict=True):
        model.register(photo, known.rotations[pose], known.translations[pose])
    model.triangulate(np.arange(len(tracks)))
    model.filter()
    return model.scene()
