"""transforms.json files as others write them; round trips are in test_round_trips."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.nerfstudio import read_nerfstudio, write_nerfstudio
from diptych.stages.formats.ply import write_ply
from diptych.stages.geometry.projection import project

LOOKING_ALONG_X = [[0, 0, -1, 2], [-1, 0, 0, 3], [0, 1, 0, 4], [0, 0, 0, 1]]
INTRINSICS = {"w": 80, "h": 60, "fl_x": 50.0, "fl_y": 51.0, "cx": 41.0, "cy": 29.0}


def written(folder: Path, **content: Any) -> Path:
    path = folder / "transforms.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def frame(name: str = "./images/a 1.png", **intrinsics: Any) -> dict[str, Any]:
    return {"file_path": name, "transform_matrix": LOOKING_ALONG_X, **intrinsics}


def test_axes_and_pixels(tmp_path: Path) -> None:
    """A camera at (2, 3, 4) that looks along +x with +z up sees left what lies at larger y."""
    write_ply(tmp_path / "cloud.ply", np.array([[12.0, 3.0, 4.0]]), np.array([[1, 2, 3]]))
    scene = read_nerfstudio(written(tmp_path, **INTRINSICS, frames=[frame()], ply_file_path="cloud.ply"))
    assert scene.names == ("images/a 1.png",)
    np.testing.assert_allclose(scene.centers, [[2, 3, 4]])
    points = np.array([[12.0, 3.0, 4.0], [12.0, 5.0, 4.0], [12.0, 3.0, 6.0]])
    xy = project(scene.cameras[0], points @ scene.rotations[0].T + scene.translations[0])
    np.testing.assert_allclose(xy, [[41.0, 29.0], [31.0, 29.0], [41.0, 18.8]])
    np.testing.assert_array_equal(scene.points, [[12, 3, 4]])
    np.testing.assert_array_equal(scene.colors, [[1, 2, 3]])


def test_intrinsics_once_or_per_frame_and_every_model(tmp_path: Path) -> None:
    frames = [
        frame("a", k1=0.1, p2=0.2),
        frame("b", camera_model="OPENCV_FISHEYE", k4=0.01, w=100),
        frame("c"),
        frame("d", camera_model="SIMPLE_RADIAL", fl_y=50.0, k1=-0.1),
        frame("e", k1=0.1, p2=0.2),
    ]
    scene = read_nerfstudio(written(tmp_path, **INTRINSICS, frames=frames))
    models = [scene.camera(photo).model for photo in range(5)]
    assert models == ["OPENCV", "OPENCV_FISHEYE", "PINHOLE", "SIMPLE_RADIAL", "OPENCV"]
    assert len(scene.cameras) == 4
    assert scene.camera(0).params == (50.0, 51.0, 41.0, 29.0, 0.1, 0.0, 0.0, 0.2)
    assert scene.camera(1).params == (50.0, 51.0, 41.0, 29.0, 0.0, 0.0, 0.0, 0.01)
    assert scene.camera(1).width == 100
    assert scene.camera(3).params == (50.0, 41.0, 29.0, -0.1)


def test_a_field_of_view_instead_of_a_focal_length(tmp_path: Path) -> None:
    scene = read_nerfstudio(written(tmp_path, w=80, h=60, camera_angle_x=math.pi / 2, frames=[frame()]))
    np.testing.assert_allclose(scene.cameras[0].params, (40.0, 40.0, 40.0, 30.0))


def test_one_camera_is_stated_once(tmp_path: Path) -> None:
    scene = read_nerfstudio(written(tmp_path, **INTRINSICS, frames=[frame("ф.jpg"), frame("b.jpg")]))
    write_nerfstudio(scene, tmp_path / "again.json")
    content = json.loads((tmp_path / "again.json").read_text("utf-8"))
    assert {name: content[name] for name in INTRINSICS} == INTRINSICS
    assert content["camera_model"] == "PINHOLE"
    assert list(content["frames"][0]) == ["file_path", "transform_matrix"]
    np.testing.assert_allclose(content["frames"][0]["transform_matrix"], LOOKING_ALONG_X, atol=1e-15)
    assert "ply_file_path" not in content


@pytest.mark.parametrize(
    ("intrinsics", "code"),
    [
        ({"camera_model": "EQUIRECTANGULAR"}, "camera-model"),
        ({"camera_model": "OPENCV", "k3": 0.1}, "camera-model"),
        ({"camera_model": "SIMPLE_PINHOLE"}, "camera-model"),
        ({"camera_model": "PINHOLE", "k1": 0.1}, "camera-model"),
        ({"w": None}, "damaged-transforms"),
        ({"transform_matrix": [[1, 2], [3, 4]]}, "damaged-transforms"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, intrinsics: dict[str, Any], code: str) -> None:
    with pytest.raises(StageFailure) as caught:
        read_nerfstudio(written(tmp_path, **INTRINSICS, frames=[frame(**intrinsics)]))
    assert caught.value.code == code


def test_other_json_is_said(tmp_path: Path) -> None:
    for content in ("", "[]", "{}", '{"frames": 3}'):
        path = tmp_path / "transforms.json"
        path.write_text(content)
        with pytest.raises(StageFailure) as caught:
            read_nerfstudio(path)
        assert caught.value.code == "damaged-transforms"
