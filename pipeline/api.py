"""Diptych from Python: run, plan, explain, diff, reproduce, cite, evaluate, export.

>>> import diptych as dp                                      # doctest: +SKIP
>>> result = dp.run("photos", out="out", recipe="classical", seed=0)   # doctest: +SKIP
>>> result.scene.centers                                               # doctest: +SKIP
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..learned.mono.weights import MonoWeights
from ..stages.dense import Cloud, DepthMap, Mesh, Neighbors, View
from ..stages.failure import StageFailure
from ..stages.scene import Scene, Sparse
from .cache.store import Store
from .engine import registry
from .engine.collection import Collection, Options
from .engine.graph import Graph
from .engine.memory import allowed
from .engine.planning import NodeChange, NodePlan, check_memory
from .engine.planning import explain as explain_graph
from .engine.planning import plan as plan_graph
from .engine.progress import Reporter, Silent, reporter_for
from .engine.recipe import Node as Node
from .engine.recipe import Recipe
from .engine.runner import cores, execute, failure_of
from .results.citations import bibtex, citations
from .results.difference import Difference, compare_runs
from .results.outputs import clear_outputs, export_result, write_outputs
from .results.record import Request, make_record, options_of, outputs_of, read_record, recipe_tables, write_record
from .results.values import Dense, Items, Results

if TYPE_CHECKING:
    from ..learned.mono.prediction import Prediction
    from ..stages.evaluation.cameras import Evaluation
    from ..stages.evaluation.dense import DenseEvaluation

Settings = Mapping[str, Any] | Iterable[str]


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        out: the output folder.
        record: what ``run.json`` says.
        store: where the results are.
    """

    out: Path
    record: dict[str, Any]
    store: Store

    @property
    def sparse(self) -> Sparse:
        """All models.

        Raises:
            StageFailure: ``no-result``; so do the others below.
        """
        return self["sparse"][""]

    @property
    def scene(self) -> Scene:
        """The largest model."""
        return self.sparse.scene

    @property
    def neighbors(self) -> Neighbors:
        """The neighbours and the depth range of every photo."""
        return self["neighbors"][""]

    @property
    def views(self) -> Items[View]:
        """The photos without distortion, by name; each is read when it is asked for."""
        return self["views"]

    @property
    def mono(self) -> MonoWeights:
        """The network that sees depth in one photo, and how far off it is."""
        return self["mono"][""]

    @property
    def depths(self) -> Items[DepthMap]:
        """The depth maps, by the photo's name; each is read when it is asked for."""
        return self["depths"]

    @property
    def cloud(self) -> Cloud:
        """The points on surfaces."""
        return self["cloud"][""]

    @property
    def mesh(self) -> Mesh:
        """The surface."""
        return self["mesh"][""]

    @property
    def dense(self) -> Dense:
        """What there is of the dense half, absent where the run did not get there."""
        return self.results.dense

    def __getitem__(self, slot: str) -> Items[Any]:
        """The last results of a slot or node by item, each read when asked for: ``result["features"]["a.jpg"]``.

        Raises:
            StageFailure: ``no-result``, where the run did not get there, or on reading where the store has lost it.
        """
        if not (found := self.results[slot]):
            raise StageFailure("no-result", f"The run in {self.out} gave no {slot!r}.")
        return found

    @property
    def results(self) -> Results:
        """All results by slot or node; empty where the run did not get there."""
        slots = {node["name"]: node["slot"] for node in self.record["recipe"]["nodes"]}
        return Results(slots, outputs_of(self.record), self.store)

    @staticmethod
    def load(out: str | Path) -> Result:
        """An earlier run, from its output folder.

        Raises:
            StageFailure: ``no-record`` or ``bad-record``.
        """
        record = read_record(Path(out))
        return Result(Path(out), record, Store(record["store"]))


def run(
    photos: str | Path,
    *,
    out: str | Path,
    recipe: str | Path | Recipe = "classical",
    settings: Settings = (),
    until: str | None = None,
    seed: int = 0,
    cameras: str = "auto",
    camera: str | None = None,
    masks: str | Path | None = None,
    truth: str | Path | None = None,
    workers: int | None = None,
    memory: float | None = None,
    device: str = "cpu",
    store: str | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> Result:
    """Reconstruct a folder of photos.

    What the store already has is not done again. ``out`` gets ``sparse/`` (COLMAP), ``points.ply``, ``depths/``,
    ``cloud.ply``, ``mesh.ply``, ``report.html``, ``references.bib`` (what to cite), ``run.json`` and, unless another is
    given, ``store/``. What an earlier run wrote there is removed as soon as the photos are read, but for the store;
    ``run.json`` is written last, so without it a run has not come to its end.

    Args:
        photos: a folder of JPEG, PNG or TIFF files.
        out: the output folder.
        recipe: a built-in name, a TOML file or a :class:`~diptych.pipeline.engine.recipe.Recipe`.
        settings: parameters to change, ``{"features.max_keypoints": 4000}`` or ``["features.max_keypoints=4000"]``.
        until: the slot or node to stop after.
        seed: of everything that draws.
        cameras: which photos share a camera: ``auto``, ``shared``, ``single`` or ``folder``.
        camera: known calibration; see :func:`diptych.stages.images.calibration.prior_cameras`.
        masks: a folder of masks, black where keypoints must not lie.
        truth: a folder with the true cameras or depth maps, for stages that take them (an oracle, for one).
        workers: how many items to work on at once, by default one per processor core; the result does not depend on it.
        memory: GiB that the items worked on at once may need together, by default 80 % of what is available; where it
            is short fewer are worked on at once. The result does not depend on it, and a cluster does not ask for it.
        device: ``cpu``, or a torch device such as ``cuda``.
        store: folder or fsspec address; by default ``DIPTYCH_STORE`` from the environment, else ``out/store``.
        cluster: address of a Dask scheduler to run on.
        progress: show bars, or lines where standard error is no terminal.

    Raises:
        StageFailure: what went wrong; what was finished stays in the store, and ``run.json`` tells of it.
    """
    job = _Job(Recipe.load(recipe).set(settings), Request(seed, until, workers or cores(), device), Path(out), store)
    reporter = reporter_for() if progress else Silent()
    try:
        options = photo_options(cameras, camera, masks, truth)
        return job.run(Path(photos), options, allowed(memory), reporter, cluster)
    finally:
        reporter.close()


def plan(
    photos: str | Path,
    *,
    out: str | Path = "out",
    recipe: str | Path | Recipe = "classical",
    settings: Settings = (),
    until: str | None = None,
    seed: int = 0,
    cameras: str = "auto",
    camera: str | None = None,
    masks: str | Path | None = None,
    truth: str | Path | None = None,
    device: str = "cpu",
    store: str | None = None,
) -> list[NodePlan]:
    """What :func:`run` with the same arguments would do, node by node; nothing is run."""
    graph = Graph.of(Recipe.load(recipe).set(settings), until)
    options = photo_options(cameras, camera, masks, truth)
    return plan_graph(
        graph,
        Collection.read(Path(photos), options, _ignore, cores()),
        open_store(store, Path(out)),
        seed=seed,
        device=device,
    )


def explain(
    photos: str | Path,
    *,
    out: str | Path,
    recipe: str | Path | Recipe = "classical",
    settings: Settings = (),
    until: str | None = None,
    seed: int = 0,
    cameras: str = "auto",
    camera: str | None = None,
    masks: str | Path | None = None,
    truth: str | Path | None = None,
    device: str = "cpu",
    store: str | None = None,
) -> list[NodeChange]:
    """Which ingredients of which keys differ from those of the run in ``out``; nothing is run.

    Raises:
        StageFailure: ``no-record`` where there was no run.
    """
    record = read_record(Path(out))
    graph = Graph.of(Recipe.load(recipe).set(settings), until)
    options = photo_options(cameras, camera, masks, truth)
    collection = Collection.read(Path(photos), options, _ignore, cores())
    return explain_graph(graph, collection, open_store(store, Path(out)), record, seed=seed, device=device)


def reproduce(
    record: str | Path,
    *,
    photos: str | Path | None = None,
    truth: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Difference:
    """Repeat a recorded run in a fresh store, and compare every digest: A is the record, B the repetition.

    Args:
        record: ``run.json`` or the folder it lies in.
        photos: where the photos are now; by default where they were.
        truth: where their truth is now, if the run had one; by default where it was.

    Raises:
        StageFailure: the run cannot be repeated.
    """
    old = read_record(Path(record))
    options = options_of(old)
    recipe = Recipe.from_dict(recipe_tables(old), old["recipe"]["name"])
    with tempfile.TemporaryDirectory(prefix="diptych-") as fresh:
        again = run(
            photos or old["photos"]["folder"],
            out=fresh,
            recipe=recipe,
            until=old["until"],
            seed=old["seed"],
            cameras=options.cameras,
            camera=options.camera,
            masks=options.masks,
            truth=truth or options.truth,
            workers=workers,
            device=old["device"],
            store=f"{fresh}/store",
            progress=progress,
        )
        return compare_runs(old, again.record)


def diff(a: str | Path, b: str | Path) -> Difference:
    """Where two runs part: what differs first, by how much, and which ingredients of the keys made the difference.

    Args:
        a, b: ``run.json`` of a run, or the folder it lies in. Values are compared where both stores can be read.

    Raises:
        StageFailure: ``no-record`` or ``bad-record``.
    """
    return compare_runs(read_record(Path(a)), read_record(Path(b)))


def cite(out: str | Path | None = None, *, recipe: str | Path | Recipe | None = None) -> str:
    """What to cite for a run, a study or a recipe, as BibTeX; empty where its stages stand on no paper.

    Args:
        out: the folder of a run or of a study.
        recipe: instead of that, a recipe as for :func:`run`.

    Raises:
        StageFailure: ``no-record``, ``unknown-recipe`` or ``stage-not-importable``.
    """
    if recipe is not None:
        return bibtex(citations(type(node.stage) for node in Recipe.load(recipe).nodes))
    folder = Path(out or ".")
    records = [read_record(path) for path in sorted(folder.glob("trials/**/run.json")) or [folder]]
    used = dict.fromkeys(node["use"] for record in records for node in record["recipe"]["nodes"])
    return bibtex(citations(map(registry.find, used)))


def evaluate(out: str | Path, *, truth: str | Path) -> Evaluation:
    """Compare the largest model of a run with the truth in a folder.

    Raises:
        StageFailure: as :func:`diptych.stages.formats.truth.cameras.read_truth` and
            :func:`diptych.stages.evaluation.cameras.evaluate`.
    """
    from ..stages.evaluation.cameras import evaluate as evaluate_scene
    from ..stages.formats.truth.dense import read_true_cameras

    return evaluate_scene(Result.load(out).scene, read_true_cameras(truth))


def evaluate_dense(out: str | Path, *, truth: str | Path) -> DenseEvaluation:
    """Compare the depth maps, the cloud and the mesh of a run with the truth in a folder.

    They are brought into the truth's world by the similarity that aligns the cameras. What the run did not come to, or
    the truth does not tell, is absent from the result.

    Raises:
        StageFailure: as :func:`diptych.stages.formats.truth.dense.read_dense_truth` and
            :func:`diptych.stages.evaluation.dense.evaluate_dense`.
    """
    from ..stages.evaluation.dense import evaluate_dense as evaluate_parts
    from ..stages.formats.truth.dense import read_dense_truth

    known, result = read_dense_truth(truth), Result.load(out)
    dense = result.dense
    return evaluate_parts(result.scene, known, dense.views, dense.depths, dense.cloud, dense.mesh)


def predict(
    photo: str | Path,
    *,
    model: str | Path,
    out: str | Path | None = None,
    camera: str | None = None,
    max_size: int = 800,
    max_error: float = 0.3,
    max_slant: float = 80.0,
    warn: Callable[[str], None] | None = None,
) -> Prediction:
    """Make a coloured cloud of one new photo, by the network that a run has taught its scene.

    Its units and its scale are the model's; it lies in the frame of the photo's camera (x right, y down, z forward).

    Args:
        photo: of the scene, not one of the run's.
        model: the output folder of a run with a node that fills ``mono``, as in the recipe ``mono``.
        out: PLY file to write; by default named after the photo, in the present folder. Its depth map and a picture of
            it lie beside.
        camera: known calibration, ``MODEL,params...``; else the model's own camera where the photo is like its photos,
            else the focal length in its EXIF.
        max_size: most pixels of the longer side; each may become a point.
        max_error: largest error that the network expects of a depth, as a share of it; of the sky it expects a half.
        max_slant: degrees between a surface's normal and the ray to it; steeper lies mostly what the network draws
            between a thing and what is behind it.
        warn: called with one sentence for everything a person should know.

    Raises:
        StageFailure: ``no-mono`` where the run has not learned, and as :func:`diptych.pipeline.prediction.predict`.
    """
    from .prediction import predict as predict_photo

    result = Result.load(model)
    learned = result.results["mono"].get("")
    if learned is None:
        raise StageFailure(
            "no-mono",
            f"The run in {model} has not learned to see depth in one photo.",
            hint="Run it with --recipe mono, or with MonoLearning as [mono] in its own recipe; what is there is kept.",
        )
    path = Path(photo)
    return predict_photo(
        path,
        result.scene,
        learned,
        out=Path(out) if out else Path(f"{path.stem}.ply"),
        camera=camera,
        max_size=max_size,
        max_error=max_error,
        max_slant=max_slant,
        warn=warn or _ignore,
    )


def export(out: str | Path, *, to: str, path: str | Path) -> None:
    """Write what a run made for another program; see :func:`diptych.pipeline.results.outputs.export_result` for ``to``.

    Raises:
        StageFailure: ``unknown-format``, ``no-result`` or ``not-writable``.
    """
    results = Result.load(out).results
    export_result(results.sparse, results.dense, to, Path(path))


def open_store(address: str | None, out: Path) -> Store:
    """The store at an address, else where ``DIPTYCH_STORE`` says, else in the output folder."""
    return Store(address or os.environ.get("DIPTYCH_STORE") or str(out / "store"))


@dataclass(frozen=True)
class _Job:
    """One run: what to do, and where the results go."""

    recipe: Recipe
    request: Request
    out: Path
    store: str | None

    def run(self, photos: Path, options: Options, memory: int, reporter: Reporter, cluster: str | None) -> Result:
        began = time.perf_counter()
        graph = Graph.of(self.recipe, self.request.until)
        cited = bibtex(citations(type(vertex.stage) for vertex in graph.vertices))
        said: dict[str, None] = {}

        def warn(sentence: str) -> None:
            said[sentence] = None
            reporter.warn(sentence)

        collection = Collection.read(photos, options, warn, cores())
        _check_device(self.request.device)
        collection.check(graph)
        with writing(self.out):
            store = open_store(self.store, self.out)
            if not cluster:
                check_memory(graph, collection, store, memory, seed=self.request.seed, device=self.request.device)
            clear_outputs(self.out)
        execution = execute(
            graph,
            collection,
            store,
            seed=self.request.seed,
            workers=self.request.workers,
            device=self.request.device,
            memory=memory,
            cluster=cluster,
            reporter=reporter,
        )
        failed = execution.failed
        failure = failure_of(failed) if failed else None
        results = Results(
            {vertex.name: vertex.slot.name for vertex in graph.vertices},
            {outcome.id: outcome.record.output for outcome in execution.outcomes.values() if outcome.record},
            store,
        )
        sparse, dense = results.sparse, results.dense
        with writing(self.out, failure):
            outputs = write_outputs(self.out, sparse, dense, self.request.workers) if sparse else {}
            record = make_record(
                graph,
                self.recipe.name,
                collection,
                self.request,
                store,
                execution,
                seconds=time.perf_counter() - began,
                warnings=list(said | dict.fromkeys(execution.warnings)),
                failure=failure,
                outputs=outputs,
            )
            if cited:
                (self.out / "references.bib").write_text(cited, "utf-8")
            if failure or sparse:
                _write_report(self.out, collection, results, sparse, dense, record)
            write_record(self.out / "run.json", record)
        if failure:
            raise failure
        return Result(self.out, record, store)


def _write_report(
    out: Path, collection: Collection, results: Results, sparse: Sparse | None, dense: Dense, record: dict[str, Any]
) -> None:
    from .report.matching import Found
    from .report.page import write_report

    write_report(
        out / "report.html",
        photos=collection.photos,
        files=collection.files,
        sparse=sparse,
        dense=dense,
        record=record,
        found=Found(results["features"], results["matches"], results["two_views"]),
    )


@contextmanager
def writing(out: Path, failure: StageFailure | None = None) -> Iterator[None]:
    """Make the output folder, and say it plainly where it cannot be written to.

    After a failure that is said instead: a full disk spoils the store and the output folder alike.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise failure or StageFailure(
            "not-writable",
            f"The output folder {out} cannot be written to: {error.strerror or error}.",
            hint="Make room, or choose another with --out; what was computed is kept in the store.",
        ) from error


def photo_options(cameras: str, camera: str | None, masks: str | Path | None, truth: str | Path | None) -> Options:
    """How the photos of a run are read, from what a person gives."""
    return Options(cameras, camera, Path(masks) if masks else None, Path(truth) if truth else None)


def _check_device(device: str) -> None:
    if device != "cpu":
        from ..learned.inference import device_named

        device_named(device)


def _ignore(sentence: str) -> None:
    """Discard a warning that a run would show."""
