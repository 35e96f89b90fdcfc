"""Looking before running: what is there, what would run, and which ingredient of which key changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..cache.keys import Ingredients, key_of, stage_ingredients
from ..cache.store import DamagedArtifact, Store
from ..results.record import differences, ingredients_of, name_differences
from .collection import Collection
from .graph import Graph, Vertex
from .memory import allowed, needs, too_little
from .options import RunOptions
from .tasks import Task, TaskId, tasks_of


@dataclass(frozen=True)
class NodePlan:
    """What is known of a node before it runs.

    Attributes:
        node, stage: names of the node and of its stage.
        items: how many there are, None where they are pairs that are not chosen yet.
        stored: how many results the store has.
        to_run: how many would run.
        unknown: how many depend on something that has to run first.
        waits_for: the nodes they depend on.
        memory: peak bytes of one item, 0 where it is not worth counting.
    """

    node: str
    stage: str
    items: int | None
    stored: int = 0
    to_run: int = 0
    unknown: int = 0
    waits_for: tuple[str, ...] = ()
    memory: int = 0


@dataclass(frozen=True)
class NodeChange:
    """What changed at a node since a run.

    Attributes:
        node: its name.
        unchanged: how many tasks have the same key.
        changed: for every set of changed ingredients, in words, how many tasks it concerns.
        added, removed: how many items are new, and how many are gone.
        waits_for: nodes that have to run before the rest can be known.
    """

    node: str
    unchanged: int = 0
    changed: tuple[tuple[str, int], ...] = ()
    added: int = 0
    removed: int = 0
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """A task whose inputs are known: its ingredients, and its result if the store has it."""

    ingredients: Ingredients
    output: str | None


def plan(graph: Graph, collection: Collection, store: Store, options: RunOptions) -> list[NodePlan]:
    """What each node of a run would do; nothing is run."""
    walk = _Walk(graph, collection, store, options)
    needed = needs(graph, collection.photos)
    plans = []
    for vertex in graph.vertices:
        tasks = walk.tasks[vertex.name]
        items = walk.items(vertex) if tasks is None else len(tasks)
        seen = [walk.seen[task.id] for task in tasks or () if task.id in walk.seen]
        stored = sum(one.output is not None for one in seen)
        unknown = (items or 0) - len(seen)
        waits_for = walk.missing(vertex) if unknown or tasks is None else ()
        plans.append(
            NodePlan(
                vertex.name,
                type(vertex.stage).__name__,
                items,
                stored,
                len(seen) - stored,
                unknown,
                waits_for,
                needed[vertex.name],
            )
        )
    return plans


def check_memory(graph: Graph, collection: Collection, store: Store, options: RunOptions) -> None:
    """Check that every item that a run may have to compute fits into its memory.

    Raises:
        StageFailure: ``too-little-memory``.
    """
    needed, memory = needs(graph, collection.photos), allowed(options.memory)
    large = [vertex for vertex in graph.vertices if needed[vertex.name] > memory]
    if large:
        plans = {one.node: one for one in plan(graph, collection, store, options)}
        for vertex in large:
            if plans[vertex.name].stored != plans[vertex.name].items:
                raise too_little(graph, vertex, needed[vertex.name], memory)


def explain(
    graph: Graph, collection: Collection, store: Store, record: dict[str, Any], options: RunOptions
) -> list[NodeChange]:
    """Which ingredients of which keys differ from those of a recorded run; nothing is run."""
    walk = _Walk(graph, collection, store, options)
    before = ingredients_of(record)
    return [_change(vertex, walk, before) for vertex in graph.vertices]


def _change(vertex: Vertex, walk: _Walk, before: Mapping[TaskId, Ingredients]) -> NodeChange:
    old = {name: one for name, one in before.items() if name[0] == vertex.name}
    tasks = walk.tasks[vertex.name]
    new = {task.id: walk.seen.get(task.id) for task in tasks or ()}
    reasons: Counter[str] = Counter()
    unchanged = 0
    for name in old.keys() if tasks is None else new.keys() & old.keys():
        now = new.get(name)
        # Of a task that waits only what it shares with the others of its node can be compared.
        known = now.ingredients if now else {**old[name], **walk.common[vertex.name]}
        changes = name_differences(differences(old[name], known))
        if changes:
            reasons[", ".join(changes)] += 1
        elif now:
            unchanged += 1
    unsure = tasks is None or any(one is None for one in new.values())
    return NodeChange(
        vertex.name,
        unchanged,
        tuple(sorted(reasons.items())),
        added=len(new.keys() - old.keys()),
        removed=len(old.keys() - new.keys()) if tasks is not None else 0,
        waits_for=walk.missing(vertex) if unsure else (),
    )


class _Walk:
    """The graph seen with the store: every task whose inputs are known, with its key's ingredients and its result."""

    def __init__(self, graph: Graph, collection: Collection, store: Store, options: RunOptions) -> None:
        self.graph = graph
        self.common = {vertex.name: stage_ingredients(vertex.stage, options.device) for vertex in graph.vertices}
        self.names = collection.photos.names
        self.tasks: dict[str, list[Task] | None] = {}
        self.seen: dict[TaskId, _Seen] = {}
        chosen = {name for vertex in graph.vertices for name in vertex.choices}
        choices: dict[str, Any] = {}
        sources = collection.sources(graph)
        for vertex in graph.vertices:
            if not choices.keys() >= set(vertex.choices):
                self.tasks[vertex.name] = None
                continue
            tasks = tasks_of(vertex, self.common[vertex.name], self.names, choices, sources, options.seed)
            self.tasks[vertex.name] = tasks
            for task in tasks:
                self._look(task, store)
            made = self.seen.get((vertex.name, ""))
            if vertex.name in chosen and made and made.output:
                choices[vertex.name] = store.read(made.output, vertex.slot.type)

    def items(self, vertex: Vertex) -> int | None:
        """How many items a vertex has, before its tasks can be listed."""
        return {"run": 1, "photo": len(self.names), "pair": None}[vertex.extent]

    def missing(self, vertex: Vertex) -> tuple[str, ...]:
        """The nodes right before this one whose results are not all there."""
        before = dict.fromkeys([*(e.source for e in vertex.inputs if not e.is_source), *vertex.choices])
        return tuple(name for name in before if not self._complete(name))

    def _complete(self, node: str) -> bool:
        tasks = self.tasks[node]
        return tasks is not None and all(t.id in self.seen and self.seen[t.id].output for t in tasks)

    def _look(self, task: Task, store: Store) -> None:
        outputs = {name: one.output for name in task.upstream if (one := self.seen.get(name)) and one.output}
        if len(outputs) < len(set(task.upstream)):
            return
        inputs = task.digests(outputs)
        own: Ingredients = {"inputs": inputs} if task.seed is None else {"inputs": inputs, "seed": task.seed}
        try:
            record = store.find(key_of(task.common, inputs, task.seed))
        except DamagedArtifact:
            record = None
        self.seen[task.id] = _Seen({**task.common, **own}, record.output if record else None)
