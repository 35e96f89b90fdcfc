"""Work in a process of its own, so that its memory is its own and its death is no more than a failure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from ...stages.failure import StageFailure

T = TypeVar("T")


def alone(work: Callable[..., T], *arguments: object) -> T:
    """The result of ``work(*arguments)``, which must be a function that another process can import.

    Raises:
        StageFailure: ``process-died``, and whatever the work raises.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenProcessPool as error:
            raise StageFailure(
                "process-died",
                "Its process ended before the work was done.",
                hint="Most often memory ran out: give it less to do at once, or smaller photos.",
            ) from error
