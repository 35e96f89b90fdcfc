"""The data that flows between stages: frozen dataclasses over NumPy arrays.

One convention holds everywhere, COLMAP's: ``x_cam = R x_world + t`` (``cam_from_world``), x right, y down, z forward;
the center of the top-left pixel is (0.5, 0.5); depth is z. Anything else is converted in :mod:`diptych.stages.formats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np

from .arrays import check_arrays

T = TypeVar("T")

CAMERA_MODELS: dict[str, tuple[str, ...]] = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
}
"""Parameter names of every camera model, by COLMAP's names and in COLMAP's order."""

FocalSource = Literal["calibrated", "exif", "guess"]


@dataclass(frozen=True)
class Camera:
    """The intrinsics of one camera.

    Attributes:
        model: a key of :data:`CAMERA_MODELS`.
        width, height: image size in pixels.
        params: the model's parameters in its order; focal lengths and principal point in pixels.
        focal: origin of the focal length. ``calibrated`` intrinsics are fixed by default; those from ``exif`` or a
            ``guess`` are refined.

    Raises:
        ValueError: unknown model, wrong number of parameters, a size or focal length that is not positive.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]
    focal: FocalSource = "guess"

    def __post_init__(self) -> None:
        if self.model not in CAMERA_MODELS:
            raise ValueError(f"Camera.model: expected one of {', '.join(CAMERA_MODELS)}, got {self.model!r}")
        names = CAMERA_MODELS[self.model]
        object.__setattr__(self, "params", tuple(float(value) for value in self.params))
        if len(self.params) != len(names):
            expected = f"{len(names)} ({', '.join(names)})"
            raise ValueError(f"Camera.params: {self.model} has {expected}, got {len(self.params)}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"Camera: expected a positive size, got {self.width}x{self.height}")
        if not np.isfinite(self.params).all() or min(self.focal_lengths) <= 0:
            raise ValueError(f"Camera.params: expected finite values and a positive focal length, got {self.params}")

    @property
    def focal_lengths(self) -> tuple[float, float]:
        """(fx, fy) in pixels."""
        two = CAMERA_MODELS[self.model][0] == "fx"
        return (self.params[0], self.params[1]) if two else (self.params[0], self.params[0])

    @property
    def principal_point(self) -> tuple[float, float]:
        """(cx, cy) in pixels."""
        at = CAMERA_MODELS[self.model].index("cx")
        return self.params[at], self.params[at + 1]

    @property
    def matrix(self) -> np.ndarray:
        """The calibration matrix K (3, 3), without distortion."""
        (fx, fy), (cx, cy) = self.focal_lengths, self.principal_point
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class Photo:
    """One photograph as its file's bytes, with its mask if it has one.

    :mod:`diptych.stages.images.decoding` decodes it. A photo has no name and no calibration, so its cached features
    stay valid if a file is renamed or a camera changes.

    Attributes:
        encoded: the bytes of the image file (JPEG, PNG, TIFF), shape (B,).
        mask: the bytes of a mask image, zero where keypoints must not lie; empty for none, shape (M,).
    """

    encoded: np.ndarray
    mask: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))

    def __post_init__(self) -> None:
        check_arrays(self, encoded=(np.uint8, ("B",)), mask=(np.uint8, ("M",)))


@dataclass(frozen=True, eq=False)
class Photos:
    """A collection of photographs, without their pixels.

    Attributes:
        names: file names relative to the folder, sorted, with ``/`` between folders.
        cameras: the prior intrinsics; photos taken by one camera share one entry.
        camera_of: index into ``cameras`` of each photo, shape (N,).
        gps: latitude and longitude in degrees and altitude in meters, NaN where unknown, shape (N, 3).
    """

    names: tuple[str, ...]
    cameras: tuple[Camera, ...]
    camera_of: np.ndarray
    gps: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self, camera_of=(np.int32, (len(self.names),)), gps=(np.float64, (len(self.names), 3)))

    def __len__(self) -> int:
        return len(self.names)

    def camera(self, photo: int) -> Camera:
        """The prior intrinsics of one photo."""
        return self.cameras[self.camera_of[photo]]


@dataclass(frozen=True)
class Pair(Generic[T]):
    """The values of two photos; a stage whose ``run`` takes one runs once per pair."""

    first: T
    second: T


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of photos to match.

    Attributes:
        indices: photo indices (i, j) with i < j, unique and sorted, shape (P, 2).
    """

    indices: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self, indices=(np.int32, ("P", 2)))
        i, j = self.indices.T
        keys = i.astype(np.int64) << 32 | j
        if (i >= j).any() or (np.diff(keys) <= 0).any():
            raise ValueError("Pairs.indices: expected i < j, unique and sorted rows")

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, eq=False)
class Features:
    """The keypoints of one photo and their descriptors, strongest first.

    Attributes:
        xy: pixel positions, shape (N, 2).
        scale: radius of the described region in pixels (SIFT's sigma), shape (N,).
        angle: orientation in radians, from +x towards +y, shape (N,).
        score: response of the detector, shape (N,).
        color: RGB of the photo at the keypoint, shape (N, 3).
        descriptors: unit vectors up to a common factor, compared by their dot product; uint8 or float32, shape (N, D).
        kind: what the descriptors are, such as ``rootsift``; only the same kinds may be matched.
    """

    xy: np.ndarray
    scale: np.ndarray
    angle: np.ndarray
    score: np.ndarray
    color: np.ndarray
    descriptors: np.ndarray
    kind: str

    def __post_init__(self) -> None:
        real = np.float32
        packed = np.asarray(self.descriptors).dtype == np.uint8
        check_arrays(
            self,
            xy=(real, ("N", 2)),
            scale=(real, ("N",)),
            angle=(real, ("N",)),
            score=(real, ("N",)),
            color=(np.uint8, ("N", 3)),
            descriptors=(np.uint8 if packed else real, ("N", "D")),
        )

    def __len__(self) -> int:
        return len(self.xy)


@dataclass(frozen=True, eq=False)
class Matches:
    """Putative correspondences between the keypoints of two photos, best first.

    Attributes:
        indices: keypoint of the first and of the second photo, shape (M, 2).
        similarity: cosine of the angle between the descriptors, shape (M,).
    """

    indices: np.ndarray
    similarity: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self, indices=(np.int32, ("M", 2)), similarity=(np.float32, ("M",)))

    def __len__(self) -> int:
        return len(self.indices)


TwoViewKind = Literal["calibrated", "uncalibrated", "planar", "pure_rotation", "small_baseline", "none"]


@dataclass(frozen=True, eq=False)
class TwoView:
    """The verified relative geometry of two photos.

    Attributes:
        kind: ``calibrated`` (essential matrix), ``uncalibrated`` (fundamental matrix only), ``planar`` (a plane with
            parallax; the pose stems from it), ``pure_rotation`` (a homography and no parallax), ``small_baseline``
            (too little parallax to triangulate from), ``none`` (too few inliers to trust).
        matches: verified correspondences as keypoint indices, shape (M, 2).
        rotation, translation: ``second_from_first``, translation of length 1 (zero where there is none).
        fundamental: F in pixels with ``x2' F x1 = 0``, zero where there is none, shape (3, 3).
        homography: H in pixels from first to second, zero where none was estimated, shape (3, 3).
        angle: median triangulation angle of the inliers in degrees.
    """

    kind: TwoViewKind
    matches: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    fundamental: np.ndarray
    homography: np.ndarray
    angle: float

    def __post_init__(self) -> None:
        real = np.float64
        check_arrays(
            self,
            matches=(np.int32, ("M", 2)),
            rotation=(real, (3, 3)),
            translation=(real, (3,)),
            fundamental=(real, (3, 3)),
            homography=(real, (3, 3)),
        )

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def has_pose(self) -> bool:
        """Whether rotation and translation are known."""
        return self.kind in ("calibrated", "planar", "small_baseline") and bool(self.translation.any())


@dataclass(frozen=True, eq=False)
class Tracks:
    """Keypoints of several photos that show one point of the scene, sorted by track.

    Attributes:
        track: index of the track, shape (M,), ascending from 0 without gaps.
        photo: index of the photo, shape (M,); each occurs at most once in a track.
        keypoint: index into that photo's features, shape (M,).
        conflicts: number of verified matches left out because they would put two keypoints of a photo in one track.
    """

    track: np.ndarray
    photo: np.ndarray
    keypoint: np.ndarray
    conflicts: int = 0

    def __post_init__(self) -> None:
        check_arrays(self, track=(np.int32, ("M",)), photo=(np.int32, ("M",)), keypoint=(np.int32, ("M",)))

    def __len__(self) -> int:
        return int(self.track[-1]) + 1 if len(self.track) else 0


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of one size around keypoints of a photo, for the refinement of their positions.

    Attributes:
        keypoint: index into the photo's features, ascending, shape (N,).
        xy: pixel position of the center of each patch, shape (N, 2).
        affine: from steps in the patch to pixels of the photo, shape (N, 2, 2).
        gray: brightness, shape (N, S, S).
    """

    keypoint: np.ndarray
    xy: np.ndarray
    affine: np.ndarray
    gray: np.ndarray

    def __post_init__(self) -> None:
        real = np.float32
        check_arrays(
            self,
            keypoint=(np.int32, ("N",)),
            xy=(real, ("N", 2)),
            affine=(real, ("N", 2, 2)),
            gray=(np.uint8, ("N", "S", "S")),
        )

    def __len__(self) -> int:
        return len(self.keypoint)


@dataclass(frozen=True, eq=False)
class Scene:
    """One model: registered photos with their poses, points, and which photo sees which point.

    Attributes:
        cameras: refined intrinsics.
        names: names of the registered photos.
        camera_of: index into ``cameras`` of each photo, shape (N,).
        rotations, translations: ``cam_from_world``, shapes (N, 3, 3) and (N, 3).
        points: positions in the world, shape (P, 3).
        colors: RGB, shape (P, 3).
        errors: mean reprojection error of each point in pixels, NaN where unknown, shape (P,).
        obs_photo, obs_point: index of the photo and the point of each observation, shape (M,), sorted by point.
        obs_xy: measured pixel position, shape (M, 2).
        obs_keypoint: index into the photo's features, -1 where unknown, shape (M,).
    """

    cameras: tuple[Camera, ...]
    names: tuple[str, ...]
    camera_of: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    points: np.ndarray
    colors: np.ndarray
    errors: np.ndarray
    obs_photo: np.ndarray
    obs_point: np.ndarray
    obs_xy: np.ndarray
    obs_keypoint: np.ndarray

    def __post_init__(self) -> None:
        n, real, index = len(self.names), np.float64, np.int32
        check_arrays(
            self,
            camera_of=(index, (n,)),
            rotations=(real, (n, 3, 3)),
            translations=(real, (n, 3)),
            points=(real, ("P", 3)),
            colors=(np.uint8, ("P", 3)),
            errors=(real, ("P",)),
            obs_photo=(index, ("M",)),
            obs_point=(index, ("M",)),
            obs_xy=(real, ("M", 2)),
            obs_keypoint=(index, ("M",)),
        )

    @staticmethod
    def of_cameras(
        cameras: Sequence[Camera], names: Sequence[str], rotations: np.ndarray, translations: np.ndarray
    ) -> Scene:
        """A scene without points; ``cameras`` holds one per photo, and equal ones are shared."""
        distinct = tuple(dict.fromkeys(cameras))
        camera_of = np.array([distinct.index(camera) for camera in cameras])
        return Scene(distinct, tuple(names), camera_of, rotations, translations, *[np.empty(0)] * 7)

    @property
    def centers(self) -> np.ndarray:
        """Camera centers in the world, shape (N, 3)."""
        return -np.einsum("nji,nj->ni", self.rotations, self.translations)

    def camera(self, photo: int) -> Camera:
        """The intrinsics of one photo."""
        return self.cameras[self.camera_of[photo]]


@dataclass(frozen=True, eq=False)
class Sparse:
    """Result of structure from motion: one model, or several if the photos are not all connected.

    Attributes:
        models: largest first (by photos, then points).
        missing: name of every photo in no model, and why.
    """

    models: tuple[Scene, ...]
    missing: tuple[tuple[str, str], ...] = ()

    @property
    def scene(self) -> Scene:
        """The largest model."""
        return self.models[0]
