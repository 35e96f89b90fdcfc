"""The key of a result: everything that it depends on, by name, and the hash of that."""

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
    """What all items of a stage have in common: its name, version, code, parameters, libraries and files.

    The kind of device is among them only where the stage says that results differ by it.
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
    """The digest of a file, found again when the file is another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def key_of(common: Ingredients, inputs: Mapping[str, object], seed: int | None) -> str:
    """The hash of all ingredients: those of the stage, the digests of the inputs, and the seed if it draws."""
    own: Ingredients = {"inputs": dict(inputs)} if seed is None else {"inputs": dict(inputs), "seed": seed}
    return digest(canonical({**common, **own}).encode())


def seed_of(run_seed: int, stage: Stage, item: str) -> int:
    """The seed of one item: from the run's seed, the stage and the item's name, never from thread or order."""
    text = f"{run_seed}\0{type(stage).__name__}\0{item}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def parameters_of(stage: Stage) -> dict[str, Any]:
    """A stage's parameters in a JSON form that is the same for equal values."""
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
        f"{at} holds a {type(value).__name__}, which has no place in a key.",
        hint="Parameters are numbers, text, tuples, arrays or dataclasses of these.",
    )
