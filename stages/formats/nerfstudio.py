"""nerfstudio's ``transforms.json`` (Tancik et al. 2023), which also instant-ngp and many others read.

Poses there are camera to world with OpenGL axes: x right, y up, z backward, so two columns change sign. The principal
point uses the same pixel centers: nerfstudio casts rays through pixel index + 0.5.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..failure import StageFailure
from ..scene import CAMERA_MODELS, Camera, Scene
from .ply import read_ply, write_ply

OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")


def write_nerfstudio(scene: Scene, path: str | Path) -> None:
    """Write the photos of a scene as ``transforms.json``, and its points, if any, as a PLY file beside it.

    ``file_path`` is the name of the photo, relative to the folder of the file. Observations are lost. Camera models
    keep COLMAP's names, all of which nerfstudio supports.
    """
    path = Path(path)
    transforms = np.tile(np.eye(4), (len(scene.names), 1, 1))
    transforms[:, :3, :3] = np.swapaxes(scene.rotations, 1, 2) @ OPENGL_FROM_OPENCV
    transforms[:, :3, 3] = scene.centers
    shared = len(scene.cameras) == 1
    content: dict[str, Any] = _intrinsics(scene.cameras[0]) if shared else {}
    content["frames"] = [
        {"file_path": name, **({} if shared else _intrinsics(scene.camera(photo))), "transform_matrix": matrix}
        for photo, (name, matrix) in enumerate(zip(scene.names, transforms.tolist(), strict=True))
    ]
    if len(scene.points):
        cloud = path.with_name(f"{path.stem}.ply")
        write_ply(cloud, scene.points, scene.colors)
        content["ply_file_path"] = cloud.name
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")


def read_nerfstudio(path: str | Path) -> Scene:
    """Read the frames of a ``transforms.json``, and the points of the PLY file that it names.

    Intrinsics may be global or per frame, or ``camera_angle_x``; equal ones share a camera, marked ``calibrated``. An
    ``applied_transform`` is not undone, as the points share it. There are no observations.

    Raises:
        StageFailure: ``damaged-transforms`` if the file cannot be parsed, ``camera-model`` for a model or a distortion
            that is not among :data:`~diptych.stages.scene.CAMERA_MODELS`.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text("utf-8"))
        frames = content["frames"]
        stated = [_camera({**content, **frame}) for frame in frames]
        cameras = tuple(dict.fromkeys(stated))
        matrices = np.array([frame["transform_matrix"][:3] for frame in frames], np.float64).reshape(-1, 3, 4)
        rotations = np.swapaxes(matrices[:, :, :3] @ OPENGL_FROM_OPENCV, 1, 2)
        names = tuple(str(frame["file_path"]).removeprefix("./") for frame in frames)
    except (ValueError, KeyError, TypeError) as error:
        raise StageFailure(
            "damaged-transforms", "The transforms.json cannot be read.", file=str(path), reason=repr(error)
        ) from error
    points, colors = _cloud(path.parent, content.get("ply_file_path"))
    return Scene(
        cameras=cameras,
        names=names,
        camera_of=np.array([cameras.index(camera) for camera in stated]),
        rotations=rotations,
        translations=-np.einsum("nij,nj->ni", rotations, matrices[:, :, 3]),
        points=points,
        colors=colors,
        errors=np.full(len(points), np.nan),
        obs_photo=np.empty(0),
        obs_point=np.empty(0),
        obs_xy=np.empty((0, 2)),
        obs_keypoint=np.empty(0),
    )


def _intrinsics(camera: Camera) -> dict[str, Any]:
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    named = dict(zip(CAMERA_MODELS[camera.model], camera.params, strict=True))
    if "k" in named:
        named["k1"] = named.pop("k")
    size = {"camera_model": camera.model, "w": camera.width, "h": camera.height}
    pinhole = {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy}
    return size | pinhole | {name: named[name] for name in DISTORTION if name in named}


def _camera(stated: dict[str, Any]) -> Camera:
    width, height = int(stated["w"]), int(stated["h"])
    fx = stated.get("fl_x") or 0.5 * width / math.tan(0.5 * stated["camera_angle_x"])
    fy = stated.get("fl_y", fx)
    distortion = {name: float(stated[name]) for name in DISTORTION if stated.get(name)}
    model = stated.get("camera_model", "OPENCV" if distortion else "PINHOLE")
    names = CAMERA_MODELS.get(model, ())
    values = {"f": fx, "fx": fx, "fy": fy, "cx": stated.get("cx", width / 2), "cy": stated.get("cy", height / 2)}
    values |= {"k": distortion.get("k1", 0.0), **dict.fromkeys(DISTORTION, 0.0), **distortion}
    lost = set(distortion) - set(names) - ({"k1"} if "k" in names else set())
    if not names or lost or ("f" in names and fx != fy):
        raise StageFailure(
            "camera-model",
            f"The intrinsics in transforms.json do not fit one of Diptych's camera models: {model}"
            + (f" with {', '.join(sorted(lost))}." if lost else "."),
            hint=f"Undistort the photos, or use one of {', '.join(CAMERA_MODELS)}.",
        )
    return Camera(model, width, height, tuple(values[name] for name in names), "calibrated")


def _cloud(folder: Path, name: str | None) -> tuple[np.ndarray, np.ndarray]:
    if name is None or not (folder / name).is_file():
        return np.empty((0, 3)), np.empty((0, 3))
    cloud = read_ply(folder / name)
    return cloud.points, np.zeros((len(cloud.points), 3)) if cloud.colors is None else cloud.colors
