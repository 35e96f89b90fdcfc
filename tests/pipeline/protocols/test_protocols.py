"""The protocols: scenes found in their authors' layouts, errors that are known come out, and what fails is a row."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
import scipy.io
from diptych.pipeline.protocols.dtu import Dtu, Reference, distances
from diptych.pipeline.protocols.eth3d import Eth3d
from diptych.pipeline.protocols.middlebury import Middlebury, semi_global
from diptych.pipeline.protocols.protocol import (
    BenchOptions,
    Inputs,
    Protocol,
    calibration,
    photo_folder,
    with_true_poses,
)
from diptych.pipeline.protocols.registry import BENCHMARKS
from diptych.pipeline.protocols.rendered import Rendered
from diptych.pipeline.protocols.strecha import Strecha
from diptych.pipeline.protocols.subprocesses import run_in_process
from diptych.pipeline.protocols.table import Column, PublishedRow, Row, Table
from diptych.stages.dense import Cloud, DepthMap, View
from diptych.stages.evaluation.oracles import TruePoses
from diptych.stages.failure import StageFailure
from diptych.stages.formats.bal import write_bal
from diptych.stages.formats.colmap import write_colmap
from diptych.stages.formats.depth import write_depth
from diptych.stages.formats.ply import write_ply
from diptych.stages.scene import Camera, Photos, Scene, Sparse
from diptych.stages.stage import Stage
from PIL import Image

from tests.pipeline.test_cli import diptych

SIZE = 64, 48
CAMERA = Camera("PINHOLE", *SIZE, (60.0, 61.0, 32.5, 24.0), "calibrated")
CENTERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
NAMES = tuple(f"{i:04d}.png" for i in range(4))
WALL = 5.0
OFF = 0.004
"""How far the toy's cameras are off, along the diagonal of their square, outwards and inwards in turn."""


def scene(centers: np.ndarray, camera: Camera = CAMERA, names: tuple[str, ...] = NAMES) -> Scene:
    nothing = np.empty(0)
    return Scene(
        (camera,),
        names,
        np.zeros(len(names)),
        np.tile(np.eye(3), (len(names), 1, 1)),
        -centers,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )


class Placed(Stage):
    """The cameras of the scenes below, each off by OFF; needs the calibration that the protocol gives."""

    slot = "sparse"
    off: float = OFF
    fails_on: str = ""

    def run(self, photos: Photos) -> Sparse:
        if len(photos) != 4:
            raise StageFailure("toy", "These are not four photos.", hint="Take four.")
        camera = photos.cameras[0] if photos.cameras[0].focal == "calibrated" else CAMERA
        outwards = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]]) / np.sqrt(2)
        signs = np.array([1, -1, -1, 1])[:, None]
        return Sparse((scene(CENTERS + self.off * signs * outwards, camera, photos.names),))


class Facing(Stage):
    """A view of each photo without looking at it."""

    slot = "views"

    def run(self, name: str, sparse: Sparse) -> View:
        model = sparse.scene
        i = model.names.index(name)
        image = np.zeros((SIZE[1], SIZE[0], 3))
        everywhere = np.ones(image.shape[:2])
        return View(image, everywhere, model.camera(i), model.rotations[i], model.translations[i], 1.0, 9.0)


class NearlyWall(Stage):
    """The wall, 0.8 % too far in a quarter of the pixels and without an answer in another."""

    slot = "depths"

    def run(self, views: View) -> DepthMap:
        shape = views.mask.shape
        depth = np.full(shape, WALL)
        depth[: shape[0] // 2, : shape[1] // 2] *= 1.008
        depth[shape[0] // 2 :, : shape[1] // 2] = 0
        return DepthMap(depth, np.zeros((*shape, 3)), np.ones(shape), np.zeros(shape))


class Plane(Stage):
    """Points on the wall, all 3 cm behind it."""

    slot = "cloud"

    def run(self, depths: tuple[DepthMap, ...]) -> Cloud:
        x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-1.5, 2.5, 300), np.linspace(-1, 2, 225)))
        points = np.stack([x, y, np.full(x.shape, WALL + 0.03)], axis=1)
        n = len(points)
        return Cloud(points, np.tile([0, 0, -1.0], (n, 1)), np.zeros((n, 3)), np.full(n, 3), np.zeros(n))


SPARSE = '[sparse]\nuse = "tests.pipeline.protocols.test_protocols:Placed"\n'
TRACKS = "".join(
    f'[{slot}]\nuse = "toys:{stage}"\n'
    for slot, stage in (
        ("features", "Corners"),
        ("pairs", "EveryPair"),
        ("matches", "SameIndex"),
        ("two_views", "Drawn"),
        ("tracks", "OneTrackEach"),
    )
)
DENSE = SPARSE + "".join(
    f'[{slot}]\nuse = "tests.pipeline.protocols.test_protocols:{stage}"\n'
    for slot, stage in (("views", "Facing"), ("depths", "NearlyWall"), ("cloud", "Plane"))
)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe runs in a process of its own, which must find these tests."""
    root = str(Path(__file__).resolve().parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")])))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "toy.toml").write_text(DENSE)
    return tmp_path / "toy.toml"


def paint(folder: Path, *names: str, size: tuple[int, int] = SIZE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(np.full((size[1], size[0], 3), 20 * i, np.uint8)).save(folder / name)


def strecha(folder: Path, count: int = 4) -> None:
    paint(folder / "images", *NAMES[:count])
    (folder / "gt").mkdir()
    k = [60.0, 0, 32.5, 0, 61.0, 24.0, 0, 0, 1]
    for name, center in zip(NAMES[:count], CENTERS, strict=False):
        numbers = [*k, 0, 0, 0, *np.eye(3).ravel(), *center, *SIZE]
        (folder / "gt" / f"{name}.camera").write_text(" ".join(map(str, numbers)))


def test_strecha_gives_the_known_error_in_millimetres(tmp_path: Path, recipe: Path) -> None:
    strecha(tmp_path / "data" / "strecha_fountain-P11")
    said = []
    table = dp.bench("strecha", tmp_path / "data", recipes=[recipe], peer=False, out=tmp_path / "out", say=said.append)
    (row,) = table.rows
    assert said == [row] and not row.failure
    assert row.scene == "fountain-P11" and row.method == "toy"
    assert row.values["registered"] == row.values["photos"] == 4
    # The errors are a pure stretch of a square's diagonals, which no similarity takes away.
    assert 1000 * row.values["position_least_squares_mean"] == pytest.approx(1000 * OFF, rel=0.02)
    assert row.values["rotation_mean_deg"] < 1e-4
    assert row.values["peak_memory"] > 0
    head, lines = table.cells()
    assert head[:5] == ("scene", "method", "photos", "of", "position mm") and "error px" not in head
    assert lines[0][:5] == ("fountain-P11", "toy", "4", "4", f"{1000 * row.values['position_least_squares_mean']:.2f}")
    assert ("fountain-P11", "Bundler [1]", "·", "·", "7.00") in [line[:5] for line in lines]
    assert "ICCV 2013" in table.notes()[0]


def test_a_scene_that_fails_is_a_row_and_a_second_call_runs_nothing(tmp_path: Path, recipe: Path) -> None:
    strecha(tmp_path / "data" / "good")
    strecha(tmp_path / "data" / "poor", 3)
    call = (
        "bench",
        "strecha",
        tmp_path / "data",
        "--recipe",
        recipe,
        "--no-peer",
        "--out",
        tmp_path / "out",
        "--json",
        tmp_path / "t.json",
    )
    said = diptych(*call, status=1)
    assert "poor   toy: failed" in said and "poor, toy: sparse: These are not four photos. [toy]" in said
    assert "good   toy" in said
    first, second = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert first["values"]["registered"] == 4 and second["failure"] and second["hint"] == "Take four."
    diptych(*call, status=1)
    record = json.loads((tmp_path / "out" / "good" / "toy" / "run.json").read_text())
    assert {task["status"] for task in record["tasks"]} == {"hit"}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_data_in_no_layout_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "notes.txt").write_text("nothing")
    for place in (tmp_path / "data", tmp_path / "absent"):
        said = diptych("bench", name, place, status=2)
        assert f"holds nothing in the layout of {name}" in said and BENCHMARKS[name].layout in said


def test_what_no_scene_could_run_is_refused_before(tmp_path: Path, recipe: Path) -> None:
    strecha(tmp_path / "data")
    (tmp_path / "sparse.toml").write_text(SPARSE)
    with pytest.raises(StageFailure, match="unknown-benchmark"):
        dp.bench("stretcha", tmp_path)
    with pytest.raises(StageFailure, match="duplicate-recipe"):
        dp.bench("strecha", tmp_path / "data", recipes=[recipe, recipe])
    with pytest.raises(StageFailure, match="unknown-slot"):
        dp.bench("rendered", tmp_path / "data", recipes=[tmp_path / "sparse.toml"])
    with pytest.raises(StageFailure, match="unknown-parameter"):
        dp.bench("strecha", tmp_path / "data", recipes=[recipe], settings=["sparse.size=3"])


def rendered(folder: Path) -> None:
    paint(folder / "photos", *NAMES)
    write_colmap(scene(CENTERS), folder / "truth", binary=False)
    (folder / "truth" / "depth").mkdir()
    for name in NAMES:
        write_depth(folder / "truth" / "depth" / f"{Path(name).stem}.png", np.full(SIZE[::-1], WALL))


def test_rendered_scores_cameras_and_depth_maps(tmp_path: Path, recipe: Path) -> None:
    rendered(tmp_path / "hall")
    table = dp.bench("rendered", tmp_path / "hall", recipes=[recipe], peer=False, out=tmp_path / "out")
    (row,) = table.rows
    assert not row.failure and row.scene == "hall"
    assert row.values["position_least_squares_mean"] == pytest.approx(OFF, rel=0.02)
    assert row.values["within_0.25_percent"] == pytest.approx(0.5, abs=0.02)
    assert row.values["within_1_percent"] == pytest.approx(0.75, abs=0.02)


def eth3d(folder: Path) -> None:
    paint(folder / "images" / "dslr_images_undistorted", *NAMES)
    write_colmap(scene(CENTERS), folder / "dslr_calibration_undistorted", binary=False)
    maps = folder / "ground_truth_depth" / "dslr_images"
    maps.mkdir(parents=True)
    for name in NAMES:
        np.full(SIZE[::-1], WALL, "<f4").tofile(maps / name)
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-1.5, 2.5, 401), np.linspace(-1, 2, 301)))
    (folder / "dslr_scan_eval").mkdir()
    write_ply(folder / "dslr_scan_eval" / "scan.ply", np.stack([x, y, np.full(x.shape, WALL)], axis=1).astype("f4"))
    identity = "\n".join(" ".join(map(str, row)) for row in np.eye(4))
    (folder / "dslr_scan_eval" / "scan_alignment.mlp").write_text(
        f'<MeshLabProject><MLMesh filename="scan.ply"><MLMatrix44>\n{identity}\n</MLMatrix44></MLMesh></MeshLabProject>'
    )


def test_eth3d_measures_a_cloud_three_centimetres_off_in_the_given_cameras(tmp_path: Path) -> None:
    eth3d(tmp_path / "data" / "courtyard")
    case = Eth3d().scene(tmp_path / "data" / "courtyard")
    assert case is not None and [photo.name for photo in case.photos] == list(NAMES)
    (tmp_path / "toy.toml").write_text(TRACKS + DENSE)
    table = dp.bench("eth3d", tmp_path / "data", recipes=[tmp_path / "toy.toml"], peer=False, out=tmp_path / "out")
    (row,) = table.rows
    assert not row.failure
    # 3 cm behind the scan: beyond 2 cm, where most of it is hidden behind the surface; within 5 and 10 cm.
    assert row.values["cloud_completeness_0"] == 0 and row.values["cloud_f_score_0"] == 0
    assert row.values["cloud_completeness_1"] > 0.95 and row.values["cloud_f_score_2"] > 0.95
    assert row.values["within_1_percent"] == pytest.approx(0.75, abs=0.02)
    run = dp.Result.load(tmp_path / "out" / "courtyard" / "toy")
    assert {node["use"].rpartition(":")[2] for node in run.record["recipe"]["nodes"] if node["name"] == "sparse"} == {
        "TruePoses"
    }
    np.testing.assert_allclose(run.scene.centers, CENTERS, atol=1e-12)  # the toy's own would be off


def test_given_poses_leave_the_rest_of_a_recipe_as_it_is() -> None:
    before = dp.Recipe.load("learned")
    after = with_true_poses(before)
    assert isinstance(after["sparse"], TruePoses) and not isinstance(before["sparse"], TruePoses)
    assert all(was == now for was, now in zip(before.nodes, after.nodes, strict=True) if was.name != "sparse")


def pair(folder: Path, disparity: int = 6, size: tuple[int, int] = (160, 100)) -> None:
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0] + disparity, 3), dtype=np.uint8)
    noise = np.asarray(Image.fromarray(noise).resize((size[0] + disparity, size[1])))
    Image.fromarray(noise[:, :-disparity]).save(folder / "view1.png")
    Image.fromarray(noise[:, disparity:]).save(folder / "view5.png")
    for name in ("disp1.png", "disp5.png"):
        Image.fromarray(np.full(size[::-1], 3 * disparity, np.uint8)).save(folder / name)


def test_a_stereo_pair_is_found_without_its_disparities_and_the_peer_finds_them(tmp_path: Path) -> None:
    pair(tmp_path / "data" / "stereo" / "Cloth")
    (case,) = Middlebury().scenes(tmp_path / "data")
    assert case.name == "Cloth" and [photo.name for photo in case.photos] == ["view1.png", "view5.png"]
    folder = photo_folder(case, tmp_path / "out")
    assert sorted(file.name for file in folder.iterdir()) == ["view1.png", "view5.png"]
    assert Middlebury().gives(case) == "poses" and Middlebury().stop(case, BenchOptions(tmp_path)) == "depths"
    found = semi_global(case, Inputs(folder, case.path, None, tmp_path))
    # The photos differ by a shift of six pixels; the left border has no partner.
    assert found["disparity_mean_px"] < 0.1 and 0 < found["bad_2_px"] < 0.25


def test_a_ring_is_found_by_its_parameters(tmp_path: Path) -> None:
    paint(tmp_path / "ring" / "images", *NAMES)
    k = "60 0 32 0 61 23.5 0 0 1"
    rows = [f"{name} {k} 1 0 0 0 1 0 0 0 1 {x} {y} {z}" for name, (x, y, z) in zip(NAMES, -CENTERS, strict=True)]
    (tmp_path / "ring" / "gt").mkdir()
    (tmp_path / "ring" / "gt" / "ring_par.txt").write_text("\n".join(["4", *rows]))
    (tmp_path / "toy.toml").write_text(DENSE)
    table = dp.bench("middlebury", tmp_path, recipes=[tmp_path / "toy.toml"], peer=False, out=tmp_path / "out")
    (row,) = table.rows
    assert row.scene == "ring" and row.values["position_least_squares_mean"] == pytest.approx(OFF, rel=0.02)
    assert not (tmp_path / "out" / "ring" / "toy" / "depths").exists()


def test_dtu_distances_leave_out_what_was_not_observed() -> None:
    grid = np.stack(np.meshgrid(np.arange(0, 20, 0.5), np.arange(0, 20, 0.5)), -1).reshape(-1, 2)
    scan = np.column_stack([grid, np.zeros(len(grid))])
    table = np.column_stack([grid, np.full(len(grid), -5.0)])
    cloud, outside, far = (
        points + np.array(by) for points, by in ((scan, [0, 0, 0.7]), (scan, [100, 0, 0.7]), (scan[:5], [0, 0, 30]))
    )
    reference = Reference(
        np.concatenate([scan, table]), np.ones((21, 21, 40), bool), np.zeros(3), 1.0, np.array([0, 0, 1.0, 2.0])
    )
    crowd = np.repeat(cloud[:1], 500, axis=0)
    accuracy, completeness = distances(np.concatenate([cloud, outside, far, crowd]), reference)
    assert accuracy == pytest.approx(0.7, abs=0.01) and completeness == pytest.approx(0.7, abs=0.01)
    assert np.isnan(distances(outside[:0], reference)).all()


def test_dtu_reads_the_authors_folders(tmp_path: Path) -> None:
    scan = tmp_path / "Rectified" / "scan24"
    paint(scan, *(f"rect_{i:03d}_{light}.png" for i in range(1, 5) for light in ("3_r5000", "0_r5000")))
    cameras = tmp_path / "Calibration" / "cal18"
    cameras.mkdir(parents=True)
    k = np.array([[60, 0, 32], [0, 61, 23.5], [0, 0, 1]])
    for i, center in enumerate(CENTERS, start=1):
        np.savetxt(cameras / f"pos_{i:03d}.txt", 3.0 * k @ np.column_stack([np.eye(3), -center]))
    (case,) = Dtu().scenes(tmp_path)
    assert case.name == "scan24" and case.photos[0].name == "rect_001_3_r5000.png"
    assert len(case.photos) == 4
    truth = Dtu().truth(case, tmp_path / "out")
    model, *numbers = calibration(photo_folder(case, tmp_path / "out"), truth, tmp_path / "out").split(",")
    assert model == "PINHOLE" and np.allclose([float(n) for n in numbers], [60, 61, 32.5, 24])
    assert Reference.of(case) is None
    (tmp_path / "Points" / "stl").mkdir(parents=True)
    (tmp_path / "ObsMask").mkdir()
    write_ply(tmp_path / "Points" / "stl" / "stl024_total.ply", np.zeros((3, 3), "f4"))
    scipy.io.savemat(
        tmp_path / "ObsMask" / "ObsMask24_10.mat",
        {"ObsMask": np.ones((2, 3, 4), np.uint8), "BB": np.array([[1.0, 2, 3], [4, 5, 6]]), "Res": 0.5},
    )
    scipy.io.savemat(tmp_path / "ObsMask" / "Plane24.mat", {"P": np.array([[0.0], [0], [1], [2]])})
    found = Reference.of(case)
    assert found is not None and found.observed.shape == (2, 3, 4) and found.side == 0.5
    assert found.corner.tolist() == [1, 2, 3] and found.plane.tolist() == [0, 0, 1, 2]


def problem(seed: int = 0) -> Scene:
    """Three cameras before a cloud of 40 points, all seen by all, disturbed."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (40, 3)) + np.array([0, 0, 6])
    camera = Camera("RADIAL", 1000, 800, (800.0, 500.0, 400.0, 0.0, 0.0))
    centers = np.array([[-1.0, 0, 0], [0, 0.5, 0], [1, 0, 0]])
    local = points[:, None] - centers
    xy = 800 * local[..., :2] / local[..., 2:] + [500, 400] + rng.normal(0, 0.3, (40, 3, 2))
    return Scene(
        (camera,) * 3,
        ("a", "b", "c"),
        np.arange(3),
        np.tile(np.eye(3), (3, 1, 1)),
        -centers + rng.normal(0, 0.02, (3, 3)),
        points + rng.normal(0, 0.05, (40, 3)),
        np.zeros((40, 3)),
        np.full(40, np.nan),
        np.tile(np.arange(3), 40),
        np.repeat(np.arange(40), 3),
        xy.reshape(-1, 2),
        np.full(120, -1),
    )


def test_bal_sets_both_solvers_beside_each_other(tmp_path: Path) -> None:
    write_bal(problem(), tmp_path / "tiny-3-40-pre.txt")
    (tmp_path / "broken-pre.txt").write_text("3 40 120\n1 2 3\n")
    (tmp_path / "readme.txt").write_text("not a problem\n")
    table = dp.bench("bal", tmp_path, out=tmp_path / "out")
    *broken, ours, ceres = table.rows
    assert len(broken) == 2 and all(row.scene == "broken-pre" and "bad-bal-file" in row.failure for row in broken)
    assert ours.method == "least_squares" and ceres.method == "Ceres"
    assert ours.values["observations"] == 120 and ours.values["cost_before"] == ceres.values["cost_before"]
    # 240 residuals of 0.3 px less the freedom of 3 x 9 + 40 x 3 - 7 unknowns leave a cost of about 4.5.
    assert 2 < ours.values["cost_after"] < 8 < ours.values["cost_before"]
    assert ours.values["cost_after"] == pytest.approx(ceres.values["cost_after"], rel=1e-3)
    assert ours.values["ratio"] > 0 and ours.values["evaluations"] > 1


def test_a_real_problem_is_solved(shared_data: Path, tmp_path: Path) -> None:
    table = dp.bench("bal", shared_data / "bal" / "dubrovnik-3-7-pre.txt", out=tmp_path)
    assert not table.failures and len(table.rows) == 2
    # Seven points in three cameras fix little: both solvers end near zero, and not at the same place.
    assert all(row.values["cost_after"] < 1e-4 * row.values["cost_before"] for row in table.rows)


def test_scenes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a/one", "b/one", "b/two"):
        strecha(tmp_path / name)
    assert [case.name for case in Strecha().scenes(tmp_path)] == ["a-one", "b-one", "two"]
    assert [case.name for case in Strecha().scenes(tmp_path / "a" / "one")] == ["one"]


def test_cameras_that_differ_go_through_a_file(tmp_path: Path) -> None:
    truth = scene(CENTERS)
    other = replace(CAMERA, params=(70.0, 71.0, 32.0, 24.0))
    paint(tmp_path / "photos", *NAMES)
    write_colmap(replace(truth, cameras=(CAMERA, other), camera_of=np.array([0, 1, 0, 1])), tmp_path / "truth")
    file = Path(calibration(tmp_path / "photos", tmp_path / "truth", tmp_path))
    assert file.read_text().splitlines()[1] == '"0001.png",PINHOLE,70.0,71.0,32.0,24.0'
    from diptych.stages.images.photos import read_photos

    photos, _ = read_photos(tmp_path / "photos", camera=str(file))
    assert [photos.camera(i).params[0] for i in range(4)] == [60, 70, 60, 70]


def die() -> None:
    os._exit(3)


def test_a_process_that_dies_is_a_failure() -> None:
    with pytest.raises(StageFailure, match="process-died"):
        run_in_process(die)


def test_a_table_leaves_out_empty_columns_and_names_sources_once() -> None:
    columns = Column("a", "a mm", ".1f", 1000), Column("b", "b")
    rows = Row("x", "ours", {"a": 0.0123, "b": float("nan")}), Row("y", "ours", failure="It broke.", hint="Mend it.")
    published = tuple(PublishedRow("x", name, {"a": 0.5}, "Somebody 2001", "other photos") for name in ("P", "Q"))
    table = Table("toy", columns, rows, published, "A note.")
    head, lines = table.cells()
    assert head == ("scene", "method", "a mm")
    assert lines == [
        ("x", "ours", "12.3"),
        ("x", "P [1]", "500.0"),
        ("x", "Q [1]", "500.0"),
        ("y", "ours: failed", "·"),
    ]
    assert table.notes() == ["y, ours: It broke. Mend it.", "A note.", "[1] Somebody 2001; other photos."]
    assert json.loads(json.dumps(table.as_dict(), allow_nan=False))["rows"][0]["values"] == {"a": 0.0123, "b": None}


def test_every_protocol_says_what_it_is() -> None:
    assert list(BENCHMARKS) == ["strecha", "eth3d", "dtu", "middlebury", "bal", "rendered"]
    for name, protocol in BENCHMARKS.items():
        assert isinstance(protocol, Protocol) and protocol.name == name and protocol.layout
        keys = {column.key for column in protocol.columns}
        for row in protocol.published:
            assert set(row.values) <= keys and row.source and row.conditions
    assert Rendered().until == "cloud"
