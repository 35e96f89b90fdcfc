"""Values between pixels: exact for what a quadratic tells, constant beyond the border, the same by every way."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.geometry.interpolation import cut, cut_upright, interpolate
from hypothesis import given, settings
from hypothesis import strategies as st

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 31), np.uint8)
within = st.floats(2.0, 20.0)
anywhere = st.floats(-40.0, 60.0)


@settings(deadline=None)
@given(within, within)
def test_a_quadratic_is_met_between_its_pixels(x: float, y: float) -> None:
    def value(u: np.ndarray | float, v: np.ndarray | float) -> np.ndarray | float:
        return 0.3 * u**2 - 0.2 * u * v + 0.1 * v**2 + 2.0 * u - v + 50.0

    v, u = np.mgrid[:24, :24].astype(np.float64)
    image = np.asarray(value(u, v), np.float32)
    assert interpolate(image, x, y) == pytest.approx(value(x, y), abs=1e-3)


@settings(deadline=None)
@given(anywhere, anywhere)
def test_the_border_goes_on(x: float, y: float) -> None:
    assert interpolate(IMAGE, x, y) == pytest.approx(interpolate(np.pad(IMAGE, 80, "edge"), x + 80, y + 80), abs=1e-2)


@settings(deadline=None)
@given(anywhere, anywhere, st.floats(0.5, 3.0), st.sampled_from([5, 8, 21]))
def test_an_upright_patch_is_cut_alike_by_both_ways(x: float, y: float, step: float, size: int) -> None:
    one, other = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    cut(IMAGE, np.array([x, y]), step * np.eye(2), one)
    cut_upright(IMAGE, np.array([x, y]), step, other)
    np.testing.assert_allclose(one, other, atol=0.01)
