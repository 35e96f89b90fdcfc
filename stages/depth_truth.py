"""Ground truth of a scene's surfaces: true depth maps, masks of an object, a true mesh or scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .arrays import check_arrays
from .dense import Mesh
from .failure import StageFailure
from .scene import Camera, Scene


@dataclass(frozen=True, eq=False)
class TrueView:
    """One photo of the truth. Its maps are read on each access and not kept.

    Attributes:
        name: of the photo.
        camera: a PINHOLE camera of the size of the maps.
        rotation, translation: ``cam_from_world``, shapes (3, 3) and (3,).
        read_depth: reads the depth map; None where only a mask is known.
        read_mask: reads the mask; None where there is none.
    """

    name: str
    camera: Camera
    rotation: np.ndarray
    translation: np.ndarray
    read_depth: Callable[[], np.ndarray] | None = None
    read_mask: Callable[[], np.ndarray] | None = None

    def __post_init__(self) -> None:
        check_arrays(self, rotation=(np.float64, (3, 3)), translation=(np.float64, (3,)))
        if self.camera.model != "PINHOLE":
            raise ValueError(f"TrueView.camera: expected a PINHOLE camera, got {self.camera.model}")

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the maps."""
        return self.camera.height, self.camera.width

    @property
    def center(self) -> np.ndarray:
        """Camera center in the world, shape (3,)."""
        return -self.rotation.T @ self.translation

    @property
    def depth(self) -> np.ndarray:
        """True z in the truth's unit, 0 where unknown, float32, shape (H, W).

        Raises:
            StageFailure: ``damaged-truth``.
        """
        return np.zeros(self.shape, np.float32) if self.read_depth is None else self._sized(self.read_depth())

    @property
    def mask(self) -> np.ndarray | None:
        """Whether a pixel shows the object, bool, shape (H, W); None where no mask is known."""
        return None if self.read_mask is None else self._sized(self.read_mask())

    def _sized(self, array: np.ndarray) -> np.ndarray:
        if array.shape != self.shape:
            raise StageFailure(
                "damaged-truth",
                f"The truth of {self.name} is not of the size of its camera.",
                expected=list(self.shape),
                shape=list(array.shape),
            )
        return array


@dataclass(frozen=True, eq=False)
class TrueDepth:
    """The true depth map of one photo.

    Attributes:
        camera: a PINHOLE camera of the size of the map.
        rotation, translation: ``cam_from_world`` in the truth's world, shapes (3, 3) and (3,).
        depth: z in the truth's unit, 0 where unknown, shape (H, W).
        missing: why the photo has no true depth; empty where it has one.
    """

    camera: Camera
    rotation: np.ndarray
    translation: np.ndarray
    depth: np.ndarray
    missing: str = ""

    def __post_init__(self) -> None:
        real, size = np.float64, (self.camera.height, self.camera.width)
        check_arrays(self, rotation=(real, (3, 3)), translation=(real, (3,)), depth=(np.float32, size))

    @staticmethod
    def unknown(why: str) -> TrueDepth:
        """The value for a photo without true depth: a map of one pixel."""
        return TrueDepth(Camera("PINHOLE", 1, 1, (1, 1, 0.5, 0.5)), np.eye(3), np.zeros(3), np.zeros((1, 1)), why)


@dataclass(frozen=True, eq=False)
class DepthTruth:
    """The true surfaces of a scene.

    Attributes:
        views: the photos with a true depth map or a mask.
        read_surface: reads the true surface, a mesh or the points (P, 3) of a scan; None where it is unknown.
        baseline: distance between the two views of a rectified stereo pair, 0 for any other scene.
    """

    views: tuple[TrueView, ...]
    read_surface: Callable[[], Mesh | np.ndarray] | None = None
    baseline: float = 0.0

    @property
    def surface(self) -> Mesh | np.ndarray | None:
        """The true surface, read on each access; None where it is unknown."""
        return None if self.read_surface is None else self.read_surface()

    @property
    def scene(self) -> Scene:
        """The true cameras, without points."""
        views = self.views
        return Scene.of_cameras(
            [view.camera for view in views],
            [view.name for view in views],
            np.array([view.rotation for view in views]),
            np.array([view.translation for view in views]),
        )
