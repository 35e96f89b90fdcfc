"""A run keeps to the memory it may have, says so beforehand, and makes the same of it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.engine import memory
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.memory import GIB, MemoryBudget, allowed, available, needs
from diptych.pipeline.engine.runner import cores
from diptych.pipeline.results.record import outputs_of
from diptych.stages.dense import Around, DepthMap, View
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Camera, Photos
from diptych.stages.stage import Context
from toys import Developed, Layers, tree

ONE = 1000 * 24 * 32 * 3
"""What Layers says of a view with two neighbors."""

Ran = Callable[[], list[str]]


class Crowded(Layers):
    """Sees how many of it run at once, and how many threads each is given."""

    most: ClassVar[int] = 0
    now: ClassVar[int] = 0
    threads: ClassVar[set[int]] = set()
    lock: ClassVar[threading.Lock] = threading.Lock()
    fails: bool = False

    def run(self, views: Around[View], context: Context, depths: Around[DepthMap] | None = None) -> DepthMap:
        with Crowded.lock:
            Crowded.now += 1
            Crowded.most = max(Crowded.most, Crowded.now)
            Crowded.threads.add(context.threads)
        time.sleep(0.05)
        with Crowded.lock:
            Crowded.now -= 1
        if self.fails:
            raise StageFailure("dark", "It is dark.")
        return super().run(views, context, depths)


@pytest.fixture(autouse=True)
def nobody_there() -> None:
    Crowded.most = Crowded.now = 0
    Crowded.threads = set()


@pytest.mark.parametrize(("gib", "most"), [(1.5 * ONE / GIB, 1), (2 * ONE / GIB, 2), (100.0, 4)])
def test_no_more_run_at_once_than_fit(
    photos: Path, dense: dp.Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], gib: float, most: int
) -> None:
    crowded = dense.with_(depths=Crowded())
    free = dp.run(photos, out=tmp_path / "free", recipe=crowded, progress=False)
    Crowded.most = 0
    held = dp.run(photos, out=tmp_path / "held", recipe=crowded, workers=4, memory=gib)
    assert Crowded.most <= most
    assert max(1, cores() // most) in Crowded.threads
    assert outputs_of(held.record) == outputs_of(free.record)
    assert tree(tmp_path / "held" / "store" / "keys").keys() == tree(tmp_path / "free" / "store" / "keys").keys()
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == [f"{node}: about 0.01 GiB a view, {most} at a time" for node in ("depths", "refined")]


def test_what_waits_for_memory_is_not_begun_after_a_failure(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match="dark"):
        dp.run(
            photos,
            out=tmp_path / "out",
            recipe=dense.with_(depths=Crowded(fails=True)),
            workers=4,
            memory=ONE / GIB,
            progress=False,
        )
    tasks = dp.Result.load(tmp_path / "out").record["tasks"]
    assert [task["status"] for task in tasks if task["node"] == "depths"].count("skipped") == 3


def test_too_little_memory_is_told_before_anything_runs(
    photos: Path, dense: dp.Recipe, tmp_path: Path, ran: Ran
) -> None:
    with pytest.raises(StageFailure, match="too-little-memory") as caught:
        dp.run(photos, out=tmp_path / "out", recipe=dense, memory=0.9 * ONE / GIB, progress=False)
    assert caught.value.sentence == "depths needs about 0.01 GiB a view, and 0.00 GiB may be used."
    assert caught.value.hint == "Set a smaller views.max_size, or allow more with --memory."
    assert ran() == []
    smaller = dense.set(["views.max_size=16"])
    dp.run(photos, out=tmp_path / "out", recipe=smaller, memory=0.9 * ONE / GIB, progress=False)
    assert [line.split()[0] for line in ran()].count("Layers") == 8


def test_what_the_store_has_needs_no_memory(photos: Path, dense: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=dense, progress=False)
    ran()
    dp.run(photos, out=tmp_path / "out", recipe=dense.set(["mesh.lift=2"]), memory=0.001, progress=False)
    assert [line.split()[0] for line in ran()] == ["Corner"]
    with pytest.raises(StageFailure, match="too-little-memory"):
        dp.run(photos, out=tmp_path / "out", recipe=dense.set(["refined.above=3"]), memory=0.001, progress=False)


def test_sizes_follow_the_stages_that_change_them(photos: Path, dense: dp.Recipe) -> None:
    cameras = tuple(Camera("SIMPLE_PINHOLE", w, h, (30, w / 2, h / 2)) for w, h in ((60, 10), (40, 40), (60, 10)))
    collection = Photos(("a", "b", "c"), cameras, np.arange(3), np.full((3, 3), np.nan))
    found = needs(Graph.of(dense), collection)
    assert found["depths"] == found["refined"] == 1000 * 1600 * 3
    assert {found[node] for node in ("features", "views", "mesh")} == {0}
    halved = dense.with_(views=Developed(max_size=30))
    assert needs(Graph.of(halved), collection)["depths"] == 1000 * 20 * 20 * 3


def test_the_plan_shows_what_an_item_needs(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    plans = {one.node: one for one in dp.plan(photos, out=tmp_path / "out", recipe=dense)}
    assert plans["depths"].memory == ONE
    assert plans["views"].memory == 0


def test_tasks_share_the_budget() -> None:
    budget = MemoryBudget(10)
    assert [budget.fits(need) for need in (3, 10, 11)] == [3, 1, 1]
    assert budget.fits(0) == sys.maxsize
    order: list[str] = []

    def wait() -> None:
        with budget.reserve(6):
            order.append("second")

    with budget.reserve(5):
        other = threading.Thread(target=wait)
        other.start()
        with budget.reserve(5):
            time.sleep(0.05)
        order.append("first")
    other.join(timeout=10)
    assert order == ["first", "second"]
    with budget.reserve(99):
        pass


def test_the_limit_is_what_is_available(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert available() > 2**20
    assert allowed(0.5) == GIB // 2
    monkeypatch.setattr(memory, "_free", lambda: 5000)
    monkeypatch.setattr(memory, "_GROUPS", ())
    assert allowed(None) == 4000
    if not Path("/proc/self/cgroup").exists():
        pytest.skip("no control groups here")
    for name, text in (("max", "3000\n"), ("current", "2500\n"), ("stat", "anon 7\ninactive_file 500\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(memory, "_GROUPS", ((str(tmp_path), "memory.max", "memory.current", "inactive_file"),))
    assert available() == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert available() == 5000
