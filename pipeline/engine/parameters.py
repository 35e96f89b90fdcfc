"""Convert parameters from a recipe or the command line to the types that a stage declares."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from diptych.moved import RENAMED, warn_moved

from ...stages.failure import StageFailure
from ...stages.stage import Stage


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the known name that is most similar to a wrong one, else with all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 1, 0.5) or [k for k in known if k.lower() == name.lower()]
    return f"Did you mean {close[0]!r}?" if close else f"There is {', '.join(known) or 'none'}."


def types_of(cls: type[Stage]) -> dict[str, Any]:
    """Name and type of every parameter of a stage."""
    hints = typing.get_type_hints(cls)
    fields: tuple[Any, ...] = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    return {field.name: hints[field.name] for field in fields if field.init}


def make(cls: type[Stage], values: Mapping[str, Any], base: Stage | None = None) -> Stage:
    """A stage from named values, the others from ``base`` or the defaults.

    Values may be text from a command line, or values from TOML.

    Raises:
        StageFailure: ``unknown-parameter`` or ``bad-parameter``.
    """
    known = types_of(cls)
    converted: dict[str, Any] = {} if base is None else {name: getattr(base, name) for name in known}
    for given, value in values.items():
        name = RENAMED.get(given, given)
        if name != given and name in known:
            warn_moved(f"{cls.__name__}.{given}", name)
        if name not in known:
            raise StageFailure(
                "unknown-parameter", f"{cls.__name__} has no parameter {name!r}.", hint=nearest(name, known)
            )
        try:
            converted[name] = convert(value, known[name])
        except ValueError:
            raise StageFailure(
                "bad-parameter",
                f"{cls.__name__}.{name} cannot be {value!r}.",
                hint=f"Expected {describe(known[name])}.",
            ) from None
    try:
        return cls(**converted)
    except (TypeError, ValueError) as error:
        raise StageFailure("bad-parameter", f"{cls.__name__}: {error}") from error


def convert(value: Any, kind: Any) -> Any:
    """Convert a value to ``kind``: a number, text, Literal, tuple or an optional one of these.

    Raises:
        ValueError: the value cannot be converted.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _first(value, inner)
    if kind is type(None) and (value is None or value == "none"):
        return None
    if origin is Literal:
        return _member(value, inner)
    if kind is tuple or origin is tuple:
        return _tuple(value, inner)
    if kind is bool and isinstance(value, (bool, str)):
        return value if isinstance(value, bool) else {"true": True, "false": False}[_one_of(value, ("true", "false"))]
    if kind in (int, float) and not isinstance(value, bool) and isinstance(value, (int, float, str)):
        return _whole(value) if kind is int else float(value)
    if kind in (str, Path) and isinstance(value, (str, Path)):
        return kind(value)
    if kind is Any or (type(kind) is type and type(value) is kind):
        return value
    raise ValueError(value)


def describe(kind: Any) -> str:
    """A type as text for a hint."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(describe(option) for option in inner)
    if origin is Literal:
        return " | ".join(str(option) for option in inner)
    if origin is tuple:
        return ", ".join("..." if option is Ellipsis else describe(option) for option in inner)
    return "none" if kind is type(None) else getattr(kind, "__name__", str(kind))


def _first(value: Any, kinds: tuple[Any, ...]) -> Any:
    """Convert a value to the first kind that accepts it: None first and text last, which accepts everything."""
    for kind in sorted(kinds, key=lambda kind: (kind is not type(None), kind is str)):
        try:
            return convert(value, kind)
        except ValueError:
            continue
    raise ValueError(value)


def _whole(value: int | float | str) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _member(value: Any, options: tuple[Any, ...]) -> Any:
    for option in options:
        if value == option or (isinstance(value, str) and value == str(option)):
            return option
    raise ValueError(value)


def _one_of(value: str, options: tuple[str, ...]) -> str:
    return _member(value.lower(), options)


def _tuple(value: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise ValueError(value)
    if not kinds:
        return tuple(parts)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(parts)
    if len(kinds) != len(parts):
        raise ValueError(value)
    return tuple(convert(part, kind) for part, kind in zip(parts, kinds, strict=True))
