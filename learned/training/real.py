"""Real photos with known cameras, to evaluate a network during its training; they are no training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...stages.dense import Around, Neighbors, View
from ...stages.features.refinement import fixed_views
from ...stages.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    relative_pose,
    symmetric_epipolar_distance,
)
from ...stages.geometry.projection import unproject
from ...stages.scene import Features, Patches, Photos, Scene, Tracks

_MIN_VIEWS, _MIN_POINTS = 3, 20
"""Fewest photos that observe a check point, and fewest check points of a photo."""


@dataclass(frozen=True, eq=False)
class RealScene:
    """The results of classical stages for photos with known cameras.

    Attributes:
        name: prefix of its metrics.
        photos: all of them.
        scene: their true cameras, and the points triangulated with these.
        neighbors, views: as for dense depth, views by photo name.
        features, patches: by photo name.
        tracks: of the features.
    """

    name: str
    photos: Photos
    scene: Scene
    neighbors: Neighbors
    views: Mapping[str, View]
    features: Mapping[str, Features]
    patches: Mapping[str, Patches]
    tracks: Tracks

    def around(self, photo: int) -> Around[View]:
        """The view of a photo and of its neighbors."""
        sources = (self.views[self.photos.names[other]] for other in self.neighbors.of(photo))
        return Around(self.views[self.photos.names[photo]], tuple(sources))

    def check_points(self, photo: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixel positions (N, 2) and depths (N,) of the points of a photo that at least three photos observe."""
        scene, view = self.scene, self.views[self.photos.names[photo]]
        at = scene.names.index(self.photos.names[photo])
        sure = np.bincount(scene.obs_point, minlength=len(scene.points)) >= _MIN_VIEWS
        points = scene.points[scene.obs_point[(scene.obs_photo == at) & sure[scene.obs_point]]]
        local = points @ view.rotation.T + view.translation
        xy = (local / local[:, 2:]) @ view.camera.matrix[:2].T
        shown = (local[:, 2] > 0) & (xy >= 0).all(axis=1) & (xy < [view.camera.width, view.camera.height]).all(axis=1)
        return xy[shown], local[shown, 2]

    def sample_photos(self, count: int) -> list[int]:
        """At most ``count`` photos with neighbors and enough points, evenly from first to last."""
        usable = [i for i in range(len(self.photos)) if self._is_usable(i)]
        places = np.linspace(0, len(usable) - 1, min(count, len(usable))).round().astype(int)
        return [usable[place] for place in places]

    def _is_usable(self, photo: int) -> bool:
        known = self.photos.names[photo] in self.scene.names and len(self.neighbors.of(photo)) > 0
        return known and len(self.check_points(photo)[1]) >= _MIN_POINTS

    def epipolar_distances(self, features: Mapping[str, Features]) -> np.ndarray:
        """Distances of matches from the true epipolar lines, in pixels, shape (M,).

        Every observation of a track is matched with the one that refiners keep fixed.
        """
        of = {name: place for place, name in enumerate(self.scene.names)}
        known = np.array([of.get(name, -1) for name in self.photos.names])
        fixed = fixed_views(self.tracks, self.tracks.track)
        pairs = np.column_stack([self.tracks.photo, self.tracks.photo[fixed]])
        moving = (pairs[:, 0] != pairs[:, 1]) & (known[pairs] >= 0).all(axis=1)
        distances = [np.empty(0)]
        for pair in np.unique(pairs[moving], axis=0):
            rows = np.flatnonzero(moving & (pairs == pair).all(axis=1))
            sides = zip(pair, (rows, fixed[rows]), strict=True)
            first, second = (self._undistorted(photo, features, self.tracks.keypoint[row]) for photo, row in sides)
            distances.append(symmetric_epipolar_distance(_fundamental(self.scene, *known[pair]), first, second))
        return np.concatenate(distances)

    def _undistorted(self, photo: int, features: Mapping[str, Features], keypoints: np.ndarray) -> np.ndarray:
        """Undistorted pixel positions of some keypoints, shape (N, 2)."""
        name = self.photos.names[photo]
        camera = self.scene.camera(self.scene.names.index(name))
        return unproject(camera, features[name].xy[keypoints]) @ camera.matrix[:2].T


def _fundamental(scene: Scene, first: int, second: int) -> np.ndarray:
    """The fundamental matrix of two photos for undistorted pixels."""
    poses = [(scene.rotations[i], scene.translations[i]) for i in (first, second)]
    essential = essential_from_pose(*relative_pose(*poses))
    return fundamental_from_essential(essential, scene.camera(first).matrix, scene.camera(second).matrix)
