"""Sentences claim a difference only if the numbers do."""

from __future__ import annotations

import math

import numpy as np
from diptych.pipeline.study.conclusions import difference_sentence, failure_sentences, headline_metrics
from diptych.pipeline.study.metrics import METRICS
from diptych.pipeline.study.statistics import PairedDifference, difference

ERROR, F_SCORE, PHOTOS = METRICS["position_mean"], METRICS["cloud_f_score_2"], METRICS["registered"]
LARGER = difference([np.array([1.0, 1.1, 0.9, 1.05])])
UNCLEAR = difference([np.array([1.0, -1.1, 0.9, -1.05])])
ONE_SEED = difference([np.array([2.0])])
NOTHING = difference([])


def test_a_clear_difference_is_better_or_worse_by_its_metric() -> None:
    said = difference_sentence("b", "a", [(ERROR, LARGER), (F_SCORE, LARGER)], math.nan)
    assert said.startswith("b against a: mean camera position error worse by 1.012 (95 % interval +0.")
    assert "cloud F-score at 1 % better by 101.2 %" in said


def test_an_unclear_difference_is_none_and_time_is_added() -> None:
    said = difference_sentence("b", "a", [(ERROR, UNCLEAR), (F_SCORE, UNCLEAR), (PHOTOS, UNCLEAR)], 1.5)
    metrics = "mean camera position error, cloud F-score at 1 % and photos registered"
    assert said == f"b against a: no difference beyond noise in {metrics}; processor time of its stages 1.50 times."


def test_one_seed_says_nothing_of_the_noise_and_no_trial_nothing_at_all() -> None:
    said = difference_sentence("b", "a", [(ERROR, ONE_SEED), (F_SCORE, NOTHING)], math.nan)
    assert said == "b against a: mean camera position error +2, of one seed, which says nothing of the noise."
    said = difference_sentence("b", "a", [(ERROR, NOTHING)], math.nan)
    assert said == "b against a: no trial of both came to an end, so nothing can be said."


def test_the_same_with_every_seed() -> None:
    said = difference_sentence("b", "a", [(PHOTOS, PairedDifference(3, -2.0, 0.0, -2.0, -2.0))], math.nan)
    assert said == "b against a: photos registered worse by 2 (the same with every seed)."


def test_failures_are_counted() -> None:
    assert failure_sentences({"b": ["It broke.", "Again."]}, 3) == ["b failed in 2 of 3 trials: It broke."]


def test_headlines_are_those_against_the_truth() -> None:
    def names(present: list[str], truth: bool) -> list[str]:
        return [metric.name for metric in headline_metrics([METRICS[name] for name in present], truth)]

    found = ["registered", "position_mean", "depth_filled", "reprojection_mean_px", "points"]
    assert names(found, True) == ["registered", "position_mean", "depth_filled"]
    assert names(["registered", "within_1_percent", "depth_filled"], True) == ["registered", "within_1_percent"]
    assert names(found, False) == ["registered", "reprojection_mean_px", "depth_filled"]
