"""Paired differences between two variants, with intervals over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from scipy.stats import bootstrap

RESAMPLES = 5_000
LEVEL = 0.95
"""Confidence level of the intervals."""

_SAME = 1e-9
"""Differences below this share of the values are taken as rounding: sums in another order differ by as much."""


@dataclass(frozen=True)
class PairedDifference:
    """The difference of one variant from another, on the same scenes with the same seeds.

    Attributes:
        count: pairs of trials.
        mean: of the paired differences, over the seeds of a scene, then over the scenes.
        spread: standard deviation of the differences over the seeds of a scene, root mean square over the scenes; NaN
            if a scene has a single seed.
        low, high: the confidence interval of the mean at :data:`LEVEL`; NaN if a scene has a single seed.
    """

    count: int
    mean: float
    spread: float
    low: float
    high: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval excludes zero; False without an interval."""
        return bool(self.low > 0 or self.high < 0)

    @property
    def noise_known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low))


def difference(pairs: Sequence[np.ndarray], scale: float = 0.0) -> PairedDifference:
    """Return the mean of paired differences with its confidence interval over the seeds.

    The interval is the percentile bootstrap (Efron 1979), stratified by scene: seeds are resampled within each scene,
    and the means of the scenes are averaged. So it tells what other seeds would give on these scenes, not what other
    scenes would. With few seeds the bootstrap interval is too narrow, so it is widened to Student's t interval with
    Welch's degrees of freedom (1947) if that is wider.

    Args:
        pairs: for every scene the differences of its seeds, none of them NaN.
        scale: largest of the subtracted values, to tell rounding from a difference.
    """
    pairs = [np.where(np.abs(each) <= _SAME * scale, 0.0, each) for each in pairs if len(each)]
    count = sum(map(len, pairs))
    if not count:
        return PairedDifference(0, *[float("nan")] * 4)
    mean = float(np.mean([each.mean() for each in pairs]))
    if min(map(len, pairs)) < 2:
        return PairedDifference(count, mean, float("nan"), float("nan"), float("nan"))
    variances = [each.var(ddof=1) for each in pairs]
    spread = float(np.sqrt(np.mean(variances)))
    if spread <= _SAME * max(scale, abs(mean)):
        return PairedDifference(count, mean, 0.0, mean, mean)
    drawn, student = _bootstrapped(pairs), _student(pairs)
    return PairedDifference(count, mean, spread, min(drawn[0], mean - student), max(drawn[1], mean + student))


def _bootstrapped(pairs: Sequence[np.ndarray]) -> tuple[float, float]:
    found = bootstrap(
        pairs,
        lambda *scenes, axis: np.mean([each.mean(axis=axis) for each in scenes], axis=0),
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _student(pairs: Sequence[np.ndarray]) -> float:
    """Return half the width of Student's t interval of the mean over scenes of the mean over seeds."""
    of_mean = np.array([each.var(ddof=1) / len(each) for each in pairs]) / len(pairs) ** 2
    share = of_mean / of_mean.max()
    freedom = share.sum() ** 2 / np.sum(share**2 / np.array([len(each) - 1 for each in pairs]))
    return float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(of_mean.sum()))
