"""Every implementation of the features slot keeps its promises."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.disk import Disk
from diptych.learned.features.xfeat import XFeat
from diptych.stages.features.sift import Sift
from diptych.stages.scene import Features, Photo
from diptych.stages.stage import Context
from diptych.testing import check_stage

from tests.plugins import if_installed
from tests.synthetic import png

LENGTHS = {Sift: 128, Aliked: 128, Disk: 128, XFeat: 64}

EXTRACTORS = [
    Sift(),
    Sift(root=False, max_keypoints=200),
    Sift(max_size=0),
    if_installed(Aliked(max_size=200)),
    if_installed(Disk(max_size=160)),
    if_installed(XFeat(max_keypoints=200)),
]


@pytest.fixture(scope="module")
def photo() -> Photo:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (30, 40, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    return png(image)


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_finds_keypoints_inside_the_photo_strongest_first(stage: Any, photo: Photo) -> None:
    features = stage.run(photo, Context())
    assert 100 < len(features) <= stage.max_keypoints
    assert ((features.xy > 0) & (features.xy < [320, 240])).all()
    assert (np.diff(features.score) <= 0).all()
    assert (features.scale > 0).all()
    assert features.descriptors.shape[1] == LENGTHS[type(stage)]
    lengths = np.linalg.norm(features.descriptors.astype(float), axis=1)
    assert lengths.std() < 0.02 * lengths.mean()


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_keeps_the_contract(stage: Any, photo: Photo) -> None:
    check_stage(stage, photo=photo)


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_a_black_photo_has_no_keypoints_and_a_warning(stage: Any) -> None:
    warnings: list[str] = []
    features = stage.run(png(np.zeros((200, 300), np.uint8)), Context(warn=warnings.append))
    assert len(features) == 0 and features.descriptors.shape == (0, LENGTHS[type(stage)])
    assert features.descriptors.dtype == (np.uint8 if isinstance(stage, Sift) else np.float32)
    assert len(warnings) == 1


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (17, 16)], ids=str)
def test_a_tiny_photo_is_no_failure(stage: Any, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert isinstance(stage.run(png(image), Context()), Features)


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_a_mask_is_honoured(stage: Any, photo: Photo) -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[50:150, 100:250] = 255
    features = stage.run(dataclasses.replace(photo, mask=png(mask).encoded), Context())
    assert len(features) > 10
    assert ((features.xy >= [100, 50]) & (features.xy < [250, 150])).all()
