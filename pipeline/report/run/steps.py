"""How the result came about: the graph of stages, what ran, how long it took, and on what machine."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ....stages.failure import StageFailure
from ...engine.registry import find
from ..charts.flow import FlowBox, State, flow_picture
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


def steps_section(record: Mapping[str, Any]) -> str:
    """A picture of the graph with tasks and seconds of each stage, then what each is and its parameters."""
    nodes: Sequence[Node] = (record.get("recipe") or {}).get("nodes") or ()
    if not nodes:
        return ""
    work = {node["name"]: _Work() for node in nodes}
    for task in record.get("tasks") or ():
        work[task["node"]].add(task)
    total = sum(one.seconds for one in work.values())
    stored = sum(one.stored for one in work.values())
    summary = f"{seconds(total)} of work" if total or not stored else "Nothing had to be done"
    if stored:
        summary += f"; {plural(stored, 'result')} from the store, paler, with the time they once took"
    return f"""<section><h2>Stages</h2><p class="soft">{summary}.</p>
<div class="stages"><div class="graph" tabindex="0">{flow_picture(_boxes(record, nodes, work))}</div>
<div class="columns parameters">{"".join(_explained(node) for node in nodes)}</div></div></section>"""


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


def _explained(node: Node) -> str:
    about = "".join(f"<p>{escape(' '.join(part.split()))}</p>" for part in _about(node).split("\n\n") if part)
    return f"<div><h3>{escape(_stage(node))}</h3>{about}{_list(node.get('parameters') or {})}</div>"


def _about(node: Node) -> str:
    """What the stage does and after whom: its docstring up to the parameters, where its class can be found."""
    try:
        cls = find(str(node.get("use")))
    except StageFailure:
        return ""
    text = inspect.cleandoc(cls.__doc__ or "")
    generated = text.startswith(f"{cls.__name__}(")
    return "" if generated else text.partition("\nArgs:")[0].replace("``", "").strip()


def record_section(record: Mapping[str, Any]) -> str:
    """What a colleague needs to know to get the same bytes: recipe and seed, versions, machine."""
    git = record.get("git") or {}
    run = {
        "recipe": (record.get("recipe") or {}).get("name"),
        **{name: record.get(name) for name in ("seed", "until", "workers", "device", "when")},
        "commit": git.get("commit", "")[:12] + ", changed since" * bool(git.get("dirty")),
    }
    groups = {"Run": run, "Machine": record.get("hardware") or {}, "Versions": record.get("versions") or {}}
    lists = {
        title: _list({name: fact for name, fact in facts.items() if fact not in (None, "")})
        for title, facts in groups.items()
    }
    columns = "".join(f"<div><h3>{title}</h3>{facts}</div>" for title, facts in lists.items() if facts)
    return f'<section><h2>Record</h2><div class="columns">{columns}</div></section>' if columns else ""


def _list(facts: Mapping[str, Any]) -> str:
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_text(value))}</dd>" for name, value in facts.items())
    return f"<dl>{pairs}</dl>" if pairs else ""


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
