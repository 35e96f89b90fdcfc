"""How the result came about: the graph of stages, what ran, how long it took, and on what machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .charts import bar
from .words import plural, seconds

_ROW = 46
_SOURCES = "photos"


@dataclass
class _Work:
    """What was done at one node."""

    ran: int = 0
    stored: int = 0
    seconds: float = 0.0


def steps_section(record: Mapping[str, Any]) -> str:
    """The graph of stages in order, each with its tasks and seconds, then the parameters of each."""
    nodes = list((record.get("recipe") or {}).get("nodes") or ())
    if not nodes:
        return ""
    work = _work(record.get("tasks") or ())
    longest = max((one.seconds for one in work.values()), default=0.0) or 1.0
    stopped = (record.get("failure") or {}).get("node")
    total = sum(one.seconds for one in work.values())
    tasks = sum(one.ran + one.stored for one in work.values())
    rows = "".join(_row(node, work.get(node["slot"], _Work()), longest) for node in nodes)
    return f"""<section><h2>Stages</h2>
<div class="steps">{_flow(nodes, stopped)}<div class="rows"><div class="row"><b>{_SOURCES}</b>
<span class="soft">{plural(tasks, "task")}, {seconds(total)} of work</span></div>{rows}</div></div>
<div class="parameters">{"".join(_parameters(node) for node in nodes)}</div></section>"""


def _work(tasks: Sequence[Mapping[str, Any]]) -> dict[str, _Work]:
    """The tasks summed up by node."""
    work: dict[str, _Work] = {}
    for task in tasks:
        one = work.setdefault(task["node"], _Work())
        if task.get("hit"):
            one.stored += 1
        else:
            one.ran += 1
            one.seconds += task.get("seconds") or 0.0
    return work


def _row(node: Mapping[str, Any], work: _Work, longest: float) -> str:
    done = [f"{work.ran:,} ran"] * (work.ran > 0) + [f"{work.stored:,} from the store"] * (work.stored > 0)
    return (
        f'<div class="row"><b>{escape(node["slot"])}</b><span class="soft">{escape(node["stage"])}</span>'
        f'<span class="soft done">{", ".join(done) or "not reached"}</span>'
        f"{bar(work.seconds / longest) if work.ran else '<span></span>'}"
        f'<span class="number">{seconds(work.seconds) if work.ran else ""}</span></div>'
    )


def _flow(nodes: Sequence[Mapping[str, Any]], stopped: str | None) -> str:
    """The edges of the graph: a line to the next stage, an arc to those farther down."""
    place = {_SOURCES: 0} | {node["slot"]: i for i, node in enumerate(nodes, 1)}
    edges = sorted({(place.get(source, 0), place[node["slot"]]) for node in nodes for source in node["inputs"]})
    reach = {edge: 0 if edge[1] - edge[0] == 1 else 8 + 9 * (edge[1] - edge[0]) for edge in edges}
    x = max(reach.values(), default=0) * 0.75 + 8
    arcs = "".join(_arc(x, first, last, reach[first, last]) for first, last in edges)
    dots = "".join(
        f'<circle cx="{x:g}" cy="{_middle(i)}" r="5"{" class=stopped" * (name == stopped)}/>' for name, i in place.items()
    )
    height = _ROW * len(place)
    return f'<svg class="flow" width="{x + 20:g}" height="{height}" aria-hidden="true">{arcs}{dots}</svg>'


def _arc(x: float, first: int, last: int, reach: float) -> str:
    top, bottom = _middle(first), _middle(last)
    return f'<path d="M{x:g} {top} C{x - reach:g} {top} {x - reach:g} {bottom} {x:g} {bottom}"/>'


def _middle(row: int) -> int:
    return _ROW * row + _ROW // 2


def _parameters(node: Mapping[str, Any]) -> str:
    values = node.get("parameters") or {}
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_value(value))}</dd>" for name, value in values.items())
    return f"<div><h3>{escape(node['stage'])}</h3><dl>{pairs}</dl></div>"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def record_section(record: Mapping[str, Any]) -> str:
    """What a colleague needs to know to get the same bytes: seed, versions, machine."""
    facts = {key: record[key] for key in ("seed", "hardware", "versions") if record.get(key) is not None}
    if not facts:
        return ""
    pairs = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_value(value))}</dd>" for name, value in _flatten(facts).items()
    )
    return f'<section><h2>Record</h2><dl class="record">{pairs}</dl></section>'


def _flatten(facts: Mapping[str, Any]) -> dict[str, object]:
    """Facts one level deep, those of a group under their own names."""
    flat: dict[str, object] = {}
    for name, value in facts.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat
