"""Camera models: against pycolmap, against their own inverse, and against finite differences."""

from __future__ import annotations

import cv2  # noqa: F401  (before pycolmap: its wheel needs another's zlib)
import numpy as np
import pycolmap
import pytest
from diptych.stages.geometry import projection
from diptych.stages.scene import CAMERA_MODELS, Camera
from hypothesis import given, settings
from hypothesis import strategies as st

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 640, 480, (700.0, 321.0, 238.0)),
    Camera("PINHOLE", 640, 480, (700.0, 712.0, 321.0, 238.0)),
    Camera("SIMPLE_RADIAL", 640, 480, (700.0, 321.0, 238.0, -0.11)),
    Camera("RADIAL", 640, 480, (700.0, 321.0, 238.0, -0.11, 0.02)),
    Camera("OPENCV", 640, 480, (700.0, 712.0, 321.0, 238.0, -0.11, 0.02, 0.003, -0.002)),
    Camera("OPENCV_FISHEYE", 640, 480, (310.0, 312.0, 321.0, 238.0, 0.05, -0.01, 0.004, -0.001)),
]
every_model = pytest.mark.parametrize("camera", CAMERAS, ids=[camera.model for camera in CAMERAS])


def points_in_view(count: int = 300) -> np.ndarray:
    points = np.random.default_rng(0).uniform([-1, -0.7, 1.8], [1, 0.7, 4], (count, 3))
    return np.vstack([points, [[0, 0, 1], [1e-7, 0, 1], [0, -1e-5, 2]]])


def test_every_model_is_tested() -> None:
    assert [camera.model for camera in CAMERAS] == list(CAMERA_MODELS)


@every_model
def test_agrees_with_pycolmap(camera: Camera) -> None:
    theirs = pycolmap.Camera(model=camera.model, width=640, height=480, params=list(camera.params))
    points = points_in_view()
    xy = projection.project(camera, points)
    np.testing.assert_allclose(xy, np.asarray(theirs.img_from_cam(points)), atol=1e-10)
    np.testing.assert_allclose(projection.undistort(camera, xy), np.asarray(theirs.cam_from_img(xy)), atol=1e-9)


@every_model
def test_unproject_inverts_project(camera: Camera) -> None:
    points = points_in_view()
    rays = projection.unproject(camera, projection.project(camera, points))
    np.testing.assert_allclose(rays, points / points[:, 2:], atol=1e-12)


@settings(max_examples=200)
@given(
    d=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.05, 0.05), st.floats(-0.01, 0.01), st.floats(-0.01, 0.01)),
    fisheye=st.booleans(),
    x=st.floats(-0.6, 0.6),
    y=st.floats(-0.6, 0.6),
)
def test_round_trip_at_any_distortion(d: tuple[float, ...], fisheye: bool, x: float, y: float) -> None:
    camera = Camera("OPENCV_FISHEYE" if fisheye else "OPENCV", 1000, 1000, (1000.0, 1010.0, 500.0, 490.0, *d))
    xy = projection.project(camera, np.array([[x, y, 1.0]]))
    np.testing.assert_allclose(projection.project(camera, projection.unproject(camera, xy)), xy, atol=1e-9)
    np.testing.assert_allclose(projection.undistort(camera, xy), [[x, y]], atol=1e-10)


@settings(max_examples=200)
@given(
    d=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.3, 0.3), st.floats(-0.01, 0.01), st.floats(-0.01, 0.01)),
    fisheye=st.booleans(),
    share=st.floats(0.0, 0.95),
    angle=st.floats(0, 6.28),
)
def test_round_trip_up_to_the_fold(d: tuple[float, ...], fisheye: bool, share: float, angle: float) -> None:
    along = np.linspace(0, 1.4, 1401)
    r = along if fisheye else np.tan(along)
    radial = d if fisheye else d[:2]
    rising = 1 + sum((2 * i + 3) * k * r ** (2 * i + 2) for i, k in enumerate(radial)) > 0
    # The tangential part moves the fold by about as much as it bends the image.
    until = share * along[np.logical_and.accumulate(rising)][-1]
    a, b = np.tan(until) * np.cos(angle), np.tan(until) * np.sin(angle)
    camera = Camera("OPENCV_FISHEYE" if fisheye else "OPENCV", 1000, 1000, (500.0, 510.0, 500.0, 490.0, *d))
    xy = projection.project(camera, np.array([[a, b, 1.0]]))
    np.testing.assert_allclose(projection.undistort(camera, xy), [[a, b]], atol=1e-9, rtol=1e-9)


@every_model
def test_derivatives_against_finite_differences(camera: Camera) -> None:
    points, step = points_in_view(), 1e-6
    xy, by_point, by_params = projection.project_with_jacobians(camera, points)
    np.testing.assert_array_equal(xy, projection.project(camera, points))
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        ahead, behind = (projection.project(camera, points + sign * shift) for sign in (1, -1))
        np.testing.assert_allclose(by_point[:, :, axis], (ahead - behind) / (2 * step), atol=1e-6)
    for index in range(len(camera.params)):
        shift = step * np.eye(len(camera.params))[index]
        ahead, behind = (
            projection.project(Camera(camera.model, 640, 480, tuple(np.array(camera.params) + sign * shift)), points)
            for sign in (1, -1)
        )
        np.testing.assert_allclose(by_params[:, :, index], (ahead - behind) / (2 * step), atol=1e-6)


@every_model
def test_points_behind_are_infinitely_far(camera: Camera) -> None:
    points = np.array([[0.1, 0.2, -1.0], [0.0, 0.0, 0.0], [0.5, 0.0, -0.0], [0.0, 0.0, 2.0]])
    xy, by_point, by_params = projection.project_with_jacobians(camera, points)
    assert np.isposinf(xy[:3]).all()
    assert np.isfinite(xy[3]).all()
    assert np.isfinite(by_point).all()
    assert np.isfinite(by_params).all()
    errors = np.linalg.norm(xy - 7.0, axis=1)
    assert (errors[:3] > 1e9).all()


def test_pixels_that_no_ray_reaches_stay_finite() -> None:
    folded = Camera("SIMPLE_RADIAL", 640, 480, (300.0, 320.0, 240.0, -0.5))
    wide = Camera("OPENCV_FISHEYE", 640, 480, (100.0, 100.0, 320.0, 240.0, 0.0, 0.0, 0.0, 0.0))
    corners = np.array([[0.0, 0.0], [640.0, 480.0], [5000.0, -300.0]])
    for camera in (folded, wide):
        rays = projection.unproject(camera, corners)
        assert np.isfinite(rays).all()
        np.testing.assert_array_equal(np.sign(rays[:, 0]), [-1, 1, 1])


@every_model
def test_no_points(camera: Camera) -> None:
    assert projection.project(camera, np.empty((0, 3))).shape == (0, 2)
    assert projection.unproject(camera, np.empty((0, 2))).shape == (0, 3)


def test_read_only_and_other_types_are_taken() -> None:
    points = points_in_view().astype(np.float32)
    points.setflags(write=False)
    exact = projection.project(CAMERAS[0], points.astype(np.float64))
    np.testing.assert_array_equal(projection.project(CAMERAS[0], points), exact)
    np.testing.assert_array_equal(projection.project(CAMERAS[0], np.asfortranarray(points)), exact)
