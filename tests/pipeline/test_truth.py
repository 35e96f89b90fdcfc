"""The truth as a source of the graph: there when it is wanted, known by its content, and missed in one sentence."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.cache.keys import stage_ingredients
from diptych.pipeline.cache.store import Store
from diptych.pipeline.cli import app
from diptych.pipeline.engine.collection import Collection
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.options import PhotoOptions
from diptych.pipeline.engine.planning import NodePlan
from diptych.pipeline.engine.tasks import tasks_of
from diptych.stages.dense import DepthMap, View
from diptych.stages.depth_truth import TrueDepth
from diptych.stages.evaluation.oracles import TrueDepths, TrueMatches, TruePoses
from diptych.stages.evaluation.truth import Truth
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Pairs
from diptych.stages.stage import Stage
from PIL import Image
from toys import DENSE, TOY, paint
from typer.testing import CliRunner

from tests.synthetic_views import synthetic_views

Ran = Callable[[], list[str]]

POSED = dp.Recipe([*TOY.nodes[:5], TruePoses()], "posed")


class FarthestTruth(Stage):
    """Depth is everywhere the largest true one."""

    slot = "depths"

    def run(self, views: View, true_depths: TrueDepth) -> DepthMap:
        depth = np.full(views.mask.shape, true_depths.depth.max())
        return DepthMap(depth, np.zeros((*depth.shape, 3)), depth > 0, np.zeros(depth.shape))


DEEP = dp.Recipe([*DENSE.nodes[:8], FarthestTruth()], "deep")


def write_truth(folder: Path, photos: Path, *, depths: bool = True, shift: float = 0.0) -> Path:
    """Cameras on a line, and maps whose depth is the photo's number."""
    names = sorted(path.name for path in photos.iterdir())
    n = len(names)
    folder.mkdir(parents=True, exist_ok=True)
    matrix = np.array([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]])
    steps = np.arange(n)[:, None] * [1.0, 0.5, 0] + [shift, 0, 5]
    np.savez(
        folder / "cameras.npz",
        names=names,
        K=np.tile(matrix, (n, 1, 1)),
        R=np.tile(np.eye(3), (n, 1, 1)),
        t=steps,
        size=[32, 24],
    )
    if depths:
        maps = {name: np.full((24, 32), i + 1, np.float32) for i, name in enumerate(names)}
        np.savez(folder / "depth.npz", **maps)  # pyright: ignore[reportArgumentType]
    return folder


@pytest.fixture
def truth(photos: Path, tmp_path: Path) -> Path:
    return write_truth(tmp_path / "truth", photos)


def would_run(plans: list[NodePlan]) -> set[str]:
    return {plan.node for plan in plans if plan.stored != plan.items}


def test_an_oracle_stands_in_a_run(photos: Path, truth: Path, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=POSED, truth=truth, progress=False)
    assert result.scene.names == ("a.png", "b.png", "c.png", "ein Bild größer 写真.png")
    assert dp.evaluate(tmp_path / "out", truth=truth).position_errors.max() < 1e-12
    assert result.record["options"]["truth"] == str(truth)


def test_keys_know_what_the_truth_holds_and_not_where_it_lies(photos: Path, truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dp.run(photos, out=out, recipe=POSED, truth=truth, progress=False)
    moved = Path(shutil.copytree(truth, tmp_path / "moved"))
    assert not would_run(dp.plan(photos, out=out, recipe=POSED, truth=moved))
    other = write_truth(tmp_path / "other", photos, shift=1.0)
    assert would_run(dp.plan(photos, out=out, recipe=POSED, truth=other)) == {"sparse"}
    changes = {change.node: change for change in dp.explain(photos, out=out, recipe=POSED, truth=other)}
    assert changes["sparse"].changed == (("input true_cameras", 1),)
    assert changes["tracks"].unchanged == 1


def test_a_changed_map_moves_only_its_own_photo(photos: Path, truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = dp.run(photos, out=out, recipe=DEEP, truth=truth, progress=False)
    assert [result["depths"][name].depth[0, 0] for name in result.scene.names] == [1, 2, 3, 4]
    with np.load(truth / "depth.npz") as known:
        maps = {**known, "b.png": np.full((24, 32), 9, np.float32)}
    np.savez(truth / "depth.npz", **maps)
    plans = {plan.node: plan for plan in dp.plan(photos, out=out, recipe=DEEP, truth=truth)}
    assert (plans["depths"].stored, plans["depths"].to_run) == (3, 1)


def test_a_truth_that_no_stage_takes_is_not_read(photos: Path, tmp_path: Path, truth: Path) -> None:
    (truth / "cameras.npz").write_bytes(b"damaged")
    collection = Collection.read(photos, PhotoOptions(truth=truth), lambda _: None, 1)
    assert not {"true_cameras", "true_depths"} & collection.sources(Graph.of(TOY)).keys()
    dp.run(photos, out=tmp_path / "out", recipe=TOY, truth=truth, progress=False)
    with pytest.raises(StageFailure, match="damaged-truth"):
        collection.sources(Graph.of(POSED))


def test_true_maps_are_read_once_and_kept_in_every_store(
    photos: Path, truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[int] = Counter()
    depth = Truth.depth

    def counted(self: Truth, photo: int) -> TrueDepth:
        read[photo] += 1
        return depth(self, photo)

    monkeypatch.setattr(Truth, "depth", counted)
    collection, graph = Collection.read(photos, PhotoOptions(truth=truth), lambda _: None, 1), Graph.of(DEEP)
    found = [collection.sources(graph) for _ in range(2)]
    assert found[0] == found[1] and read == Counter(range(4))
    store = Store(str(tmp_path / "store"))
    for _ in range(2):
        assert collection.sources(graph, store) == found[0]
    assert read == Counter(range(4)) + Counter(range(4))
    maps = [store.read(source.digest, TrueDepth).depth for source in found[0]["true_depths"]]
    assert [each[5, 5] for each in maps] == [1, 2, 3, 4]


def test_tasks_with_a_truth_survive_the_way_to_a_worker(photos: Path, truth: Path) -> None:
    collection = Collection.read(photos, PhotoOptions(truth=truth), lambda _: None, 1)
    recipe = dp.Recipe([*TOY.nodes[:2], TrueMatches(), *TOY.nodes[3:5], TruePoses()])
    graph = Graph.of(recipe)
    names, sources = collection.photos.names, collection.sources(graph)
    for vertex in graph.vertices:
        choices = {"pairs": Pairs(np.array([[0, 1]]))}
        tasks = tasks_of(vertex, stage_ingredients(vertex.stage), names, choices, sources, 0)
        assert pickle.loads(pickle.dumps(tasks)) == tasks


def test_a_run_with_a_truth_is_reproduced(photos: Path, truth: Path, tmp_path: Path) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=POSED, truth=truth, progress=False)
    assert dp.reproduce(tmp_path / "out", progress=False).equal
    moved = truth.rename(tmp_path / "moved")
    with pytest.raises(StageFailure, match="no-truth"):
        dp.reproduce(tmp_path / "out", progress=False)
    assert dp.reproduce(tmp_path / "out", truth=moved, progress=False).equal


def said(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 2 and "Traceback" not in done.output, done.output
    return done.output


@pytest.fixture
def recipes(tmp_path: Path) -> dict[str, Path]:
    toy = "".join(f'[{node.name}]\nuse = "toys:{type(node.stage).__name__}"\n' for node in DENSE.nodes[:8])
    written = {"posed": toy.replace("toys:Line", "TruePoses"), "deep": toy + '[depths]\nuse = "TrueDepths"\n'}
    for name, text in written.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return {name: tmp_path / f"{name}.toml" for name in written}


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_missing_truth_is_told_before_anything_is_lost(
    command: str, photos: Path, recipes: dict[str, Path], tmp_path: Path, ran: Ran
) -> None:
    out = tmp_path / "out"
    dp.run(photos, out=out, recipe=TOY, progress=False)
    ran()
    told = said(command, photos, "--out", out, "--recipe", recipes["posed"])
    assert "The node 'sparse' (TruePoses) takes the true cameras, and no truth was given. [no-truth]" in told
    assert "hint: Name the folder that holds the truth: --truth DIR." in told
    assert ran() == [] and (out / "run.json").exists()


def test_cameras_are_no_depth(photos: Path, recipes: dict[str, Path], tmp_path: Path) -> None:
    cameras = write_truth(tmp_path / "truth", photos, depths=False)
    told = said("run", photos, "--out", tmp_path / "out", "--recipe", recipes["deep"], "--truth", cameras)
    assert "(TrueDepths) takes the true depth maps, and the truth in" in " ".join(told.split())
    assert "has the cameras of these photos but not their depth. [no-truth]" in " ".join(told.split())


def test_a_folder_without_a_truth_is_no_truth(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StageFailure, match=r"in .*empty there is no truth in a known form\. \[no-truth\]"):
        dp.run(photos, out=tmp_path / "out", recipe=POSED, truth=tmp_path / "empty", progress=False)


def test_a_truth_of_other_photos_is_told(photos: Path, truth: Path, tmp_path: Path) -> None:
    for i, name in enumerate(("x.png", "y.png", "z.png")):
        paint(tmp_path / "others" / name, 80 + i)
    with pytest.raises(StageFailure, match="truth-mismatch"):
        dp.run(tmp_path / "others", out=tmp_path / "out", recipe=POSED, truth=truth, progress=False)


def test_the_truth_goes_by_the_names_of_the_photos(photos: Path, truth: Path) -> None:
    names = ("sub/c.jpg", "sub/a.jpg", "new.jpg")
    known = Truth.read(truth, names)
    # The truth says a.png, and knows two photos that are not there.
    assert known.cameras.names == names[:2] and len(known.cameras.cameras) == 1
    assert known.cameras.translations[:, 0].tolist() == [2, 0]
    assert [known.depth(i).depth.max() for i in range(3)] == [3, 1, 0]
    assert known.depth(2).missing == "has no true depth map"


def test_oracles_from_matches_to_depths_on_a_world_that_is_known(tmp_path: Path) -> None:
    views, depths = synthetic_views(4, noise=0.0)
    names = [f"{i}.png" for i in range(4)]
    (tmp_path / "photos").mkdir()
    (tmp_path / "truth").mkdir()
    for name, view in zip(names, views, strict=True):
        Image.fromarray(view.image).save(tmp_path / "photos" / name)
    half = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    np.savez(
        tmp_path / "truth" / "cameras.npz",
        names=names,
        K=np.stack([view.camera.matrix - half for view in views]),
        R=np.stack([view.rotation for view in views]),
        t=np.stack([view.translation for view in views]),
        size=[160, 120],
    )
    maps = {name: depth.astype(np.float32) for name, depth in zip(names, depths, strict=True)}
    np.savez(tmp_path / "truth" / "depth.npz", **maps)  # pyright: ignore[reportArgumentType]
    recipe = dp.Recipe.load("classical").with_(matches=TrueMatches(), sparse=TruePoses(), depths=TrueDepths())
    result = dp.run(
        tmp_path / "photos",
        out=tmp_path / "out",
        recipe=recipe,
        truth=tmp_path / "truth",
        until="depths",
        camera="PINHOLE,192,192,81.3,59.3",
        progress=False,
    )
    assert result["matches"]["0.png|1.png"].indices.shape[0] > 30
    found = dp.evaluate(tmp_path / "out", truth=tmp_path / "truth")
    assert found.registered == 4 and found.position_errors.max() < 1e-9 and found.points > 30
    dense = dp.evaluate_dense(tmp_path / "out", truth=tmp_path / "truth").depth
    assert dense.median < 1e-6 and dense.coverage > 0.999
