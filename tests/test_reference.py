"""The reference is whole: it builds without a warning, names every stage, and what docstrings refer to exists."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from diptych.pipeline.engine import registry
from diptych.pipeline.engine.built_in import BUILT_IN
from diptych.stages.slots import SLOTS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`~?([\w.]+)`")


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    """In a process of its own: Sphinx changes the signatures of what it looks at."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", tmp_path / "seen"]
    done = subprocess.run([*command, DOCS, tmp_path / "pages"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "pages/reference/stages.html").read_text("utf-8")
    assert all(f'id="diptych.{name}"' in page for name in ("stages.features.sift.Sift", "learned.depth.stage.DepthNet"))
    assert "Keypoints of one photo, strongest first." in page


def test_every_stage_stands_under_its_slot() -> None:
    parts = re.split(r"^## (\w+)$", (DOCS / "reference/stages.md").read_text("utf-8"), flags=re.MULTILINE)
    shown = {
        slot: sorted(re.findall(r"^\.\. autoclass:: ([\w.]+)$", text, re.MULTILINE))
        for slot, text in zip(parts[1::2], parts[2::2], strict=True)
        if slot in SLOTS
    }
    stages = [registry.find(name) for name in BUILT_IN]
    assert shown == {
        slot.name: sorted(f"{cls.__module__}.{cls.__name__}" for cls in stages if cls.slot == slot.name)
        for slot in SLOTS.values()
        if not slot.source
    }
    assert list(shown) == [slot.name for slot in SLOTS.values() if not slot.source]


def test_the_picture_is_the_graph_that_runs() -> None:
    drawing = runpy.run_path(str(DOCS / "draw_graph.py"))
    assert drawing["picture"]() == (DOCS / "graph.svg").read_text("utf-8"), "run python docs/draw_graph.py"
    assert drawing["picture"]("sgm") != drawing["picture"]()


def test_what_docstrings_refer_to_exists() -> None:
    files = [file for floor in ("stages", "learned", "pipeline") for file in sorted((ROOT / floor).rglob("*.py"))]
    missing = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        for name, owner in _references(file)
        if not _exists(_module_of(file), name, owner)
    ]
    assert not missing


def _module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    parts = parts[2:] if parts[:2] == ("pipeline", "front") else parts
    return ".".join(("diptych", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _references(file: Path) -> Iterator[tuple[str, str]]:
    """Every name in a role, and the class whose text it stands in."""

    def walk(node: ast.AST, owner: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.ClassDef) else owner
            if isinstance(child, ast.Constant) and isinstance(child.value, str):
                yield from ((name, inside) for name in _ROLE.findall(child.value))
            yield from walk(child, inside)

    return walk(ast.parse(file.read_text("utf-8")), "")


def _exists(module: str, name: str, owner: str) -> bool:
    """Whether a name leads somewhere: from the top, from its module, or from the class that it is written in."""
    if name.startswith("diptych."):
        return any(_reached(*parts) for parts in _cuts(name))
    return _reached(module, name) or bool(owner and _reached(module, f"{owner}.{name}"))


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    parts = name.split(".")
    return ((".".join(parts[:i]), ".".join(parts[i:])) for i in range(len(parts), 0, -1))


def _reached(module: str, name: str) -> bool:
    try:
        value: object = importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    for part in filter(None, name.split(".")):
        fields = getattr(value, "__dataclass_fields__", {})
        if not hasattr(value, part) and part not in fields:
            return False
        value = getattr(value, part, None)
    return True
