"""Where two runs part, and why."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import diptych as dp
import pytest
from diptych.pipeline.cache.codec import digest
from diptych.pipeline.results.difference import OTHER_BYTES, Artifact, Difference, Group, merged
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Features, Photo
from diptych.stages.stage import Context
from toys import Corners, Line, Nudge, SimilarPairs, paint


class Unsteady(Corners):
    """Gives other bytes every time."""

    def run(self, photo: Photo, context: Context) -> Features:
        f = super().run(photo, context)
        return Features(f.xy + time.time_ns() % 10**6, f.scale, f.angle, f.score, f.color, f.descriptors, f.kind)


@pytest.fixture
def compared(photos: Path, toy: dp.Recipe, tmp_path: Path):
    """How a run of the toy recipe compares with another."""

    def compare(other: dp.Recipe, **options: object) -> Difference:
        dp.run(photos, out=tmp_path / "a", recipe=toy, progress=False)
        dp.run(photos, out=tmp_path / "b", recipe=other, progress=False, **options)  # type: ignore[arg-type]
        return dp.diff(tmp_path / "a", tmp_path / "b" / "run.json")

    return compare


def groups(found: Difference) -> dict[str, Group]:
    return {group.name: group for group in found.groups}


def test_equal_runs(compared, toy: dp.Recipe) -> None:
    found = compared(toy, workers=2)
    assert (found.equal, found.first, found.causes) == (True, None, {})
    assert [group.name for group in found.groups] == ["photos", *(node.name for node in toy.nodes), "files"]
    assert found.compared == 4 + 19 + 4


def test_a_parameter_is_the_cause_and_the_rest_a_consequence(compared, toy: dp.Recipe) -> None:
    found = compared(toy.set(["features.count=7"]))
    assert found.causes == {"features": ("parameters.count 4 -> 7",)}
    by = ("4 against 7 keypoints", "4 of the keypoints are in both")
    assert found.first == Artifact("features of a.png", "", ("parameters.count 4 -> 7",), by)
    assert found.first.reason == "its ingredients differ: parameters.count 4 -> 7"
    of = groups(found)
    assert (of["features"].equal, of["features"].different) == (0, 4)
    assert (of["pairs"].equal, of["pairs"].first) == (1, None)
    assert of["matches"].first == Artifact(
        "matches of a.png and b.png", "", ("input features",), ("4 against 7 matches",)
    )
    assert of["sparse"].first and "4 against 7 points" in of["sparse"].first.by
    assert found.differing == 4 + 6 + 6 + 1 + 1 + of["files"].different


def test_several_causes_are_told_apart_from_consequences(compared, toy: dp.Recipe) -> None:
    found = compared(toy.set(["features.count=5", "sparse.step=2"]), seed=1)
    assert found.causes == {
        "features": ("parameters.count 4 -> 5",),
        "two_views": ("seed 0 -> 1",),
        "sparse": ("parameters.step 1.0 -> 2.0",),
    }


class LineOfTwo(Line):
    """Another stage for the same slot."""

    gap: float = 0.5


def test_another_stage_is_named_without_its_parameters(compared, toy: dp.Recipe) -> None:
    found = compared(toy.with_(sparse=LineOfTwo(step=3)))
    assert found.causes == {"sparse": ('stage "Line" -> "LineOfTwo"',)}


def test_a_node_that_one_run_does_not_have(compared, toy: dp.Recipe) -> None:
    found = compared(dp.Recipe([*toy.nodes[:1], Nudge(), *toy.nodes[1:]]))
    assert [group.name for group in found.groups][1:3] == ["features", "features_2"], "it stands where data flows to it"
    assert found.causes == {"features_2": ("only B has this node",)}
    assert found.first == Artifact("features_2 of a.png", "B")
    assert found.first.reason == "only B has it"


def test_other_items_are_a_consequence_of_other_pairs(compared, toy: dp.Recipe) -> None:
    found = compared(toy.with_(pairs=SimilarPairs()))
    assert found.causes == {"pairs": ('stage "EveryPair" -> "SimilarPairs"',)}
    matches = groups(found)["matches"]
    assert (matches.equal, matches.different, matches.only_a, matches.only_b) == (3, 0, 3, 0)
    assert matches.first == Artifact("matches of a.png and c.png", "A")


def test_a_calibration_is_a_cause(compared, toy: dp.Recipe) -> None:
    found = compared(toy, camera="SIMPLE_PINHOLE,30,16,12")
    assert found.causes == {"photos": ('camera null -> "SIMPLE_PINHOLE,30,16,12"',)}
    assert found.first and found.first.why == ("input camera",), "pairs depend on it too, but are the same"


def test_a_failure_is_a_cause(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    dp.run(photos, out=tmp_path / "a", recipe=toy, progress=False)
    with pytest.raises(StageFailure):
        dp.run(photos, out=tmp_path / "b", recipe=toy.set(["features.fails_above=50"]), workers=1, progress=False)
    found = dp.diff(tmp_path / "a", tmp_path / "b")
    (node,) = found.causes
    assert node == "features"
    assert any(cause.startswith("it failed in B: features of ") for cause in found.causes["features"])
    assert "files" not in groups(found)


def test_files_are_compared_where_both_runs_wrote_some(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    for name in "ab":
        dp.run(photos, out=tmp_path / name, recipe=toy, progress=False)
    path = tmp_path / "b" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    del record["digest"]
    path.write_text(json.dumps({**record, "outputs": {**record["outputs"], "points.ply": digest(b"")}}), "utf-8")
    found = dp.diff(tmp_path / "a", path)
    assert found.causes == {"files": ("the same results were written as other bytes",)}
    assert found.first == Artifact("points.ply", has_key=False)
    path.write_text(json.dumps({**record, "outputs": {}}), "utf-8")
    assert dp.diff(tmp_path / "a", path).equal


def test_a_store_moves_with_its_folder_and_may_be_gone(compared, toy: dp.Recipe, tmp_path: Path) -> None:
    found = compared(toy.set(["features.count=7"]))
    (tmp_path / "b").rename(tmp_path / "c")
    assert dp.diff(tmp_path / "a", tmp_path / "c") == found
    shutil.rmtree(tmp_path / "c" / "store")
    without = dp.diff(tmp_path / "a", tmp_path / "c")
    assert without.first == Artifact("features of a.png", "", ("parameters.count 4 -> 7",))
    assert without.causes == found.causes


def test_orders_are_merged() -> None:
    assert merged("abd", "abcd") == ["a", "b", "c", "d"]
    assert merged("ab", "xay") == ["x", "a", "y", "b"]
    assert merged("", "ab") == ["a", "b"]


def test_a_run_reproduces(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    record = dp.run(photos, out=out, recipe=toy, seed=5, camera="SIMPLE_PINHOLE,30,16,12", progress=False).record
    found = dp.reproduce(out / "run.json", workers=3, progress=False)
    assert found.equal
    assert found.compared == len(record["photos"]["files"]) + len(record["tasks"]) + len(record["outputs"])
    photos.rename(tmp_path / "moved")
    assert dp.reproduce(out, photos=tmp_path / "moved", progress=False).equal
    paint(tmp_path / "moved" / "b.png", 3)
    found = dp.reproduce(out, photos=tmp_path / "moved", progress=False)
    assert found.first == Artifact("the photo b.png", has_key=False)
    assert found.causes == {"photos": ("other photos",)}


def test_a_run_that_does_not_reproduce_is_told_where_it_parts(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dp.run(photos, out=out, recipe=toy.with_(features=Unsteady()), progress=False)
    found = dp.reproduce(out, progress=False)
    assert found.first and (found.first.name, found.first.why) == ("features of a.png", ())
    assert found.first.by[0].startswith("xy: 100 % of 8 values differ"), (
        "values are compared before the fresh store is gone"
    )
    assert found.causes == {"features": (OTHER_BYTES,)}
