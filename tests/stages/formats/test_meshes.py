"""Clouds and meshes in the files of other programs: back again the same, and read the same by another reader."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from diptych.stages.dense import Cloud, Mesh
from diptych.stages.failure import StageFailure
from diptych.stages.formats.gltf import read_glb, write_glb
from diptych.stages.formats.obj import read_obj, write_obj
from diptych.stages.formats.ply import read_cloud_ply, read_mesh_ply, read_ply, write_cloud_ply, write_mesh_ply
from diptych.stages.peers.open3d import open3d
from hypothesis import given, settings
from hypothesis import strategies as st

REAL = st.floats(-1e6, 1e6, width=32)


@st.composite
def meshes(draw: Any, textured: bool | None = None) -> Mesh:
    count, faces = draw(st.integers(3, 8)), draw(st.integers(1, 6))
    corners = st.permutations(range(count)).map(lambda order: order[:3])
    mesh = Mesh(
        vertices=draw(arrays.arrays(np.float32, (count, 3), elements=REAL)),
        triangles=np.array([draw(corners) for _ in range(faces)]),
        normals=draw(arrays.arrays(np.float32, (count, 3), elements=st.floats(-1, 1, width=32))),
        colors=draw(arrays.arrays(np.uint8, (count, 3))),
    )
    if not (draw(st.booleans()) if textured is None else textured):
        return mesh
    return dataclasses.replace(
        mesh,
        uv=draw(arrays.arrays(np.float32, (faces, 3, 2), elements=st.floats(0, 1, width=32))),
        texture=draw(arrays.arrays(np.uint8, (4, 5, 3))),
    )


def two_triangles() -> Mesh:
    """A square of 2 by 1 that faces -z, towards a camera at the origin, red above and blue below (y points down)."""
    return Mesh(
        vertices=np.array([[0, 0, 5], [2, 0, 5], [2, 1, 5], [0, 1, 5]]),
        triangles=np.array([[0, 2, 1], [0, 3, 2]]),
        normals=np.broadcast_to([0, 0, -1], (4, 3)),
        colors=np.array([[255, 0, 0], [255, 0, 0], [0, 40, 255], [0, 40, 255]]),
    )


def painted() -> Mesh:
    """The same with a texture of two by two, a seam along the diagonal."""
    uv = np.array([[[0, 0], [1, 1], [1, 0]], [[0, 0.5], [0, 1], [1, 1]]])
    texture = np.arange(12).reshape(2, 2, 3) * 20
    return dataclasses.replace(two_triangles(), uv=uv, texture=texture)


def same(mesh: Mesh, again: Mesh, *names: str) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(again, name), getattr(mesh, name), err_msg=name)


@given(data=st.data(), count=st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_cloud_as_ply(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int) -> None:
    cloud = Cloud(
        points=data.draw(arrays.arrays(np.float32, (count, 3))),
        normals=data.draw(arrays.arrays(np.float32, (count, 3))),
        colors=data.draw(arrays.arrays(np.uint8, (count, 3))),
        views=data.draw(arrays.arrays(np.uint16, count)),
        spread=data.draw(arrays.arrays(np.float32, count)),
    )
    path = tmp_path_factory.getbasetemp() / "cloud.ply"
    write_cloud_ply(cloud, path)
    again = read_cloud_ply(path)
    for field in dataclasses.fields(cloud):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(cloud, field.name), err_msg=field.name)


def test_cloud_of_bare_points(tmp_path: Path) -> None:
    path = tmp_path / "bare.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
        "property double quality\nend_header\n1 2 3 0.5\n"
    )
    cloud = read_cloud_ply(path)
    np.testing.assert_array_equal(cloud.points, [[1, 2, 3]])
    assert not cloud.normals.any() and not cloud.views.any() and (cloud.colors == 255).all()
    assert dict(read_ply(path).scalars) == {"quality": [0.5]}


@given(mesh=meshes())
@settings(max_examples=40, deadline=None)
def test_mesh_as_ply(tmp_path_factory: pytest.TempPathFactory, mesh: Mesh) -> None:
    path = tmp_path_factory.getbasetemp() / "mesh.ply"
    write_mesh_ply(mesh, path)
    again = read_mesh_ply(path)
    same(mesh, again, "vertices", "triangles", "normals", "colors")
    assert not again.is_textured


@given(mesh=meshes())
@settings(max_examples=40, deadline=None)
def test_mesh_as_obj(tmp_path_factory: pytest.TempPathFactory, mesh: Mesh) -> None:
    path = tmp_path_factory.getbasetemp() / "mesh.obj"
    write_obj(mesh, path)
    again = read_obj(path)
    same(mesh, again, "vertices", "triangles", "colors", "texture")
    # v turns over, so only what matters at the size of a texture comes back of a tiny one.
    np.testing.assert_allclose(again.uv, mesh.uv, atol=1e-12)
    # A vertex in no triangle has no normal in an OBJ file.
    used = np.unique(mesh.triangles)
    np.testing.assert_array_equal(again.normals[used], mesh.normals[used])


@given(mesh=meshes(textured=False))
@settings(max_examples=40, deadline=None)
def test_mesh_as_glb(tmp_path_factory: pytest.TempPathFactory, mesh: Mesh) -> None:
    path = tmp_path_factory.getbasetemp() / "mesh.glb"
    write_glb(mesh, path)
    same(mesh, read_glb(path), "vertices", "triangles", "normals", "colors")


@given(mesh=meshes(textured=True))
@settings(max_examples=40, deadline=None)
def test_textured_mesh_as_glb(tmp_path_factory: pytest.TempPathFactory, mesh: Mesh) -> None:
    path = tmp_path_factory.getbasetemp() / "textured.glb"
    write_glb(mesh, path)
    again = read_glb(path)
    same(mesh, again, "uv", "texture")
    # Vertices along seams are there several times, but every corner is where it was.
    np.testing.assert_array_equal(again.vertices[again.triangles], mesh.vertices[mesh.triangles])
    np.testing.assert_array_equal(again.normals[again.triangles], mesh.normals[mesh.triangles])


def test_glb_keeps_to_the_specification(tmp_path: Path) -> None:
    for mesh in (two_triangles(), painted()):
        path = tmp_path / "mesh.glb"
        write_glb(mesh, path)
        content = path.read_bytes()
        magic, version, total, length, kind = struct.unpack_from("<4s4I", content)
        assert (magic, version, total, kind) == (b"glTF", 2, len(content), 0x4E4F534A)
        document = json.loads(content[20 : 20 + length])
        size, kind = struct.unpack_from("<2I", content, 20 + length)
        assert kind == 0x004E4942 and 28 + length + size == total
        assert total % 4 == length % 4 == size % 4 == 0
        assert document["asset"]["version"] == "2.0"
        assert document["buffers"][0]["byteLength"] <= size < document["buffers"][0]["byteLength"] + 4
        widths, sizes = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}, {5123: 2, 5125: 4, 5126: 4}
        for accessor in document["accessors"]:
            view = document["bufferViews"][accessor["bufferView"]]
            row = widths[accessor["type"]] * sizes[accessor["componentType"]]
            assert view["byteOffset"] % 4 == row % 4 == 0
            assert view["byteLength"] == accessor["count"] * row
            assert view["byteOffset"] + view["byteLength"] <= document["buffers"][0]["byteLength"]
        primitive = document["meshes"][0]["primitives"][0]
        position = document["accessors"][primitive["attributes"]["POSITION"]]
        # y up and z towards the viewer.
        assert position["min"] == [0, -1, -5] and position["max"] == [2, 0, -5]
        counts = {document["accessors"][index]["count"] for index in primitive["attributes"].values()}
        assert counts == {5 if mesh.is_textured else 4}
        assert ("COLOR_0" in primitive["attributes"]) != mesh.is_textured


def test_another_reader_reads_the_same(tmp_path: Path) -> None:
    mesh = two_triangles()
    for name, write in (("m.ply", write_mesh_ply), ("m.obj", write_obj), ("m.glb", write_glb)):
        write(mesh, tmp_path / name)
        read = open3d.io.read_triangle_mesh(str(tmp_path / name))
        turn = [1, -1, -1] if name == "m.glb" else [1, 1, 1]
        vertices, triangles = np.asarray(read.vertices) * turn, np.asarray(read.triangles)
        corners = mesh.vertices[mesh.triangles]
        np.testing.assert_allclose(vertices[triangles], corners, atol=1e-6, err_msg=name)
        colors = np.asarray(read.vertex_colors)[triangles]
        expected = mesh.colors[mesh.triangles] / 255
        if name == "m.glb":  # linear there
            expected = np.where(expected <= 0.04045, expected / 12.92, ((expected + 0.055) / 1.055) ** 2.4)
        np.testing.assert_allclose(colors, expected, atol=0.004, err_msg=name)


def test_another_reader_sees_the_texture(tmp_path: Path) -> None:
    mesh = painted()
    for name, write in (("t.obj", write_obj), ("t.glb", write_glb)):
        write(mesh, tmp_path / name)
        read = open3d.io.read_triangle_model(str(tmp_path / name))
        np.testing.assert_array_equal(np.asarray(read.materials[0].albedo_img), mesh.texture, err_msg=name)
        # Whatever the format, this reader counts v from the bottom.
        uv = np.asarray(read.meshes[0].mesh.triangle_uvs).reshape(-1, 3, 2)
        np.testing.assert_allclose(uv, [0, 1] + mesh.uv * [1, -1], atol=1e-6, err_msg=name)


def test_another_reader_reads_the_cloud(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cloud = Cloud(
        rng.normal(size=(9, 3)), rng.normal(size=(9, 3)), rng.integers(0, 255, (9, 3)), np.full(9, 3), rng.random(9)
    )
    write_cloud_ply(cloud, tmp_path / "c.ply")
    read = open3d.t.io.read_point_cloud(str(tmp_path / "c.ply")).point
    np.testing.assert_array_equal(read.positions.numpy(), cloud.points)
    np.testing.assert_array_equal(read.normals.numpy(), cloud.normals)
    np.testing.assert_array_equal(read.colors.numpy(), cloud.colors)
    np.testing.assert_array_equal(read.spread.numpy()[:, 0], cloud.spread)


def test_damaged_files_are_said(tmp_path: Path) -> None:
    glb, obj = tmp_path / "m.glb", tmp_path / "m.obj"
    write_glb(two_triangles(), glb)
    whole = glb.read_bytes()
    for content in (whole[:-20], whole[:60], b"", b"glTF" + bytes(40), whole.replace(b'"POSITION"', b'"POSITIVE"')):
        glb.write_bytes(content)
        with pytest.raises(StageFailure) as failure:
            read_glb(glb)
        assert failure.value.code == "damaged-glb"
    for text in ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "v 0 0\n", "v 0 0 0\nf 1 1 1 1\n", "v a b c\n"):
        obj.write_text(text)
        with pytest.raises(StageFailure) as failure:
            read_obj(obj)
        assert failure.value.code == "damaged-obj"
    nothing = np.zeros((3, 3))
    empty = Mesh(nothing, np.zeros((0, 3)), nothing, nothing)
    with pytest.raises(StageFailure) as failure:
        write_glb(empty, glb)
    assert failure.value.code == "empty-mesh"
