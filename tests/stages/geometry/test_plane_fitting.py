"""Local planes: exact on a plane, sharp at an edge, and normals that face the camera."""

from __future__ import annotations

import numpy as np
from diptych.stages.geometry.plane_fitting import fit_planes
from diptych.stages.geometry.slanted_planes import normals_of
from diptych.stages.scene import Camera
from hypothesis import given, settings
from hypothesis import strategies as st

MATRIX = np.array([[50.0, 0, 21.0], [0, 48.0, 14.0], [0, 0, 1]])
SHAPE = (30, 40)


def plane(normal: np.ndarray, distance: float) -> np.ndarray:
    """Inverse depth of the plane n·X = d, shape (H, W)."""
    pixels = np.stack([*np.meshgrid(np.arange(SHAPE[1]) + 0.5, np.arange(SHAPE[0]) + 0.5), np.ones(SHAPE)], axis=-1)
    return (pixels @ np.linalg.inv(MATRIX).T @ normal / distance).astype(np.float32)


def fit(inverse: np.ndarray, *, tolerance: float, slope: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fitted, gradient, support = np.empty_like(inverse), np.empty((*SHAPE, 2), np.float32), np.empty_like(inverse)
    one = np.ones_like(inverse)
    fit_planes(0, 3, 10, inverse, one, one, 3, 1, np.float32(tolerance), np.float32(slope), fitted, gradient, support)
    return fitted, gradient, support


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.5, 50))
def test_a_plane_stays_and_its_normal_comes_out(a: float, b: float, distance: float) -> None:
    normal = np.array([a, b, 1]) / np.linalg.norm([a, b, 1])
    inverse = plane(normal, distance)
    fitted, gradient, _ = fit(inverse, tolerance=1 / distance)
    assert np.allclose(fitted, inverse, rtol=0.01)
    assert np.allclose(fitted[3:-3, 3:-3], inverse[3:-3, 3:-3], rtol=1e-4)
    # The little spread that steadies a fit flattens the gradient by about a hundredth.
    camera = Camera("PINHOLE", SHAPE[1], SHAPE[0], (*MATRIX.diagonal()[:2], *MATRIX[:2, 2]))
    assert (normals_of(np.dstack([fitted, gradient]), camera) @ -normal > np.cos(np.radians(2))).all()


def test_noise_is_averaged() -> None:
    truth = plane(np.array([0.3, 0.2, 0.9]), 5.0)
    noise = np.random.default_rng(0).normal(0, 0.002, SHAPE).astype(np.float32)
    fitted, _, support = fit(truth + noise, tolerance=0.05)
    # A plane through 49 pixels leaves a seventh of the noise in its middle.
    assert 0.12 < np.std((fitted - truth)[3:-3, 3:-3]) / 0.002 < 0.2
    assert support.min() > 0.5


def test_a_step_stays_a_step() -> None:
    inverse = plane(np.array([0.0, 0, 1]), 5.0)
    inverse[:, 20:] *= 1.5
    fitted, _, support = fit(inverse, tolerance=0.02)
    assert np.allclose(fitted, inverse, rtol=1e-5)
    assert np.allclose(support[15, [10, 19, 20, 30]], [1, 4 / 7, 4 / 7, 1], atol=1e-5)


def test_a_pixel_alone_is_left_as_it_is() -> None:
    inverse = plane(np.array([0.0, 0, 1]), 5.0)
    inverse[10, 10] = 9.0
    fitted, gradient, support = fit(inverse, tolerance=0.02)
    assert fitted[10, 10] == 9
    assert not gradient[10, 10].any()
    assert support[10, 10] == np.float32(1 / 49)
