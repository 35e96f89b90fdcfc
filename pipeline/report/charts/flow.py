"""A picture of the graph as it ran: a box for every node, in layers, and a line for every edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from markupsafe import Markup

_WIDTH, _HEIGHT = 236, 48
_ACROSS, _DOWN = 24, 26
"""Space between boxes."""

State = Literal["ran", "stored", "failed", "waiting"]


@dataclass(frozen=True)
class FlowBox:
    """A node of the picture.

    Attributes:
        name, about: its first and its second line.
        time: what stands at the right of the first line.
        inputs: names of the boxes that lead to it; each stands before it.
        state: what was done there.
        share, pale: how much of its length the bar in it fills, and how much more in a lighter shade.
    """

    name: str
    about: str
    time: str
    inputs: Sequence[str]
    state: State
    share: float = 0.0
    pale: float = 0.0


def flow_picture(boxes: Sequence[FlowBox]) -> Markup:
    """The boxes, each below all that lead to it; an edge that skips layers swings out to the left."""
    cell = _cells(boxes)
    edges = [(source, box.name) for box in boxes for source in dict.fromkeys(box.inputs)]
    reach = {edge: _reach(cell[edge[0]], cell[edge[1]]) for edge in edges}
    left = 0.75 * max(reach.values(), default=0) + 6
    across, down = (max(place[axis] for place in cell.values()) + 1 for axis in (0, 1))
    width, height = left + across * (_WIDTH + _ACROSS) - _ACROSS + 2, down * (_HEIGHT + _DOWN) - _DOWN + 4

    def corner(name: str) -> tuple[float, float]:
        column, layer = cell[name]
        return left + column * (_WIDTH + _ACROSS), 2 + layer * (_HEIGHT + _DOWN)

    lines = "".join(_edge(corner(first), corner(last), reach[first, last]) for first, last in edges)
    drawn = "".join(_box(box, *corner(box.name)) for box in boxes)
    return Markup(
        f'<svg class="flow" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="The graph of stages">{lines}{drawn}</svg>'
    )


def _cells(boxes: Sequence[FlowBox]) -> Mapping[str, tuple[int, int]]:
    """Column and layer of each box: a layer below the lowest that leads to it, beside those that are there already."""
    layer: dict[str, int] = {}
    for box in boxes:
        layer[box.name] = max((layer[source] + 1 for source in box.inputs), default=0)
    filled: dict[int, int] = {}
    cells = {}
    for name, row in layer.items():
        cells[name] = (filled.get(row, 0), row)
        filled[row] = filled.get(row, 0) + 1
    return cells


def _reach(first: tuple[int, int], last: tuple[int, int]) -> float:
    """How far an edge swings out; one to the next layer, or between columns, goes straight."""
    skipped = last[1] - first[1] - 1
    return 14 + 9 * skipped if skipped and first[0] == last[0] == 0 else 0.0


def _edge(first: tuple[float, float], last: tuple[float, float], reach: float) -> str:
    (x, y), (to, below) = first, last
    if reach:
        y, below = y + _HEIGHT / 2, below + _HEIGHT / 2
        path = f"M{x:g} {y:g} C{x - reach:g} {y:g} {x - reach:g} {below:g} {x:g} {below:g}"
        head = f"{x:g},{below:g} {x - 6:g},{below - 3.5:g} {x - 6:g},{below + 3.5:g}"
    elif below - y > _HEIGHT + _DOWN and x > to:
        # Down beside the boxes, and in from the right.
        x, y, to, below = x + _WIDTH / 2, y + _HEIGHT, to + _WIDTH, below + _HEIGHT / 2
        path = f"M{x:g} {y:g} C{x:g} {below:g} {x:g} {below:g} {to:g} {below:g}"
        head = f"{to:g},{below:g} {to + 6:g},{below - 3.5:g} {to + 6:g},{below + 3.5:g}"
    else:
        x, y, to, bend = x + _WIDTH / 2, y + _HEIGHT, to + _WIDTH / 2, (below - y - _HEIGHT) / 2
        path = f"M{x:g} {y:g} C{x:g} {y + bend:g} {to:g} {below - bend:g} {to:g} {below:g}"
        head = f"{to:g},{below:g} {to - 3.5:g},{below - 6:g} {to + 3.5:g},{below - 6:g}"
    return f'<path d="{path}"/><polygon points="{head}"/>'


def _box(box: FlowBox, x: float, y: float) -> str:
    length = _WIDTH - 20
    bars = "".join(
        f'<rect class="{kind}" x="{10 + length * start:.1f}" y="39" width="{max(length * share, 1.5):.1f}" height="3"/>'
        for kind, start, share in (("time", 0.0, box.share), ("time pale", box.share, box.pale))
        if share
    )
    return (
        f'<g class="{box.state}" transform="translate({x:g} {y:g})"><rect width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="10" y="18"><tspan class="name">{escape(box.name)}</tspan></text>'
        f'<text x="{_WIDTH - 10}" y="18" text-anchor="end">{escape(box.time)}</text>'
        f'<text class="about" x="10" y="33">{escape(box.about)}</text>{bars}</g>'
    )
