"""Slots: the built-in ones, those that packages offer, and names that are refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest
from diptych.stages import slots
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Features
from diptych.stages.slots import SLOTS, Slot, find_slot, register_slot


@dataclass(frozen=True)
class Lines:
    """A toy result."""


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test registers."""
    list(SLOTS)
    monkeypatch.setattr(SLOTS, "_known", dict(SLOTS._known))


def test_a_slot_is_registered_once_or_again() -> None:
    for _ in range(2):
        register_slot(Slot("lines", Lines, per="photo"))
    assert SLOTS["lines"] == Slot("lines", Lines, "photo") and list(SLOTS)[-1] == "lines"
    again = dataclass(frozen=True)(type("Lines", (), {"__module__": Lines.__module__}))
    register_slot(Slot("lines", again, per="photo"))
    assert SLOTS["lines"].type is again, "as when a cell of a notebook is run again"


def test_slots_are_listed_in_the_order_of_the_data_flow() -> None:
    register_slot(Slot("segments", Lines, per="photo", after="lines"))
    register_slot(Slot("lines", Lines, per="photo", after="features"))
    register_slot(Slot("first", Lines, per="run", after="second"))
    register_slot(Slot("second", Lines, per="run", after="first"))
    register_slot(Slot("alone", Lines, per="run", after="nothing"))
    names = list(SLOTS)
    start = names.index("features")
    assert names[start : start + 4] == ["features", "lines", "segments", "pairs"]
    assert names[names.index("views") + 1] == "mono"
    assert names[-4:] == ["mesh", "alone", "first", "second"]
    assert len(names) == len(SLOTS) == len(set(names))


@pytest.mark.parametrize(
    ("slot", "code"),
    [
        (Slot("features", Lines, "photo"), "slot-taken"),
        (Slot("features", Features, "pair"), "slot-taken"),
        (Slot("two lines", Lines, "photo"), "bad-slot"),
        (Slot("rng", Lines, "photo"), "bad-slot"),
        (Slot("lines", Lines, "view"), "bad-slot"),  # pyright: ignore[reportArgumentType]
        (Slot("lines", Lines, "photo", source=True), "bad-slot"),
    ],
)
def test_a_slot_that_cannot_be_is_refused(slot: Slot, code: str) -> None:
    with pytest.raises(StageFailure) as caught:
        register_slot(slot)
    assert caught.value.code == code and caught.value.hint


def test_an_unknown_slot_is_told() -> None:
    assert SLOTS.get("lines") is None and "lines" not in SLOTS
    with pytest.raises(StageFailure, match="unknown-slot"):
        find_slot("lines")


@pytest.mark.parametrize(
    ("value", "code"), [("nowhere:LINES", "slot-not-importable"), ("diptych.stages.slots:SLOTS", "bad-slot")]
)
def test_a_broken_entry_point_is_told(monkeypatch: pytest.MonkeyPatch, value: str, code: str) -> None:
    monkeypatch.setattr(slots, "entry_points", lambda group: [EntryPoint("lines", value, group)])
    monkeypatch.setattr(SLOTS, "_loaded", False)
    for _ in range(2):
        with pytest.raises(StageFailure, match=code):
            find_slot("lines")


def test_learned_slots_are_imported_when_they_are_asked_for() -> None:
    script = """
import sys
from diptych.stages.slots import SLOTS
SLOTS["features"], SLOTS.get("mesh")
assert not [name for name in sys.modules if name.startswith(("diptych.learned", "diptych.pipeline.api"))]
assert SLOTS["mono"].type.__name__ == "MonoWeights"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
