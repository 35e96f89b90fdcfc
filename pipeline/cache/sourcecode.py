"""The digests of the code of a stage: of all definitions that it uses, and of no others.

The definitions that a class uses are followed by name, through its module and every module that it imports of its own
package, of Diptych, or from a file that is not installed. Each is hashed as its syntax tree without comments,
formatting and docstrings. So an edited helper moves the keys of the stages that use it and of no others. Libraries
enter a key by their version instead.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .codec import digest
from .definitions import WHOLE, Definitions, Statement, read_definitions

PACKAGE = __name__.partition(".")[0]

_frozen: dict[type, dict[str, str]] | None = None
"""The digests of classes that were computed within :func:`freeze_code`; None outside."""


@contextmanager
def freeze_code() -> Iterator[None]:
    """Compute the digests of every class once; edits and reloads of code within the context are ignored."""
    global _frozen
    before, _frozen = _frozen, {}
    try:
        yield
    finally:
        _frozen = before


def code_digests(cls: type) -> dict[str, str]:
    """Digest of the definitions that a class uses, by module.

    For a class without a file (from a notebook, or defined inside a function) it is the digest of its bytecode.
    """
    if _frozen is None:
        return _code_digests(cls)
    if cls not in _frozen:
        _frozen[cls] = _code_digests(cls)
    return _frozen[cls]


def _code_digests(cls: type) -> dict[str, str]:
    wanted: list[tuple[str, str]] = []
    digests: dict[str, str] = {}
    for base in cls.__mro__[:-1]:
        if _is_in_file(base):
            wanted.append((base.__module__, base.__qualname__.partition(".")[0]))
        else:
            digests[f"{base.__module__}:{base.__qualname__}"] = digest("\n".join(_bytecode(base, wanted)).encode())
    packages = {PACKAGE, *(base.__module__.partition(".")[0] for base in cls.__mro__[:-1])}
    for name, symbols in _closure(wanted, packages).items():
        module = _module(name)
        assert module is not None
        texts = [statement.text for statement in (*module.of(symbols), *module.always)]
        digests[name] = digest("\n".join(texts).encode())
    return dict(sorted(digests.items()))


def _closure(wanted: list[tuple[str, str]], packages: set[str]) -> dict[str, set[str]]:
    """The symbols that the wanted (module, symbol) pairs use, directly or not, by module."""
    found: dict[str, set[str]] = defaultdict(set)
    queue = list(wanted)
    while queue:
        name, symbol = queue.pop()
        module = _module(name) if name.partition(".")[0] in packages or _is_local(name) else None
        if module is None or symbol in found[name]:
            continue
        statements = module.of({symbol}) + ([] if found[name] else module.always)
        found[name].add(symbol)
        if symbol != WHOLE and symbol not in module.defined:
            queue += _elsewhere(module, symbol)
        queue += [use for statement in statements for use in _uses(module, statement)]
    return found


def _elsewhere(module: Definitions, symbol: str) -> list[tuple[str, str]]:
    """The origin of a name that a module does not define: an import, or a submodule."""
    if symbol in module.imports:
        origin, attribute = module.imports[symbol]
        return [(origin, attribute or WHOLE)]
    inner = f"{module.name}.{symbol}"
    return [(inner, WHOLE)] if module.name == module.package and _module(inner) else []


def _uses(module: Definitions, statement: Statement) -> Iterator[tuple[str, str]]:
    """The (module, symbol) pairs that a statement names."""
    yield from statement.imports
    for name, attribute in statement.names:
        if attribute and name in module.imports:
            yield _attribute(module, *module.imports[name], attribute)
        elif name in module.defined:
            yield module.name, name
        elif name in module.imports:
            origin, symbol = module.imports[name]
            yield origin, symbol or WHOLE


def _attribute(module: Definitions, origin: str, symbol: str | None, attribute: str) -> tuple[str, str]:
    """The (module, symbol) that ``name.attribute`` uses, where ``name`` is an import."""
    top = origin.partition(".")[0]
    source = _module(origin) if top in (PACKAGE, module.name.partition(".")[0]) else None
    if source is None or symbol == WHOLE or symbol in source.defined:
        return origin, symbol or WHOLE
    inner = origin if symbol is None else f"{origin}.{symbol}"
    return (inner, attribute) if _module(inner) else (origin, symbol or WHOLE)


def _module(name: str) -> Definitions | None:
    """The definitions of a module, or None where there is no Python file of that name.

    The file of a loaded module is read once until the module is reloaded: an edit does not change the code that runs.
    """
    loaded = sys.modules.get(name)
    as_loaded = getattr(loaded, "__spec__", None) or loaded
    if loaded is not None and name in _read and _read[name][0] is as_loaded:
        return _read[name][1]
    found = _locate(name)
    if found is None:
        return None
    path, package = found
    module = read_definitions(name, package, path)
    if loaded is not None:
        _read[name] = as_loaded, module
    return module


_read: dict[str, tuple[object, Definitions]] = {}
"""The definitions of loaded modules, with the spec of each module; a reload replaces the spec."""


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


@lru_cache(maxsize=4096)
def _is_local(name: str) -> bool:
    """Whether a module is a file of the user, neither installed nor of the standard library."""
    top = name.partition(".")[0]
    if top != name and _locate(top) and not _is_local(top):
        return False  # Finding a module inside a package imports the package, which may take seconds.
    found = _locate(name)
    if found is None:
        return False
    installed = {"site-packages", "dist-packages"} & set(found[0].parts)
    return not installed and not found[0].is_relative_to(sysconfig.get_paths()["stdlib"])


def _is_in_file(value: type | types.FunctionType) -> bool:
    return "<locals>" not in value.__qualname__ and _locate(value.__module__) is not None


def _bytecode(cls: type, wanted: list[tuple[str, str]]) -> Iterator[str]:
    """The bytecode and constants of the functions of a class without a file, and of the helpers that they call.

    Definitions in modules with a file are added to ``wanted``.
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
