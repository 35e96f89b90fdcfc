"""The training loop: seeded, resumable, the same for every task."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ...stages.failure import StageFailure
from ...stages.writing import atomic_write
from ..weights import files
from .card import Card, code_version
from .curves import HELD_OUT, Curves
from .optimization import averaged_weights, clipped_step, learning_rate_factor
from .real import RealScene
from .task import Task

_WARM_UP, _FIRST_RATE = 0.04, 0.1
"""Arguments of :func:`~diptych.learned.training.optimization.learning_rate_factor`."""

_WEIGHT_DECAY = 1e-4

_AVERAGE = 0.998
"""Decay of the averaged weights, which are validated and written: an average over some 500 steps."""

_WEIGHTS, _RESUME = "weights.safetensors", "resume.safetensors"

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass
class _State:
    """Everything that a training needs to resume."""

    network: nn.Module
    average: AveragedModel
    optimizer: torch.optim.AdamW
    step: int
    seconds: float
    history: tuple[dict[str, Any], ...]


def train(
    task: Task,
    out: Path,
    *,
    steps: int,
    seed: int = 0,
    start: str | None = None,
    validate_every: int = 500,
    save_every: int = 200,
    threads: int = 1,
    seconds: float = math.inf,
    real: Sequence[RealScene] = (),
    progress: Progress | None = None,
) -> Card:
    """Train a network, or resume the training in ``out``.

    The learning rate warms up, then follows a cosine; gradients are clipped; the written weights are an exponential
    moving average. On a GPU the network runs in bfloat16.

    Args:
        task: network, data and loss.
        out: folder of ``weights.safetensors``, ``card.json``, ``curves.csv``, ``curves.png`` and
            ``resume.safetensors``.
        steps: in all; more than in an earlier call resume that training on the longer schedule.
        seed: of the initial weights, and of the data through the task.
        start: initial weights instead of random ones.
        validate_every, save_every: steps between validations and between saves.
        threads: of each operation on the CPU; the same number gives the same weights.
        seconds: stop after this wall time, ready to be resumed.
        real: scenes on which every validation evaluates the network too.
        progress: called with step, steps and the latest numbers.

    Raises:
        StageFailure: ``training-diverged`` where the loss or a gradient is not finite, ``other-training`` where ``out``
            holds a training of another task, seed or start, and as :func:`~diptych.learned.weights.files.load`.
    """
    out.mkdir(parents=True, exist_ok=True)
    identity = {"task": task.name, "seed": seed, "start": files.digest_of(files.path_of(start)) if start else ""}
    with _threads(threads):
        state = _resume(task, out, identity, seed, start)
        state.history = (*state.history, {"step": state.step, **code_version()})
        curves = Curves(out / "curves.csv", state.step)
        began = time.perf_counter() - state.seconds
        numbers: dict[str, float] = {}
        stopped = False
        for number, batch in _batches(task, state.step, steps):
            for group in state.optimizer.param_groups:
                group["lr"] = task.learning_rate * learning_rate_factor(number / steps, _WARM_UP, _FIRST_RATE)
            numbers = _step(task, state, batch, number)
            state.step, state.seconds = number + 1, time.perf_counter() - began
            curves.add(state.step, numbers)
            stopped = time.perf_counter() - began >= seconds
            last = state.step == steps or stopped
            if state.step % validate_every == 0 or last:
                found = _validated(task, state, real, out / _WEIGHTS)
                curves.add(state.step, {f"{HELD_OUT}{name}": value for name, value in found.items()})
            if state.step % save_every == 0 or last:
                _save(state, out, identity)
            if progress:
                progress(state.step, steps, curves.latest)
            if stopped:
                break
        return _finish(task, state, out, steps, seed, threads, curves)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Set the number of threads of each operation on the CPU for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _step(task: Task, state: _State, batch: Any, number: int) -> dict[str, float]:
    state.network.train()
    half = task.device.type == "cuda"
    with torch.autocast(task.device.type, torch.bfloat16, enabled=half):
        loss, numbers = task.loss(state.network, batch)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    hint = "Resume from the last save with a lower learning rate; the batch can be made again from its number."
    clipped_step(state.network, state.optimizer, number, hint, loss, seed=task.seed)
    state.average.update_parameters(state.network)
    return {"loss": float(loss.detach()), **numbers}


def _batches(task: Task, first: int, steps: int) -> Iterator[tuple[int, Any]]:
    """The batches from ``first`` on, each made in the background during the step before."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(task.batch, first) if first < steps else None
        for number in range(first, steps):
            assert ahead is not None
            batch = ahead.result()
            ahead = pool.submit(task.batch, number + 1) if number + 1 < steps else None
            yield number, batch


def _validated(task: Task, state: _State, real: Sequence[RealScene], weights: Path) -> dict[str, float]:
    """Metrics on held-out samples and, prefixed by its name, on every real scene, for which weights are written."""
    with torch.inference_mode():
        figures = task.validate(state.average.module.eval())
    if real:
        files.save(state.average.module, weights)
    for scene in real:
        figures |= {f"{scene.name}: {name}": value for name, value in task.evaluate(weights, scene).items()}
    return figures


def _resume(task: Task, out: Path, identity: dict[str, Any], seed: int, start: str | None) -> _State:
    torch.manual_seed(seed)
    network = task.network()
    if start:
        files.load(network, start)
    network.to(task.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=task.learning_rate, weight_decay=_WEIGHT_DECAY)
    state = _State(network, averaged_weights(network, _AVERAGE), optimizer, 0, 0.0, ())
    path = out / _RESUME
    if not path.is_file():
        return state
    with safe_open(path, "pt") as file:
        saved = json.loads(file.metadata()["told"])
    if saved["identity"] != identity:
        raise StageFailure(
            "other-training",
            f"{out} holds a training of another task, seed or start.",
            hint="Give another folder with --out, or remove that one.",
            **saved["identity"],
        )
    tensors = load_file(path, device=str(task.device))
    network.load_state_dict(_part(tensors, "network."))
    state.average.module.load_state_dict(_part(tensors, "average."))
    state.average.n_averaged.fill_(saved["step"] + 1)
    moments = _part(tensors, "optimizer.")
    described = optimizer.state_dict()
    described["state"] = {
        i: {key: moments[f"{i}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        for i in range(len(list(network.parameters())))
        if f"{i}.step" in moments
    }
    optimizer.load_state_dict(described)
    state.step, state.seconds, state.history = saved["step"], saved["seconds"], tuple(saved["history"])
    return state


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _save(state: _State, out: Path, identity: dict[str, Any]) -> None:
    """Write the state to one file; a kill at any moment leaves the previous one intact."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.module.state_dict().items()}
    for i, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    told = {"identity": identity, "step": state.step, "seconds": state.seconds, "history": state.history}
    copies = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    with atomic_write(out / _RESUME) as aside:
        save_file(copies, aside, metadata={"told": json.dumps(told)})


def _finish(task: Task, state: _State, out: Path, steps: int, seed: int, threads: int, curves: Curves) -> Card:
    curves.write()
    sha256 = files.save(state.average.module, out / _WEIGHTS)
    card = Card(
        task=task.name,
        summary=task.summary,
        network=type(state.network).__name__,
        parameters=files.parameter_count(state.network),
        seed=seed,
        step=state.step,
        steps=steps,
        seconds=round(state.seconds),
        device=task.device.type,
        threads=threads,
        sha256=sha256,
        metrics={key: float(f"{value:.6g}") for key, value in curves.latest.items()},
        history=state.history,
    )
    card.write(out / "card.json")
    return card
