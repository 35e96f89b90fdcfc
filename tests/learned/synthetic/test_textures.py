from __future__ import annotations

import pytest
import torch
from diptych.learned.synthetic import textures
from diptych.learned.synthetic.draws import generator
from diptych.learned.synthetic.textures import texture

FIELDS = [
    textures.fractal,
    textures.dead_leaves,
    textures.masonry,
    textures.stones,
    textures.waves,
    textures.checks,
    textures.strokes,
    textures.lines,
    textures.speckle,
    textures.flat,
]


@pytest.mark.parametrize("number", range(6))
def test_a_texture_is_a_picture_and_always_the_same(number: int) -> None:
    one = texture(generator(number), 64)
    assert one.shape == (3, 64, 64)
    assert one.dtype == torch.float32
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, texture(generator(number), 64))
    assert not torch.equal(one, texture(generator(number + 100), 64))


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.__name__)
def test_a_field_lies_between_0_and_1_and_has_no_seam(field: textures.Field) -> None:
    for number in range(8):
        made = field(generator(number), 64, torch.device("cpu"))
        assert made.shape == (64, 64)
        assert made.min() >= 0
        assert made.max() <= 1
        for axis in (0, 1):
            # The step over the edge is no larger than the largest inside, such as that over a joint.
            steps = (made.roll(-1, axis) - made).abs().mean(dim=1 - axis)
            assert steps[63] < 1.6 * steps[:63].max() + 0.05


def test_spectrum_of_fractal_noise_falls_as_asked() -> None:
    amplitudes = []
    for number in range(8):
        field = textures.fractal(generator(number, 5), 128, torch.device("cpu"), 1.0)
        power = torch.fft.rfft2(torch.logit(field.clamp(1e-4, 1 - 1e-4))).abs()
        amplitudes.append([power[0, 3:6].mean().item(), power[0, 24:48].mean().item()])
    low, high = torch.tensor(amplitudes).mean(dim=0).tolist()
    # Nine times the frequency: about a ninth of the amplitude, half of the times stretched along one axis.
    assert 4 < low / high < 18
