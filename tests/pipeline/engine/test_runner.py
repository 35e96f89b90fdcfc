"""The runner: the same bytes however it runs, and nothing done twice."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.cache.keys import stage_ingredients
from diptych.pipeline.cache.store import Store
from diptych.pipeline.engine.collection import Collection
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.options import PhotoOptions, RunOptions
from diptych.pipeline.engine.progress import Reporter
from diptych.pipeline.engine.runner import execute
from diptych.pipeline.engine.tasks import Outcome, tasks_of
from diptych.pipeline.results.record import outputs_of
from diptych.stages.dense import DepthMap, Mesh, Neighbors, View
from diptych.stages.failure import StageFailure
from diptych.stages.images.photos import decode
from diptych.stages.scene import Features, Pairs, Photo, Sparse, TwoView
from diptych.stages.stage import Stage
from PIL import Image
from toys import Corner, Corners, Likeness, Nudge, Rounded, SimilarPairs, kinds, paint, tree

Ran = Callable[[], list[str]]


def test_a_run_gives_what_the_stages_make(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert kinds(ran()) == {"Corners": 4, "EveryPair": 1, "SameIndex": 6, "Drawn": 6, "OneTrackEach": 1, "Line": 1}
    assert result.scene.names == ("a.png", "b.png", "c.png", "ein Bild größer 写真.png")
    assert len(result.scene.points) == 4
    assert list(result["features"]) == list(result.scene.names)
    assert len(result["matches"]["a.png|b.png"]) == 4
    assert {"cameras.bin", "images.bin", "points3D.bin"} <= tree(tmp_path / "out" / "sparse").keys()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        ".diptych",
        "sparse",
        "points.ply",
        "run.json",
        "report.html",
        "store",
    }


def test_a_second_run_does_nothing(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    first = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    ran()
    second = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert ran() == []
    assert second.record["outputs"] == first.record["outputs"]
    assert all(task["hit"] for task in second.record["tasks"])


def test_one_and_four_workers_give_the_same_bytes(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    for workers in (1, 4):
        dp.run(photos, out=tmp_path / str(workers), recipe=toy, workers=workers, progress=False)
    assert tree(tmp_path / "1" / "sparse") == tree(tmp_path / "4" / "sparse")
    assert tree(tmp_path / "1" / "store" / "artifacts") == tree(tmp_path / "4" / "store" / "artifacts")


def test_an_added_photo_runs_only_its_own(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    ran()
    paint(photos / "bb.png", 210)
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert kinds(ran()) == {"Corners": 1, "EveryPair": 1, "SameIndex": 4, "Drawn": 4, "OneTrackEach": 1, "Line": 1}


def test_an_edited_photo_runs_only_its_own_and_a_renamed_one_keeps_its_features(
    photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran
) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    ran()
    paint(photos / "b.png", 99)
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert kinds(ran()) == {"Corners": 1, "SameIndex": 3, "Drawn": 3, "OneTrackEach": 1, "Line": 1}
    (photos / "b.png").rename(photos / "bb.png")
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    # Names seed what draws and stand in Photos; matching knows neither.
    assert kinds(ran()) == {"EveryPair": 1, "Drawn": 3, "OneTrackEach": 1, "Line": 1}


def test_an_unchanged_output_stops_the_wave(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    recipe = dp.Recipe([*toy.nodes[:1], Nudge(by=0.1), Rounded(), *toy.nodes[1:]])
    dp.run(photos, out=tmp_path / "out", recipe=recipe, progress=False)
    ran()
    dp.run(photos, out=tmp_path / "out", recipe=recipe.set(["features_2.by=0.2"]), progress=False)
    assert kinds(ran()) == {"Nudge": 4, "Rounded": 4}


def test_another_seed_runs_only_what_draws(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    first = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    before = first.scene.translations
    ran()
    second = dp.run(photos, out=tmp_path / "out", recipe=toy, seed=1, progress=False)
    assert kinds(ran()) == {"Drawn": 6, "OneTrackEach": 1, "Line": 1}
    assert (second.scene.translations != before).any()


def test_pairs_may_depend_on_features(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy.with_(pairs=SimilarPairs()), workers=3, progress=False)
    assert kinds(ran()) == {"Corners": 4, "SimilarPairs": 1, "SameIndex": 3, "Drawn": 3, "OneTrackEach": 1, "Line": 1}
    assert list(result["two_views"]) == ["a.png|b.png", "b.png|c.png", "c.png|ein Bild größer 写真.png"]


def test_a_view_is_measured_beside_its_neighbors(photos: Path, dense: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=dense, workers=3, progress=False)
    assert kinds(ran())["Layers"] == 8
    made = outputs_of(result.record)
    views, refined = result["views"], result["depths"]
    depths = {name: result.store.read(made["depths", name], DepthMap) for name in views}
    neighbors = result["neighbors"][""]
    names = list(views)
    for i, name in enumerate(names):
        around = [name, *(names[j] for j in neighbors.of(i))]
        expected = 1 + sum(views[each].image.mean(axis=2) / 256**k for k, each in enumerate(around))
        np.testing.assert_allclose(depths[name].depth, expected, rtol=1e-6)
        expected = 4 + depths[name].depth + sum(depths[each].depth for each in around)
        np.testing.assert_allclose(refined[name].depth, expected, rtol=1e-6)
    mesh = result["mesh"][""]
    np.testing.assert_allclose(mesh.vertices[:, 0], [2.0 + len(name) for name in names])
    np.testing.assert_allclose(mesh.vertices[:, 1], [refined[name].depth.mean() for name in names], rtol=1e-6)
    np.testing.assert_allclose(result["cloud"][""].points[:, 2], mesh.vertices[:, 1], rtol=1e-6)


def test_the_key_of_a_view_holds_it_and_its_neighbors_only(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=dense, until="refined", progress=False)
    tasks = {(task["node"], task["item"]): task for task in result.record["tasks"]}
    names, neighbors = list(result["views"]), result["neighbors"][""]
    for i, name in enumerate(names):
        around = [name, *(names[j] for j in neighbors.of(i))]
        inputs = tasks["refined", name]["inputs"]
        assert inputs == {slot: [tasks[slot, each]["output"] for each in around] for slot in ("views", "depths")}
        assert tasks["depths", name]["inputs"].keys() == {"views"}, "an optional input that is not there is not a part"


class Forgetful(Likeness):
    """Leaves out the last photo."""

    def run(self, features: tuple[Features, ...], sparse: Sparse) -> Neighbors:
        return super().run(features[:-1], sparse)


def test_neighbors_of_other_photos_are_refused(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match="wrong-neighbors") as caught:
        dp.run(photos, out=tmp_path / "out", recipe=dense.with_(neighbors=Forgetful()), progress=False)
    assert caught.value.sentence == "neighbors has 3 entries for 4 photos."


def test_an_edited_photo_runs_only_the_views_that_see_it(
    photos: Path, dense: dp.Recipe, tmp_path: Path, ran: Ran
) -> None:
    pairwise = dense.set(["neighbors.count=1"])
    dp.run(photos, out=tmp_path / "out", recipe=pairwise, progress=False)
    ran()
    paint(photos / "ein Bild größer 写真.png", 165)
    dp.run(photos, out=tmp_path / "out", recipe=pairwise, progress=False)
    again = kinds(ran())
    assert {stage: again[stage] for stage in ("Likeness", "Developed", "Layers", "Agreed", "Gathered", "Corner")} == {
        "Likeness": 1,
        "Developed": 1,
        "Layers": 2,
        "Agreed": 1,
        "Gathered": 1,
        "Corner": 1,
    }


class Peeks(Stage):
    """Looks at what it takes one by one."""

    slot = "mesh"

    def run(
        self, name: Sequence[str], photo: Sequence[Photo], views: Sequence[View], two_views: Sequence[TwoView]
    ) -> Mesh:
        assert (len(name), len(photo), len(views), len(two_views)) == (4, 4, 4, 6)
        assert list(name) == sorted(name)
        assert [view.far - 2 for view in views] == [len(each) for each in name]
        assert (decode(photo[-1]) == views[-1].image).all()
        assert [view.far for view in views[1:3]] == [views[1].far, views[2].far]
        assert {view.kind for view in two_views} == {"calibrated"}
        forgotten = weakref.ref(views[0])
        gc.collect()
        assert forgotten() is None
        with pytest.raises(IndexError):
            views[4]
        return Corner().run(views, [DepthMap.empty(view, "no depth") for view in views])


def test_a_sequence_is_read_one_by_one(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=dense.with_(mesh=Peeks()), progress=False)
    views = result["views"]
    np.testing.assert_allclose(result["mesh"][""].vertices[:, 0], [view.far for view in views.values()])
    task = result.record["tasks"][-1]
    made = outputs_of(result.record)
    assert task["inputs"]["views"] == [made["views", name] for name in views]


def test_what_turns_out_damaged_while_a_stage_reads_is_made_again(
    photos: Path, dense: dp.Recipe, tmp_path: Path, ran: Ran
) -> None:
    where = f"memory://{tmp_path}"
    first = dp.run(photos, out=tmp_path / "out", recipe=dense, store=where, progress=False)
    ran()
    store = Store(where)
    path = store._artifact(outputs_of(first.record)["views", "b.png"])
    store._fs.pipe_file(path, store._fs.cat_file(path)[:-1] + b"\x7f")
    second = dp.run(photos, out=tmp_path / "2", recipe=dense.set(["mesh.lift=1"]), store=where, progress=False)
    assert kinds(ran()) == {"Developed": 1, "Corner": 2}
    assert (second["mesh"][""].vertices[:, :2] == first["mesh"][""].vertices[:, :2]).all()


def test_until_stops_there(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy, until="matches", progress=False)
    assert kinds(ran()) == {"Corners": 4, "EveryPair": 1, "SameIndex": 6}
    assert result.record["outputs"] == {}
    with pytest.raises(StageFailure, match="no-result"):
        _ = result.scene


def test_warnings_are_said_again_from_the_store(
    photos: Path, toy: dp.Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = toy.with_(features=Corners(warns=True))
    for _ in range(2):
        result = dp.run(photos, out=tmp_path / "out", recipe=plain)
        names = result.scene.names
        assert result.record["warnings"] == [f"{name}: The photo is plain." for name in names]
        said = capsys.readouterr().err
        assert [said.count(f"warning: {name}: The photo is plain.\n") for name in names] == [1] * 4


def test_a_cluster_gives_the_same_bytes(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    expected = dp.run(photos, out=tmp_path / "local", recipe=dense, progress=False).record["outputs"]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        address = cluster.scheduler_address
        result = dp.run(photos, out=tmp_path / "far", recipe=dense, cluster=address, progress=False)
    assert result.record["outputs"] == expected
    assert all(task["status"] == "ran" for task in result.record["tasks"])


def test_a_cluster_that_is_not_there_is_told(
    photos: Path, toy: dp.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("diptych.pipeline.engine.runner.CONNECT_TIMEOUT", 1)
    with pytest.raises(StageFailure, match="no-cluster"):
        dp.run(photos, out=tmp_path / "out", recipe=toy, cluster="tcp://127.0.0.1:9", progress=False)


def test_stages_of_a_run_survive_the_way_to_a_worker(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    collection = Collection.read(photos, PhotoOptions(), lambda _: None, 1)
    graph = Graph.of(toy)
    names, sources = collection.photos.names, collection.sources(graph)
    for vertex in graph.vertices:
        choices = {"pairs": Pairs(np.array([[0, 1]]))}
        tasks = tasks_of(vertex, stage_ingredients(vertex.stage), names, choices, sources, 0)
        assert pickle.loads(pickle.dumps(tasks)) == tasks


def test_masks_and_cameras_move_only_what_sees_them(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    ran()
    dp.run(photos, out=tmp_path / "out", recipe=toy, camera="SIMPLE_PINHOLE,30,16,12", progress=False)
    assert kinds(ran()) == {"EveryPair": 1, "Drawn": 6, "OneTrackEach": 1, "Line": 1}
    Image.fromarray(np.full((24, 32), 255, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "masks").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "masks" / "a.png")
    dp.run(photos, out=tmp_path / "out", recipe=toy, masks=tmp_path / "masks", progress=False)
    assert kinds(ran()) == {"Corners": 1}


class Counted(Reporter):
    """A reporter that counts what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Counter[tuple[str, str]] = Counter()

    def start(self, node: str, stage: str, total: int) -> None:
        self.heard["start", node] += total

    def part(self, task: tuple[str, str], done: int, total: int) -> None:
        self.heard["part", task[0]] += 1

    def done(self, outcome: Outcome) -> None:
        self.heard["done", outcome.id[0]] += 1

    def note(self, sentence: str) -> None:
        self.heard["note", sentence] += 1

    def warn(self, sentence: str) -> None:
        self.heard["warn", sentence] += 1


def test_progress_is_heard_for_every_item(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    collection = Collection.read(photos, PhotoOptions(), lambda _: None, 1)
    counted = Counted()
    execute(Graph.of(toy), collection, Store(str(tmp_path / "s")), RunOptions(workers=2), counted)
    for node, items in (("features", 4), ("pairs", 1), ("matches", 6), ("sparse", 1)):
        assert counted.heard["start", node] == counted.heard["done", node] == items
    assert counted.heard["part", "features"] == 8, "the beginning of each, and the half that Corners tells of"
