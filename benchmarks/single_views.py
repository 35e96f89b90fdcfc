"""One view of each Strecha set at 640x512 with its true cameras: accuracy at check points, consistency, time.

    python benchmarks/single_views.py DATA [--methods depthnet patchmatch sgm hybrid] [--weights FILE] [--pictures DIR]

The photos are scaled by the larger ratio and cropped about their middle; the reference is seen from four neighbors.
Check points were triangulated from SIFT matches with the true cameras. Consistent is a pixel that comes back to within
half a pixel and 0.3 % of its depth through the depth maps of at least two neighbors, which see it from their own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from consistency import agreeing
from diptych.learned.depth.stage import DepthNet
from diptych.stages.dense import Around, DepthMap, View
from diptych.stages.formats.truth.cameras import read_truth
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.scene import Camera, Scene
from diptych.stages.stage import Context
from pictures import read_rgb

SETS = {
    "fountain": ("strecha_fountain-P11", "fountain_640x512_view5", 5, (4, 6, 3, 7)),
    "herzjesu": ("strecha_Herz-Jesus-P8", "herz_jesus_640x512_view3", 3, (2, 4, 1, 5)),
}
WIDTH, HEIGHT = 640, 512
SHARES = 0.25, 0.5, 1, 2


def main() -> None:
    """Run the chosen methods on the chosen sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", nargs="+", choices=("depthnet", "patchmatch", "sgm"), default=["depthnet"])
    parser.add_argument("--weights", default="depth", help="of DepthNet")
    parser.add_argument("--pictures", type=Path, help="write the depth maps there as pictures")
    arguments = parser.parse_args()
    for name, (folder, protocol, reference, sources) in SETS.items():
        points = np.load(arguments.data / "protocol" / f"{protocol}_checkpoints.npz")
        views = read_views(arguments.data / folder, depth_range(points["z"]))
        for method in arguments.methods:
            began = time.process_time()
            found = depth_of(method, arguments.weights, views, reference, sources)
            seconds = time.process_time() - began
            others = [
                depth_of(method, arguments.weights, views, i, [j for j in nearest(i, len(views)) if j != i][:4])
                for i in sources
            ]
            print(name, method, score(found.depth, points["xy"], points["z"]), end=", ")
            around = zip((views[i] for i in sources), others, strict=True)
            kept = np.mean(agreeing(found, views[reference], around, 0.5, 0.003) >= 2)
            print(f"consistent {kept:.3f}, {seconds / (WIDTH * HEIGHT / 1e6):.1f} CPU s/megapixel", flush=True)
            if arguments.pictures:
                write_picture(arguments.pictures / f"{name}_{method}.png", views[reference], found)


def depth_range(z: np.ndarray) -> tuple[float, float]:
    """The range to search, from the depth of the check points."""
    return 0.8 * float(np.percentile(z, 1)), 1.25 * float(np.percentile(z, 99))


def nearest(photo: int, count: int) -> list[int]:
    """All photos, those taken next to this one first."""
    return sorted(range(count), key=lambda other: (abs(other - photo), other))


def read_views(folder: Path, depths: tuple[float, float]) -> list[View]:
    """All photos of a set, small and cropped, with the true cameras."""
    truth = read_truth(folder / "gt")
    return [_view(folder, truth, i, depths) for i in range(len(truth.names))]


def _view(folder: Path, truth: Scene, i: int, depths: tuple[float, float]) -> View:
    image = read_rgb(folder / "images" / Path(truth.names[i]).name)
    height, width = image.shape[:2]
    ratio = max(WIDTH / width, HEIGHT / height)
    size = round(width * ratio), round(height * ratio)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    left, top = (size[0] - WIDTH) // 2, (size[1] - HEIGHT) // 2
    matrix = np.diag([size[0] / width, size[1] / height, 1]) @ truth.camera(i).matrix
    params = matrix[0, 0], matrix[1, 1], matrix[0, 2] - left, matrix[1, 2] - top
    camera = Camera("PINHOLE", WIDTH, HEIGHT, params, "calibrated")
    cropped = np.ascontiguousarray(small[top : top + HEIGHT, left : left + WIDTH])
    mask = np.ones((HEIGHT, WIDTH), bool)
    return View(cropped, mask, camera, truth.rotations[i], truth.translations[i], *depths)


def depth_of(
    method: str, weights: str, views: list[View], photo: int, sources: list[int] | tuple[int, ...]
) -> DepthMap:
    """The depth map of one view."""
    around = Around(views[photo], tuple(views[j] for j in sources))
    if method == "depthnet":
        return DepthNet(weights=weights, min_confidence=0.0).run(around, Context())
    if method == "sgm":
        return Sgm().run(around, Context())
    return PatchMatch().run(around, np.random.default_rng(photo), Context())


def score(depth: np.ndarray, xy: np.ndarray, z: np.ndarray) -> str:
    """Errors at check points, whose pixels count from 0 at the center of the first one."""
    x = np.clip(np.round(xy[:, 0]).astype(int), 0, WIDTH - 1)
    y = np.clip(np.round(xy[:, 1]).astype(int), 0, HEIGHT - 1)
    given = depth[y, x]
    error = np.where(given > 0, np.abs(given - z) / z, np.inf)
    shares = ", ".join(f"<{share} % {np.mean(error < share / 100):.3f}" for share in SHARES)
    return f"covered {np.mean(given > 0):.3f}, median {100 * np.median(error[given > 0]):.3f} %, {shares}"


def write_picture(path: Path, view: View, found: DepthMap) -> None:
    """The photo, its depth and its confidence side by side."""
    inverse = np.where(found.depth > 0, 1 / np.maximum(found.depth, 1e-9), 0)
    low, high = np.percentile(inverse[inverse > 0], (1, 99))
    shade = (np.clip((inverse - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    colored = np.where(inverse[..., None] > 0, cv2.applyColorMap(shade, cv2.COLORMAP_TURBO), 0)
    sure = cv2.applyColorMap((found.confidence * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.hstack([view.image[..., ::-1], colored, sure]))


if __name__ == "__main__":
    main()
