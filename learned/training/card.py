"""The model card of trained weights."""

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
    """The model card of trained weights.

    Attributes:
        task, network, summary: name of the task, class of the network, and one sentence on its training data.
        parameters: number of trained parameters.
        seed: of weights and data.
        step, steps: steps done and steps of the schedule; the same command resumes the training.
        seconds: wall time of training.
        device, threads: of the training.
        sha256: of the weights file.
        metrics: the latest losses and held-out metrics.
        history: one entry for each start or resumption: its first ``step``, the versions of ``torch`` and of Diptych's
            code (``commit``), and whether that was ``dirty``.
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
