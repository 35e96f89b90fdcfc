"""Parallel work with results that do not depend on the number of threads."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limiter: Any = None


@functools.cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries takes milliseconds, setting a limit takes microseconds.
    return ThreadpoolController()


def _release_control() -> None:
    # From threadpoolctl 3.8 on, OpenBLAS ignores limits from all threads but the first that set one.
    for library in _controller().lib_controllers:
        release = getattr(library, "clear_controlling_thread", None)
        if release:
            release(force=True)


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Limit BLAS to one thread within the context, because a sum over several threads is rounded differently.

    The limit is that of the process: threads within the context share it, and the last to leave removes it. Some
    libraries keep a limit per thread, so every thread that enters sets it.
    """
    global _users, _limiter
    with _lock:
        _release_control()
        limiter = _controller().limit(limits=1, user_api="blas")
        if _users == 0:
            _limiter = limiter
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _release_control()
                _limiter.restore_original_limits()
                _release_control()


class Chunks:
    """A fixed number of chunks of work on several threads.

    The chunks depend only on the problem, not on the number of threads. So a kernel with one partial sum per chunk
    gives the same bytes on any number of threads.

    Args:
        count: number of chunks.
        threads: number of threads.
    """

    def __init__(self, count: int, threads: int) -> None:
        self.count = count
        workers = max(1, min(threads, count))
        edges = [count * i // workers for i in range(workers + 1)]
        self._ranges = list(itertools.pairwise(edges))
        self._pool = ThreadPoolExecutor(workers - 1) if workers > 1 else None

    def run(self, kernel: Callable[..., None], *args: Any) -> None:
        """Call ``kernel(first, last, *args)`` on ranges that cover all chunks; the kernel must release the GIL."""
        others = [self._pool.submit(kernel, *span, *args) for span in self._ranges[1:]] if self._pool else []
        kernel(*self._ranges[0], *args)
        for other in others:
            other.result()

    def close(self) -> None:
        """Stop the threads."""
        if self._pool:
            self._pool.shutdown()
