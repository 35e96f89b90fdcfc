"""Deterministic inference on the requested device."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..stages.failure import StageFailure
from ..stages.stage import Context

_lock = threading.Lock()
_holders, _previous = 0, 1


def torch_device(context: Context) -> torch.device:
    """The device of the context.

    Raises:
        StageFailure: ``no-device``.
    """
    return device_named(context.device)


def device_named(name: str) -> torch.device:
    """The torch device of that name.

    Raises:
        StageFailure: ``no-device`` where torch cannot use it here.
    """
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise StageFailure(
            "no-device", f"The device {name!r} cannot be used: {reason}", hint="Leave --device out to run on the CPU."
        ) from error
    return torch.device(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run every operation on one thread: a sum over several threads is rounded differently.

    Several threads may hold this at once; the last one restores the previous number.
    """
    global _holders, _previous
    with _lock:
        if _holders == 0:
            _previous = torch.get_num_threads()
        _holders += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                torch.set_num_threads(_previous)


@contextmanager
def deterministic() -> Iterator[None]:
    """No gradients, and one thread for each operation, as :func:`one_thread`."""
    with one_thread(), torch.inference_mode():
        yield
