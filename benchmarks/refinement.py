"""Keypoints before and after refinement: distance of matches to the true epipolar lines, and processor time.

    python benchmarks/refinement.py DATA [--weights FILE]

Pairs of photos with true cameras (Strecha's fountain 4 and 6, Herz-Jesu 2 and 5), scaled by the larger ratio and
cropped about their middle to 640x480. Of the matches of each detector that is installed, the share whose symmetric
distance to the true epipolar lines is below a limit; the keypoints of one photo are fixed. Errors along the lines do
not count, and wrong matches are included.

Expect within 0.25 px, for the fountain and for Herz-Jesu:

    Sift      raw 0.81 0.66    least squares 0.88 0.75    network 0.91 0.74
    Aliked    raw 0.64 0.49    least squares 0.78 0.60    network 0.83 0.67
    XFeat     raw 0.20 0.19    least squares 0.50 0.42    network 0.66 0.52
"""

from __future__ import annotations

import argparse
import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.xfeat import XFeat
from diptych.learned.refiner.stage import SubpixelRefiner
from diptych.stages.failure import StageFailure
from diptych.stages.features.keypoint_patches import KeypointPatches
from diptych.stages.features.least_squares_matching import LeastSquaresMatching
from diptych.stages.features.sift import Sift
from diptych.stages.features.unrefined import Unrefined
from diptych.stages.formats.truth.cameras import read_truth
from diptych.stages.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    relative_pose,
    symmetric_epipolar_distance,
)
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.scene import Camera, Features, Pair, Patches, Photo, Photos, Tracks
from diptych.stages.stage import Context, Stage
from pictures import read_rgb

SETS = {"fountain": ("strecha_fountain-P11", 4, 6), "herz-jesu": ("strecha_Herz-Jesus-P8", 2, 5)}
SIZE = 640, 480
LIMITS = 0.1, 0.25, 0.5, 1.0

MUTUAL = NearestNeighbor(ratio=1.0, max_distance=2.0)
DETECTORS: dict[str, tuple[Stage, Stage]] = {
    "Sift": (Sift(), NearestNeighbor()),
    "Aliked": (Aliked(max_keypoints=2048), MUTUAL),
    "XFeat": (XFeat(max_keypoints=4096), NearestNeighbor(ratio=1.0, max_distance=0.6)),
}


@dataclass(frozen=True, eq=False)
class TwoPhotos:
    """Two photos of the protocol's size and the true fundamental matrix."""

    photos: Photos
    files: tuple[Photo, Photo]
    fundamental: np.ndarray


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="refiner", help="of SubpixelRefiner")
    arguments = parser.parse_args()
    refiners = [Unrefined(), LeastSquaresMatching(), SubpixelRefiner(weights=arguments.weights)]
    print(
        "|",
        " | ".join(["pair", "detector", "refiner", "matches", *(f"< {limit} px" for limit in LIMITS), "CPU s"]),
        "|",
    )
    print("|---" * (5 + len(LIMITS)) + "|")
    for name, (folder, *indices) in SETS.items():
        pair = read_pair(arguments.data / folder, indices)
        for detector, (extractor, matcher) in DETECTORS.items():
            try:
                features = [run(extractor, photo=each) for each in pair.files]
            except StageFailure as failure:
                print(f"{detector} is skipped: {failure}")
                continue
            matches = run(matcher, features=Pair(*features)).indices
            for refiner in refiners:
                moved, seconds = refine(refiner, pair, features, matches)
                cells = [f"{share:.3f}" for share in within(pair, moved, matches)]
                named = [name, detector, type(refiner).__name__, str(len(matches))]
                print("|", " | ".join([*named, *cells, f"{seconds:.2f}"]), "|", flush=True)


def run(stage: Stage, **inputs: Any) -> Any:
    """Run a stage on inputs by name."""
    inputs["context"] = Context()
    return stage.run(**{name: inputs[name] for name in inspect.signature(stage.run).parameters})


def refine(
    refiner: Stage, pair: TwoPhotos, features: Sequence[Features], matches: np.ndarray
) -> tuple[list[Features], float]:
    """The features of both photos, refined as tracks of two, and seconds of processor time with their patches."""
    track = np.repeat(np.arange(len(matches)), 2)
    tracks = Tracks(track, np.tile([0, 1], len(matches)), matches.ravel())
    given = list(zip(pair.photos.names, pair.files, features, strict=True))
    started = time.process_time()
    patches: list[Patches] = []
    if "patches" in inspect.signature(refiner.run).parameters:
        patches = [KeypointPatches().run(name, pair.photos, photo, each, tracks) for name, photo, each in given]
    shared = {"photos": pair.photos, "patches": patches, "tracks": tracks}
    moved = [run(refiner, name=name, features=each, **shared) for name, _, each in given]
    return moved, time.process_time() - started


def within(pair: TwoPhotos, features: Sequence[Features], matches: np.ndarray) -> list[float]:
    """The shares of matches within each limit of the true epipolar lines."""
    first, second = (each.xy[side].astype(np.float64) for each, side in zip(features, matches.T, strict=True))
    distance = symmetric_epipolar_distance(pair.fundamental, first, second)
    return [float(np.mean(distance < limit)) for limit in LIMITS]


def read_pair(folder: Path, indices: Sequence[int]) -> TwoPhotos:
    """Two photos of a folder with truth, at the size of the protocol."""
    truth = read_truth(folder)
    files, cameras = [], []
    for i in indices:
        image = read_rgb(folder / "images" / truth.names[i])
        cropped, camera = crop_to_size(image, truth.camera(i))
        files.append(Photo(cv2.imencode(".png", cropped[..., ::-1])[1].ravel()))
        cameras.append(camera)
    poses = [(truth.rotations[i], truth.translations[i]) for i in indices]
    essential = essential_from_pose(*relative_pose(poses[0], poses[1]))
    fundamental = fundamental_from_essential(essential, cameras[0].matrix, cameras[1].matrix)
    photos = Photos(("first.png", "second.png"), tuple(cameras), np.arange(2), np.full((2, 3), np.nan))
    return TwoPhotos(photos, (files[0], files[1]), fundamental)


def crop_to_size(image: np.ndarray, camera: Camera) -> tuple[np.ndarray, Camera]:
    """A photo scaled until it covers the size and cropped about its middle, and its camera."""
    height, width = image.shape[:2]
    scale = max(SIZE[0] / width, SIZE[1] / height)
    scaled = round(width * scale), round(height * scale)
    x, y = (scaled[0] - SIZE[0]) // 2, (scaled[1] - SIZE[1]) // 2
    image = cv2.resize(image, scaled, interpolation=cv2.INTER_AREA)[y : y + SIZE[1], x : x + SIZE[0]]
    ratio = scaled[0] / width, scaled[1] / height
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    params = (fx * ratio[0], fy * ratio[1], cx * ratio[0] - x, cy * ratio[1] - y)
    return image, Camera("PINHOLE", *SIZE, params, "calibrated")


if __name__ == "__main__":
    main()
