"""Yards and rooms: seen from where a person stands, with what stands behind them."""

from __future__ import annotations

import pytest
import torch
from diptych.learned.synthetic.layouts import THINGS, Kind
from diptych.learned.synthetic.places import PLACES, room, yard
from diptych.learned.synthetic.scenes import Sample, sample

NUMBERS = range(16)


def made(kind: Kind) -> list[Sample]:
    return [sample(number, seed=7, views=2, depth_views=2, width=64, height=48, mix={kind: 1.0}) for number in NUMBERS]


@pytest.fixture(scope="module")
def yards() -> list[Sample]:
    return made(yard)


@pytest.fixture(scope="module")
def rooms() -> list[Sample]:
    return made(room)


def test_the_default_mix_has_things_only() -> None:
    one = sample(3, seed=5, views=1, width=64, height=48)
    other = sample(3, seed=5, views=1, width=64, height=48, mix=THINGS)
    assert torch.equal(one.images, other.images)
    assert THINGS.keys() < PLACES.keys()
    assert sum(PLACES.values()) == pytest.approx(1)


def test_a_room_is_closed_and_a_yard_lies_under_the_sky(yards: list[Sample], rooms: list[Sample]) -> None:
    sky = [float((each.depth[:, :12] == 0).float().mean()) for each in yards]
    assert 0.2 < sum(sky) / len(sky) < 0.9
    # Some rooms have a side without a wall.
    assert sum(bool((each.depth > 0).all()) for each in rooms) > len(rooms) // 2


def test_the_ground_comes_nearer_towards_the_lower_rim(yards: list[Sample], rooms: list[Sample]) -> None:
    for scenes in (yards, rooms):
        below = [float(each.depth[:, -1][each.depth[:, -1] > 0].median()) for each in scenes]
        middle = [float(each.depth[:, 24][each.depth[:, 24] > 0].median()) for each in scenes]
        nearer = [low < level for low, level in zip(below, middle, strict=True)]
        assert sum(nearer) > 0.8 * len(nearer)


def test_nothing_stands_at_the_camera(yards: list[Sample], rooms: list[Sample]) -> None:
    for each in (*yards, *rooms):
        known = each.depth[each.depth > 0]
        assert len(known) > 0.3 * each.depth.numel()
        assert float(known.min()) > 0.02 * float(known.median())
