"""Bundle Adjustment in the Large (Agarwal et al. 2010): the text format of its problems.

BAL's camera looks along -z with y up, and pixels are relative to the principal point with y up, so y and z change sign.
The format has no image size: the principal point becomes the center of the smallest image, of even size, that holds
every observation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..failure import StageFailure
from ..geometry.rotations import matrix_from_vector, vector_from_matrix
from ..scene import Camera, Scene

_FLIP = np.diag([1.0, -1.0, -1.0])


def read_bal(path: Path | str) -> Scene:
    """Read a BAL problem; every photo gets a RADIAL camera of its own.

    Raises:
        StageFailure: ``bad-bal-file`` if the text is not a BAL problem.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            cameras, points, observations = (int(word) for word in file.readline().split())
            numbers = np.array(file.read().split(), np.float64)
    except ValueError as error:
        raise _bad(path, "it is not a list of numbers under three counts") from error
    expected = 4 * observations + 9 * cameras + 3 * points
    if len(numbers) != expected:
        raise _bad(path, f"it should hold {expected} numbers after its first line and holds {len(numbers)}")
    seen, blocks, positions = np.split(numbers, [4 * observations, 4 * observations + 9 * cameras])
    seen, blocks, positions = seen.reshape(-1, 4), blocks.reshape(-1, 9), positions.reshape(-1, 3)
    photo, point, xy = seen[:, 0].astype(np.int32), seen[:, 1].astype(np.int32), seen[:, 2:] * [1, -1]
    if observations and not (0 <= photo.min() <= photo.max() < cameras and 0 <= point.min() <= point.max() < points):
        raise _bad(path, "an observation names a camera or a point that is not there")
    half = np.maximum(np.ceil(np.abs(xy).max(axis=0, initial=1.0)), 1.0)
    order = np.lexsort((photo, point))
    return Scene(
        cameras=tuple(
            Camera("RADIAL", int(2 * half[0]), int(2 * half[1]), (f, half[0], half[1], k1, k2))
            for f, k1, k2 in blocks[:, 6:]
        ),
        names=tuple(f"{index:06d}" for index in range(cameras)),
        camera_of=np.arange(cameras),
        rotations=_FLIP @ matrix_from_vector(blocks[:, :3]),
        translations=blocks[:, 3:6] @ _FLIP,
        points=positions,
        colors=np.zeros((points, 3), np.uint8),
        errors=np.full(points, np.nan),
        obs_photo=photo[order],
        obs_point=point[order],
        obs_xy=(xy + half)[order],
        obs_keypoint=np.full(observations, -1),
    )


def write_bal(scene: Scene, path: Path | str) -> None:
    """Write a scene as a BAL problem, in full precision.

    Raises:
        StageFailure: ``no-bal-camera`` if a camera has two focal lengths or a distortion that BAL does not have.
    """
    for camera in scene.cameras:
        if camera.model not in ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"):
            raise StageFailure(
                "no-bal-camera",
                "BAL has only one focal length and two radial distortion parameters.",
                hint="Export to COLMAP's format instead.",
                model=camera.model,
            )
    centers = np.array([scene.camera(photo).principal_point for photo in range(len(scene.names))]).reshape(-1, 2)
    xy = (scene.obs_xy - centers[scene.obs_photo]) * [1, -1]
    lines = [f"{len(scene.names)} {len(scene.points)} {len(scene.obs_photo)}"]
    lines += [
        f"{photo} {point} {float(x)!r} {float(y)!r}"
        for photo, point, (x, y) in zip(scene.obs_photo, scene.obs_point, xy, strict=True)
    ]
    vectors = vector_from_matrix(_FLIP @ scene.rotations)
    for photo, (vector, translation) in enumerate(zip(vectors, scene.translations @ _FLIP, strict=True)):
        camera = scene.camera(photo)
        distortion = (*camera.params[3:], 0.0, 0.0)[:2]
        lines += [repr(float(number)) for number in (*vector, *translation, camera.params[0], *distortion)]
    lines += [repr(float(number)) for number in scene.points.ravel()]
    Path(path).write_text("\n".join(lines) + "\n")


def _bad(path: Path, why: str) -> StageFailure:
    return StageFailure("bad-bal-file", f"{path.name} is not a BAL problem: {why}.", file=str(path))
