"""The package ``diptych``: what it offers, what it costs to import, and the old names."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import diptych as dp
import pytest
from diptych.moved import _MOVED, _NOW_PACKAGES, RENAMED
from diptych.pipeline.engine.built_in import BUILT_IN


def test_every_name_leads_somewhere_and_is_listed() -> None:
    named = [
        "Context",
        "Graph",
        "Node",
        "Recipe",
        "Result",
        "Sift",
        "Slot",
        "Stage",
        "StageFailure",
        "compare",
        "diff",
        "evaluate",
        "explain",
        "export",
        "plan",
        "predict",
        "reproduce",
        "run",
        "__version__",
    ]
    assert {*named, *BUILT_IN} <= {*dir(dp)}
    assert all(getattr(dp, name) is not None for name in dp.__all__)
    with pytest.raises(AttributeError, match="Shift"):
        _ = dp.Shift  # type: ignore[attr-defined]


def test_a_type_checker_sees_the_same_names() -> None:
    tree = ast.parse(Path(str(dp.__file__)).read_text("utf-8"))
    checked = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    imported = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    lazy = {name for name in dp.__all__ if name != "__version__"}
    assert set(imported) == lazy
    for name, path in imported.items():
        module, _, attribute = path.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is getattr(dp, name)


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import diptych, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "cv2", "dask", "numba", "scipy", "torch", "typer"} & set(loaded)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("diptych.stages.sift:Sift", "diptych.stages.features.sift:Sift"),
        ("diptych.stages.matching:Flann", "diptych.stages.matching.nearest_neighbor:Flann"),
        ("diptych.stages.evaluation:evaluate", "diptych.stages.evaluation.cameras:evaluate"),
        ("diptych.stages.formats.truth:read_truth", "diptych.stages.formats.truth.cameras:read_truth"),
        ("diptych.stages.patchmatch:PatchMatch", "diptych.stages.mvs.patchmatch.stage:PatchMatch"),
        ("diptych.pipeline:run", "diptych:run"),
        ("diptych.pipeline.store:Store", "diptych.pipeline.cache.store:Store"),
        ("diptych.pipeline.benchmarks.registry:bench", "diptych.pipeline.protocols.registry:bench"),
    ],
)
def test_old_paths_lead_to_what_moved_and_say_so(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (old_module, old_name), (module, name) = old.split(":"), new.split(":")
    if old_module.removeprefix("diptych.") in _MOVED:
        monkeypatch.delitem(sys.modules, old_module, raising=False)
    with pytest.warns(DeprecationWarning, match=r"goes with version 0\.3"):
        found = getattr(importlib.import_module(old_module), old_name)
    assert found is getattr(importlib.import_module(module), name)


def test_every_moved_module_is_there() -> None:
    for new in [*_MOVED.values(), *_NOW_PACKAGES.values()]:
        importlib.import_module(f"diptych.{new}")
    for name in RENAMED.values():
        assert isinstance(name, str) and name.isidentifier()


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("diptych.stages.shift")
    with pytest.raises(AttributeError):
        _ = importlib.import_module("diptych.stages.matching").Shift
