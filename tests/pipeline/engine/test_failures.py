"""Failures, damage, kills and full disks: what was finished stays, and what went wrong is told."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.cache.store import Store
from diptych.pipeline.engine.collection import Collection
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.options import PhotoOptions, RunOptions
from diptych.pipeline.engine.runner import execute, failure_of
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Features, Matches, Photo
from diptych.stages.stage import Context
from toys import Corners, kinds, paint, tree

Ran = Callable[[], list[str]]


def test_a_failing_item_keeps_what_is_done(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    dull = toy.with_(features=Corners(fails_above=130))
    with pytest.raises(StageFailure, match="too-bright") as caught:
        dp.run(photos, out=tmp_path / "out", recipe=dull, workers=1, progress=False)
    assert caught.value.sentence == "features of ein Bild größer 写真.png: The photo is too bright."
    assert caught.value.hint == "Close the shutter."
    done = kinds(ran())
    record = dp.Result.load(tmp_path / "out").record
    assert (record["failure"]["node"], record["failure"]["item"]) == ("features", "ein Bild größer 写真.png")
    assert record["failure"]["facts"] == {"mean": 161}
    assert record["outputs"] == {}
    kept = [task for task in record["tasks"] if task["output"]]
    assert len(kept) == sum(done.values()) - 1
    with pytest.raises(StageFailure, match="too-bright"):
        dp.run(photos, out=tmp_path / "out", recipe=dull, workers=1, progress=False)
    assert not [line for line in ran() if "Corners 161" not in line and "EveryPair" in line]


def test_what_others_put_into_out_is_left_alone(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    theirs = tmp_path / "out" / "sparse" / "cameras.bin"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"years of work")
    with pytest.raises(StageFailure) as failure:
        dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert failure.value.code == "foreign-output"
    assert theirs.read_bytes() == b"years of work"


def test_nothing_in_out_is_older_than_the_last_run(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    def left(recipe: dp.Recipe, folder: Path = photos, until: str | None = None) -> set[str]:
        with contextlib.suppress(StageFailure):
            dp.run(folder, out=tmp_path / "out", recipe=recipe, until=until, progress=False)
        return {path.name for path in (tmp_path / "out").iterdir()} - {"store", ".diptych"}

    everything = {"sparse", "points.ply", "run.json", "report.html"}
    assert left(toy) == everything
    assert left(toy, tmp_path / "nowhere") == everything, "what cannot begin takes nothing away"
    assert left(toy.with_(features=Corners(fails_above=130))) == {"run.json", "report.html"}
    assert left(toy) == everything
    assert left(toy, until="matches") == {"run.json"}


def test_a_failure_is_said_though_out_is_full_as_well(
    photos: Path, toy: dp.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, record: dict[str, object]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("diptych.pipeline.reconstruction.write_record", refuse)
    for recipe, code in ((toy, "not-writable"), (toy.with_(features=Corners(fails_above=130)), "too-bright")):
        with pytest.raises(StageFailure, match=code):
            dp.run(photos, out=tmp_path / "out", recipe=recipe, progress=False)


class Crashes(Corners):
    """Has a defect."""

    def run(self, photo: Photo, context: Context) -> Features:
        return {}["nothing"]


class Lies(Corners):
    """Gives something else than it says."""

    def run(self, photo: Photo, context: Context) -> Features:
        return Matches(np.empty((0, 2)), np.empty(0))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("stage", "words"),
    [(Crashes(), "Crashes stopped with KeyError: 'nothing'"), (Lies(), "it gave a Matches, not a Features")],
)
def test_a_defect_of_a_stage_is_named(photos: Path, toy: dp.Recipe, tmp_path: Path, stage: Corners, words: str) -> None:
    with pytest.raises(StageFailure, match="stage-crashed") as caught:
        dp.run(photos, out=tmp_path / "out", recipe=toy.with_(features=stage), progress=False)
    assert words in caught.value.sentence
    assert "Traceback" in dp.Result.load(tmp_path / "out").record["failure"]["trace"]


@pytest.mark.parametrize("stage", [Crashes(), Corners(fails_above=-1)])
def test_the_traceback_of_a_failure_leads_into_the_stage(
    photos: Path, toy: dp.Recipe, tmp_path: Path, stage: Corners
) -> None:
    with pytest.raises(StageFailure) as caught:
        dp.run(photos, out=tmp_path / "out", recipe=toy.with_(features=stage), progress=False)
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError if isinstance(stage, Crashes) else StageFailure)
    frames = traceback.extract_tb(cause.__traceback__)
    assert "run" in [frame.name for frame in frames], "a debugger that starts there finds the line"


def test_the_traceback_of_another_process_is_a_note(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    collection = Collection.read(photos, PhotoOptions(), lambda _: None, 1)
    execution = execute(Graph.of(toy.with_(features=Crashes())), collection, Store(str(tmp_path / "s")), RunOptions())
    failure = failure_of(pickle.loads(pickle.dumps(execution.failed)))
    assert failure.__cause__ is None
    assert "KeyError: 'nothing'" in "".join(traceback.format_exception(failure))


def test_a_failure_shows_its_hint_once() -> None:
    failure = StageFailure("too-bright", "The photo is too bright.", hint="Close the shutter.", mean=161)
    assert failure.message == "The photo is too bright. (mean 161) [too-bright]"
    assert str(failure) == f"{failure.message} Hint: Close the shutter."
    assert str(pickle.loads(pickle.dumps(failure))) == str(failure)


@pytest.mark.parametrize("slot", ["features", "pairs", "matches", "two_views", "tracks", "sparse"])
def test_a_damaged_artifact_is_made_again_and_said(
    photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran, slot: str
) -> None:
    out = tmp_path / "out"
    first = dp.run(photos, out=out, recipe=toy, progress=False)
    whole = tree(out / "store" / "artifacts")
    ran()
    task = next(task for task in first.record["tasks"] if task["node"] == slot)
    artifact = next((out / "store").rglob(f"{task['output']}.safetensors"))
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"\x7f")
    second = dp.run(photos, out=out, recipe=toy, progress=False)
    assert len(ran()) == 1
    assert second.record["outputs"] == first.record["outputs"]
    assert len(second.record["warnings"]) == 1
    assert "damaged" in second.record["warnings"][0]
    assert tree(out / "store" / "artifacts") == whole


@pytest.mark.parametrize(
    ("slot", "again"), [("features", {"Corners": 1, "Line": 1}), ("pairs", None), ("sparse", None)]
)
def test_what_turns_out_damaged_is_made_again(
    photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran, slot: str, again: dict[str, int] | None
) -> None:
    """From afar only the length is looked at, so the damage shows when the bytes are read."""
    where = f"memory://{tmp_path}"
    first = dp.run(photos, out=tmp_path / "out", recipe=toy, store=where, progress=False)
    ran()
    store = Store(where)
    task = next(task for task in first.record["tasks"] if task["node"] == slot)
    path = store._artifact(task["output"])
    store._fs.pipe_file(path, store._fs.cat_file(path)[:-1] + b"\x7f")
    later = toy.set(["sparse.step=2"]) if again else toy
    second = dp.run(photos, out=tmp_path / "2", recipe=later, store=where, progress=False)
    assert kinds(ran()) == (again or {{"pairs": "EveryPair", "sparse": "Line"}[slot]: 1})
    assert (second.scene.points == first.scene.points).all()
    assert "was damaged; it is computed again." in second.record["warnings"][0]


def test_a_photo_that_changes_during_the_run_is_noticed(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    collection = Collection.read(photos, PhotoOptions(), lambda _: None, 1)
    paint(photos / "a.png", 200)
    execution = execute(Graph.of(toy), collection, Store(str(tmp_path / "s")), RunOptions())
    assert execution.failed is not None
    assert execution.failed.failure is not None
    assert execution.failed.failure.code == "photo-changed"


def test_a_finished_store_may_be_read_only(
    photos: Path, toy: dp.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "store")
    dp.run(photos, out=tmp_path / "1", recipe=toy, store=store, progress=False)

    def refuse(self: Store, path: str, data: bytes) -> None:
        raise StageFailure("store-read-only", "no")

    monkeypatch.setattr(Store, "_put", refuse)
    dp.run(photos, out=tmp_path / "2", recipe=toy, store=store, progress=False)
    assert tree(tmp_path / "1" / "sparse") == tree(tmp_path / "2" / "sparse")


def test_a_killed_run_goes_on_where_it_was(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    """Killed at several moments, it ends with the same bytes, and nothing that was finished is done again."""
    expected = dp.run(photos, out=tmp_path / "whole", recipe=dense, progress=False).record["outputs"]
    log, out = tmp_path / "killed.log", tmp_path / "out"
    dp.run(photos, out=out, recipe=dense, seed=1, store=str(tmp_path / "other"), progress=False)
    script = f"""
import diptych as dp
from toys import DENSE
dp.run({str(photos)!r}, out={str(out)!r}, recipe=DENSE, workers=2, progress=False)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TOY_LOG": str(log), "TOY_SLEEP": "0.1"}
    started = 0
    for kill_at in (3, 12, 28, None):
        process = subprocess.Popen([sys.executable, "-c", script], env=env)
        while process.poll() is None and kill_at is not None:
            if log.exists() and len(log.read_text().splitlines()) >= kill_at:
                process.kill()
            time.sleep(0.01)
        assert process.wait(timeout=120) == (0 if kill_at is None else -signal.SIGKILL)
        if kill_at:
            assert {path.name for path in out.iterdir()} == {"store", ".diptych"}, (
                "an earlier run must not pass for this one"
            )
        started = len(log.read_text().splitlines())
    record = dp.Result.load(out).record
    assert record["outputs"] == expected
    # Two workers, three kills: at most six items were begun and not finished.
    assert len(record["tasks"]) < started <= len(record["tasks"]) + 6
    assert not list((out / "store" / "temporary").iterdir())


def test_a_full_disk_loses_only_the_view_that_does_not_fit(
    photos: Path, dense: dp.Recipe, tmp_path: Path, ran: Ran
) -> None:
    """Files may have 8 KiB: views do, depth maps do not."""
    pytest.importorskip("resource")
    out = tmp_path / "out"
    script = f"""
import resource
import diptych as dp
from diptych.stages.failure import StageFailure
from toys import DENSE
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    dp.run({str(photos)!r}, out={str(out)!r}, recipe=DENSE, workers=1, progress=False)
except StageFailure as failure:
    print(failure.code, failure.hint)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("store-full Make room"), done.stderr
    assert not list((out / "store" / "temporary").iterdir())
    finished = {"Corners": 4, "EveryPair": 1, "SameIndex": 6, "Drawn": 6, "OneTrackEach": 1, "Line": 1, "Likeness": 1}
    before = kinds(ran())
    assert before["Layers"] == 1
    assert before.items() >= finished.items()
    dp.run(photos, out=out, recipe=dense, progress=False)
    again = kinds(ran())
    assert not again.keys() & finished.keys()
    assert (again["Layers"], again["Developed"]) == (8, 4 - before["Developed"])
