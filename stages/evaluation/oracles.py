"""Oracles: the truth in place of a stage, to find out which stage loses accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from ..dense import DepthMap, Reason, View
from ..depth_truth import TrueDepth
from ..failure import StageFailure
from ..geometry.depth_normals import normals_from_depth
from ..geometry.projection import project
from ..matching.nearest_neighbor import comparable, sorted_matches
from ..scene import Camera, Features, Matches, Pair, Photos, Scene, Sparse, Tracks
from ..sfm.known_poses import triangulate_known
from ..stage import Sizes, Stage
from .cameras import align_with_truth
from .depth_resampling import depth_at, in_truth, where_in_truth
from .truth import posed


class TrueMatches(Stage):
    """Keypoints that show the same point of the true surface.

    A keypoint is unprojected by its true depth and projected into the other photo, where the point must be visible; the
    nearest keypoint there is its match, if the same holds in the other direction. The difference from a run with these
    matches is the loss of the matcher; what is still missing is the loss of the detector.

    If the true map has another aspect ratio than the photo, such as an undistorted one, the photo's given camera maps
    between them: then it should be calibrated.

    Args:
        max_error: largest distance of a keypoint from the projection of the other one, in pixels of the photo.
        max_depth_error: a point is visible where its depth differs from that of the surface seen there by no more than
            this share.
    """

    slot = "matches"
    libraries = ("numpy", "numba", "scipy")

    max_error: float = 2.0
    max_depth_error: float = 0.01

    def run(
        self, name: Pair[str], camera: Pair[Camera], features: Pair[Features], true_depths: Pair[TrueDepth]
    ) -> Matches:
        """Matches, the most alike first; at most one of each keypoint.

        Raises:
            StageFailure: ``no-truth`` if a photo has no true depth; ``different-descriptors``.
        """
        descriptors = comparable(features)
        for photo, truth in ((name.first, true_depths.first), (name.second, true_depths.second)):
            if truth.missing:
                raise StageFailure(
                    "no-truth",
                    f"Nothing tells which keypoints of {photo} are the same: it {truth.missing}.",
                    hint="Leave the photo out, or match with another stage.",
                )
        first = _Seen.of(camera.first, features.first, true_depths.first)
        second = _Seen.of(camera.second, features.second, true_depths.second)
        forward, backward = self._nearest(first, second), self._nearest(second, first)
        rows = np.flatnonzero(forward >= 0)
        mutual = rows[backward[forward[rows]] == rows]
        return sorted_matches(*descriptors, np.column_stack([mutual, forward[mutual]]), np.inf)

    def _nearest(self, one: _Seen, other: _Seen) -> np.ndarray:
        """The keypoint of the other photo nearest to each visible projected point, else -1, shape (N,)."""
        at, z = one.points_in(other.truth)
        surface = depth_at(other.truth.depth, at)
        visible = np.flatnonzero((surface > 0) & (abs(z - surface) <= self.max_depth_error * surface))
        found = np.full(len(at), -1)
        if len(visible) and len(other.xy):
            distance, nearest = map(np.asarray, KDTree(other.xy).query(at[visible]))
            near = distance * other.pixel <= self.max_error
            found[visible[near]] = nearest[near]
        return found


@dataclass(frozen=True)
class _Seen:
    """The keypoints of a photo in its true map.

    Attributes:
        truth: the map.
        xy: pixel positions in it, shape (N, 2).
        pixel: size of its pixels in pixels of the photo.
    """

    truth: TrueDepth
    xy: np.ndarray
    pixel: float

    @staticmethod
    def of(camera: Camera, features: Features, truth: TrueDepth) -> _Seen:
        xy = in_truth(camera, truth.camera, features.xy.astype(np.float64))
        return _Seen(truth, xy, camera.width / truth.camera.width)

    def points_in(self, there: TrueDepth) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the keypoints' points in another map (N, 2), and their z there (N,).

        The position is infinite behind that camera or without a depth.
        """
        camera = self.truth.camera
        rays = np.column_stack([(self.xy - camera.principal_point) / camera.focal_lengths, np.ones(len(self.xy))])
        depth = depth_at(self.truth.depth, self.xy)
        world = (depth[:, None] * rays - self.truth.translation) @ self.truth.rotation
        local = world @ there.rotation.T + there.translation
        return np.where(depth[:, None] > 0, project(there.camera, local), np.inf), local[:, 2]


class TruePoses(Stage):
    """The true cameras and poses, with points triangulated from the tracks as by ``TriangulateKnownPoses``.

    The difference from a run with these poses is the loss of the mapper. The true intrinsics are used too, so they must
    belong to the photos as given.

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
        why = {name: _mismatch(photos.camera(i), true.get(name)) for i, name in enumerate(photos.names)}
        fitting = np.array([i for i, name in enumerate(true_cameras.names) if why.get(name) == ""], np.int64)
        known = posed(true_cameras, fitting, [true_cameras.names[i] for i in fitting])
        model = triangulate_known(known, photos, features, tracks, self.max_error, self.min_angle)
        return Sparse((model,), tuple((name, reason) for name, reason in why.items() if reason))


def _mismatch(photo: Camera, true: Camera | None) -> str:
    """Why a true camera cannot stand for that of a photo; empty where it can."""
    if true is None:
        return "is not in the truth"
    sizes = [f"{camera.width}x{camera.height}" for camera in (photo, true)]
    return "" if sizes[0] == sizes[1] else f"is {sizes[0]}, but its true camera says {sizes[1]}"


class TrueDepths(Stage):
    """The true depth map of each view, in the unit of the run's model.

    Depths are scaled to the model's unit by the similarity that aligns the cameras, as in
    :func:`diptych.stages.evaluation.dense.evaluate_dense`; so this also works after a mapper, with its error of scale.
    A pixel of the view takes the depth of the same place in the photo; normals are those of planes fitted to the depth.
    The depth range of the view is ignored.
    """

    slot = "depths"
    libraries = ("numpy", "numba")

    def run(self, name: str, views: View, sparse: Sparse, true_cameras: Scene, true_depths: TrueDepth) -> DepthMap:
        """The depth map, or an empty one that says why.

        Raises:
            StageFailure: ``truth-mismatch`` or ``degenerate-alignment``, as
                :func:`diptych.stages.evaluation.cameras.evaluate`.
        """
        if why := views.missing or true_depths.missing:
            return DepthMap.empty(views, why)
        scene = sparse.scene
        unit = align_with_truth(scene, true_cameras).scale
        at = where_in_truth(views.camera, scene.camera(scene.names.index(name)), true_depths.camera)
        depth = (np.where(views.mask, depth_at(true_depths.depth, at), 0) / unit).astype(np.float32)
        known = depth > 0
        if not known.any():
            return DepthMap.empty(views, "shows nothing whose true depth is known")
        reason = np.select([~views.mask, known], [Reason.MASKED, Reason.FOUND], Reason.UNSEEN)
        return DepthMap(depth, normals_from_depth(depth, views.camera), known, reason)

    def footprint(self, sizes: Sizes) -> int:
        """As measured, without the true map itself."""
        return 300 * sizes.pixels
