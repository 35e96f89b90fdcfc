"""The numbers of a study: differences with their intervals, accuracy against time, scores beside budgets, trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ...study.metrics import COSTS, METRICS, Metric
from ..charts.bars import Dot, interval, scatter

if TYPE_CHECKING:
    from ...study.comparison import Comparison

_BUDGETS = ("keypoints", "pixels", "pairs", "seconds", "cpu_seconds", "peak_memory")

Row = Mapping[str, Any]
"""A row of a comparison's summary."""


def summary_rows(comparison: Comparison) -> dict[tuple[str, str], Row]:
    """The summary by variant and metric."""
    rows: list[dict[Any, Any]] = comparison.summary().to_dict("records")
    return {(row["variant"], row["metric"]): row for row in rows}


def differences_section(comparison: Comparison, rows: Mapping[tuple[str, str], Row]) -> str:
    """Of every headline metric the difference of each variant from the base, with its interval."""
    others = comparison.study.variants[1:]
    if not others:
        return ""
    blocks = [_differences(comparison, metric, rows) for metric in comparison.headlines]
    rest = [metric for metric in (*comparison.metrics, *COSTS.values()) if metric not in comparison.headlines]
    more = "".join(_differences(comparison, metric, rows) for metric in rest)
    base = escape(comparison.study.base)
    return f"""<section><h2>Differences from {base}</h2>
<p class="soft">The mean of paired differences, and the interval that holds it with 95 % over other seeds. What includes
zero is not beyond noise.</p><div class="metrics">{"".join(blocks)}</div>
<details class="more"><summary>All other metrics and costs</summary><div class="metrics">{more}</div></details>
</section>"""


def _differences(comparison: Comparison, metric: Metric, rows: Mapping[tuple[str, str], Row]) -> str:
    found = [(v.name, rows[v.name, metric.name]) for v in comparison.study.variants[1:]]
    bounds = [abs(row[name]) for _, row in found for name in ("low", "high", "difference")]
    reach = max(filter(math.isfinite, bounds), default=0.0) or 1.0
    lines = "".join(_difference_row(comparison, metric, name, row, reach) for name, row in found)
    return f"""<div class="wide" tabindex="0"><table>
<caption>{escape(_sentence_case(metric.title))}{_better(metric)}</caption>
<thead><tr><th>Variant</th><th class="number">Difference</th><th></th><th></th><th class="number">Interval</th>
<th class="number">Mean</th><th class="number">Spread</th></tr></thead><tbody>{lines}</tbody></table></div>"""


def _difference_row(comparison: Comparison, metric: Metric, name: str, row: Row, reach: float) -> str:
    word, kind = _judgement(metric, row)
    known = math.isfinite(row["difference"])
    drawn = interval(row["low"], row["difference"], row["high"], reach, kind) if known else ""
    return (
        f'<tr><td><span class="label">{_place(comparison, name)}</span> {escape(name)}</td>'
        f'<td class="number">{_signed(metric, row["difference"])}</td><td class="word {kind}">{word}</td>'
        f'<td class="chart">{drawn}</td><td class="number soft">{_bounds(metric, row)}</td>'
        f'<td class="number">{_words(metric, row["mean"])}</td>'
        f'<td class="number">{_words(metric, row["spread"])}</td></tr>'
    )


def _bounds(metric: Metric, row: Row) -> str:
    if not math.isfinite(row["low"]):
        return "·"
    return f"{_signed(metric, row['low'])} to {_signed(metric, row['high'])}"


def _judgement(metric: Metric, row: Row) -> tuple[str, str]:
    """A difference in a word, and the class that colours it."""
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


def time_section(comparison: Comparison, rows: Mapping[tuple[str, str], Row]) -> str:
    """Accuracy against time: a numbered dot for every variant."""
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
            chart = scatter(dots, x_title="processor seconds", y_title=title, better=metric.better)
            charts.append(f"<div><h3>{escape(title)}</h3>{chart}</div>")
    if not charts:
        return ""
    names = "".join(
        f'<li><span class="label">{place}</span> {escape(variant.name)}</li>'
        for place, variant in enumerate(comparison.study.variants, 1)
    )
    return f"""<section><h2>Accuracy against time</h2>
<p class="soft">A dot is the mean of a variant, its bars the spread over seeds.</p>
<ul class="names">{names}</ul><div class="charts">{"".join(charts)}</div></section>"""


def means_section(comparison: Comparison, rows: Mapping[tuple[str, str], Row]) -> str:
    """Scores with the budgets beside them: a row for every variant."""
    metrics = [*comparison.headlines, *(COSTS[name] for name in _BUDGETS)]
    head = "".join(f'<th class="number">{escape(metric.title)}</th>' for metric in metrics)
    lines = []
    for place, variant in enumerate(comparison.study.variants, 1):
        cells = "".join(_mean_cell(metric, rows[variant.name, metric.name]) for metric in metrics)
        failed = sum(trial.variant == variant.name for trial in comparison.failed)
        button = (
            f' <button type="button" data-beside="{place - 1}">beside {escape(comparison.study.base)}</button>'
            if place > 1
            else ' <small class="soft">base</small>'
        )
        lines.append(
            f'<tr><td><span class="label">{place}</span> {escape(variant.name)}'
            f"{f' <small class=word>{failed} failed</small>' if failed else ''}{button}</td>{cells}</tr>"
        )
    return f"""<section><h2>Scores and budgets</h2><p class="soft">Means over seeds, then scenes, with the spread over
seeds. Seconds and memory were measured when a stage really ran, and are kept with its result.</p>
<div class="wide scroll" tabindex="0"><table><thead><tr><th>Variant</th>{head}</tr></thead>
<tbody>{"".join(lines)}</tbody></table></div></section>"""


def _mean_cell(metric: Metric, row: Row) -> str:
    spread = f'<small class="soft">± {_words(metric, row["spread"])}</small>' if row["spread"] > 0 else ""
    return f'<td class="number">{_words(metric, row["mean"])}{spread}</td>'


def effects_section(comparison: Comparison) -> str:
    """Of a full product, what each alternative changes over all choices on the other axes."""
    if len(comparison.study.axes) < 2:
        return ""
    headlines = {metric.name for metric in comparison.headlines} | {"cpu_seconds"}
    rows: list[dict[Any, Any]] = comparison.effects().to_dict("records")
    lines = []
    for row in rows:
        if row["metric"] not in headlines:
            continue
        metric = METRICS.get(row["metric"]) or COSTS[row["metric"]]
        word, kind = _judgement(metric, row)
        lines.append(
            f"<tr><td>{escape(row['axis'])}</td><td>{escape(row['alternative'])} against {escape(row['against'])}</td>"
            f'<td>{escape(metric.title)}</td><td class="number">{_signed(metric, row["difference"])}</td>'
            f'<td class="number soft">{_bounds(metric, row)}</td><td class="word {kind}">{word}</td></tr>'
        )
    return f"""<section><h2>Effect of each axis</h2><p class="soft">What an alternative changes, averaged over all
choices on the other axes.</p><div class="wide scroll" tabindex="0"><table><thead><tr><th>Axis</th><th>Alternative</th>
<th>Metric</th><th class="number">Difference</th><th class="number">Interval</th><th></th></tr></thead>
<tbody>{"".join(lines)}</tbody></table></div></section>"""


def trials_section(comparison: Comparison) -> str:
    """Every scene, variant and seed; a trial that failed says why."""
    metrics = comparison.headlines
    costs = [COSTS[name] for name in _BUDGETS]
    head = "".join(f'<th class="number">{escape(metric.title)}</th>' for metric in (*metrics, *costs))
    lines = []
    for trial in comparison.trials:
        first = f"<td>{escape(trial.scene)}</td><td>{escape(trial.variant)}</td><td>{trial.seed}</td>"
        if trial.failure:
            why = f'<td class="why" colspan="{len(metrics)}">{escape(str(trial.failure.get("sentence")))}</td>'
        else:
            why = "".join(_value_cell(metric, trial.metrics.get(metric.name, math.nan)) for metric in metrics)
        spent = "".join(_value_cell(cost, trial.costs.get(cost.name, math.nan)) for cost in costs)
        lines.append(f"<tr>{first}{why}{spent}</tr>")
    return f"""<section><h2>Every trial</h2><div class="wide scroll" tabindex="0"><table>
<thead><tr><th>Scene</th><th>Variant</th><th>Seed</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>
</section>"""


def _value_cell(metric: Metric, value: float) -> str:
    return f'<td class="number">{_words(metric, value)}</td>'


def _place(comparison: Comparison, name: str) -> int:
    """The number of a variant, from 1."""
    return [variant.name for variant in comparison.study.variants].index(name) + 1


def _words(metric: Metric, value: float) -> str:
    if not math.isfinite(value):
        return "·"
    scale, unit = metric.scaled
    value *= scale
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".rstrip().replace("-", "−")


def _signed(metric: Metric, value: float) -> str:
    return ("+" * (value > 0) + _words(metric, value)) if math.isfinite(value) else "·"


def _better(metric: Metric) -> str:
    return f' <small class="soft">{metric.better} is better</small>' if metric.better else ""


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
