"""The contract test of stages, for packages that add their own: :func:`check_stage`."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
from diptych.pipeline.cache.codec import canonical, decode, digest, encode
from diptych.pipeline.cache.keys import stage_ingredients
from diptych.pipeline.cache.sourcecode import freeze_code
from diptych.pipeline.engine.parameters import types_of
from diptych.pipeline.engine.recipe import Node
from diptych.pipeline.engine.signatures import Signature, check_per, read_signature
from diptych.stages.failure import StageFailure
from diptych.stages.stage import Context, Stage
from diptych.stages.threads import one_blas_thread

SEED = 0
"""The seed of the generator that a stage gets as ``rng``."""


def check_stage(stage: Stage, **inputs: Any) -> Any:
    """Check that a stage keeps the contract that the runner and the store rely on.

    - The stage is a frozen, keyword-only dataclass with a docstring, and ``run`` fits its slot.
    - It can be pickled, and each parameter enters its key. A parameter that accepts no other value is not checked.
    - ``run`` gives the type of the slot. The same inputs give the same bytes again, after pickling the stage, and with
      two threads. The inputs do not change, and the result can be stored.

    The stage runs three times, or four times if it takes a context.

    Args:
        stage: the stage with parameters that are quick to run.
        inputs: the inputs of ``run`` by name, without ``rng`` and ``context``.

    Returns:
        The result of ``run``, for checks of one's own.

    Raises:
        AssertionError: with a sentence that says what the stage does not keep.
    """
    name = type(stage).__name__
    _check_class(stage, name)
    signature = _check_signature(stage, inputs)
    with freeze_code():
        copy = _check_pickling(stage, name)
        _check_parameters(stage, name)
    before = _digests(inputs)
    value = _run(stage, signature, inputs)
    kind = signature.slot.type
    assert isinstance(value, kind), f"{name}.run gives a {type(value).__name__}, but its slot holds {kind.__name__}."
    assert _digests(inputs) == before, f"{name}.run changes its inputs."
    data = _check_encoding(value, kind, name)
    assert encode(_run(stage, signature, inputs)) == data, f"{name}.run gives other bytes for the same inputs."
    assert encode(_run(copy, signature, inputs)) == data, f"{name}.run gives other bytes after pickling the stage."
    if signature.wants_context:
        threaded = encode(_run(stage, signature, inputs, threads=2))
        assert threaded == data, f"{name}.run gives other bytes with two threads than with one."
    return value


def _check_class(stage: Any, name: str) -> None:
    assert isinstance(stage, Stage), f"{name} is not a Stage."
    cls: Any = type(stage)
    parameters = vars(cls).get("__dataclass_params__")
    assert parameters is not None and parameters.frozen, f"{name} is not a frozen dataclass."
    positional = [field.name for field in dataclasses.fields(cls) if field.init and not field.kw_only]
    assert not positional, f"{name} takes {', '.join(positional)} by position, but parameters are keyword-only."
    # A dataclass without a docstring gets its signature as one.
    text = vars(cls).get("__doc__") or ""
    assert text and not text.startswith(f"{name}("), f"{name} has no docstring."


def _check_signature(stage: Stage, inputs: Mapping[str, Any]) -> Signature:
    """The signature of ``run``, which fits the slots and takes these inputs."""
    name = type(stage).__name__
    assert hasattr(stage, "slot"), f"{name} names no slot."
    node = Node(stage.slot, stage)
    try:
        signature = read_signature(node)
        known = {parameter.slot.name for parameter in signature.parameters}
        missing = {parameter.slot.name for parameter in signature.parameters if not parameter.optional} - inputs.keys()
        assert not missing, f"{name}.run also takes {', '.join(sorted(missing))}."
        assert inputs.keys() <= known, f"{name}.run does not take {', '.join(sorted(inputs.keys() - known))}."
        given = [parameter for parameter in signature.parameters if parameter.slot.name in inputs]
        check_per(node, signature.slot, ((parameter.slot, parameter.form) for parameter in given))
    except StageFailure as failure:
        raise AssertionError(str(failure)) from failure
    return signature


def _check_pickling(stage: Stage, name: str) -> Stage:
    try:
        copy = pickle.loads(pickle.dumps(stage))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(f"{name} cannot be pickled: {error}") from error
    assert _key(copy) == _key(stage), f"{name} has another key after pickling."
    return copy


def _check_parameters(stage: Stage, name: str) -> None:
    """Check that another value of any parameter moves the key."""
    key = _key(stage)
    for parameter, kind in types_of(type(stage)).items():
        old = getattr(stage, parameter)
        for value in _other_values(old, kind):
            if repr(value) == repr(old):
                continue
            try:
                moved = _key(dataclasses.replace(stage, **{parameter: value}))  # pyright: ignore[reportArgumentType]
            except (StageFailure, ValueError, TypeError, OSError):
                continue
            assert moved != key, f"{name} has the same key with {parameter}={value!r}."
            break


def _check_encoding(value: Any, kind: type, name: str) -> bytes:
    """The bytes of a result, which decode to an equal one."""
    try:
        data = encode(value)
        again = encode(decode(data, kind))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"The result of {name}.run cannot be stored: {error}") from error
    assert again == data, f"The result of {name}.run changes when it is stored."
    return data


def _run(stage: Stage, signature: Signature, inputs: Mapping[str, Any], threads: int = 1) -> Any:
    arguments = dict(inputs)
    if signature.draws:
        arguments["rng"] = np.random.default_rng(SEED)
    if signature.wants_context:
        arguments["context"] = Context(threads=threads)
    with one_blas_thread():
        return stage.run(**arguments)


def _key(stage: Stage) -> str:
    try:
        return digest(canonical(stage_ingredients(stage)).encode())
    except StageFailure as failure:
        if failure.code == "parameter-without-key":
            raise AssertionError(str(failure)) from failure
        raise


def _digests(value: Any, at: str = "") -> dict[str, str]:
    """The digest of every array and plain value within the inputs, by its path."""
    if dataclasses.is_dataclass(value):
        inner: Mapping[Any, Any] = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, Mapping):
        inner = value
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        inner = dict(enumerate(value))
    elif isinstance(value, np.ndarray):
        return {at: digest(np.ascontiguousarray(value).data)}
    else:
        return {at: repr(value)}
    return {path: text for name, each in inner.items() for path, text in _digests(each, f"{at}.{name}").items()}


def _other_values(value: Any, kind: Any) -> Iterator[Any]:
    """Other values of a parameter, some of which the stage may refuse."""
    if get_origin(kind) is Literal:
        yield from (other for other in get_args(kind) if other != value)
    elif value is None:
        for option in get_args(kind):
            if get_origin(option) is Literal:
                yield from get_args(option)
            elif option in (bool, int, float, str, Path):
                yield from _other_values(option(), option)
    elif isinstance(value, tuple):
        kinds = get_args(kind)
        for i, each in enumerate(value):
            inner = kinds[i] if len(kinds) == len(value) else type(each)
            yield from ((*value[:i], other, *value[i + 1 :]) for other in _other_values(each, inner))
        yield value[:-1]
    else:
        yield from (change(value) for type_, change in _CHANGES if isinstance(value, type_))


_CHANGES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (bool, lambda value: not value),
    (int, lambda value: value + 1),
    (int, lambda value: value - 1),
    (int, lambda value: 2 * value),
    (float, lambda value: value * 1.01 + 0.01),
    (float, lambda value: value * 0.99 - 0.001),
    (float, lambda _: 1.0),
    (str, lambda value: f"{value}-other"),
    (Path, lambda value: value / "other"),
    (np.ndarray, lambda value: value + 1),
)
"""Small changes of values, by type."""
