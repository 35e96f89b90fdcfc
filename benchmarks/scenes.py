"""DepthNet, PatchMatch, Sgm and the hybrid side by side on rendered scenes: where each of them wins, with pictures.

    python benchmarks/scenes.py SCENE SCENE [...] [--out DIR] [--width 480] [--methods sgm patchmatch depthnet hybrid]

A SCENE is a folder with ``photos`` and ``truth`` as ``data_samples/render.py`` writes it; cameras are the true ones.
Shares are of all pixels with a true depth, and a pixel without an answer is within no limit. They are told apart for
pixels next to a jump of depth, and for those around which the photo is almost of one brightness. DIR gets a picture of
each scene: the middle view, its true depth, and every method's depth and error.

Expect percent within 1 % of the depth, at a width of 320, and seconds of processor time a megapixel:

    courtyard  sgm 70.1  patchmatch 83.1  depthnet 74.2  hybrid 79.8
    facade     sgm 74.5  patchmatch 87.9  depthnet 79.3  hybrid 83.9
    lion       sgm 42.6  patchmatch 70.2  depthnet 54.3  hybrid 62.9
    room       sgm 50.6  patchmatch 65.8  depthnet 59.4  hybrid 65.7
    thicket    sgm 39.4  patchmatch 52.4  depthnet 42.5  hybrid 47.7
    village    sgm 78.1  patchmatch 86.9  depthnet 83.4  hybrid 85.8
    seconds    sgm  1.8  patchmatch 36    depthnet  5.9  hybrid 19
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from calibration import read_scene
from dense import methods, run
from diptych.stages.dense import DepthMap, View
from diptych.stages.mvs.contrast import deviation
from protocol_sets import ProtocolSet
from rich.console import Console
from rich.table import Table

SHOWN = "sgm", "patchmatch", "depthnet", "hybrid"
SHARES = 0.25, 0.5, 1.0, 2.0
"""Percent of the depth."""

NEIGHBORS = 8

JUMP, BESIDE = 0.05, 4
"""A change of depth from pixel to pixel by more than this share is a jump; so many pixels beside it count as its."""

SMOOTH, AROUND = 4.0, 7
"""Grey values by which the brightness deviates at most within so many pixels where a photo is smooth."""

FEWEST = 0.002
"""Share of all pixels that a kind of pixel needs to be told of."""

LEAST, MOST = 0.001, 0.1
"""Errors, as shares of the depth, that are drawn darkest and brightest."""

LABEL = 22
"""Rows of pixels above a picture for its name."""


@dataclass(frozen=True)
class Answers:
    """What a method says of the views of a scene, and its seconds of processor time a megapixel."""

    maps: tuple[DepthMap, ...]
    seconds: float


def main() -> None:
    """Print a table of each scene, and draw it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, help="write the pictures there")
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--methods", nargs="+", choices=list(methods("depth")), default=list(SHOWN))
    parser.add_argument("--weights", default="depth", help="of DepthNet")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    shares = (f"{share:g} %" for share in SHARES)
    measures = *shares, "covered", "median", "1 % at jumps", "1 % where smooth", "CPU s/megapixel"
    for scene in arguments.scenes:
        views, depths, neighbors = read_scene(scene, arguments.width, NEIGHBORS)
        data = ProtocolSet(tuple(map(str, range(len(views)))), views, tuple(map(tuple, neighbors)))
        answers, table = {}, Table(scene.name, *measures)
        for method in arguments.methods:
            answers[method] = answered(methods(arguments.weights)[method], data)
            table.add_row(method, *cells(answers[method], views, depths))
        Console(width=140).print(table)
        if arguments.out:
            middle = len(views) // 2
            found = {method: answer.maps[middle].depth for method, answer in answers.items()}
            write(arguments.out / f"{scene.name}.png", views[middle], depths[middle], found)


def answered(stages: tuple, data: ProtocolSet) -> Answers:
    """The depth maps of a chain of stages."""
    started = time.process_time()
    maps, _ = run(stages, data)
    return Answers(maps, (time.process_time() - started) / sum(each.depth.size / 1e6 for each in maps))


def cells(answers: Answers, views: tuple[View, ...], depths: tuple[np.ndarray, ...]) -> list[str]:
    """The table's cells for one method on one scene: percent, but for the time."""
    error = np.concatenate([error_of(found.depth, true) for found, true in zip(answers.maps, depths, strict=True)])
    jumps = np.concatenate([near_jumps(true)[true > 0] for true in depths])
    smooth = np.concatenate(
        [(deviation(view.image, AROUND) < SMOOTH)[true > 0] for view, true in zip(views, depths, strict=True)]
    )
    covered = np.isfinite(error)
    within = [100 * np.mean(error < share / 100) for share in SHARES]
    parts = [f"{100 * np.mean(error[part] < 0.01):.1f}" if part.mean() > FEWEST else "" for part in (jumps, smooth)]
    return [
        *(f"{each:.1f}" for each in within),
        f"{100 * covered.mean():.1f}",
        f"{100 * np.median(error[covered]):.3f}",
        *parts,
        f"{answers.seconds:.1f}",
    ]


def error_of(depth: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Relative errors where there is a true depth, infinite where there is no answer, shape (number of these,)."""
    known = true > 0
    return np.where(depth[known] > 0, np.abs(depth[known] / true[known] - 1), np.inf)


def near_jumps(true: np.ndarray) -> np.ndarray:
    """Pixels next to a jump of depth, bool, shape (H, W)."""
    kernel = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(true, kernel) > (1 + JUMP) * cv2.erode(true, kernel)
    return cv2.dilate(jump.astype(np.uint8), np.ones((2 * BESIDE + 1,) * 2, np.uint8)) > 0


def write(path: Path, view: View, true: np.ndarray, found: dict[str, np.ndarray]) -> None:
    """The photo over the true depth, and beside them each method's depth over its error."""
    near, far = (1 / np.percentile(true[true > 0], share) for share in (1, 99))
    columns = [
        (labelled(view.image[..., ::-1], "photo"), labelled(drawn(true, near, far), "true depth")),
        *(
            (
                labelled(drawn(depth, near, far), method),
                labelled(drawn_error(depth, true), f"error, {100 * LEAST:g} % to {100 * MOST:g} %, gray: no depth"),
            )
            for method, depth in found.items()
        ),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.hstack([np.vstack(column) for column in columns]))


def drawn(depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """Depth in colors, by its inverse from that of the nearest to that of the farthest; BGR."""
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    shade = (255 * np.clip((inverse - far) / (near - far), 0, 1)).astype(np.uint8)
    return np.where(depth[..., None] > 0, cv2.applyColorMap(shade, cv2.COLORMAP_TURBO), 0)


def drawn_error(depth: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Relative errors in colors, by their logarithm; gray where there is no depth, black without a true one; BGR."""
    error = np.zeros(true.shape)
    error[true > 0] = error_of(depth, true)
    place = np.log(np.maximum(error, LEAST) / LEAST) / np.log(MOST / LEAST)
    colored = cv2.applyColorMap((255 * np.clip(place, 0, 1)).astype(np.uint8), cv2.COLORMAP_INFERNO)
    colored[depth <= 0] = 128
    colored[true <= 0] = 0
    return colored


def labelled(picture: np.ndarray, name: str) -> np.ndarray:
    """A picture under its name."""
    strip = np.full((LABEL, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, name, (6, LABEL - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([strip, picture])


if __name__ == "__main__":
    main()
