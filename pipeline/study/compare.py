"""Running a study: trial after trial over one store, so that what they share is made once."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...stages.failure import StageFailure
from ..api import Result, Settings, open_store, photo_options, writing
from ..cache.codec import digest
from ..cache.sourcecode import freeze_code
from ..cache.store import Store
from ..engine.collection import Collection
from ..engine.graph import Graph
from ..engine.memory import allowed
from ..engine.planning import check_memory
from ..engine.progress import Lines, Reporter, Silent
from ..engine.recipe import Recipe
from ..engine.runner import cores, execute, failure_of
from ..results.record import Request, cost_of, make_record, write_record
from .comparison import Comparison, Trial
from .measuring import Measures, digest_of_folder, has_dense_truth
from .sharing import Sharing, StudyPlan, planned
from .study import PhotoSet, Study, study_of
from .variants import Axis, Variant


def compare(
    photos: str | Path | Mapping[str, str | Path],
    *,
    out: str | Path,
    vary: Mapping[str, Any] | None = None,
    variants: Axis | None = None,
    recipe: str | Path | Recipe = "classical",
    settings: Settings = (),
    seeds: int | Sequence[int] = 1,
    truth: str | Path | Mapping[str, str | Path] | None = None,
    keypoints: int | None = None,
    until: str | None = None,
    base: str | None = None,
    cameras: str = "auto",
    camera: str | None = None,
    masks: str | Path | None = None,
    workers: int | None = None,
    memory: float | None = None,
    device: str = "cpu",
    store: str | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> Comparison:
    """Put other stages into the slots of a recipe, and tell what that changes.

    >>> import diptych as dp                                                      # doctest: +SKIP
    >>> found = dp.compare("photos", vary={"depths": ["PatchMatch", "DepthNet"]}, seeds=3, truth="truth", out="study")
    ...                                                                                    # doctest: +SKIP
    >>> found.summary()                                                                    # doctest: +SKIP

    Args:
        photos: a folder, or several by the name of the scene.
        out: folder of the study, as :func:`run_study` fills it.
        vary: for every slot, node or ``node.parameter`` its alternatives: names, stages, lists of stages, or any of
            these by label. All combinations run; the first is the base.
        variants: instead of ``vary``, changes by the name of a variant.
        recipe, settings: what varies, as in :func:`diptych.pipeline.run`.
        seeds: so many, or these; the differences of a variant are paired over them.
        truth: folder of the truth, for all scenes or by their names.
        keypoints: the most that any detector may find.
        until: the slot or node to stop after.
        base: name of the variant that the others are compared with.
        cameras, camera, masks: how photos are read, as in :func:`diptych.pipeline.run`; the same for every scene.
        workers, memory, device, store, cluster, progress: as in :func:`diptych.pipeline.run`.

    Raises:
        StageFailure: the study cannot be run; a variant that fails does not raise, its trials say why.
    """
    folders = photos if isinstance(photos, Mapping) else {Path(photos).resolve().name: photos}
    truths = truth if isinstance(truth, Mapping) else dict.fromkeys(folders, truth)
    scenes = [
        PhotoSet(name, Path(folder), photo_options(cameras, camera, masks, truths.get(name)))
        for name, folder in folders.items()
    ]
    study = study_of(
        scenes,
        Recipe.load(recipe).set(settings),
        vary=vary or {},
        variants=variants,
        seeds=seeds,
        keypoints=keypoints,
        until=until,
        base=base,
        name=Path(out).resolve().name,
    )
    return run_study(
        study, out=out, workers=workers, memory=memory, device=device, store=store, cluster=cluster, progress=progress
    )


def plan_study(study: Study) -> StudyPlan:
    """What a study will need, and what sharing saves; nothing is run.

    Raises:
        StageFailure: photos cannot be read, or a variant cannot be wired.
    """
    photos = {
        scene.name: len(Collection.read(scene.photos, scene.options, Silent().warn, cores()).photos.names)
        for scene in study.scenes
    }
    return planned(study, photos)


@freeze_code()
def run_study(
    study: Study,
    *,
    out: str | Path,
    workers: int | None = None,
    memory: float | None = None,
    device: str = "cpu",
    store: str | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> Comparison:
    """Run every trial of a study that the store does not have.

    Trials run one after another, so that the time of one is not the other's load, and share the store. ``out`` gets
    ``table.csv``, ``summary.csv``, ``effects.csv`` for a full product, ``report.html``, and for every trial
    ``trials/SCENE/VARIANT/SEED/run.json``, which is a run like any other: it can be loaded, exported and reproduced.

    Raises:
        StageFailure: as :func:`compare`; ``foreign-output`` where a run lies in ``out``.
    """
    folder = Path(out)
    if (folder / "run.json").exists():
        raise StageFailure(
            "foreign-output",
            f"In {folder} lies a run, whose report the study would write over.",
            hint="Give another folder with --out; --store shares what the run has made.",
        )
    reporter = Lines(sys.stderr) if progress else Silent()
    runner = _Runner(study, folder, open_store(store, folder), workers or cores(), device, memory, cluster, reporter)
    sites = [_Site.opened(scene, reporter) for scene in study.scenes]
    for site in sites:
        runner.check(site)
    plan = planned(study, {site.scene.name: len(site.collection.photos.names) for site in sites}, device)
    reporter.note(plan_line(plan))
    trials = []
    for site, variant, seed in itertools.product(sites, study.variants, study.seeds):
        trials.append(runner.trial(site, variant, seed))
        reporter.note(f"[{len(trials)} of {plan.trials}] {trial_line(trials[-1])}")
    comparison = Comparison(study, tuple(trials), Sharing.counted(trial.record for trial in trials))
    _write(comparison, folder)
    return comparison


def plan_line(plan: StudyPlan) -> str:
    """What a study needs, in one line."""
    return (
        f"{plan.trials} trials have {plan.nodes} nodes, {plan.distinct_nodes} of them different: at most "
        f"{plan.distinct:,} stage runs, where each trial by itself would take {plan.tasks:,}."
    )


def trial_line(trial: Trial) -> str:
    """What became of a trial, in one line."""
    ran = sum(task["status"] == "ran" for task in trial.record["tasks"])
    stored = sum(task["status"] == "hit" for task in trial.record["tasks"])
    ended = f"failed: {trial.failure['sentence']}" if trial.failure else f"{trial.record['seconds']:.1f} s"
    return f"{trial.scene}, {trial.variant}, seed {trial.seed}: {ran} stage runs, {stored} stored, {ended}"


@dataclass(frozen=True)
class _Site:
    """A scene whose photos have been looked at.

    Attributes:
        scene: where things are.
        collection: its photos.
        truth: digest of the truth's files; empty without one.
    """

    scene: PhotoSet
    collection: Collection
    truth: str

    @staticmethod
    def opened(scene: PhotoSet, reporter: Reporter) -> _Site:
        """Read what is needed before anything runs.

        Raises:
            StageFailure: photos or truth cannot be read.
        """
        collection = Collection.read(scene.photos, scene.options, reporter.warn, cores())
        if scene.truth:
            has_dense_truth(scene.truth)
        return _Site(scene, collection, digest_of_folder(scene.truth) if scene.truth else "")


@dataclass(frozen=True)
class _Runner:
    """Runs the trials of a study, each into its own folder, over one store."""

    study: Study
    out: Path
    store: Store
    workers: int
    device: str
    memory: float | None
    cluster: str | None
    reporter: Reporter

    def check(self, site: _Site) -> None:
        """See that every variant can be wired and fits into memory.

        Raises:
            StageFailure: naming what does not fit.
        """
        for variant in self.study.variants:
            graph = Graph.of(variant.recipe, self.study.until)
            if not self.cluster:
                check_memory(
                    graph,
                    site.collection,
                    self.store,
                    allowed(self.memory),
                    seed=self.study.seeds[0],
                    device=self.device,
                )

    def trial(self, site: _Site, variant: Variant, seed: int) -> Trial:
        """Run a trial, keep its record, and measure it."""
        record, failure = self._ran(site, variant, seed)
        folder = self.out / "trials" / site.scene.name / file_name(variant.name) / str(seed)
        with writing(folder):
            write_record(folder / "run.json", record)
        measures = Measures({}, {})
        if failure is None:
            try:
                measures = Measures.of(Result(folder, record, self.store), site.scene.truth, site.truth)
            except StageFailure as error:
                failure = error
        told = {"code": failure.code, "sentence": failure.sentence, "hint": failure.hint} if failure else None
        costs = {**cost_of(record), **measures.given}
        return Trial(site.scene.name, variant.name, seed, folder, record, dict(measures.metrics), costs, told)

    def _ran(self, site: _Site, variant: Variant, seed: int) -> tuple[dict[str, Any], StageFailure | None]:
        began = time.perf_counter()
        graph = Graph.of(variant.recipe, self.study.until)
        execution = execute(
            graph,
            site.collection,
            self.store,
            seed=seed,
            workers=self.workers,
            device=self.device,
            memory=allowed(self.memory),
            cluster=self.cluster,
            reporter=_Quiet(self.reporter),
        )
        failure = failure_of(execution.failed) if execution.failed else None
        request = Request(seed, self.study.until, self.workers, self.device)
        record = make_record(
            graph,
            variant.name,
            site.collection,
            request,
            self.store,
            execution,
            seconds=time.perf_counter() - began,
            warnings=execution.warnings,
            failure=failure,
            outputs={},
        )
        return record, failure


class _Quiet(Silent):
    """Passes on what a person should know of a trial, and none of its steps."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def warn(self, sentence: str) -> None:
        self._reporter.warn(sentence)


def file_name(name: str) -> str:
    """The name of a variant as the name of a folder."""
    plain = re.sub(r"[^\w.=+-]+", "-", name).strip("-.") or "variant"
    return plain if plain == name else f"{plain[:80]}-{digest(name.encode())[:6]}"


def _write(comparison: Comparison, folder: Path) -> None:
    from ..report.study import write_study

    with writing(folder):
        comparison.table().to_csv(folder / "table.csv", index=False)
        comparison.summary().to_csv(folder / "summary.csv", index=False)
        if comparison.study.axes:
            comparison.effects().to_csv(folder / "effects.csv", index=False)
        write_study(folder / "report.html", comparison)
