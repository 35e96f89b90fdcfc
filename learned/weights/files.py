"""Weights as files: safetensors only, checked before they are used."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...stages.failure import StageFailure
from ...stages.writing import atomic_write
from .paths import path_of

Network = TypeVar("Network", bound=nn.Module)

_BUILDING = Lock()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    return sha256(path.read_bytes()).hexdigest()


def load_cached(kind: type[Network], weights: str, device: torch.device, layout: torch.memory_format) -> Network:
    """A network with its weights on a device, frozen and in evaluation mode; cached per process and file content.

    Args:
        kind: its class, which takes no arguments.
        weights: as of :func:`path_of`.
        layout: memory format of its parameters.

    Raises:
        StageFailure: as :func:`load`.
    """
    digest = digest_of(path_of(weights))
    with _BUILDING:
        return _load_cached(kind, weights, digest, device, layout)


@lru_cache(maxsize=8)
def _load_cached(
    kind: type[Network], weights: str, digest: str, device: torch.device, layout: torch.memory_format
) -> Network:
    # Initial weights are drawn and thrown away; the global random state must not change.
    with torch.random.fork_rng(devices=[]):
        network = kind()
    load(network, weights)
    return network.to(device, memory_format=layout).eval().requires_grad_(False)  # pyright: ignore[reportCallIssue]


def load(network: nn.Module, weights: str) -> None:
    """Load weights into a network.

    Raises:
        StageFailure: ``missing-weights``; ``pickled-weights``, since reading a pickle may run foreign code;
            ``damaged-weights``; ``wrong-architecture`` where they belong to another network.
    """
    path = path_of(weights)
    load_state(network, read_tensors(path), path.name)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    Raises:
        StageFailure: ``pickled-weights``, ``damaged-weights``.
    """
    _refuse_pickle(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise StageFailure(
            "damaged-weights",
            f"The weights {path.name} cannot be read: {error}.",
            hint="The file was cut off or is no safetensors file: copy or train it again.",
        ) from error


def load_state(network: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Load tensors of the file ``origin`` into a network; names and shapes must be equal.

    Raises:
        StageFailure: ``wrong-architecture``.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if wanted != found:
        differing = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
        raise StageFailure(
            "wrong-architecture",
            f"The weights {origin} belong to another network than {type(network).__name__}: {differing[0]} differs.",
            hint="Give weights that were trained for this stage and this version of Diptych.",
            expected=wanted.get(differing[0]),
            found=found.get(differing[0]),
        )
    network.load_state_dict(state)


def save(network: nn.Module, path: Path) -> str:
    """Write the weights of a network and return the SHA-256 of the file; equal weights make equal bytes."""
    state = {name: value.detach().to("cpu").contiguous() for name, value in network.state_dict().items()}
    with atomic_write(path) as aside:
        save_file({name: value.float() if value.is_floating_point() else value for name, value in state.items()}, aside)
    return digest_of(path)


def is_pickle(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a pickle or of the ZIP archive of ``torch.save``."""
    return head[:2] == b"PK" or head[:1] == b"\x80"


def _refuse_pickle(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    if is_pickle(head):
        raise StageFailure(
            "pickled-weights",
            f"The weights {path.name} are a pickle, and reading one may run a stranger's code.",
            hint="Convert them to safetensors where you trust them, and give that file.",
        )


def parameter_count(network: nn.Module) -> int:
    """The number of trainable parameters of a network."""
    return sum(value.numel() for value in network.parameters())
