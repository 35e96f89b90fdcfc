"""Training as a command: check the arguments, train, and print the progress."""

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
"""Seconds between two lines of progress."""


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
    """Train one of Diptych's networks, or continue the training in ``out``.

    Args:
        task: ``depth``, ``mono`` or ``refiner``.
        out: folder of the weights (``weights.safetensors``), their card, the curves, and the state to continue from.
        steps: total number of steps.
        seed: of the initial weights and of the data; with the same threads it gives the same weights on a CPU.
        device: ``cpu``, or a torch device.
        start: initial weights, a shipped name or a file.
        threads: of each operation on the CPU.
        minutes: stop after so many minutes, ready to continue.
        real: folders of photos with true cameras, on which the network is validated too; see
            :func:`diptych.pipeline.real_scenes.real_scenes`. It is never trained on them.
        stream: where to print the progress; standard error if None.

    Raises:
        StageFailure: ``unknown-task``, ``no-device``, ``not-writable``, ``training-diverged``, ``other-training``,
            those of unusable weights, and as :func:`diptych.pipeline.real_scenes.real_scenes`.
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
    """Prints a line every :data:`EVERY` seconds: the step, the time left and the latest numbers."""

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
