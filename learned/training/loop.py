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

from ...stages.failure import StageFailure
from ...stages.writing import atomic_write
from ..weights import files
from .card import Card, code_version
from .curves import HELD_OUT, Curves
from .real import RealScene
from .task import Task

_WARM_UP = 0.04
"""Share of the steps over which the learning rate rises."""

_LAST_RATE = 0.02
"""The learning rate at the end, as a share of the largest."""

_DECAY, _LONGEST_GRADIENT = 1e-4, 1.0

_AVERAGE = 0.998
"""How much of the averaged weights a step leaves: what is validated and written is an average over some 500 steps."""

_WEIGHTS, _RESUME = "weights.safetensors", "resume.safetensors"

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass
class _State:
    """Everything that a training needs to go on."""

    network: nn.Module
    average: dict[str, Tensor]
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
    """Train a network, or go on where an earlier call with the same ``out`` stopped.

    The learning rate rises, then falls along a cosine to the last step; gradients are clipped; what is written is an
    exponential average of the weights. On a GPU the network runs in bfloat16 where that is there.

    Args:
        task: what to train.
        out: folder of ``weights.safetensors``, ``card.json``, ``curves.csv``, ``curves.png`` and of what resuming
            needs.
        steps: how many in all; more than an earlier call had go on with it, along the longer schedule.
        seed: of the first weights, and of the data through the task.
        start: weights to begin with instead of random ones.
        validate_every, save_every: steps between.
        threads: of each operation on the CPU; the same number makes the same weights.
        seconds: stop after so much wall time, ready to be continued.
        real: scenes on which the network is judged too whenever it is validated.
        progress: called with step, steps and the latest numbers.

    Raises:
        StageFailure: ``training-diverged`` where the loss is no number any more, ``other-training`` where ``out`` holds
            one with another task or seed, and as :func:`~diptych.learned.weights.files.load`.
    """
    out.mkdir(parents=True, exist_ok=True)
    identity = {"task": task.name, "seed": seed, "start": files.digest_of(files.path_of(start)) if start else ""}
    with _on(threads):
        state = _resume(task, out, identity, seed, start)
        state.history = (*state.history, {"step": state.step, **code_version()})
        curves = Curves(out / "curves.csv", state.step)
        began = time.perf_counter() - state.seconds
        numbers: dict[str, float] = {}
        stopped = False
        for number, batch in _batches(task, state.step, steps):
            for group in state.optimizer.param_groups:
                group["lr"] = task.learning_rate * _rate(number / steps)
            numbers = _step(task, state, batch, number)
            state.step, state.seconds = number + 1, time.perf_counter() - began
            curves.add(state.step, numbers)
            stopped = time.perf_counter() - began >= seconds
            last = state.step == steps or stopped
            if state.step % validate_every == 0 or last:
                found = _validated(task, state, real, out / _WEIGHTS)
                curves.add(state.step, {f"{HELD_OUT}{name}": value for name, value in found.items()})
            if state.step % save_every == 0 or last:
                _keep(state, out, identity)
            if progress:
                progress(state.step, steps, curves.latest)
            if stopped:
                break
        return _finish(task, state, out, steps, seed, threads, curves)


@contextmanager
def _on(threads: int) -> Iterator[None]:
    """So many threads for each operation on the CPU, and as many as before when it is done."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
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
    length = nn.utils.clip_grad_norm_(state.network.parameters(), _LONGEST_GRADIENT)
    if not (torch.isfinite(loss) and torch.isfinite(length)):
        raise StageFailure(
            "training-diverged",
            f"The loss is no number any more at step {number}.",
            hint="Go on from the last save with a lower learning rate; the batch can be made again from its number.",
            step=number,
            seed=task.seed,
            loss=float(loss.detach()),
            gradient=float(length),
        )
    state.optimizer.step()
    kept = min(_AVERAGE, (number + 1) / (number + 10))
    with torch.no_grad():
        for name, value in state.network.state_dict().items():
            if value.is_floating_point():
                state.average[name].lerp_(value, 1 - kept)
            else:
                state.average[name].copy_(value)
    return {"loss": float(loss.detach()), **numbers}


def _batches(task: Task, first: int, steps: int) -> Iterator[tuple[int, Any]]:
    """The batches from ``first`` on; the next one is made while one is learned from."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(task.batch, first) if first < steps else None
        for number in range(first, steps):
            assert ahead is not None
            batch = ahead.result()
            ahead = pool.submit(task.batch, number + 1) if number + 1 < steps else None
            yield number, batch


def _rate(share: float) -> float:
    """The learning rate as a share of the largest, where a share of the steps is done."""
    if share < _WARM_UP:
        return (share + 0.1 * _WARM_UP) / (1.1 * _WARM_UP)
    fall = (share - _WARM_UP) / (1 - _WARM_UP)
    return _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall)))


def _validated(task: Task, state: _State, real: Sequence[RealScene], weights: Path) -> dict[str, float]:
    """Figures on held-out samples, and behind its name those on every real scene, for which weights are written."""
    with _averaged(state) as network, torch.inference_mode():
        network.eval()
        figures = task.validate(network)
        if real:
            files.save(network, weights)
    for scene in real:
        figures |= {f"{scene.name}: {name}": value for name, value in task.judge(weights, scene).items()}
    return figures


class _averaged:
    """The network with the averaged weights for as long as it is used."""

    def __init__(self, state: _State) -> None:
        self._state = state

    def __enter__(self) -> nn.Module:
        self._own = {name: value.clone() for name, value in self._state.network.state_dict().items()}
        self._state.network.load_state_dict(self._state.average)
        return self._state.network

    def __exit__(self, *_: object) -> None:
        self._state.network.load_state_dict(self._own)


def _resume(task: Task, out: Path, identity: dict[str, Any], seed: int, start: str | None) -> _State:
    torch.manual_seed(seed)
    network = task.network()
    if start:
        files.load(network, start)
    network.to(task.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=task.learning_rate, weight_decay=_DECAY)
    state = _State(network, {n: v.detach().clone() for n, v in network.state_dict().items()}, optimizer, 0, 0.0, ())
    path = out / _RESUME
    if not path.is_file():
        return state
    with safe_open(path, "pt") as file:
        kept = json.loads(file.metadata()["told"])
    if kept["identity"] != identity:
        raise StageFailure(
            "other-training",
            f"{out} holds a training of another task, seed or start.",
            hint="Give another folder with --out, or remove that one.",
            **kept["identity"],
        )
    saved = load_file(path, device=str(task.device))
    network.load_state_dict(_part(saved, "network."))
    state.average = _part(saved, "average.")
    moments = _part(saved, "optimizer.")
    described = optimizer.state_dict()
    described["state"] = {
        i: {key: moments[f"{i}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        for i in range(len(list(network.parameters())))
        if f"{i}.step" in moments
    }
    optimizer.load_state_dict(described)
    state.step, state.seconds, state.history = kept["step"], kept["seconds"], tuple(kept["history"])
    return state


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _keep(state: _State, out: Path, identity: dict[str, Any]) -> None:
    """Write what resuming needs as one file; a kill at any moment leaves the last one."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    for i, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    told = {"identity": identity, "step": state.step, "seconds": state.seconds, "history": state.history}
    alone = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    with atomic_write(out / _RESUME) as aside:
        save_file(alone, aside, metadata={"told": json.dumps(told)})


def _finish(task: Task, state: _State, out: Path, steps: int, seed: int, threads: int, curves: Curves) -> Card:
    curves.write()
    with _averaged(state) as network:
        sha256 = files.save(network, out / _WEIGHTS)
    card = Card(
        task=task.name,
        summary=task.summary,
        network=type(state.network).__name__,
        parameters=files.parameters(state.network),
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
