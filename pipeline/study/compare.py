"""Running a study: trial after trial over one store, so that common results are computed once."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from ...stages.failure import StageFailure
from ..api import Settings
from ..cache.codec import digest
from ..cache.sourcecode import freeze_code
from ..cache.store import Store
from ..engine.collection import Collection
from ..engine.graph import Graph
from ..engine.options import RunOptions, StudyKeywords, WorkKeywords, split_options
from ..engine.planning import check_memory
from ..engine.progress import Lines, Reporter
from ..engine.recipe import Recipe
from ..engine.runner import cores, execute, failure_of
from ..report.words import plural
from ..results.output_folder import writing
from ..results.record import cost_of, make_record, write_record
from ..results.result import Result
from .comparison import Comparison, Trial
from .measuring import TrialMeasures, digest_of_folder, has_dense_truth
from .sharing import Sharing, StudyPlan, planned
from .study import PhotoSet, Study, study_of
from .variants import Axis, Changes, Variant, varied


def compare(
    photos: str | Path | Mapping[str, str | Path],
    *,
    out: str | Path,
    vary: Mapping[str, Any] | None = None,
    variants: Axis | None = None,
    recipe: str | Path | Recipe = "classical",
    use: Changes | None = None,
    settings: Settings = (),
    seeds: int | Sequence[int] = 1,
    keypoints: int | None = None,
    base: str | None = None,
    truth: str | Path | Mapping[str, str | Path] | None = None,
    **options: Unpack[StudyKeywords],
) -> Comparison:
    """Run a recipe with different stages in its slots on the same photos, and tell what that changes.

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
        recipe, use, settings: what varies, as in :func:`diptych.pipeline.api.run`.
        seeds: their number, or a list of them; the differences of a variant are paired over them.
        keypoints: largest number of keypoints per photo, for every detector.
        base: name of the variant that the others are compared with.
        truth: folder of the truth, for all scenes or by their names.
        until, cameras, camera, masks, workers, memory, device, store, cluster, progress: as in
            :func:`diptych.pipeline.api.run`, the same for every scene.

    Raises:
        StageFailure: the study cannot be run. A variant that fails does not raise; its trials hold the failure.
    """
    photo_options, run_options = split_options(options)
    folders = photos if isinstance(photos, Mapping) else {Path(photos).resolve().name: photos}
    truths = truth if isinstance(truth, Mapping) else dict.fromkeys(folders, truth)
    known = {name: Path(place) for name, place in truths.items() if place}
    study = study_of(
        [PhotoSet(name, Path(at), replace(photo_options, truth=known.get(name))) for name, at in folders.items()],
        varied(Recipe.load(recipe), use or {}).set(settings),
        vary=vary or {},
        variants=variants,
        seeds=seeds,
        keypoints=keypoints,
        until=run_options.until,
        base=base,
        name=Path(out).resolve().name,
    )
    return _run(study, Path(out), run_options)


def plan_study(study: Study) -> StudyPlan:
    """Return what a study needs and what sharing saves; nothing is run.

    Raises:
        StageFailure: photos cannot be read, or a variant cannot be wired.
    """
    photos = {
        scene.name: len(Collection.read(scene.photos, scene.options, Reporter().warn, cores()).photos.names)
        for scene in study.scenes
    }
    return planned(study, photos)


def run_study(study: Study, *, out: str | Path, **options: Unpack[WorkKeywords]) -> Comparison:
    """Run every trial of a study that the store does not have.

    Trials run one after another, so that they do not slow each other down, and share the store. ``out`` gets
    ``table.csv``, ``summary.csv``, ``effects.csv`` for a full product, ``report.html``, and for every trial
    ``trials/SCENE/VARIANT/SEED/run.json``. A trial is a run like any other: it can be loaded, exported and reproduced.

    Args:
        study: what to compare.
        out: folder of the study.
        workers, memory, device, store, cluster, progress: as in :func:`diptych.pipeline.api.run`; the study itself
            has the seeds and ``until``.

    Raises:
        StageFailure: as :func:`compare`; ``foreign-output`` if ``out`` holds a run.
    """
    return _run(study, Path(out), split_options(options)[1])


@freeze_code()
def _run(study: Study, folder: Path, options: RunOptions) -> Comparison:
    if (folder / "run.json").exists():
        raise StageFailure(
            "foreign-output",
            f"In {folder} lies a run, whose report the study would overwrite.",
            hint="Give another folder with --out; --store shares the results of the run.",
        )
    reporter = Lines(sys.stderr) if options.progress else Reporter()
    options = replace(options, until=options.until or study.until)
    runner = _Runner(study, folder, options.open_store(folder), options, reporter)
    sites = [_Site.opened(scene, reporter) for scene in study.scenes]
    for site in sites:
        runner.check(site)
    plan = planned(study, {site.scene.name: len(site.collection.photos.names) for site in sites}, options.device)
    reporter.note(plan_line(plan))
    trials = []
    for site, variant, seed in itertools.product(sites, study.variants, study.seeds):
        trials.append(runner.trial(site, variant, seed))
        reporter.note(f"[{len(trials)} of {plan.trials}] {trial_line(trials[-1])}")
    comparison = Comparison(study, tuple(trials), Sharing.counted(trial.record for trial in trials))
    _write(comparison, folder)
    return comparison


def plan_line(plan: StudyPlan) -> str:
    """Return a sentence on what a study needs."""
    have = "has" if plan.trials == 1 else "have"
    return (
        f"{plural(plan.trials, 'trial')} {have} {plural(plan.nodes, 'node')}, {plan.distinct_nodes} of them different: "
        f"at most {plural(plan.distinct, 'stage run')}, where each trial by itself would take {plan.tasks:,}."
    )


def trial_line(trial: Trial) -> str:
    """Return a line on how a trial ended."""
    ran = sum(task["status"] == "ran" for task in trial.record["tasks"])
    stored = sum(task["status"] == "hit" for task in trial.record["tasks"])
    ended = f"failed: {trial.failure['sentence']}" if trial.failure else f"{trial.record['seconds']:.1f} s"
    return f"{trial.scene}, {trial.variant}, seed {trial.seed}: {plural(ran, 'stage run')}, {stored} stored, {ended}"


@dataclass(frozen=True)
class _Site:
    """A scene whose photos have been read.

    Attributes:
        scene: the folders.
        collection: the photos.
        truth: digest of the files of the truth; empty without a truth.
    """

    scene: PhotoSet
    collection: Collection
    truth: str

    @staticmethod
    def opened(scene: PhotoSet, reporter: Reporter) -> _Site:
        """Read the photos and check the truth.

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
    options: RunOptions
    reporter: Reporter

    def check(self, site: _Site) -> None:
        """Check that every variant can be wired and fits into memory.

        Raises:
            StageFailure: naming what does not fit.
        """
        for variant in self.study.variants:
            graph = Graph.of(variant.recipe, self.options.until)
            if not self.options.cluster:
                options = replace(self.options, seed=self.study.seeds[0])
                check_memory(graph, site.collection, self.store, options)

    def trial(self, site: _Site, variant: Variant, seed: int) -> Trial:
        """Run a trial, write its record, and measure it."""
        record, failure = self._ran(site, variant, replace(self.options, seed=seed))
        folder = self.out / "trials" / site.scene.name / file_name(variant.name) / str(seed)
        with writing(folder):
            write_record(folder / "run.json", record)
        measures = TrialMeasures({}, {})
        if failure is None:
            try:
                measures = TrialMeasures.of(Result(folder, record, self.store), site.scene.truth, site.truth)
            except StageFailure as error:
                failure = error
        told = {"code": failure.code, "sentence": failure.sentence, "hint": failure.hint} if failure else None
        costs = {**cost_of(record), **measures.given}
        return Trial(site.scene.name, variant.name, seed, folder, record, dict(measures.metrics), costs, told)

    def _ran(self, site: _Site, variant: Variant, options: RunOptions) -> tuple[dict[str, Any], StageFailure | None]:
        began = time.perf_counter()
        graph = Graph.of(variant.recipe, options.until)
        execution = execute(graph, site.collection, self.store, options, _OnlyWarnings(self.reporter))
        failure = failure_of(execution.failed) if execution.failed else None
        record = make_record(
            graph,
            variant.name,
            site.collection,
            options,
            self.store,
            execution,
            seconds=time.perf_counter() - began,
            warnings=execution.warnings,
            failure=failure,
            outputs={},
        )
        return record, failure


class _OnlyWarnings(Reporter):
    """Shows the warnings of a trial through the reporter of the study, and nothing else."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def warn(self, sentence: str) -> None:
        self._reporter.warn(sentence)


def file_name(name: str) -> str:
    """Return the folder name of a variant."""
    plain = re.sub(r"[^\w.=+-]+", "-", name).strip("-.") or "variant"
    return plain if plain == name else f"{plain[:80]}-{digest(name.encode())[:6]}"


def _write(comparison: Comparison, folder: Path) -> None:
    from ..report.study.page import write_study

    with writing(folder):
        comparison.table().to_csv(folder / "table.csv", index=False)
        comparison.summary().to_csv(folder / "summary.csv", index=False)
        if comparison.study.axes:
            comparison.effects().to_csv(folder / "effects.csv", index=False)
        write_study(folder / "report.html", comparison)
