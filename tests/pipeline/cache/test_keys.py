"""Turn one knob, look which keys move."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
from diptych.pipeline.cache import keys
from diptych.pipeline.cache.keys import key_of, seed_of, stage_ingredients
from diptych.pipeline.cache.sourcecode import code_digests
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Features, Photo
from diptych.stages.stage import Stage
from toys import Corners, Drawn, Nudge

INPUTS = {"photo": "1" * 64}


def key(stage: Stage, inputs: dict[str, Any] = INPUTS, seed: int | None = None, device: str = "cpu") -> str:
    return key_of(stage_ingredients(stage, device), inputs, seed)


def test_equal_stages_have_equal_keys() -> None:
    assert key(Corners(count=7)) == key(Corners(count=7))
    assert key(Corners()) == key(Corners(count=4, spread=1.0))


def test_every_knob_moves_the_key() -> None:
    base = Corners()
    turned = [
        key(base),
        key(replace(base, count=5)),  # pyright: ignore
        key(base, {"photo": "2" * 64}),
        key(base, {"features": "1" * 64}),
        key(base, seed=0),
        key(base, seed=1),
        key(Nudge()),
    ]
    assert len(set(turned)) == len(turned)


def test_a_new_version_moves_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(Corners())
    monkeypatch.setattr(Corners, "version", 2)
    assert key(Corners()) != before


def test_a_new_library_moves_only_the_keys_of_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Corners, "libraries", ("numpy", "pillow"))
    before = key(Corners()), key(Nudge())
    real = keys.library_version
    monkeypatch.setattr(keys, "library_version", lambda name: "99" if name == "pillow" else real(name))
    assert key(Corners()) != before[0]
    assert key(Nudge()) == before[1]


def test_the_device_moves_only_the_keys_of_stages_that_differ_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key(Corners(), device="cuda:0") == key(Corners(), device="cpu")
    monkeypatch.setattr(Corners, "differs_by_device", True)
    assert key(Corners(), device="cuda:0") != key(Corners(), device="cpu")
    assert key(Corners(), device="cuda:0") == key(Corners(), device="cuda:1")


def test_seeds_differ_by_run_stage_and_item_and_by_nothing_else() -> None:
    seeds = [
        seed_of(0, Drawn(), "a|b"),
        seed_of(1, Drawn(), "a|b"),
        seed_of(0, Corners(), "a|b"),
        seed_of(0, Drawn(), "a|c"),
    ]
    assert len(set(seeds)) == 4
    assert seed_of(0, Corners(count=1), "a") == seed_of(0, Corners(count=2), "a")


class Everything(Stage):
    """A stage with parameters of every kind."""

    slot = "features"
    whole: int = 1
    real: float = float("inf")
    choice: Literal["x", "y"] = "x"
    sizes: tuple[int, ...] = (1, 2)
    nothing: str | None = None
    table: Any = None

    def run(self, photo: Photo) -> Features:
        raise AssertionError


def test_parameters_of_every_kind_enter_the_key() -> None:
    tables = [None, np.eye(2), np.eye(2, dtype=np.float32), np.zeros((2, 2)), {"a": 1}, Path("a/b"), np.float32(3)]
    stages = [Everything(table=table) for table in tables]
    stages += [Everything(whole=2), Everything(real=1.5), Everything(choice="y")]
    stages += [Everything(sizes=(1, 3)), Everything(nothing="")]
    assert len({key(stage) for stage in stages}) == len(stages)
    assert key(Everything(table=np.eye(2))) == key(Everything(table=np.eye(2).copy(order="F")))


def test_a_parameter_that_no_key_can_hold_is_refused() -> None:
    with pytest.raises(StageFailure, match=r"Everything\.table holds a function.*parameter-without-key"):
        key(Everything(table=lambda: 1))


NUMBER = itertools.count()

HELPERS = '''
"""Helpers."""
FACTOR = 2.0
OTHER = 3.0
_table = {}
_table["a"] = 1

def used(x):
    """Doubles."""
    return scaled(x) + _table["a"]

def scaled(x):
    return x * FACTOR

def unused(x):
    return x * OTHER
'''

STAGE = """
from diptych.stages.scene import Features, Photo
from diptych.stages.stage import Stage

from . import deep
from .helpers import used


class Mine(Stage):
    slot = "features"

    def run(self, photo: Photo) -> Features:
        from .lazy import late

        return used(deep.inner(late(1)))


class Neighbor(Stage):
    slot = "features"

    def run(self, photo: Photo) -> Features:
        return None
"""

FILES = {
    "__init__.py": "",
    "helpers.py": HELPERS,
    "deep.py": "def inner(x):\n    return x + 1\n\ndef outer(x):\n    return x\n",
    "lazy.py": "def late(x):\n    return x\n",
    "stage.py": STAGE,
}


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Digests of the code of ``Mine`` after one text in one file was replaced by another."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def digests(file: str = "", old: str = "", new: str = "", name: str = "Mine") -> dict[str, str]:
        package = f"plugin{next(NUMBER)}"
        (tmp_path / package).mkdir()
        for each, text in FILES.items():
            assert each != file or old in text
            (tmp_path / package / each).write_text(text.replace(old, new) if each == file else text)
        module: ModuleType = importlib.import_module(f"{package}.stage")
        found = code_digests(getattr(module, name))
        return {name.replace(package, "plugin"): digest for name, digest in found.items()}

    return digests


def test_code_is_known_by_module(edited: Callable[..., dict[str, str]]) -> None:
    base = edited()
    assert base == edited()
    assert {"plugin.stage", "plugin.helpers", "plugin.deep", "plugin.lazy", "diptych.stages.scene"} <= base.keys()


@pytest.mark.parametrize(
    ("file", "old", "new", "moves"),
    [
        ("helpers.py", "x * FACTOR", "x * FACTOR * 1", True),
        ("helpers.py", "FACTOR = 2.0", "FACTOR = 2.5", True),
        ("helpers.py", '_table["a"] = 1', '_table["a"] = 2', True),
        ("deep.py", "x + 1", "x + 2", True),
        ("lazy.py", "return x", "return -x", True),
        ("stage.py", "late(1)", "late(2)", True),
        ("helpers.py", "x * OTHER", "x * OTHER * 2", False),
        ("helpers.py", "OTHER = 3.0", "OTHER = 4.0", False),
        ("helpers.py", "Doubles", "Makes twice as much", False),
        ("helpers.py", "x * FACTOR", "(x   *   FACTOR)  # twice", False),
        ("deep.py", "return x\n", "return -x\n", False),
        ("stage.py", "return None", "return 1", False),
    ],
)
def test_only_edits_that_it_uses_move_its_code(
    edited: Callable[..., dict[str, str]], file: str, old: str, new: str, moves: bool
) -> None:
    base, after = edited(), edited(file, old, new)
    changed = {name for name in base if base[name] != after[name]}
    assert changed == ({f"plugin.{file.removesuffix('.py')}"} if moves else set())


def test_an_edit_in_a_running_session_counts_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "sessionstage.py"
    text = "from toys import Corners\n\nclass Mine(Corners):\n    def more(self):\n        return 1\n"
    file.write_text(text)
    module = importlib.import_module("sessionstage")
    before = code_digests(module.Mine)
    assert "toys" in before
    file.write_text(text.replace("return 1", "return 22"))
    assert code_digests(module.Mine) == before, "the old code still runs"
    assert code_digests(importlib.reload(module).Mine) != before


def notebook(source: str, **names: Any) -> Any:
    """A class as a notebook defines it: its module has no file."""
    module = ModuleType("cell")
    module.__dict__.update(names)
    sys.modules["cell"] = module
    exec("from diptych.stages.stage import Stage\nfrom diptych.stages.scene import *\n" + source, module.__dict__)
    return module.Mine  # type: ignore[attr-defined]


CELL = """
def helper(x):
    return x + WEIGHT
class Mine(Stage):
    slot = "features"
    def run(self, photo: Photo) -> Features:
        return helper(1)
"""


def test_a_stage_from_a_notebook_is_known_by_what_it_does() -> None:
    base = code_digests(notebook(CELL, WEIGHT=1))
    assert base == code_digests(notebook(CELL, WEIGHT=1))
    assert base == code_digests(notebook("\n\n# moved down\n" + CELL, WEIGHT=1))
    assert base != code_digests(notebook(CELL.replace("x + W", "x - W"), WEIGHT=1))
    assert base != code_digests(notebook(CELL.replace("helper(1)", "helper(2)"), WEIGHT=1))
    assert base != code_digests(notebook(CELL, WEIGHT=2))
    assert base != code_digests(notebook(CELL, WEIGHT=np.zeros(2)))


def test_a_stage_made_by_a_function_is_known_by_what_it_closes_over() -> None:
    def make(by: float) -> type[Stage]:
        class Mine(Stage):
            slot = "features"

            def run(self, features: Features) -> Features:
                return Nudge(by=by).run(features)

        return Mine

    assert code_digests(make(1.0)) == code_digests(make(1.0))
    assert code_digests(make(1.0)) != code_digests(make(2.0))
    assert "toys" in code_digests(make(1.0))


class Weighted(Stage):
    slot = "features"
    weights: str

    def files(self) -> tuple[Path, ...]:
        return (Path(self.weights),)

    def run(self, photo: Photo) -> Features:
        raise AssertionError("only its key is asked for")


def test_what_a_file_holds_is_part_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"one")
    before = stage_ingredients(Weighted(weights=str(path)))
    assert before == stage_ingredients(Weighted(weights=str(path)))
    path.write_bytes(b"two")
    after = stage_ingredients(Weighted(weights=str(path)))
    assert {name for name in after if after[name] != before[name]} == {"files"}


UNLOADED = """
import sys
from diptych.pipeline.registry import find
from diptych.pipeline.sourcecode import code_digests
for name in ("Sift", "Aliked", "LightGlue", "SubpixelRefiner", "PatchMatch", "DepthNet", "NetworkDepth"):
    assert code_digests(find(name))
print("torch" in sys.modules)
"""


def test_a_key_is_made_without_the_library_that_only_a_run_needs() -> None:
    """Torch alone takes longer to load than all results of a run that is asked for again."""
    found = subprocess.run([sys.executable, "-c", UNLOADED], check=True, capture_output=True, text=True)
    assert found.stdout == "False\n"
