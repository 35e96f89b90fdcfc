"""MonoDepth: any size, any batch, small."""

from __future__ import annotations

import pytest
import torch
from diptych.learned.mono.network import MonoDepth


def inputs(count: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, height, width, generator=draw), torch.rand(count, 2, height, width, generator=draw)


@pytest.mark.parametrize("size", [(64, 96), (37, 51), (1, 1), (33, 200)])
def test_any_size(network: MonoDepth, size: tuple[int, int]) -> None:
    log_depth, log_error = network(*inputs(2, *size))
    assert log_depth.shape == log_error.shape == (2, *size)
    assert log_depth.isfinite().all()
    assert log_error.isfinite().all()


def test_an_image_does_not_depend_on_the_rest_of_the_batch(network: MonoDepth) -> None:
    image, rays = inputs(3, 64, 64)
    with torch.inference_mode():
        together, alone = network(image, rays)[0][1], network(image[1:2], rays[1:2])[0][0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_directions_count(network: MonoDepth) -> None:
    image, rays = inputs(1, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(network(image, rays)[0], network(image, 2 * rays)[0], atol=1e-4)


def test_a_pixel_that_belongs_to_one_plane_lies_on_it() -> None:
    network, floor = MonoDepth().eval(), (1.2, -0.3, 0.5)
    guess = network.planes[-1]
    assert isinstance(guess, torch.nn.Linear)
    assert network.head.bias is not None
    with torch.no_grad():
        guess.bias.view(-1, 3)[2] = torch.tensor(floor)
        # Behind depth and error stand the planes: this one is chosen everywhere.
        network.head.bias[2 + 2] = 50.0
        image, rays = inputs(1, 64, 64)
        inverse = torch.exp(-network(image, rays)[0][0])
    expected = floor[0] + floor[1] * rays[0, 0] + floor[2] * rays[0, 1]
    assert float((inverse - expected).abs().max()) < 0.03


def test_planes_never_lie_behind_the_camera() -> None:
    network = MonoDepth().eval()
    with torch.inference_mode():
        log_depth, _ = network(torch.zeros(1, 3, 32, 32), torch.full((1, 2, 32, 32), -9.0))
    assert log_depth.isfinite().all()


def test_it_is_small(network: MonoDepth) -> None:
    assert sum(each.numel() for each in network.parameters()) < 1_000_000
