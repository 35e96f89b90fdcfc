"""Tasks: a vertex of the graph and one item that it runs on, and how such a task is done."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from ...stages.dense import Around
from ...stages.failure import StageFailure
from ...stages.images.photos import PhotoFile
from ...stages.scene import Pair
from ...stages.stage import SLOTS, Context
from ...stages.threads import one_blas_thread
from ..cache.keys import Ingredients, key_of, seed_of
from ..cache.store import DamagedArtifact, KeyRecord, Store
from .collection import Source
from .graph import Form, Input, Vertex
from .memory import Room
from .metering import metered

TaskId = tuple[str, str]
"""Name of the vertex and of the item: ``""`` for the whole run, ``a.jpg``, or ``a.jpg|b.jpg``."""

Status = Literal["hit", "ran", "failed", "skipped", "damaged"]


@dataclass(frozen=True)
class Task:
    """One item of one vertex.

    Attributes:
        id: vertex and item.
        vertex: what to run.
        common: the ingredients that all items of the vertex share.
        inputs: for each edge the source items or the tasks it comes from.
        seed: of the random generator, if the stage draws.
    """

    id: TaskId
    vertex: Vertex
    common: Ingredients
    inputs: tuple[tuple[Source | TaskId, ...], ...]
    seed: int | None

    @property
    def upstream(self) -> list[TaskId]:
        """The tasks whose results it takes, in the order of its inputs."""
        return [ref for refs in self.inputs for ref in refs if not isinstance(ref, Source)]

    def digests(self, outputs: Mapping[TaskId, str]) -> dict[str, Any]:
        """The digests of its inputs by parameter, as they enter the key."""

        def resolve(ref: Source | TaskId) -> str:
            return ref.digest if isinstance(ref, Source) else outputs[ref]

        found = {edge.parameter: [resolve(ref) for ref in refs] for edge, refs in self._edges()}
        return {
            edge.parameter: found[edge.parameter][0] if edge.form == "one" else found[edge.parameter]
            for edge, _ in self._edges()
        }

    def _edges(self) -> Iterator[tuple[Input, tuple[Source | TaskId, ...]]]:
        return zip(self.vertex.inputs, self.inputs, strict=True)


def tasks_of(
    vertex: Vertex,
    common: Ingredients,
    names: Sequence[str],
    choices: Mapping[str, Any],
    sources: Mapping[str, tuple[Source, ...]],
    run_seed: int,
) -> list[Task]:
    """A vertex as tasks, one for each of its items.

    Args:
        names: of the photos.
        choices: the results of the nodes that say what the vertex's tasks are, by node.

    Raises:
        StageFailure: ``wrong-neighbors``, where these are not those of the photos.
    """
    couples = [(int(i), int(j)) for i, j in choices[vertex.pairs].indices] if vertex.pairs else []
    neighbors = choices[vertex.neighbors] if vertex.neighbors else None
    if neighbors is not None and len(neighbors) != len(names):
        raise StageFailure(
            "wrong-neighbors",
            f"{vertex.neighbors} speaks of {len(neighbors)} photos, and there are {len(names)}.",
            hint="Neighbors has an entry for every photo, in their order, also for those that have none.",
        )
    everything = {"run": [""], "photo": list(names), "pair": [f"{names[i]}|{names[j]}" for i, j in couples]}
    members: list[tuple[int, ...]] = {"run": [()], "photo": [(i,) for i in range(len(names))], "pair": list(couples)}[
        vertex.extent
    ]

    def wanted(edge: Input, place: int, photos: tuple[int, ...]) -> tuple[Source | TaskId, ...]:
        if edge.form in ("all", "each"):
            at: Sequence[int] = range(len(everything[edge.extent]))
        elif edge.form == "around" and neighbors is not None:
            at = (*photos, *neighbors.of(photos[0]).tolist())
        elif edge.extent == "run":
            at = (0,)
        else:
            at = photos if edge.extent == "photo" else (place,)
        if edge.is_source:
            return tuple(sources[edge.source][i] for i in at)
        return tuple((edge.source, everything[edge.extent][i]) for i in at)

    return [
        Task(
            (vertex.name, item),
            vertex,
            common,
            tuple(wanted(edge, place, photos) for edge in vertex.inputs),
            seed_of(run_seed, vertex.stage, item) if vertex.draws else None,
        )
        for place, (item, photos) in enumerate(zip(everything[vertex.extent], members, strict=True))
    ]


class OneByOne(Sequence[Any]):
    """What a slot holds of the whole collection, in order: an item is read when it is asked for, and not kept."""

    def __init__(self, loads: Sequence[Callable[[], Any]]) -> None:
        self._loads = loads

    def __len__(self) -> int:
        return len(self._loads)

    def __getitem__(self, index: int | slice) -> Any:
        return OneByOne(self._loads[index]) if isinstance(index, slice) else self._loads[index]()


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        status: ``hit`` (the store had it), ``ran``, ``failed``, ``skipped`` (something before it failed) or ``damaged``
            (an input was damaged and has to be made again).
        inputs: digests by parameter.
        seed: as in :class:`Task`.
        record: what the store says of it.
        notices: what a person should know of the store, beside the stage's own warnings.
        failure: why it failed, with ``trace`` where the stage crashed.
        damaged: digest of the damaged input.
    """

    id: TaskId
    status: Status
    inputs: dict[str, Any] | None = None
    seed: int | None = None
    record: KeyRecord | None = None
    notices: tuple[str, ...] = ()
    failure: StageFailure | None = None
    trace: str = ""
    damaged: str = ""

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self.record is not None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the store and the stage warned of, with the photos it is about."""
        said = self.record.warnings if self.record else ()
        about = f"{_names(self.id[1])}: " if self.id[1] else ""
        return (*self.notices, *(f"{about}{sentence}" for sentence in said))


@dataclass(frozen=True)
class Workplace:
    """Where a task is done.

    Attributes:
        run: a name for this run, unique among those of a process.
        store: where results are.
        workers: how many tasks run at once.
        threads: how many threads they may keep busy together.
        device: as in :class:`~diptych.stages.stage.Context`.
        needs: peak bytes of one item of every node, 0 where it is not worth counting.
    """

    run: str
    store: Store
    workers: int
    threads: int
    device: str
    needs: Mapping[str, int]


Listener = Callable[[TaskId, int, int], None]

stopped: set[str] = set()
"""Runs of this process that start no more tasks, because one failed or a person interrupted them."""

listeners: dict[str, Listener] = {}
"""Who hears (task, done, total) of a run's tasks, in the process that started it."""

rooms: dict[str, Room] = {}
"""The memory that a run's tasks share, in the process that started it; elsewhere there is no limit."""


def stored(task: Task, store: Store, upstream: Sequence[Outcome | None]) -> Outcome | None:
    """The outcome of a task whose result is there already; None where it has to be performed, or waits for others."""
    outputs = {outcome.id: outcome.record.output for outcome in upstream if outcome and outcome.record}
    if len(outputs) < len(set(task.upstream)):
        return None
    inputs = task.digests(outputs)
    try:
        record = store.find(key_of(task.common, inputs, task.seed))
    except (DamagedArtifact, StageFailure):
        return None
    return Outcome(task.id, "hit", inputs, task.seed, record) if record else None


def perform(task: Task, place: Workplace, upstream: list[Outcome]) -> Outcome:
    """Do a task, or find that it was done; never raises."""
    if place.run in stopped or not all(outcome.is_done for outcome in upstream):
        return Outcome(task.id, "skipped")
    outputs = {outcome.id: outcome.record.output for outcome in upstream if outcome.record}
    inputs = task.digests(outputs)
    blank = Outcome(task.id, "failed", inputs, task.seed)
    try:
        key = key_of(task.common, inputs, task.seed)
        record, notices = look_up(place.store, key, task.id)
        if record is not None:
            return replace(blank, status="hit", record=record)
        room = rooms.get(place.run)
        with room.taken(place.needs[task.vertex.name]) if room else nullcontext():
            if place.run in stopped:
                return Outcome(task.id, "skipped")
            return replace(blank, status="ran", record=_do(task, place, key, inputs), notices=notices)
    except DamagedArtifact as error:
        return replace(blank, status="damaged", damaged=error.artifact)
    except StageFailure as failure:
        stopped.add(place.run)
        return replace(blank, failure=failure)
    except Exception as error:
        stopped.add(place.run)
        failure = StageFailure(
            "stage-crashed",
            f"{type(task.vertex.stage).__name__} stopped with {type(error).__name__}: {error}",
            hint="This is a defect of the stage; run.json holds the traceback for a report.",
        )
        return replace(blank, failure=failure, trace=traceback.format_exc())


def look_up(store: Store, key: str, task: TaskId) -> tuple[KeyRecord | None, tuple[str, ...]]:
    """What the store has for a key, and what to say where that was damaged."""
    try:
        return store.find(key), ()
    except DamagedArtifact:
        return None, (f"The stored result of {describe(task)} was damaged; it is computed again.",)


def describe(task: TaskId) -> str:
    """A task in words: ``features of a.jpg``."""
    node, item = task
    return f"{node} of {_names(item)}" if item else node


def _names(item: str) -> str:
    return item.replace("|", " and ")


def _do(task: Task, place: Workplace, key: str, inputs: dict[str, Any]) -> KeyRecord:
    stage, vertex = task.vertex.stage, task.vertex
    listener = listeners.get(place.run)
    if listener:
        listener(task.id, 0, 1)
    warnings: list[str] = []
    arguments = _arguments(vertex, inputs, task.inputs, place.store)
    if vertex.draws:
        arguments["rng"] = np.random.default_rng(task.seed)
    if vertex.wants_context:
        progress = (lambda done, total: listener(task.id, done, total)) if listener else (lambda done, total: None)
        beside = 1 if vertex.extent == "run" else _at_once(vertex, place)
        arguments["context"] = Context(max(1, place.threads // beside), place.device, progress, warnings.append)
    with one_blas_thread(), metered() as cost:
        value = stage.run(**arguments)
    if not isinstance(value, vertex.slot.type):
        raise TypeError(f"it gave a {type(value).__name__}, not a {vertex.slot.type.__name__}")
    output, size = place.store.write(value)
    own: Ingredients = {"inputs": inputs} if task.seed is None else {"inputs": inputs, "seed": task.seed}
    ingredients = {**task.common, **own}
    record = KeyRecord(
        key,
        output,
        size,
        ingredients,
        cost.seconds,
        cost.cpu_seconds,
        cost.peak_rss,
        tuple(warnings),
        time.time(),
        cost.alone,
    )
    place.store.finish(record)
    return record


def _at_once(vertex: Vertex, place: Workplace) -> int:
    """How many items of a vertex run beside each other."""
    room = rooms.get(place.run)
    return min(place.workers, room.holds(place.needs[vertex.name])) if room else place.workers


def _arguments(
    vertex: Vertex, inputs: dict[str, Any], refs: tuple[tuple[Source | TaskId, ...], ...], store: Store
) -> dict[str, Any]:
    """The values of a task's inputs, in the form in which its stage takes them."""
    arguments = {}
    for edge, sources in zip(vertex.inputs, refs, strict=True):
        given = inputs[edge.parameter]
        digests = [given] if edge.form == "one" else given
        loads = [partial(_load, ref, name, edge, store) for ref, name in zip(sources, digests, strict=True)]
        arguments[edge.parameter] = _formed(edge.form, loads)
    return arguments


def _load(ref: Source | TaskId, name: str, edge: Input, store: Store) -> Any:
    given = ref.given if isinstance(ref, Source) else None
    if isinstance(given, PhotoFile):
        return given.load()
    return store.read(name, SLOTS[edge.parameter].type) if given is None else given


def _formed(form: Form, loads: list[Callable[[], Any]]) -> Any:
    if form == "each":
        return OneByOne(loads)
    values = [load() for load in loads]
    if form == "all":
        return tuple(values)
    if form == "pair":
        return Pair(*values)
    return Around(values[0], tuple(values[1:])) if form == "around" else values[0]
