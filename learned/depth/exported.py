"""Networks exported to TorchScript or ONNX files, called alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from ...stages.failure import StageFailure

Run = Callable[[dict[str, np.ndarray]], list[np.ndarray]]
"""From inputs by name, in the order of the signature, to outputs in order."""

_OPENING = Lock()


def load_network(path: Path, device: torch.device) -> Run:
    """Load the network in a file, once per process.

    Loading TorchScript runs its code: load only trusted files.

    Raises:
        StageFailure: ``unknown-format``, ``damaged-network`` or ``missing-package``.
    """
    status = path.stat()
    with _OPENING:
        return _opened(path, (status.st_mtime_ns, status.st_size), device)


@lru_cache(maxsize=4)
def _opened(path: Path, stamp: tuple[int, int], device: torch.device) -> Run:
    """Cached by the time and size of the file, so that a changed file is loaded again."""
    kinds: dict[str, Callable[[Path, torch.device], Run]] = {".pt": _torchscript, ".ts": _torchscript, ".onnx": _onnx}
    if path.suffix not in kinds:
        raise StageFailure(
            "unknown-format",
            f"{path.name} is neither TorchScript (.pt, .ts) nor ONNX (.onnx).",
            hint="Export the network with torch.jit.save or torch.onnx.export.",
        )
    try:
        return kinds[path.suffix](path, device)
    except ImportError as error:
        raise StageFailure(
            "missing-package",
            f"{path.name} needs ONNX Runtime, which cannot be imported: {error}.",
            hint="pip install 'diptych[onnx]'",
        ) from error
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this one.
        raise StageFailure(
            "damaged-network",
            f"{path.name} cannot be opened: {_first_line(error)}",
            hint="It was cut off, or was not exported as its suffix says: export it again.",
        ) from error


def call_network(run: Run, inputs: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    """The outputs of a network.

    Raises:
        StageFailure: ``network-failed``, with the error message of the network.
    """
    try:
        return run(inputs)
    except Exception as error:  # Foreign code may raise anything.
        shapes = {key: "x".join(map(str, value.shape)) for key, value in inputs.items()}
        raise StageFailure(
            "network-failed",
            f"The network {name} fails on its inputs: {_first_line(error)}",
            hint="It must take what NetworkDepth documents; set views and multiple to what it was made for.",
            **shapes,
        ) from error


def _torchscript(path: Path, device: torch.device) -> Run:
    module: Any = torch.jit.load(str(path), map_location=device).eval()

    def run(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        outputs = module(*(torch.from_numpy(value).to(device) for value in inputs.values()))
        return [output.float().cpu().numpy() for output in outputs]

    return run


def _onnx(path: Path, device: torch.device) -> Run:
    onnxruntime: Any = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    providers = ["CUDAExecutionProvider"] if device.type == "cuda" else ["CPUExecutionProvider"]
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=providers)
    wanted = [each.name for each in session.get_inputs()]

    def run(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return session.run(None, {key: value for key, value in inputs.items() if key in wanted})

    return run


def _first_line(error: Exception) -> str:
    """The message of an exception in one line; TorchScript puts the reason last, below a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines and lines[0].startswith("The following operation failed") else "".join(lines[:1])) or (
        type(error).__name__
    )
