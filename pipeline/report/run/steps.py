"""How the result came about: the graph of stages, what ran, how long it took, and on what machine."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....stages.failure import StageFailure
from ...engine.registry import find
from ..charts.flow import FlowBox, State, flow_picture
from ..record import texts
from ..words import plural, seconds

_PHOTOS = "photos"

Node = Mapping[str, Any]
"""A node of the record's recipe."""


@dataclass
class _Work:
    """What was done at one node: how many tasks, and the seconds of those that ran and of those in the store."""

    ran: int = 0
    stored: int = 0
    failed: int = 0
    seconds: float = 0.0
    stored_seconds: float = 0.0

    def add(self, task: Mapping[str, Any]) -> None:
        duration = task.get("seconds") or 0.0
        match task.get("status"):
            case "ran":
                self.ran += 1
                self.seconds += duration
            case "hit":
                self.stored += 1
                self.stored_seconds += duration
            case "failed":
                self.failed += 1

    @property
    def told(self) -> str:
        """The tasks in words."""
        counts = ((self.ran, "ran"), (self.stored, "from the store"), (self.failed, "failed"))
        return ", ".join(f"{number:,} {what}" for number, what in counts if number) or "not reached"

    @property
    def state(self) -> State:
        if self.failed:
            return "failed"
        return "ran" if self.ran else "stored" if self.stored else "waiting"


def stages(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The drawn graph with tasks and seconds of each stage, and what each stage is; ``None`` without a recipe."""
    nodes: Sequence[Node] = (record.get("recipe") or {}).get("nodes") or ()
    if not nodes:
        return None
    work = {node["name"]: _Work() for node in nodes}
    for task in record.get("tasks") or ():
        work[task["node"]].add(task)
    total = sum(one.seconds for one in work.values())
    stored = sum(one.stored for one in work.values())
    summary = f"{seconds(total)} of work" if total or not stored else "Nothing had to be done"
    if stored:
        summary += f"; {plural(stored, 'result')} from the store, paler, with the time they once took"
    return {
        "summary": summary,
        "graph": flow_picture(_boxes(record, nodes, work)),
        "stages": [
            {"name": _stage(node), "about": _about(node), "parameters": texts(node.get("parameters") or {})}
            for node in nodes
        ],
    }


def _boxes(record: Mapping[str, Any], nodes: Sequence[Node], work: Mapping[str, _Work]) -> list[FlowBox]:
    files = (record.get("photos") or {}).get("files") or ()
    longest = max(one.seconds + one.stored_seconds for one in work.values()) or 1.0
    boxes, pairs = [FlowBox(_PHOTOS, plural(len(files), "file") if files else "", "", (), "stored")], None
    for node in nodes:
        done, known = work[node["name"]], {box.name for box in boxes}
        taken = seconds(done.seconds + done.stored_seconds) if done.ran + done.stored else ""
        inputs = [source if source in known else _PHOTOS for source in node.get("inputs") or ()]
        # What runs once a pair also needs to know the pairs.
        inputs += [pairs] if pairs and node.get("extent") == "pair" else []
        boxes.append(
            FlowBox(
                node["name"],
                f"{_stage(node)} · {done.told}",
                taken,
                inputs,
                done.state,
                done.seconds / longest,
                done.stored_seconds / longest,
            )
        )
        pairs = node["name"] if node.get("slot") == "pairs" else pairs
    return boxes


def _stage(node: Node) -> str:
    """The name of the node's class."""
    return str(node.get("use", "")).rpartition(":")[2]


def _about(node: Node) -> list[str]:
    """Paragraphs of the stage's docstring up to the parameters; none where its class cannot be found."""
    try:
        cls = find(str(node.get("use")))
    except StageFailure:
        return []
    text = inspect.cleandoc(cls.__doc__ or "")
    if text.startswith(f"{cls.__name__}("):  # a docstring that dataclasses generated
        return []
    text = text.partition("\nArgs:")[0].replace("``", "").strip()
    return [" ".join(part.split()) for part in text.split("\n\n") if part]
