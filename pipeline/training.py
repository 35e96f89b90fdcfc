"""Training as a command: check what was asked for, train, and say how it goes."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..stages.failure import StageFailure
from .engine.parameters import nearest
from .real_scenes import real_scenes

if TYPE_CHECKING:
    from ..learned.training.card import Card

EVERY = 10.0
"""Seconds between two lines on how a training goes."""


def train(
    task: str,
    *,
    out: str | Path,
    steps: int = 10_000,
    seed: int = 0,
    device: str = "cpu",
    start: str | None = None,
    threads: int = 1,
    minutes: float | None = None,
    real: Sequence[str | Path] = (),
    stream: TextIO | None = None,
) -> Card:
    """Train one of Diptych's networks, or go on with the training in ``out``.

    Args:
        task: ``depth``, ``mono`` or ``refiner``.
        out: folder of the weights (``weights.safetensors``), their card, the curves, and what going on needs.
        steps: how many in all.
        seed: of the first weights and of the data; with the same threads it gives the same weights on a CPU.
        device: ``cpu``, or a torch device.
        start: weights to begin with, a shipped name or a file.
        threads: of each operation on the CPU.
        minutes: stop after so long, ready to go on.
        real: folders of photos with true cameras, on which the network is judged whenever it is validated: see
            :func:`diptych.pipeline.real_scenes.real_scenes`. It never learns from them.
        stream: where to say how it goes; standard error if not given.

    Raises:
        StageFailure: ``unknown-task``, ``no-device``, ``not-writable``, ``training-diverged``, ``other-training``,
            those of unusable weights, and as :func:`~diptych.pipeline.real_scenes.real_scenes`.
    """
    from ..learned.inference import device_named
    from ..learned.training import loop
    from ..learned.training.tasks import TASKS, task_named

    if task not in TASKS:
        raise StageFailure("unknown-task", f"There is no training named {task!r}.", hint=nearest(task, sorted(TASKS)))
    chosen = task_named(task)(seed, device_named(device))
    try:
        return loop.train(
            chosen,
            Path(out),
            steps=steps,
            seed=seed,
            start=start,
            threads=threads,
            seconds=math.inf if minutes is None else 60 * minutes,
            real=real_scenes(real, Path(out) / "real"),
            progress=_Lines(stream or sys.stderr),
        )
    except OSError as error:
        raise StageFailure(
            "not-writable",
            f"The folder {out} cannot be written to: {error.strerror or error}.",
            hint="Make room, or choose another with --out.",
        ) from error


class _Lines:
    """A line now and then: the step, the time left and the latest numbers."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._began, self._said, self._first = stream, time.monotonic(), -math.inf, -1

    def __call__(self, step: int, steps: int, numbers: dict[str, float]) -> None:
        now = time.monotonic()
        if self._first < 0:
            self._first, self._began = step, now
        if now - self._said < EVERY and step < steps:
            return
        self._said = now
        left = (now - self._began) / max(step - self._first, 1) * (steps - step)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        print(f"step {step:,} of {steps:,}, about {left / 60:.0f} min left; {shown}", file=self._stream, flush=True)
