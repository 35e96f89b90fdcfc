"""A device beside the CPU that every machine has: its tensors compute as the CPU's do and refuse to meet those.

GPU code that forgets to move a tensor fails on it, and what it computes must be what the CPU does. It goes by the name
of torch's ``meta`` device, on which real tensors hold nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "meta"

_MOVES = torch.ops.aten._to_copy, torch.ops.aten.copy_
_INDEXES = torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_
"""A GPU's tensors can be copied from the CPU, and indexed by what lies there."""


@contextmanager
def other_device() -> Iterator[torch.device]:
    """The device, for as long as it is there. Only for the thread that enters."""
    with (
        # Inference mode would keep torch from asking the modes below, and meta has no half precision.
        mock.patch.object(torch, "inference_mode", torch.no_grad),
        mock.patch.object(torch, "autocast", lambda *_, **__: nullcontext()),
        mock.patch.object(torch, "is_autocast_enabled", lambda *_: False),
        _Operations(),
        _Makers(),
    ):
        yield torch.device(NAME)


class Elsewhere(Tensor):
    """A tensor of the other device.

    Attributes:
        here: its numbers.
    """

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> Elsewhere:
        made = Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=torch.device(NAME),
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Operations(TorchDispatchMode):
    """Makes what is asked for on the other device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Makers(TorchFunctionMode):
    """What makes tensors out of lists, and lists and arrays out of tensors, which torch does without an operation."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        first = args[0] if args else None
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == torch.device(NAME):
            del kwargs["device"]
            return func(*args, **kwargs).to(NAME)
        if not isinstance(first, Elsewhere):
            return func(*args, **kwargs)
        if func == Tensor.new_tensor:
            return first.here.new_tensor(*args[1:], **kwargs).to(NAME)
        if func == Tensor.tolist:
            return first.here.tolist()
        if func in (Tensor.numpy, Tensor.__array__):
            raise TypeError("A tensor of another device is no array.")
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            return func(first, _indices(args[1]), *args[2:])
        return func(*args, **kwargs)


def _indices(given: Any) -> Any:
    """Lists among indices as tensors."""
    if isinstance(given, tuple):
        return tuple(map(_indices, given))
    return torch.tensor(given) if isinstance(given, list) else given


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The result of an operation, on the device where it belongs.

    Raises:
        RuntimeError: where tensors of two devices meet.
    """
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    elsewhere = any(isinstance(each, Elsewhere) for each in tensors)
    moves, wanted = func.overloadpacket in _MOVES, kwargs.get("device")
    strangers = [each for each in tensors if not isinstance(each, Elsewhere) and each.dim()]
    indexed = func.overloadpacket in _INDEXES and isinstance(args[0], Elsewhere)
    if elsewhere and strangers and not moves and not indexed:
        raise RuntimeError(f"Tensors of two devices meet in {func}.")
    if wanted is not None:
        elsewhere = torch.device(wanted).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu")}
    elif moves:
        elsewhere = isinstance(args[0], Elsewhere)
    given = {id(each.here): each for each in tensors if isinstance(each, Elsewhere)}
    args, kwargs = tree_map(lambda each: each.here if isinstance(each, Elsewhere) else each, (args, kwargs))
    return tree_map(_placed(elsewhere, given), func(*args, **kwargs))


def _placed(elsewhere: bool, given: dict[int, Elsewhere]) -> Callable[[Any], Any]:
    """Puts a result where it belongs; what was changed in place stays what it was."""

    def placed(result: Any) -> Any:
        if not (elsewhere and isinstance(result, Tensor)):
            return result
        return given[id(result)] if id(result) in given else Elsewhere(result)

    return placed
