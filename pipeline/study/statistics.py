"""Paired differences between two variants, and whether they are larger than the noise of the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

RESAMPLES = 5_000
LEVEL = 0.95

_SAME = 1e-9
"""Differences that are equal to this share of the values themselves are equal: sums in another order differ so much."""


@dataclass(frozen=True)
class Difference:
    """How one variant differs from another, on the same scenes with the same seeds.

    Attributes:
        count: pairs of trials.
        mean: of the paired differences: over the seeds of a scene, then over the scenes.
        spread: standard deviation of the differences over the seeds of a scene, root mean square over the scenes; NaN
            where no scene has two seeds.
        low, high: the interval of the mean with a coverage of :data:`LEVEL`; NaN where nothing is known of the noise.
    """

    count: int
    mean: float
    spread: float
    low: float
    high: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval leaves zero out; never where nothing is known of the noise."""
        return bool(self.low > 0 or self.high < 0)

    @property
    def noise_known(self) -> bool:
        """Whether there are seeds to tell the noise from."""
        return bool(np.isfinite(self.low))


def difference(pairs: Sequence[np.ndarray], scale: float = 0.0) -> Difference:
    """The mean of paired differences with its interval, for the scenes at hand.

    Seeds are drawn with replacement within each scene and the means of the scenes averaged (the bootstrap of Efron
    1979, stratified): the interval tells what other seeds would give on these scenes, not what other scenes would. Of
    few seeds the bootstrap thinks too well, so the interval is as wide as that of Student's t (Welch 1947 for its
    degrees of freedom) where that one is wider.

    Args:
        pairs: for every scene the differences of its seeds, none of them NaN.
        scale: size of the values that were subtracted, to tell rounding from a difference.
    """
    pairs = [np.where(np.abs(each) <= _SAME * scale, 0.0, each) for each in pairs if len(each)]
    count = sum(map(len, pairs))
    if not count:
        return Difference(0, *[float("nan")] * 4)
    mean = float(np.mean([each.mean() for each in pairs]))
    if min(map(len, pairs)) < 2:
        return Difference(count, mean, float("nan"), float("nan"), float("nan"))
    variances = [each.var(ddof=1) for each in pairs]
    spread = float(np.sqrt(np.mean(variances)))
    if spread <= _SAME * max(scale, abs(mean)):
        return Difference(count, mean, 0.0, mean, mean)
    drawn, student = _bootstrapped(pairs), _student(pairs)
    return Difference(count, mean, spread, min(drawn[0], mean - student), max(drawn[1], mean + student))


def _bootstrapped(pairs: Sequence[np.ndarray]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    means = np.mean([each[rng.integers(0, len(each), (RESAMPLES, len(each)))].mean(axis=1) for each in pairs], axis=0)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _student(pairs: Sequence[np.ndarray]) -> float:
    """Half the width of Student's interval of the mean of the scenes' means."""
    of_mean = np.array([each.var(ddof=1) / len(each) for each in pairs]) / len(pairs) ** 2
    share = of_mean / of_mean.max()
    freedom = share.sum() ** 2 / np.sum(share**2 / np.array([len(each) - 1 for each in pairs]))
    return float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(of_mean.sum()))
