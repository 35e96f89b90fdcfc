import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diptych.learned.training.card import Card
from diptych.learned.training.loop import train
from diptych.learned.training.real import RealScene
from diptych.learned.training.task import Task
from diptych.learned.weights.files import digest_of
from diptych.stages.dense import Neighbors
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Photos, Scene, Tracks
from safetensors.torch import load_file
from torch import Tensor, nn


class Line(Task):
    """The slope and offset of a line through noisy points."""

    name = "line"
    summary = "A line."
    learning_rate = 0.05

    def network(self) -> nn.Module:
        return nn.Linear(1, 1)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        x = torch.rand(64, 1, generator=generator)
        return x, 3 * x - 1 + 0.01 * torch.randn(64, 1, generator=generator)

    def loss(self, network: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, float]]:
        error = (network(batch[0]) - batch[1]).square().mean()
        return error, {"error": float(error.detach())}

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {"slope": float(network.weight), "offset": float(network.bias)}  # pyright: ignore[reportArgumentType]

    def evaluate(self, weights: Path, real: RealScene) -> dict[str, float]:
        return {"slope": float(load_file(weights)["weight"])}


class Diverging(Line):
    name = "diverging"

    def loss(self, network: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, float]]:
        error, numbers = super().loss(network, batch)
        return error / 0 if self.batch(7)[0].equal(batch[0]) else error, numbers


def line(seed: int = 0) -> Line:
    return Line(seed, torch.device("cpu"))


def test_learns_and_says_how_well(tmp_path: Path) -> None:
    card = train(line(), tmp_path, steps=3000, validate_every=500)
    assert card.metrics["held-out slope"] == pytest.approx(3, abs=0.05)
    assert card.metrics["held-out offset"] == pytest.approx(-1, abs=0.03)
    assert card.step == card.steps == 3000
    assert card.sha256 == digest_of(tmp_path / "weights.safetensors")
    told = json.loads((tmp_path / "card.json").read_text())
    assert Card(**told | {"history": tuple(told["history"])}) == card
    assert [each["step"] for each in card.history] == [0]
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, again, other = (
        train(line(seed), tmp_path / str(i), steps=40, seed=seed) for i, seed in enumerate((1, 1, 2))
    )
    assert first.sha256 == again.sha256 != other.sha256


def test_leaves_the_number_of_threads_as_it_was(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    train(line(), tmp_path, steps=2, threads=before + 1)
    assert torch.get_num_threads() == before


def test_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = train(line(), tmp_path / "whole", steps=60, validate_every=10)
    part = train(line(), tmp_path / "parts", steps=60, validate_every=10, seconds=0.0)
    assert part.step < 60
    rest = train(line(), tmp_path / "parts", steps=60, validate_every=10)
    assert rest.sha256 == whole.sha256
    assert [each["step"] for each in rest.history] == [0, part.step]
    rows = [list(csv.DictReader((tmp_path / name / "curves.csv").open())) for name in ("whole", "parts")]
    held_out = [[row for row in each if row["name"] == "held-out slope" and int(row["step"]) > 1] for each in rows]
    assert held_out[0] == held_out[1]


def test_starts_from_weights(tmp_path: Path) -> None:
    train(line(), tmp_path / "first", steps=400)
    weights = str(tmp_path / "first" / "weights.safetensors")
    begun = train(line(), tmp_path / "second", steps=1, start=weights)
    fresh = train(line(), tmp_path / "third", steps=1)
    assert begun.metrics["held-out slope"] > fresh.metrics["held-out slope"] + 0.5


def test_is_evaluated_on_real_scenes_whenever_it_is_validated(tmp_path: Path) -> None:
    nothing, known = np.empty(0), Photos((), (), np.empty(0), np.empty((0, 3)))
    scene = Scene((), (), nothing, np.empty((0, 3, 3)), np.empty((0, 3)), *[nothing] * 7)
    near = Neighbors(np.zeros(1), nothing, nothing, nothing, nothing, nothing, ())
    real = RealScene("yard", known, scene, near, {}, {}, {}, Tracks(nothing, nothing, nothing))
    train(line(), tmp_path, steps=20, validate_every=10, real=[real])
    rows = [row for row in csv.DictReader((tmp_path / "curves.csv").open()) if row["name"] == "held-out yard: slope"]
    assert [row["step"] for row in rows] == ["10", "20"]
    assert float(rows[1]["value"]) > float(rows[0]["value"])


def test_stops_at_a_loss_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(StageFailure) as failed:
        train(Diverging(5, torch.device("cpu")), tmp_path, steps=20, seed=5)
    assert failed.value.code == "training-diverged"
    assert failed.value.facts["step"] == 7
    assert failed.value.facts["seed"] == 5


def test_does_not_mix_trainings(tmp_path: Path) -> None:
    train(line(1), tmp_path, steps=5, seed=1)
    with pytest.raises(StageFailure) as failed:
        train(line(2), tmp_path, steps=5, seed=2)
    assert failed.value.code == "other-training"
