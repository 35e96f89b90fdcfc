"""Normals of depth maps whose surfaces are known."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.geometry.depth_normals import normals_from_depth
from diptych.stages.scene import Camera

CAMERA = Camera("PINHOLE", 160, 120, (192.0, 190.0, 81.3, 59.3))


def rays() -> np.ndarray:
    x, y = np.meshgrid(np.arange(CAMERA.width) + 0.5, np.arange(CAMERA.height) + 0.5)
    return np.dstack([x, y, np.ones_like(x)]) @ np.linalg.inv(CAMERA.matrix).T


def plane(normal: np.ndarray, distance: float) -> np.ndarray:
    """Depth of the plane n·X = -d, for a normal that faces the camera."""
    return -distance / (rays() @ normal)


def unit(*vector: float) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def degrees(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((found * true).sum(axis=-1), -1, 1)))


@pytest.mark.parametrize("normal", [(0, 0, -1), (0.8, 0, -1), (-0.5, 1.2, -1), (0, -1.5, -1)])
@pytest.mark.parametrize("distance", [0.01, 5.0, 3000.0])
def test_a_slanted_plane_of_any_scale(normal: tuple[float, ...], distance: float) -> None:
    found = normals_from_depth(plane(unit(*normal), distance), CAMERA)
    assert found.dtype == np.float32 and found.shape == (120, 160, 3)
    assert degrees(found, unit(*normal)).max() < 2.5


def test_noise_leaves_them_within_some_degrees() -> None:
    true = unit(0.6, 0.3, -1)
    noise = 1 + np.random.default_rng(0).normal(0, 0.001, (120, 160))
    error = degrees(normals_from_depth(plane(true, 4) * noise, CAMERA), true)
    # 0.1 % of depth over seven pixels at a focal length of 190 pixels.
    assert 0.2 < np.median(error) < 2


def test_an_edge_does_not_bend_them() -> None:
    left, right = unit(0.5, 0, -1), unit(-0.3, 0.4, -1)
    split = np.arange(160) < 70
    depth = np.where(split, plane(left, 3), plane(right, 5))
    found = normals_from_depth(depth, CAMERA)
    assert degrees(found, np.where(split[None, :, None], left, right)).max() < 3


def test_holes_have_none_and_their_rims_do() -> None:
    true = unit(0.4, -0.2, -1)
    depth = plane(true, 2)
    depth[40:60, 50:90] = 0
    depth[10, ::2] = 0
    found = normals_from_depth(depth, CAMERA)
    assert not found[depth == 0].any()
    has = depth > 0
    assert np.allclose(np.linalg.norm(found[has], axis=-1), 1, atol=1e-6)
    assert degrees(found[has], true).max() < 3
    assert ((found * rays()).sum(axis=-1)[has] < 0).all()
    assert not normals_from_depth(np.zeros((120, 160)), CAMERA).any()
