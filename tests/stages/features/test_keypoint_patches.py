"""Patches show what is around a keypoint, at its scale."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from diptych.stages.features.keypoint_patches import KeypointPatches
from diptych.stages.scene import Tracks

from tests.synthetic import blob_photo, keypoints, png
from tests.synthetic_patches import CAMERA, PHOTOS

CENTERS = np.array([[100.3, 80.7], [300.0, 200.5], [500.9, 400.1]])


def tracks_of(keypoint: list[int]) -> Tracks:
    return Tracks(np.arange(len(keypoint)), np.zeros(len(keypoint)), np.array(keypoint))


@pytest.mark.parametrize(("scale", "step"), [(0.7, 1.0), (2.0, 2.0), (6.5, 6.5)])
def test_a_blob_lies_in_the_middle_at_the_scale_of_its_keypoint(scale: float, step: float) -> None:
    photo = blob_photo(CENTERS, 3 * step, (CAMERA.width, CAMERA.height))
    features = dataclasses.replace(keypoints(CENTERS), scale=np.full(3, scale))
    patches = KeypointPatches().run("a.png", PHOTOS, photo, features, tracks_of([0, 1, 2]))
    np.testing.assert_array_equal(patches.affine, np.tile(step * np.eye(2), (3, 1, 1)))
    light = patches.gray.astype(float) - 60
    steps = np.arange(21) - 10.0
    total = light.sum(axis=(1, 2))
    for axis in (1, 2):
        along = light.sum(axis=3 - axis)
        middle = along @ steps / total
        assert np.abs(middle).max() < 0.1
        spread = np.sqrt(along @ steps**2 / total)
        np.testing.assert_allclose(spread, 3, atol=0.3)


def test_only_keypoints_in_tracks_have_one_in_their_order() -> None:
    photo = blob_photo(CENTERS, 3.0, (CAMERA.width, CAMERA.height))
    tracks = Tracks(*np.array([[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], [2, 0, 0, 1, 1, 2]]))
    patches = KeypointPatches(size=15).run("a.png", PHOTOS, photo, keypoints(CENTERS), tracks)
    np.testing.assert_array_equal(patches.keypoint, [0, 1, 2])
    np.testing.assert_allclose(patches.xy, CENTERS, atol=1e-4)
    assert patches.gray.shape == (3, 15, 15)
    other = KeypointPatches().run("b.png", PHOTOS, photo, keypoints(CENTERS), tracks_of([0]))
    assert len(other) == 0 and other.gray.shape == (0, 21, 21)


def test_beyond_the_photo_its_border_goes_on() -> None:
    image = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    patches = KeypointPatches().run("a.png", PHOTOS, png(image), keypoints(np.array([[0.5, 0.5]])), tracks_of([0]))
    np.testing.assert_array_equal(patches.gray[0, :, :11], 0)
    np.testing.assert_array_equal(patches.gray[0, :, 10:], np.tile(image[0, :11], (21, 1)))
