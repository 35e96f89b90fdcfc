"""A model that grows: photos are registered, points triangulated, filtered and adjusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..geometry.projection import undistort
from ..scene import CAMERA_MODELS, Features, Photos, Scene, Tracks
from .bundle import adjust, point_errors
from .bundle_options import BundleOptions
from .coloring import mean_colors
from .triangulation import triangulate_tracks, widest_angles


class GrowingModel:
    """Poses, points and the observations used for them, over all tracks of a collection; changed in place.

    Attributes:
        cameras: as refined so far.
        registered, rotations, translations: of each photo, shapes (N,), (N, 3, 3) and (N, 3).
        points: of each track, NaN where it has none, shape (T, 3).
        used: which observations, sorted by track, agree with their track's point, shape (M,).
        xy, scale: keypoint of each observation, in pixels, shapes (M, 2) and (M,).
        rays: undistorted observations (x/z, y/z), shape (M, 2).

    Args:
        photos, features, tracks: the collection; features are in the order of the photos.
        max_error: largest reprojection error in pixels of an observation that is used.
        min_angle: smallest triangulation angle in degrees of a point that is kept.
    """

    def __init__(
        self, photos: Photos, features: Sequence[Features], tracks: Tracks, *, max_error: float, min_angle: float
    ) -> None:
        self.photos, self.features, self.tracks = photos, features, tracks
        self.max_error, self.min_angle = max_error, min_angle
        self.cameras = list(photos.cameras)
        self.registered = np.zeros(len(photos), bool)
        self.rotations = np.zeros((len(photos), 3, 3))
        self.translations = np.zeros((len(photos), 3))
        self.points = np.full((len(tracks), 3), np.nan)
        self.used = np.zeros(len(tracks.track), bool)
        self.start = np.searchsorted(tracks.track, np.arange(len(tracks) + 1))
        self._by_photo = np.argsort(tracks.photo, kind="stable")
        self._photo_start = np.searchsorted(tracks.photo[self._by_photo], np.arange(len(photos) + 1))
        self.xy = np.zeros((len(tracks.track), 2))
        self.scale = np.zeros(len(tracks.track))
        for photo in range(len(photos)):
            seen = self.observations_of(photo)
            self.xy[seen] = features[photo].xy[tracks.keypoint[seen]]
            self.scale[seen] = features[photo].scale[tracks.keypoint[seen]]
        self.rays = np.zeros_like(self.xy)
        for camera in range(len(self.cameras)):
            self._undistort(camera)

    @property
    def has_point(self) -> np.ndarray:
        """Which tracks have a point, shape (T,)."""
        return ~np.isnan(self.points[:, 0])

    @property
    def focal(self) -> np.ndarray:
        """Mean focal length of each photo in pixels, shape (N,)."""
        return np.array([np.mean(camera.focal_lengths) for camera in self.cameras])[self.photos.camera_of]

    def observations_of(self, photo: int | np.integer) -> np.ndarray:
        """The observations of a photo, as indices."""
        return self._by_photo[self._photo_start[photo] : self._photo_start[photo + 1]]

    def tracks_of(self, photos: np.ndarray) -> np.ndarray:
        """The tracks that any of these photos observes, as sorted indices."""
        seen = np.concatenate([self.observations_of(photo) for photo in photos] or [np.empty(0, np.int64)])
        return np.unique(self.tracks.track[seen])

    def scale_focal(self, camera: int, factor: float) -> None:
        """Multiply the focal length of a camera."""
        old = self.cameras[camera]
        names = CAMERA_MODELS[old.model]
        params = tuple(
            value * factor if name.startswith("f") else value for name, value in zip(names, old.params, strict=True)
        )
        self.cameras[camera] = dataclasses.replace(old, params=params)
        self._undistort(camera)

    def register(self, photo: int, rotation: np.ndarray, translation: np.ndarray) -> None:
        """Set the pose of a photo; :meth:`extend` decides which of its observations are used."""
        self.rotations[photo], self.translations[photo] = rotation, translation
        self.registered[photo] = True

    def reset(self) -> None:
        """Remove every pose and point."""
        self.registered[:] = False
        self.points[:] = np.nan
        self.used[:] = False

    def shared_points(self, tracks: np.ndarray) -> np.ndarray:
        """How many of these tracks each registered photo observes, shape (N,)."""
        return np.bincount(self.tracks.photo[self._observations_in_model(tracks)], minlength=len(self.photos))

    def extend(self, tracks: np.ndarray) -> None:
        """Use every observation of these tracks whose reprojection error is within ``max_error``."""
        seen = self._observations_in_model(tracks[self.has_point[tracks]])
        self.used[seen] = self._errors(seen) <= self.max_error

    def triangulate(self, tracks: np.ndarray) -> None:
        """Triangulate those of these tracks that have no point."""
        seen = self._observations_in_model(tracks[~self.has_point[tracks]])
        open_tracks, start = np.unique(self.tracks.track[seen], return_index=True)
        photo = self.tracks.photo[seen]
        points, agree = triangulate_tracks(
            np.append(start, len(seen)),
            photo,
            self.rays[seen],
            self.max_error / self.focal[photo],
            self.rotations,
            self.translations,
            self.min_angle,
        )
        self.points[open_tracks] = points
        self.used[seen] = agree

    def filter(self) -> int:
        """Drop observations with a large error, then points with a small angle; returns the number of those dropped."""
        before = self.used.copy()
        seen = np.flatnonzero(self.used)
        self.used[seen] = self._errors(seen) <= self.max_error
        seen = np.flatnonzero(self.used)
        track, start = np.unique(self.tracks.track[seen], return_index=True)
        centers = -np.einsum("nji,nj->ni", self.rotations, self.translations)
        angles = widest_angles(np.append(start, len(seen)), self.tracks.photo[seen], self.points[track], centers)
        keep = np.zeros(len(self.tracks), bool)
        keep[track[angles >= self.min_angle]] = True
        self.points[~keep] = np.nan
        self.used &= keep[self.tracks.track]
        return int(np.count_nonzero(before & ~self.used))

    def adjust(self, options: BundleOptions, *, threads: int = 1) -> None:
        """Bundle adjustment of the whole model."""
        self._adjust(np.flatnonzero(self.used), options, threads)

    def adjust_around(self, photos: np.ndarray, options: BundleOptions, *, threads: int = 1) -> None:
        """Bundle adjustment of some photos and their points; other photos and all intrinsics are held fixed."""
        tracks = self.tracks_of(photos)
        seen = self._observations_in_model(tracks[self.has_point[tracks]])
        self._adjust(seen[self.used[seen]], options, threads, free_photos=photos, free_cameras=False)

    def adjust_to_finest(self, options: BundleOptions, share: float, *, threads: int = 1) -> None:
        """Bundle adjustment of the cameras to the finest keypoints only, then of the points to all.

        Keypoints of small scale are located best: of each photo's observations the finest ``share`` takes part.
        """
        used = np.flatnonzero(self.used)
        photo, track = self.tracks.photo[used], self.tracks.track[used]
        order = np.lexsort((self.scale[used], photo))
        count = np.bincount(photo, minlength=len(self.photos))
        rank = np.empty(len(used), np.int64)
        rank[order] = np.arange(len(used)) - np.repeat(np.cumsum(count) - count, count)
        fine = rank < share * count[photo]
        fine &= np.bincount(track[fine], minlength=len(self.tracks))[track] >= 2
        if np.isin(photo, photo[fine]).all():
            self._adjust(used[fine], options, threads)
            self._adjust(used, options, threads, free_photos=np.empty(0, np.int64), free_cameras=False)

    def _adjust(
        self,
        seen: np.ndarray,
        options: BundleOptions,
        threads: int,
        *,
        free_photos: np.ndarray | None = None,
        free_cameras: bool = True,
    ) -> None:
        photos = np.unique(self.tracks.photo[seen])
        scene, points = self._scene(photos, seen)
        adjusted, _ = adjust(
            scene,
            options,
            threads=threads,
            fixed_photos=None if free_photos is None else ~np.isin(photos, free_photos),
            fixed_cameras=np.array([not free_cameras or camera.focal == "calibrated" for camera in scene.cameras]),
        )
        self.rotations[photos], self.translations[photos] = adjusted.rotations, adjusted.translations
        self.points[points] = adjusted.points
        for camera, (old, new) in enumerate(zip(scene.cameras, adjusted.cameras, strict=True)):
            if new.params != old.params:
                self.cameras[camera] = new
                self._undistort(camera)

    def scene(self) -> Scene:
        """The current model: registered photos, their cameras, and points with colors and errors."""
        scene, _ = self._scene(np.flatnonzero(self.registered), np.flatnonzero(self.used))
        taken, camera_of = np.unique(scene.camera_of, return_inverse=True)
        cameras = tuple(scene.cameras[camera] for camera in taken)
        scene = dataclasses.replace(scene, cameras=cameras, camera_of=camera_of, errors=point_errors(scene))
        return mean_colors(scene, self.photos, self.features)

    def _scene(self, photos: np.ndarray, seen: np.ndarray) -> tuple[Scene, np.ndarray]:
        """A scene of these photos and observations, and the track of each of its points."""
        points, obs_point = np.unique(self.tracks.track[seen], return_inverse=True)
        scene = Scene(
            cameras=tuple(self.cameras),
            names=tuple(self.photos.names[photo] for photo in photos),
            camera_of=self.photos.camera_of[photos],
            rotations=self.rotations[photos],
            translations=self.translations[photos],
            points=self.points[points],
            colors=np.zeros((len(points), 3), np.uint8),
            errors=np.full(len(points), np.nan),
            obs_photo=np.searchsorted(photos, self.tracks.photo[seen]),
            obs_point=obs_point,
            obs_xy=self.xy[seen],
            obs_keypoint=self.tracks.keypoint[seen],
        )
        return scene, points

    def _observations_in_model(self, tracks: np.ndarray) -> np.ndarray:
        """The observations of these (sorted) tracks in registered photos, as sorted indices."""
        counts = self.start[tracks + 1] - self.start[tracks]
        shift = np.repeat(self.start[tracks] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        seen = np.arange(counts.sum()) + shift
        return seen[self.registered[self.tracks.photo[seen]]]

    def _errors(self, seen: np.ndarray) -> np.ndarray:
        """Reprojection errors in undistorted pixels; infinite behind the camera."""
        photo, track = self.tracks.photo[seen], self.tracks.track[seen]
        local = np.einsum("nij,nj->ni", self.rotations[photo], self.points[track]) + self.translations[photo]
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.linalg.norm(local[:, :2] / local[:, 2:] - self.rays[seen], axis=1) * self.focal[photo]
        return np.where(local[:, 2] > 0, error, np.inf)

    def _undistort(self, camera: int) -> None:
        for photo in np.flatnonzero(self.photos.camera_of == camera):
            seen = self.observations_of(photo)
            self.rays[seen] = undistort(self.cameras[camera], self.xy[seen])
