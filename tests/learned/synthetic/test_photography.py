from __future__ import annotations

import pytest
import torch
from diptych.learned.synthetic import photography
from diptych.learned.synthetic.draws import generator


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Two smooth pictures with an edge, sizes no multiple of 8."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 45), torch.linspace(0, 1, 61), indexing="ij")
    red = 0.5 + 0.3 * torch.sin(7 * x + 3 * y)
    return torch.stack([torch.stack([red, 0.8 * x, (y > 0.4) * 0.5 + 0.2]), torch.stack([x, y, red])])


def test_exposure_brings_the_reference_to_middle_gray_and_keeps_ratios(images: torch.Tensor) -> None:
    exposed = photography.expose(images * 7, torch.tensor([1.0, 1.5]))
    assert exposed[0].mean().item() == pytest.approx(0.22, rel=1e-4)
    ratio = (exposed[1].mean() / exposed[0].mean()) / (images[1].mean() / images[0].mean())
    assert ratio.item() == pytest.approx(1.5, rel=1e-4)


def test_white_balance_scales_each_color_of_each_view(images: torch.Tensor) -> None:
    gains = torch.tensor([[1.1, 1.0, 0.9], [1.0, 0.8, 1.2]])
    balanced = photography.white_balance(images, gains)
    torch.testing.assert_close(balanced.mean(dim=(2, 3)), images.mean(dim=(2, 3)) * gains)


def test_vignette_darkens_the_corners_only() -> None:
    made = photography.vignette(torch.ones(1, 3, 33, 41), 0.3)
    assert made[0, 0, 16, 20] == 1
    assert made[0, 0, 0, 0].item() == pytest.approx(0.7)


@pytest.mark.parametrize("sigma", [0.4, 0.8, 1.5])
def test_blur_widens_a_point_by_its_sigma_and_keeps_the_light(sigma: float) -> None:
    point = torch.zeros(2, 3, 31, 31)
    point[:, :, 15, 15] = 1
    made = photography.blur(point, [sigma, 0.01])
    torch.testing.assert_close(made.sum(dim=(2, 3)), torch.ones(2, 3))
    at = torch.arange(31) - 15.0
    spread = (made[0, 0].sum(dim=0) * at * at).sum().sqrt().item()
    assert spread == pytest.approx(sigma, rel=0.03)
    torch.testing.assert_close(made[1], point[1], atol=1e-3, rtol=0)


def test_development_rises_everywhere_and_ends_at_white() -> None:
    light = torch.linspace(0, 6, 500).expand(1, 3, 1, -1)
    made = photography.develop(light)[0, 0, 0]
    assert (made.diff() >= 0).all()
    assert made[0] < 0.01
    assert 0.99 < made[-1] <= 1
    assert photography.develop(torch.full((1, 3, 1, 1), 0.22)).mean().item() == pytest.approx(
        0.22 ** (1 / 2.2), abs=1e-4
    )


def test_sharpening_steepens_edges_and_leaves_flat_places(images: torch.Tensor) -> None:
    made = photography.sharpen(images, 0.8)
    assert made[0, 2].diff(dim=0).abs().max() > images[0, 2].diff(dim=0).abs().max()
    assert (made[0, 2, :10] - images[0, 2, :10]).abs().max() < 1e-5


def test_grain_has_the_strength_asked_for() -> None:
    gray = torch.full((2, 3, 96, 96), 0.5)
    made = photography.grain(generator(3), gray, 0.02)
    assert abs((made - gray).mean().item()) < 1e-3
    assert (made - gray).std().item() == pytest.approx(0.02, rel=0.15)


def test_jpeg_loses_little_at_high_quality_and_more_below(images: torch.Tensor) -> None:
    errors = [(photography.jpeg(images, quality) - images).square().mean().sqrt().item() for quality in (97, 80, 40)]
    assert errors[0] < 0.012
    assert errors[0] < errors[1] < errors[2] < 0.08


def test_jpeg_keeps_a_gray_picture_gray() -> None:
    made = photography.jpeg(torch.full((1, 3, 24, 24), 0.5), 50)
    assert (made - 0.5).abs().max() < 0.02


def test_a_photograph_has_eight_bits_and_about_the_same_look(images: torch.Tensor) -> None:
    made = photography.photograph(generator(1), images)
    assert made.shape == images.shape
    torch.testing.assert_close(made * 255, (made * 255).round())
    assert torch.equal(made, photography.photograph(generator(1), images))
    plain = photography.develop(photography.expose(images, torch.ones(2)))
    correlation = torch.corrcoef(torch.stack([made.flatten(), plain.flatten()]))[0, 1]
    assert correlation > 0.8
