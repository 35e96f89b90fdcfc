"""The key of a result: the hash of everything that the result depends on."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import math
import os
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ...stages.failure import StageFailure
from ...stages.stage import Stage
from .codec import canonical, digest
from .sourcecode import code_digests

Ingredients = dict[str, Any]

ABSENT = "absent"
"""The version of a distribution that is not installed."""


def stage_ingredients(stage: Stage, device: str = "cpu") -> Ingredients:
    """The ingredients of the key that all items of a stage share: name, version, code, parameters, libraries and files.

    The kind of device is one of them only where ``differs_by_device`` is set.
    """
    cls = type(stage)
    ingredients: Ingredients = {
        "stage": cls.__name__,
        "version": cls.version,
        "code": code_digests(cls),
        "parameters": parameters_of(stage),
        "libraries": {name: library_version(name) for name in sorted(cls.libraries)},
    }
    if files := stage.files():
        ingredients["files"] = {path.name: _file_digest(path, path.stat()) for path in files}
    if cls.differs_by_device:
        ingredients["device"] = device.partition(":")[0]
    return ingredients


def _file_digest(path: Path, stat: os.stat_result) -> str:
    return _digest_of_state(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest_of_state(path: Path, *_: int) -> str:
    """The digest of a file; it is computed again when the state of the file changes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def task_ingredients(common: Ingredients, inputs: Mapping[str, object], seed: int | None) -> Ingredients:
    """All ingredients of one item: those of the stage, the digests of the inputs, and the seed if the stage draws."""
    return {**common, "inputs": dict(inputs), **({} if seed is None else {"seed": seed})}


def key_of(common: Ingredients, inputs: Mapping[str, object], seed: int | None) -> str:
    """The hash of :func:`task_ingredients`."""
    return digest(canonical(task_ingredients(common, inputs, seed)).encode())


def seed_of(run_seed: int, stage: Stage, item: str) -> int:
    """The seed of one item, from the seed of the run, the name of the stage and the name of the item."""
    text = f"{run_seed}\0{type(stage).__name__}\0{item}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def parameters_of(stage: Stage) -> dict[str, Any]:
    """The parameters of a stage as a JSON tree that is the same for equal values.

    Raises:
        StageFailure: ``parameter-without-key`` for a value that cannot enter a key.
    """
    fields: tuple[Any, ...] = dataclasses.fields(stage)  # pyright: ignore[reportArgumentType]
    return {field.name: _plain(getattr(stage, field.name), f"{type(stage).__name__}.{field.name}") for field in fields}


@lru_cache(maxsize=256)
def library_version(name: str) -> str:
    """The installed version of a distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ABSENT


def _plain(value: Any, at: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, (tuple, list)):
        return [_plain(inner, at) for inner in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner, at) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return {
            "array": digest(np.ascontiguousarray(value).data),
            "dtype": str(value.dtype),
            "shape": list(value.shape),
        }
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {
            "type": type(value).__name__,
            **{f.name: _plain(getattr(value, f.name), f"{at}.{f.name}") for f in fields},
        }
    raise StageFailure(
        "parameter-without-key",
        f"{at} holds a {type(value).__name__}, which cannot enter a key.",
        hint="Parameters are numbers, text, tuples, arrays or dataclasses of these.",
    )
