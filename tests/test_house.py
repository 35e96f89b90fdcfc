"""The laws of the house: imports point down, no circles, small files and folders, one class by one name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("stages", "learned", "pipeline")
MOST_LINES = 400
MOST_FILES = 15


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package by its path from the root."""
    paths = (path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def imported(path: str) -> Iterator[str]:
    """The files that a file imports from, also inside functions and for type checkers."""
    folder = path.split("/")[:-1]
    for node in ast.walk(sources()[path]):
        if not isinstance(node, ast.ImportFrom) or not (node.level or str(node.module).startswith("diptych.")):
            continue
        base = folder[: len(folder) - node.level + 1] if node.level else []
        module = [*base, *(node.module or "").removeprefix("diptych.").split(".")] if node.module else base
        for parts in [[*module, alias.name] for alias in node.names]:
            found = (_file(parts) or _file(parts[:-1])) if len(parts) > 1 else None
            if found and found != path:
                yield found


def _file(parts: list[str]) -> str | None:
    places = ("/".join(parts) + ".py", "/".join([*parts, "__init__.py"]))
    return next((place for place in places if place in sources()), None)


def test_imports_point_down() -> None:
    up = [
        f"{path} imports {other}"
        for path in sources()
        for other in imported(path)
        if FLOORS.index(other.split("/")[0]) > FLOORS.index(path.split("/")[0])
    ]
    assert not up


def test_no_circle_between_files() -> None:
    edges = {path: set(imported(path)) for path in sources()}
    while leaves := [path for path, others in edges.items() if not others & edges.keys()]:
        for path in leaves:
            del edges[path]
    rest = {path: sorted(others & edges.keys()) for path, others in edges.items()}
    on_circle = {path: others for path, others in rest.items() if any(path in rest[other] for other in others)}
    assert not rest, on_circle or rest


def test_files_and_folders_are_small() -> None:
    files = [path for folder in (*FLOORS, "data_samples") for path in (ROOT / folder).rglob("*.py")]
    long = {path.name: n for path in files if (n := path.read_text("utf-8").count("\n")) > MOST_LINES}
    full = {folder: n for folder, n in Counter(path.parent for path in files).items() if n > MOST_FILES}
    assert not long
    assert not full


def test_no_class_name_twice() -> None:
    names = Counter(n.name for tree in sources().values() for n in tree.body if isinstance(n, ast.ClassDef))
    assert not [name for name, count in names.items() if count > 1]
