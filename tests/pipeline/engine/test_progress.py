"""What a person sees of a run while it goes."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import diptych as dp
import pytest
from diptych.pipeline.cache.store import KeyRecord, Store
from diptych.pipeline.engine import progress
from diptych.pipeline.engine.collection import Collection
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.options import PhotoOptions, RunOptions
from diptych.pipeline.engine.progress import Bars, Lines, Reporter
from diptych.pipeline.engine.runner import execute
from diptych.pipeline.engine.tasks import Outcome, Status


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def finish(reporter: Reporter, item: str, status: Status) -> None:
    reporter.done(Outcome(("depths", item), status, record=KeyRecord("", "", 0, {}, 0.0, 0.0, 0, (), 0.0)))


def test_the_time_left_follows_the_views_that_were_worked_on(clock: list[float]) -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.start("depths", "PatchMatch", 10)
    clock[0] += 500
    for i in range(4):
        finish(lines, f"stored {i}", "hit")
    assert stream.getvalue() == "", "what the store had says nothing of the time that is left"
    lines.part(("depths", "a"), 0, 1)
    clock[0] += 40
    lines.part(("depths", "a"), 2, 4)
    assert stream.getvalue().splitlines()[-1] == "depths: PatchMatch, 4/10, 4 stored, about 7 min left"
    clock[0] += 40
    finish(lines, "a", "ran")
    assert stream.getvalue().splitlines()[-1] == "depths: PatchMatch, 5/10, 4 stored, about 7 min left"
    lines.part(("depths", "b"), 0, 1)
    clock[0] += 20
    lines.part(("depths", "b"), 1, 2)
    assert len(stream.getvalue().splitlines()) == 2, "not twice within half a minute"
    clock[0] += 20
    finish(lines, "b", "ran")
    assert stream.getvalue().splitlines()[-1] == "depths: PatchMatch, 6/10, 4 stored, about 4 min left"
    for item in "cdef":
        finish(lines, item, "ran")
    assert stream.getvalue().splitlines()[-1] == "depths: PatchMatch, 10/10, 4 stored, 2 min"


def test_the_time_left_runs_down_within_a_view(clock: list[float]) -> None:
    node = progress._NodeProgress("PatchMatch", 3)
    assert node.left(clock[0]) is None
    node.began, node.moved, node.finished, node.ran, node.parts = 900.0, 1000.0, 1, 1, {"b": 0.25}
    assert node.left(1000.0) == pytest.approx(80 * 1.75)
    assert node.left(1030.0) == pytest.approx(80 * 1.75 - 30)
    assert node.left(5000.0) == 0


def test_bars_show_how_far_a_view_is(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setenv("COLUMNS", "200")
    bars = Bars(stream)
    bars.start("depths", "PatchMatch", 4)
    bars.part(("depths", "a.jpg"), 0, 1)
    clock[0] += 30
    bars.part(("depths", "a.jpg"), 1, 2)
    assert bars.progress.tasks[0].completed == 0.5
    finish(bars, "b.jpg", "hit")
    assert bars.progress.tasks[0].completed == 1.5
    clock[0] += 30
    finish(bars, "a.jpg", "ran")
    assert bars.progress.tasks[0].completed == 2
    bars.note("depths: about 0.3 GiB a view")
    bars.close()
    assert "depths: about 0.3 GiB a view" in stream.getvalue()
    assert "2/4, 1 stored" in stream.getvalue()
    assert "2 min left" in stream.getvalue()


def test_bars_show_every_node(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    collection = Collection.read(photos, PhotoOptions(), lambda _: None, 1)
    stream = io.StringIO()
    bars = Bars(stream)
    execute(Graph.of(toy), collection, Store(str(tmp_path / "s")), RunOptions(workers=2), bars)
    bars.warn("Mind [the] gap.")
    bars.close()
    shown = stream.getvalue()
    assert "Mind [the] gap." in shown
    for node, items in (("features", "4/4"), ("matches", "6/6"), ("sparse", "1/1")):
        assert any(node in line and items in line for line in shown.splitlines())


def test_a_run_is_logged_and_no_handler_prints(
    photos: Path, toy: dp.Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "diptych")
    recipe = toy.set({"features.warns": True})
    dp.run(photos, out=tmp_path / "out", recipe=recipe, progress=False)
    dp.run(photos, out=tmp_path / "out", recipe=recipe, progress=False)
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("WARNING", "a.png: The photo is plain.") in said
    assert ("DEBUG", "features of a.png: from the store") in said
    assert any(text.startswith("features: Corners, 4/4, ") for level, text in said if level == "INFO")
    assert any("0 tasks ran, 19 came from the store" in text for level, text in said if level == "INFO")
    assert all(type(handler) is logging.NullHandler for handler in logging.getLogger("diptych").handlers)
    assert capsys.readouterr() == ("", "")
