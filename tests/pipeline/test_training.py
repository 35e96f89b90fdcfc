import io
import json
from pathlib import Path

import diptych as dp
import pytest
import torch
from diptych.learned.depth import task as depth_task
from diptych.learned.depth.network import DepthNetwork
from diptych.learned.training.tasks import TASKS, task_named
from diptych.learned.weights.files import load
from diptych.pipeline.cli import app
from diptych.stages.failure import StageFailure
from typer.testing import CliRunner


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples and validation as small as they can be."""
    monkeypatch.setattr(depth_task, "_WIDTH", 64)
    monkeypatch.setattr(depth_task, "_HEIGHT", 48)
    monkeypatch.setattr(depth_task, "_VALIDATED", 1)


def failure(task: str, out: Path, **options: str) -> StageFailure:
    with pytest.raises(StageFailure) as failed:
        dp.train(task, out=out, steps=1, stream=io.StringIO(), **options)  # pyright: ignore[reportArgumentType]
    return failed.value


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_its_name(name: str) -> None:
    task = task_named(name)
    assert task.name == name
    assert task.summary


def test_the_same_seed_gives_the_same_weights(small: None, tmp_path: Path) -> None:
    said = io.StringIO()
    first, again = (dp.train("depth", out=tmp_path / name, steps=2, seed=3, stream=said) for name in "ab")
    other = dp.train("depth", out=tmp_path / "c", steps=2, seed=4, stream=said)
    assert first.sha256 == again.sha256 != other.sha256
    assert "step 2 of 2" in said.getvalue()
    load(DepthNetwork(), str(tmp_path / "a" / "weights.safetensors"))


def test_command(small: None, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "depth", "--out", str(tmp_path), "--steps", "1"])
    assert done.exit_code == 0, done.output
    assert "1 of 1 steps" in done.output
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["task"] == "depth"
    assert card["history"][0]["torch"]


def test_bad_input(tmp_path: Path) -> None:
    assert failure("deep", tmp_path).code == "unknown-task"
    assert failure("depth", tmp_path, start="nowhere.safetensors").code == "missing-weights"
    (tmp_path / "file").touch()
    assert failure("depth", tmp_path / "file").code == "not-writable"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_where_one_was_asked_for(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "depth", "--out", str(tmp_path), "--device", "cuda"])
    assert done.exit_code == 2
    assert "[no-device]" in done.output
    assert "Traceback" not in done.output
