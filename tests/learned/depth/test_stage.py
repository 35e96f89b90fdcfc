"""What is DepthNet's own; what every stage of its slot promises is in the contract test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from diptych.learned.depth import estimation
from diptych.learned.depth.network import DepthNetwork
from diptych.learned.depth.stage import DepthNet
from diptych.learned.weights.files import save
from diptych.stages.dense import Around, View
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Camera
from diptych.stages.stage import Context, Sizes

from tests.synthetic_views import around, synthetic_views


@pytest.fixture(scope="module")
def world() -> tuple[list[View], list[np.ndarray]]:
    return synthetic_views(5, (320, 240))


def right(depth: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(np.abs(depth / truth - 1) < 0.01))


def code(stage: DepthNet, views: Around[View], device: str = "cpu") -> str:
    with pytest.raises(StageFailure) as failed:
        stage.run(views, Context(device=device))
    assert failed.value.hint
    return failed.value.code


def cut(view: View, width: int, height: int) -> View:
    """The view's top left part."""
    camera = Camera("PINHOLE", width, height, view.camera.params, "calibrated")
    image, mask = (each[:height, :width].copy() for each in (view.image, view.mask))
    return dataclasses.replace(view, image=image, mask=mask, camera=camera)


def test_any_size_will_do(world: tuple[list[View], list[np.ndarray]]) -> None:
    views, depths = world
    odd = cut(views[2], 301, 227)
    result = DepthNet().run(Around(odd, around(views, 2).sources), Context())
    assert result.depth.shape == (227, 301)
    assert right(result.depth, depths[2][:227, :301]) > 0.85


def test_one_source_will_do(world: tuple[list[View], list[np.ndarray]]) -> None:
    views, depths = world
    result = DepthNet().run(Around(views[2], (views[3],)), Context())
    assert right(result.depth[:, 60:], depths[2][:, 60:]) > 0.7


def test_coarse_to_fine_or_at_once(world: tuple[list[View], list[np.ndarray]], monkeypatch: pytest.MonkeyPatch) -> None:
    views, depths = world
    at_once = DepthNet().run(around(views, 2), Context())
    monkeypatch.setattr(estimation, "_MAX_INITIAL_SIZE", 200)
    by_halves = DepthNet().run(around(views, 2), Context())
    assert at_once.depth.tobytes() != by_halves.depth.tobytes()
    assert right(at_once.depth, depths[2]) > 0.85
    assert right(by_halves.depth, depths[2]) > 0.85


def test_units_do_not_matter(world: tuple[list[View], list[np.ndarray]]) -> None:
    views, _ = world
    once = DepthNet().run(around(views, 2), Context())
    large = [dataclasses.replace(v, translation=1e4 * v.translation, near=1e4 * v.near, far=1e4 * v.far) for v in views]
    again = DepthNet().run(around(large, 2), Context())
    both = (once.depth > 0) & (again.depth > 0)
    assert both.mean() > 0.8
    assert np.median(np.abs(again.depth[both] / (1e4 * once.depth[both]) - 1)) < 1e-4


def test_weights_are_part_of_what_it_is(tmp_path: Path) -> None:
    assert [path.name for path in DepthNet().files()] == ["depth.safetensors"]
    assert DepthNet().footprint(Sizes(photos=5, images=((640, 480),), neighbors=4)) > 100 << 20
    path = tmp_path / "other.safetensors"
    torch.manual_seed(0)
    save(DepthNetwork(), path)
    views, _ = synthetic_views(3, (64, 48))
    first = DepthNet(weights=str(path), min_confidence=0.0).run(around(views, 1), Context())
    torch.manual_seed(1)
    save(DepthNetwork(), path)
    second = DepthNet(weights=str(path), min_confidence=0.0).run(around(views, 1), Context())
    assert first.depth.tobytes() != second.depth.tobytes()


def test_bad_weights(tmp_path: Path) -> None:
    views, _ = synthetic_views(3, (64, 48))
    path = tmp_path / "a.safetensors"
    assert code(DepthNet(weights=str(path)), around(views, 1)) == "missing-weights"
    save(torch.nn.Linear(2, 2), path)
    assert code(DepthNet(weights=str(path)), around(views, 1)) == "wrong-architecture"
    path.write_bytes(path.read_bytes()[:-3])
    assert code(DepthNet(weights=str(path)), around(views, 1)) == "damaged-weights"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_where_one_was_asked_for() -> None:
    views, _ = synthetic_views(3, (64, 48))
    assert code(DepthNet(), around(views, 1), "cuda") == "no-device"
