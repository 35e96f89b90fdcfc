"""Undistortion: a pattern lands where the pinhole camera says, masks with it, and bad photos say why."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from diptych.stages.dense import Neighbors
from diptych.stages.geometry.projection import project, unproject
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.images.decoding import decode
from diptych.stages.images.undistortion import Undistort, pinhole_of
from diptych.stages.scene import Camera, Photo, Photos, Scene, Sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.synthetic import blob_photo, png

SIZE = (480, 360)
CAMERAS = [
    Camera("SIMPLE_PINHOLE", *SIZE, (400, 247.3, 175.1)),
    Camera("PINHOLE", *SIZE, (400, 420, 247.3, 175.1)),
    Camera("SIMPLE_RADIAL", *SIZE, (400, 247.3, 175.1, -0.12)),
    Camera("RADIAL", *SIZE, (400, 247.3, 175.1, 0.1, -0.03)),
    Camera("OPENCV", *SIZE, (400, 410, 247.3, 175.1, -0.2, 0.05, 0.002, -0.003)),
    Camera("OPENCV_FISHEYE", *SIZE, (250, 252, 247.3, 175.1, 0.02, -0.01, 0.003, 0)),
]
every_camera = pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.model)


def inputs(camera: Camera, *, missing: str = "", registered: bool = True) -> tuple[str, Photos, Sparse, Neighbors]:
    """Name, collection, model and neighbors of photo b, which stands beside an a."""
    photos = Photos(
        ("a.png", "b.png"), (dataclasses.replace(camera, focal="exif"),), np.zeros(2), np.full((2, 3), np.nan)
    )
    names = ("b.png", "a.png") if registered else ("a.png",)
    n = len(names)
    none = np.empty(0)
    scene = Scene(
        (camera,),
        names,
        np.zeros(n),
        matrix_from_vector(np.arange(3.0 * n).reshape(n, 3) / 10),
        np.arange(3.0 * n).reshape(n, 3),
        none,
        none,
        none,
        none,
        none,
        none,
        none,
    )
    neighbors = Neighbors(np.zeros(3), none, none, none, np.array([1.0, 2.0]), np.array([10.0, 20.0]), ("", missing))
    return "b.png", photos, Sparse((scene,)), neighbors


def spots(image: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Centers of brightness of the spots about the expected pixels, shape (N, 2)."""
    gray = np.maximum(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float) - 62, 0)
    found = np.empty_like(expected)
    for at, (x, y) in zip(found, expected, strict=True):
        left, top = int(x) - 9, int(y) - 9
        patch = gray[top : top + 19, left : left + 19]
        at[:] = patch.sum(axis=0) @ (np.arange(19) + left + 0.5), patch.sum(axis=1) @ (np.arange(19) + top + 0.5)
        at /= patch.sum()
    return found


@every_camera
@pytest.mark.parametrize("max_size", [0, 300])
def test_points_land_where_the_pinhole_says(camera: Camera, max_size: int) -> None:
    x, y = np.meshgrid(np.linspace(40, SIZE[0] - 40, 8), np.linspace(40, SIZE[1] - 40, 6))
    drawn = np.column_stack([x.ravel(), y.ravel()]) + 0.37
    view = Undistort(max_size=max_size).run(blob_photo(drawn, 1.5, SIZE), *inputs(camera))
    assert not view.missing
    assert max_size == 0 or max(view.mask.shape) == max_size
    expected = project(view.camera, unproject(camera, drawn))
    # The blob itself is bent: its center of brightness moves a little where the lens stretches it.
    assert np.linalg.norm(spots(view.image, expected) - expected, axis=1).max() < 0.2


@every_camera
def test_the_mask_is_what_the_photo_shows(camera: Camera) -> None:
    hidden = np.full(SIZE[::-1], 255, np.uint8)
    hidden[:, :100] = 0
    photo = png(np.full(SIZE[::-1], 200, np.uint8), hidden)
    view = Undistort(max_size=0).run(photo, *inputs(camera))
    rows, columns = np.nonzero(np.ones_like(view.mask))
    at = project(camera, unproject(view.camera, np.column_stack([columns, rows]) + 0.5))
    inside = ((at > [100, 0]) & (at < SIZE)).all(axis=1)
    sure = (np.abs(at - [100, 0]) > 1).all(axis=1) & (np.abs(at - SIZE) > 1).all(axis=1)
    assert (view.mask.ravel() == inside)[sure].all()
    assert (view.image[view.mask] >= 198).all()
    assert view.mask.mean() > 0.6


@every_camera
def test_most_of_the_photo_is_seen_and_little_is_blank(camera: Camera) -> None:
    pinhole = pinhole_of(camera)
    x, y = (each.ravel() for each in np.meshgrid(*(np.linspace(0.5, n - 0.5, 60) for n in SIZE)))
    seen = project(pinhole, unproject(camera, np.column_stack([x, y])))
    inside = ((seen >= 0) & (seen <= [pinhole.width, pinhole.height])).all(axis=1)
    assert inside.mean() > (0.85 if camera.model == "OPENCV_FISHEYE" else 0.97)
    view = Undistort(max_size=0).run(png(np.zeros(SIZE[::-1], np.uint8)), *inputs(camera))
    assert view.mask.mean() > 0.85


def test_without_distortion_shrinking_is_area_averaging() -> None:
    rng = np.random.default_rng(0)
    photo = png(rng.integers(0, 256, (*SIZE[::-1], 3), np.uint8))
    camera = CAMERAS[1]
    view = Undistort(max_size=211).run(photo, *inputs(camera))
    assert (view.image == cv2.resize(decode(photo), (211, 158), interpolation=cv2.INTER_AREA)).all()
    assert view.camera.params == pytest.approx(np.array(camera.params) * ([211 / 480, 158 / 360] * 2))
    whole = Undistort(max_size=5000).run(photo, *inputs(camera))
    assert (whole.image == decode(photo)).all()
    assert whole.camera.params == camera.params


def test_a_fine_pattern_turns_gray_not_into_another_pattern() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (SIZE[1], SIZE[0] // 2))
    for camera in CAMERAS:
        view = Undistort(max_size=120).run(png(stripes), *inputs(camera))
        inner = view.image[20:-20, 20:-20, 0][view.mask[20:-20, 20:-20]].astype(float)
        # White noise of this contrast, averaged over the 16 pixels of an area, keeps a quarter of it: 32.
        assert inner.std() < 20
        assert inner.mean() == pytest.approx(127.5, abs=3)


def test_the_view_stands_where_the_model_says() -> None:
    name, photos, sparse, neighbors = inputs(CAMERAS[2])
    view = Undistort().run(png(np.zeros(SIZE[::-1], np.uint8)), name, photos, sparse, neighbors)
    assert (view.rotation == sparse.scene.rotations[0]).all()
    assert (view.translation == sparse.scene.translations[0]).all()
    assert (view.near, view.far) == (2.0, 20.0)


def test_bad_views_say_why_and_go_on() -> None:
    blank = np.zeros(SIZE[::-1], np.uint8)
    camera = CAMERAS[2]
    cases: list[tuple[Photo, dict[str, str | bool], str]] = [
        (png(blank), {"missing": "shares no points"}, "shares no points"),
        (png(blank), {"registered": False}, "is not in the largest model"),
        (png(blank[::2, ::2]), {}, "is 240x180, but the model's camera says 480x360"),
        (png(blank, blank), {}, "is hidden by its mask everywhere"),
        (png(blank, blank[::2]), {}, "is 480x360, but its mask is 480x180"),
    ]
    for photo, change, why in cases:
        view = Undistort().run(photo, *inputs(camera, **change))  # type: ignore[arg-type]
        assert view.missing == why
        assert (view.near, view.far) == (0, 0)
        assert (view.rotation == np.eye(3)).all()
        assert not view.translation.any()


@settings(max_examples=25, deadline=None)
@given(
    focal=st.floats(0.4, 3),
    k1=st.floats(-0.4, 0.4),
    k2=st.floats(-0.2, 0.2),
    center=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
    fisheye=st.booleans(),
    max_size=st.integers(1, 200),
)
@example(focal=0.40625, k1=0.375, k2=-0.125, center=(0.375, 0.5), fisheye=False, max_size=1)
def test_any_camera_gives_a_bounded_view(
    focal: float, k1: float, k2: float, center: tuple[float, float], fisheye: bool, max_size: int
) -> None:
    shape = (*(focal * 96.0,) * 2, center[0] * 96, center[1] * 64)
    camera = Camera("OPENCV_FISHEYE" if fisheye else "OPENCV", 96, 64, (*shape, k1, k2, 0, 0))
    photo = png(np.zeros((64, 96), np.uint8))
    small = Undistort(max_size=max_size).run(photo, *inputs(camera))
    assert max(small.mask.shape) <= max_size
    view = Undistort(max_size=0).run(photo, *inputs(camera))
    assert view.mask.mean() > 0.25
    # Some of these polynomials fold back inside the photo: no pixel of the view may come from beyond the fold.
    rows, columns = np.nonzero(view.mask)
    rays = unproject(view.camera, np.column_stack([columns, rows]) + 0.5)
    at = project(camera, rays)
    assert ((at >= 0) & (at <= [96, 64])).all()
    assert np.mean(np.abs(unproject(camera, at) - rays).max(axis=1) < 1e-5) > 0.99
