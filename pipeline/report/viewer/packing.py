"""What the viewer draws of a model, packed for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ....stages.dense import Cloud, Mesh
from ....stages.scene import Camera, Scene
from ..document import packed_array
from .surfaces import pack_cloud, pack_mesh

MOST_POINTS = 1_000_000


@dataclass(frozen=True, eq=False)
class Frame:
    """Where a viewer's origin lies in the world, how long its unit is, and how a person stands before the model.

    Attributes:
        middle: the origin, shape (3,).
        unit: the distance 1.
        forward, up: mean directions of the cameras' axes.
    """

    middle: np.ndarray
    unit: float
    forward: list[float]
    up: list[float]

    @staticmethod
    def of(scene: Scene) -> Frame:
        """The middle of the points is the origin, and nine in ten of them lie within a distance of 1.

        A few far outliers and large world coordinates then cost neither the view nor its precision.
        """
        finite = scene.points[np.isfinite(scene.points).all(axis=1)]
        shown = finite if len(finite) else scene.centers
        middle = np.median(shown, axis=0)
        unit = float(np.quantile(np.linalg.norm(shown - middle, axis=1), 0.9)) or 1.0
        return Frame(middle, unit, _direction(scene.rotations[:, 2]), _direction(-scene.rotations[:, 1]))


def pack(
    scene: Scene,
    photo_of: Mapping[str, int],
    cloud: Cloud | None = None,
    mesh: Mesh | None = None,
    frame: Frame | None = None,
    most: tuple[int, int, int] | None = None,
) -> dict[str, object]:
    """Points as base64 of float32 positions and uint8 colors, cameras as pyramids, and the surfaces there are.

    Args:
        scene: the model.
        photo_of: index of each photo in the page by its name.
        cloud, mesh: of this model.
        frame: that of another model in the same world, to be looked at in the same way; by default its own.
        most: the most points, points of the cloud and triangles to keep; by default as many as one viewer may hold.
    """
    frame = frame or Frame.of(scene)
    place = frame.middle, frame.unit
    finite = np.flatnonzero(np.isfinite(scene.points).all(axis=1))
    most_points, most_of_cloud, most_triangles = most or (MOST_POINTS, None, None)
    shown = finite
    if len(finite) > most_points:
        shown = finite[np.linspace(0, len(finite) - 1, most_points).astype(np.int64)]
    apexes = (scene.centers - frame.middle) / frame.unit
    corners = [_corner_rays(scene.camera(i)) @ scene.rotations[i] for i in range(len(scene.names))]
    return {
        "points": packed_array((scene.points[shown] - frame.middle) / frame.unit, "<f4"),
        "colors": packed_array(scene.colors[shown], "u1"),
        "forward": frame.forward,
        "up": frame.up,
        "frustum": _frustum_depth(apexes),
        "cameras": [
            {"photo": photo_of.get(name, -1), "name": name, "apex": apex.tolist(), "corners": rays.round(5).tolist()}
            for name, apex, rays in zip(scene.names, apexes.round(6), corners, strict=True)
        ],
        **({"cloud": pack_cloud(cloud, *place, most_of_cloud)} if cloud is not None and len(cloud) else {}),
        **({"mesh": pack_mesh(mesh, *place, most_triangles)} if mesh is not None and len(mesh.triangles) else {}),
    }


def _corner_rays(camera: Camera) -> np.ndarray:
    """Rays at depth 1 through the corners of the photo, clockwise from the top left, distortion left out, (4, 3)."""
    w, h = camera.width, camera.height
    pixels = np.array([[0.0, 0.0, 1.0], [w, 0.0, 1.0], [w, h, 1.0], [0.0, h, 1.0]])
    return pixels @ np.linalg.inv(camera.matrix).T


def _direction(axes: np.ndarray) -> list[float]:
    """Mean direction of unit vectors; that of the first where they cancel out."""
    mean = axes.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return (mean / length if length > 0.2 else axes[0]).round(6).tolist()


def _frustum_depth(apexes: np.ndarray) -> float:
    """A depth at which neighboring frusta hardly overlap, yet none is a speck."""
    from_middle = max(1.0, float(np.median(np.linalg.norm(apexes, axis=1))))
    sample = apexes[:: max(1, len(apexes) // 1000)]
    gaps = np.linalg.norm(sample[:, None] - sample[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    gap = float(np.median(gaps.min(axis=1))) if len(sample) > 1 else 0.0
    return round(min(max(0.45 * gap, 0.04 * from_middle), 0.2 * from_middle), 5)
