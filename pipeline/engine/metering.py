"""The cost of a task: wall time, processor time and peak memory, also where a process runs several at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

INTERVAL = 0.02
"""Seconds between two samples of the memory; one takes some 20 microseconds."""


@dataclass
class Cost:
    """The cost of a task.

    Attributes:
        seconds: wall time.
        cpu_seconds: processor time. Of the whole process if the task was ``exclusive``, which includes the threads of
            its libraries; else of its own thread, because other threads cannot be assigned to a task.
        peak_rss: peak resident memory of the process during the task in bytes, with everything else in the process.
            It is exact where it exceeds all earlier peaks, else the maximum of samples.
        exclusive: whether the process measured no other task at the same time.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss: int = 0
    exclusive: bool = True


@contextmanager
def metered() -> Iterator[Cost]:
    """Measure the cost of the body; the numbers are set when it has ended."""
    cost = Cost(peak_rss=_resident())
    highest = _highest()
    wall, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
    _sampler.begin(cost)
    try:
        yield cost
    finally:
        _sampler.end(cost)
        cost.seconds = time.perf_counter() - wall
        cost.cpu_seconds = time.process_time() - process if cost.exclusive else time.thread_time() - thread
        now = _highest()
        cost.peak_rss = now if now > highest else max(cost.peak_rss, _resident())


class _MemorySampler:
    """A thread that samples the memory of the process while tasks run, and sleeps while none does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: list[Cost] = []
        self._thread: threading.Thread | None = None

    def begin(self, cost: Cost) -> None:
        with self._changed:
            self._running.append(cost)
            if len(self._running) > 1:
                for each in self._running:
                    each.exclusive = False
            # A forked process has no threads but the one that forked.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._sample, name="diptych-memory", daemon=True)
                self._thread.start()
            self._changed.notify()

    def end(self, cost: Cost) -> None:
        with self._changed:
            self._running = [each for each in self._running if each is not cost]

    def _sample(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running)
                now = _resident()
                for cost in self._running:
                    cost.peak_rss = max(cost.peak_rss, now)
            time.sleep(INTERVAL)


_sampler = _MemorySampler()


def _resident() -> int:
    """Resident memory of this process in bytes."""
    return psutil.Process().memory_info().rss


def _highest() -> int:
    """Peak resident memory of this process so far in bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
