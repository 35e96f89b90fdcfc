"""What lies in OUT after a run, and what is written for other programs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.results.outputs import clear_outputs, export_result, write_outputs
from diptych.pipeline.results.record import file_digest
from diptych.pipeline.results.values import Dense
from diptych.stages.failure import StageFailure
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.formats.colmap_dense import read_colmap_map
from diptych.stages.formats.depth import read_depth
from diptych.stages.formats.gltf import read_glb
from diptych.stages.formats.obj import read_obj
from diptych.stages.formats.ply import read_cloud_ply, read_mesh_ply, read_ply
from diptych.stages.scene import Sparse
from toys import tree

from tests.pipeline.dense import dense_half, one_by_one
from tests.pipeline.pages import model

NAMES = ("a.jpg", "left/b.jpg", "left/b.png", "写 真.jpg")
SPARSE = Sparse((model(NAMES), model(NAMES[:2], points=40, seed=1)))


@pytest.fixture
def half() -> Dense:
    return dense_half(SPARSE.scene, "left/b.jpg")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    clear_outputs(tmp_path / "out")
    return tmp_path / "out"


def test_depth_maps_lie_under_their_names_with_their_cameras(out: Path, half: Dense) -> None:
    write_outputs(out, SPARSE, half)
    depths = {name for name in tree(out / "depths") if name.endswith(".png")}
    assert depths == {"a.jpg.png", "left/b.png.png", "写 真.jpg.png"}
    for name in ("a.jpg", "left/b.png"):
        written, true = read_depth(out / "depths" / f"{name}.png"), half.depths[name].depth
        np.testing.assert_array_equal(written == 0, true == 0)
        np.testing.assert_allclose(written, true, rtol=1e-4)
    poses = read_colmap(out / "depths")
    assert poses.names == ("a.jpg", "left/b.png", "写 真.jpg") and not len(poses.points)
    view = half.views["left/b.png"]
    assert poses.camera(1).params == view.camera.params and poses.camera(1).model == "PINHOLE"
    np.testing.assert_allclose(poses.rotations[1], view.rotation, atol=1e-12)


def test_cloud_and_mesh_keep_positions_normals_and_colors(out: Path, half: Dense) -> None:
    write_outputs(out, SPARSE, half)
    assert half.cloud and half.mesh
    cloud, mesh = read_ply(out / "cloud.ply"), read_ply(out / "mesh.ply")
    for read, points, normals, colors in (
        (cloud, half.cloud.points, half.cloud.normals, half.cloud.colors),
        (mesh, half.mesh.vertices, half.mesh.normals, half.mesh.colors),
    ):
        np.testing.assert_array_equal(read.points, points)
        np.testing.assert_array_equal(read.normals, normals)
        np.testing.assert_array_equal(read.colors, colors)
    np.testing.assert_array_equal(mesh.faces, half.mesh.triangles)


def test_every_file_has_its_digest_and_threads_change_none(out: Path, half: Dense, tmp_path: Path) -> None:
    one = write_outputs(out, SPARSE, half)
    lying = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {".diptych"}
    assert set(one) == lying and all(file_digest(out / name) == digest for name, digest in one.items())
    assert {name.partition("/")[0] for name in one} == {"sparse", "depths", "points.ply", "cloud.ply", "mesh.ply"}
    again = tmp_path / "again"
    again.mkdir()
    assert write_outputs(again, SPARSE, half, threads=4) == one


def test_views_and_depth_maps_are_read_one_at_a_time(out: Path, half: Dense, tmp_path: Path) -> None:
    write_outputs(out, SPARSE, one_by_one(half))
    export_result(SPARSE, one_by_one(half), "colmap-dense", tmp_path / "dense")
    assert len(list(tmp_path.rglob("*.geometric.bin"))) == 6


def test_only_what_there_is_gets_written(out: Path, half: Dense) -> None:
    write_outputs(out, SPARSE, dataclasses.replace(half, depths={}, cloud=None, mesh=None))
    assert {path.name for path in out.iterdir()} == {".diptych", "sparse", "points.ply"}


def test_a_run_in_which_no_view_has_depth_writes_no_folder(out: Path, half: Dense) -> None:
    only = {"left/b.jpg": half.depths["left/b.jpg"]}
    write_outputs(out, SPARSE, dataclasses.replace(half, depths=only))
    assert not (out / "depths").exists()


def test_nothing_of_an_earlier_run_stays(out: Path, half: Dense) -> None:
    write_outputs(out, SPARSE, half)
    clear_outputs(out)
    assert {path.name for path in out.iterdir()} == {".diptych"}


@pytest.mark.parametrize("name", ["depths", "cloud.ply", "mesh.ply", "mesh.glb"])
def test_what_others_put_there_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"years of work")
    with pytest.raises(StageFailure, match=f"already holds {name}") as caught:
        clear_outputs(tmp_path)
    assert caught.value.code == "foreign-output" and (tmp_path / name).read_bytes() == b"years of work"


def test_a_run_leaves_it_and_states_it(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=dense, progress=False)
    names = {name for name in result.record["outputs"] if not name.startswith("sparse/")}
    maps = {f"depths/{name}.png" for name in result.scene.names}
    texts = {f"depths/{stem}.txt" for stem in ("cameras", "images", "points3D")}
    assert names == {"points.ply", "cloud.ply", "mesh.ply"} | maps | texts
    name = result.scene.names[-1]
    np.testing.assert_allclose(
        read_depth(tmp_path / "out" / "depths" / f"{name}.png"), result.depths[name].depth, rtol=1e-4
    )
    dp.run(photos, out=tmp_path / "out", recipe=dense, until="sparse", progress=False)
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {".diptych", "store", "sparse", "points.ply", "run.json", "report.html"}


def test_export_gives_the_dense_folder_the_cloud_and_the_mesh(tmp_path: Path, half: Dense) -> None:
    assert half.cloud and half.mesh
    export_result(SPARSE, half, "colmap-dense", tmp_path / "dense")
    assert read_colmap(tmp_path / "dense" / "sparse").names == ("a.jpg", "left/b.png", "写 真.jpg")
    depth = read_colmap_map(tmp_path / "dense" / "stereo" / "depth_maps" / "a.jpg.geometric.bin")
    np.testing.assert_array_equal(depth, half.depths["a.jpg"].depth)
    export_result(SPARSE, half, "cloud", tmp_path / "c.ply")
    np.testing.assert_array_equal(read_cloud_ply(tmp_path / "c.ply").views, half.cloud.views)
    for name, read in (("m.ply", read_mesh_ply), ("m.OBJ", read_obj), ("m.glb", read_glb)):
        export_result(SPARSE, half, "mesh", tmp_path / "new" / name)
        mesh = read(tmp_path / "new" / name)
        assert len(mesh.triangles) == len(half.mesh.triangles)
        got, put = (each.vertices[each.triangles] for each in (mesh, half.mesh))
        np.testing.assert_allclose(got, put, atol=1e-5)


def test_a_textured_mesh_lies_there_with_its_texture(out: Path) -> None:
    half = dense_half(SPARSE.scene, "a.jpg", texture=True)
    assert "mesh.glb" in write_outputs(out, SPARSE, half)
    assert read_glb(out / "mesh.glb").is_textured


@pytest.mark.parametrize("name", ["mesh", "mesh.stl"])
def test_a_mesh_of_another_kind_is_refused_with_those_there_are(tmp_path: Path, half: Dense, name: str) -> None:
    with pytest.raises(StageFailure, match="cannot be written as") as caught:
        export_result(SPARSE, half, "mesh", tmp_path / name)
    assert ".ply, .obj, .glb" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, half: Dense) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StageFailure, match="cannot be written") as caught:
        export_result(SPARSE, half, "cloud", tmp_path / "file" / "c.ply")
    assert caught.value.code == "not-writable"


@pytest.mark.parametrize("kind", ["cloud", "mesh", "colmap-dense", "colmap"])
def test_export_of_what_the_run_did_not_make_says_so(tmp_path: Path, kind: str) -> None:
    with pytest.raises(StageFailure, match="gave no") as caught:
        export_result(SPARSE if kind == "colmap-dense" else None, Dense(), kind, tmp_path / "x.ply")
    assert caught.value.code == "no-result" and not (tmp_path / "x.ply").exists()


def test_an_unknown_format_gets_the_nearest_as_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match="unknown-format") as caught:
        export_result(SPARSE, Dense(), "messh", tmp_path / "x")
    assert "mesh" in caught.value.hint
