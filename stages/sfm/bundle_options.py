"""What a bundle adjustment refines, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..scene import CAMERA_MODELS, Scene

Loss = Literal["linear", "soft_l1", "huber", "cauchy"]
Solver = Literal["scipy", "ceres"]
Intrinsics = Literal["focal", "principal_point", "distortion"]

_INTRINSICS: dict[str, Intrinsics] = {
    "f": "focal",
    "fx": "focal",
    "fy": "focal",
    "cx": "principal_point",
    "cy": "principal_point",
}


@dataclass(frozen=True, kw_only=True)
class BundleOptions:
    """How to adjust.

    Attributes:
        solver: ``scipy`` (our own problem, solved by ``least_squares``) or ``ceres`` (through pycolmap).
        loss: robust loss of the length of each residual; the cost is half the sum of rho(r^2), as Ceres has it.
        loss_scale: residual in pixels from which the loss departs from the square.
        refine: which intrinsics to refine, of the cameras that are not held fixed.
        max_iterations: most evaluations of the residuals (Ceres: most iterations).
        tolerance: done when a step gains, or is predicted to gain, less than this fraction of the cost.
    """

    solver: Solver = "scipy"
    loss: Loss = "linear"
    loss_scale: float = 1.0
    refine: tuple[Intrinsics, ...] = ("focal", "distortion")
    max_iterations: int = 100
    tolerance: float = 1e-6


DEFAULTS = BundleOptions()


@dataclass(frozen=True, eq=False)
class FreeParameters:
    """Which parameters of a scene are adjusted; the others are held fixed.

    Attributes:
        photos, points: masks of the free poses and points, shapes (N,) and (P,).
        intrinsics: of each camera, the indices of its refined parameters.
    """

    photos: np.ndarray
    points: np.ndarray
    intrinsics: tuple[tuple[int, ...], ...]

    @property
    def any(self) -> bool:
        """Whether any parameter is free."""
        return bool(self.photos.any() or self.points.any() or any(self.intrinsics))


def free_parameters(
    scene: Scene,
    refine: tuple[Intrinsics, ...],
    *,
    fixed_photos: np.ndarray | None = None,
    fixed_points: np.ndarray | None = None,
    fixed_cameras: np.ndarray | None = None,
) -> FreeParameters:
    """What :func:`diptych.stages.sfm.bundle.adjust` adjusts, from its arguments."""
    if fixed_cameras is None:
        fixed_cameras = np.array([camera.focal == "calibrated" for camera in scene.cameras], bool)
    cameras = _free(fixed_cameras, len(scene.cameras))
    return FreeParameters(
        photos=_free(fixed_photos, len(scene.names)),
        points=_free(fixed_points, len(scene.points)),
        intrinsics=tuple(
            tuple(
                index
                for index, name in enumerate(CAMERA_MODELS[camera.model])
                if free and _INTRINSICS.get(name, "distortion") in refine
            )
            for camera, free in zip(scene.cameras, cameras, strict=True)
        ),
    )


def _free(fixed: np.ndarray | None, count: int) -> np.ndarray:
    free = np.ones(count, bool)
    if fixed is not None and len(fixed):
        free[np.asarray(fixed)] = False
    return free
