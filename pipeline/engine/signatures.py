"""What a stage takes and gives, read from the signature of its ``run``."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ...stages.dense import Around
from ...stages.failure import StageFailure
from ...stages.scene import Pair
from ...stages.slots import RESERVED, SLOTS, Per, Slot
from ...stages.stage import Context
from .parameters import nearest
from .recipe import Node

Form = Literal["one", "pair", "around", "all", "each"]
"""How much of a slot an input wants: this item's, both of this pair's photos, this photo's and its neighbors', or the
whole collection in order, all of it at once or each when it is asked for."""

OFTEN: dict[Per, str] = {"run": "once", "photo": "per photo", "pair": "per pair"}


@dataclass(frozen=True)
class Parameter:
    """A parameter of ``run`` that a slot feeds.

    Attributes:
        slot: the slot of that name.
        form: how much of the slot is wanted.
        optional: whether the stage runs without it.
    """

    slot: Slot
    form: Form
    optional: bool


@dataclass(frozen=True)
class Signature:
    """The signature of a stage's ``run``.

    Attributes:
        slot: the slot that the stage fills.
        parameters: the inputs that slots feed, in order.
        draws: whether it takes a random generator.
        wants_context: whether it takes a context.
    """

    slot: Slot
    parameters: tuple[Parameter, ...]
    draws: bool
    wants_context: bool


def read_signature(node: Node) -> Signature:
    """The signature of a node's stage.

    Raises:
        StageFailure: naming the node whose slot, inputs or output are not as they must be.
    """
    slot = SLOTS.get(node.slot)
    if slot is None or slot.source:
        known = [name for name, slot in SLOTS.items() if not slot.source]
        raise misfit(node, "unknown-slot", f"fills {node.slot!r}, which no stage can", nearest(node.slot, known))
    signature, hints = _annotations(node)
    if hints.get("return") != slot.type:
        raise misfit(node, "wrong-output", f"gives {_show(hints.get('return'))}, not {_show(slot.type)}")
    parameters = tuple(
        _parameter(node, parameter, hints.get(name))
        for name, parameter in signature.parameters.items()
        if hints.get(name) not in (np.random.Generator, Context)
    )
    return Signature(slot, parameters, np.random.Generator in hints.values(), Context in hints.values())


def check_per(node: Node, slot: Slot, inputs: Iterable[tuple[Slot, Form]]) -> None:
    """Check that a stage with these inputs runs as often as its slot is filled.

    Raises:
        StageFailure: ``wrong-extent``; ``wrong-input`` for inputs per pair beside inputs per photo.
    """
    inputs = list(inputs)
    per_pair = [given.name for given, form in inputs if form == "pair" or (given.per == "pair" and form == "one")]
    per_photo = [given.name for given, form in inputs if form == "around" or (given.per == "photo" and form == "one")]
    if per_pair and per_photo:
        both = f"takes {per_pair[0]!r} per pair and {per_photo[0]!r} per photo"
        raise misfit(node, "wrong-input", both, f"Take {per_photo[0]!r} as a Pair.")
    per: Per = "pair" if per_pair else "photo" if per_photo else "run"
    if per != slot.per:
        raise misfit(node, "wrong-extent", f"runs {OFTEN[per]}, but {slot.name!r} is filled {OFTEN[slot.per]}")


def misfit(node: Node, code: str, what: str, hint: str = "") -> StageFailure:
    """The failure that says what of a node does not fit."""
    return StageFailure(code, f"The node {node.name!r} ({type(node.stage).__name__}) {what}.", hint=hint)


def _annotations(node: Node) -> tuple[inspect.Signature, dict[str, Any]]:
    """The parameters of ``run`` without ``self``, and their types."""
    run = getattr(type(node.stage), "run", None)
    if not callable(run):
        raise misfit(node, "no-run", "has no method run")
    try:
        hints = _hints(run)
    except NameError as error:
        raise misfit(node, "bad-signature", f"has an annotation that cannot be resolved: {error}") from error
    signature = inspect.signature(node.stage.run)
    for name, kind in zip(RESERVED, (np.random.Generator, Context), strict=True):
        if name in signature.parameters and hints.get(name) != kind:
            raise misfit(node, "wrong-input", f"takes {name!r} as {_show(hints.get(name))}, not {_show(kind)}")
    return signature, hints


@lru_cache(maxsize=1024)
def _hints(run: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function; every one is text that has to be compiled."""
    return typing.get_type_hints(run)


def _parameter(node: Node, parameter: inspect.Parameter, annotation: Any) -> Parameter:
    name = parameter.name
    slot = SLOTS.get(name)
    if slot is None:
        hint = nearest(name, [*SLOTS, *RESERVED])
        raise misfit(node, "unknown-input", f"takes {name!r}, which is no slot", hint)
    wanted, optional = _without_none(annotation)
    forms = _forms(slot)
    if wanted not in forms:
        expected = " or ".join(map(_show, forms))
        raise misfit(node, "wrong-input", f"takes {name!r} as {_show(annotation)}", f"Annotate it with {expected}.")
    if optional and parameter.default is not None:
        what = f"takes {name!r} as {_show(annotation)}, but its default is not None"
        raise misfit(node, "wrong-input", what, f"Write {name}: {_show(annotation)} = None.")
    return Parameter(slot, forms[wanted], optional)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``X`` for ``X | None``, and whether it was that; every other annotation as it is."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        others = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        if len(others) == 1:
            return others[0], True
    return annotation, False


def _forms(slot: Slot) -> dict[Any, Form]:
    """The annotations with which a slot can be taken."""
    kind: Any = slot.type
    forms: dict[Any, Form] = {kind: "one"}
    if slot.per == "photo":
        forms |= {Pair[kind]: "pair", Around[kind]: "around"}
    if slot.per != "run":
        forms |= {tuple[kind, ...]: "all", Sequence[kind]: "each"}
    return forms


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
