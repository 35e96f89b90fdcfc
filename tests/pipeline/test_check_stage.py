"""The contract test says in one sentence what a stage does not keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

import diptych as dp
import numpy as np
import pytest
from diptych.stages.scene import Features, Matches, Pair, Pairs
from diptych.stages.slots import SLOTS, Slot
from diptych.stages.stage import Context, Stage

CALLS = count()


def features() -> Features:
    zero = np.zeros(2)
    return Features(np.ones((2, 2)), zero + 1, zero, zero, np.zeros((2, 3)), np.zeros((2, 4), np.float32), "toy")


class Good(Stage):
    """Moves keypoints at random."""

    slot = "features"
    by: float = 0.5
    most: int = 100
    mode: Literal["all", "none"] = "all"
    limits: tuple[int, int] = (0, 1)
    folder: Path | None = None
    kind: Literal["near", "far"] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.limits[0] < self.limits[1]:
            raise ValueError("limits")

    def run(self, features: Features, rng: np.random.Generator, context: Context) -> Features:
        return replace(features, xy=features.xy + self.by * rng.random(features.xy.shape))


class Undocumented(Stage):
    slot = "features"

    def run(self, features: Features) -> Features:
        return features


class Wrong(Good):
    """Gives another type."""

    def run(self, features: Features) -> Features:  # type: ignore[override]
        return Matches(np.empty((0, 2)), np.empty(0))  # type: ignore[return-value]


class Untyped(Good):
    """Says that it gives another type."""

    def run(self, features: Features) -> Matches:  # type: ignore[override]
        return Matches(np.empty((0, 2)), np.empty(0))


class PerPair(Good):
    """Takes features per pair."""

    def run(self, features: Pair[Features]) -> Features:  # type: ignore[override]
        return features.first


class Counting(Good):
    """Gives something else every time."""

    def run(self, features: Features) -> Features:  # type: ignore[override]
        return replace(features, xy=features.xy + next(CALLS))


class Threaded(Good):
    """Depends on the threads."""

    def run(self, features: Features, context: Context) -> Features:  # type: ignore[override]
        return replace(features, xy=features.xy + context.threads)


class Spoiling(Good):
    """Changes a list of features that it takes."""

    slot = "pairs"

    def run(self, features: Sequence[Features]) -> Pairs:  # type: ignore[override]
        features.clear()  # type: ignore[attr-defined]
        return Pairs(np.empty((0, 2)))


@dataclass(frozen=True)
class Loose:
    """A result that cannot be stored."""

    values: dict[str, int]


class Unstorable(Good):
    """Gives a result that cannot be stored."""

    slot = "loose"

    def run(self, features: Features) -> Loose:  # type: ignore[override]
        return Loose({"a": 1})


class Keyless(Stage):
    """Has a parameter that cannot enter a key."""

    slot = "features"
    how: Any = len

    def run(self, features: Features) -> Features:
        return features


class Forgotten(Good):
    """Gets another key after pickling."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Forgotten, ()


def test_a_stage_that_keeps_the_contract() -> None:
    value = dp.testing.check_stage(Good(), features=features())
    assert isinstance(value, Features) and (value.xy > 1).all()


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        (Undocumented(), "Undocumented has no docstring."),
        (Wrong(), "Wrong.run gives a Matches, but its slot holds Features."),
        (Untyped(), "gives Matches, not Features"),
        (PerPair(), "runs per pair, but 'features' is filled per photo"),
        (Counting(), "Counting.run gives other bytes for the same inputs."),
        (Threaded(), "Threaded.run gives other bytes with two threads than with one."),
        (Spoiling(), "Spoiling.run changes its inputs."),
        (Unstorable(), "The result of Unstorable.run cannot be stored"),
        (Keyless(), "Keyless.how holds a builtin_function_or_method, which cannot enter a key."),
        (Forgotten(by=2.0), "Forgotten has another key after pickling."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_stage_does_not_keep_is_said(monkeypatch: pytest.MonkeyPatch, stage: Stage, sentence: str) -> None:
    monkeypatch.setattr(SLOTS, "_known", {**SLOTS._known, "loose": Slot("loose", Loose, "photo")})
    given = features()
    values = {"PerPair": Pair(given, given), "Spoiling": [given]}
    with pytest.raises(AssertionError) as caught:
        dp.testing.check_stage(stage, features=values.get(type(stage).__name__, given))
    assert sentence in str(caught.value)


def test_inputs_are_named() -> None:
    with pytest.raises(AssertionError, match=r"Good.run also takes features\."):
        dp.testing.check_stage(Good())
    with pytest.raises(AssertionError, match=r"Good.run does not take pairs\."):
        dp.testing.check_stage(Good(), features=features(), pairs=None)


def test_a_parameter_that_the_key_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diptych.testing.stage_ingredients", lambda stage: {"by": stage.by})
    with pytest.raises(AssertionError, match="Good has the same key with most=101"):
        dp.testing.check_stage(Good(), features=features())
