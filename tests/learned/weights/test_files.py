import pickle
from pathlib import Path

import pytest
import torch
from diptych.learned.weights.files import digest_of, load, load_cached, parameter_count, save
from diptych.learned.weights.paths import path_of
from diptych.stages.failure import StageFailure
from torch import nn


def network(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, 1))


class Small(nn.Sequential):
    """The same as a class."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 4), nn.Linear(4, 1))


def code(path: Path | str) -> str:
    with pytest.raises(StageFailure) as failed:
        load(network(), str(path))
    assert failed.value.hint
    return failed.value.code


def test_round_trip(tmp_path: Path) -> None:
    written, read = network(), network()
    digest = save(written, tmp_path / "a.safetensors")
    load(read, str(tmp_path / "a.safetensors"))
    for name, value in written.state_dict().items():
        assert torch.equal(value, read.state_dict()[name])
    assert digest == digest_of(tmp_path / "a.safetensors") == save(read, tmp_path / "b.safetensors")
    assert parameter_count(read) == 3 * 4 + 4 + 4 + 1


def test_a_network_is_made_once_and_anew_for_another_file(tmp_path: Path) -> None:
    path, cpu = tmp_path / "a.safetensors", torch.device("cpu")
    save(network(), path)
    drawn = torch.get_rng_state()
    first, again = (load_cached(Small, str(path), cpu, torch.contiguous_format) for _ in range(2))
    assert first is again
    assert not first.training and not any(value.requires_grad for value in first.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)
    save(network(), path)
    assert load_cached(Small, str(path), cpu, torch.contiguous_format) is not first
    save(network(width=5), path)
    with pytest.raises(StageFailure) as failed:
        load_cached(Small, str(path), cpu, torch.contiguous_format)
    assert failed.value.code == "wrong-architecture"


def test_missing(tmp_path: Path) -> None:
    assert code("no-such-name") == "missing-weights"
    assert code(tmp_path / "none.safetensors") == "missing-weights"


def test_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(network(), path)
    whole = path.read_bytes()
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert code(path) == "damaged-weights"


def test_of_another_network(tmp_path: Path) -> None:
    save(network(width=5), tmp_path / "a.safetensors")
    assert code(tmp_path / "a.safetensors") == "wrong-architecture"


@pytest.mark.parametrize("old", (False, True))
def test_refuses_pickles(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "a.safetensors"
    torch.save(network().state_dict(), path, _use_new_zipfile_serialization=not old)
    assert code(path) == "pickled-weights"
    path.write_bytes(pickle.dumps({"weights": 1}))
    assert code(path) == "pickled-weights"


def test_a_name_is_a_shipped_file() -> None:
    assert path_of("depth").name == "depth.safetensors"
