"""Sentences about the numbers of a study, which claim a difference only if its interval excludes zero."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .metrics import COSTS, METRICS, Metric
from .statistics import LEVEL, PairedDifference

_WITHOUT_TRUTH = ("registered", "reprojection_mean_px", "depth_filled")

_DENSE = {"within_1_percent", "bad_1_px", "object_kept", "cloud_f_score_2"}
"""A truth with surfaces gives at least one of these; without it, ``depth_filled`` is shown instead."""


def headline_metrics(metrics: Sequence[Metric], has_truth: bool) -> list[Metric]:
    """Choose the metrics to look at first: those against the truth, if there is one."""
    present = {metric.name for metric in metrics}
    if not has_truth:
        return [METRICS[name] for name in _WITHOUT_TRUTH if name in present]
    found = [metric for metric in metrics if metric.headline]
    if "depth_filled" in present and not _DENSE & {metric.name for metric in found}:
        found.append(METRICS["depth_filled"])
    return found


def difference_sentence(
    name: str, against: str, differences: Sequence[tuple[Metric, PairedDifference]], time_ratio: float
) -> str:
    """Describe how one alternative differs from another.

    A difference is claimed if its interval excludes zero. With one seed there is no interval, and the sentence says so.

    Args:
        name, against: the alternative, and what it is compared with.
        differences: those of every headline metric.
        time_ratio: processor time as a ratio; NaN if unknown.
    """
    found = [(metric, each) for metric, each in differences if each.count]
    if not found:
        return f"{name} against {against}: no trial of both came to an end, so nothing can be said."
    parts = [_clear(metric, each) for metric, each in found if each.beyond_noise]
    if unclear := [metric.title for metric, each in found if each.noise_known and not each.beyond_noise]:
        parts.append(f"no difference beyond noise in {_and(unclear)}")
    if unknown := [f"{m.title} {m.words(each.mean, signed=True)}" for m, each in found if not each.noise_known]:
        parts.append(f"{', '.join(unknown)}, of one seed, which says nothing of the noise")
    if math.isfinite(time_ratio):
        parts.append(f"{COSTS['cpu_seconds'].title} {time_ratio:.2f} times")
    return f"{name} against {against}: {'; '.join(parts)}."


def failure_sentences(failed: Mapping[str, Sequence[str]], trials: int) -> list[str]:
    """Describe the failures of every variant.

    Args:
        failed: the reasons of all failed trials by the name of the variant.
        trials: how many trials a variant has.
    """
    return [f"{name} failed in {len(why)} of {trials} trials: {why[0]}" for name, why in failed.items()]


def _clear(metric: Metric, found: PairedDifference) -> str:
    way = {("lower", True): "worse", ("lower", False): "better", ("higher", True): "better", ("higher", False): "worse"}
    said = way.get((metric.better, found.mean > 0), "higher" if found.mean > 0 else "lower")
    if found.low == found.high:
        interval = "the same with every seed"
    else:
        interval = f"{100 * LEVEL:.0f} % interval {metric.words(found.low, True)} to {metric.words(found.high, True)}"
    return f"{metric.title} {said} by {metric.words(abs(found.mean))} ({interval})"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
