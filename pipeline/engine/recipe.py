"""A recipe: which stages, in which order, with which parameters."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...stages.failure import StageFailure
from ...stages.stage import Stage
from ..notebook import html_table
from . import registry
from .parameters import make, nearest


@dataclass(frozen=True)
class Node:
    """One step of a recipe: a stage under a name."""

    name: str
    stage: Stage

    @property
    def slot(self) -> str:
        """The slot that it fills."""
        return self.stage.slot

    def __str__(self) -> str:
        return f"{self.name}={self.stage_text()}"

    def stage_text(self) -> str:
        """The name of the stage, with the parameters that differ from their defaults: ``Sift(max_keypoints=4000)``."""
        fields: tuple[Any, ...] = dataclasses.fields(self.stage)  # pyright: ignore[reportArgumentType]
        values = {field.name: getattr(self.stage, field.name) for field in fields}
        changed = [f"{field.name}={values[field.name]!r}" for field in fields if values[field.name] != field.default]
        return type(self.stage).__name__ + (f"({', '.join(changed)})" if changed else "")


@dataclass(frozen=True, init=False, repr=False)
class Recipe:
    """An ordered list of stages.

    An input of a stage is the output of the last node before it that fills the slot of that name. So a refiner that
    takes ``features`` and fills ``features`` follows the extractor, and later stages take the refined features.

    Args:
        stages: stages, which get the names of their slots, or nodes with names of their own.
        name: the name of the recipe in records.

    Raises:
        StageFailure: ``duplicate-node``.
    """

    nodes: tuple[Node, ...]
    name: str

    def __init__(self, stages: Iterable[Stage | Node], name: str = "custom") -> None:
        nodes: dict[str, Node] = {}
        for given in stages:
            node = given if isinstance(given, Node) else Node(_free(given, nodes), given)
            if node.name in nodes:
                raise StageFailure("duplicate-node", f"Two nodes of the recipe are named {node.name!r}.")
            nodes[node.name] = node
        object.__setattr__(self, "nodes", tuple(nodes.values()))
        object.__setattr__(self, "name", name)

    def __repr__(self) -> str:
        return f"Recipe({self.name!r}: {', '.join(map(str, self.nodes))})"

    def _repr_html_(self) -> str:
        rows = [(node.name, node.slot, node.stage_text()) for node in self.nodes]
        return html_table(f"Recipe {self.name}", ("node", "slot", "stage"), rows)

    def __getitem__(self, name: str) -> Stage:
        return self._node(name).stage

    def with_(self, **stages: Stage) -> Recipe:
        """Return the recipe with other stages at some of its nodes.

        Raises:
            StageFailure: ``unknown-node``, or ``wrong-slot`` if the new stage fills another slot than the old.
        """
        for name, stage in stages.items():
            if stage.slot != self._node(name).slot:
                raise StageFailure(
                    "wrong-slot", f"{type(stage).__name__} fills {stage.slot!r}, not {self._node(name).slot!r}."
                )
        nodes = (replace(node, stage=stages.get(node.name, node.stage)) for node in self.nodes)
        return Recipe(nodes, self.name)

    def set(self, values: Mapping[str, Any] | Iterable[str]) -> Recipe:
        """Return the recipe with other parameters: ``{"features.max_keypoints": 4000}`` or ``["features.x=1"]``.

        Raises:
            StageFailure: ``bad-setting``, ``unknown-node``, ``unknown-parameter`` or ``bad-parameter``.
        """
        pairs = values.items() if isinstance(values, Mapping) else (_split(text) for text in values)
        changes: dict[str, dict[str, Any]] = {}
        for path, value in pairs:
            name, dot, parameter = path.partition(".")
            if not dot:
                raise StageFailure("bad-setting", f"{path!r} is no setting.", hint="Write node.parameter=value.")
            changes.setdefault(self._node(name).name, {})[parameter] = value
        stages = {name: make(type(self[name]), changed, self[name]) for name, changed in changes.items()}
        return self.with_(**stages)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return every node with its stage's name and all its parameters, as :meth:`from_dict` reads it."""
        from ..cache.keys import parameters_of

        return {
            node.name: {"use": registry.name_of(type(node.stage)), **parameters_of(node.stage)} for node in self.nodes
        }

    def toml(self) -> str:
        """Return the recipe as the text of a TOML file with all parameters, as :meth:`load` reads it."""
        tables = (
            "\n".join([f"[{_toml_key(node)}]", *(f"{key} = {_toml(value)}" for key, value in table.items())])
            for node, table in self.as_dict().items()
        )
        return "\n\n".join(tables) + "\n"

    @staticmethod
    def from_dict(tables: Mapping[str, Any], name: str = "custom", folder: Path = Path()) -> Recipe:
        """Make a recipe from one table per node, each with ``use`` and parameters.

        With ``base``, the name or file of another recipe, the tables change that one. A table with ``use`` replaces the
        stage of the node, and ``use = "none"`` removes the node. A table without ``use`` changes parameters. A table
        with the name of no node of the base adds one, at the end or after the node that its ``after`` names.

        Args:
            tables: by the names of the nodes.
            name: of the recipe.
            folder: where a file named by ``base`` lies.

        Raises:
            StageFailure: ``bad-recipe``, ``unknown-stage``, ``unknown-parameter`` or ``bad-parameter``.
        """
        if isinstance(tables.get("base"), str):
            changes = {node: table for node, table in tables.items() if node != "base"}
            beside = folder / tables["base"]
            return _changed(Recipe.load(beside if beside.is_file() else tables["base"]), changes, name)
        return Recipe([Node(node, _stage(node, table)) for node, table in tables.items()], name)

    @staticmethod
    def load(recipe: str | Path | Recipe) -> Recipe:
        """Return a recipe by its built-in name or from a TOML file.

        Raises:
            StageFailure: ``unknown-recipe`` or ``bad-recipe``, and as :meth:`from_dict`.
        """
        if isinstance(recipe, Recipe):
            return recipe
        built_in = {
            file.name.removesuffix(".toml"): file for file in _built_in().iterdir() if file.name.endswith(".toml")
        }
        source = built_in.get(str(recipe), Path(recipe))
        if not source.is_file():
            raise StageFailure(
                "unknown-recipe",
                f"There is no recipe {str(recipe)!r}, neither built in nor as a file.",
                hint=nearest(str(recipe), sorted(built_in)),
            )
        try:
            tables = tomllib.loads(source.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise StageFailure("bad-recipe", f"The recipe {recipe} cannot be read: {error}") from error
        try:
            return Recipe.from_dict(tables, Path(str(recipe)).stem, Path(str(recipe)).parent)
        except RecursionError as error:
            raise StageFailure("bad-recipe", f"The recipe {recipe} is its own base.") from error

    def _node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        known = [node.name for node in self.nodes]
        raise StageFailure("unknown-node", f"The recipe {self.name} has no node {name!r}.", hint=nearest(name, known))


def _built_in() -> Any:
    return files("diptych.pipeline.recipes")


def _free(stage: Stage, taken: Mapping[str, Node]) -> str:
    """The name of the slot, with a number if it is taken."""
    numbers = (f"{stage.slot}_{i}" for i in range(2, len(taken) + 3))
    return next(name for name in (stage.slot, *numbers) if name not in taken)


def _split(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals:
        raise StageFailure("bad-setting", f"{text!r} is no setting.", hint="Write node.parameter=value.")
    return path.strip(), value.strip()


def _stage(node: str, table: Any) -> Stage:
    if not isinstance(table, Mapping) or not isinstance(table.get("use"), str):
        raise StageFailure(
            "bad-recipe",
            f"The node {node!r} of the recipe does not say which stage to use.",
            hint=f'Write a table [{node}] with use = "StageName".',
        )
    return make(registry.find(table["use"]), {name: value for name, value in table.items() if name != "use"})


def _changed(base: Recipe, tables: Mapping[str, Any], name: str) -> Recipe:
    """Return a base recipe with the changes of :meth:`Recipe.from_dict`."""
    nodes = {node.name: node.stage for node in base.nodes}
    for node, table in tables.items():
        if not isinstance(table, Mapping):
            raise StageFailure("bad-recipe", f"{node!r} of the recipe is no table.", hint=f"Write a table [{node}].")
        after, own = table.get("after"), {key: value for key, value in table.items() if key != "after"}
        if node not in nodes or "use" in table:
            stage = None if own.get("use") == "none" else _stage(node, own)
        else:
            stage = make(type(nodes[node]), own, nodes[node])
        if after is not None and (node in nodes or after not in nodes):
            why = "is a node of the base" if node in nodes else f"has after = {after!r}, which is no node before it"
            raise StageFailure("bad-recipe", f"The node {node!r} of the recipe {why}.", hint=nearest(str(after), nodes))
        nodes = _placed(nodes, node, stage, after)
    return Recipe([Node(node, stage) for node, stage in nodes.items()], name)


def _placed(nodes: Mapping[str, Stage], node: str, stage: Stage | None, after: str | None) -> dict[str, Stage]:
    """Return the nodes with one replaced, removed, or added at the end or after another."""
    order = list(nodes)
    if node not in nodes:
        order.insert(len(order) if after is None else order.index(after) + 1, node)
    made = {**nodes, node: stage}
    return {name: kept for name in order if (kept := made[name]) is not None}


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _toml(value: Any) -> str:
    """Return a parameter as TOML, which has no null: None is written as ``"none"``."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if value is None or isinstance(value, str):
        return json.dumps("none" if value is None else value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise StageFailure("bad-recipe", f"A recipe file cannot hold the parameter {value!r}.", hint="Use numbers or text.")
