"""The numbers of a study in sentences that claim no more than the numbers do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .metrics import COSTS, METRICS, Metric
from .statistics import LEVEL, Difference

if TYPE_CHECKING:
    from .comparison import Comparison

_WITHOUT_TRUTH = ("registered", "reprojection_mean_px", "depth_filled")

_DENSE = {"within_1_percent", "bad_1_px", "object_kept", "cloud_f_score_2"}
"""Of these a truth tells one at least, if it tells of surfaces; else it is said how much of the views has a depth."""


def conclusions_of(comparison: Comparison) -> list[str]:
    """One sentence for every alternative against the first of its axis, or for every variant against the base.

    A difference is named where its interval leaves zero out, and else said to be none beyond noise; where a scene has
    one seed only, nothing is known of the noise, and that is said.
    """
    study = comparison.study
    if study.axes:
        questions = [
            (label, labels[0], *comparison.counterparts(axis, label))
            for axis, labels in study.axes.items()
            for label in labels[1:]
        ]
    else:
        questions = [(v.name, study.base, [v.name], [study.base]) for v in study.variants[1:]]
    metrics = headlines_of(comparison)
    sentences = [_sentence(comparison, *question, metrics) for question in questions]
    return sentences + _failures(comparison)


def headlines_of(comparison: Comparison) -> list[Metric]:
    """The metrics that a person looks at first: those against the truth, where there is one."""
    present = {metric.name for metric in comparison.metrics}
    found = [metric for metric in METRICS.values() if metric.headline and metric.name in present]
    if not any(scene.truth for scene in comparison.study.scenes):
        found = [METRICS[name] for name in _WITHOUT_TRUTH if name in present]
    elif "depth_filled" in present and not _DENSE & {metric.name for metric in found}:
        found.append(METRICS["depth_filled"])
    return found


def _sentence(
    comparison: Comparison, name: str, against: str, variants: list[str], bases: list[str], metrics: list[Metric]
) -> str:
    clear, unclear, unknown = [], [], []
    for metric in metrics:
        found = comparison.difference(metric.name, variants, bases)
        if not found.count:
            continue
        if not found.noise_known:
            unknown.append(f"{metric.title} {metric.words(found.mean, signed=True)}")
        elif found.beyond_noise:
            clear.append(_clear(metric, found))
        else:
            unclear.append(metric.title)
    parts = []
    if clear:
        parts.append("; ".join(clear))
    if unclear:
        parts.append(f"no difference beyond noise in {_and(unclear)}")
    if unknown:
        parts.append(f"{', '.join(unknown)}, of one seed, which says nothing of the noise")
    if not parts:
        return f"{name} against {against}: no trial of both came to an end, so nothing can be said."
    return f"{name} against {against}: {'; '.join(parts)}{_time(comparison, variants, bases)}."


def _clear(metric: Metric, found: Difference) -> str:
    way = {("lower", True): "worse", ("lower", False): "better", ("higher", True): "better", ("higher", False): "worse"}
    said = way.get((metric.better, found.mean > 0), "higher" if found.mean > 0 else "lower")
    if found.low == found.high:
        interval = "the same with every seed"
    else:
        interval = f"{100 * LEVEL:.0f} % interval {metric.words(found.low, True)} to {metric.words(found.high, True)}"
    return f"{metric.title} {said} by {metric.words(abs(found.mean))} ({interval})"


def _time(comparison: Comparison, variants: list[str], bases: list[str]) -> str:
    """The processor time of trials that both came to an end, as a ratio of sums."""
    ratio = comparison.ratio("cpu_seconds", variants, bases)
    return f"; {COSTS['cpu_seconds'].title} {ratio:.2f} times" if math.isfinite(ratio) else ""


def _failures(comparison: Comparison) -> list[str]:
    failed: dict[str, list[str]] = {}
    for trial in comparison.failed:
        failed.setdefault(trial.variant, []).append(trial.failure["sentence"] if trial.failure else "")
    total = len(comparison.study.scenes) * len(comparison.study.seeds)
    return [f"{name} failed in {len(why)} of {total} trials: {why[0]}" for name, why in failed.items()]


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
