"""What the definitions of a Python file say, without comments, formatting and docstrings, and what they mention.

What was found is kept beside the bytecode that Python keeps of the file, for as long as the file is the same.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import platform
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ...stages.writing import written_whole
from .codec import digest

WHOLE = "*"
"""Stands for all symbols of a module."""

SETTLED = 2_000_000_000
"""Nanoseconds after which a second edit of a file is sure to give it another time."""

_MADE_BY = [platform.python_version(), digest(Path(__file__).read_bytes())]
"""What decides how a file is read, beside the file."""


class Statement(NamedTuple):
    """A statement at the top of a file.

    Attributes:
        text: its source, normalised.
        names: the names in it, each once and with the attribute that is asked of it, else ``""``.
        imports: the modules that it imports, each with the symbol, or with :data:`WHOLE`.
    """

    text: str
    names: list[tuple[str, str]]
    imports: list[tuple[str, str]]


@dataclass
class Definitions:
    """What a file defines, what it imports, and the statements that always run.

    Attributes:
        name, package: of the module.
        statements: all but docstrings and the imports at the top.
        defined: places of the statements that define a name.
        loose: places of those that define none.
        imports: module and symbol by the local name; no symbol where the module itself is bound.
    """

    name: str
    package: str
    statements: list[Statement] = field(default_factory=list)
    defined: dict[str, list[int]] = field(default_factory=dict)
    loose: list[int] = field(default_factory=list)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def of(self, symbols: set[str]) -> list[Statement]:
        """The statements that define some symbols, in the order of their names."""
        names = sorted(self.defined if WHOLE in symbols else symbols & self.defined.keys())
        return [self.statements[i] for name in names for i in self.defined[name]]

    @property
    def always(self) -> list[Statement]:
        """The statements that run whatever is asked for."""
        return [self.statements[i] for i in self.loose]


def read_definitions(name: str, package: str, path: Path) -> Definitions:
    """The definitions of a module's file."""
    stat = path.stat()
    return _read(name, package, path, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _read(name: str, package: str, path: Path, modified: int, *others: int) -> Definitions:
    """See :func:`read_definitions`; times and size are there so that an edited file is read again."""
    kept = Path(importlib.util.cache_from_source(str(path))).with_suffix(".definitions")
    origin = [name, package, str(path), modified, *others, *_MADE_BY]
    found = _recalled(kept, origin)
    if found is None:
        found = _parsed(name, package, path)
        if time.time_ns() - modified > SETTLED:
            _keep(kept, {"origin": origin, "found": vars(found)})
    return found


def _recalled(kept: Path, origin: list[Any]) -> Definitions | None:
    """What was found of the same file before; what cannot be read was not."""
    try:
        tree = json.loads(kept.read_bytes())
        return _restored(**tree["found"]) if tree["origin"] == origin else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _restored(statements: list[Any], imports: dict[str, list[Any]], **others: Any) -> Definitions:
    """JSON has no tuples."""
    return Definitions(
        statements=[Statement(text, *([(a, b) for a, b in pairs] for pairs in lists)) for text, *lists in statements],
        imports={local: (origin, symbol) for local, (origin, symbol) in imports.items()},
        **others,
    )


def _keep(kept: Path, tree: dict[str, Any]) -> None:
    """Write it whole or not at all; a folder that is read only does without."""
    with suppress(OSError), written_whole(kept) as aside:
        aside.write_text(json.dumps(tree), "utf-8")


def _parsed(name: str, package: str, path: Path) -> Definitions:
    found = Definitions(name, package)
    tree = _WithoutTexts().visit(ast.parse(path.read_text("utf-8")))
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
    """The names that a statement defines, if that is all it does."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    inner = [t for target in targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [t.id for t in inner if isinstance(t, ast.Name)] if all(isinstance(t, ast.Name) for t in inner) else []


def _mentions(statement: ast.stmt, package: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The names and the imports in a statement, as :class:`Statement` has them."""
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
    """What an import statement binds, as :attr:`Definitions.imports` has it."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.partition(".")[0]: (a.name, None if a.asname else WHOLE) for a in node.names}
    origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package or None)
    return {alias.asname or alias.name: (origin, alias.name) for alias in node.names}


class _WithoutTexts(ast.NodeTransformer):
    """Removes docstrings and every other statement that is only a text."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        only_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if only_text else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.body:
            node.body.append(ast.Pass())
        return node
