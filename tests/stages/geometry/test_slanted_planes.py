"""Slanted planes: from depth and normal and back, filled and enlarged without a bend."""

from __future__ import annotations

import numpy as np
from diptych.stages.geometry.slanted_planes import enlarge, fill, normals_of, parts, planes_from
from diptych.stages.scene import Camera
from hypothesis import given, settings
from hypothesis import strategies as st

CAMERA = Camera("PINHOLE", 24, 16, (30.0, 28.0, 11.3, 8.9))


def wall(normal: np.ndarray, distance: float, camera: Camera = CAMERA) -> np.ndarray:
    """z of the plane n·X = -d in every pixel."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.matrix).T
    return -distance / (rays @ normal)


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.1, 100))
def test_depth_and_normal_make_the_plane_and_come_back(a: float, b: float, distance: float) -> None:
    normal = np.array([a, b, -1.0]) / np.linalg.norm([a, b, -1.0])
    depth = wall(normal, distance)
    planes = planes_from(depth, np.broadcast_to(normal, (*depth.shape, 3)), CAMERA)
    assert np.allclose(planes[..., 0], 1 / depth)
    assert np.allclose(planes[:, :-1, 0] + planes[:, :-1, 1], planes[:, 1:, 0])
    assert np.allclose(planes[:-1, :, 0] + planes[:-1, :, 2], planes[1:, :, 0])
    assert np.allclose(normals_of(planes, CAMERA), normal)


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.integers(1, 3))
def test_a_plane_stays_a_plane_when_it_is_enlarged(a: float, b: float, more: int) -> None:
    normal = np.array([a, b, -1.0]) / np.linalg.norm([a, b, -1.0])
    planes = planes_from(wall(normal, 5.0), np.broadcast_to(normal, (16, 24, 3)), CAMERA)
    height, width = 32 + more, 48 + more
    fx, fy, cx, cy = CAMERA.params
    across, down = width / 24, height / 16
    larger = Camera("PINHOLE", width, height, (fx * across, fy * down, cx * across, cy * down))
    enlarged = enlarge(planes, height, width)
    assert np.allclose(enlarged[..., 0], 1 / wall(normal, 5.0, larger))
    assert np.allclose(normals_of(enlarged, larger), normal)


@given(st.integers(1, 50), st.integers(1, 50))
def test_every_fine_pixel_is_part_of_a_coarse_one(coarse: int, more: int) -> None:
    of = parts(coarse + more, coarse)
    assert (np.diff(of) >= 0).all()
    assert of.min() >= 0
    assert of.max() == coarse - 1


def test_gaps_are_filled_flat_from_the_nearest() -> None:
    planes = np.zeros((5, 6, 3))
    planes[:, 0], planes[:, 5] = (1.0, 0.1, 0.2), (2.0, 0.3, 0.4)
    known = planes[..., 0] > 0
    filled = fill(planes, known)
    assert (filled[known] == planes[known]).all()
    assert (filled[:, 1:3] == (1.0, 0.0, 0.0)).all()
    assert (filled[:, 3:5] == (2.0, 0.0, 0.0)).all()


def test_a_pixel_without_depth_has_no_plane_and_one_without_normal_faces_the_camera() -> None:
    depth = np.array([[0.0, 4.0]])
    camera = Camera("PINHOLE", 2, 1, (10.0, 10.0, 1.0, 0.5))
    planes = planes_from(depth, np.zeros((1, 2, 3)), camera)
    assert planes.tolist() == [[[0.0, 0.0, 0.0], [0.25, 0.0, 0.0]]]
