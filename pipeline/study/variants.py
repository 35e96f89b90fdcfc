"""Variants of a recipe: other stages in its slots, and other parameters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ...stages.failure import StageFailure
from ...stages.slots import SLOTS
from ...stages.stage import Stage
from ..cache.keys import parameters_of
from ..engine import registry
from ..engine.graph import Graph
from ..engine.parameters import make, nearest
from ..engine.recipe import Node, Recipe

Alternative = str | Stage | Sequence[str | Stage] | Mapping[str, Any] | int | float | None
"""What may be put into a place; see :func:`placed`."""

Changes = Mapping[str, Alternative]
"""Alternatives by slot, by node, or by ``node.parameter``; see :func:`varied`."""

Axis = Mapping[str, Changes]
"""Alternatives of one question by their labels."""

RESULTS = ("sparse", "mono", "depths", "cloud", "mesh")
"""The slots whose last node is kept although no other takes its output."""


@dataclass(frozen=True)
class Variant:
    """One recipe of a study.

    Attributes:
        name: unique in the study.
        choices: the label chosen on every axis; of a variant listed by itself, its own name.
        recipe: what runs.
    """

    name: str
    choices: Mapping[str, str]
    recipe: Recipe


def product_of(recipe: Recipe, axes: Mapping[str, Axis]) -> tuple[Variant, ...]:
    """Return every combination of the alternatives, in order.

    Raises:
        StageFailure: as :func:`varied`, and ``empty-axis``.
    """
    for name, axis in axes.items():
        if not axis:
            raise StageFailure("empty-axis", f"The study names no alternatives for {name!r}.")
    variants = []
    for labels in itertools.product(*axes.values()):
        choices = dict(zip(axes, labels, strict=True))
        changed = recipe
        for axis, label in choices.items():
            changed = varied(changed, axes[axis][label])
        name = " · ".join(labels) or recipe.name
        variants.append(Variant(name, choices, replace_name(changed, name)))
    return tuple(variants)


def listed(recipe: Recipe, combinations: Axis) -> tuple[Variant, ...]:
    """Return the named combinations as variants."""
    return tuple(
        Variant(name, {"variant": name}, replace_name(varied(recipe, changes), name))
        for name, changes in combinations.items()
    )


def axis_of(place: str, alternatives: Iterable[Alternative] | Axis) -> Axis:
    """Return the alternatives for one place by label; those without labels get one.

    An alternative with a label may change several places at once: ``{"aliked": {"features": "Aliked", "matches":
    "LightGlue"}}``.
    """
    if isinstance(alternatives, Mapping):
        return {str(label): _changes(place, value) for label, value in alternatives.items()}
    of = f"{place.rpartition('.')[2]}=" if "." in place else ""
    return {f"{of}{label_of(each)}": {place: each} for each in alternatives}


def varied(recipe: Recipe, changes: Changes) -> Recipe:
    """Return a recipe with other stages at some of its places.

    The name of a slot stands for the node of that name and for those of the same slot whose names begin with it, such
    as ``depths`` and ``depths_geometric``: the new stages replace all of them, at the place of the first. If these
    nodes have the named stages already, they keep their parameters. The name of any other node stands for that node,
    and ``node.parameter`` for one parameter of it. Nodes whose output nothing needs any more are removed.

    Raises:
        StageFailure: ``unknown-node``, ``wrong-slot``, and as :func:`placed`.
    """
    changed = recipe
    for place, value in changes.items():
        if "." in place:
            changed = changed.set({place: value})
            continue
        old = _nodes_at(changed, place)
        new = placed(value)
        for stage in new:
            if stage.slot != old[0].slot:
                raise StageFailure(
                    "wrong-slot",
                    f"{type(stage).__name__} fills {stage.slot!r}, not {old[0].slot!r}.",
                    hint=f"These fill {old[0].slot!r}: {', '.join(_fitting(old[0].slot))}.",
                )
        if not _same_stages(old, value):
            changed = _without_idle(changed, _replaced(changed, old, new))
    return changed


def placed(value: Alternative) -> tuple[Stage, ...]:
    """Return the stages of an alternative.

    A stage; text such as ``Sgm``, ``DepthNet(sources=5)``, ``PatchMatch+PatchMatch`` for one after the other, or
    ``none``; a table with ``use`` and parameters as in a recipe file; or a list of these.

    Raises:
        StageFailure: ``bad-alternative``, ``unknown-stage``, ``unknown-parameter`` or ``bad-parameter``.
    """
    if isinstance(value, Stage):
        return (value,)
    if value is None or value in ("", "none"):
        return ()
    if isinstance(value, str):
        return tuple(_stage(part) for part in split(value, "+"))
    if isinstance(value, Mapping) and isinstance(value.get("use"), str):
        return (make(registry.find(value["use"]), {name: v for name, v in value.items() if name != "use"}),)
    if isinstance(value, Sequence):
        return tuple(stage for each in value for stage in placed(each))
    raise StageFailure(
        "bad-alternative",
        f"{value!r} is nothing that can be put into a recipe.",
        hint='Write "Sgm", "DepthNet(sources=5)", "PatchMatch+PatchMatch" or "none".',
    )


def label_of(value: Alternative) -> str:
    """Return the label of an alternative: ``DepthNet(sources=5)``."""
    if isinstance(value, Stage):
        usual = {field.name: field.default for field in fields(value)}  # pyright: ignore[reportArgumentType]
        chosen = {name: v for name, v in parameters_of(value).items() if getattr(value, name) != usual[name]}
        inner = ",".join(f"{name}={v}" for name, v in chosen.items())
        return type(value).__name__ + (f"({inner})" if inner else "")
    if isinstance(value, Mapping):
        return label_of(placed(value)[0])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(label_of(each) for each in value) or "none"
    return "none" if value is None else re.sub(r"\s+", "", str(value))


def parse_choice(text: str) -> tuple[str, list[str]]:
    """Return place and alternatives of a text such as ``depths=PatchMatch,DepthNet(sources=5)``.

    Raises:
        StageFailure: ``bad-choice``.
    """
    place, equals, alternatives = text.partition("=")
    found = [part for part in split(alternatives, ",") if part]
    if not equals or not place.strip() or not found:
        raise StageFailure("bad-choice", f"{text!r} is no choice.", hint="Write SLOT=STAGE, as in depths=DepthNet.")
    return place.strip(), found


def parse_use(texts: Iterable[str]) -> dict[str, str]:
    """Return stages by their places from texts such as ``depths=DepthNet(sources=5)``, as :func:`varied` takes them.

    Raises:
        StageFailure: ``bad-choice``.
    """
    chosen = {}
    for text in texts:
        place, (first, *more) = parse_choice(text)
        if more:
            raise StageFailure(
                "bad-choice",
                f"{text!r} is more than one stage.",
                hint="Join stages that run in turn by +: Sgm+PatchMatch.",
            )
        chosen[place] = first
    return chosen


def split(text: str, separator: str) -> list[str]:
    """Split a text at the separators outside of brackets, and strip the parts."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def with_keypoints(recipe: Recipe, most: int) -> Recipe:
    """Return the recipe with the same largest number of keypoints for every detector.

    Raises:
        StageFailure: ``no-keypoint-budget`` if a detector has no parameter for it.
    """
    graph, changed = Graph.of(recipe), recipe
    for vertex in graph.vertices:
        if vertex.slot.name == "features" and "features" not in {edge.parameter for edge in vertex.inputs}:
            if "max_keypoints" not in parameters_of(vertex.stage):
                raise StageFailure(
                    "no-keypoint-budget", f"{type(vertex.stage).__name__} knows no limit to its keypoints."
                )
            changed = changed.set({f"{vertex.name}.max_keypoints": most})
    return changed


def replace_name(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe under another name."""
    return Recipe(recipe.nodes, name)


def _changes(place: str, value: Any) -> Changes:
    return value if isinstance(value, Mapping) and "use" not in value else {place: value}


def _nodes_at(recipe: Recipe, place: str) -> list[Node]:
    """Return the node of that name and those of its slot named after it; else all nodes of the slot."""
    of_slot = [node for node in recipe.nodes if node.slot == place]
    named = [node for node in recipe.nodes if node.name == place]
    found = [node for node in of_slot if node.name.startswith(f"{place}_") or node in named] or named or of_slot
    if not found:
        known = dict.fromkeys(name for node in recipe.nodes for name in (node.slot, node.name))
        elsewhere = " It is a slot, but this recipe has nothing in it: choose another with --recipe." * (place in SLOTS)
        raise StageFailure(
            "unknown-node",
            f"The recipe {recipe.name} has nothing named {place!r}.{elsewhere}",
            hint=nearest(place, known),
        )
    return found


def _same_stages(old: Sequence[Node], value: Alternative) -> bool:
    """Return whether an alternative names, without parameters, the stages that the nodes have already."""
    if not isinstance(value, str) or "(" in value:
        return False
    kinds, named = [type(node.stage) for node in old], [type(stage) for stage in placed(value)]
    return named == kinds or (len(named) == 1 and set(kinds) == set(named))


def _replaced(recipe: Recipe, old: Sequence[Node], new: Sequence[Stage]) -> Recipe:
    kept = {node.name for node in recipe.nodes} - {node.name for node in old}
    names = [old[0].name, *(node.name for node in old[1:])]
    for i in itertools.count(2):
        if len(names) >= len(new):
            break
        if (name := f"{old[0].slot}_{i}") not in kept and name not in names:
            names.append(name)
    nodes = []
    for node in recipe.nodes:
        if node is old[0]:
            nodes += [Node(name, stage) for name, stage in zip(names, new, strict=False)]
        elif node.name in kept:
            nodes.append(node)
    return Recipe(nodes, recipe.name)


def _without_idle(before: Recipe, after: Recipe) -> Recipe:
    """Return the new recipe without the nodes whose output was used before and is not any more."""
    fed = _feeding(before)
    while True:
        results = {node.slot: node.name for node in after.nodes if node.slot in RESULTS}
        idle = {node.name for node in after.nodes if node.name in fed} - _feeding(after) - set(results.values())
        if not idle:
            return after
        after = Recipe([node for node in after.nodes if node.name not in idle], after.name)


def _feeding(recipe: Recipe) -> set[str]:
    """Return the nodes that others take their inputs or their items from."""
    return {name for vertex in Graph.of(recipe).vertices for name in (*vertex.sources, *vertex.choices)}


def _stage(text: str) -> Stage:
    found = re.fullmatch(r"([\w.:]+)\s*(?:\((.*)\))?", text, re.DOTALL)
    if not found:
        raise StageFailure(
            "bad-alternative",
            f"{text!r} is no stage.",
            hint="Write its name, and parameters as in DepthNet(sources=5).",
        )
    name, inner = found.groups()
    given = [part.partition("=") for part in split(inner or "", ",") if part]
    return make(registry.find(name), {key.strip(): value.strip(" \"'()[]") for key, _, value in given})


def _fitting(slot: str) -> list[str]:
    """Return the names of the importable stages that fill a slot."""
    fitting = []
    for name in registry.names():
        try:
            if registry.find(name).slot == slot:
                fitting.append(name)
        except StageFailure:
            continue
    return fitting
