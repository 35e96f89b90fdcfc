"""Stages by name: Diptych's own, those that other packages offer, and any class by its address."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points

from diptych.moved import RENAMED, warn_moved

from ...stages.failure import StageFailure
from ...stages.stage import Stage
from .built_in import BUILT_IN
from .parameters import nearest

ENTRY_POINTS = "diptych.stages"
"""The entry point group under which another package offers its stages."""


def names() -> list[str]:
    """Every name that :func:`find` knows."""
    return [*BUILT_IN, *(point.name for point in _offered())]


def find(name: str) -> type[Stage]:
    """The stage class of that name, or at the address ``package.module:Class``.

    Raises:
        StageFailure: ``unknown-stage`` or ``stage-not-importable``.
    """
    if name not in BUILT_IN and name in RENAMED:
        warn_moved(f"The stage {name}", RENAMED[name])
        name = RENAMED[name]
    address = f"{BUILT_IN[name]}:{name}" if name in BUILT_IN else _address(name)
    module, _, attribute = address.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise StageFailure(
            "stage-not-importable",
            f"The stage {name} cannot be imported: {error}",
            hint=f"Install the package that holds {module}.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Stage)):
        raise StageFailure("unknown-stage", f"{address} is not a Stage.")
    return found


def name_of(cls: type[Stage]) -> str:
    """The name under which :func:`find` gives this class; for one without a name its address."""
    if BUILT_IN.get(cls.__name__) == cls.__module__:
        return cls.__name__
    address = f"{cls.__module__}:{cls.__qualname__}"
    return next((point.name for point in _offered() if point.value == address), address)


def _address(name: str) -> str:
    if ":" in name:
        return name
    for point in _offered():
        if point.name == name:
            return point.value
    raise StageFailure("unknown-stage", f"There is no stage named {name!r}.", hint=nearest(name, names()))


def _offered() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
