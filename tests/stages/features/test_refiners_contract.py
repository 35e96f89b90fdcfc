"""Every implementation of a feature refiner keeps its promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from diptych.learned.refiner.stage import SubpixelRefiner
from diptych.stages.features.least_squares_matching import LeastSquaresMatching
from diptych.stages.features.unrefined import Unrefined
from diptych.stages.scene import Features, Patches, Tracks
from diptych.stages.stage import Context
from diptych.testing import check_stage

from tests.contract import taken
from tests.synthetic import keypoints
from tests.synthetic_patches import PHOTOS, Seen, seen_twice

MOVERS = [LeastSquaresMatching(), SubpixelRefiner()]
REFINERS = [Unrefined(), *MOVERS]
each_refiner = pytest.mark.parametrize("stage", REFINERS, ids=lambda stage: type(stage).__name__)
each_mover = pytest.mark.parametrize("stage", MOVERS, ids=lambda stage: type(stage).__name__)


def inputs(stage: Any, seen: Seen, patches: Sequence[Patches] | None = None) -> list[dict[str, Any]]:
    """The inputs of each photo."""
    given = {"photos": PHOTOS, "tracks": seen.tracks, "patches": patches or seen.patches}
    return [
        taken(stage, {**given, "name": name, "features": features})
        for name, features in zip(PHOTOS.names, seen.features, strict=True)
    ]


def refine(stage: Any, seen: Seen, patches: Sequence[Patches] | None = None) -> list[Features]:
    context = taken(stage, {"context": Context()})
    return [stage.run(**given, **context) for given in inputs(stage, seen, patches)]


def errors(seen: Seen, features: list[Features]) -> np.ndarray:
    """How far each point is from where it should be, given where the other photo has it, in pixels of the second."""
    moved = [each.xy.astype(np.float64) for each in features]
    one, other = (each.xy.astype(np.float64) for each in seen.features)
    if not np.array_equal(moved[0], one):
        # The second view was fixed: the first moved to it, by the same plane.
        design = np.column_stack([seen.exact, np.ones(len(one))])
        to_first = np.linalg.lstsq(design, one, rcond=None)[0]
        return np.linalg.norm(moved[0] - np.column_stack([other, np.ones(len(other))]) @ to_first, axis=1)
    return np.linalg.norm(moved[1] - seen.exact, axis=1)


@each_refiner
def test_only_positions_change_and_not_far(stage: Any) -> None:
    seen = seen_twice(1.0)
    for before, after in zip(seen.features, refine(stage, seen), strict=True):
        assert np.abs(after.xy - before.xy).max() < 8
        for field in dataclasses.fields(Features):
            if field.name != "xy":
                assert np.array_equal(getattr(before, field.name), getattr(after, field.name))


@each_refiner
def test_one_view_of_a_track_stays(stage: Any) -> None:
    seen = seen_twice(0.5)
    moved = np.stack(
        [(after.xy != before.xy).any(axis=1) for before, after in zip(seen.features, refine(stage, seen), strict=True)]
    )
    assert not moved.all(axis=0).any()


@each_refiner
def test_keeps_the_contract(stage: Any) -> None:
    for given in inputs(stage, seen_twice(0.5)):
        check_stage(stage, **given)


@each_mover
@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_finds_a_known_shift(stage: Any, noise: float) -> None:
    seen = seen_twice(noise)
    assert len(seen.exact) > 150
    before, after = errors(seen, list(seen.features)), errors(seen, refine(stage, seen))
    assert noise < np.median(before) < 1.4 * noise
    assert 0.001 < np.median(after) < 0.06
    assert np.mean(after < 0.25) > 0.9


@each_mover
def test_brightness_does_not_matter(stage: Any) -> None:
    plain, dim = (refine(stage, seen_twice(0.5, brightness=each)) for each in ((1.0, 0.0), (0.6, 60.0)))
    apart = np.concatenate([np.linalg.norm(a.xy - b.xy, axis=1) for a, b in zip(plain, dim, strict=True)])
    assert np.mean(apart < 0.05) > 0.95


@each_mover
def test_stays_put_on_false_matches(stage: Any) -> None:
    seen = seen_twice(0.3, false=100)
    moved = np.any(
        [(after.xy != before.xy).any(axis=1) for before, after in zip(seen.features, refine(stage, seen), strict=True)],
        axis=0,
    )
    assert moved[:-100].mean() > 0.9
    assert moved[-100:].mean() < 0.15


@each_mover
def test_does_not_move_what_is_right(stage: Any) -> None:
    seen = seen_twice(0.0)
    assert np.median(errors(seen, refine(stage, seen))) < 0.06


@each_refiner
def test_reads_only_the_patches_that_it_needs(stage: Any) -> None:
    seen = seen_twice(0.5)

    class Counted(Sequence[Patches]):
        def __init__(self) -> None:
            self.asked: list[int] = []

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: Any) -> Any:
            self.asked.append(index)
            return seen.patches[index]

    patches = Counted()
    refine(stage, seen, patches)
    assert len(patches.asked) <= 2


@each_refiner
def test_no_tracks_and_flat_patches_are_no_failure(stage: Any) -> None:
    seen = seen_twice(0.5)
    empty = dataclasses.replace(seen, tracks=Tracks(np.empty(0), np.empty(0), np.empty(0)))
    flat = [dataclasses.replace(each, gray=np.full_like(each.gray, 90)) for each in seen.patches]
    for features in (refine(stage, empty), refine(stage, seen, flat)):
        assert all(np.array_equal(a.xy, b.xy) for a, b in zip(features, seen.features, strict=True))


@each_refiner
def test_a_photo_without_keypoints_is_no_failure(stage: Any) -> None:
    seen = seen_twice(0.5)
    none = keypoints(np.empty((0, 2)))
    tracks = Tracks(np.empty(0), np.empty(0), np.empty(0))
    bare = dataclasses.replace(seen, features=(none, none), tracks=tracks)
    assert all(len(each) == 0 for each in refine(stage, bare))
