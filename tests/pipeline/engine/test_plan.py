"""Looking before running, and what a record says afterwards."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import diptych as dp
import pytest
from diptych.pipeline.cache import keys
from diptych.pipeline.engine.planning import NodeChange, NodePlan
from diptych.pipeline.results.record import differences, name_differences, read_record
from diptych.stages.failure import StageFailure
from toys import Corners, SimilarPairs, paint


def planned(photos: Path, out: Path, recipe: dp.Recipe, **options: object) -> dict[str, NodePlan]:
    return {one.node: one for one in dp.plan(photos, out=out, recipe=recipe, **options)}  # type: ignore[arg-type]


def explained(photos: Path, out: Path, recipe: dp.Recipe, **options: object) -> dict[str, NodeChange]:
    return {one.node: one for one in dp.explain(photos, out=out, recipe=recipe, **options)}  # type: ignore[arg-type]


def test_a_plan_before_anything_ran(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    plan = planned(photos, tmp_path / "out", toy)
    assert plan["features"] == NodePlan("features", "Corners", 4, to_run=4)
    assert plan["pairs"] == NodePlan("pairs", "EveryPair", 1, to_run=1)
    assert plan["matches"] == NodePlan("matches", "SameIndex", None, waits_for=("features", "pairs"))
    waits_for = ("two_views", "tracks", "features", "pairs")
    assert plan["sparse"] == NodePlan("sparse", "Line", 1, unknown=1, waits_for=waits_for)
    assert not (tmp_path / "out").exists(), "a plan leaves nothing behind"


def test_a_plan_after_a_change(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert all(one.stored == one.items for one in planned(photos, tmp_path / "out", toy).values())
    plan = planned(photos, tmp_path / "out", toy.set(["sparse.step=2"]))
    assert plan["sparse"] == NodePlan("sparse", "Line", 1, to_run=1)
    assert plan["tracks"].stored == 1
    paint(photos / "a.png", 77)
    plan = planned(photos, tmp_path / "out", toy)
    assert plan["features"] == NodePlan("features", "Corners", 4, stored=3, to_run=1)
    assert plan["matches"] == NodePlan("matches", "SameIndex", 6, stored=3, unknown=3, waits_for=("features",))
    assert plan["tracks"] == NodePlan("tracks", "OneTrackEach", 1, unknown=1, waits_for=("features", "two_views"))


def test_a_plan_does_what_the_run_then_does(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    recipe = toy.with_(pairs=SimilarPairs())
    dp.run(photos, out=tmp_path / "out", recipe=recipe, progress=False)
    paint(photos / "zz.png", 190)
    plan = planned(photos, tmp_path / "out", recipe)
    tasks = dp.run(photos, out=tmp_path / "out", recipe=recipe, progress=False).record["tasks"]
    for node in ("features", "pairs"):
        mine = [task for task in tasks if task["node"] == node]
        assert plan[node].items == len(mine)
        assert plan[node].stored == sum(task["hit"] for task in mine)
    assert plan["matches"].items is None, "which pairs there are is not known before the features"


def test_a_plan_waits_for_the_choice_of_neighbors(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    need = 1000 * 24 * 32 * 3
    unknown = NodePlan("depths", "Layers", 4, unknown=4, waits_for=("views", "neighbors"), memory=need)
    plan = planned(photos, out, dense)
    assert plan["depths"] == unknown
    assert plan["refined"] == replace(unknown, node="refined", waits_for=("views", "depths", "neighbors"))
    assert plan["mesh"] == NodePlan("mesh", "Corner", 1, unknown=1, waits_for=("views", "refined"))
    dp.run(photos, out=out, recipe=dense, until="neighbors", progress=False)
    plan = planned(photos, out, dense)
    assert plan["views"] == NodePlan("views", "Developed", 4, to_run=4)
    assert plan["depths"] == replace(unknown, waits_for=("views",))
    dp.run(photos, out=out, recipe=dense, progress=False)
    assert all(one.stored == one.items for one in planned(photos, out, dense).values())
    changed = dense.set(["neighbors.count=1"])
    plan = planned(photos, out, changed)
    assert plan["depths"] == replace(unknown, memory=need * 2 // 3)
    change = explained(photos, out, changed)
    assert change["neighbors"] == NodeChange("neighbors", changed=(("parameters.count 2 -> 1", 1),))
    assert change["depths"] == NodeChange("depths", waits_for=("views", "neighbors"))
    assert explained(photos, out, dense.set(["refined.above=6"]))["refined"].changed == (
        ("parameters.above 5.0 -> 6.0", 4),
    )


def test_explain_names_the_ingredient(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dp.run(photos, out=out, recipe=toy, progress=False)
    assert explained(photos, out, toy)["matches"] == NodeChange("matches", unchanged=6)
    change = explained(photos, out, toy.set(["features.count=5", "sparse.step=3"]))
    assert change["features"] == NodeChange("features", changed=(("parameters.count 4 -> 5", 4),))
    assert change["matches"] == NodeChange("matches", waits_for=("features",))
    assert change["sparse"].changed == (("parameters.step 1.0 -> 3.0", 1),)
    change = explained(photos, out, toy, seed=3)
    assert change["two_views"] == NodeChange("two_views", changed=(("seed", 6),))
    assert change["matches"] == NodeChange("matches", unchanged=6)
    change = explained(photos, out, toy, camera="SIMPLE_PINHOLE,30,16,12")
    assert change["two_views"] == NodeChange("two_views", waits_for=("matches", "pairs"))
    assert change["pairs"].changed == (("input photos", 1),)


def test_explain_names_new_and_gone_items(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dp.run(photos, out=out, recipe=toy, progress=False)
    paint(photos / "new.png", 99)
    (photos / "a.png").unlink()
    change = explained(photos, out, toy)
    assert change["features"] == NodeChange("features", unchanged=3, added=1, removed=1)
    assert change["pairs"].changed == (("input photos", 1),)


def test_explain_names_library_version_and_code(
    photos: Path, toy: dp.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    dp.run(photos, out=out, recipe=toy, progress=False)
    monkeypatch.setattr(keys, "library_version", lambda name: "0.0")
    monkeypatch.setattr(Corners, "version", 2)
    monkeypatch.setattr(keys, "code_digests", lambda cls: {"toys": "0"})
    ((reasons, count),) = explained(photos, out, toy)["features"].changed
    assert count == 4
    assert {reason.split()[0] for reason in reasons.split(", ")} >= {"version", "code.toys", "libraries.numpy"}


def test_explain_needs_a_run(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match="no-record"):
        dp.explain(photos, out=tmp_path, recipe=toy)


def test_differences_are_named() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "code": {"m": "x"}, "inputs": {"f": ["1", "2"]}, "same": 0}
    new = {"a": {"b": 2, "c": [1, 2, 3]}, "code": {"m": "y"}, "inputs": {"f": ["1", "3"]}, "same": 0, "seed": 4}
    assert name_differences(differences(old, new)) == [
        "a.b 1 -> 2",
        "a.c [1, 2] -> [1, 2, 3]",
        "code.m",
        "input f",
        "seed",
    ]


def test_a_record_says_it_all(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy, seed=2, workers=2, progress=False)
    record = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert record == result.record
    assert record["seed"] == 2
    assert [node["name"] for node in record["recipe"]["nodes"]] == [node.name for node in toy.nodes]
    corners = record["recipe"]["nodes"][0]
    assert corners["use"] == "toys:Corners"
    assert corners["parameters"] == {"count": 4, "spread": 1.0, "warns": False, "fails_above": 256.0}
    assert {"toys", "diptych.stages.scene"} <= corners["code"].keys()
    assert {"diptych", "python", "numpy", "opencv-contrib-python", "pillow"} <= record["versions"].keys()
    assert "absent" not in record["versions"].values()
    assert record["hardware"].keys() == {"cpu", "cores", "memory_gib", "gpu", "system"}
    assert record["hardware"]["cores"] >= 1 and record["hardware"]["memory_gib"] > 0
    assert record["git"] is None or len(record["git"]["commit"]) == 40
    assert record["command"] == sys.argv
    began, ended = (datetime.fromisoformat(record[name]) for name in ("began", "when"))
    assert 0 <= (ended - began).total_seconds() <= record["seconds"] + 2
    assert record["photos"]["folder"] == str(photos)
    for task in record["tasks"]:
        assert len(task["key"]) == len(task["output"]) == 64
        assert task["inputs"]
        assert task["seconds"] >= 0 and task["peak_rss"] > 2**20
        assert datetime.fromisoformat(task["when"]) <= ended
    assert {task["seed"] is None for task in record["tasks"] if task["node"] == "two_views"} == {False}


def test_a_record_that_was_edited_is_refused(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy, until="pairs", progress=False)
    path = tmp_path / "out" / "run.json"
    assert read_record(path) == result.record
    path.write_text(path.read_text("utf-8").replace('"seed": 0', '"seed": 1'), "utf-8")
    with pytest.raises(StageFailure, match=r"was changed after the run had written it. \[bad-record\]"):
        read_record(path)


def test_a_record_of_another_kind_is_refused(tmp_path: Path) -> None:
    for text in ("[]", '{"format": 99}', "{"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(StageFailure, match="bad-record"):
            dp.reproduce(tmp_path)
