"""Depth maps at other pixels: exact on planes, and no depth between surfaces."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.dense import DepthMap
from diptych.stages.evaluation.depth_resampling import depths_at, where_in_view
from diptych.stages.geometry.projection import project
from diptych.stages.scene import Camera

TRUTH = Camera("PINHOLE", 120, 80, (100.0, 102.0, 58.0, 41.0))


def plane(camera: Camera) -> np.ndarray:
    """Depth of the plane z = 4 + 0.5 x - 0.3 y."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    u, v = (
        ((x - camera.principal_point[0]) / camera.focal_lengths[0]),
        ((y - camera.principal_point[1]) / camera.focal_lengths[1]),
    )
    return 4 / (1 - 0.5 * u + 0.3 * v)


def depth_map(depth: np.ndarray) -> DepthMap:
    return DepthMap(depth, np.zeros((*depth.shape, 3)), depth > 0, np.zeros(depth.shape))


def test_the_same_pixels_give_the_same_map() -> None:
    depth = np.random.default_rng(0).uniform(0, 5, (80, 120)) * (np.arange(120) % 7 > 0)
    found = depths_at(depth_map(depth), where_in_view(TRUTH, TRUTH, TRUTH))
    np.testing.assert_allclose(found.depth, np.float32(depth), rtol=1e-5)
    np.testing.assert_array_equal(found.confidence, depth > 0)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5])
def test_a_plane_in_another_size_stays_exact(scale: float) -> None:
    # The photo is as large as the truth; the view has another size, and only a part of the picture.
    width, height = round(100 * scale), round(70 * scale)
    view = Camera("PINHOLE", width, height, (100 * scale, 102 * scale, 48 * scale, 35 * scale))
    found = depths_at(depth_map(plane(view)), where_in_view(TRUTH, TRUTH, view))
    inside = found.depth > 0
    assert inside.mean() == pytest.approx(100 * 70 / (120 * 80), abs=0.01)
    error = np.abs(found.depth / plane(TRUTH) - 1)[inside]
    # Along the border there is nothing to interpolate with.
    assert np.mean(error < 1e-5) > 0.93 and error.max() < 0.02


def test_distortion_is_followed_to_the_pixel_of_the_photo() -> None:
    photo = Camera("SIMPLE_RADIAL", 240, 160, (200.0, 120.0, 80.0, -0.1))
    truth = Camera("PINHOLE", 120, 80, (90.0, 90.0, 60.0, 40.0))
    xy = where_in_view(truth, photo, Camera("PINHOLE", 300, 200, (210.0, 210.0, 150.0, 100.0)))
    rays = np.concatenate([(xy.reshape(-1, 2) - (150, 100)) / 210, np.ones((120 * 80, 1))], axis=1)
    x, y = np.meshgrid(np.arange(120) + 0.5, np.arange(80) + 0.5)
    np.testing.assert_allclose(project(photo, rays), 2 * np.stack([x.ravel(), y.ravel()], axis=1), atol=1e-6)


def test_a_truth_of_another_shape_is_found_by_its_rays() -> None:
    view = Camera("PINHOLE", 200, 200, (150.0, 150.0, 100.0, 100.0))
    xy = where_in_view(TRUTH, Camera("PINHOLE", 200, 200, (150.0, 150.0, 100.0, 100.0)), view)
    np.testing.assert_allclose(xy[40, 57], [100 + 150 * (57.5 - 58) / 100, 100 + 150 * (40.5 - 41) / 102])


def test_nothing_hangs_between_near_and_far() -> None:
    depth = np.where(np.arange(120) < 60, 2.0, 6.0) * np.ones((80, 1))
    depth[:10] = 0
    xy = np.stack(np.meshgrid(np.linspace(50, 70, 500), np.linspace(5, 15, 40)), axis=-1)
    found = depths_at(depth_map(depth), xy).depth
    assert set(np.unique(found)) == {0.0, 2.0, 6.0}
    np.testing.assert_array_equal(found > 0, xy[..., 1] >= 10)
    assert not depths_at(depth_map(depth), xy + 500).depth.any()
