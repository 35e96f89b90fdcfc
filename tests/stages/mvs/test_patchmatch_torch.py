"""PatchMatch on a torch device does what the compiled kernels do; torch's own CPU stands in for a graphics card."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from diptych.stages.dense import Around, DepthMap
from diptych.stages.mvs.patchmatch import stage as patchmatch
from diptych.stages.mvs.patchmatch import torch as patchmatch_torch
from diptych.stages.mvs.patchmatch.arrays import Field, Patch, Search
from diptych.stages.mvs.patchmatch.confidence import PlaneScores
from diptych.stages.mvs.patchmatch.matching_cost import score_planes
from diptych.stages.mvs.patchmatch.pyramid import Level
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.patchmatch.sweep import _random, sweep
from diptych.stages.mvs.patchmatch.torch import OnDevice, random
from diptych.stages.stage import Context
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.synthetic_views import synthetic_views

REFERENCE = 2

with_or_without_depths = pytest.mark.parametrize("depths", [False, True], ids=["alone", "with depths"])


@pytest.fixture(autouse=True)
def _small_slabs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Many slabs even of a small view, which also suits a CPU."""
    monkeypatch.setattr(patchmatch_torch, "_SLAB", 2500)
    monkeypatch.setattr(patchmatch_torch, "_TRIALS", 4000)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@functools.cache
def world() -> tuple[Around, tuple[np.ndarray, ...]]:
    views, depths = synthetic_views(4, (128, 96))
    others = [i for i in range(len(views)) if i != REFERENCE]
    return Around(views[REFERENCE], tuple(views[i] for i in others)), tuple(depths[i] for i in (REFERENCE, *others))


@functools.cache
def level(depths: bool) -> Level:
    views, truth = world()
    return Level.of(views.reference, views.sources, 0, truth[1:] if depths else ())


def patch() -> Patch:
    dy, dx = (each.ravel().astype(np.float32) for each in np.mgrid[-3:4, -3:4])
    beside = (dx != 0) | (dy != 0)
    dx, dy = dx[beside], dy[beside]
    return Patch(dx, dy, np.exp(-(dx**2 + dy**2) / 18), np.float32(3), np.float32(18), np.float32(1))


def search(sample_full_range: bool = False) -> Search:
    view = world()[0].reference
    return Search(
        seed=np.uint32(4_000_000_007),
        good_cost=np.float32(0.5),
        step=np.float32(4),
        sample_full_range=sample_full_range,
        min_inverse=np.float32(1 / view.far),
        max_inverse=np.float32(1 / view.near),
        same=np.float32(0.1),
        consistency=np.float32(0.2),
        max_round_trip=np.float32(3),
        all_sources=sample_full_range,
    )


def field(depths: bool) -> Field:
    """Planes half of which are about right, as in the middle of a search; the lower left corner is masked."""
    here, rng = level(depths), np.random.default_rng(1)
    shape = here.gray.shape
    right, anywhere = 1 / world()[1][0], rng.uniform(search().min_inverse, search().max_inverse, shape)
    planes = np.zeros((*shape, 3), np.float32)
    planes[..., 0] = np.where(rng.random(shape) < 0.5, right * rng.normal(1, 0.005, shape), anywhere)
    planes[..., 1:] = planes[..., :1] * rng.normal(0, 0.001, (*shape, 2))
    mask = np.add.outer(-np.arange(shape[0]), np.arange(shape[1])) > -50
    visible = rng.choice(np.array([0, 0, 0.4, 1], np.float32), (*shape, len(here.sources.start)))
    return Field(here.gray, mask, planes, np.where(mask, rng.uniform(0, 2, shape), np.inf).astype(np.float32), visible)


def scored(start: Field, depths: bool) -> PlaneScores:
    """By the compiled kernel."""
    here, size = level(depths), start.mask.shape
    count = len(here.sources.start)
    texture, parallax = np.zeros(size, np.float32), np.zeros(size, np.float32)
    cost = np.full((*size, count), 2, np.float32)
    round_trip = np.full((*size, count if depths else 0), 3, np.float32)
    scores = PlaneScores(texture, parallax, cost, round_trip)
    score_planes(0, 1, np.array([0, size[0]]), start, here.sources, patch(), search(), scores)
    return scores


def on_device(start: Field, depths: bool) -> OnDevice:
    here = level(depths)
    return OnDevice(start, Level(here.gray, start.mask, here.camera, here.sources), patch(), "cpu")


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**31), st.integers(0, 2000))
def test_random_numbers_are_the_same(seed: int, pixel: int, draw: int) -> None:
    drawn = random(np.uint32(seed), torch.tensor([pixel, pixel + 1]), torch.tensor(draw))
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert drawn.tolist() == [_random(np.uint32(seed), pixel, draw), _random(np.uint32(seed), pixel + 1, draw)]


@with_or_without_depths
def test_planes_are_scored_the_same(depths: bool) -> None:
    start = field(depths)
    expected, found = scored(start, depths), on_device(start, depths).scores(search())
    np.testing.assert_allclose(found.texture, expected.texture, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.parallax, expected.parallax, rtol=1e-5)
    # At the very edge of a source, or of a mask, rounding decides whether it is seen.
    assert np.mean(np.abs(found.cost - expected.cost) < 1e-3) > 0.9995
    assert found.round_trip.shape == expected.round_trip.shape == (*start.mask.shape, found.cost.shape[2] * depths)
    if depths:
        assert np.mean(np.abs(found.round_trip - expected.round_trip) < 1e-3) > 0.9995
        assert 0.2 < np.mean(expected.round_trip < 2) < 0.9


@pytest.mark.parametrize(("depths", "full_range", "parity"), [(False, False, 0), (False, True, 1), (True, False, 1)])
def test_one_sweep_finds_the_same_planes(depths: bool, full_range: bool, parity: int) -> None:
    start = field(depths)
    device = on_device(start, depths)
    device.sweep(parity, search(full_range))
    planes, edges = start.planes.copy(), np.array([0, len(start.gray)])
    sweep(0, 1, edges, parity, start, level(depths).sources, patch(), search(full_range))

    changed = (start.planes != planes).any(axis=2)
    searched = start.mask & (np.add.outer(*map(np.arange, start.mask.shape)) % 2 == parity)
    assert changed[searched].mean() > 0.7
    assert (device.planes()[~searched] == planes[~searched]).all()
    scale = np.array([1, 1e-2, 1e-2]) * start.planes[..., :1]
    same = np.all(np.abs(device.planes() - start.planes) < 1e-4 * scale, axis=2)
    assert np.mean(same[searched]) > 0.97


def test_planes_are_enlarged_the_same() -> None:
    views, _ = world()
    coarse, fine = Level.of(views.reference, views.sources, 1), level(depths=False)
    rng = np.random.default_rng(0)
    shape = coarse.gray.shape
    planes = rng.uniform(0.1, 0.2, (*shape, 3)).astype(np.float32)
    visible = rng.random((*shape, len(views.sources)), np.float32)
    start = Field(coarse.gray, coarse.mask, planes, rng.random(shape, np.float32), visible)
    device = OnDevice(start, coarse, patch(), "cpu")
    device.enlarge(fine)
    expected = patchmatch._enlarged(start, fine)
    np.testing.assert_allclose(device.planes(), expected.planes, rtol=1e-6)
    assert device.level is fine
    assert (device._cost.view(fine.gray.shape).numpy() == expected.cost).all()
    assert (device._visible.view(expected.visible.shape).numpy() == expected.visible).all()


def test_whole_runs_are_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    views, truth = world()
    monkeypatch.setattr(patchmatch, "_COARSEST", 64)
    stage = PatchMatch(coarse_sweeps=3)
    sources = tuple(DepthMap(depth, *nothing_but(depth)) for depth in truth[1:])

    def run() -> tuple[DepthMap, DepthMap]:
        first = stage.run(views, np.random.default_rng(0), Context())
        return first, stage.run(views, np.random.default_rng(0), Context(), Around(first, sources))

    compiled = run()
    monkeypatch.setattr(patchmatch, "_OnThreads", lambda field, level, patch, _: OnDevice(field, level, patch, "cpu"))
    for expected, found in zip(compiled, run(), strict=True):
        assert (found.depth != expected.depth).any()
        assert right(found) > 0.84
        assert abs(right(found) - right(expected)) < 0.01
        assert abs(found.confidence.mean(dtype=float) - expected.confidence.mean(dtype=float)) < 0.01
        assert (found.reason == expected.reason).mean() > 0.98


def test_a_result_by_torch_repeats_to_the_byte() -> None:
    devices = [on_device(field(depths=True), depths=True) for _ in range(2)]
    for device in devices:
        device.sweep(0, search())
    assert devices[0].planes().tobytes() == devices[1].planes().tobytes()


def nothing_but(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals, confidence and reasons of a depth map of which only the depth matters."""
    return np.zeros((*depth.shape, 3)), np.ones(depth.shape), np.zeros(depth.shape)


def right(found: DepthMap) -> float:
    return float(np.mean(np.abs(found.depth / world()[1][0] - 1) < 0.01))
