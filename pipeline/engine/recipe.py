"""A recipe: which stages, in which order, with which parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...stages.failure import StageFailure
from ...stages.stage import Stage
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


@dataclass(frozen=True, init=False)
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

    def __getitem__(self, name: str) -> Stage:
        return self._node(name).stage

    def with_(self, **stages: Stage) -> Recipe:
        """The same recipe with other stages under some of its names.

        Raises:
            StageFailure: ``unknown-node``, or ``wrong-slot`` where the new stage fills another slot than the old.
        """
        for name, stage in stages.items():
            if stage.slot != self._node(name).slot:
                raise StageFailure(
                    "wrong-slot", f"{type(stage).__name__} fills {stage.slot!r}, not {self._node(name).slot!r}."
                )
        nodes = (replace(node, stage=stages.get(node.name, node.stage)) for node in self.nodes)
        return Recipe(nodes, self.name)

    def set(self, values: Mapping[str, Any] | Iterable[str]) -> Recipe:
        """The same recipe with other parameters: ``{"features.max_keypoints": 4000}`` or ``["features.x=1"]``.

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
        """Every node with the name of its stage and all parameters, for :meth:`from_dict`."""
        from ..cache.keys import parameters_of

        return {
            node.name: {"use": registry.name_of(type(node.stage)), **parameters_of(node.stage)} for node in self.nodes
        }

    @staticmethod
    def from_dict(tables: Mapping[str, Any], name: str = "custom") -> Recipe:
        """A recipe from one table per node, each with ``use`` and parameters.

        Raises:
            StageFailure: ``bad-recipe``, ``unknown-stage``, ``unknown-parameter`` or ``bad-parameter``.
        """
        return Recipe([Node(node, _stage(node, table)) for node, table in tables.items()], name)

    @staticmethod
    def load(recipe: str | Path | Recipe) -> Recipe:
        """A recipe by its built-in name or from a TOML file.

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
        return Recipe.from_dict(tables, Path(str(recipe)).stem)

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
