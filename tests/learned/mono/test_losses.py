"""The losses are small where depths are right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diptych.learned.mono.losses import image_difference, laplace, smoothness, warp
from diptych.learned.mono.views import image_tensor, pixel_rays

from .world import World, world


@pytest.fixture(scope="module")
def pair() -> World:
    return world(2)


def photometric_error(pair: World, factor: float) -> float:
    """How unlike the first view is to the second one, warped by the true depth times a factor."""
    first, second = pair.views
    rotation = second.rotation @ first.rotation.T
    pose = np.column_stack([rotation, second.translation - rotation @ first.translation])
    height, width = first.mask.shape
    image, visible = warp(
        image_tensor(second.image),
        torch.from_numpy(pixel_rays(first.camera.matrix, width, height)),
        torch.from_numpy((factor * pair.depths[0]).astype(np.float32)),
        torch.from_numpy((second.camera.matrix @ pose).astype(np.float32)),
    )
    assert visible.float().mean() > 0.5
    return float(image_difference(image_tensor(first.image), image)[visible].mean())


def test_warping_by_the_true_depth_makes_views_alike(pair: World) -> None:
    right = photometric_error(pair, 1.0)
    assert right < 0.5 * photometric_error(pair, 1.3)
    assert right < 0.5 * photometric_error(pair, 0.8)


def test_what_lies_behind_the_source_is_not_visible(pair: World) -> None:
    image = torch.zeros(3, 8, 8)
    behind = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, -5.0]])
    _, visible = warp(image, torch.zeros(2, 8, 8), torch.ones(8, 8), behind)
    assert not visible.any()


def test_an_image_is_not_unlike_itself() -> None:
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert float(image_difference(image, image).abs().max()) < 1e-6
    assert float(image_difference(image, 1 - image).mean()) > 0.3


def test_laplace_is_least_where_the_error_is_foretold() -> None:
    residual, widths = torch.tensor(0.3), torch.linspace(-4, 2, 601)
    least = widths[laplace(residual, widths).argmin()]
    assert float(least) == pytest.approx(np.log(0.3), abs=0.02)


def test_a_step_at_an_edge_costs_less() -> None:
    depth = torch.zeros(8, 8)
    depth[:, 4:] = 1
    edge = torch.zeros(3, 8, 8)
    edge[:, :, 4:] = 1
    assert float(smoothness(torch.ones(8, 8), edge)) == 0
    assert float(smoothness(depth, edge)) < 0.1 * float(smoothness(depth, torch.zeros(3, 8, 8)))
