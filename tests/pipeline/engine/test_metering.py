"""What tasks cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.engine.metering import INTERVAL, Cost, metered
from diptych.stages.scene import Features, Photo
from diptych.stages.stage import Context
from toys import Corners

MIB = 2**20


def hold(mib: int) -> None:
    """Have so much memory resident for a few looks."""
    block = np.ones(mib * MIB, np.uint8)
    time.sleep(5 * INTERVAL)
    del block


def work(seconds: float) -> float:
    """Keep this thread busy; gives the processor time that it took."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass
    return time.thread_time() - began


def cost_of(body: Callable[[], object]) -> Cost:
    with metered() as cost:
        body()
    return cost


def test_the_peak_rises_and_falls_again() -> None:
    before, large, small, after = (cost_of(lambda mib=mib: hold(mib)).peak_rss / MIB for mib in (1, 400, 150, 1))
    assert large - before == pytest.approx(400, abs=40), "more than there ever was"
    assert small - after == pytest.approx(150, abs=40), "less than there once was"
    assert after - before == pytest.approx(0, abs=40), "a later task does not show the peak of an earlier one"


def test_a_short_peak_is_seen_where_it_is_the_highest() -> None:
    hold(1)
    highest = cost_of(lambda: hold(600)).peak_rss
    assert cost_of(lambda: np.ones(900 * MIB, np.uint8).sum()).peak_rss - highest > 200 * MIB


def in_another_thread(body: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=body)
    thread.start()
    return thread


def test_threads_of_a_task_that_runs_alone_count() -> None:
    spent: list[float] = []
    cost = cost_of(lambda: in_another_thread(lambda: spent.append(work(0.2))).join())
    assert cost.exclusive
    assert cost.cpu_seconds >= spent[0]
    assert cost.seconds >= 0.2


def test_tasks_beside_each_other_count_their_own_thread() -> None:
    both = threading.Barrier(2)
    costs: dict[str, Cost] = {}

    def measured(name: str, body: Callable[[], object]) -> None:
        with metered() as costs[name]:
            both.wait()
            body()
            both.wait()

    threads = [
        in_another_thread(lambda: measured("busy", lambda: work(0.3))),
        in_another_thread(lambda: measured("idle", lambda: None)),
    ]
    for thread in threads:
        thread.join()
    assert not costs["busy"].exclusive and not costs["idle"].exclusive
    assert costs["busy"].cpu_seconds >= 0.3
    assert costs["idle"].cpu_seconds < 0.1
    assert cost_of(lambda: None).exclusive


def test_what_fails_is_no_longer_watched() -> None:
    with pytest.raises(ZeroDivisionError):
        cost_of(lambda: 1 // 0)
    assert cost_of(lambda: None).exclusive


class Greedy(Corners):
    """Takes much memory for the first photo."""

    def run(self, photo: Photo, context: Context) -> Features:
        made = super().run(photo, context)
        if made.color[0, 0] < 60:
            hold(300)
        return made


def test_a_record_tells_what_each_task_took(photos, toy: dp.Recipe, tmp_path) -> None:
    recipe = toy.with_(features=Greedy())
    result = dp.run(photos, out=tmp_path, recipe=recipe, workers=1, until="features", progress=False)
    peaks = [task["peak_rss"] / MIB for task in result.record["tasks"]]
    assert peaks[0] - np.array(peaks[1:]) == pytest.approx(300, abs=60)
    assert all(task["exclusive"] for task in result.record["tasks"])
