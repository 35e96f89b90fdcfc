"""The definitions of a Python file without comments, formatting and docstrings, and the names that each uses.

Parsed files are cached in the user's cache folder (on Linux ``~/.cache/diptych/definitions``) until they change.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import platform
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_cache_path

from ...stages.writing import atomic_write
from .codec import digest

WHOLE = "*"
"""Stands for all symbols of a module."""

CLOCK_STEP = 2_000_000_000
"""Nanoseconds: the coarsest resolution of file times. A file that is younger could change with the same time."""

_MADE_BY = [platform.python_version(), digest(Path(__file__).read_bytes())]
"""The parsed form of a file depends on these too."""


class Statement(NamedTuple):
    """A statement at the top of a file.

    Attributes:
        text: its normalized source.
        names: the names in it, each once, with the attribute that follows it, or ``""``.
        imports: the modules that it imports, each with the symbol or :data:`WHOLE`.
    """

    text: str
    names: list[tuple[str, str]]
    imports: list[tuple[str, str]]


@dataclass
class Definitions:
    """The definitions of a file, its imports, and the other statements at its top.

    Attributes:
        name, package: of the module.
        statements: all but docstrings and the imports at the top.
        defined: for each name the indices of the statements that define it.
        loose: indices of the statements that define no name.
        imports: module and symbol by the local name; None for the symbol where the module itself is bound.
    """

    name: str
    package: str
    statements: list[Statement] = field(default_factory=list)
    defined: dict[str, list[int]] = field(default_factory=dict)
    loose: list[int] = field(default_factory=list)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def of(self, symbols: set[str]) -> list[Statement]:
        """The statements that define the symbols, in the order of their names."""
        names = sorted(self.defined if WHOLE in symbols else symbols & self.defined.keys())
        return [self.statements[i] for name in names for i in self.defined[name]]

    @property
    def always(self) -> list[Statement]:
        """The statements that define no name, and run on every import."""
        return [self.statements[i] for i in self.loose]


def read_definitions(name: str, package: str, path: Path) -> Definitions:
    """The definitions of a module's file."""
    stat = path.stat()
    return _read(name, package, path, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _read(name: str, package: str, path: Path, modified: int, *others: int) -> Definitions:
    """See :func:`read_definitions`; with times and size as arguments an edited file is read again."""
    cached = cache_file(path)
    origin = [name, package, str(path), modified, *others, *_MADE_BY]
    found = _load(cached, origin)
    if found is None:
        found = _parsed(name, package, path)
        if time.time_ns() - modified > CLOCK_STEP:
            _save(cached, {"origin": origin, "found": vars(found)})
    return found


def cache_file(path: Path) -> Path:
    """The cache file for a source file and the running version of Python."""
    name = digest(f"{path}\0{sys.implementation.cache_tag}".encode())[:32]
    return user_cache_path("diptych", appauthor=False) / "definitions" / f"{name}.json"


def _load(cached: Path, origin: list[Any]) -> Definitions | None:
    """The cached definitions of the same file; None where there are none, or they cannot be read."""
    try:
        tree = json.loads(cached.read_bytes())
        return _restored(**tree["found"]) if tree["origin"] == origin else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _restored(statements: list[Any], imports: dict[str, list[Any]], **others: Any) -> Definitions:
    """Definitions from JSON, which has lists for tuples."""
    return Definitions(
        statements=[Statement(text, *([(a, b) for a, b in pairs] for pairs in lists)) for text, *lists in statements],
        imports={local: (origin, symbol) for local, (origin, symbol) in imports.items()},
        **others,
    )


def _save(cached: Path, tree: dict[str, Any]) -> None:
    """Write a cache file; without one where the folder is read-only."""
    with suppress(OSError), atomic_write(cached) as aside:
        aside.write_text(json.dumps(tree), "utf-8")


def _parsed(name: str, package: str, path: Path) -> Definitions:
    found = Definitions(name, package)
    tree = _WithoutDocstrings().visit(ast.parse(path.read_text("utf-8")))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.imports.update(_bound(node, package))
    for statement in tree.body:
        names = _defined(statement)
        if not names and isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        for place in (found.defined.setdefault(each, []) for each in names) if names else (found.loose,):
            place.append(len(found.statements))
        found.statements.append(Statement(ast.unparse(statement), *_mentions(statement, package)))
    return found


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines; none if it does something else too."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    inner = [t for target in targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [t.id for t in inner if isinstance(t, ast.Name)] if all(isinstance(t, ast.Name) for t in inner) else []


def _mentions(statement: ast.stmt, package: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The names and the imports in a statement, as :class:`Statement`."""
    names: dict[tuple[str, str], None] = {}
    imports: list[tuple[str, str]] = []
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names[node.value.id, node.attr] = None
            continue
        if isinstance(node, ast.Name):
            names[node.id, ""] = None
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            imports += [(origin, symbol or WHOLE) for origin, symbol in _bound(node, package).values()]
        pending.extend(ast.iter_child_nodes(node))
    return list(names), imports


def _bound(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, tuple[str, str | None]]:
    """The names that an import statement binds, as :attr:`Definitions.imports`."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.partition(".")[0]: (a.name, None if a.asname else WHOLE) for a in node.names}
    origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package or None)
    return {alias.asname or alias.name: (origin, alias.name) for alias in node.names}


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes docstrings and every other statement that is only a string."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        only_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if only_text else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.body:
            node.body.append(ast.Pass())
        return node
