"""Programs under measurement: each runs as a process of its own, so that its time and memory are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

POLL = 0.01
"""Seconds between two looks at a process that is going to be killed."""


@dataclass(frozen=True)
class Finished:
    """How a process ended: wall seconds, peak resident GiB, exit status (negative for a signal), all that it printed.

    ``said`` holds standard output and standard error together.
    """

    seconds: float
    peak_gib: float
    status: int
    said: str


def diptych(*arguments: object) -> list[str]:
    """Diptych's command line, in the Python that runs this."""
    return [sys.executable, "-m", "diptych.pipeline.cli", *map(str, arguments)]


def measure(command: list[str], kill_when: Callable[[], bool] | None = None) -> Finished:
    """Run a command to its end, or kill it (``kill -9``) once ``kill_when`` says so."""
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG if kill_when else 0)
        while not ended:
            if kill_when and kill_when():
                os.kill(process.pid, signal.SIGKILL)
                kill_when = None
            time.sleep(POLL)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen must not look for a process that is gone.
        said.seek(0)
        return Finished(seconds, usage.ru_maxrss / 2**20, process.returncode, said.read())
