"""The digest of a stage's code: what it is made of, no more and no less.

The definitions that a class uses are followed by name, through its module and every module that it imports of its own
package, of Diptych, or from a file that is not installed. Each is hashed as its syntax tree without comments,
formatting and docstrings. So an edited helper moves the keys of the stages that use it and of no others. Libraries
enter a key by their version instead.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .codec import digest

HOUSE = __name__.partition(".")[0]
WHOLE = "*"


_settled: dict[type, dict[str, str]] | None = None
"""The digests that were asked for while the code stands still; None while it may change."""


@contextmanager
def still() -> Iterator[None]:
    """Nobody edits or loads code again meanwhile: the digests of a class are found once."""
    global _settled
    before, _settled = _settled, {}
    try:
        yield
    finally:
        _settled = before


def code_digests(cls: type) -> dict[str, str]:
    """Digest of the definitions that a class uses, by the module they stand in.

    A class without a file (from a notebook, or made inside a function) is known by its bytecode instead.
    """
    if _settled is None:
        return _code_digests(cls)
    if cls not in _settled:
        _settled[cls] = _code_digests(cls)
    return _settled[cls]


def _code_digests(cls: type) -> dict[str, str]:
    wanted: list[tuple[str, str]] = []
    digests: dict[str, str] = {}
    for base in cls.__mro__[:-1]:
        if _is_in_file(base):
            wanted.append((base.__module__, base.__qualname__.partition(".")[0]))
        else:
            digests[f"{base.__module__}:{base.__qualname__}"] = digest("\n".join(_bytecode(base, wanted)).encode())
    packages = {HOUSE, *(base.__module__.partition(".")[0] for base in cls.__mro__[:-1])}
    for name, symbols in _closure(wanted, packages).items():
        module = _module(name)
        assert module is not None
        digests[name] = digest("\n".join(module.text(symbols)).encode())
    return dict(sorted(digests.items()))


@dataclass
class _Module:
    """A parsed file: its definitions, what it imports, and the statements that always run."""

    name: str
    package: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=lambda: defaultdict(list))
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)

    def statements(self, symbol: str) -> list[ast.stmt]:
        if symbol == WHOLE:
            return [statement for name in self.definitions for statement in self.definitions[name]]
        return self.definitions.get(symbol, [])

    def text(self, symbols: set[str]) -> Iterator[str]:
        """Normalised source of the symbols and of the statements that always run."""
        names = sorted(self.definitions if WHOLE in symbols else symbols & self.definitions.keys())
        yield from (_unparsed(statement) for name in names for statement in self.definitions[name])
        yield from map(_unparsed, self.loose)


@lru_cache(maxsize=1 << 16)
def _unparsed(statement: ast.stmt) -> str:
    return ast.unparse(statement)


def _closure(wanted: list[tuple[str, str]], packages: set[str]) -> dict[str, set[str]]:
    """Every (module, symbol) that the wanted ones use, directly or not, by module."""
    found: dict[str, set[str]] = defaultdict(set)
    queue = list(wanted)
    while queue:
        name, symbol = queue.pop()
        module = _module(name) if name.partition(".")[0] in packages or _is_local(name) else None
        if module is None or symbol in found[name]:
            continue
        statements = module.statements(symbol) + ([] if found[name] else module.loose)
        found[name].add(symbol)
        if symbol not in (WHOLE, *module.definitions):
            queue += _elsewhere(module, symbol)
        queue += [use for statement in statements for use in _uses(module, statement)]
    return found


def _elsewhere(module: _Module, symbol: str) -> list[tuple[str, str]]:
    """Where a name comes from that a module does not define: an import of its own, or a submodule."""
    if symbol in module.imports:
        origin, attribute = module.imports[symbol]
        return [(origin, attribute or WHOLE)]
    inner = f"{module.name}.{symbol}"
    return [(inner, WHOLE)] if module.name == module.package and _module(inner) else []


def _uses(module: _Module, statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """The (module, symbol) pairs that a statement names."""
    names, imports = _mentions(statement)
    for node in imports:
        yield from ((origin, attribute or WHOLE) for origin, attribute in _imports(node, module.package).values())
    for name, attribute in names:
        if attribute and name in module.imports:
            yield _attribute(module, *module.imports[name], attribute)
        elif name in module.definitions:
            yield module.name, name
        elif name in module.imports:
            origin, symbol = module.imports[name]
            yield origin, symbol or WHOLE


@lru_cache(maxsize=1 << 16)
def _mentions(statement: ast.stmt) -> tuple[list[tuple[str, str]], list[ast.Import | ast.ImportFrom]]:
    """The names in a statement, each once and with the attribute that is asked of it, and the imports in it."""
    names: dict[tuple[str, str], None] = {}
    imports = []
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names[node.value.id, node.attr] = None
            continue
        if isinstance(node, ast.Name):
            names[node.id, ""] = None
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(node)
        pending.extend(ast.iter_child_nodes(node))
    return list(names), imports


def _attribute(module: _Module, origin: str, symbol: str | None, attribute: str) -> tuple[str, str]:
    """What ``name.attribute`` uses, where ``name`` is an import: a symbol of a module, or of it only the name."""
    top = origin.partition(".")[0]
    source = _module(origin) if top in (HOUSE, module.name.partition(".")[0]) else None
    if source is None or symbol == WHOLE or symbol in source.definitions:
        return origin, symbol or WHOLE
    inner = origin if symbol is None else f"{origin}.{symbol}"
    return (inner, attribute) if _module(inner) else (origin, symbol or WHOLE)


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, tuple[str, str | None]]:
    """Local name -> (module, symbol in it) of an import statement; no symbol where the module itself is bound."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.partition(".")[0]: (a.name, None if a.asname else WHOLE) for a in node.names}
    origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package or None)
    return {alias.asname or alias.name: (origin, alias.name) for alias in node.names}


def _module(name: str) -> _Module | None:
    """The parsed module, or None where there is no Python file of that name.

    The file of a loaded module is read once until the module is loaded again: an edit alone does not change what runs.
    """
    loaded = sys.modules.get(name)
    as_loaded = getattr(loaded, "__spec__", None) or loaded
    if loaded is not None and name in _read and _read[name][0] is as_loaded:
        return _read[name][1]
    found = _locate(name)
    if found is None:
        return None
    path, package = found
    stat = path.stat()
    module = _parse(name, package, path, stat.st_mtime_ns, stat.st_size)
    if loaded is not None:
        _read[name] = as_loaded, module
    return module


_read: dict[str, tuple[object, _Module]] = {}
"""What was read of loaded modules, with the spec by which they were loaded; a reload makes another."""


def _locate(name: str) -> tuple[Path, str] | None:
    loaded = sys.modules.get(name)
    if loaded is not None:
        file, package = getattr(loaded, "__file__", None), getattr(loaded, "__package__", None) or ""
    else:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        file, package = (spec.origin, spec.parent or "") if spec else (None, "")
    path = Path(file) if file else None
    return (path, package) if path and path.suffix == ".py" and path.is_file() else None


@lru_cache(maxsize=1024)
def _parse(name: str, package: str, path: Path, mtime: int, size: int) -> _Module:
    """Parse a file; time and size are there so that an edited file is read again."""
    module = _Module(name, package)
    tree = _WithoutTexts().visit(ast.parse(path.read_text("utf-8")))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module.imports.update(_imports(node, package))
    for statement in tree.body:
        names = _defined(statement)
        for defined in names:
            module.definitions[defined].append(statement)
        if not names and not isinstance(statement, (ast.Import, ast.ImportFrom)):
            module.loose.append(statement)
    return module


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines, if that is all it does."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    inner = [t for target in targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [t.id for t in inner if isinstance(t, ast.Name)] if all(isinstance(t, ast.Name) for t in inner) else []


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


@lru_cache(maxsize=4096)
def _is_local(name: str) -> bool:
    """Whether a module is a file of the user's own: neither installed nor of Python itself."""
    found = _locate(name)
    if found is None:
        return False
    installed = {"site-packages", "dist-packages"} & set(found[0].parts)
    return not installed and not found[0].is_relative_to(sysconfig.get_paths()["stdlib"])


def _is_in_file(value: type | types.FunctionType) -> bool:
    return "<locals>" not in value.__qualname__ and _locate(value.__module__) is not None


def _bytecode(cls: type, wanted: list[tuple[str, str]]) -> Iterator[str]:
    """What a class without a file does: its functions' bytecode and constants, and those of the helpers they call.

    What they use of modules that do have a file is added to ``wanted``.
    """
    pending: list[Any] = [cls]
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, types.ModuleType):
            wanted.append((value.__name__, WHOLE))
        elif isinstance(value, (types.FunctionType, type)) and _is_in_file(value):
            wanted.append((value.__module__, value.__qualname__.partition(".")[0]))
        elif isinstance(value, type):
            for name, member in sorted(vars(value).items()):
                if not name.startswith("__") or name == "__annotations__":
                    yield name
                    pending.append(getattr(member, "__func__", member))
        elif isinstance(value, types.FunctionType):
            yield from _code(value.__code__)
            pending += [cell.cell_contents for cell in value.__closure__ or ()]
            pending += [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
            pending += value.__defaults__ or ()
        elif isinstance(value, np.ndarray):
            yield f"{value.dtype}{value.shape}{digest(np.ascontiguousarray(value).data)}"
        elif isinstance(value, (bool, int, float, str, tuple, list, dict, type(None))):
            yield repr(value)


def _code(code: types.CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)
