"""Small charts as SVG text: bars in a table, and histograms. Colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_WIDTH, _HEIGHT, _AXIS = 320, 110, 18


def bar(share: float, pale: float = 0.0) -> str:
    """A horizontal bar that fills ``share`` (0 to 1) of its cell, and in a lighter shade ``pale`` more."""
    rest = f'<rect class="pale" x="{100 * share:.1f}%" width="{100 * pale:.1f}%"/>' if pale else ""
    return f'<svg class="bar" aria-hidden="true"><rect width="{100 * share:.1f}%"/>{rest}</svg>'


def histogram(values: np.ndarray, *, bins: int = 40, whole: bool = False, unit: str = "") -> str:
    """Histogram of ``values`` with their median marked; the last bar also holds the largest 1 % beyond it.

    Args:
        values: finite and not negative.
        bins: the most bars to draw.
        whole: the values are whole numbers, so that every bar is a whole number wide.
        unit: written behind the numbers of the axis.
    """
    lowest = float(np.floor(values.min())) if whole else 0.0
    highest = max(float(np.quantile(values, 0.99)), lowest + 1e-9)
    if whole:
        highest = np.ceil(highest)
        step = int(np.ceil((highest - lowest + 1) / bins))
        edges = np.arange(lowest, highest + 1 + step, step)
    else:
        edges = np.linspace(lowest, highest, bins + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    width = _WIDTH / len(counts)
    tall = _HEIGHT * counts / counts.max()
    bars = "".join(
        f'<rect x="{i * width + 0.5:.2f}" y="{_HEIGHT - height:.2f}" width="{max(width - 1, 0.5):.2f}" '
        f'height="{height:.2f}"><title>{_span(edges[i], edges[i + 1], whole)}{unit}: {count:,}</title></rect>'
        for i, (count, height) in enumerate(zip(counts, tall, strict=True))
    )
    median = float(np.median(values))
    at = _WIDTH * ((median + 0.5 * whole) - edges[0]) / (edges[-1] - edges[0])
    last = edges[-1] - 1 if whole else edges[-1]
    more = "+" if values.max() > last else ""
    base = _HEIGHT + _AXIS - 4
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT + _AXIS}" role="img">{bars}'
        f'<line class="median" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}"/>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
        f'<text x="0" y="{base}">{number(edges[0])}{unit}</text>'
        f'<text x="{_WIDTH}" y="{base}" text-anchor="end">{number(last)}{more}{unit}</text></svg>'
    )


def spread_bar(values: np.ndarray, most: float) -> str:
    """How values are spread from 0 to ``most``: nine in ten on the line, half of them in the box, and their median."""
    quantiles = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    low, first, middle, third, high = 100 * np.minimum(quantiles / most, 1)
    return (
        f'<svg class="bar spread" aria-hidden="true"><line x1="{low:.1f}%" x2="{high:.1f}%" y1="50%" y2="50%"/>'
        f'<rect x="{first:.1f}%" width="{third - first:.1f}%"/>'
        f'<line class="median" x1="{middle:.1f}%" x2="{middle:.1f}%" y1="0" y2="100%"/></svg>'
    )


def interval(low: float, middle: float, high: float, reach: float, kind: str) -> str:
    """A mean with its interval, if that is known, on a scale from ``-reach`` to ``reach`` with a line at zero."""
    at = [50 + 48 * float(np.clip(value / reach, -1, 1)) for value in (low, middle, high)]
    line = f'<line x1="{at[0]:.1f}%" x2="{at[2]:.1f}%" y1="50%" y2="50%"/>' if np.isfinite(low + high) else ""
    return (
        f'<svg class="interval {kind}" aria-hidden="true"><line class="zero" x1="50%" x2="50%" y1="0" y2="100%"/>{line}'
        f'<circle cx="{at[1]:.1f}%" cy="50%" r="4"/></svg>'
    )


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot: where, how far it may be off either way, and its label and what it is called."""

    x: float
    y: float
    spread_x: float
    spread_y: float
    label: str
    title: str


def scatter(dots: Sequence[Dot], *, x_title: str, y_title: str, better: str) -> str:
    """Dots with bars of their spread; the horizontal axis is logarithmic where the values differ much.

    Args:
        x_title, y_title: of the axes.
        better: ``lower`` or ``higher``, whichever of the vertical values is.
    """
    width, height, left, bottom = 360, 240, 46, 34
    x, y = np.array([dot.x for dot in dots]), np.array([dot.y for dot in dots])
    dx, dy = (np.nan_to_num(np.array([getattr(dot, name) for dot in dots])) for name in ("spread_x", "spread_y"))
    logarithmic = bool(x.min() > 0 and x.max() > 3 * x.min())

    def scaled(values: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(values, 1e-9)) if logarithmic else values

    low, high = scaled(np.maximum(x - dx, 0.5 * x)).min(), scaled(x + dx).max()
    floor, top = (y - dy).min(), (y + dy).max()
    pad_x, pad_y = 0.12 * (high - low) or 1.0, 0.14 * (top - floor) or max(abs(top) * 0.1, 1e-9)
    low, high, floor, top = low - pad_x, high + pad_x, floor - pad_y, top + pad_y

    def across(values: np.ndarray) -> np.ndarray:
        return left + (width - left) * (scaled(values) - low) / (high - low)

    def up(values: np.ndarray) -> np.ndarray:
        return (height - bottom) * (1 - (values - floor) / (top - floor))

    marks = "".join(
        f'<g><title>{escape(dot.title)}</title><line x1="{a:.1f}" x2="{b:.1f}" y1="{v:.1f}" y2="{v:.1f}"/>'
        f'<line x1="{u:.1f}" x2="{u:.1f}" y1="{c:.1f}" y2="{d:.1f}"/><circle cx="{u:.1f}" cy="{v:.1f}" r="9"/>'
        f'<text x="{u:.1f}" y="{v + 4:.1f}" text-anchor="middle">{escape(dot.label)}</text></g>'
        for dot, u, v, a, b, c, d in zip(
            dots,
            across(x),
            up(y),
            across(np.maximum(x - dx, 0.5 * x)),
            across(x + dx),
            up(y - dy),
            up(y + dy),
            strict=True,
        )
    )
    ends = np.array([x.min(), x.max()])
    ticks = (
        "".join(
            f'<text x="{at:.1f}" y="{height - bottom + 14}" text-anchor="middle">{number(value)}</text>'
            for at, value in zip(across(ends), ends, strict=True)
        )
        if x.max() > x.min()
        else ""
    )
    sides = (
        "".join(
            f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{number(value)}</text>'
            for at, value in zip(up(np.array([y.min(), y.max()])), (y.min(), y.max()), strict=True)
        )
        if y.max() > y.min()
        else ""
    )
    arrow = "↓" if better == "lower" else "↑"
    return (
        f'<svg class="scatter" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(y_title)}">'
        f'<line class="axis" x1="{left}" x2="{width}" y1="{height - bottom}" y2="{height - bottom}"/>'
        f'<line class="axis" x1="{left}" x2="{left}" y1="0" y2="{height - bottom}"/>{ticks}{sides}{marks}'
        f'<text x="{width}" y="{height - 4}" text-anchor="end">{escape(x_title)}{", logarithmic" * logarithmic}</text>'
        f'<text x="{width}" y="10" text-anchor="end">{arrow} better</text></svg>'
    )


def _span(low: float, high: float, whole: bool) -> str:
    if not whole:
        return f"{number(low)} to {number(high)}"
    return number(low) if high - low == 1 else f"{number(low)} to {number(high - 1)}"


def number(value: float) -> str:
    """Three digits, or as many as a whole number has."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
