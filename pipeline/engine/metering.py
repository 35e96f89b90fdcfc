"""What a task costs: wall time, processor time and memory, as far as a process that does several at once can tell."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

INTERVAL = 0.02
"""Seconds between two looks at the memory; one takes some 20 microseconds."""


@dataclass
class Cost:
    """What was spent between the beginning and the end of a task.

    Attributes:
        seconds: wall time.
        cpu_seconds: processor time of the whole process where the task was ``alone``, so that the threads that its
            libraries start count; else that of its own thread, since nothing tells whose the others were.
        peak_rss: the largest resident memory of the process meanwhile in bytes, with what else lay in it. Where it is
            more than the process ever had it is exact, else the largest of looks at short intervals.
        alone: whether no other task was measured in the process meanwhile.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss: int = 0
    alone: bool = True


@contextmanager
def metered() -> Iterator[Cost]:
    """Measure what the body costs; the numbers are there when it has ended."""
    cost = Cost(peak_rss=_resident())
    highest = _highest()
    wall, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
    _watch.begin(cost)
    try:
        yield cost
    finally:
        _watch.end(cost)
        cost.seconds = time.perf_counter() - wall
        cost.cpu_seconds = time.process_time() - process if cost.alone else time.thread_time() - thread
        now = _highest()
        cost.peak_rss = now if now > highest else max(cost.peak_rss, _resident())


class _Watch:
    """One thread that looks at the memory of the process while tasks run, and sleeps while none does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: list[Cost] = []
        self._thread: threading.Thread | None = None

    def begin(self, cost: Cost) -> None:
        with self._changed:
            self._running.append(cost)
            if len(self._running) > 1:
                for each in self._running:
                    each.alone = False
            # A forked process has no threads but the one that forked.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="diptych-memory", daemon=True)
                self._thread.start()
            self._changed.notify()

    def end(self, cost: Cost) -> None:
        with self._changed:
            self._running = [each for each in self._running if each is not cost]

    def _look(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running)
                now = _resident()
                for cost in self._running:
                    cost.peak_rss = max(cost.peak_rss, now)
            time.sleep(INTERVAL)


_watch = _Watch()


def _resident() -> int:
    """Resident memory of this process in bytes."""
    return psutil.Process().memory_info().rss


def _highest() -> int:
    """The most resident memory that this process ever had in bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
