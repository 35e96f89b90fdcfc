"""What a run would do: which results are stored, which tasks would run, and which ingredients of keys changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..cache.keys import Ingredients, key_of, stage_ingredients, task_ingredients
from ..cache.store import DamagedArtifact, Store
from ..results.record import differences, ingredients_of, name_differences
from .collection import Collection
from .graph import Graph, Vertex
from .memory import allowed, needs, too_little_memory
from .options import RunOptions
from .tasks import StageTask, TaskId, tasks_of


@dataclass(frozen=True)
class NodePlan:
    """What a run would do at a node.

    Attributes:
        node, stage: names of the node and of its stage.
        items: number of items, None for pairs that are not chosen yet.
        stored: number of results in the store.
        to_run: number of tasks that would run.
        unknown: number of tasks whose inputs have to be computed first.
        waits_for: the nodes that compute these inputs.
        memory: peak bytes of one item, 0 where the stage states none.
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
        unchanged: number of tasks with the same key.
        changed: every set of changed ingredients as text, and the number of tasks with it.
        added, removed: numbers of items that are new, and that are gone.
        waits_for: nodes that have to run before the other keys are known.
    """

    node: str
    unchanged: int = 0
    changed: tuple[tuple[str, int], ...] = ()
    added: int = 0
    removed: int = 0
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class _KnownTask:
    """A task whose inputs are known: the ingredients of its key, and the digest of its result if it is stored."""

    ingredients: Ingredients
    output: str | None


def plan(graph: Graph, collection: Collection, store: Store, options: RunOptions) -> list[NodePlan]:
    """What a run would do at each node; nothing is run."""
    walk = _Walk(graph, collection, store, options)
    needed = needs(graph, collection.photos)
    plans = []
    for vertex in graph.vertices:
        tasks = walk.tasks[vertex.name]
        items = walk.items(vertex) if tasks is None else len(tasks)
        known = [walk.known[task.id] for task in tasks or () if task.id in walk.known]
        stored = sum(one.output is not None for one in known)
        unknown = (items or 0) - len(known)
        waits_for = walk.missing(vertex) if unknown or tasks is None else ()
        plans.append(
            NodePlan(
                vertex.name,
                type(vertex.stage).__name__,
                items,
                stored,
                len(known) - stored,
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
                raise too_little_memory(graph, vertex, needed[vertex.name], memory)


def explain(
    graph: Graph, collection: Collection, store: Store, record: dict[str, Any], options: RunOptions
) -> list[NodeChange]:
    """Which ingredients of keys differ from those of a recorded run; nothing is run."""
    walk = _Walk(graph, collection, store, options)
    before = ingredients_of(record)
    return [_change(vertex, walk, before) for vertex in graph.vertices]


def _change(vertex: Vertex, walk: _Walk, before: Mapping[TaskId, Ingredients]) -> NodeChange:
    old = {name: one for name, one in before.items() if name[0] == vertex.name}
    tasks = walk.tasks[vertex.name]
    new = {task.id: walk.known.get(task.id) for task in tasks or ()}
    reasons: Counter[str] = Counter()
    unchanged = 0
    for name in old.keys() if tasks is None else new.keys() & old.keys():
        now = new.get(name)
        # While the inputs of a task are unknown, only the ingredients that its node shares can be compared.
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
    """All tasks of a graph whose inputs are in the store, with the ingredients of their keys and their results."""

    def __init__(self, graph: Graph, collection: Collection, store: Store, options: RunOptions) -> None:
        self.graph = graph
        self.common = {vertex.name: stage_ingredients(vertex.stage, options.device) for vertex in graph.vertices}
        self.names = collection.photos.names
        self.tasks: dict[str, list[StageTask] | None] = {}
        self.known: dict[TaskId, _KnownTask] = {}
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
            made = self.known.get((vertex.name, ""))
            if vertex.name in chosen and made and made.output:
                choices[vertex.name] = store.read(made.output, vertex.slot.type)

    def items(self, vertex: Vertex) -> int | None:
        """Number of items of a vertex whose tasks cannot be listed yet."""
        return {"run": 1, "photo": len(self.names), "pair": None}[vertex.per]

    def missing(self, vertex: Vertex) -> tuple[str, ...]:
        """The direct inputs of a vertex whose results are not all stored."""
        before = dict.fromkeys([*(e.source for e in vertex.inputs if not e.slot.source), *vertex.choices])
        return tuple(name for name in before if not self._complete(name))

    def _complete(self, node: str) -> bool:
        tasks = self.tasks[node]
        return tasks is not None and all(t.id in self.known and self.known[t.id].output for t in tasks)

    def _look(self, task: StageTask, store: Store) -> None:
        outputs = {name: one.output for name in task.upstream if (one := self.known.get(name)) and one.output}
        if len(outputs) < len(set(task.upstream)):
            return
        inputs = task.digests(outputs)
        ingredients = task_ingredients(task.common, inputs, task.seed)
        try:
            record = store.find(key_of(task.common, inputs, task.seed))
        except DamagedArtifact:
            record = None
        self.known[task.id] = _KnownTask(ingredients, record.output if record else None)
