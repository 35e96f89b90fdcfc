"""How well DepthNet's confidence is calibrated on rendered scenes, and the weights that fit it best.

    python benchmarks/network_calibration.py SCENE SCENE [...] [--widths 480 720] [--weights FILE]

As ``benchmarks/calibration.py`` for PatchMatch: a SCENE is a folder with ``photos`` and ``truth``.
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
import torch
from calibration import Samples, around, calibration_error, fitted, read_scene
from diptych.learned.depth import estimation
from diptych.learned.depth.stage import DepthNet
from diptych.learned.depth.warping import Rays
from diptych.stages.stage import Context
from scipy.special import expit


def main() -> None:
    """Measure and fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--widths", type=int, nargs="+", default=[480, 720])
    parser.add_argument("--weights", default="depth")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    found = {
        f"{scene.name} {width}": measure(scene, width, arguments.weights)
        for scene in arguments.scenes
        for width in arguments.widths
    }
    for name, (features, right, now) in found.items():
        others = fitted([samples for other, samples in found.items() if other.split()[0] != name.split()[0]])
        errors = calibration_error(now, right), calibration_error(expit(features @ others), right)
        print(f"{name:<14} error now {errors[0]:.3f}, fitted to the other scenes {errors[1]:.3f}")
    print(f"weights {', '.join(f'{each:.2f}' for each in fitted(list(found.values())))}")


def measure(scene: Path, width: int, weights: str) -> Samples:
    """What DepthNet says of the views of a scene."""
    views, depths, neighbors = read_scene(scene, width, 4)
    stage = DepthNet(weights=weights, min_confidence=0.0)
    parts = []
    for i, true in enumerate(depths):
        with _said() as said, ThreadPoolExecutor(1) as pool:
            result = pool.submit(stage.run, around(i, views, neighbors), Context()).result()
        height, width = true.shape
        features, confidence = said[-1][0][:, :height, :width], said[-1][1][:height, :width]
        right = (true > 0) & (np.abs(result.depth - true) < 0.01 * true)
        seen = result.depth > 0
        every = np.moveaxis(features, 0, -1), right, confidence
        parts.append([each[::2, ::2][seen[::2, ::2]] for each in every])
    features, right, confidence = (np.concatenate(each) for each in zip(*parts, strict=True))
    return features, right, confidence


@contextmanager
def _said() -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """What the confidence is a function of, shape (3, H, W), and the confidence of each view worked on meanwhile."""
    said = []
    make = estimation.confidence_of

    def noting(logit: torch.Tensor, inverse: torch.Tensor, rays: Rays) -> torch.Tensor:
        precision = (0.01 * inverse / rays.pixel()).clamp_min(1e-3)
        confidence = make(logit, inverse, rays)
        features = torch.stack([torch.ones_like(logit), logit, precision.log()])[:, 0]
        said.append((features.numpy(), confidence[0].numpy()))
        return confidence

    with patch.object(estimation, "confidence_of", noting):
        yield said


if __name__ == "__main__":
    main()
