"""View selection: who is chosen, how far depth reaches, and why a photo has none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from diptych.stages.dense import Neighbors
from diptych.stages.mvs.neighbors import SharedPoints, depth_range
from diptych.stages.scene import Camera, Photos, Scene, Sparse
from hypothesis import given
from hypothesis import strategies as st

CAMERA = Camera("SIMPLE_PINHOLE", 1000, 800, (900.0, 500.0, 400.0))


def model(
    x: list[float], *, depth: tuple[float, float] = (4.0, 8.0), points: int = 400, zoom: list[float] | None = None
) -> tuple[Photos, Sparse]:
    """Photos in a row at these places, all looking along z at points in a box before them; each sees all in its frame.

    Args:
        depth: of the box.
        zoom: factor on the focal length of each photo.
    """
    rng = np.random.default_rng(0)
    n = len(x)
    zoom = zoom or [1.0] * n
    world = np.column_stack([rng.uniform(-4, 4, points), rng.uniform(-2, 2, points), rng.uniform(*depth, points)])
    translations = np.column_stack([-np.array(x), np.zeros(n), np.zeros(n)])
    cameras = tuple(dataclasses.replace(CAMERA, params=(900.0 * f, 500.0, 400.0)) for f in zoom)
    local = world[None] + translations[:, None]
    xy = local[..., :2] / local[..., 2:] * 900 * np.array(zoom)[:, None, None] + [500, 400]
    seen = ((xy > 0) & (xy < [1000, 800])).all(axis=2) & (local[..., 2] > 0)
    point, photo = np.nonzero(seen.T)
    scene = Scene(
        cameras=cameras,
        names=tuple(f"{i:02d}.jpg" for i in range(n)),
        camera_of=np.arange(n),
        rotations=np.tile(np.eye(3), (n, 1, 1)),
        translations=translations,
        points=world,
        colors=np.zeros((points, 3)),
        errors=np.zeros(points),
        obs_photo=photo,
        obs_point=point,
        obs_xy=xy[photo, point],
        obs_keypoint=np.full(len(point), -1),
    )
    photos = Photos(scene.names, cameras, np.arange(n), np.full((n, 3), np.nan))
    return photos, Sparse((scene,))


def pair(neighbors: Neighbors, reference: int, source: int) -> int:
    """Row of a pair in the result."""
    return int(neighbors.start[reference] + np.flatnonzero(neighbors.of(reference) == source)[0])


def test_numbers_are_those_of_the_points() -> None:
    photos, sparse = model([0.0, 0.5, 1.2])
    neighbors = SharedPoints().run(photos, sparse)
    scene = sparse.scene
    sees = np.zeros((3, len(scene.points)), bool)
    sees[scene.obs_photo, scene.obs_point] = True
    for i in range(3):
        for j in set(range(3)) - {i}:
            rays = [scene.points[sees[i] & sees[j]] - scene.centers[k] for k in (i, j)]
            rays = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in rays]
            angle = np.degrees(np.arccos((rays[0] * rays[1]).sum(axis=1)))
            row = pair(neighbors, i, j)
            assert neighbors.shared[row] == (angle >= 1).sum()
            assert abs(neighbors.angle[row] - np.median(angle[angle >= 1])) < 0.1
    assert neighbors.missing == ("", "", "")


def test_neither_too_narrow_nor_too_wide() -> None:
    # From photo 0, seen at 6: 0.2, 5 and 23 degrees.
    photos, sparse = model([0.0, 0.02, 0.52, 2.5])
    neighbors = SharedPoints().run(photos, sparse)
    assert neighbors.of(0)[0] == 2
    assert 1 not in neighbors.of(0)
    assert neighbors.of(2)[0] in (0, 1)


def test_a_source_beside_a_better_one_waits() -> None:
    photos, sparse = model([0.0, 0.7, 0.72, 0.74, -1.4])
    neighbors = SharedPoints().run(photos, sparse)
    assert neighbors.of(0)[0] in (1, 2, 3)
    assert neighbors.of(0)[1] == 4
    assert neighbors.shared[neighbors.start[0] + 1] < neighbors.shared[neighbors.start[0] + 2]


def test_the_same_scale_is_better() -> None:
    photos, sparse = model([0.0, 0.5, -0.5], zoom=[1.0, 1.0, 0.4])
    assert list(SharedPoints().run(photos, sparse).of(0)) == [1, 2]


def test_count_is_kept() -> None:
    photos, sparse = model([0.3 * i for i in range(8)])
    many, few = (SharedPoints(count=count).run(photos, sparse) for count in (10, 3))
    for photo in range(8):
        assert len(few.of(photo)) == 3
        assert list(few.of(photo)) == list(many.of(photo)[:3])
        assert photo not in many.of(photo)


def test_the_order_of_the_model_does_not_matter() -> None:
    photos, sparse = model([0.0, 0.4, 0.9, 1.5])
    scene, order = sparse.scene, np.array([2, 0, 3, 1])
    place = np.argsort(order)
    photo = place[scene.obs_photo]
    by_point = np.lexsort((photo, scene.obs_point))
    shuffled = dataclasses.replace(
        scene,
        names=tuple(scene.names[i] for i in order),
        camera_of=scene.camera_of[order],
        rotations=scene.rotations[order],
        translations=scene.translations[order],
        obs_photo=photo[by_point],
        obs_xy=scene.obs_xy[by_point],
    )
    first, second = (SharedPoints().run(photos, Sparse((each,))) for each in (scene, shuffled))
    for name in ("start", "source", "shared", "angle", "near", "far"):
        assert np.allclose(getattr(first, name), getattr(second, name))


def test_the_range_holds_the_scene_and_ignores_strays() -> None:
    photos, sparse = model([0.0, 0.5, 1.0], points=2000)
    scene = sparse.scene
    points = scene.points.copy()
    points[:5, 2], points[5:10, 2] = 0.01, 1e6
    neighbors = SharedPoints().run(photos, Sparse((dataclasses.replace(scene, points=points),)))
    assert (neighbors.near > 2.5).all()
    assert (neighbors.near < 4).all()
    assert (neighbors.far > 8).all()
    assert (neighbors.far < 14).all()


@given(st.lists(st.floats(1e-3, 1e6), min_size=10, max_size=100), st.floats(0.01, 100))
def test_the_range_scales_with_the_model(depth: list[float], scale: float) -> None:
    z = np.array(depth)
    near, far = depth_range(z)
    assert 0 < near < 1 / np.quantile(1 / z, 0.98)
    assert 1 / np.quantile(1 / z, 0.02) < far < 4.1 * z.max()
    assert depth_range(scale * z) == pytest.approx((scale * near, scale * far))


def test_photos_without_depth_say_why() -> None:
    photos, sparse = model([0.0, 0.5, 1.0, 0.001, 500.0])
    names = (*photos.names, "other.jpg", "unlinked.jpg", "silent.jpg")
    all_photos = Photos(names, photos.cameras, np.zeros(8), np.full((8, 3), np.nan))
    small = dataclasses.replace(sparse.scene, names=("other.jpg", "x", "y", "z", "w"))
    said = Sparse((sparse.scene, small), (("unlinked.jpg", "shares no matches with the others"),))
    missing = SharedPoints().run(all_photos, said).missing
    assert missing[:4] == ("", "", "", "")
    assert missing[4] == "sees 0 points of the model; its depth range needs 10"
    assert missing[5] == "is registered in a smaller model, apart from the largest"
    assert missing[6] == "is not registered: shares no matches with the others"
    assert missing[7] == "is not registered"


def test_photos_from_one_place_have_no_neighbors() -> None:
    photos, sparse = model([0.0, 0.001, 0.002])
    neighbors = SharedPoints().run(photos, sparse)
    assert set(neighbors.missing) == {"shares no 10 points with another photo at an angle of at least 1 degrees"}
    assert len(neighbors.source) == 0
    assert not neighbors.near.any()
    assert not neighbors.far.any()


def test_a_range_from_zero_or_to_infinity_is_none() -> None:
    photos, sparse = model([0.0, 0.5, 1.0])
    scene = sparse.scene
    for wrong in (1e-6, 1e9):
        points = scene.points.copy()
        points[::10, 2] = wrong
        neighbors = SharedPoints().run(photos, Sparse((dataclasses.replace(scene, points=points),)))
        assert all(why.startswith("has points at depths from ") for why in neighbors.missing)
        assert len(neighbors.source) == 0
