"""Where learned detectors place keypoints: at the same place in the photo at any size, pixel centers at halves."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.disk import Disk
from diptych.learned.features.xfeat import XFeat
from diptych.stages.scene import Features
from diptych.stages.stage import Context
from scipy.spatial import KDTree

from tests.plugins import if_installed
from tests.synthetic import png

each = pytest.mark.parametrize(
    "stage", [if_installed(Aliked()), if_installed(Disk()), if_installed(XFeat())], ids=lambda each: type(each).__name__
)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Blobs of many sizes, 160x128."""
    rng = np.random.default_rng(0)
    octaves = [rng.normal(size=(n, n * 5 // 4)) for n in (8, 16, 32)]
    summed = sum(cv2.resize(octave, (160, 128), interpolation=cv2.INTER_CUBIC) for octave in octaves)
    return np.clip(128 + 40 * np.asarray(summed), 0, 255).astype(np.uint8)


def find(stage: Any, image: np.ndarray) -> Features:
    return stage.run(png(image), Context())


@each
def test_a_photo_with_every_pixel_doubled_has_the_same_keypoints_at_twice_the_place(
    stage: Any, image: np.ndarray
) -> None:
    plain = find(stage, image)
    doubled = find(dataclasses.replace(stage, max_size=160), np.repeat(np.repeat(image, 2, axis=0), 2, axis=1))
    assert len(plain) == len(doubled) > 20
    np.testing.assert_allclose(doubled.xy, 2 * plain.xy, atol=1e-3)
    assert (plain.scale == 1).all() and (doubled.scale == 2).all()
    assert (doubled.descriptors == plain.descriptors).all()


@each
def test_keypoints_move_with_the_photo(stage: Any, image: np.ndarray) -> None:
    whole, cut = find(stage, np.tile(image, (2, 2))), find(stage, np.tile(image, (2, 2))[32:, 32:])
    distance, nearest = KDTree(whole.xy - 32).query(cut.xy)
    same = distance < 1.5
    assert same.mean() > 0.7
    assert np.abs((cut.xy - whole.xy[nearest] + 32)[same].mean(axis=0)).max() < 0.05


@each
def test_sides_that_no_network_likes_shift_nothing(stage: Any, image: np.ndarray) -> None:
    even = find(stage, image)
    odd = find(stage, cv2.copyMakeBorder(image, 0, 3, 0, 5, cv2.BORDER_REFLECT))
    distance, nearest = KDTree(odd.xy).query(even.xy)
    same = distance < 1.5
    assert same.mean() > 0.4
    assert np.abs((odd.xy[nearest] - even.xy)[same].mean(axis=0)).max() < 0.1


@pytest.mark.parametrize("stage", [if_installed(Disk()), if_installed(XFeat())], ids=lambda each: type(each).__name__)
def test_whole_pixels_are_centers(stage: Any, image: np.ndarray) -> None:
    assert (find(stage, image).xy % 1 == 0.5).all()


@if_installed(Aliked()).marks[0]
def test_a_maximum_of_aliked_lies_in_its_pixel(image: np.ndarray) -> None:
    """The soft maximum moves a keypoint from the center of a pixel to either side alike."""
    offset = find(Aliked(detection_threshold=0.05), image).xy % 1 - 0.5
    assert np.abs(offset.mean(axis=0)).max() < 0.12
