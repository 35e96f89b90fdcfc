"""Draws the graph of the classical recipe, as it runs, into ``graph.svg``: ``python docs/draw_graph.py``."""

from __future__ import annotations

from pathlib import Path

from diptych.pipeline.engine.graph import Graph, Vertex
from diptych.pipeline.engine.recipe import Recipe
from diptych.pipeline.report.charts.flow import FlowBox, flow_picture

PICTURE = Path(__file__).with_name("graph.svg")

_OFTEN = {"run": "once", "photo": "per photo", "pair": "per pair"}

_STYLE = """
text { font: 12.5px system-ui, sans-serif; fill: #62605a; }
.name { font-weight: 600; fill: #1d1d1b; }
g rect { fill: #fbfaf7; stroke: #8a9a94; }
path { fill: none; stroke: #8a9a94; stroke-width: 1.2; }
polygon { fill: #8a9a94; }
"""
"""A box has a ground of its own, so that its words can be read on light and on dark pages."""


def picture(recipe: str = "classical") -> str:
    """The graph of a recipe as an SVG that stands alone."""
    graph = Graph.of(Recipe.load(recipe))
    boxes = [FlowBox("photographs", "with their names and cameras", "", (), "ran"), *map(_box, graph.vertices)]
    drawn = str(flow_picture(boxes)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return drawn.replace(">", f"><style>{_STYLE}</style>", 1) + "\n"


def _box(vertex: Vertex) -> FlowBox:
    """A vertex below all that it reads, and below what says which pairs or neighbors it is run for."""
    sources = ["photographs" if edge.slot.source else edge.source for edge in vertex.inputs]
    about = f"{type(vertex.stage).__name__}, {_OFTEN[vertex.per]}"
    return FlowBox(vertex.name, about, vertex.slot.type.__name__, [*sources, *vertex.choices], "ran")


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
