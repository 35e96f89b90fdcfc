"""How the result came about: the graph of stages, what ran, how long it took, and on what machine."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ...stages.failure import StageFailure
from ..registry import find
from .charts import bar
from .words import plural, seconds

_ROW = 46
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


def steps_section(record: Mapping[str, Any]) -> str:
    """The graph of stages in order, each with its tasks and seconds, then what each is and its parameters."""
    nodes: Sequence[Node] = (record.get("recipe") or {}).get("nodes") or ()
    if not nodes:
        return ""
    work = {node["name"]: _Work() for node in nodes}
    for task in record.get("tasks") or ():
        work[task["node"]].add(task)
    longest = max(one.seconds + one.stored_seconds for one in work.values()) or 1.0
    total = sum(one.seconds for one in work.values())
    stored = sum(one.stored for one in work.values())
    summary = f"{seconds(total)} of work" if total or not stored else "Nothing had to be done"
    if stored:
        summary += f"; {plural(stored, 'result')} from the store, paler, with the time they once took"
    rows = "".join(_row(node, work[node["name"]], longest) for node in nodes)
    return f"""<section><h2>Stages</h2><p class="soft">{summary}.</p>
<div class="steps">{_flow(nodes, (record.get("failure") or {}).get("node"))}<div class="rows">
<div class="row"><span><b>photos</b></span></div>{rows}</div></div>
<div class="columns parameters">{"".join(_explained(node) for node in nodes)}</div></section>"""


def _row(node: Node, work: _Work, longest: float) -> str:
    counts = ((work.ran, "ran"), (work.stored, "from the store"), (work.failed, "failed"))
    done = ", ".join(f"{number:,} {what}" for number, what in counts if number) or "not reached"
    taken = seconds(work.seconds + work.stored_seconds) if work.ran + work.stored else ""
    return (
        f'<div class="row"><span><b>{escape(node["name"])}</b> <span class="soft">{escape(_stage(node))}</span></span>'
        f'<span class="soft done">{done}</span>{bar(work.seconds / longest, work.stored_seconds / longest)}'
        f'<span class="number{" soft" * (not work.ran)}">{taken}</span></div>'
    )


def _stage(node: Node) -> str:
    """The name of the node's class."""
    return str(node.get("use", "")).rpartition(":")[2]


def _flow(nodes: Sequence[Node], stopped: str | None) -> str:
    """The edges of the graph: a line to the next stage, an arc to those farther down."""
    place = {_PHOTOS: 0} | {node["name"]: i for i, node in enumerate(nodes, 1)}
    edges = sorted({(place.get(source, 0), place[node["name"]]) for node in nodes for source in node.get("inputs", ())})
    reach = {(first, last): 0 if last - first == 1 else 6 + 8 * (last - first) for first, last in edges}
    x = max(reach.values(), default=0) * 0.75 + 7
    arcs = "".join(_arc(x, *edge, reach[edge]) for edge in edges)
    dots = "".join(
        f'<circle cx="{x:g}" cy="{_middle(i)}" r="5" class="{"stopped" if name == stopped else "node"}"/>'
        for name, i in place.items()
    )
    return f'<svg class="flow" width="{x + 22:g}" height="{_ROW * len(place)}" aria-hidden="true">{arcs}{dots}</svg>'


def _arc(x: float, first: int, last: int, reach: float) -> str:
    top, bottom = _middle(first), _middle(last)
    return f'<path d="M{x:g} {top} C{x - reach:g} {top} {x - reach:g} {bottom} {x:g} {bottom}"/>'


def _middle(row: int) -> int:
    return _ROW * row + _ROW // 2


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
