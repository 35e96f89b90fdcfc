"""PLY files: our own, and those of other programs written by hand."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.ply import read_ply, write_ply, write_scene_ply
from diptych.stages.scene import Camera, Scene
from hypothesis import given, settings
from hypothesis import strategies as st


@given(
    data=st.data(),
    count=st.integers(0, 7),
    single=st.booleans(),
    parts=st.sets(st.sampled_from(["colors", "normals", "faces"])),
)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int, single: bool, parts: set[str]
) -> None:
    real = np.float32 if single else np.float64
    given: dict[str, Any] = {
        "points": data.draw(arrays.arrays(real, (count, 3))),
        "normals": data.draw(arrays.arrays(real, (count, 3))),
        "colors": data.draw(arrays.arrays(np.uint8, (count, 3))),
        "faces": data.draw(arrays.arrays(np.int32, (count, 3))),
    }
    given = {name: array for name, array in given.items() if name in parts or name == "points"}
    path = tmp_path_factory.getbasetemp() / "any.ply"
    write_ply(path, **given)
    again = read_ply(path)
    for name in ("points", "normals", "colors", "faces"):
        array = getattr(again, name)
        if name in given:
            assert array.dtype == given[name].dtype
            np.testing.assert_array_equal(array, given[name])
        else:
            assert array is None


def test_ascii_with_other_elements_and_properties(tmp_path: Path) -> None:
    path = tmp_path / "mesh.ply"
    path.write_text(
        "ply\nformat ascii 1.0\ncomment by hand\nelement camera 1\nproperty float f\nelement vertex 4\n"
        "property float quality\nproperty double x\nproperty double y\nproperty double z\nproperty float red\n"
        "property float green\nproperty float blue\nelement face 1\nproperty list uchar int vertex_index\n"
        "property uchar flag\nend_header\n35\n"
        "0 0 0 0 1 0 0\n0 1 0 0 0 1 0\n0 1 1 0 0 0 1\n0 0 1 0.5 1 1 1\n4 0 1 2 3 9\n"
    )
    ply = read_ply(path)
    np.testing.assert_array_equal(ply.points, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]])
    np.testing.assert_array_equal(ply.colors, [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
    np.testing.assert_array_equal(ply.faces, [[0, 1, 2], [0, 2, 3]])
    assert ply.normals is None


def test_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "big.ply"
    header = "ply\nformat binary_big_endian 1.0\nelement vertex 2\n"
    header += "".join(f"property float32 {axis}\n" for axis in "xyz") + "end_header\n"
    path.write_bytes(header.encode() + struct.pack(">6f", 1, 2, 3, 4, 5, 6.5))
    points = read_ply(path).points
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, [[1, 2, 3], [4, 5, 6.5]])


def test_mixed_polygons_and_damaged_files_are_said(tmp_path: Path) -> None:
    path = tmp_path / "bad.ply"
    write_ply(path, np.zeros((5, 3)), faces=np.array([[0, 1, 2], [2, 3, 4]]))
    whole = path.read_bytes()
    mixed = whole[:-13] + b"\x02" + whole[-12:]
    for content, code in (
        (mixed, "mixed-polygons"),
        (whole[:-40], "damaged-ply"),
        (b"", "damaged-ply"),
        (b"solid\nend_header\n", "damaged-ply"),
        (whole.replace(b" x\n", b" u\n"), "damaged-ply"),
    ):
        path.write_bytes(content)
        with pytest.raises(StageFailure) as caught:
            read_ply(path)
        assert caught.value.code == code


def test_a_camera_is_drawn_as_a_pyramid_along_its_view(tmp_path: Path) -> None:
    empty = np.empty(0)
    looking_up = np.array([[[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]])
    scene = Scene(
        cameras=(Camera("PINHOLE", 40, 20, (10.0, 10.0, 20.0, 10.0)),),
        names=("a",),
        camera_of=np.zeros(1),
        rotations=looking_up,
        translations=-looking_up[:, :, 2] * 3.0,
        points=np.array([[0.0, 0.0, 0.0], [10.0, 10.0, 10.0]]),
        colors=np.full((2, 3), 7),
        errors=np.zeros(2),
        obs_photo=empty,
        obs_point=empty,
        obs_xy=empty,
        obs_keypoint=empty,
    )
    write_scene_ply(scene, tmp_path / "scene.ply", cameras=True)
    ply = read_ply(tmp_path / "scene.ply")
    assert ply.colors is not None and ply.faces is not None
    np.testing.assert_array_equal(ply.points[:2], scene.points)
    np.testing.assert_allclose(ply.points[2], [0, 0, 3])
    base = ply.points[3:] - ply.points[2]
    np.testing.assert_allclose(base[:, 1], base[0, 1])
    assert base[0, 1] > 0
    np.testing.assert_allclose(np.ptp(base, axis=0), [4 * base[0, 1], 0, 2 * base[0, 1]], atol=1e-12)
    assert ply.faces.min() == 2 and ply.faces.max() == len(ply.points) - 1
    # Seen from outside every triangle turns the same way: the volume they enclose is that of the pyramid.
    a, b, c = (ply.points[ply.faces[:, corner]] for corner in range(3))
    volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
    assert abs(volume) == pytest.approx(8 * base[0, 1] ** 3 / 3)
    write_scene_ply(scene, tmp_path / "scene.ply")
    assert len(read_ply(tmp_path / "scene.ply").points) == 2
