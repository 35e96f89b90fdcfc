"""Errors of depth maps against the truth, and the calibration of their confidence.

An evaluation is a histogram: evaluations of views can be added, and nothing is kept per pixel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import check_arrays
from ..dense import DepthMap
from ..depth_truth import TrueView

THRESHOLDS = (0.0025, 0.005, 0.01, 0.02)
"""Relative depth errors for which the share of true pixels below is given."""

REMOVED = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
"""Shares of the pixels, least confident first, that are removed for the sparsification curve."""

BAD_PIXELS = (0.5, 1.0, 2.0)
"""Disparity errors in pixels above which a pixel counts as bad, as in Middlebury's tables."""

_LEVELS = 100
"""Bins of confidence."""

_FINEST, _COARSEST, _STEPS = -14, 7, 32
_EDGES = 0.01 * 2.0 ** (np.arange(_FINEST * _STEPS, _COARSEST * _STEPS + 1) / _STEPS)
"""Bin edges of the relative error, in steps of 2 %, with all of THRESHOLDS among them."""

_CORRECT = 0.01
"""The relative error below which a depth counts as correct; confidence is the probability of that."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Share of correct pixels by confidence.

    Attributes:
        confidence: mean of each bin, shape (B,).
        correct: share of its pixels right within 1 %, shape (B,).
        pixels: number of its pixels, shape (B,).
    """

    confidence: np.ndarray
    correct: np.ndarray
    pixels: np.ndarray

    def __post_init__(self) -> None:
        check_arrays(self, confidence=(np.float64, ("B",)), correct=(np.float64, ("B",)), pixels=(np.int64, ("B",)))

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al. 2015): mean over pixels of their bin's |confidence - correct|."""
        if not self.pixels.sum():
            return float("nan")
        return float(np.average(np.abs(self.confidence - self.correct), weights=self.pixels))


@dataclass(frozen=True, eq=False)
class DepthEvaluation:
    """Errors of the depth maps of one view or of several; add those of views with ``+``.

    Attributes:
        true: number of pixels with a true depth.
        counts: number of these with a depth, by confidence and relative error. The first row counts those without a
            stated confidence.
        confidences: sum of the confidence in each row of ``counts``.
    """

    true: int
    counts: np.ndarray
    confidences: np.ndarray

    def __post_init__(self) -> None:
        rows = _LEVELS + 1
        check_arrays(self, counts=(np.int64, (rows, len(_EDGES) + 1)), confidences=(np.float64, (rows,)))

    def __add__(self, other: DepthEvaluation) -> DepthEvaluation:
        return DepthEvaluation(self.true + other.true, self.counts + other.counts, self.confidences + other.confidences)

    @staticmethod
    def none() -> DepthEvaluation:
        """The evaluation of no view."""
        return DepthEvaluation(0, np.zeros((_LEVELS + 1, len(_EDGES) + 1)), np.zeros(_LEVELS + 1))

    @property
    def covered(self) -> int:
        """Number of true pixels that have a depth."""
        return int(self.counts.sum())

    @property
    def coverage(self) -> float:
        """Share of the true pixels that have a depth."""
        return self.covered / self.true if self.true else float("nan")

    def within(self, threshold: float) -> float:
        """Share of all true pixels with a relative depth error below one of :data:`THRESHOLDS`.

        Raises:
            ValueError: another threshold.
        """
        return self._below(threshold) / self.true if self.true else float("nan")

    def precision(self, threshold: float) -> float:
        """The same share, of the pixels that have a depth."""
        return self._below(threshold) / self.covered if self.covered else float("nan")

    @cached_property
    def median(self) -> float:
        """Median relative error of the pixels that have a depth, good to about 1 % of itself."""
        return _median(self.counts.sum(axis=0))

    def calibration(self, bins: int = 10) -> Calibration:
        """Reliability diagram in bins of equal width; empty bins are left out.

        Args:
            bins: a divisor of 100.
        """
        levels = self.counts[1:].reshape(bins, -1, self.counts.shape[1])
        pixels, right = levels.sum(axis=(1, 2)), levels[:, :, : _column(_CORRECT)].sum(axis=(1, 2))
        there = pixels > 0
        mean = self.confidences[1:].reshape(bins, -1).sum(axis=1)[there] / pixels[there]
        return Calibration(mean, right[there] / pixels[there], pixels[there])

    def sparsification(self, removed: tuple[float, ...] = REMOVED) -> np.ndarray:
        """Share of pixels wrong by more than 1 % among those left when the least confident are removed.

        Of the pixels in one confidence bin, an equal part is removed of each error. NaN without confidences.
        """
        return self._wrong_of_rest(np.array(removed), self.counts[1:])

    @property
    def sparsification_error(self) -> float:
        """Area between the sparsification curve and that of an oracle, which removes the wrong pixels first.

        0 if confidence orders pixels perfectly (Ilg et al. 2018). Compare only at the same share of wrong pixels.
        """
        removed = np.arange(100) / 100
        curve = self._wrong_of_rest(removed, self.counts[1:])
        oracle = np.maximum(curve[0] - removed, 0) / (1 - removed)
        return float(np.mean(curve - oracle))

    def as_dict(self) -> dict[str, float]:
        """All numbers by name, for tables and JSON; NaN where undefined."""
        return {
            "true_pixels": self.true,
            "coverage": self.coverage,
            **{f"within_{100 * t:g}_percent": self.within(t) for t in THRESHOLDS},
            **{f"precision_{100 * t:g}_percent": self.precision(t) for t in THRESHOLDS},
            "median_percent": 100 * self.median,
            "calibration_error": self.calibration().error,
            "sparsification_error": self.sparsification_error,
        }

    def table(self) -> list[tuple[str, str]]:
        """Rows to print: label and text."""
        lines = [
            ("true depth", f"{self.true} pixels, {_percent(self.coverage)} of them with a depth"),
            ("depth within, of all true pixels", _shares(map(self.within, THRESHOLDS))),
            ("depth within, of those with a depth", _shares(map(self.precision, THRESHOLDS))),
            ("median depth error", f"{100 * self.median:.3g} %"),
        ]
        bins = self.calibration(5)
        if len(bins.pixels):
            said = (f"{c:.2f}: {_percent(r)}" for c, r in zip(bins.confidence, bins.correct, strict=True))
            left = (
                f"{_percent(wrong)} without {100 * share:g} %" if share else f"{_percent(wrong)} of all"
                for share, wrong in zip(REMOVED, self.sparsification(), strict=True)
            )
            lines += [
                ("confidence: share within 1 %", f"{', '.join(said)}; off by {_percent(self.calibration().error)}"),
                ("wrong by over 1 %, without the least sure", ", ".join(left)),
            ]
        return lines

    def _below(self, threshold: float) -> int:
        return int(self.counts[:, : _column(threshold)].sum())

    @staticmethod
    def _wrong_of_rest(removed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Share of wrong pixels among those left when a part of the rows, worst first, is removed."""
        pixels, wrong = rows.sum(axis=1), rows[:, _column(_CORRECT) :].sum(axis=1)
        if not pixels.sum():
            return np.full(len(removed), np.nan)
        gone = np.concatenate([[0], np.cumsum(pixels)])
        left = wrong.sum() - np.interp(removed * gone[-1], gone, np.concatenate([[0], np.cumsum(wrong)]))
        return left / ((1 - removed) * gone[-1])


def depth_errors(depth: DepthMap | np.ndarray, truth: TrueView | np.ndarray) -> DepthEvaluation:
    """Compare a depth map with the true one, pixel by pixel and in the same unit.

    Args:
        depth: a depth map, or its depths alone, 0 where there is none, shape (H, W).
        truth: the true depth, 0 where it is not known, shape (H, W); or the view that has it.

    Raises:
        ValueError: the sizes differ.
    """
    true = truth.depth if isinstance(truth, TrueView) else truth
    z = depth.depth if isinstance(depth, DepthMap) else depth
    if z.shape != true.shape:
        raise ValueError(f"depth_errors: expected a depth map of shape {true.shape}, got {z.shape}")
    known = true > 0
    both = known & (z > 0)
    error = np.abs(z[both].astype(np.float64) / true[both] - 1)
    confidence = depth.confidence[both].astype(np.float64) if isinstance(depth, DepthMap) else None
    rows, columns = _LEVELS + 1, len(_EDGES) + 1
    level = np.zeros(len(error), np.int64) if confidence is None else 1 + _level(confidence)
    at = level * columns + np.searchsorted(_EDGES, error, side="right")
    return DepthEvaluation(
        true=int(known.sum()),
        counts=np.bincount(at, minlength=rows * columns).reshape(rows, columns),
        confidences=np.bincount(level, confidence, rows),
    )


@dataclass(frozen=True)
class DisparityEvaluation:
    """Errors of the disparity of a rectified stereo pair; those of several pairs are added with ``+``.

    Attributes:
        true: number of pixels whose true disparity is known.
        covered: number of these that have a disparity.
        wrong: number of these whose error is above each of :data:`BAD_PIXELS`.
        total: sum of these errors in pixels.
    """

    true: int
    covered: int
    wrong: tuple[int, ...]
    total: float

    def __add__(self, other: DisparityEvaluation) -> DisparityEvaluation:
        wrong = tuple(a + b for a, b in zip(self.wrong, other.wrong, strict=True))
        return DisparityEvaluation(
            self.true + other.true, self.covered + other.covered, wrong, self.total + other.total
        )

    @property
    def bad(self) -> tuple[float, ...]:
        """Shares of all true pixels above each of :data:`BAD_PIXELS`; a pixel without a disparity is bad."""
        return tuple(_ratio(each + self.true - self.covered, self.true) for each in self.wrong)

    @property
    def bad_of_covered(self) -> tuple[float, ...]:
        """The same shares, of the pixels that have a disparity."""
        return tuple(_ratio(each, self.covered) for each in self.wrong)

    @property
    def mean(self) -> float:
        """Mean error in pixels of those that have a disparity."""
        return _ratio(self.total, self.covered)

    def as_dict(self) -> dict[str, float]:
        """All numbers by name, for tables and JSON; NaN where undefined."""
        return {
            **{f"bad_{px:g}_px": share for px, share in zip(BAD_PIXELS, self.bad, strict=True)},
            **{f"bad_{px:g}_px_of_covered": share for px, share in zip(BAD_PIXELS, self.bad_of_covered, strict=True)},
            "disparity_mean_px": self.mean,
        }

    def table(self) -> list[tuple[str, str]]:
        """Rows to print: label and text."""

        def text(shares: tuple[float, ...]) -> str:
            return ", ".join(f"{_percent(share)} over {px:g} px" for px, share in zip(BAD_PIXELS, shares, strict=True))

        return [
            ("bad disparities, of all true pixels", text(self.bad)),
            ("bad disparities, of those with a depth", f"{text(self.bad_of_covered)}; mean {self.mean:.3g} px"),
        ]


def disparity_errors(depth: np.ndarray, truth: np.ndarray, shift: float) -> DisparityEvaluation:
    """Compare the disparities that two depth maps of a rectified pair's view stand for.

    Args:
        depth, truth: z, 0 where there is none, shape (H, W).
        shift: disparity at depth 1, the focal length in pixels times the baseline. A constant difference between the
            principal points cancels.
    """
    known = truth > 0
    both = known & (depth > 0)
    error = shift * np.abs(1 / depth[both].astype(np.float64) - 1 / truth[both].astype(np.float64))
    wrong = tuple(int((error > px).sum()) for px in BAD_PIXELS)
    return DisparityEvaluation(int(known.sum()), len(error), wrong, float(error.sum()))


def _level(confidence: np.ndarray) -> np.ndarray:
    return np.clip(_LEVELS * confidence, 0, _LEVELS - 1).astype(np.int64)


def _column(threshold: float) -> int:
    """Columns before this one count the errors below a threshold."""
    column = int(np.argmin(np.abs(_EDGES - threshold)))
    if not np.isclose(_EDGES[column], threshold, rtol=1e-9):
        raise ValueError(f"expected a threshold of {THRESHOLDS}, got {threshold}")
    return column + 1


def _median(counts: np.ndarray) -> float:
    """Median of errors that are counted between _EDGES, evenly spread in the logarithm within a step."""
    if not counts.sum():
        return float("nan")
    cumulated = np.cumsum(counts)
    half = cumulated[-1] / 2
    column = int(np.searchsorted(cumulated, half))
    if column in (0, len(counts) - 1):
        return 0.0 if column == 0 else float("inf")
    part = (half - cumulated[column - 1]) / counts[column]
    return float(_EDGES[column - 1] * (_EDGES[column] / _EDGES[column - 1]) ** part)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _shares(shares: Iterable[float]) -> str:
    return ", ".join(f"{_percent(share)} at {100 * t:g} %" for t, share in zip(THRESHOLDS, shares, strict=True))
