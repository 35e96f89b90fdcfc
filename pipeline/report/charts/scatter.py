"""Scatter plots as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup

from .bars import number


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot: where, how far it may be off either way, and its label and what it is called."""

    x: float
    y: float
    spread_x: float
    spread_y: float
    label: str
    title: str


def scatter(dots: Sequence[Dot], *, x_title: str, y_title: str, better: str) -> Markup:
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
    return Markup(
        f'<svg class="scatter" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(y_title)}">'
        f'<line class="axis" x1="{left}" x2="{width}" y1="{height - bottom}" y2="{height - bottom}"/>'
        f'<line class="axis" x1="{left}" x2="{left}" y1="0" y2="{height - bottom}"/>{ticks}{sides}{marks}'
        f'<text x="{width}" y="{height - 4}" text-anchor="end">{escape(x_title)}{", logarithmic" * logarithmic}</text>'
        f'<text x="{width}" y="10" text-anchor="end">{arrow} better</text></svg>'
    )
