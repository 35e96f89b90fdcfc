"""Calling a function in a new process, so that its memory is measured apart and a crash is a mere failure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from ...stages.failure import StageFailure

T = TypeVar("T")


def run_in_process(work: Callable[..., T], *arguments: object) -> T:
    """Return ``work(*arguments)`` from a new process, which must be able to import the function.

    Raises:
        StageFailure: ``process-died``; other exceptions of the function are passed on.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenProcessPool as error:
            raise StageFailure(
                "process-died",
                "The process ended before its work was done.",
                hint="Most often the memory ran out: use fewer workers or smaller photos.",
            ) from error
