"""The runner: it runs the tasks of a graph with Dask, on threads of this machine or on a cluster.

Tasks pass digests to each other; values go through the store. All tasks whose items are known are submitted at once, so
that matching starts before all features are extracted. The runner waits only for the nodes that choose pairs and
neighbors, because their results decide which tasks follow.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import dask.threaded
from dask.callbacks import Callback

from ...stages.failure import StageFailure
from ..cache.keys import Ingredients, stage_ingredients
from ..cache.store import DamagedArtifact, Store
from .collection import Collection
from .graph import Graph, Vertex
from .memory import MemoryBudget, allowed, describe_needs, needs
from .options import RunOptions
from .progress import Reporter
from .tasks import (
    Outcome,
    StageTask,
    TaskId,
    WorkerSettings,
    budgets,
    describe,
    find_stored,
    listeners,
    perform,
    stopped,
    tasks_of,
)

REPAIRS = 3
"""How often a run starts over because artifacts in the store are corrupt."""

CONNECT_TIMEOUT = 10
"""Seconds to wait for the scheduler of a cluster."""


class Scheduler(Protocol):
    """Computes a Dask graph and calls ``on_done`` with every result."""

    def __call__(self, tasks: dict[TaskId, Any], on_done: Callable[[Outcome], None]) -> None: ...


@dataclass
class Execution:
    """The outcomes of a run.

    Attributes:
        outcomes: every task's, in the order of the graph and of the items.
        common: the ingredients that the items of each node share.
        notices: warnings about the store.
    """

    outcomes: dict[TaskId, Outcome]
    common: dict[str, Ingredients]
    notices: list[str]

    @property
    def failed(self) -> Outcome | None:
        """The first task that failed."""
        return next((outcome for outcome in self.outcomes.values() if outcome.failure), None)

    @property
    def warnings(self) -> list[str]:
        """The warnings of the stages and of the store, each once."""
        sentences = (sentence for outcome in self.outcomes.values() for sentence in outcome.warnings)
        return list(dict.fromkeys([*self.notices, *sentences]))


def cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_scheduler(workers: int) -> Scheduler:
    """Dask's threaded scheduler on this machine."""

    def compute(tasks: dict[TaskId, Any], on_done: Callable[[Outcome], None]) -> None:
        with Callback(posttask=lambda key, result, dsk, state, worker: on_done(result)):
            dask.threaded.get(tasks, list(tasks), num_workers=workers)

    return compute


def cluster_scheduler(address: str) -> Scheduler:
    """A Dask cluster; its workers must reach the photos and the store under the same addresses."""

    def compute(tasks: dict[TaskId, Any], on_done: Callable[[Outcome], None]) -> None:
        try:
            from distributed import Client, as_completed

            client = Client(address, timeout=CONNECT_TIMEOUT)
        except ImportError as error:
            raise StageFailure(
                "no-cluster",
                "Running on a cluster needs the package distributed.",
                hint="pip install 'diptych[cluster]'",
            ) from error
        except (OSError, ValueError) as error:
            raise StageFailure(
                "no-cluster", f"There is no Dask scheduler at {address}.", hint="Start one with: dask scheduler"
            ) from error
        with client:
            futures = client.get(tasks, list(tasks), sync=False)
            for _, outcome in as_completed(futures, with_results=True):
                on_done(outcome)

    return compute


def execute(
    graph: Graph, collection: Collection, store: Store, options: RunOptions, reporter: Reporter | None = None
) -> Execution:
    """Run a graph on photos. Results that are in the store are not computed again.

    A task that fails stops the run: running tasks finish and their results are stored, no other task starts.

    Returns:
        Every task's outcome, also where one failed.

    Raises:
        StageFailure: the store cannot be used.
    """
    reporter = reporter or Reporter()
    workers, cluster = options.workers or cores(), options.cluster
    scheduler = cluster_scheduler(cluster) if cluster else threads_scheduler(workers)
    needed, budget = needs(graph, collection.photos), MemoryBudget(allowed(options.memory))
    settings = WorkerSettings(uuid.uuid4().hex, store, workers, cores(), options.device, needed)
    store.sweep()
    common = {vertex.name: stage_ingredients(vertex.stage, options.device) for vertex in graph.vertices}
    notices: list[str] = []
    with _progress_of(settings.run, reporter):
        if not cluster:
            budgets[settings.run] = budget
            for line in describe_needs(graph, needed, budget, workers):
                reporter.note(line)
        for _ in range(REPAIRS):
            run = _Run(graph, collection, settings, common, options.seed, reporter)
            damaged = run.finish(scheduler)
            if not damaged:
                return Execution(run.outcomes, common, notices)
            for artifact in damaged:
                store.discard(artifact)
                notices.append(f"The stored result {artifact[:12]} was damaged; it is computed again.")
                reporter.warn(notices[-1])
    raise StageFailure(
        "store-damaged",
        f"What is written to the store {store.address} does not stay as it is.",
        hint="Check the disk, or choose another place with --store.",
    )


class _Run:
    """One attempt to run the whole graph."""

    def __init__(
        self,
        graph: Graph,
        collection: Collection,
        settings: WorkerSettings,
        common: Mapping[str, Ingredients],
        seed: int,
        reporter: Reporter,
    ) -> None:
        self.graph, self.collection, self.settings, self.common = graph, collection, settings, common
        self.seed, self.reporter = seed, reporter
        self.sources = collection.sources(graph, settings.store)
        self.outcomes: dict[TaskId, Outcome] = {}
        self.choices: dict[str, Any] = {}

    def finish(self, scheduler: Scheduler) -> set[str]:
        """Run all tasks. Returns the digests of corrupt artifacts; with any, the run has to start over."""
        pending = list(self.graph.vertices)
        while pending:
            batch = self._batch(pending)
            self._compute([task for vertex in batch for task in self._tasks(vertex)], scheduler)
            damaged = {outcome.damaged for outcome in self.outcomes.values() if outcome.damaged}
            if damaged or not all(outcome.is_done for outcome in self.outcomes.values()):
                return damaged
            pending = [vertex for vertex in pending if vertex not in batch]
            try:
                self._read(batch, pending)
            except DamagedArtifact as error:
                return {error.artifact}
        return set()

    def _batch(self, pending: list[Vertex]) -> list[Vertex]:
        """The vertices that can be submitted: all pending ones, or those that the next choice needs."""
        for vertex in pending:
            for choice in vertex.choices:
                if choice not in self.choices:
                    needed = self.graph.needed_for(choice)
                    return [vertex for vertex in pending if vertex.name in needed]
        return pending

    def _tasks(self, vertex: Vertex) -> list[StageTask]:
        names = self.collection.photos.names
        return tasks_of(vertex, self.common[vertex.name], names, self.choices, self.sources, self.seed)

    def _compute(self, tasks: list[StageTask], scheduler: Scheduler) -> None:
        for vertex in dict.fromkeys(task.vertex.name for task in tasks):
            stage = type(self.graph[vertex].stage).__name__
            self.reporter.start(vertex, stage, sum(task.id[0] == vertex for task in tasks))
        done: dict[TaskId, Outcome] = {}

        def on_done(outcome: Outcome) -> None:
            done[outcome.id] = outcome
            self.reporter.done(outcome)

        def upstream(task: StageTask) -> list[Any]:
            return [self.outcomes.get(name) or done.get(name) for name in task.upstream]

        waiting = []
        for task in tasks:
            # Looking into a local store takes less time than submitting a task.
            outcome = find_stored(task, self.settings.store, upstream(task)) if self.settings.store.is_local else None
            if outcome:
                on_done(outcome)
            else:
                waiting.append(task)
        # Dask replaces the names of tasks that have not run yet by their outcomes.
        named = {
            task.id: [u or name for u, name in zip(upstream(task), task.upstream, strict=True)] for task in waiting
        }
        scheduler({task.id: (perform, task, self.settings, named[task.id]) for task in waiting}, on_done)
        self.outcomes |= {task.id: done[task.id] for task in tasks}

    def _read(self, batch: list[Vertex], pending: list[Vertex]) -> None:
        """Read the results that choose later tasks, and at the end the last result, to see that it is not corrupt."""
        chosen = {name for vertex in pending for name in vertex.choices}
        for vertex in batch:
            outcome = self.outcomes.get((vertex.name, ""))
            if outcome and outcome.record and (vertex.name in chosen or (not pending and vertex is batch[-1])):
                self.choices[vertex.name] = self.settings.store.read(outcome.record.output, vertex.slot.type)


@contextmanager
def _progress_of(run: str, reporter: Reporter) -> Any:
    listeners[run] = reporter.part
    try:
        yield
    finally:
        # Also after Ctrl-C: threads of the pool must not start tasks whose results nobody takes.
        stopped.add(run)
        listeners.pop(run, None)
        budgets.pop(run, None)


def failure_of(outcome: Outcome) -> StageFailure:
    """The failure of a task with the name of the task in its sentence.

    Its ``__cause__`` is the exception of the stage, whose traceback leads to the line; where the stage ran in another
    process it has the text of the traceback as a note.
    """
    failure = outcome.failure
    assert failure is not None
    sentence = failure.sentence if failure.code.startswith("store-") else f"{describe(outcome.id)}: {failure.sentence}"
    named = StageFailure(failure.code, sentence, hint=failure.hint, **failure.facts)
    named.__cause__ = failure.__cause__ if failure.__traceback__ is None else failure
    if named.__cause__ is None and outcome.trace:
        named.add_note(outcome.trace)
    return named
