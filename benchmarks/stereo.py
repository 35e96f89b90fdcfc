"""Rectified stereo pairs as two-view scenes: bad pixels of PatchMatch and Sgm beside OpenCV's StereoSGBM.

    python benchmarks/stereo.py DATA

Over all pixels with a true disparity; one without an answer is bad. StereoSGBM runs in its 3-way mode with the block
size, of those tried, that suits it best on each pair.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from diptych.pipeline.protocols.middlebury import BLOCKS, stereo_sgbm
from diptych.stages.dense import Around, DepthMap, View
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.scene import Camera
from diptych.stages.stage import Context
from pictures import read_rgb, read_stored
from rich.console import Console
from rich.table import Table

LIMITS = 0.5, 1.0, 2.0

PAIRS = {
    "motorcycle": ("motorcycle_skimage", "motorcycle_left.png", "motorcycle_right.png", "motorcycle_disp.npz", 1),
    "Cloth3": ("middlebury_Cloth3", "view1.png", "view5.png", "disp1.png", 2),
    "cone": ("middlebury_cone", "im2.png", "im6.png", "disp2.png", 4),
}
"""Folder, left, right, disparities of the left, and by what these are multiplied."""


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    table = Table("pair", "method", *(f"bad-{limit:g} %" for limit in LIMITS))
    for name, (folder, left, right, disparities, factor) in PAIRS.items():
        place = data / "stereo" / folder
        images = tuple(read_rgb(place / file) for file in (left, right))
        truth = true_disparity(place / disparities, factor)
        for method, disparity in answers(images, truth).items():
            table.add_row(name, method, *(f"{bad(disparity, truth, limit):.2f}" for limit in LIMITS))
    Console(width=100).print(table)


def true_disparity(path: Path, factor: int) -> np.ndarray:
    """Pixels, 0 where unknown."""
    if path.suffix == ".npz":
        values = np.load(path)["arr_0"].astype(np.float64)
        return np.where(np.isfinite(values), values, 0.0)
    return read_stored(path) / factor


def bad(disparity: np.ndarray, truth: np.ndarray, limit: float) -> float:
    """Percent of the true pixels that are off by more, or have none."""
    off = np.where(disparity > 0, np.abs(disparity - truth), np.inf)
    return 100 * float((off[truth > 0] > limit).mean())


def answers(images: tuple[np.ndarray, ...], truth: np.ndarray) -> dict[str, np.ndarray]:
    """The disparities by every method, over the same range."""
    known = truth[truth > 0]
    low, high = max(1.0, 0.8 * known.min()), 1.15 * known.max()
    views, focal = two_views(images, low, high)
    both = Around(views[0], (views[1],)), Around(views[1], (views[0],))
    first = [PatchMatch().run(each, np.random.default_rng(0), Context()) for each in both]
    second = PatchMatch().run(both[0], np.random.default_rng(0), Context(), Around(first[0], (first[1],)))
    peers = {size: stereo_sgbm(images, high, size) for size in BLOCKS}
    best = min(peers, key=lambda size: bad(peers[size], truth, 1.0))
    return {
        f"StereoSGBM 3-way, block {best}": peers[best],
        "Sgm": disparity_of(Sgm().run(both[0], Context()), focal),
        "PatchMatch": disparity_of(first[0], focal),
        "PatchMatch, consistent": disparity_of(second, focal),
    }


def two_views(images: tuple[np.ndarray, ...], low: float, high: float) -> tuple[tuple[View, ...], float]:
    """The pair with a baseline of 1 and a focal length of the image's width: disparity is their product over depth."""
    height, width = images[0].shape[:2]
    focal = float(width)
    camera = Camera("PINHOLE", width, height, (focal, focal, width / 2, height / 2), "calibrated")
    mask = np.ones((height, width), bool)
    placed = (
        View(image, mask, camera, np.eye(3), np.array([-float(right), 0.0, 0.0]), focal / high, focal / low)
        for right, image in enumerate(images)
    )
    return tuple(placed), focal


def disparity_of(found: DepthMap, focal: float) -> np.ndarray:
    """Pixels, 0 where there is no depth."""
    return np.divide(focal, found.depth, out=np.zeros(found.depth.shape), where=found.depth > 0)


if __name__ == "__main__":
    main()
