"""The results of a study: all numbers in a table, differences from the base with intervals, and sentences on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..cache.store import Store
from ..notebook import html_table
from ..report.words import plural
from ..results.result import Result
from .conclusions import difference_sentence, failure_sentences, headline_metrics
from .metrics import COSTS, METRICS, Metric
from .sharing import Sharing
from .statistics import PairedDifference, difference
from .study import Study


@dataclass(frozen=True, eq=False)
class Trial:
    """One variant on one scene with one seed.

    Attributes:
        scene, variant, seed: their names, and the seed.
        folder: holds its ``run.json``.
        record: the content of that.
        metrics: quality of its results, by the names of :data:`diptych.pipeline.study.metrics.METRICS`.
        costs: time, memory and budgets, by the names of :data:`diptych.pipeline.study.metrics.COSTS`.
        failure: code, sentence and hint if it failed; then there may be no metrics.
    """

    scene: str
    variant: str
    seed: int
    folder: Path
    record: dict[str, Any]
    metrics: dict[str, float]
    costs: dict[str, float]
    failure: dict[str, Any] | None = None

    @cached_property
    def result(self) -> Result:
        """Its results, read from the store on access."""
        return Result(self.folder, self.record, Store(self.record["store"]))


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """All trials of a study, with their statistics.

    Attributes:
        study: what was compared.
        trials: in the order of the scenes, variants and seeds.
        sharing: how much work the trials had in common.
    """

    study: Study
    trials: tuple[Trial, ...]
    sharing: Sharing

    def __repr__(self) -> str:
        return f"Comparison({self._title()})"

    def _repr_html_(self) -> str:
        return html_table(self._title(), ("conclusions",), [(sentence,) for sentence in self.conclusions])

    def _title(self) -> str:
        study = self.study
        counted = [("variant", study.variants), ("scene", study.scenes), ("seed", study.seeds), ("trial", self.trials)]
        counts = ", ".join(plural(len(items), noun) for noun, items in counted)
        return f"{study.name!r}: {counts}, {len(self.failed)} failed"

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that failed."""
        return tuple(trial for trial in self.trials if trial.failure)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that some trial has, in the order of :data:`diptych.pipeline.study.metrics.METRICS`."""
        found = {name for trial in self.trials for name, value in trial.metrics.items() if math.isfinite(value)}
        return tuple(metric for name, metric in METRICS.items() if name in found)

    @property
    def headlines(self) -> list[Metric]:
        """The metrics to look at first: those against the truth, if there is one."""
        return headline_metrics(self.metrics, any(scene.truth for scene in self.study.scenes))

    def table(self) -> pd.DataFrame:
        """Return every number of every trial in a row of its own, with the costs of the trial.

        Columns: ``scene``, ``variant``, one for every axis, ``seed``, ``metric``, ``value``, ``seconds``,
        ``cpu_seconds``, ``peak_memory`` (bytes), ``keypoints`` (per photo), ``pairs``, ``pixels``, ``key`` (digest of
        the trial's last result) and ``failure``. A trial that failed has a row without a metric.
        """
        rows = []
        for trial in self.trials:
            choices = self.study.variant(trial.variant).choices
            about = {"scene": trial.scene, "variant": trial.variant, **choices, "seed": trial.seed}
            ends = {
                **{name: trial.costs.get(name, math.nan) for name in COSTS},
                "key": next((task["key"] for task in reversed(trial.record.get("tasks", ())) if task["key"]), ""),
                "failure": trial.failure["sentence"] if trial.failure else "",
            }
            for name, value in (trial.metrics or {"": math.nan}).items():
                rows.append({**about, "metric": name, "value": value, **ends})
        return pd.DataFrame(rows)

    def summary(self) -> pd.DataFrame:
        """Return every metric and cost of every variant, with its difference from the base.

        Columns: ``variant``, ``metric``, ``title``, ``better`` (lower, higher or neither), ``count`` (trials), ``mean``
        (over seeds, then scenes), ``spread`` (standard deviation over seeds, root mean square over scenes), ``pairs``,
        ``difference`` (mean of those paired with the base), ``low``, ``high`` (its interval, see
        :func:`diptych.pipeline.study.statistics.difference`) and ``beyond_noise``. The base has no difference.
        """
        return self._summary.copy()

    @cached_property
    def _summary(self) -> pd.DataFrame:
        rows = []
        for variant in self.study.variants:
            for metric in (*self.metrics, *COSTS.values()):
                values = [each for each in self.values(variant.name, metric.name).values() if len(each)]
                row = {
                    "variant": variant.name,
                    "metric": metric.name,
                    "title": metric.title,
                    "better": metric.better,
                    "count": sum(map(len, values)),
                    "mean": float(np.mean([np.mean(list(each.values())) for each in values])) if values else math.nan,
                    "spread": _spread([np.array(list(each.values())) for each in values]),
                }
                found = None
                if variant.name != self.study.base:
                    found = self.difference(metric.name, [variant.name], [self.study.base])
                rows.append(row | _columns(found))
        return pd.DataFrame(rows)

    def effects(self) -> pd.DataFrame:
        """Return what each alternative of an axis changes against the first one; only of a full product.

        Trials with the same scene, seed and choices on the other axes are paired. The differences of one seed are
        averaged over those other choices first, since these trials are not independent. Columns: ``axis``,
        ``alternative``, ``against``, ``metric``, ``title``, ``better``, ``pairs``, ``difference``, ``low``, ``high``,
        ``beyond_noise``.
        """
        rows = []
        for axis, labels in self.study.axes.items():
            for label in labels[1:]:
                others, first = self.counterparts(axis, label)
                for metric in (*self.metrics, *COSTS.values()):
                    found = self.difference(metric.name, others, first)
                    rows.append(
                        {
                            "axis": axis,
                            "alternative": label,
                            "against": labels[0],
                            "metric": metric.name,
                            "title": metric.title,
                            "better": metric.better,
                            **_columns(found),
                        }
                    )
        return pd.DataFrame(rows)

    def difference(self, metric: str, variants: Sequence[str], bases: Sequence[str]) -> PairedDifference:
        """Return how variants differ from their partners, over the scenes and seeds that both have.

        Args:
            metric: name in :data:`diptych.pipeline.study.metrics.METRICS` or
                :data:`diptych.pipeline.study.metrics.COSTS`.
            variants, bases: names of the variants and, in the same order, of their partners. The differences of one
                seed are averaged first.
        """
        couples = [(self.values(a, metric), self.values(b, metric)) for a, b in zip(variants, bases, strict=True)]
        pairs, size = [], 0.0
        for scene in self.study.scenes:
            by_seed: dict[int, list[float]] = {}
            for mine, theirs in ((a[scene.name], b[scene.name]) for a, b in couples):
                for seed in mine.keys() & theirs.keys():
                    by_seed.setdefault(seed, []).append(mine[seed] - theirs[seed])
                    size = max(size, abs(mine[seed]), abs(theirs[seed]))
            pairs.append(np.array([np.mean(by_seed[seed]) for seed in sorted(by_seed)]))
        return difference(pairs, size)

    @cached_property
    def conclusions(self) -> list[str]:
        """Sentences: every alternative against the first of its axis, or every variant against the base."""
        study = self.study
        if study.axes:
            questions = [
                (label, labels[0], *self.counterparts(axis, label))
                for axis, labels in study.axes.items()
                for label in labels[1:]
            ]
        else:
            questions = [(v.name, study.base, [v.name], [study.base]) for v in study.variants[1:]]
        failed: dict[str, list[str]] = {}
        for trial in self.failed:
            failed.setdefault(trial.variant, []).append(trial.failure["sentence"] if trial.failure else "")
        return [
            *(self._sentence(*question) for question in questions),
            *failure_sentences(failed, len(study.scenes) * len(study.seeds)),
        ]

    def _sentence(self, name: str, against: str, variants: list[str], bases: list[str]) -> str:
        differences = [(metric, self.difference(metric.name, variants, bases)) for metric in self.headlines]
        return difference_sentence(name, against, differences, self.ratio("cpu_seconds", variants, bases))

    def values(self, variant: str, name: str) -> dict[str, dict[int, float]]:
        """Return the finite values of a metric or cost by scene and seed."""
        return {
            scene.name: {
                seed: value
                for seed in self.study.seeds
                if (trial := self._trial(scene.name, variant, seed))
                and not trial.failure
                and math.isfinite(value := (trial.metrics | trial.costs).get(name, math.nan))
            }
            for scene in self.study.scenes
        }

    def _trial(self, scene: str, variant: str, seed: int) -> Trial | None:
        return self._by_name.get((scene, variant, seed))

    @cached_property
    def _by_name(self) -> dict[tuple[str, str, int], Trial]:
        return {(trial.scene, trial.variant, trial.seed): trial for trial in self.trials}

    def counterparts(self, axis: str, label: str) -> tuple[list[str], list[str]]:
        """Return the variants with an alternative of an axis, and those that have its first one instead."""
        name_of = {tuple(sorted(variant.choices.items())): variant.name for variant in self.study.variants}
        chosen = [variant for variant in self.study.variants if variant.choices[axis] == label]
        first = self.study.axes[axis][0]
        bases = [name_of[tuple(sorted({**variant.choices, axis: first}.items()))] for variant in chosen]
        return [variant.name for variant in chosen], bases

    def ratio(self, metric: str, variants: Sequence[str], bases: Sequence[str]) -> float:
        """Return the sum of a metric or cost by that of the partners, over common scenes and seeds; NaN without any."""
        both = [
            (mine[seed], theirs[seed])
            for a, b in zip(variants, bases, strict=True)
            for mine, theirs in zip(self.values(a, metric).values(), self.values(b, metric).values(), strict=True)
            for seed in mine.keys() & theirs.keys()
        ]
        total = sum(theirs for _, theirs in both)
        return sum(mine for mine, _ in both) / total if total else math.nan


def _columns(found: PairedDifference | None) -> dict[str, Any]:
    found = found or PairedDifference(0, *[math.nan] * 4)
    return {
        "pairs": found.count,
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "beyond_noise": found.beyond_noise,
    }


def _spread(scenes: Iterable[np.ndarray]) -> float:
    """Standard deviation over seeds, root mean square over the scenes that have several."""
    variances = [values.var(ddof=1) for values in scenes if len(values) > 1]
    return float(np.sqrt(np.mean(variances))) if variances else math.nan
