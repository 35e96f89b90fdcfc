"""Work in parallel without changing a single bit of the result."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_inside = 0
_limiter: Any = None


@functools.cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries takes milliseconds, setting a limit microseconds.
    return ThreadpoolController()


def _release_control() -> None:
    # From threadpoolctl 3.8 on, OpenBLAS obeys the thread that asked first and silently ignores all others.
    for library in _controller().lib_controllers:
        release = getattr(library, "clear_controlling_thread", None)
        if release:
            release(force=True)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS at one thread: a sum split over several threads is rounded differently.

    The limit belongs to the process, so threads that ask for it at the same time share it, and the last one out lifts
    it. Where a library keeps a limit for each thread, each that comes in sets its own.
    """
    global _inside, _limiter
    with _lock:
        _release_control()
        limiter = _controller().limit(limits=1, user_api="blas")
        if _inside == 0:
            _limiter = limiter
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _release_control()
                _limiter.restore_original_limits()
                _release_control()


class Chunks:
    """A fixed number of chunks of work, spread over threads.

    How the work is cut depends on the problem alone, never on the number of threads; so a kernel that keeps one
    partial sum per chunk gives the same bytes on any number.

    Args:
        count: number of chunks.
        threads: how many threads to keep busy.
    """

    def __init__(self, count: int, threads: int) -> None:
        self.count = count
        workers = max(1, min(threads, count))
        edges = [count * i // workers for i in range(workers + 1)]
        self._ranges = list(itertools.pairwise(edges))
        self._pool = ThreadPoolExecutor(workers - 1) if workers > 1 else None

    def run(self, kernel: Callable[..., None], *args: Any) -> None:
        """Call ``kernel(first, last, *args)`` so that every chunk is covered once; the kernel must release the GIL."""
        others = [self._pool.submit(kernel, *span, *args) for span in self._ranges[1:]] if self._pool else []
        kernel(*self._ranges[0], *args)
        for other in others:
            other.result()

    def close(self) -> None:
        """Let the threads go."""
        if self._pool:
            self._pool.shutdown()
