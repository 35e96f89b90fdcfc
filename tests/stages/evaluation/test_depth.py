"""Depth maps whose errors and confidences are known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from diptych.stages.dense import DepthMap
from diptych.stages.evaluation.depth import BAD_PIXELS, THRESHOLDS, DepthEvaluation, depth_errors, disparity_errors

SHAPE = (200, 300)
RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(2, 9, SHAPE).astype(np.float32)


def with_confidence(depth: np.ndarray, confidence: np.ndarray) -> DepthMap:
    return DepthMap(depth, np.zeros((*depth.shape, 3)), confidence, np.zeros(depth.shape))


def test_shares_and_median_of_a_known_error() -> None:
    # The error is uniform between -3 and 3 %, so its size is below a threshold t with probability t / 3 %.
    depth = TRUTH * (1 + RNG.uniform(-0.03, 0.03, SHAPE))
    found = depth_errors(depth, TRUTH)
    assert found.true == TRUTH.size and found.coverage == 1
    for threshold in THRESHOLDS:
        assert found.within(threshold) == pytest.approx(threshold / 0.03, abs=0.01)
    error = np.abs(depth / TRUTH - 1)
    assert found.within(0.01) == np.mean(error < 0.01)
    assert found.median == pytest.approx(np.median(error), rel=0.01)
    with pytest.raises(ValueError, match="threshold"):
        found.within(0.03)


def test_no_depth_counts_as_wrong_and_no_truth_does_not_count() -> None:
    depth, truth = TRUTH.copy(), TRUTH.copy()
    depth[:50], truth[100:] = 0, 0
    found = depth_errors(depth, truth)
    assert found.true == 100 * SHAPE[1] and found.covered == 50 * SHAPE[1]
    assert found.coverage == found.within(0.0025) == 0.5 and found.precision(0.0025) == 1
    assert found.median == 0


def test_views_add_up() -> None:
    depth = TRUTH * (1 + RNG.normal(0, 0.01, SHAPE))
    confident = with_confidence(depth, RNG.uniform(0, 1, SHAPE))
    halves = [
        depth_errors(with_confidence(confident.depth[rows], confident.confidence[rows]), TRUTH[rows])
        for rows in (slice(0, 60), slice(60, None))
    ]
    both, whole = halves[0] + halves[1], depth_errors(confident, TRUTH)
    np.testing.assert_array_equal(both.counts, whole.counts)
    assert both.as_dict() == pytest.approx(whole.as_dict())
    assert (whole + DepthEvaluation.none()).as_dict() == pytest.approx(whole.as_dict())


def test_confidence_that_keeps_its_word_and_confidence_that_does_not() -> None:
    probability = RNG.uniform(0, 1, SHAPE)
    right = RNG.uniform(size=SHAPE) < probability
    depth = np.where(right, TRUTH * 1.002, TRUTH * 1.1)
    honest = depth_errors(with_confidence(depth, probability), TRUTH)
    assert honest.calibration().error < 0.02
    np.testing.assert_allclose(honest.calibration().confidence, np.arange(0.05, 1, 0.1), atol=0.01)
    np.testing.assert_allclose(honest.calibration().correct, np.arange(0.05, 1, 0.1), atol=0.03)
    # Of those surer than q, 1 - (1 + q) / 2 are wrong.
    removed = np.array([0, 0.1, 0.25, 0.5, 0.75, 0.9])
    np.testing.assert_allclose(honest.sparsification(), (1 - removed) / 2, atol=0.01)

    boasting = depth_errors(with_confidence(depth, np.full(SHAPE, 0.9)), TRUTH)
    assert boasting.calibration().error == pytest.approx(0.9 - right.mean(), abs=0.001)
    # It orders nothing: whatever goes, the share of wrong ones stays.
    np.testing.assert_allclose(boasting.sparsification(), 1 - right.mean(), atol=1e-9)
    perfect = depth_errors(with_confidence(depth, np.where(right, 0.9, 0.1)), TRUTH)
    assert perfect.sparsification_error == pytest.approx(0, abs=1e-9)
    assert 0.05 < honest.sparsification_error < boasting.sparsification_error


def test_without_confidence_nothing_is_said_of_it() -> None:
    found = depth_errors(TRUTH, TRUTH)
    assert np.isnan(found.calibration().error) and np.isnan(found.sparsification_error)
    assert not any("confidence" in what for what, _ in found.table())
    said = dict(depth_errors(with_confidence(TRUTH * 1.02, np.ones(SHAPE)), TRUTH).table())
    assert "off by 100.0 %" in said["confidence: share within 1 %"]
    json.dumps(found.as_dict())


def test_nothing_true_and_nothing_found_are_no_division_by_zero() -> None:
    nothing = depth_errors(np.zeros(SHAPE), np.zeros(SHAPE))
    assert np.isnan([nothing.coverage, nothing.within(0.01), nothing.median]).all() and nothing.table()
    empty = depth_errors(np.zeros(SHAPE), TRUTH)
    assert empty.coverage == empty.within(0.02) == 0 and np.isnan(empty.precision(0.02))


def test_errors_beyond_all_bounds_are_counted() -> None:
    found = depth_errors(np.full(SHAPE, 1e6), TRUTH)
    assert found.covered == TRUTH.size and found.median == np.inf and found.within(0.02) == 0


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="shape"):
        depth_errors(TRUTH[1:], TRUTH)


def test_bad_disparities() -> None:
    shift = 800.0
    disparity = shift / TRUTH
    off = RNG.uniform(0, 4, SHAPE)
    depth = shift / (disparity + off)
    depth[:20] = 0
    found = disparity_errors(depth, TRUTH, shift)
    covered = off[20:]
    np.testing.assert_allclose(found.bad_of_covered, [(covered > px).mean() for px in BAD_PIXELS], atol=1e-3)
    np.testing.assert_allclose(found.bad, [0.1 + 0.9 * (1 - px / 4) for px in BAD_PIXELS], atol=0.01)
    assert found.mean == pytest.approx(covered.mean(), rel=1e-3)
    assert (found + found).bad == pytest.approx(found.bad) and len(found.table()) == 2
