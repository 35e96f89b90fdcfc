"""Real photos with known cameras, on which a network in training is judged and from which it never learns."""

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

_FEWEST_VIEWS, _FEWEST_POINTS = 3, 20
"""Photos that must agree on a point before anything is held against it, and such points that a photo must see."""


@dataclass(frozen=True, eq=False)
class RealScene:
    """What classical stages find in photos whose true cameras are known.

    Attributes:
        name: what its figures are called after.
        photos: all of them.
        scene: their true cameras, and the points that were triangulated with these.
        neighbors, views: as for dense depth, views by the photo's name.
        features, patches: by the photo's name.
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
        """The view of a photo and of its neighbours."""
        sources = (self.views[self.photos.names[other]] for other in self.neighbors.of(photo))
        return Around(self.views[self.photos.names[photo]], tuple(sources))

    def check_points(self, photo: int) -> tuple[np.ndarray, np.ndarray]:
        """Where a photo's view shows points on which three photos agree (N, 2), and their depth (N,)."""
        scene, view = self.scene, self.views[self.photos.names[photo]]
        at = scene.names.index(self.photos.names[photo])
        sure = np.bincount(scene.obs_point, minlength=len(scene.points)) >= _FEWEST_VIEWS
        points = scene.points[scene.obs_point[(scene.obs_photo == at) & sure[scene.obs_point]]]
        local = points @ view.rotation.T + view.translation
        xy = (local / local[:, 2:]) @ view.camera.matrix[:2].T
        shown = (local[:, 2] > 0) & (xy >= 0).all(axis=1) & (xy < [view.camera.width, view.camera.height]).all(axis=1)
        return xy[shown], local[shown, 2]

    def sample_photos(self, count: int) -> list[int]:
        """Photos with neighbours and enough points, at most so many, evenly from first to last."""
        usable = [i for i in range(len(self.photos)) if self._is_usable(i)]
        places = np.linspace(0, len(usable) - 1, min(count, len(usable))).round().astype(int)
        return [usable[place] for place in places]

    def _is_usable(self, photo: int) -> bool:
        known = self.photos.names[photo] in self.scene.names and len(self.neighbors.of(photo)) > 0
        return known and len(self.check_points(photo)[1]) >= _FEWEST_POINTS

    def epipolar_distances(self, features: Mapping[str, Features]) -> np.ndarray:
        """How far matches lie from the true epipolar lines, in pixels, shape (M,).

        Every observation of a track is held against the one that refiners leave in its place.
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
        """Where a lens without distortion would show some keypoints, shape (N, 2)."""
        name = self.photos.names[photo]
        camera = self.scene.camera(self.scene.names.index(name))
        return unproject(camera, features[name].xy[keypoints]) @ camera.matrix[:2].T


def _fundamental(scene: Scene, first: int, second: int) -> np.ndarray:
    """From pixels of one photo to lines in another, without the distortion of their lenses."""
    poses = [(scene.rotations[i], scene.translations[i]) for i in (first, second)]
    essential = essential_from_pose(*relative_pose(*poses))
    return fundamental_from_essential(essential, scene.camera(first).matrix, scene.camera(second).matrix)
