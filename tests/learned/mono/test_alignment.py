"""Scale, contrast and slope of a network are found within views, whatever the scale of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diptych.learned.mono.aligned_network import AlignedDepth, network_from_vector, parameter_vector, residuals
from diptych.learned.mono.alignment import fit_alignment, fit_scale
from diptych.learned.mono.evaluation import weighted_median
from diptych.learned.mono.network import MonoDepth
from diptych.learned.mono.views import ScaledImage, SparseView

from tests.one_wall import one_wall

CALIBRATION = np.array([[80.0, 0, 48], [0, 80, 36], [0, 0, 1]])


def views(
    network: MonoDepth, contrast: float, slope: float, scales: list[float], noise: float = 0.0
) -> list[SparseView]:
    """Views with a point in every pixel, as deep as the network says, at a contrast, with a slope, at their scales."""
    rng = np.random.default_rng(0)
    made = []
    for scale in scales:
        image = rng.integers(0, 256, (72, 96, 3), np.uint8)
        xy = np.stack(np.meshgrid(np.arange(96) + 0.5, np.arange(72) + 0.5), axis=-1).reshape(-1, 2)
        blank = SparseView(ScaledImage(image, CALIBRATION), xy, np.ones(len(xy)), np.eye(3), np.zeros(3))
        said, _ = residuals(network, blank)
        log_depth = contrast * said + slope * (xy[:, 1] - 36) / 80 + np.log(scale) + noise * rng.laplace(size=len(xy))
        made.append(replace(blank, depth=np.exp(log_depth)))
    return made


def number(parameter: torch.Tensor) -> float:
    return float(parameter.detach())


@pytest.mark.parametrize(("contrast", "slope"), [(1.0, 0.0), (0.4, -0.5), (1.5, 0.3), (-0.6, 0.2)])
def test_contrast_and_slope_are_found_at_any_scales(network: MonoDepth, contrast: float, slope: float) -> None:
    found = fit_alignment(network, views(network, contrast, slope, [2.0, 7.0, 0.3]))
    assert number(found.contrast) == pytest.approx(contrast, abs=1e-3)
    assert number(found.slope) == pytest.approx(slope, abs=1e-3)


def test_points_that_lie_elsewhere_do_not_matter(network: MonoDepth) -> None:
    seen = views(network, 0.7, -0.3, [2.0, 3.0], noise=0.02)
    for view in seen:
        view.depth[np.random.default_rng(1).random(len(view.depth)) < 0.2] *= 4
    found = fit_alignment(network, seen)
    assert number(found.contrast) == pytest.approx(0.7, abs=0.02)
    assert number(found.slope) == pytest.approx(-0.3, abs=0.02)


def test_the_median_ratio_of_depths_is_one(network: MonoDepth) -> None:
    seen = views(network, 0.7, -0.3, [2.0, 2.2, 5.0], noise=0.02)
    found = fit_alignment(network, seen)
    left = [residuals(found, view)[0] for view in seen]
    assert np.median(np.concatenate(left)) == pytest.approx(0, abs=1e-3)
    assert np.median(left[0]) - np.median(left[2]) == pytest.approx(np.log(5 / 2), abs=0.02)


def test_one_that_says_the_same_of_every_pixel_keeps_its_contrast() -> None:
    found = fit_alignment(one_wall(), views(one_wall(), 1.0, 0.4, [3.0]))
    assert number(found.contrast) == 1.0
    assert number(found.slope) == pytest.approx(0.4, abs=1e-3)
    assert number(found.log_scale.exp()) == pytest.approx(3.0, rel=1e-3)


def test_with_a_contrast_of_one_it_is_the_network_itself(network: MonoDepth) -> None:
    (seen,) = views(network, 1.0, 0.0, [1.0])
    for own, bare in zip(residuals(AlignedDepth(network), seen), residuals(network, seen), strict=True):
        assert np.array_equal(own, bare)


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0])
def test_of_the_median_of_every_image_the_distance_is_kept(network: MonoDepth, distance: float) -> None:
    """The median over pixels weighted by how sure the network is of them."""
    brightness = torch.tensor([0.2, 1.0, 3.0, 9.0])[:, None, None, None]
    image, rays = torch.rand(4, 3, 40, 64) ** brightness, torch.zeros(4, 2, 40, 64)
    with torch.inference_mode():
        read, log_error = (each.double().numpy() for each in network(image, rays))
        found = AlignedDepth(network, scale=3.0, distance=distance)(image, rays)[0].numpy()
    medians = [weighted_median(a.ravel(), np.exp(-b).ravel()) for a, b in zip(read, log_error, strict=True)]
    assert np.ptp(medians) > 0.01
    without = (1 - distance) * np.array(medians)[:, None, None]
    assert found == pytest.approx(read - without + np.log(3), abs=1e-5)


def test_a_fitted_network_says_nothing_of_the_distance(network: MonoDepth) -> None:
    seen = views(network, 0.7, -0.3, [2.0, 7.0, 0.3])
    assert number(fit_alignment(network, seen).distance) == 0.0
    assert number(fit_scale(network, seen).distance) == 1.0


def test_comes_back_from_its_numbers(network: MonoDepth) -> None:
    given = AlignedDepth(network, 0.5, 0.2, 3.0, 0.25)
    given.multiply_error(2.0)
    (seen,) = views(network, 1.0, 0.0, [1.0])
    for again, before in zip(
        residuals(network_from_vector(parameter_vector(given)), seen), residuals(given, seen), strict=True
    ):
        assert np.array_equal(again, before)
    assert number(given.log_doubt.exp()) == pytest.approx(2.0)
