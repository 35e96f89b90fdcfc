"""BLAS held at one thread, whichever thread asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy  # noqa: F401  (loads a BLAS)
import pytest
from diptych.stages.threads import one_blas_thread
from threadpoolctl import ThreadpoolController


def limits() -> list[int]:
    """How many threads each BLAS library that is loaded may use."""
    return [library.num_threads for library in ThreadpoolController().select(user_api="blas").lib_controllers]


def held() -> list[int]:
    with one_blas_thread():
        return limits()


@pytest.fixture
def three() -> Iterator[list[int]]:
    """BLAS at three threads, whatever the machine has."""
    with ThreadpoolController().limit(limits=3, user_api="blas"):
        assert set(limits()) == {3}
        yield limits()


def test_any_thread_holds_blas_at_one_and_gives_it_back(three: list[int]) -> None:
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for pool in (first, second, first):
            assert set(pool.submit(held).result()) == {1}
            assert limits() == three


def test_the_last_one_out_lifts_the_limit(three: list[int]) -> None:
    with ThreadPoolExecutor(1) as other:
        with one_blas_thread():
            assert set(other.submit(held).result()) == {1}
            assert set(limits()) == {1}
        assert limits() == three
