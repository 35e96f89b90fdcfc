"""The functions of ``diptych``: run, plan, explain, reproduce, diff, cite, evaluate, predict, export.

>>> import diptych as dp                                      # doctest: +SKIP
>>> result = dp.run("photos", out="out", recipe="classical", seed=0)   # doctest: +SKIP
>>> result.scene.centers                                               # doctest: +SKIP
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ..stages.failure import StageFailure
from .engine import registry
from .engine.collection import Collection
from .engine.graph import Graph
from .engine.options import PhotoOptions, RunKeywords, split_options
from .engine.planning import NodeChange, NodePlan
from .engine.planning import explain as explain_graph
from .engine.planning import plan as plan_graph
from .engine.recipe import Recipe
from .engine.runner import cores
from .reconstruction import reconstruct
from .results.citations import bibtex, citations
from .results.difference import Difference, compare_runs
from .results.outputs import export_result
from .results.record import options_of, read_record, recipe_tables
from .results.result import Result
from .study.variants import Changes, varied

if TYPE_CHECKING:
    from ..learned.mono.prediction import Prediction
    from ..stages.evaluation.cameras import Evaluation
    from ..stages.evaluation.dense import DenseEvaluation

Settings = Mapping[str, Any] | Iterable[str]
"""Parameters to change: ``{"features.max_keypoints": 4000}`` or ``["features.max_keypoints=4000"]``."""


def run(
    photos: str | Path,
    *,
    out: str | Path,
    recipe: str | Path | Recipe = "classical",
    use: Changes | None = None,
    settings: Settings = (),
    **options: Unpack[RunKeywords],
) -> Result:
    """Reconstruct a folder of photos.

    Results that the store already has are not computed again. ``out`` gets ``sparse/`` (COLMAP), ``points.ply``,
    ``depths/``, ``cloud.ply``, ``mesh.ply``, ``report.html``, ``references.bib`` (what to cite), ``run.json`` and,
    unless another store is given, ``store/``. What an earlier run wrote there, except the store, is removed once the
    photos are read; ``run.json`` is written last, so a folder without it holds an unfinished run.

    Args:
        photos: a folder of JPEG, PNG or TIFF files.
        out: the output folder.
        recipe: a built-in name, a TOML file or a :class:`diptych.pipeline.engine.recipe.Recipe`.
        use: other stages by slot or node, such as ``{"pairs": "Sequential", "depths": "DepthNet(sources=5)"}``; see
            :func:`diptych.pipeline.study.variants.varied`.
        settings: parameters to change, ``{"features.max_keypoints": 4000}`` or ``["features.max_keypoints=4000"]``.
        seed: of every stage that draws random numbers; 0 by default.
        until: the slot or node to stop after; by default the run goes to the end.
        cameras: which photos share a camera: ``auto`` (default), ``shared``, ``single`` or ``folder``.
        camera: known calibration; see :func:`diptych.stages.images.calibration.prior_cameras`.
        masks: a folder of masks, black where no keypoints are wanted.
        truth: a folder with the true cameras or depth maps, for stages that take them, such as the oracles.
        workers: how many items to work on at once, by default one per processor core. The result does not depend on it.
        memory: GiB that the items worked on at once may need together, by default 80 % of what is available. If it is
            short, fewer items are worked on at once; the result does not depend on it. A cluster ignores it.
        device: ``cpu`` (default), or a torch device such as ``cuda``.
        store: folder or fsspec address; by default ``DIPTYCH_STORE`` from the environment, else ``out/store``.
        cluster: address of a Dask scheduler to run on.
        progress: show bars on standard error, or lines if it is no terminal; True by default. Independently of it,
            warnings and finished nodes go to the logger ``diptych`` of Python's logging.

    Raises:
        StageFailure: what went wrong; finished results stay in the store, and ``run.json`` describes the failure.
    """
    photo_options, run_options = split_options(options)
    return reconstruct(Path(photos), Path(out), _chosen(recipe, use, settings), photo_options, run_options)


def plan(
    photos: str | Path,
    *,
    out: str | Path = "out",
    recipe: str | Path | Recipe = "classical",
    use: Changes | None = None,
    settings: Settings = (),
    **options: Unpack[RunKeywords],
) -> list[NodePlan]:
    """Tell node by node what :func:`run` with the same arguments would compute; nothing is run."""
    photo_options, run_options = split_options(options)
    graph = Graph.of(_chosen(recipe, use, settings), run_options.until)
    collection = _read(photos, photo_options)
    return plan_graph(graph, collection, run_options.open_store(Path(out)), run_options)


def explain(
    photos: str | Path,
    *,
    out: str | Path = "out",
    recipe: str | Path | Recipe = "classical",
    use: Changes | None = None,
    settings: Settings = (),
    **options: Unpack[RunKeywords],
) -> list[NodeChange]:
    """Tell which ingredients of which keys differ from those of the run in ``out``; nothing is run.

    The arguments are those of :func:`run`.

    Raises:
        StageFailure: ``no-record`` if there was no run.
    """
    record = read_record(Path(out))
    photo_options, run_options = split_options(options)
    graph = Graph.of(_chosen(recipe, use, settings), run_options.until)
    collection = _read(photos, photo_options)
    return explain_graph(graph, collection, run_options.open_store(Path(out)), record, run_options)


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
        record: ``run.json`` or the folder that holds it.
        photos: where the photos are now; by default where they were.
        truth: where their truth is now, if the run had one; by default where it was.
        workers, progress: as in :func:`run`.

    Raises:
        StageFailure: the run cannot be repeated.
    """
    old = read_record(Path(record))
    how = options_of(old)
    with tempfile.TemporaryDirectory(prefix="diptych-") as fresh:
        again = run(
            photos or old["photos"]["folder"],
            out=fresh,
            recipe=Recipe.from_dict(recipe_tables(old), old["recipe"]["name"]),
            cameras=how.cameras,
            camera=how.camera,
            masks=how.masks,
            truth=truth or how.truth,
            seed=old["seed"],
            until=old["until"],
            workers=workers,
            device=old["device"],
            store=f"{fresh}/store",
            progress=progress,
        )
        return compare_runs(old, again.record)


def diff(a: str | Path, b: str | Path) -> Difference:
    """Compare two runs: what differs first, by how much, and which ingredients of the keys caused it.

    Args:
        a, b: ``run.json`` of a run, or the folder that holds it. Values are compared if both stores can be read.

    Raises:
        StageFailure: ``no-record`` or ``bad-record``.
    """
    return compare_runs(read_record(Path(a)), read_record(Path(b)))


def cite(out: str | Path | None = None, *, recipe: str | Path | Recipe | None = None) -> str:
    """Return the papers that the stages of a run, a study or a recipe implement, as BibTeX; empty without any.

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
    """Compare the cameras of the largest model of a run with the truth in a folder.

    Raises:
        StageFailure: as :func:`diptych.stages.formats.truth.cameras.read_truth` and
            :func:`diptych.stages.evaluation.cameras.evaluate`.
    """
    from ..stages.evaluation.cameras import evaluate as evaluate_scene
    from ..stages.formats.truth.dense import read_true_cameras

    return evaluate_scene(Result.load(out).scene, read_true_cameras(truth))


def evaluate_dense(out: str | Path, *, truth: str | Path) -> DenseEvaluation:
    """Compare the depth maps, the cloud and the mesh of a run with the truth in a folder.

    The similarity that aligns the cameras brings them into the world frame of the truth. The result leaves out what the
    run did not reach and what the truth does not contain.

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
    """Predict a colored point cloud from one new photo, with the network that a run trained on its scene.

    The cloud has the units of the model and lies in the frame of the photo's camera (x right, y down, z forward).

    Args:
        photo: a photo of the scene that the run did not have.
        model: the output folder of a run with a node that fills ``mono``, as in the recipe ``mono``.
        out: PLY file to write, beside it the depth map and a picture of it; by default named after the photo, in the
            current folder.
        camera: known calibration, ``MODEL,params...``; by default a camera of the model if the photo matches it, else
            the focal length in the EXIF.
        max_size: largest number of pixels of the longer side; every pixel may become a point.
        max_error: largest relative depth error, as the network predicts it, of the points that are kept. It predicts
            about 0.5 for the sky.
        max_slant: largest angle between the surface normal and the viewing ray, in degrees, of the points that are
            kept. Steeper ones are mostly artifacts at occlusion boundaries.
        warn: called with every warning.

    Raises:
        StageFailure: ``no-mono`` if the run trained no network, and as :func:`diptych.pipeline.prediction.predict`.
    """
    from .prediction import predict as predict_photo

    result = Result.load(model)
    learned = result.results["mono"].get("")
    if learned is None:
        raise StageFailure(
            "no-mono",
            f"The run in {model} has trained no network for depth from one photo.",
            hint="Run it with --recipe mono, or add MonoLearning as [mono] to its own recipe; its results are kept.",
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
    """Write results of a run for another program, as :func:`diptych.pipeline.results.outputs.export_result`.

    Raises:
        StageFailure: ``unknown-format``, ``no-result`` or ``not-writable``.
    """
    results = Result.load(out).results
    export_result(results.sparse, results.dense, to, Path(path))


def _chosen(recipe: str | Path | Recipe, use: Changes | None, settings: Settings) -> Recipe:
    return varied(Recipe.load(recipe), use or {}).set(settings)


def _read(photos: str | Path, options: PhotoOptions) -> Collection:
    return Collection.read(Path(photos), options, _ignore, cores())


def _ignore(sentence: str) -> None:
    """Discard a warning that a run would show."""
