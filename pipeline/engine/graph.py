"""The graph: the stages of a recipe, connected by the signatures of ``run`` and checked before a run starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ...stages.failure import StageFailure
from ...stages.slots import Per, Slot
from ...stages.stage import Stage
from .parameters import nearest
from .recipe import Node, Recipe
from .signatures import OFTEN, Form, Parameter, check_per, misfit, read_signature


@dataclass(frozen=True)
class Input:
    """An edge: an input of a stage and where its value comes from.

    Attributes:
        source: name of the node that fills it, or of the source slot.
        slot: the slot, which has the name of the parameter of ``run``.
        form: how much of the slot's items is wanted.
    """

    source: str
    slot: Slot
    form: Form

    @property
    def parameter(self) -> str:
        """Name of the parameter of ``run``."""
        return self.slot.name


@dataclass(frozen=True)
class Vertex:
    """A node of the recipe with its edges.

    Attributes:
        node: name and stage.
        slot: the slot that it fills.
        inputs: its edges.
        pairs: name of the node whose pairs it runs over, for a stage per pair or one that takes all pairs.
        neighbors: name of the node that chooses the neighbors of a photo, for a stage that takes them.
        draws: whether it takes a random generator.
        wants_context: whether it takes a context.
    """

    node: Node
    slot: Slot
    inputs: tuple[Input, ...]
    pairs: str | None
    neighbors: str | None
    draws: bool
    wants_context: bool

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def stage(self) -> Stage:
        return self.node.stage

    @property
    def per(self) -> Per:
        """Whether it runs once per run, per photo or per pair."""
        return self.slot.per

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its inputs come from."""
        return tuple(edge.source for edge in self.inputs)

    @property
    def choices(self) -> tuple[str, ...]:
        """The nodes that choose its pairs or neighbors: their results are needed to list its tasks."""
        return tuple(name for name in (self.pairs, self.neighbors) if name)


@dataclass(frozen=True, repr=False)
class Graph:
    """The vertices in an order in which they can run."""

    vertices: tuple[Vertex, ...]

    @staticmethod
    def of(recipe: str | Path | Recipe, until: str | None = None) -> Graph:
        """Connect and check the stages of a recipe.

        Args:
            recipe: as for :meth:`diptych.pipeline.engine.recipe.Recipe.load`: a built-in name, a TOML file or a recipe.
            until: slot or node; the graph is reduced to the nodes that it needs.

        Raises:
            StageFailure: naming the node whose inputs, output or place do not fit.
        """
        vertices: dict[str, Vertex] = {}
        for node in Recipe.load(recipe).nodes:
            vertices[node.name] = _vertex(node, vertices)
        graph = Graph(tuple(vertices.values()))
        return graph if until is None else graph.until(until)

    def __repr__(self) -> str:
        return f"Graph({', '.join(str(vertex.node) for vertex in self.vertices)})"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"

    def __getitem__(self, name: str) -> Vertex:
        return next(vertex for vertex in self.vertices if vertex.name == name)

    def until(self, target: str) -> Graph:
        """The part of the graph that a node, or the last node of a slot, needs.

        Raises:
            StageFailure: ``unknown-slot``.
        """
        fitting = [v for v in self.vertices if v.name == target] or [v for v in self.vertices if v.slot.name == target]
        if not fitting:
            known = dict.fromkeys(name for v in self.vertices for name in (v.slot.name, v.name))
            raise StageFailure("unknown-slot", f"Nothing in the recipe fills {target!r}.", hint=nearest(target, known))
        needed = self.needed_for(fitting[-1].name)
        return Graph(tuple(vertex for vertex in self.vertices if vertex.name in needed))

    def needed_for(self, name: str) -> set[str]:
        """The names of a vertex and of all its direct and indirect inputs."""
        needed: set[str] = set()
        pending = [name]
        while pending:
            vertex = self[pending.pop()]
            if vertex.name not in needed:
                needed.add(vertex.name)
                pending += [edge.source for edge in vertex.inputs if not edge.slot.source]
                pending += vertex.choices
        return needed

    def last(self, slot: str) -> Vertex | None:
        """The last vertex that fills a slot, if there is one."""
        return next((vertex for vertex in reversed(self.vertices) if vertex.slot.name == slot), None)

    def text(self) -> str:
        """One line per vertex: name, stage, how often it runs, and its inputs with their forms."""
        width = max((len(vertex.name) for vertex in self.vertices), default=0)
        return "\n".join(
            f"{vertex.name:<{width}}  {type(vertex.stage).__name__} ({OFTEN[vertex.per]})"
            f" <- {', '.join(map(_marked, vertex.inputs))}"
            for vertex in self.vertices
        )

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart; dotted arrows start at nodes that choose pairs or neighbors."""
        lines = ["flowchart TD"]
        for source in dict.fromkeys(e.source for v in self.vertices for e in v.inputs if e.slot.source):
            lines.append(f"    {source}[/{source}/]")
        for vertex in self.vertices:
            lines.append(f'    {vertex.name}["{vertex.name}: {type(vertex.stage).__name__}<br>{OFTEN[vertex.per]}"]')
            lines += [f"    {edge.source} -->|{_MARKS[edge.form]}| {vertex.name}" for edge in vertex.inputs]
            lines += [f"    {name} -.-> {vertex.name}" for name in vertex.choices if name not in vertex.sources]
        return "\n".join(lines).replace("-->||", "-->") + "\n"


_MARKS: dict[Form, str] = {"one": "", "pair": "two", "around": "around", "all": "all", "each": "one by one"}


def _marked(edge: Input) -> str:
    mark = _MARKS[edge.form]
    return f"{edge.source} ({mark})" if mark else edge.source


def _vertex(node: Node, before: Mapping[str, Vertex]) -> Vertex:
    signature = read_signature(node)
    wired = (_input(node, parameter, before) for parameter in signature.parameters)
    inputs = tuple(edge for edge in wired if edge)
    check_per(node, signature.slot, ((edge.slot, edge.form) for edge in inputs))
    return Vertex(
        node,
        signature.slot,
        inputs,
        _pairs(node, signature.slot.per, inputs, before),
        _neighbors(node, inputs, before),
        signature.draws,
        signature.wants_context,
    )


def _input(node: Node, parameter: Parameter, before: Mapping[str, Vertex]) -> Input | None:
    """The edge of a parameter; None for an optional one whose slot no earlier node fills."""
    slot = parameter.slot
    if slot.source:
        return Input(slot.name, slot, parameter.form)
    filled = [vertex.name for vertex in before.values() if vertex.slot == slot]
    if filled:
        return Input(filled[-1], slot, parameter.form)
    if parameter.optional:
        return None
    raise misfit(node, "missing-input", f"takes {slot.name!r}, which no earlier node fills", "Put one before it.")


def _pairs(node: Node, per: Per, inputs: tuple[Input, ...], before: Mapping[str, Vertex]) -> str | None:
    """The node whose pairs a stage runs over: that of its per-pair inputs, else the latest."""
    given = dict.fromkeys(before[edge.source].pairs for edge in inputs if edge.slot.per == "pair")
    if len(given) > 1:
        raise misfit(node, "mixed-pairs", f"takes items of different pairs, those of {' and '.join(map(str, given))}")
    if given:
        return next(iter(given))
    return _latest(node, "pairs", "runs per pair", before) if per == "pair" else None


def _neighbors(node: Node, inputs: tuple[Input, ...], before: Mapping[str, Vertex]) -> str | None:
    """The node whose neighbors a stage takes: the latest."""
    around = [edge.parameter for edge in inputs if edge.form == "around"]
    return _latest(node, "neighbors", f"takes {around[0]!r} of a photo's neighbors", before) if around else None


def _latest(node: Node, slot: str, what: str, before: Mapping[str, Vertex]) -> str:
    """The latest node that fills a slot; ``what`` says in the failure why the node needs it."""
    filled = [vertex.name for vertex in before.values() if vertex.slot.name == slot]
    if not filled:
        raise misfit(node, "missing-input", f"{what}, and no earlier node fills {slot!r}", "Put one before it.")
    return filled[-1]
