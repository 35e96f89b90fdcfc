"""Variants: what a study puts into the slots of a recipe instead of what stands there."""

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
"""What may stand in a place: see :func:`placed`."""

Changes = Mapping[str, Alternative]
"""What to put where: by slot, by node, or by ``node.parameter``."""

Axis = Mapping[str, Changes]
"""Alternatives of one question by their labels."""


RESULTS = ("sparse", "mono", "depths", "cloud", "mesh")
"""The slots whose last node makes what a person wants to have."""


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
    """Every combination of the alternatives, the first ones first.

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
    """The combinations that are named one by one."""
    return tuple(
        Variant(name, {"variant": name}, replace_name(varied(recipe, changes), name))
        for name, changes in combinations.items()
    )


def axis_of(place: str, alternatives: Iterable[Alternative] | Axis) -> Axis:
    """Alternatives for one place with labels made of what they are; what has labels keeps them.

    Alternatives by label may be changes of several places at once: ``{"aliked": {"features": "Aliked", "matches":
    "LightGlue"}}``.
    """
    if isinstance(alternatives, Mapping):
        return {str(label): _changes(place, value) for label, value in alternatives.items()}
    of = f"{place.rpartition('.')[2]}=" if "." in place else ""
    return {f"{of}{label_of(each)}": {place: each} for each in alternatives}


def varied(recipe: Recipe, changes: Changes) -> Recipe:
    """A recipe with other stages in some of its places.

    The name of a slot means the node of that name and those that are called after it and fill it too, such as
    ``depths`` and ``depths_geometric``: what is put there stands in the place of the first. Where those nodes already
    are of the stages that are named, they stay as they are, parameters and all. The name of any other node means that
    node, and ``node.parameter`` one number of it. Nodes that nothing needs any more are left out.

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
    """The stages that an alternative stands for.

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
    """What a person calls an alternative."""
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


def split(text: str, separator: str) -> list[str]:
    """Parts of a text between separators that stand in no brackets, without blanks around them."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def with_keypoints(recipe: Recipe, most: int) -> Recipe:
    """The same recipe with as many keypoints for every stage that finds them.

    Raises:
        StageFailure: ``no-keypoint-budget`` where such a stage knows no limit.
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
    """The same recipe under another name."""
    return Recipe(recipe.nodes, name)


def _changes(place: str, value: Any) -> Changes:
    return value if isinstance(value, Mapping) and "use" not in value else {place: value}


def _nodes_at(recipe: Recipe, place: str) -> list[Node]:
    """The node of that name and those that are called after it; else all that fill the slot."""
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
    """Whether an alternative names, without parameters, what is there already."""
    names = [type(node.stage).__name__ for node in old]
    return isinstance(value, str) and (value == "+".join(names) or {value} == set(names))


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
    """The new recipe without the nodes that fed something before, feed nothing now and are no result in themselves."""
    fed = _feeding(before)
    while True:
        results = {node.slot: node.name for node in after.nodes if node.slot in RESULTS}
        idle = {node.name for node in after.nodes if node.name in fed} - _feeding(after) - set(results.values())
        if not idle:
            return after
        after = Recipe([node for node in after.nodes if node.name not in idle], after.name)


def _feeding(recipe: Recipe) -> set[str]:
    """The nodes that others take their inputs or their items from."""
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
    """The names of the stages that fill a slot; those that cannot be imported here are not named."""
    fitting = []
    for name in registry.names():
        try:
            if registry.find(name).slot == slot:
                fitting.append(name)
        except StageFailure:
            continue
    return fitting
