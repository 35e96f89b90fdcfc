"""How well PatchMatch's confidence is calibrated on rendered scenes, and the weights that fit it best.

    python benchmarks/calibration.py SCENE SCENE [...] [--width 480] [--sources 7]

A SCENE is a folder with ``photos`` and ``truth`` as ``data_samples/render.py`` writes it. For each the expected
calibration error of the present weights is printed, and that of weights fitted by logistic regression to the other
scenes; then the weights that fit all. Once for depth maps found alone, and once for those held to the neighbors'.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from diptych.stages.dense import Around, DepthMap, View
from diptych.stages.depth_truth import TrueView
from diptych.stages.formats.truth.dense import read_dense_truth
from diptych.stages.mvs.neighbors import depth_range
from diptych.stages.mvs.patchmatch import stage as patchmatch
from diptych.stages.mvs.patchmatch.confidence import PlaneScores, depth_map
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.scene import Camera
from diptych.stages.stage import Context
from pictures import read_rgb
from scipy.optimize import minimize
from scipy.special import expit

BINS = 10
WELL_APART = 6.0
"""Degrees between neighbors that are best."""

Samples = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Features (M, 6), whether the depth is right within 1 % (M,), and the present confidence (M,)."""


def main() -> None:
    """Measure, and fit where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--sources", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    found = {scene: measure(scene, arguments.width, arguments.sources) for scene in arguments.scenes}
    for turn, way in enumerate(("alone", "consistent")):
        for scene, turns in found.items():
            features, right, now = turns[turn]
            others = fitted([turns[turn] for other, turns in found.items() if other != scene])
            errors = calibration_error(now, right), calibration_error(expit(features @ others), right)
            print(f"{way:<10} {scene.name:<10} error now {errors[0]:.3f}, fitted to the others {errors[1]:.3f}")
        weights = fitted([turns[turn] for turns in found.values()])
        print(f"{way:<10} weights {', '.join(f'{each:.2f}' for each in weights)}", flush=True)


def measure(scene: Path, width: int, sources: int) -> tuple[Samples, Samples]:
    """What PatchMatch says of the views of a scene, on its first and on its second pass."""
    views, depths, neighbors = read_scene(scene, width, sources)
    stage = PatchMatch(min_confidence=0.0, sources=sources)
    maps: tuple[DepthMap, ...] | None = None
    turns = []
    for _ in range(2):
        before = maps

        def one(i: int, before: tuple[DepthMap, ...] | None = before) -> DepthMap:
            start = None if before is None else around(i, before, neighbors)
            return stage.run(around(i, views, neighbors), np.random.default_rng(i), Context(), start)

        with _scores() as scored, ThreadPoolExecutor(2) as pool:
            maps = tuple(pool.map(one, range(len(views))))
        turns.append(_samples([scored[id(view)] for view in views], depths))
    print(f"{scene.name}: {len(views)} views", flush=True)
    return turns[0], turns[1]


def read_scene(
    scene: Path, width: int, sources: int
) -> tuple[tuple[View, ...], tuple[np.ndarray, ...], list[list[int]]]:
    """The views of a scene, their true depth, and for each at most so many neighbors."""
    truth = sorted(read_dense_truth(scene / "truth").views, key=lambda view: view.name)
    views, depths = zip(*(_view(scene / "photos" / true.name, true, width) for true in truth), strict=True)
    return views, depths, _neighbors(views, depths, sources)


@contextmanager
def _scores() -> Iterator[dict[int, tuple[np.ndarray, PlaneScores]]]:
    """Inverse depth and scores of every view that is worked on meanwhile, by the view's id."""
    scored = {}

    def noting(view: View, planes: np.ndarray, scores: PlaneScores, min_confidence: float) -> DepthMap:
        scored[id(view)] = np.ascontiguousarray(planes[..., 0]), scores
        return depth_map(view, planes, scores, min_confidence)

    with patch.object(patchmatch, "depth_map", noting):
        yield scored


def _samples(scored: list[tuple[np.ndarray, PlaneScores]], depths: tuple[np.ndarray, ...]) -> Samples:
    """Every second pixel of every second row of all views."""
    parts = []
    for (inverse, scores), true in zip(scored, depths, strict=True):
        right = (true > 0) & (np.abs(1 / inverse - true) < 0.01 * true)
        every = scores.features(inverse), right, scores.confidence(inverse)
        parts.append([each[::2, ::2].reshape(-1, *each.shape[2:]) for each in every])
    features, right, confidence = (np.concatenate(each) for each in zip(*parts, strict=True))
    return features, right, confidence


def fitted(samples: list[Samples]) -> np.ndarray:
    """The weights of a logistic regression."""
    features = np.concatenate([each[0] for each in samples]).astype(np.float64)
    right = np.concatenate([each[1] for each in samples])

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = features @ weights
        slope = features.T @ (expit(logits) - right) / len(right)
        return float(np.mean(np.logaddexp(0, logits) - right * logits)), slope

    return minimize(cost, np.zeros(features.shape[1]), jac=True, method="BFGS").x


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al. 2015) over ten bins."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [(confidence[place == b], right[place == b]) for b in range(BINS) if (place == b).any()]
    return float(sum(abs(said.mean() - was.mean()) * len(was) for said, was in parts) / len(right))


def _view(photo: Path, true: TrueView, width: int) -> tuple[View, np.ndarray]:
    """A view of the width asked for, and its true depth."""
    image, depth = read_rgb(photo), true.depth
    assert depth is not None
    ratio = width / image.shape[1]
    size = width, round(image.shape[0] * ratio)
    scale = np.divide(size, (true.camera.width, true.camera.height))
    (fx, fy), (cx, cy) = true.camera.focal_lengths * scale, true.camera.principal_point * scale
    camera = Camera("PINHOLE", *size, (fx, fy, cx, cy), "calibrated")
    near, far = depth_range(depth[depth > 0][::97])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    mask = np.ones(size[::-1], bool)
    view = View(small, mask, camera, true.rotation, true.translation, near, far)
    return view, cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST)


def _neighbors(views: tuple[View, ...], depths: tuple[np.ndarray, ...], count: int) -> list[list[int]]:
    """For each view those that look at its middle from some degrees aside, best first."""
    centers = np.stack([view.center for view in views])
    chosen = []
    for i, (view, depth) in enumerate(zip(views, depths, strict=True)):
        middle = view.center + view.rotation[2] * np.median(depth[depth > 0])
        rays = (centers - middle) / np.linalg.norm(centers - middle, axis=1, keepdims=True)
        angles = np.degrees(np.arccos(np.clip(rays @ rays[i], -1, 1)))
        score = np.exp(-0.5 * ((angles - WELL_APART) / np.where(angles < WELL_APART, 2, 12)) ** 2)
        score[i] = 0
        chosen.append([int(j) for j in np.argsort(-score)[:count] if score[j] > 0.02])
    return chosen


def around(i: int, items: tuple, neighbors: list[list[int]]) -> Around:
    """An item of each photo, as a stage takes them for one of them."""
    return Around(items[i], tuple(items[j] for j in neighbors[i]))


if __name__ == "__main__":
    main()
