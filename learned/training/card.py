"""The card of some weights: what they were trained on, how far, and how good they are."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...stages.provenance import diptych_version, git_state


@dataclass(frozen=True)
class Card:
    """What a person must know of some weights.

    Attributes:
        task, network, summary: what was trained, and what it learns from what.
        parameters: how many numbers it learned.
        seed: of weights and data.
        step, steps: how far the training went, and how far its schedule goes; the same command continues it.
        seconds: wall time of training.
        device, threads: where it ran.
        sha256: of the file of weights.
        metrics: the latest losses and figures on held-out samples.
        history: with which code it was trained, one entry for each time that it was begun or continued: the first
            ``step``, the versions of ``torch`` and of Diptych's code (``commit``), and whether that was ``dirty``.
    """

    task: str
    network: str
    summary: str
    parameters: int
    seed: int
    step: int
    steps: int
    seconds: int
    device: str
    threads: int
    sha256: str
    metrics: dict[str, float] = field(default_factory=dict)
    history: tuple[dict[str, Any], ...] = ()

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", "utf-8")


def code_version() -> dict[str, Any]:
    """The versions of torch and of Diptych's code; without a repository the version of the package."""
    state = git_state() or {"commit": f"diptych {diptych_version()}", "dirty": False}
    return {"torch": version("torch"), **state}
