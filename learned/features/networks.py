"""External networks with published weights.

These are pickles. Reading a pickle may run foreign code, so one is read only if its digest is known, and then only its
tensors.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from ...stages.failure import StageFailure
from ..weights.files import is_pickle, load_state, read_tensors
from .published import PUBLISHED

State = dict[str, Tensor]
Build = Callable[[str, State], tuple[nn.Module, State]]
"""Builds the network of a name, and renames the tensors of its file to those of the network."""

_BUILDING = Lock()


def network(build: Build, name: str, path: Path, device: torch.device) -> Any:
    """A network with its weights on a device, frozen and in evaluation mode; cached per process.

    Args:
        build: builds it, without weights.
        name: a key of :data:`PUBLISHED`.
        path: the file.

    Raises:
        StageFailure: ``missing-package`` without Kornia; ``unknown-pickle``, ``damaged-weights``,
            ``wrong-architecture``.
    """
    status = path.stat()
    with _BUILDING:
        return _network(build, name, path, (status.st_mtime_ns, status.st_size), device)


@lru_cache(maxsize=8)
def _network(build: Build, name: str, path: Path, stamp: tuple[int, int], device: torch.device) -> nn.Module:
    """Cached by the time and size of the file, so that a changed file is read again."""
    # Initial weights are drawn and thrown away; the global random state must not change.
    with torch.random.fork_rng(devices=[]):
        built, state = build(name, _read(name, path))
    load_state(built, state, path.name)
    return built.eval().requires_grad_(False).to(device)


def kornia_feature() -> Any:
    """The module ``kornia.feature``.

    Raises:
        StageFailure: ``missing-package``.
    """
    try:
        module = import_module("kornia.feature")
        getattr(module, "ALIKED")  # noqa: B009
    except (ImportError, AttributeError) as error:
        raise StageFailure(
            "missing-package",
            f"This network comes from Kornia 0.9 or newer, which is not to be had: {error}.",
            hint="pip install 'diptych[features]'",
        ) from error
    return module


def _read(name: str, path: Path) -> State:
    """The tensors of a safetensors file, or of the pickle published under the name."""
    content = path.read_bytes()
    digest = sha256(content).hexdigest()
    known = next((name for name, each in PUBLISHED.items() if each.sha256 == digest), None)
    if known is None and is_pickle(content):
        raise StageFailure(
            "unknown-pickle",
            f"The weights {path.name} are a pickle, but not the published one of {name}: cut off, changed, or others.",
            hint="Get the file again, or convert it to safetensors if you trust it: reading a pickle may run its code.",
            sha256=digest,
            published=PUBLISHED[name].sha256,
        )
    if known is None:
        return read_tensors(path)
    if known != name:
        raise StageFailure(
            "wrong-architecture",
            f"The weights {path.name} are those of {known}, not of {name}.",
            hint="Give the weights that belong to the stage and its parameters.",
        )
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state.get("extractor", state)  # DISK's are in a dictionary within the dictionary.
