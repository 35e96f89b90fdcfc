"""Depth maps by every method on sets with true cameras: accuracy by a scorer of your own, time, calibration.

    python benchmarks/dense.py DATA --scorer SCORER [--sets exact_scene8 ...] [--methods patchmatch depthnet ...]

DATA is the folder that holds the data sets. SCORER is a Python program that is called with the name of a set and a
folder of depth maps (NAME.npy, z, 0 for none) and prints JSON; without one only times and coverage are printed. Two
views are worked on at once, each on one thread. The first method's time holds the compilation where nothing is cached.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from consistency import agreeing
from diptych.learned.depth.stage import DepthNet
from diptych.pipeline.engine.recipe import Recipe
from diptych.stages.dense import DepthMap, View
from diptych.stages.depth_truth import TrueView
from diptych.stages.evaluation.surface import mask_containment
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.stage import Context
from diptych.stages.surface.cloud import concatenated
from diptych.stages.surface.fusion import ConsistentPoints
from pictures import read_stored
from protocol_sets import FOLDERS, ProtocolSet

Depths = PatchMatch | Sgm | DepthNet


def methods(weights: str) -> dict[str, tuple[Depths, ...]]:
    """Each a chain of stages of the slot ``depths``, as the nodes of a recipe."""
    return {
        "sgm": (Sgm(),),
        "patchmatch": (PatchMatch(), PatchMatch()),
        "sgm+patchmatch": (Sgm(), PatchMatch()),
        "depthnet": (DepthNet(weights=weights),),
        "hybrid": tuple(_depths_of("hybrid", weights)),
    }


def _depths_of(recipe: str, weights: str) -> Iterator[Depths]:
    """The stages of a built-in recipe that make depth maps."""
    for node in Recipe.load(recipe).nodes:
        if isinstance(node.stage, DepthNet):
            yield replace(node.stage, weights=weights)
        elif isinstance(node.stage, Depths):
            yield node.stage


WORKERS = 2

CONFIRMING = 8
"""Neighbors, best first, that may confirm a pixel."""


def main() -> None:
    """Run the chosen methods on the chosen sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--sets", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--methods", nargs="+", choices=list(methods("depth")), default=list(methods("depth")))
    parser.add_argument("--weights", default="depth", help="of DepthNet")
    parser.add_argument("--save", type=Path, help="keep the depth maps in a folder")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for name in arguments.sets:
        chosen = ProtocolSet.read(arguments.data, name)
        for method in arguments.methods:
            started = time.process_time()
            maps, seconds = run(methods(arguments.weights)[method], chosen)
            cpu = (time.process_time() - started) / sum(each.depth.size / 1e6 for each in maps)
            with tempfile.TemporaryDirectory() as scratch:
                folder = arguments.save / name / method if arguments.save else Path(scratch)
                write(folder, chosen.names, maps)
                took = ", ".join(f"{each:.2f}" for each in seconds)
                print(f"{name} {method} {took} s a view, {cpu:.1f} CPU s/megapixel", flush=True)
                print(score(arguments.scorer, name, folder, maps), flush=True)
                if (masks := arguments.data / FOLDERS[name] / "mask").is_dir():
                    print(on_the_object(chosen, maps, masks), flush=True)


def run(stages: tuple[Depths, ...], data: ProtocolSet) -> tuple[tuple[DepthMap, ...], list[float]]:
    """The depth maps of a chain of stages, and the wall seconds a view of each stage."""
    maps: tuple[DepthMap, ...] | None = None
    seconds = []
    for stage in stages:
        before = maps

        def one(photo: int, stage: Depths = stage, before: tuple[DepthMap, ...] | None = before) -> DepthMap:
            views = data.around(photo, data.views)
            if not isinstance(stage, PatchMatch):
                return stage.run(views, Context())
            start = None if before is None else data.around(photo, before)
            return stage.run(views, np.random.default_rng(photo), Context(), start)

        started = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            maps = tuple(pool.map(one, range(len(data.views))))
        seconds.append((time.perf_counter() - started) / len(maps))
    assert maps is not None
    return maps, seconds


def write(folder: Path, names: tuple[str, ...], maps: tuple[DepthMap, ...]) -> None:
    """Depth maps as NAME.npy."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in zip(names, maps, strict=True):
        np.save(folder / f"{name}.npy", each.depth)


def score(scorer: Path | None, name: str, folder: Path, maps: tuple[DepthMap, ...]) -> str:
    """What the scorer says, on one line."""
    if scorer is None:
        return f"coverage {np.mean([(each.depth > 0).mean() for each in maps]):.4f}"
    said = subprocess.run([sys.executable, scorer, name, folder], capture_output=True, text=True, check=True).stdout
    return ", ".join(f"{key} {value}" for key, value in json.loads(said).items())


def on_the_object(data: ProtocolSet, maps: tuple[DepthMap, ...], masks: Path) -> str:
    """How much of an object two neighbors confirm, and how many of the fused points lie beside it."""
    confirmed, of, clouds = 0, 0, []
    truth = [_masked(view, masks / f"{name}.png") for name, view in zip(data.names, data.views, strict=True)]
    for i, true in enumerate(truth):
        views, depths = data.around(i, data.views), data.around(i, maps)
        pairs = list(zip(views.sources, depths.sources, strict=True))[:CONFIRMING]
        mask = true.mask
        assert mask is not None
        confirmed += int((agreeing(maps[i], data.views[i], pairs, 1.0, 0.01) >= 2)[mask].sum())
        of += int(mask.sum())
        clouds.append(ConsistentPoints().run(views, depths))
    found = mask_containment(concatenated(clouds).points, truth)
    return (
        f"object: kept in 3 views {confirmed / of:.4f}; {found.points:,} fused points, "
        f"{100 * found.outside / found.points:.2f} % outside the widened masks"
    )


def _masked(view: View, file: Path) -> TrueView:
    size = view.camera.width, view.camera.height

    def read() -> np.ndarray:
        return cv2.resize(read_stored(file), size, interpolation=cv2.INTER_NEAREST).reshape(*size[::-1], -1)[..., 0] > 0

    return TrueView(file.stem, view.camera, view.rotation, view.translation, read_mask=read)


if __name__ == "__main__":
    main()
