"""A run from the photos to the files in the output folder."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from .cache.store import Store
from .engine.collection import Collection
from .engine.graph import Graph
from .engine.options import PhotoOptions, RunOptions
from .engine.planning import check_memory
from .engine.progress import LOGGER, Reporter, reporter_for
from .engine.recipe import Recipe
from .engine.runner import Execution, cores, execute, failure_of
from .results.citations import bibtex, citations
from .results.output_folder import writing
from .results.outputs import clear_outputs, write_outputs
from .results.record import make_record, write_record
from .results.result import Result
from .results.values import Results


def reconstruct(photos: Path, out: Path, recipe: Recipe, photo_options: PhotoOptions, options: RunOptions) -> Result:
    """Run a recipe on a folder of photos and fill the output folder; see :func:`diptych.pipeline.api.run`.

    Raises:
        StageFailure: what went wrong; once the stages have started, ``run.json`` is written nevertheless.
    """
    with closing(reporter_for(options.progress)) as reporter:
        return _reconstruct(photos, out, recipe, photo_options, options, reporter)


def _reconstruct(
    photos: Path, out: Path, recipe: Recipe, photo_options: PhotoOptions, options: RunOptions, reporter: Reporter
) -> Result:
    began = time.perf_counter()
    graph = Graph.of(recipe, options.until)
    cited = bibtex(citations(type(vertex.stage) for vertex in graph.vertices))
    warnings: dict[str, None] = {}

    def warn(sentence: str) -> None:
        warnings[sentence] = None
        reporter.warn(sentence)

    collection = Collection.read(photos, photo_options, warn, cores())
    _check_device(options.device)
    collection.check(graph)
    with writing(out):
        store = options.open_store(out)
        if not options.cluster:
            check_memory(graph, collection, store, options)
        clear_outputs(out)
    execution = execute(graph, collection, store, options, reporter)
    failure = failure_of(execution.failed) if execution.failed else None
    results = _results(graph, execution, store)
    sparse, dense = results.sparse, results.dense
    with writing(out, failure):
        outputs = write_outputs(out, sparse, dense, options.workers or cores()) if sparse else {}
        record = make_record(
            graph,
            recipe.name,
            collection,
            options,
            store,
            execution,
            seconds=time.perf_counter() - began,
            warnings=list(warnings | dict.fromkeys(execution.warnings)),
            failure=failure,
            outputs=outputs,
        )
        if cited:
            (out / "references.bib").write_text(cited, "utf-8")
        if failure or sparse:
            _write_report(out, collection, results, record)
        write_record(out / "run.json", record)
    ran = sum(task["status"] == "ran" for task in record["tasks"])
    stored = sum(task["status"] == "hit" for task in record["tasks"])
    LOGGER.info("%s: %d tasks ran, %d came from the store, %.1f s", out, ran, stored, record["seconds"])
    if failure:
        raise failure
    return Result(out, record, store)


def _results(graph: Graph, execution: Execution, store: Store) -> Results:
    slots = {vertex.name: vertex.slot.name for vertex in graph.vertices}
    done = {outcome.id: outcome.record.output for outcome in execution.outcomes.values() if outcome.record}
    return Results(slots, done, store)


def _write_report(out: Path, collection: Collection, results: Results, record: dict[str, Any]) -> None:
    from .report.run.matching import Found
    from .report.run.page import write_report

    write_report(
        out / "report.html",
        photos=collection.photos,
        files=collection.files,
        sparse=results.sparse,
        dense=results.dense,
        record=record,
        found=Found(results["features"], results["matches"], results["two_views"]),
    )


def _check_device(device: str) -> None:
    if device != "cpu":
        from ..learned.inference import device_named

        device_named(device)
