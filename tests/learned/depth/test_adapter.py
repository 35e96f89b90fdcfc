"""External networks as depth stages: an exported plane sweep, and files that are no networks."""

from __future__ import annotations

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diptych.learned.depth.adapter import NetworkDepth
from diptych.pipeline.engine.parameters import make
from diptych.stages.dense import Around, DepthMap, Reason, View
from diptych.stages.failure import StageFailure
from diptych.stages.stage import Context
from torch import Tensor, nn

from tests.synthetic_views import around, synthetic_views

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

REFERENCE = 2


class PlaneSweep(nn.Module):
    """Depth of least difference of brightness, and how much less that is than the mean over all depths."""

    def forward(
        self, images: Tensor, intrinsics: Tensor, extrinsics: Tensor, depth_range: Tensor
    ) -> tuple[Tensor, Tensor]:
        height, width = images.shape[3], images.shape[4]
        assert height % 32 == 0 and width % 32 == 0
        gray = images.mean(2)[0]
        inverse = torch.linspace(float(1 / depth_range[0, 1]), float(1 / depth_range[0, 0]), 64)
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        pixels = torch.stack([x, y, torch.ones_like(x)], -1)
        costs = torch.zeros(64, height, width)
        for source in range(1, images.shape[1]):
            motion = extrinsics[0, source] @ torch.linalg.inv(extrinsics[0, 0])
            still = intrinsics[0, source] @ motion[:3, :3] @ torch.linalg.inv(intrinsics[0, 0])
            moved = intrinsics[0, source] @ motion[:3, 3]
            seen = (pixels @ still.t())[None] + inverse[:, None, None, None] * moved
            size = torch.tensor([float(width), float(height)])
            grid = 2 * seen[..., :2] / seen[..., 2:] / size - 1
            warped = F.grid_sample(gray[source].expand(64, 1, height, width), grid, align_corners=False)
            costs += F.avg_pool2d((warped[:, 0] - gray[0]).abs()[None], 5, 1, 2, count_include_pad=False)[0]
        least, best = costs.min(0)
        return 1 / inverse[best][None], 1 - (least / costs.mean(0).clamp(min=1e-6))[None]


class PrincipalPoint(nn.Module):
    """Returns the x of the principal point of the last view, over 20, as depth."""

    def forward(
        self, images: Tensor, intrinsics: Tensor, extrinsics: Tensor, depth_range: Tensor
    ) -> tuple[Tensor, Tensor]:
        like = images[:, 0, 0]
        return intrinsics[0, -1, 0, 2] / 20 + 0 * like, images[:, -1, 0]


class PartialDepth(nn.Module):
    """Returns no depth at the left, and a low confidence at the bottom."""

    def forward(
        self, images: Tensor, intrinsics: Tensor, extrinsics: Tensor, depth_range: Tensor
    ) -> tuple[Tensor, Tensor]:
        depth = depth_range.mean() + 0 * images[:, 0, 0]
        depth[:, :, :10] = float("nan")
        depth[:, :, 10:20] = -1.0
        depth[:, :, 20:30] = 1e6
        confidence = torch.ones_like(depth) * 2
        confidence[:, 60:] = 0.05
        return depth, confidence


class OneOutput(nn.Module):
    def forward(self, images: Tensor, intrinsics: Tensor, extrinsics: Tensor, depth_range: Tensor) -> tuple[Tensor]:
        return (images[:, 0, 0],)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def sweep(folder: Path) -> NetworkDepth:
    return NetworkDepth(network=exported(PlaneSweep(), folder))


@pytest.fixture(scope="module")
def world() -> tuple[list[View], list[np.ndarray]]:
    return synthetic_views()


def exported(network: nn.Module, folder: Path) -> str:
    path = folder / f"{type(network).__name__}.pt"
    torch.jit.save(torch.jit.script(network), str(path))
    return str(path)


def alike(first: DepthMap, second: DepthMap) -> bool:
    names = [each.name for each in dataclasses.fields(DepthMap) if each.name != "missing"]
    return all(getattr(first, name).tobytes() == getattr(second, name).tobytes() for name in names)


def share(result: DepthMap, truth: np.ndarray) -> float:
    return float(np.mean(np.abs(result.depth / truth - 1) < 0.02))


def test_a_plane_sweep_finds_depth_and_normals(sweep: NetworkDepth, world: tuple[list[View], list[np.ndarray]]) -> None:
    views, depths = world
    view, result = views[REFERENCE], sweep.run(around(views, REFERENCE), Context())
    assert share(result, depths[REFERENCE]) > 0.7
    has = result.depth > 0
    assert ((result.reason == Reason.FOUND) == has).all()
    assert ((result.depth[has] >= view.near) & (result.depth[has] <= view.far)).all()
    normal = result.normal.astype(np.float64)
    assert np.abs(np.linalg.norm(normal[has], axis=1) - 1).max() < 2e-3 and not normal[~has].any()
    assert not result.confidence[~has].any() and (result.confidence[has] >= np.float16(sweep.min_confidence)).all()


def test_same_bytes_from_many_threads_and_after_pickling(
    sweep: NetworkDepth, world: tuple[list[View], list[np.ndarray]]
) -> None:
    once = sweep.run(around(world[0], REFERENCE), Context())
    with ThreadPoolExecutor(4) as pool:
        again = pool.map(lambda stage: stage.run(around(world[0], REFERENCE), Context(threads=2)), [sweep] * 4)
        assert all(alike(once, each) for each in again)
    assert alike(once, pickle.loads(pickle.dumps(sweep)).run(around(world[0], REFERENCE), Context()))


def test_sizes_that_are_no_multiple_and_differ(sweep: NetworkDepth) -> None:
    views, depths = synthetic_views(3, (150, 110))
    larger, _ = synthetic_views(3, (200, 150))
    result = sweep.run(Around(views[1], (larger[0], larger[2])), Context())
    assert result.depth.shape == (110, 150)
    assert share(result, depths[1]) > 0.7


def test_few_neighbors_are_given_again(sweep: NetworkDepth, world: tuple[list[View], list[np.ndarray]]) -> None:
    views, _ = world
    reference, first, second = views[2], views[1], views[3]
    three = dataclasses.replace(sweep, views=4)
    assert alike(
        three.run(Around(reference, (first, second)), Context()),
        three.run(Around(reference, (first, second, first)), Context()),
    )
    lost = dataclasses.replace(views[0], near=0.0, far=0.0, missing="is lost")
    assert alike(
        three.run(Around(reference, (lost, first, second)), Context()),
        three.run(Around(reference, (first, second)), Context()),
    )


def test_where_there_is_nothing_to_see_the_map_is_empty_and_says_why(
    sweep: NetworkDepth, world: tuple[list[View], list[np.ndarray]]
) -> None:
    views, _ = world
    lost = dataclasses.replace(views[2], near=0.0, far=0.0, missing="is lost")
    hidden = dataclasses.replace(views[2], mask=np.zeros_like(views[2].mask))
    for reference, sources, why in (
        (lost, views[:2], "is lost"),
        (views[2], [], "has no neighbors"),
        (views[2], [lost], "has no neighbors"),
        (hidden, views[:2], "is masked everywhere"),
    ):
        result = sweep.run(Around(reference, tuple(sources)), Context())
        assert result.missing == why and not result.depth.any() and (result.reason != Reason.FOUND).all()


def test_the_network_is_told_what_is_documented(folder: Path, world: tuple[list[View], list[np.ndarray]]) -> None:
    view = world[0][2]
    monocular = NetworkDepth(network=exported(PrincipalPoint(), folder), views=1, multiple=1, min_confidence=0.0)
    result = monocular.run(Around(view, ()), Context())
    x = view.camera.principal_point[0] / 20
    assert view.near < x < view.far
    assert np.allclose(result.depth, x, rtol=1e-6)
    assert np.allclose(result.confidence, view.image[..., 0] / 255, atol=1e-3)
    assert (result.reason == Reason.FOUND).all()


def test_no_depth_has_its_reason(folder: Path, world: tuple[list[View], list[np.ndarray]]) -> None:
    view = world[0][2]
    masked = view.mask.copy()
    masked[:20] = False
    view = dataclasses.replace(view, mask=masked)
    stage = NetworkDepth(network=exported(PartialDepth(), folder), views=2)
    away = dataclasses.replace(view, rotation=np.diag([-1.0, 1.0, -1.0]) @ view.rotation)
    result = stage.run(Around(view, (view,)), Context())
    assert (result.reason[:20] == Reason.MASKED).all()
    assert (result.reason[20:60, :20] == Reason.DISAGREED).all()
    assert (result.reason[20:60, 20:30] == Reason.OUT_OF_RANGE).all()
    assert (result.reason[20:60, 30:] == Reason.FOUND).all()
    assert (result.reason[60:, 30:] == Reason.DISAGREED).all()
    assert (result.confidence[result.reason == Reason.FOUND] == 1).all()
    assert (stage.run(Around(view, (away,)), Context()).reason[20:] == Reason.UNSEEN).all()


def test_files_that_are_no_networks(folder: Path, world: tuple[list[View], list[np.ndarray]]) -> None:
    whole = Path(exported(PlaneSweep(), folder)).read_bytes()
    (folder / "cut.pt").write_bytes(whole[: len(whole) // 2])
    torch.save({"a": torch.ones(3)}, folder / "pickle.pt")
    (folder / "network.h5").write_bytes(b"anything")
    for name, code in (
        ("absent.pt", "missing-network"),
        ("cut.pt", "damaged-network"),
        ("pickle.pt", "damaged-network"),
        ("network.h5", "unknown-format"),
    ):
        with pytest.raises(StageFailure) as failure:
            NetworkDepth(network=str(folder / name)).run(around(world[0], 2), Context())
        assert failure.value.code == code and failure.value.hint
        assert "\n" not in failure.value.sentence


def test_a_network_that_fails_or_gives_something_else(
    folder: Path, sweep: NetworkDepth, world: tuple[list[View], list[np.ndarray]]
) -> None:
    with pytest.raises(StageFailure) as failure:
        dataclasses.replace(sweep, multiple=1).run(around(world[0], 2), Context())
    assert failure.value.code == "network-failed" and failure.value.facts["images"] == "1x5x3x120x160"
    assert "\n" not in failure.value.sentence
    with pytest.raises(StageFailure) as failure:
        NetworkDepth(network=exported(OneOutput(), folder)).run(around(world[0], 2), Context())
    assert failure.value.code == "wrong-signature" and failure.value.facts["given"] == ["1x128x160"]


@pytest.mark.parametrize("name", ["views", "multiple"])
def test_parameters_that_make_no_sense(name: str) -> None:
    with pytest.raises(StageFailure) as failure:
        make(NetworkDepth, {"network": "any.pt", name: 0})
    assert failure.value.code == "bad-parameter" and name in failure.value.sentence


def test_an_onnx_network_that_takes_only_what_it_needs(
    folder: Path, world: tuple[list[View], list[np.ndarray]]
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    node, floats = onnx.helper.make_node, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            node("ReduceMean", ["images", "axes"], ["confidence"], keepdims=0),
            node("ReduceMean", ["depth_range"], ["middle"], keepdims=0),
            node("Add", ["confidence", "middle"], ["depth"]),
        ],
        "brightness",
        [
            onnx.helper.make_tensor_value_info("images", floats, [1, "V", 3, "H", "W"]),
            onnx.helper.make_tensor_value_info("depth_range", floats, [1, 2]),
        ],
        [onnx.helper.make_tensor_value_info(name, floats, [1, "H", "W"]) for name in ("depth", "confidence")],
        [onnx.numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    path = folder / "brightness.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8), path)
    view = world[0][2]
    stage = NetworkDepth(network=str(path), views=1, min_confidence=0.0)
    result = stage.run(Around(view, ()), Context())
    brightness = view.image.mean(axis=2) / 255
    assert np.allclose(result.confidence, brightness, atol=1e-3)
    inside = brightness + (view.near + view.far) / 2 <= view.far
    assert np.allclose(result.depth[inside], (brightness + (view.near + view.far) / 2)[inside], rtol=1e-5)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StageFailure) as failure:
        stage.run(Around(view, ()), Context())
    assert failure.value.code == "damaged-network"
