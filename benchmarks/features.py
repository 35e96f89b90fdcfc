"""Keypoints on photos with known cameras: how many matches, how close to the true epipolar lines, and what it takes.

    python benchmarks/features.py SCENE [SCENE ...]

A scene is a folder with ``images/`` and a truth that Diptych can read. Every pair of photos is matched and verified
alike, for Diptych's SIFT at several settings and for COLMAP's through pycolmap. Seconds are of processor time on one
thread; matching counts verification, and its first row the time to compile.

Expect on fountain-P11 that half the matches lie within 0.25 px of the true lines, at 8192 keypoints and at COLMAP's
(which counts orientations beyond its 8192); that full resolution adds 1 % to that for three times the time; and that
guided matching finds a third more matches, of which fewer are that close.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from diptych.stages.features.sift import Sift
from diptych.stages.formats.truth.cameras import read_truth
from diptych.stages.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    relative_pose,
    symmetric_epipolar_distance,
)
from diptych.stages.images.photos import decode, decode_gray
from diptych.stages.matching.guided_matching import GuidedMatching
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.matching.two_view import PoseLibTwoView, pinhole_positions
from diptych.stages.peers.colmap import pycolmap
from diptych.stages.scene import Features, Pair, Photo, Scene
from diptych.stages.stage import Context, Stage

PIXELS = (0.25, 0.5, 1.0)


class ColmapSift(Stage):
    """COLMAP's SIFT as its users run it, as RootSIFT."""

    slot = "features"

    max_keypoints: int = 8192

    def run(self, photo: Photo, context: Context) -> Features:
        """Keypoints of one photo."""
        options = pycolmap.FeatureExtractionOptions()
        options.sift.max_num_features = self.max_keypoints
        options.num_threads = 1
        extractor = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)
        keypoints, descriptors = extractor.extract_from_uint8_array(decode_gray(photo))
        xy = np.array([(each.x, each.y) for each in keypoints])
        column, row = xy.astype(int).T
        return Features(
            xy=xy,
            scale=np.array([each.compute_scale() for each in keypoints]),
            angle=np.zeros(len(xy)),
            score=np.ones(len(xy)),
            color=decode(photo)[row, column],
            descriptors=descriptors.data,
            kind="rootsift",
        )


EXTRACTORS: dict[str, Stage] = {
    "Sift()": Sift(),
    "Sift(max_size=1024)": Sift(max_size=1024),
    "Sift(max_size=0)": Sift(max_size=0),
    "Sift(max_keypoints=16000)": Sift(max_keypoints=16_000),
    "COLMAP's SIFT": ColmapSift(),
}


def measure(folder: Path, truth: Scene, extractor: Stage, guided: bool) -> list[str]:
    """One row of the table."""
    context = Context()
    files = [folder / "images" / name for name in truth.names]
    started = time.process_time()
    features = [extractor.run(Photo(np.fromfile(each, np.uint8)), context) for each in files]
    extraction = (time.process_time() - started) / len(files)

    seconds, matched, errors = 0.0, 0, [np.empty(0)]
    for i, j in itertools.combinations(range(len(files)), 2):
        camera, pair = Pair(truth.camera(i), truth.camera(j)), Pair(features[i], features[j])
        started = time.process_time()
        matches = NearestNeighbor().run(pair, context)
        view = PoseLibTwoView().run(camera, pair, matches, np.random.default_rng(0))
        if guided:
            view = GuidedMatching().run(camera, pair, view, context)
        seconds += time.process_time() - started
        matched += len(matches)
        poses = [(truth.rotations[each], truth.translations[each]) for each in (i, j)]
        essential = essential_from_pose(*relative_pose(poses[0], poses[1]))
        fundamental = fundamental_from_essential(essential, camera.first.matrix, camera.second.matrix)
        first = pinhole_positions(camera.first, pair.first.xy[view.matches[:, 0]])
        second = pinhole_positions(camera.second, pair.second.xy[view.matches[:, 1]])
        errors.append(symmetric_epipolar_distance(fundamental, first, second))
    error = np.concatenate(errors)
    near = [f"{100 * np.mean(error < limit):.1f}" for limit in PIXELS]
    keypoints = np.mean([len(each) for each in features])
    return [f"{keypoints:.0f}", f"{extraction:.2f}", f"{seconds:.1f}", f"{matched}", f"{len(error)}", *near]


def main() -> None:
    """Print one table a scene."""
    pycolmap.logging.minloglevel = 2
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="+")
    for folder in parser.parse_args().scenes:
        truth = read_truth(folder)
        print(f"\n{folder.name}, {len(truth.names)} photos\n")
        within = [f"% < {limit} px" for limit in PIXELS]
        print("|", " | ".join(["", "keypoints", "s/photo", "s to match", "matches", "verified", *within]), "|")
        print("|---" * (6 + len(PIXELS)) + "|")
        for name, extractor in EXTRACTORS.items():
            print("|", " | ".join([name, *measure(folder, truth, extractor, guided=False)]), "|", flush=True)
        print("|", " | ".join(["Sift(), guided", *measure(folder, truth, Sift(), guided=True)]), "|", flush=True)


if __name__ == "__main__":
    main()
