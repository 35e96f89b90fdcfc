"""What the command line says of the dense half, and what it exports."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
from diptych.stages.formats.colmap import read_colmap, write_colmap
from diptych.stages.formats.colmap_dense import read_colmap_map
from diptych.stages.formats.depth import write_depth
from diptych.stages.formats.ply import read_ply
from diptych.stages.scene import Camera
from toys import paint

from tests.pipeline.test_cli import TOY, diptych

DENSE = TOY + "".join(
    f'[{slot}]\nuse = "tests.pipeline.dense:{stage}"\n'
    for slot, stage in (("views", "Flashlight"), ("depths", "Wall"), ("cloud", "Ball"), ("mesh", "Hull"))
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "dense.toml").write_text(DENSE)
    return tmp_path / "dense.toml"


@pytest.fixture
def finished(photos: Path, recipe: Path, tmp_path: Path) -> Path:
    diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    return tmp_path / "out"


def test_run_says_what_lies_where_and_which_views_have_no_depth(photos: Path, recipe: Path, tmp_path: Path) -> None:
    # The photos have a brightness of about 41, 81, 121 and 161.
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    assert "  2 of 4 views have no depth map:\n    a.png, b.png: is too dark\n" in said
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "out").glob("*.ply")}
    assert f"  840 points in cloud.ply, {sizes['cloud.ply'] / 1e3:.1f} kB\n" in said
    assert f"  1,600 triangles in mesh.ply, {sizes['mesh.ply'] / 1e3:.1f} kB\n" in said
    assert "sparse, depths, points.ply, cloud.ply, mesh.ply, report.html, run.json" in said
    again = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--set", "views.least=0")
    assert "  4 depth maps\n" in again and "no depth map" not in again


def test_many_views_without_depth_are_counted(photos: Path, recipe: Path, tmp_path: Path) -> None:
    for i in range(6):
        paint(photos / f"dark {i}.png", 20 + i)
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    assert "  8 of 10 views have no depth map:\n" in said
    assert re.search(r"^    a\.png, b\.png, dark 0\.png, dark 1\.png, dark 2\.png and 3 more: is too dark$", said, re.M)


def test_run_until_sparse_says_nothing_of_it(photos: Path, recipe: Path, tmp_path: Path) -> None:
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--until", "sparse")
    assert "depth map" not in said and "cloud" not in said and "sparse, points.ply, report.html, run.json" in said


def test_export_writes_cloud_mesh_and_dense_folder(finished: Path, tmp_path: Path) -> None:
    diptych("export", finished, "--to", "cloud", tmp_path / "c.ply")
    assert len(read_ply(tmp_path / "c.ply").points) == 840
    diptych("export", finished, "--to", "mesh", tmp_path / "m.ply")
    faces = read_ply(tmp_path / "m.ply").faces
    assert faces is not None and len(faces) == 1600
    diptych("export", finished, "--to", "colmap-dense", tmp_path / "dense")
    assert (read_colmap_map(tmp_path / "dense/stereo/depth_maps/c.png.geometric.bin") == 4).all()


def test_export_of_a_mesh_that_was_not_made_is_one_sentence(photos: Path, recipe: Path, tmp_path: Path) -> None:
    diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--until", "depths")
    said = diptych("export", tmp_path / "out", "--to", "mesh", tmp_path / "m.ply", status=2)
    assert "gave no 'mesh'" in said and "hint: " in said


def test_evaluate_scores_depth_maps_cloud_and_mesh(finished: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    diptych("export", finished, "--to", "colmap", truth / "sparse")
    assert "true depth" not in diptych("evaluate", finished, "--truth", truth)

    model = read_colmap(truth / "sparse")
    pinhole = Camera("PINHOLE", 32, 24, (30.0, 30.0, 16.0, 12.0))
    write_colmap(replace(model, cameras=(pinhole,), camera_of=np.zeros(4)), truth, binary=False)
    (truth / "depth").mkdir()
    for name, depth in zip(model.names, (4.0, 4.0, 4.0, 4.03), strict=True):
        write_depth(truth / "depth" / f"{Path(name).stem}.png", np.full((24, 32), depth))
    diptych("export", finished, "--to", "mesh", truth / "mesh.ply")

    # The toys' walls are 4 units off, so the last is wrong by 0.74 %; the first two are too dark to have a depth map.
    said = diptych("evaluate", finished, "--truth", truth)
    assert re.search(r"^registered photos +4 of 4$", said, re.M)
    assert re.search(r"^true depth +3072 pixels, 50.0 % of them with a depth$", said, re.M)
    shares = "25.0 % at 0.25 %, 25.0 % at 0.5 %, 50.0 % at 1 %, 50.0 % at 2 %"
    assert re.search(rf"^depth within, of all true pixels +{shares}$", said, re.M)
    assert re.search(r"^cloud: accuracy +100.0 % at 0.01, ", said, re.M) and "\nmesh: F-score" in said
    numbers = dp.evaluate_dense(finished, truth=truth).as_dict()
    assert numbers["within_1_percent"] == 0.5 and numbers["mesh_accuracy_0"] == 1
