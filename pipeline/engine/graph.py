"""The graph: a recipe's stages wired by the signatures of their ``run``, checked before anything runs."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...stages.dense import Around
from ...stages.failure import StageFailure
from ...stages.scene import Pair
from ...stages.stage import SLOTS, Context, Extent, Slot, Stage
from .parameters import nearest
from .recipe import Node, Recipe

Form = Literal["one", "pair", "around", "all", "each"]
"""How much of a slot an input wants: this item's, both of this pair's photos, this photo's and its neighbours', or the
whole collection in order, all of it at once or each when it is asked for."""


@dataclass(frozen=True)
class Input:
    """An edge: a parameter of ``run`` and where its value comes from.

    Attributes:
        parameter: name of the parameter, which is a slot.
        source: name of the node that fills it, or of the source slot.
        extent: how many items the source has.
        form: how much of them is wanted.
    """

    parameter: str
    source: str
    extent: Extent
    form: Form

    @property
    def is_source(self) -> bool:
        """Whether it comes from the photographs themselves."""
        return SLOTS[self.parameter].source


@dataclass(frozen=True)
class Vertex:
    """A node of the recipe in its place in the graph.

    Attributes:
        node: name and stage.
        extent: whether it runs once, per photo or per pair.
        inputs: its edges.
        pairs: name of the node whose pairs it runs over, for a stage per pair or one that takes all pairs.
        neighbors: name of the node that says which photos are around one, for a stage that takes them.
        draws: whether it takes a random generator.
        wants_context: whether it takes a context.
    """

    node: Node
    extent: Extent
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
    def slot(self) -> Slot:
        """The slot that it fills."""
        return SLOTS[self.node.slot]

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its inputs come from."""
        return tuple(edge.source for edge in self.inputs)

    @property
    def choices(self) -> tuple[str, ...]:
        """The nodes whose results say what its tasks are: they have to be read before the tasks can be listed."""
        return tuple(name for name in (self.pairs, self.neighbors) if name)


@dataclass(frozen=True, repr=False)
class Graph:
    """The vertices in an order in which they can run."""

    vertices: tuple[Vertex, ...]

    @staticmethod
    def of(recipe: str | Path | Recipe, until: str | None = None) -> Graph:
        """Wire and check a recipe, given as for :meth:`diptych.pipeline.engine.recipe.Recipe.load`.

        Args:
            recipe: a built-in name, a TOML file or a recipe.
            until: slot or node; the graph is cut down to what it needs.

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
        """What is needed to fill a slot for the last time, or to run a node.

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
        """The names of a vertex and of all that it needs, directly or not."""
        needed: set[str] = set()
        pending = [name]
        while pending:
            vertex = self[pending.pop()]
            if vertex.name not in needed:
                needed.add(vertex.name)
                pending += [edge.source for edge in vertex.inputs if not edge.is_source]
                pending += vertex.choices
        return needed

    def last(self, slot: str) -> Vertex | None:
        """The last vertex that fills a slot, if there is one."""
        return next((vertex for vertex in reversed(self.vertices) if vertex.slot.name == slot), None)

    def text(self) -> str:
        """One line per vertex: name, stage, how often it runs, where its inputs come from and how much of them."""
        width = max((len(vertex.name) for vertex in self.vertices), default=0)
        return "\n".join(
            f"{vertex.name:<{width}}  {type(vertex.stage).__name__} ({_OFTEN[vertex.extent]})"
            f" <- {', '.join(map(_marked, vertex.inputs))}"
            for vertex in self.vertices
        )

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart; a dotted arrow comes from what chooses the pairs or neighbours."""
        lines = ["flowchart TD"]
        for source in dict.fromkeys(e.source for v in self.vertices for e in v.inputs if e.is_source):
            lines.append(f"    {source}[/{source}/]")
        for vertex in self.vertices:
            lines.append(
                f'    {vertex.name}["{vertex.name}: {type(vertex.stage).__name__}<br>{_OFTEN[vertex.extent]}"]'
            )
            lines += [f"    {edge.source} -->|{_MARKS[edge.form]}| {vertex.name}" for edge in vertex.inputs]
            lines += [f"    {name} -.-> {vertex.name}" for name in vertex.choices if name not in vertex.sources]
        return "\n".join(lines).replace("-->||", "-->") + "\n"


_OFTEN: dict[Extent, str] = {"run": "once", "photo": "per photo", "pair": "per pair"}
_MARKS: dict[Form, str] = {"one": "", "pair": "two", "around": "around", "all": "all", "each": "one by one"}


def _marked(edge: Input) -> str:
    mark = _MARKS[edge.form]
    return f"{edge.source} ({mark})" if mark else edge.source


def _vertex(node: Node, before: Mapping[str, Vertex]) -> Vertex:
    slot = SLOTS.get(node.slot)
    if slot is None or slot.source:
        known = [name for name, slot in SLOTS.items() if not slot.source]
        raise _misfit(node, "unknown-slot", f"fills {node.slot!r}, which no stage can", nearest(node.slot, known))
    signature, hints = _signature(node)
    if hints.get("return") != slot.type:
        raise _misfit(node, "wrong-output", f"gives {_show(hints.get('return'))}, not {_show(slot.type)}")
    wired = (
        _input(node, parameter, hints.get(name), before)
        for name, parameter in signature.parameters.items()
        if hints.get(name) not in (np.random.Generator, Context)
    )
    inputs = tuple(edge for edge in wired if edge)
    extent = _extent(node, inputs)
    if extent != slot.extent:
        raise _misfit(node, "wrong-extent", f"runs {_OFTEN[extent]}, but {slot.name!r} is filled {_OFTEN[slot.extent]}")
    return Vertex(
        node,
        extent,
        inputs,
        _pairs(node, extent, inputs, before),
        _neighbors(node, inputs, before),
        draws=np.random.Generator in hints.values(),
        wants_context=Context in hints.values(),
    )


def _signature(node: Node) -> tuple[inspect.Signature, dict[str, Any]]:
    """The parameters of ``run`` without ``self``, and their types."""
    run = getattr(type(node.stage), "run", None)
    if not callable(run):
        raise _misfit(node, "no-run", "has no method run")
    try:
        hints = _hints(run)
    except NameError as error:
        raise _misfit(node, "bad-signature", f"has an annotation that cannot be resolved: {error}") from error
    for name, kind in (("rng", np.random.Generator), ("context", Context)):
        if name in inspect.signature(run).parameters and hints.get(name) != kind:
            raise _misfit(node, "wrong-input", f"takes {name!r} as {_show(hints.get(name))}, not {_show(kind)}")
    return inspect.signature(node.stage.run), hints


@lru_cache(maxsize=1024)
def _hints(run: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function; every one is text that has to be compiled."""
    return typing.get_type_hints(run)


def _input(node: Node, parameter: inspect.Parameter, annotation: Any, before: Mapping[str, Vertex]) -> Input | None:
    """The edge of a parameter; None for an optional one whose slot no earlier node fills."""
    name = parameter.name
    slot = SLOTS.get(name)
    if slot is None:
        hint = nearest(name, [*SLOTS, "rng", "context"])
        raise _misfit(node, "unknown-input", f"takes {name!r}, which is no slot", hint)
    wanted, optional = _without_none(annotation)
    forms = _forms(slot)
    if wanted not in forms:
        expected = " or ".join(map(_show, forms))
        raise _misfit(node, "wrong-input", f"takes {name!r} as {_show(annotation)}", f"That slot is had as {expected}.")
    if optional and parameter.default is not None:
        what = f"takes {name!r} as {_show(annotation)}, but its default is not None"
        raise _misfit(node, "wrong-input", what, f"Write {name}: {_show(annotation)} = None.")
    if slot.source:
        return Input(name, name, slot.extent, forms[wanted])
    filled = [vertex.name for vertex in before.values() if vertex.slot == slot]
    if filled:
        return Input(name, filled[-1], slot.extent, forms[wanted])
    if optional:
        return None
    raise _misfit(node, "missing-input", f"takes {name!r}, which no earlier node fills", "Put one before it.")


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``X`` for ``X | None``, and whether it was that; every other annotation as it is."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        others = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        if len(others) == 1:
            return others[0], True
    return annotation, False


def _forms(slot: Slot) -> dict[Any, Form]:
    """The annotations by which a slot can be had."""
    kind: Any = slot.type
    forms: dict[Any, Form] = {kind: "one"}
    if slot.extent == "photo":
        forms |= {Pair[kind]: "pair", Around[kind]: "around"}
    if slot.extent != "run":
        forms |= {tuple[kind, ...]: "all", Sequence[kind]: "each"}
    return forms


def _extent(node: Node, inputs: tuple[Input, ...]) -> Extent:
    """How often a stage runs, from what it takes."""
    per_pair = [e.parameter for e in inputs if e.form == "pair" or (e.extent == "pair" and e.form == "one")]
    per_photo = [e.parameter for e in inputs if e.form == "around" or (e.extent == "photo" and e.form == "one")]
    if per_pair and per_photo:
        both = f"takes {per_pair[0]!r} per pair and {per_photo[0]!r} per photo"
        raise _misfit(node, "wrong-input", both, f"Take {per_photo[0]!r} as a Pair.")
    return "pair" if per_pair else "photo" if per_photo else "run"


def _pairs(node: Node, extent: Extent, inputs: tuple[Input, ...], before: Mapping[str, Vertex]) -> str | None:
    """The node whose pairs a stage runs over: that of its per-pair inputs, else the latest."""
    given = dict.fromkeys(before[edge.source].pairs for edge in inputs if edge.extent == "pair")
    if len(given) > 1:
        raise _misfit(node, "mixed-pairs", f"takes items of different pairs, those of {' and '.join(map(str, given))}")
    if given:
        return next(iter(given))
    return _latest(node, "pairs", "runs per pair", before) if extent == "pair" else None


def _neighbors(node: Node, inputs: tuple[Input, ...], before: Mapping[str, Vertex]) -> str | None:
    """The node whose neighbours a stage takes: the latest."""
    around = [edge.parameter for edge in inputs if edge.form == "around"]
    return _latest(node, "neighbors", f"takes {around[0]!r} of a photo's neighbours", before) if around else None


def _latest(node: Node, slot: str, what: str, before: Mapping[str, Vertex]) -> str:
    """The latest node that fills the slot which a node cannot do without because of ``what`` it does."""
    filled = [vertex.name for vertex in before.values() if vertex.slot.name == slot]
    if not filled:
        raise _misfit(node, "missing-input", f"{what}, and no earlier node fills {slot!r}", "Put one before it.")
    return filled[-1]


def _misfit(node: Node, code: str, what: str, hint: str = "") -> StageFailure:
    return StageFailure(code, f"The node {node.name!r} ({type(node.stage).__name__}) {what}.", hint=hint)


def _show(kind: Any) -> str:
    if kind is None:
        return "nothing"
    if kind is types.NoneType:
        return "None"
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return " | ".join(map(_show, typing.get_args(kind)))
    if typing.get_origin(kind) is None:
        return getattr(kind, "__name__", str(kind))
    inner = ", ".join("..." if arg is Ellipsis else _show(arg) for arg in typing.get_args(kind))
    return f"{typing.get_origin(kind).__name__}[{inner}]"
