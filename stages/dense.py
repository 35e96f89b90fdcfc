"""Data of dense reconstruction: views, depth maps, clouds and meshes.

The convention is that of :mod:`diptych.stages.scene`: ``cam_from_world``, pixel centers at halves, depth is z.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

import numpy as np

from .arrays import check_arrays
from .scene import Camera

T = TypeVar("T")


@dataclass(frozen=True)
class Around(Generic[T]):
    """The values of one photo and of its neighbors; a stage whose ``run`` takes one runs once per photo.

    Attributes:
        reference: of the photo itself.
        sources: of the neighbors, best first.
    """

    reference: T
    sources: tuple[T, ...]


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The neighbors and the depth range of each photo, for multi-view stereo.

    Attributes:
        start: where the neighbors of photo i begin in the arrays below; they end at ``start[i + 1]``, shape (N + 1,).
        source: photo indices, best first, shape (M,).
        shared: number of points of the sparse model that both photos see, shape (M,).
        angle: median triangulation angle of these points in degrees, shape (M,).
        near, far: depth range of each photo in units of the model, 0 where it has none, shape (N,).
        missing: why a photo can have no depth; empty if it can.
    """

    start: np.ndarray
    source: np.ndarray
    shared: np.ndarray
    angle: np.ndarray
    near: np.ndarray
    far: np.ndarray
    missing: tuple[str, ...]

    def __post_init__(self) -> None:
        n, index, real = len(self.missing), np.int32, np.float32
        check_arrays(
            self,
            start=(index, (n + 1,)),
            source=(index, ("M",)),
            shared=(index, ("M",)),
            angle=(real, ("M",)),
            near=(np.float64, (n,)),
            far=(np.float64, (n,)),
        )

    def __len__(self) -> int:
        return len(self.missing)

    def of(self, photo: int) -> np.ndarray:
        """The neighbors of a photo, best first."""
        return self.source[self.start[photo] : self.start[photo + 1]]


@dataclass(frozen=True, eq=False)
class View:
    """An undistorted photo with its pose in the model.

    Attributes:
        image: RGB, shape (H, W, 3).
        mask: whether a pixel may have a depth: it lies in the photo, and the photo's mask allows it, shape (H, W).
        camera: a PINHOLE camera of the size of the image.
        rotation, translation: ``cam_from_world``, shapes (3, 3) and (3,); meaningless where ``missing`` says why.
        near, far: the depth range to search.
        missing: why the view can have no depth; empty if it can.
    """

    image: np.ndarray
    mask: np.ndarray
    camera: Camera
    rotation: np.ndarray
    translation: np.ndarray
    near: float
    far: float
    missing: str = ""

    def __post_init__(self) -> None:
        size, real = (self.camera.height, self.camera.width), np.float64
        check_arrays(
            self, image=(np.uint8, (*size, 3)), mask=(np.bool_, size), rotation=(real, (3, 3)), translation=(real, (3,))
        )
        if self.camera.model != "PINHOLE":
            raise ValueError(f"View.camera: expected a PINHOLE camera, got {self.camera.model}")
        if not self.missing and not 0 < self.near < self.far < np.inf:
            raise ValueError(f"View: expected 0 < near < far, got {self.near} and {self.far}")

    @property
    def center(self) -> np.ndarray:
        """Camera center in the world, shape (3,)."""
        return -self.rotation.T @ self.translation


class Reason(IntEnum):
    """Why a pixel of a depth map has no depth."""

    FOUND = 0
    """It has one."""
    MASKED = 1
    """The mask hides it, or it lies outside the photo."""
    UNSEEN = 2
    """No neighbor sees it."""
    UNTEXTURED = 3
    """It looks like everything around it."""
    DISAGREED = 4
    """The views do not agree on a depth: occlusion, a moving object, a mirror."""
    OUT_OF_RANGE = 5
    """The best depth lies outside the range that was searched."""


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Depth of every pixel of a view.

    Attributes:
        depth: z in units of the model, 0 where there is none, shape (H, W).
        normal: unit normal of the surface in the camera's frame, facing the camera, 0 where there is none,
            shape (H, W, 3).
        confidence: estimated probability that the depth is right within 1 %, 0 where there is none, shape (H, W).
        reason: a :class:`Reason` for every pixel, shape (H, W).
        missing: why the whole map is empty; empty text if it is not.
    """

    depth: np.ndarray
    normal: np.ndarray
    confidence: np.ndarray
    reason: np.ndarray
    missing: str = ""

    def __post_init__(self) -> None:
        check_arrays(
            self,
            depth=(np.float32, ("H", "W")),
            normal=(np.float16, ("H", "W", 3)),
            confidence=(np.float16, ("H", "W")),
            reason=(np.uint8, ("H", "W")),
        )

    @staticmethod
    def empty(view: View, why: str) -> DepthMap:
        """A map of this view without depth; ``why`` says the reason."""
        shape = view.mask.shape
        reason = np.where(view.mask, Reason.UNSEEN, Reason.MASKED)
        return DepthMap(np.zeros(shape), np.zeros((*shape, 3)), np.zeros(shape), reason, why)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points on surfaces.

    Attributes:
        points: positions in the world, shape (P, 3).
        normals: unit normals in the world, facing the cameras, shape (P, 3).
        colors: RGB, shape (P, 3).
        views: number of views that agree on the point, shape (P,).
        spread: standard deviation of the position over these views, in units of the model, shape (P,).
    """

    points: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    views: np.ndarray
    spread: np.ndarray

    def __post_init__(self) -> None:
        real = np.float32
        check_arrays(
            self,
            points=(real, ("P", 3)),
            normals=(real, ("P", 3)),
            colors=(np.uint8, ("P", 3)),
            views=(np.uint16, ("P",)),
            spread=(real, ("P",)),
        )

    def __len__(self) -> int:
        return len(self.points)


def _no(*shape: int) -> np.ndarray:
    return np.empty(shape, np.float32)


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface of triangles, counter-clockwise seen from outside.

    Attributes:
        vertices: positions in the world, shape (V, 3).
        triangles: vertex indices, shape (F, 3).
        normals: unit normals of the vertices, shape (V, 3).
        colors: RGB of the vertices, shape (V, 3).
        uv: texture coordinates of each corner of each triangle, (0, 0) is the top-left corner of the texture and
            (1, 1) the bottom-right; no rows where the mesh has no texture, shape (F or 0, 3, 2).
        texture: RGB, shape (H, W, 3); empty where the mesh has none.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    uv: np.ndarray = field(default_factory=lambda: _no(0, 3, 2))
    texture: np.ndarray = field(default_factory=lambda: _no(0, 0, 3))

    def __post_init__(self) -> None:
        real = np.float32
        check_arrays(
            self,
            vertices=(real, ("V", 3)),
            triangles=(np.int32, ("F", 3)),
            normals=(real, ("V", 3)),
            colors=(np.uint8, ("V", 3)),
            uv=(real, ("T", 3, 2)),
            texture=(np.uint8, ("H", "W", 3)),
        )
        if len(self.uv) not in (0, len(self.triangles)):
            raise ValueError(f"Mesh.uv: expected none or {len(self.triangles)} rows, got {len(self.uv)}")

    @property
    def is_textured(self) -> bool:
        """Whether it has a texture."""
        return len(self.uv) > 0
