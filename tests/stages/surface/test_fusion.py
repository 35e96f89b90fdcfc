"""Fusion of depth maps with known noise and outliers: what is kept, how often, how exact, and what is said of it."""

from __future__ import annotations

import dataclasses
import pickle
from functools import cache

import numpy as np
import pytest
from diptych.stages.dense import Around, Cloud, DepthMap, Reason, View
from diptych.stages.surface import fusion
from diptych.stages.surface.cloud import MergedCloud
from diptych.stages.surface.fusion import ConsistentPoints
from scipy.spatial import KDTree

from tests.synthetic_views import synthetic_views

NOISE = 0.001


def maps(truth: list[np.ndarray], noise: float = NOISE, outliers: float = 0.0) -> list[DepthMap]:
    """Depth maps without normals, some of whose pixels are anywhere between 4 and 9 units away."""
    rng = np.random.default_rng(3)
    made = []
    for depth in truth:
        noisy = depth * (1 + noise * rng.normal(size=depth.shape))
        wrong = rng.random(depth.shape) < outliers
        noisy[wrong] = rng.uniform(4, 9, wrong.sum())
        confidence = np.full(depth.shape, 0.8)
        made.append(DepthMap(noisy, np.zeros((*depth.shape, 3)), confidence, np.full(depth.shape, Reason.FOUND)))
    return made


@cache
def scene() -> tuple[list[View], list[np.ndarray]]:
    return synthetic_views(count=5, size=(128, 96))


def fuse(views: list[View], depths: list[DepthMap], reference: int, **options: float) -> Cloud:
    order = [reference, *(i for i in range(len(views)) if i != reference)]
    pictures, found = [views[i] for i in order], [depths[i] for i in order]
    stage = ConsistentPoints(**options)  # pyright: ignore[reportArgumentType]
    return stage.run(Around(pictures[0], tuple(pictures[1:])), Around(found[0], tuple(found[1:])))


def fuse_all(views: list[View], depths: list[DepthMap], **options: float) -> Cloud:
    return MergedCloud().run(tuple(fuse(views, depths, i, **options) for i in range(len(views))))


def surface(view: View, depth: np.ndarray) -> np.ndarray:
    """The true points of a view's pixels in the world, shape (H W, 3)."""
    x, y = np.meshgrid(np.arange(depth.shape[1]) + 0.5, np.arange(depth.shape[0]) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(view.camera.matrix).T
    return ((rays * depth[..., None] - view.translation) @ view.rotation).reshape(-1, 3)


def seen_by(points: np.ndarray, views: list[View], truth: list[np.ndarray]) -> np.ndarray:
    """In how many views each point is the first surface, shape (N,)."""
    count = np.zeros(len(points), int)
    for view, depth in zip(views, truth, strict=True):
        in_camera = points @ view.rotation.T + view.translation
        xy = in_camera @ view.camera.matrix.T
        column, row = np.floor(xy[:, :2] / xy[:, 2:]).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < view.camera.width) & (row < view.camera.height)
        there = depth[np.where(inside, row, 0), np.where(inside, column, 0)]
        count += inside & (np.abs(in_camera[:, 2] - there) < 0.01 * there)
    return count


def off(points: np.ndarray, views: list[View], truth: list[np.ndarray]) -> np.ndarray:
    """How far, as a share of depth, points lie from what the view nearest to the truth saw there."""
    least = np.full(len(points), np.inf)
    for view, depth in zip(views, truth, strict=True):
        in_camera = points @ view.rotation.T + view.translation
        xy = in_camera @ view.camera.matrix.T
        column, row = np.floor(xy[:, :2] / xy[:, 2:]).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < view.camera.width) & (row < view.camera.height)
        there = depth[np.where(inside, row, 0), np.where(inside, column, 0)]
        least = np.minimum(least, np.where(inside, np.abs(in_camera[:, 2] / there - 1), np.inf))
    return least


def test_every_surface_point_comes_about_once_and_none_is_lost() -> None:
    views, truth = scene()
    cloud = fuse_all(views, maps(truth))
    samples = np.concatenate([surface(view, depth) for view, depth in zip(views, truth, strict=True)])
    times = seen_by(samples, views, truth)
    # A surface element that n views see has n samples, one in each.
    expected = (1 / times[times >= 3]).sum()
    assert 0.9 * expected < len(cloud) < 1.15 * expected
    certain = samples[times >= 4]
    spacing = np.median(KDTree(cloud.points).query(cloud.points, k=2)[0][:, 1])
    distance, _ = KDTree(cloud.points).query(certain)
    assert np.quantile(distance, 0.995) < 3 * spacing


def test_outliers_are_removed_and_the_rest_stays() -> None:
    views, truth = scene()
    clean, dirty = fuse_all(views, maps(truth)), fuse_all(views, maps(truth, outliers=0.2))
    assert (off(dirty.points, views, truth) > 0.02).mean() < 0.002
    assert len(dirty) > 0.8 * len(clean)


def test_the_mean_is_less_noisy_than_one_view_and_the_spread_says_how_noisy_that_was() -> None:
    views, truth = scene()
    # On the wall, where neighboring pixels do not differ but by noise; all views are about 7 units away.
    cloud = fuse_all(views, maps(truth))
    wall = np.array([0.25, 0.0, -1.0]) / np.hypot(0.25, 1.0)
    from_wall = cloud.points @ wall + 7.5 / np.hypot(0.25, 1.0)
    on_wall = (np.abs(from_wall) < 0.05) & (cloud.views == 5)
    assert on_wall.sum() > 2000
    sigma = NOISE * 7.5
    assert 0.2 * sigma < from_wall[on_wall].std() < 0.6 * sigma
    assert 0.4 * sigma < np.median(cloud.spread[on_wall]) < 1.2 * sigma
    louder = fuse_all(views, maps(truth, noise=2 * NOISE))
    assert np.median(louder.spread) == pytest.approx(2 * np.median(cloud.spread), rel=0.2)


def test_colors_and_numbers_of_views() -> None:
    views, truth = scene()
    red = [dataclasses.replace(view, image=np.broadcast_to([200, 10, 20], view.image.shape)) for view in views]
    cloud = fuse_all(red, maps(truth))
    assert (cloud.colors == [200, 10, 20]).all()
    assert cloud.views.min() == 3 and cloud.views.max() == 5
    strict = fuse_all(red, maps(truth), min_views=4)
    assert 0 < len(strict) < len(cloud) and (strict.views == 5).all()


def test_normals_face_the_cameras_and_must_agree_where_there_are_any() -> None:
    views, truth = scene()
    depths = maps(truth)
    cloud = fuse(views, depths, 2)
    toward = views[2].center - cloud.points
    assert np.einsum("ni,ni->n", toward, cloud.normals).min() > 0
    np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), 1, atol=1e-5)

    def turned(depth: DepthMap, view: View, world: list[float]) -> DepthMap:
        return dataclasses.replace(depth, normal=np.broadcast_to(view.rotation @ world, depth.normal.shape))

    alike = [turned(depth, view, [0, 0, -1]) for depth, view in zip(depths, views, strict=True)]
    agreed = fuse(views, alike, 2)
    np.testing.assert_allclose(agreed.normals, np.broadcast_to([0, 0, -1], agreed.normals.shape), atol=2e-3)
    assert len(agreed) == len(cloud)
    different = [alike[0], alike[1], turned(depths[2], views[2], [0, -1, 0]), *alike[3:]]
    assert len(fuse(views, different, 2)) == 0


def test_the_finer_of_two_groups_of_views_emits() -> None:
    near, near_truth = synthetic_views(count=3, size=(128, 96), baseline=0.3)
    far = [_half_size(view) for view in near]
    far = [dataclasses.replace(view, translation=view.translation + np.array([0.01, 0, 0])) for view in far]
    far_truth = [_half_depth(depth) for depth in near_truth]
    clouds = [fuse(near + far, maps(near_truth + far_truth, noise=0), i) for i in range(6)]
    fine, coarse = sum(map(len, clouds[:3])), sum(map(len, clouds[3:]))
    assert fine > 8000 and coarse < 0.1 * fine


def _half_size(view: View) -> View:
    fx, fy, cx, cy = view.camera.params
    camera = dataclasses.replace(
        view.camera,
        width=view.camera.width // 2,
        height=view.camera.height // 2,
        params=(fx / 2, fy / 2, cx / 2, cy / 2),
    )
    return dataclasses.replace(view, image=view.image[::2, ::2], mask=view.mask[::2, ::2], camera=camera)


def _half_depth(depth: np.ndarray) -> np.ndarray:
    height, width = depth.shape
    return 1 / (1 / depth).reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def test_views_that_are_missing_are_passed_over() -> None:
    views, truth = scene()
    depths = maps(truth)
    lost = dataclasses.replace(views[1], missing="not in the model")
    without = [views[0], *views[2:]], [depths[0], *depths[2:]]
    same = fuse(*without, 1)
    for damaged, found in (
        ([views[0], lost, *views[2:]], depths),
        (views, [depths[0], DepthMap.empty(views[1], "no neighbors"), *depths[2:]]),
    ):
        assert fuse(damaged, found, 2).points.tobytes() == same.points.tobytes()
        assert len(fuse(damaged, found, 1)) == 0


def test_pixels_of_little_confidence_have_no_depth() -> None:
    views, truth = scene()
    depths = maps(truth)
    unsure = dataclasses.replace(depths[2], confidence=np.full(truth[2].shape, 0.1))
    assert len(fuse(views, [*depths[:2], unsure, *depths[3:]], 2)) == 0
    assert fuse_all(views, [*depths[:2], unsure, *depths[3:]]).views.max() == 4


def test_the_size_of_the_tiles_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    views, truth = scene()
    depths = maps(truth, outliers=0.05)
    whole = fuse(views, depths, 1)
    monkeypatch.setattr(fusion, "_TILE_PIXELS", 1000)
    tiled = fuse(views, depths, 1)
    for field in dataclasses.fields(whole):
        assert getattr(whole, field.name).tobytes() == getattr(tiled, field.name).tobytes(), field.name


def test_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(ConsistentPoints(min_views=3))) == ConsistentPoints(min_views=3)
