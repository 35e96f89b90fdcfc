"""Encode a dataclass of arrays as one safetensors file. Equal values give equal bytes.

Each array is a tensor named by its path in the value (``models.0.points``); all other fields are one canonical JSON
text in the metadata. The reader gives the expected type, so a file can neither name a class to import nor hold code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
from safetensors.numpy import save

T = TypeVar("T")

METADATA = "diptych"

DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "F16": np.float16,
    "U32": np.uint32,
    "I32": np.int32,
    "F32": np.float32,
    "U64": np.uint64,
    "I64": np.int64,
    "F64": np.float64,
}
"""The NumPy type of every safetensors dtype that a value may hold."""


def digest(data: Any) -> str:
    """SHA-256 of a bytes-like object, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def canonical(tree: object) -> str:
    """JSON text that is the same for the same tree: sorted keys, no spaces."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def encode(value: object) -> bytes:
    """Encode a dataclass as the bytes of a safetensors file.

    Fields may be arrays, numbers, strings, None, tuples and other dataclasses.

    Raises:
        TypeError: for a field of another type, with its path.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _flatten(value, type(value), "", arrays)
    # One metadata key only: safetensors does not promise an order for several.
    return save(arrays, metadata={METADATA: canonical({"type": type(value).__name__, "value": tree})})


def decode(data: Any, expected: type[T]) -> T:
    """Decode a value of type ``expected`` that :func:`encode` wrote; its arrays are views into ``data``.

    Raises:
        ValueError: the bytes are not such a file, or hold another type.
    """
    view = memoryview(data)
    try:
        start = 8 + int.from_bytes(view[:8], "little")
        header = json.loads(bytes(view[8:start]))
        stored = json.loads(header.pop("__metadata__")[METADATA])
        if stored["type"] != expected.__name__:
            raise ValueError(f"expected {expected.__name__}, got {stored['type']}")
        arrays = {name: _tensor(view[start:], **entry) for name, entry in header.items()}
        return _restore(stored["value"], expected, arrays)
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not an encoded {expected.__name__}: {error!r}") from error


def _tensor(view: memoryview, dtype: str, shape: list[int], data_offsets: tuple[int, int]) -> np.ndarray:
    start, end = data_offsets
    array = np.frombuffer(view[start:end], DTYPES[dtype]).reshape(shape)
    array.setflags(write=False)
    return array


def _flatten(value: Any, hint: Any, at: str, arrays: dict[str, np.ndarray]) -> Any:
    """The JSON tree of a value; its arrays are added to ``arrays``, and the tree holds their paths."""
    hint = _alternative(hint, value)
    if isinstance(value, np.ndarray):
        if value.dtype.newbyteorder("=").type not in DTYPES.values():
            raise TypeError(f"{at}: no encoding for an array of {value.dtype}")
        arrays[at] = value.astype(value.dtype.newbyteorder("<"), order="C", copy=not value.flags.c_contiguous)
        return at
    if dataclasses.is_dataclass(value):
        fields = _fields(type(value))
        return {name: _flatten(getattr(value, name), kind, _join(at, name), arrays) for name, kind in fields.items()}
    if isinstance(value, (tuple, list)):
        kinds = _kinds(hint, len(value))
        return [_flatten(v, kind, _join(at, i), arrays) for i, (v, kind) in enumerate(zip(value, kinds, strict=True))]
    if isinstance(value, np.generic):
        value = value.item()
    if hint is float and isinstance(value, int):
        return float(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{at}: no encoding for {type(value).__name__}")


def _restore(tree: Any, hint: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The value of type ``hint``; the inverse of :func:`_flatten`."""
    hint = _alternative(hint, tree)
    if hint is np.ndarray or typing.get_origin(hint) is np.ndarray:
        return arrays[tree]
    if dataclasses.is_dataclass(hint):
        kind: Any = hint
        return kind(**{name: _restore(tree[name], field, arrays) for name, field in _fields(kind).items()})
    if isinstance(tree, list):
        return tuple(_restore(t, kind, arrays) for t, kind in zip(tree, _kinds(hint, len(tree)), strict=True))
    return tree


@lru_cache(maxsize=256)
def _fields(kind: type) -> dict[str, Any]:
    """Names and types of the fields that the constructor of a dataclass takes."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _alternative(hint: Any, value: object) -> Any:
    """``X`` for ``X | None`` unless the value is None; any other annotation as it is."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    others = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    if len(others) > 1 and any(dataclasses.is_dataclass(kind) or kind is np.ndarray for kind in others):
        raise TypeError(f"no encoding for the union {hint}")
    return others[0] if value is not None else type(None)


def _kinds(hint: Any, length: int) -> tuple[Any, ...]:
    """The types of a tuple's elements."""
    kinds = typing.get_args(hint)
    if typing.get_origin(hint) is not tuple or typing.get_origin(hint) is Literal:
        return (Any,) * length
    return (kinds[0],) * length if len(kinds) == 2 and kinds[1] is Ellipsis else kinds


def _join(at: str, name: object) -> str:
    return f"{at}.{name}" if at else str(name)
