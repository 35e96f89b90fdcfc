"""The numbers of a study as text: differences with intervals, accuracy against time, means, effects and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...study.metrics import COSTS, METRICS, Metric
from ..charts.bars import interval
from ..charts.lens import Chart
from ..charts.scatter import Dot, scatter

if TYPE_CHECKING:
    from ...study.comparison import Comparison

_BUDGETS = [COSTS[name] for name in ("keypoints", "pixels", "pairs", "seconds", "cpu_seconds", "peak_memory")]

Row = Mapping[str, Any]
"""A row of a comparison's summary."""

Rows = Mapping[tuple[str, str], Row]
"""The summary by variant and metric."""


def summary_rows(comparison: Comparison) -> Rows:
    """The summary by variant and metric."""
    rows: list[dict[Any, Any]] = comparison.summary().to_dict("records")
    return {(row["variant"], row["metric"]): row for row in rows}


def difference_tables(comparison: Comparison, rows: Rows) -> dict[str, Any] | None:
    """Each variant's differences from the base: a table for every metric; ``None`` if there is only the base."""
    if len(comparison.study.variants) < 2:
        return None
    rest = [metric for metric in (*comparison.metrics, *COSTS.values()) if metric not in comparison.headlines]
    return {
        "headlines": [_differences(comparison, metric, rows) for metric in comparison.headlines],
        "rest": [_differences(comparison, metric, rows) for metric in rest],
    }


def _differences(comparison: Comparison, metric: Metric, rows: Rows) -> dict[str, Any]:
    found = [rows[variant.name, metric.name] for variant in comparison.study.variants[1:]]
    bounds = [abs(row[name]) for row in found for name in ("low", "high", "difference")]
    reach = max(filter(math.isfinite, bounds), default=0.0) or 1.0
    lines = [
        {
            "variant": row["variant"],
            **(judged := _judged(metric, row)),
            "drawn": _interval(row, reach, judged["kind"]),
            "mean": _words(metric, row["mean"]),
            "spread": _words(metric, row["spread"]),
        }
        for row in found
    ]
    return {"title": _sentence_case(metric.title), "better": metric.better, "rows": lines}


def _interval(row: Row, reach: float, kind: str) -> Markup:
    if not math.isfinite(row["difference"]):
        return Markup("")
    return interval(row["low"], row["difference"], row["high"], reach, kind)


def _judged(metric: Metric, row: Row) -> dict[str, str]:
    """A difference and its interval as text, the verdict, and the class that colors it."""
    word, kind = _verdict(metric, row)
    bounds = f"{_signed(metric, row['low'])} to {_signed(metric, row['high'])}" if math.isfinite(row["low"]) else "·"
    return {"difference": _signed(metric, row["difference"]), "bounds": bounds, "word": word, "kind": kind}


def _verdict(metric: Metric, row: Row) -> tuple[str, str]:
    if not math.isfinite(row["difference"]):
        return "no pair", ""
    if not math.isfinite(row["low"]):
        return "one seed: noise unknown", ""
    if row["low"] == row["high"] == 0:
        return "the same", ""
    if not row["beyond_noise"]:
        return "within noise", ""
    if not metric.better:
        return "beyond noise", ""
    kind = "better" if (row["difference"] > 0) == (metric.better == "higher") else "worse"
    return kind, kind


def accuracy_against_time(comparison: Comparison, rows: Rows) -> list[Chart]:
    """A chart for every headline metric, with a numbered dot for every variant."""
    charts = []
    for metric in comparison.headlines:
        scale, unit = metric.scaled
        dots = []
        for place, variant in enumerate(comparison.study.variants, 1):
            time, value = rows[variant.name, "cpu_seconds"], rows[variant.name, metric.name]
            if math.isfinite(time["mean"] + value["mean"]):
                title = f"{variant.name}: {_words(metric, value['mean'])}, {_words(COSTS['cpu_seconds'], time['mean'])}"
                spread = time["spread"], scale * value["spread"]
                dots.append(Dot(time["mean"], scale * value["mean"], *spread, str(place), title))
        if dots:
            title = f"{_sentence_case(metric.title)}{f', {unit}' if unit else ''}"
            drawn = scatter(dots, x_title="processor seconds", y_title=title, better=metric.better)
            charts.append((title, "", drawn))
    return charts


def mean_table(comparison: Comparison, rows: Rows) -> dict[str, Any]:
    """Means and spreads of the headline metrics and the budgets: a row for every variant."""
    metrics = [*comparison.headlines, *_BUDGETS]
    lines = []
    for variant in comparison.study.variants:
        found = [(metric, rows[variant.name, metric.name]) for metric in metrics]
        cells = [(_words(m, row["mean"]), _words(m, row["spread"]) if row["spread"] > 0 else "") for m, row in found]
        failed = sum(trial.variant == variant.name for trial in comparison.failed)
        lines.append({"variant": variant.name, "failed": failed, "cells": cells})
    return {"titles": [metric.title for metric in metrics], "rows": lines}


def effect_rows(comparison: Comparison) -> list[dict[str, str]]:
    """What each alternative of a full product changes, averaged over the choices on the other axes."""
    if len(comparison.study.axes) < 2:
        return []
    headlines = {metric.name for metric in comparison.headlines} | {"cpu_seconds"}
    rows: list[dict[Any, Any]] = comparison.effects().to_dict("records")
    lines = []
    for row in rows:
        if row["metric"] in headlines:
            metric = METRICS.get(row["metric"]) or COSTS[row["metric"]]
            names = {name: row[name] for name in ("axis", "alternative", "against")}
            lines.append({**names, "metric": metric.title, **_judged(metric, row)})
    return lines


def trial_table(comparison: Comparison) -> dict[str, Any]:
    """Every scene, variant and seed with its metrics, or why it failed, and its costs."""
    metrics = comparison.headlines
    lines = [
        {
            "names": (trial.scene, trial.variant, trial.seed),
            "why": str(trial.failure.get("sentence")) if trial.failure else None,
            "metrics": [_words(metric, trial.metrics.get(metric.name, math.nan)) for metric in metrics],
            "costs": [_words(cost, trial.costs.get(cost.name, math.nan)) for cost in _BUDGETS],
        }
        for trial in comparison.trials
    ]
    return {"titles": [metric.title for metric in (*metrics, *_BUDGETS)], "rows": lines}


def _words(metric: Metric, value: float) -> str:
    if not math.isfinite(value):
        return "·"
    scale, unit = metric.scaled
    value *= scale
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".rstrip().replace("-", "−")


def _signed(metric: Metric, value: float) -> str:
    return ("+" * (value > 0) + _words(metric, value)) if math.isfinite(value) else "·"


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
