"""Small charts as SVG: bars in a table, and histograms. The page's style sheet colors them."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

_WIDTH, _HEIGHT, _AXIS = 320, 110, 18


def bar(share: float, pale: float = 0.0) -> Markup:
    """A horizontal bar that fills ``share`` (0 to 1) of its cell, and in a lighter shade ``pale`` more."""
    rest = f'<rect class="pale" x="{100 * share:.1f}%" width="{100 * pale:.1f}%"/>' if pale else ""
    return Markup(f'<svg class="bar" aria-hidden="true"><rect width="{100 * share:.1f}%"/>{rest}</svg>')


def histogram(values: np.ndarray, *, bins: int = 40, whole: bool = False, unit: str = "") -> Markup:
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
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT + _AXIS}" role="img">{bars}'
        f'<line class="median" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}"/>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
        f'<text x="0" y="{base}">{number(edges[0])}{unit}</text>'
        f'<text x="{_WIDTH}" y="{base}" text-anchor="end">{number(last)}{more}{unit}</text></svg>'
    )


def spread_bar(values: np.ndarray, most: float) -> Markup:
    """How values are spread from 0 to ``most``: nine in ten on the line, half of them in the box, and their median."""
    quantiles = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    low, first, middle, third, high = 100 * np.minimum(quantiles / most, 1)
    return Markup(
        f'<svg class="bar spread" aria-hidden="true"><line x1="{low:.1f}%" x2="{high:.1f}%" y1="50%" y2="50%"/>'
        f'<rect x="{first:.1f}%" width="{third - first:.1f}%"/>'
        f'<line class="median" x1="{middle:.1f}%" x2="{middle:.1f}%" y1="0" y2="100%"/></svg>'
    )


def interval(low: float, middle: float, high: float, reach: float, kind: str) -> Markup:
    """A mean with its interval, if that is known, on a scale from ``-reach`` to ``reach`` with a line at zero."""
    at = [50 + 48 * float(np.clip(value / reach, -1, 1)) for value in (low, middle, high)]
    line = f'<line x1="{at[0]:.1f}%" x2="{at[2]:.1f}%" y1="50%" y2="50%"/>' if np.isfinite(low + high) else ""
    return Markup(
        f'<svg class="interval {kind}" aria-hidden="true"><line class="zero" x1="50%" x2="50%" y1="0" y2="100%"/>{line}'
        f'<circle cx="{at[1]:.1f}%" cy="50%" r="4"/></svg>'
    )


def _span(low: float, high: float, whole: bool) -> str:
    if not whole:
        return f"{number(low)} to {number(high)}"
    return number(low) if high - low == 1 else f"{number(low)} to {number(high - 1)}"


def number(value: float) -> str:
    """Three digits, or as many as a whole number has."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
