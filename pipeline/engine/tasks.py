"""Tasks: a task runs the stage of one vertex on one item, and stores the result."""

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
from ...stages.stage import Context
from ...stages.threads import one_blas_thread
from ...stages.wording import plural
from ..cache.keys import Ingredients, key_of, seed_of, task_ingredients
from ..cache.store import DamagedArtifact, KeyRecord, Store
from .collection import SourceItem
from .graph import Form, Input, Vertex
from .memory import MemoryBudget
from .metering import metered

TaskId = tuple[str, str]
"""Name of the vertex and of the item: ``""`` for the whole run, ``a.jpg``, or ``a.jpg|b.jpg``."""

Status = Literal["hit", "ran", "failed", "skipped", "damaged"]


@dataclass(frozen=True)
class StageTask:
    """One item of one vertex.

    Attributes:
        id: vertex and item.
        vertex: what to run.
        common: the ingredients of the key that all items of the vertex share.
        inputs: for each edge the source items or the tasks that it comes from.
        seed: of the random generator, if the stage draws.
    """

    id: TaskId
    vertex: Vertex
    common: Ingredients
    inputs: tuple[tuple[SourceItem | TaskId, ...], ...]
    seed: int | None

    @property
    def upstream(self) -> list[TaskId]:
        """The tasks whose results it takes, in the order of its inputs."""
        return [ref for refs in self.inputs for ref in refs if not isinstance(ref, SourceItem)]

    def digests(self, outputs: Mapping[TaskId, str]) -> dict[str, Any]:
        """The digests of its inputs by parameter, as they enter the key."""

        def resolve(ref: SourceItem | TaskId) -> str:
            return ref.digest if isinstance(ref, SourceItem) else outputs[ref]

        found = {edge.parameter: [resolve(ref) for ref in refs] for edge, refs in self._edges()}
        return {
            edge.parameter: found[edge.parameter][0] if edge.form == "one" else found[edge.parameter]
            for edge, _ in self._edges()
        }

    def _edges(self) -> Iterator[tuple[Input, tuple[SourceItem | TaskId, ...]]]:
        return zip(self.vertex.inputs, self.inputs, strict=True)


def tasks_of(
    vertex: Vertex,
    common: Ingredients,
    names: Sequence[str],
    choices: Mapping[str, Any],
    sources: Mapping[str, tuple[SourceItem, ...]],
    run_seed: int,
) -> list[StageTask]:
    """The tasks of a vertex, one for each of its items.

    Args:
        names: of the photos.
        choices: the results of the nodes that choose pairs or neighbors, by node.

    Raises:
        StageFailure: ``wrong-neighbors`` where their number is not that of the photos.
    """
    couples = [(int(i), int(j)) for i, j in choices[vertex.pairs].indices] if vertex.pairs else []
    neighbors = choices[vertex.neighbors] if vertex.neighbors else None
    if neighbors is not None and len(neighbors) != len(names):
        raise StageFailure(
            "wrong-neighbors",
            f"{vertex.neighbors} has {plural(len(neighbors), 'entry', 'entries')} for {plural(len(names), 'photo')}.",
            hint="Neighbors has an entry for every photo, in their order, also for those that have none.",
        )
    everything = {"run": [""], "photo": list(names), "pair": [f"{names[i]}|{names[j]}" for i, j in couples]}
    members: list[tuple[int, ...]] = {"run": [()], "photo": [(i,) for i in range(len(names))], "pair": list(couples)}[
        vertex.per
    ]

    def wanted(edge: Input, index: int, photos: tuple[int, ...]) -> tuple[SourceItem | TaskId, ...]:
        if edge.form in ("all", "each"):
            at: Sequence[int] = range(len(everything[edge.slot.per]))
        elif edge.form == "around" and neighbors is not None:
            at = (*photos, *neighbors.of(photos[0]).tolist())
        elif edge.slot.per == "run":
            at = (0,)
        else:
            at = photos if edge.slot.per == "photo" else (index,)
        if edge.slot.source:
            return tuple(sources[edge.source][i] for i in at)
        return tuple((edge.source, everything[edge.slot.per][i]) for i in at)

    return [
        StageTask(
            (vertex.name, item),
            vertex,
            common,
            tuple(wanted(edge, index, photos) for edge in vertex.inputs),
            seed_of(run_seed, vertex.stage, item) if vertex.draws else None,
        )
        for index, (item, photos) in enumerate(zip(everything[vertex.per], members, strict=True))
    ]


class LazySequence(Sequence[Any]):
    """The items of a slot in order; each is read from the store when it is indexed, and not cached."""

    def __init__(self, loads: Sequence[Callable[[], Any]]) -> None:
        self._loads = loads

    def __len__(self) -> int:
        return len(self._loads)

    def __getitem__(self, index: int | slice) -> Any:
        return LazySequence(self._loads[index]) if isinstance(index, slice) else self._loads[index]()


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    Attributes:
        status: ``hit`` (the result was in the store), ``ran``, ``failed``, ``skipped`` (after a failure) or ``damaged``
            (an input is corrupt and has to be computed again).
        inputs: digests by parameter.
        seed: as in :class:`StageTask`.
        record: the store's record of the result.
        notices: warnings about the store, beside those of the stage.
        failure: why it failed, with the exception of the stage as ``__cause__`` if it ran in this process.
        trace: the traceback as text, where the stage raised another exception than a StageFailure.
        damaged: digest of the corrupt input.
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

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the exception of the stage, which may not survive pickling; ``trace`` holds its text."""
        failure = self.failure
        bare = failure and StageFailure(failure.code, failure.sentence, hint=failure.hint, **failure.facts)
        return {**vars(self), "failure": bare}

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self.record is not None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of the store and of the stage, those with the names of the photos."""
        sentences = self.record.warnings if self.record else ()
        about = f"{_names(self.id[1])}: " if self.id[1] else ""
        return (*self.notices, *(f"{about}{sentence}" for sentence in sentences))


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of a run for its workers.

    Attributes:
        run: a name for this run, unique among those of a process.
        store: the store of the results.
        workers: number of tasks at once.
        threads: number of threads for all of them together.
        device: as in :class:`diptych.stages.stage.Context`.
        needs: peak bytes of one item of every node, 0 where the stage states none.
    """

    run: str
    store: Store
    workers: int
    threads: int
    device: str
    needs: Mapping[str, int]


Listener = Callable[[TaskId, int, int], None]

stopped: set[str] = set()
"""Runs of this process that start no more tasks, because one failed or the user interrupted them."""

listeners: dict[str, Listener] = {}
"""Callbacks for the progress (task, done, total) of every run, in the process that started it."""

budgets: dict[str, MemoryBudget] = {}
"""The memory budget of every run, in the process that started it; elsewhere there is no limit."""


def find_stored(task: StageTask, store: Store, upstream: Sequence[Outcome | None]) -> Outcome | None:
    """The outcome of a task whose result is in the store; None where it has to run, or its inputs are not known yet."""
    outputs = {outcome.id: outcome.record.output for outcome in upstream if outcome and outcome.record}
    if len(outputs) < len(set(task.upstream)):
        return None
    inputs = task.digests(outputs)
    try:
        record = store.find(key_of(task.common, inputs, task.seed))
    except (DamagedArtifact, StageFailure):
        return None
    return Outcome(task.id, "hit", inputs, task.seed, record) if record else None


def perform(task: StageTask, settings: WorkerSettings, upstream: list[Outcome]) -> Outcome:
    """Take the result of a task from the store or run it; never raises."""
    if settings.run in stopped or not all(outcome.is_done for outcome in upstream):
        return Outcome(task.id, "skipped")
    outputs = {outcome.id: outcome.record.output for outcome in upstream if outcome.record}
    inputs = task.digests(outputs)
    blank = Outcome(task.id, "failed", inputs, task.seed)
    try:
        key = key_of(task.common, inputs, task.seed)
        record, notices = look_up(settings.store, key, task.id)
        if record is not None:
            return replace(blank, status="hit", record=record)
        budget = budgets.get(settings.run)
        with budget.reserve(settings.needs[task.vertex.name]) if budget else nullcontext():
            if settings.run in stopped:
                return Outcome(task.id, "skipped")
            return replace(blank, status="ran", record=_run_stage(task, settings, key, inputs), notices=notices)
    except DamagedArtifact as error:
        return replace(blank, status="damaged", damaged=error.artifact)
    except StageFailure as failure:
        stopped.add(settings.run)
        return replace(blank, failure=failure)
    except Exception as error:
        stopped.add(settings.run)
        failure = StageFailure(
            "stage-crashed",
            f"{type(task.vertex.stage).__name__} stopped with {type(error).__name__}: {error}",
            hint="This is a defect of the stage; run.json holds the traceback for a report.",
        )
        failure.__cause__ = error
        return replace(blank, failure=failure, trace=traceback.format_exc())


def look_up(store: Store, key: str, task: TaskId) -> tuple[KeyRecord | None, tuple[str, ...]]:
    """The record of a key, and a warning where its result is corrupt."""
    try:
        return store.find(key), ()
    except DamagedArtifact:
        return None, (f"The stored result of {describe(task)} was damaged; it is computed again.",)


def describe(task: TaskId) -> str:
    """The name of a task: ``features of a.jpg``."""
    node, item = task
    return f"{node} of {_names(item)}" if item else node


def _names(item: str) -> str:
    return item.replace("|", " and ")


def _run_stage(task: StageTask, settings: WorkerSettings, key: str, inputs: dict[str, Any]) -> KeyRecord:
    stage, vertex = task.vertex.stage, task.vertex
    listener = listeners.get(settings.run)
    if listener:
        listener(task.id, 0, 1)
    warnings: list[str] = []
    arguments = _arguments(vertex, inputs, task.inputs, settings.store)
    if vertex.draws:
        arguments["rng"] = np.random.default_rng(task.seed)
    if vertex.wants_context:
        progress = (lambda done, total: listener(task.id, done, total)) if listener else (lambda done, total: None)
        at_once = 1 if vertex.per == "run" else _at_once(vertex, settings)
        arguments["context"] = Context(max(1, settings.threads // at_once), settings.device, progress, warnings.append)
    with one_blas_thread(), metered() as cost:
        value = stage.run(**arguments)
    if not isinstance(value, vertex.slot.type):
        raise TypeError(f"it gave a {type(value).__name__}, not a {vertex.slot.type.__name__}")
    output, size = settings.store.write(value)
    record = KeyRecord(
        key,
        output,
        size,
        task_ingredients(task.common, inputs, task.seed),
        cost.seconds,
        cost.cpu_seconds,
        cost.peak_rss,
        tuple(warnings),
        time.time(),
        cost.exclusive,
    )
    settings.store.finish(record)
    return record


def _at_once(vertex: Vertex, settings: WorkerSettings) -> int:
    """How many items of a vertex run at once."""
    budget = budgets.get(settings.run)
    return min(settings.workers, budget.fits(settings.needs[vertex.name])) if budget else settings.workers


def _arguments(
    vertex: Vertex, inputs: dict[str, Any], refs: tuple[tuple[SourceItem | TaskId, ...], ...], store: Store
) -> dict[str, Any]:
    """The arguments of ``run``, in the forms that its annotations ask for."""
    arguments = {}
    for edge, sources in zip(vertex.inputs, refs, strict=True):
        given = inputs[edge.parameter]
        digests = [given] if edge.form == "one" else given
        loads = [partial(_load, ref, name, edge, store) for ref, name in zip(sources, digests, strict=True)]
        arguments[edge.parameter] = _in_form(edge.form, loads)
    return arguments


def _load(ref: SourceItem | TaskId, name: str, edge: Input, store: Store) -> Any:
    given = ref.given if isinstance(ref, SourceItem) else None
    if isinstance(given, PhotoFile):
        return given.load()
    return store.read(name, edge.slot.type) if given is None else given


def _in_form(form: Form, loads: list[Callable[[], Any]]) -> Any:
    if form == "each":
        return LazySequence(loads)
    values = [load() for load in loads]
    if form == "all":
        return tuple(values)
    if form == "pair":
        return Pair(*values)
    return Around(values[0], tuple(values[1:])) if form == "around" else values[0]
