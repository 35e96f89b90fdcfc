"""Learning from a sparse model makes depths better on photos that were held out, and always the same."""

from __future__ import annotations

import functools
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diptych.learned.mono import finetuning
from diptych.learned.mono.aligned_network import AlignedDepth, network_from_vector, parameter_vector, predict_log_depth
from diptych.learned.mono.learning import MonoLearning
from diptych.learned.mono.views import ScaledImage
from diptych.learned.mono.weights import MonoWeights
from diptych.learned.weights.files import save
from diptych.pipeline.cache.codec import decode, encode
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Sparse

from tests.one_wall import one_wall

from .world import World, fresh_weights, world


@functools.cache
def weights() -> str:
    return fresh_weights(Path(tempfile.mkdtemp()) / "fresh.safetensors")


@functools.cache
def scene() -> World:
    return world()


def learn(stage: MonoLearning, given: World | None = None, threads: int = 1) -> MonoWeights:
    return (given or scene()).learn(stage, threads)


@functools.cache
def learned() -> MonoWeights:
    return learn(MonoLearning(weights=weights(), size=96, steps=120, learning_rate=4e-3, photometric=0.0))


def short() -> MonoLearning:
    return MonoLearning(weights=weights(), size=64, steps=20, learning_rate=4e-3)


@functools.cache
def learned_shortly() -> MonoWeights:
    return learn(short())


def test_learning_beats_what_it_began_with_and_a_constant_on_photos_held_out() -> None:
    result = learned()
    for part in ("validation", "test"):
        after = result.error("learned", part)
        for predictor in ("pretrained", "constant"):
            assert after.median < 0.75 * result.error(predictor, part).median
            assert after.mean < 0.85 * result.error(predictor, part).mean
        assert after.points > 80


def test_learns_what_lies_between_the_points_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few points a view, and its depth everywhere: without the triangles between them it learns less."""
    given = world(points=24)
    stage = MonoLearning(weights=weights(), size=96, steps=60, learning_rate=4e-3, photometric=0.0, smooth=0.0)
    with_triangles = pixel_error(learn(stage, given), given)
    monkeypatch.setattr(finetuning, "_DENSE", 0.0)
    assert with_triangles < 0.9 * pixel_error(learn(stage, given), given)


def pixel_error(result: MonoWeights, given: World) -> float:
    """The median over all pixels of the photos that it learned from."""
    network, learned_from = (
        network_from_vector(result.parameters),
        [given.photos.names.index(name) for name in result.train],
    )
    seen = [
        predict_log_depth(network, ScaledImage.of(given.views[photo], result.size))[0].exp().numpy()
        for photo in learned_from
    ]
    return float(np.median(np.abs(np.stack(seen) / np.stack([given.depths[photo] for photo in learned_from]) - 1)))


def test_no_photo_has_two_parts_and_all_have_one() -> None:
    result = learned()
    parts = [*result.train, *result.validation, *result.test]
    assert sorted(parts) == sorted(scene().photos.names)
    assert len(result.validation) == len(result.test) == 2


def test_what_is_held_out_is_not_learned_from() -> None:
    """Other pixels in the test photos and other points in their depths change neither the network nor the split."""
    base, held_out = scene(), {int(name.partition(".")[0]) for name in learned().test}
    views = [replace(view, image=255 - view.image) if i in held_out else view for i, view in enumerate(base.views)]
    changed = learn(short(), replace(base, views=views))
    assert changed.parameters.tobytes() == learned_shortly().parameters.tobytes()
    assert changed.error("learned", "test") != learned_shortly().error("learned", "test")


def test_another_split_tests_other_photos() -> None:
    other = learn(MonoLearning(weights=weights(), size=64, steps=1, split=1))
    assert not {*learned_shortly().test} & {*other.test}


def test_same_bytes_again_and_with_more_threads() -> None:
    once = encode(learned_shortly())
    assert once == encode(learn(short())) == encode(learn(short(), threads=3))
    assert once != encode(learn(replace(short(), steps=21)))


def test_without_a_step_only_the_three_numbers_are_found(tmp_path: Path) -> None:
    wall = tmp_path / "wall.safetensors"
    save(one_wall(), wall)
    result = learn(MonoLearning(weights=str(wall), size=96, steps=0))
    assert result.error("learned", "test").median == pytest.approx(result.error("pretrained", "test").median, rel=1e-5)
    found = network_from_vector(result.parameters)
    assert (
        parameter_vector(AlignedDepth(found.network)).tobytes() == parameter_vector(AlignedDepth(one_wall())).tobytes()
    )
    # The views look across a plain that comes nearer down the image.
    assert float(found.slope.detach()) < -0.1


def test_what_was_known_before_is_kept_where_learning_makes_it_no_better() -> None:
    result = learn(MonoLearning(weights=weights(), size=64, steps=3, learning_rate=1e-9))
    for part in ("validation", "test"):
        assert result.error("learned", part).median == pytest.approx(result.error("pretrained", part).median, rel=1e-5)


def test_a_loss_that_is_no_number_any_more_is_told() -> None:
    stage = MonoLearning(weights=weights(), size=64, steps=20, learning_rate=1e30)
    with pytest.raises(StageFailure, match="no number any more at step") as failure:
        learn(stage)
    assert failure.value.code == "training-diverged"


def test_survives_pickling_and_the_store() -> None:
    stage = MonoLearning(weights=weights(), steps=3)
    assert pickle.loads(pickle.dumps(stage)) == stage
    kept = decode(encode(learned()), MonoWeights)
    assert kept.parameters.tobytes() == learned().parameters.tobytes()
    assert (kept.train, kept.errors) == (learned().train, learned().errors)


@pytest.mark.parametrize(("count", "split", "needed"), [(1, 0, 4), (3, 0, 4), (4, 2, 5)])
def test_too_few_photos(count: int, split: int, needed: int) -> None:
    with pytest.raises(StageFailure, match=f"Learning depth needs {needed} views") as failure:
        learn(MonoLearning(weights=weights(), split=split), world(count))
    assert failure.value.code == "too-few-views"
    assert failure.value.facts["views"] == count


def test_too_few_points() -> None:
    with pytest.raises(StageFailure) as failure:
        learn(MonoLearning(weights=weights()), world(5, points=10))
    assert failure.value.code == "too-few-views"


def test_a_view_whose_points_lie_on_one_line_is_left_out() -> None:
    base = scene()
    view, sparse = base.views[0], base.sparse.scene
    points = sparse.points.copy()
    mine = sparse.obs_point[sparse.obs_photo == 0]
    local = np.column_stack([np.linspace(-0.3, 0.3, len(mine)), np.zeros(len(mine)), np.full(len(mine), 2.0)])
    points[mine] = (local - view.translation) @ view.rotation
    result = learn(
        MonoLearning(weights=weights(), size=64, steps=1),
        replace(base, sparse=Sparse((replace(sparse, points=points),))),
    )
    assert "0.png" not in (*result.train, *result.validation, *result.test)


def test_a_view_without_depth_is_left_out() -> None:
    views = [replace(scene().views[0], missing="is lost", near=0.0, far=0.0), *scene().views[1:]]
    result = learn(MonoLearning(weights=weights(), size=64, steps=1), replace(scene(), views=views))
    assert "0.png" not in (*result.train, *result.validation, *result.test)
    assert len(result.train) + len(result.validation) + len(result.test) == len(views) - 1


def test_photos_of_odd_sizes() -> None:
    result = learn(MonoLearning(weights=weights(), size=80, steps=2), world(5, (83, 61)))
    assert np.isfinite(result.parameters).all()


@pytest.mark.parametrize("wrong", [{"size": 16}, {"steps": -1}, {"split": 5}])
def test_parameters_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(StageFailure) as failure:
        learn(MonoLearning(weights=weights(), **wrong))
    assert failure.value.code == "bad-parameter"


def test_weights_that_are_not_there() -> None:
    with pytest.raises(StageFailure) as failure:
        learn(MonoLearning(weights="/nowhere/at/all.safetensors"))
    assert failure.value.code == "missing-weights"
