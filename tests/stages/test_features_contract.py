"""Every implementation of the features slot keeps its promises."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import cv2
import numpy as np
import pytest
from diptych.stages.scene import Features, Photo
from diptych.stages.sift import Sift
from diptych.stages.stage import Context

from tests.synthetic import png

EXTRACTORS = [Sift(), Sift(root=False, max_keypoints=200), Sift(max_size=0)]


@pytest.fixture(scope="module")
def photo() -> Photo:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (60, 80, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    return png(image)


def same(one: Features, other: Features) -> bool:
    fields = (getattr(one, field.name) for field in dataclasses.fields(one))
    others = (getattr(other, field.name) for field in dataclasses.fields(other))
    return all(np.array_equal(a, b) for a, b in zip(fields, others, strict=True))


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_finds_keypoints_inside_the_photo_strongest_first(stage: Any, photo: Photo) -> None:
    features = stage.run(photo, Context())
    assert 100 < len(features) <= stage.max_keypoints
    assert ((features.xy > 0) & (features.xy < [640, 480])).all()
    assert (np.diff(features.score) <= 0).all()
    assert (features.scale > 0).all()
    assert features.descriptors.shape[1] == 128
    lengths = np.linalg.norm(features.descriptors.astype(float), axis=1)
    assert lengths.std() < 0.02 * lengths.mean()


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_same_bytes_on_any_threads_and_after_pickling(stage: Any, photo: Photo) -> None:
    once = stage.run(photo, Context(threads=1))
    assert same(once, stage.run(photo, Context(threads=1)))
    assert same(once, stage.run(photo, Context(threads=2)))
    assert same(once, pickle.loads(pickle.dumps(stage)).run(photo, Context()))


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_a_black_photo_has_no_keypoints_and_a_warning(stage: Any) -> None:
    warnings: list[str] = []
    features = stage.run(png(np.zeros((200, 300), np.uint8)), Context(warn=warnings.append))
    assert len(features) == 0 and features.descriptors.shape == (0, 128) and features.descriptors.dtype == np.uint8
    assert len(warnings) == 1


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (17, 16)], ids=str)
def test_a_tiny_photo_is_no_failure(stage: Any, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert isinstance(stage.run(png(image), Context()), Features)


@pytest.mark.parametrize("stage", EXTRACTORS, ids=str)
def test_a_mask_is_honoured(stage: Any, photo: Photo) -> None:
    mask = np.zeros((480, 640), np.uint8)
    mask[100:300, 200:500] = 255
    features = stage.run(dataclasses.replace(photo, mask=png(mask).encoded), Context())
    assert len(features) > 10
    assert ((features.xy >= [200, 100]) & (features.xy < [500, 300])).all()
