"""What refined keypoints are worth to a whole reconstruction: camera error and time, raw against refined.

    python benchmarks/refined_pipeline.py DATA [--sets fountain herz-jesus] [--detectors Sift Aliked] [--seeds N]

The recipe ``learned`` up to its cameras, with known intrinsics, once for each detector and refiner. Camera errors are
the mean distance from the true positions after the least-squares alignment, in millimeters, over the seeds. Time is
what the nodes ``patches`` and ``refined`` take, and what that is of all that comes before and after them; tasks say
themselves how long they took, and those that runs share are counted with each. Loading torch is not counted: a process
does that once, in 1.5 CPU seconds, whatever it needs it for.

Expect millimeters, for the fountain and for Herz-Jesu:

    Sift      raw 2.37 3.44    least squares 2.35 3.34    network 2.34 3.37
    Aliked    raw 2.11 3.91    least squares 2.13 3.32    network 1.96 3.59

and CPU seconds added, of one thread each of two cores at 2.6 GHz, and of how many percent of the rest:

    Sift      least squares 1.6  7 %, 0.9  8 %    network 2.2 10 %, 1.4 11 %
    Aliked    least squares 0.9  0 %, 0.6  0 %    network 1.6  1 %, 1.0  1 %
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import diptych as dp
import numpy as np
import torch  # noqa: F401 - loaded before a task that needs it is timed
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.lightglue import LightGlue
from diptych.learned.refiner.stage import SubpixelRefiner
from diptych.stages.evaluation.cameras import evaluate
from diptych.stages.failure import StageFailure
from diptych.stages.features.least_squares_matching import LeastSquaresMatching
from diptych.stages.features.sift import Sift
from diptych.stages.features.unrefined import Unrefined
from diptych.stages.formats.truth.cameras import read_truth
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.scene import Scene
from diptych.stages.stage import Stage
from rich.console import Console
from rich.table import Table

SETS = {"fountain": "strecha_fountain-P11", "herz-jesus": "strecha_Herz-Jesus-P8"}
"""Strecha's scenes, each taken by one camera, and their folders."""

DETECTORS: dict[str, tuple[Stage, Stage]] = {
    "Sift": (Sift(), NearestNeighbor()),
    "Aliked": (Aliked(), LightGlue(kind="aliked-n16")),
}
"""How keypoints are found and matched."""

REFINERS = Unrefined(), LeastSquaresMatching(), SubpixelRefiner()

REFINING = "patches", "refined"
"""The nodes whose time a refiner adds."""


@dataclass(frozen=True)
class Spent:
    """Seconds of tasks: of processors, and until each was done."""

    cpu: float
    wall: float

    @staticmethod
    def of(result: dp.Result, refining: bool) -> Spent:
        """What the tasks of a run took that refine, or all others."""
        tasks = [task for task in result.record["tasks"] if (task["node"] in REFINING) == refining]
        return Spent(*(sum(task[kind] or 0.0 for task in tasks) for kind in ("cpu_seconds", "seconds")))


def main() -> None:
    """Run every detector with every refiner and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="where to keep the runs; else nowhere")
    options = parser.parse_args()
    table = Table("set", "detector", "refiner", "photos", "camera mm", "seeds", "added CPU s", "%", "added wall s", "%")
    with tempfile.TemporaryDirectory() as nowhere:
        out = options.out or Path(nowhere)
        for name, detector, refiner in product(options.sets, options.detectors, REFINERS):
            photos = options.data / SETS[name]
            truth = read_truth(photos)
            known = ",".join(map(str, ("PINHOLE", *truth.camera(0).params)))
            recipe = recipe_of(detector, refiner)
            try:
                runs = [
                    dp.run(
                        photos / "images",
                        out=out / "run",
                        store=str(out / "store"),
                        recipe=recipe,
                        until="sparse",
                        camera=known,
                        seed=seed,
                        workers=options.workers,
                    )
                    for seed in range(options.seeds)
                ]
            except StageFailure as failure:
                print(f"{name}, {detector}, {type(refiner).__name__} is left out: {failure}")
                continue
            table.add_row(name, detector, type(refiner).__name__, *cells(runs, truth))
            print(f"{name}, {detector}, {type(refiner).__name__} done", flush=True)
    Console(width=140).print(table)


def recipe_of(detector: str, refiner: Stage) -> dp.Recipe:
    """The recipe ``learned`` with another detector, its matcher, and another refiner; no patches where none looks."""
    features, matches = DETECTORS[detector]
    recipe = dp.Recipe.load("learned").with_(features=features, matches=matches, refined=refiner)
    if isinstance(refiner, Unrefined):
        return dp.Recipe([node for node in recipe.nodes if node.name != "patches"], recipe.name)
    return recipe


def cells(runs: list[dp.Result], truth: Scene) -> list[str]:
    """The table's cells for the runs of all seeds."""
    found = [evaluate(run.scene, truth).as_dict() for run in runs]
    errors = [1000 * each["position_least_squares_mean"] for each in found]
    added, rest = ([Spent.of(run, refining) for run in runs] for refining in (True, False))
    times = []
    for kind in ("cpu", "wall"):
        more, others = (float(np.mean([getattr(each, kind) for each in spent])) for spent in (added, rest))
        times += [f"{more:.1f}", f"{100 * more / others:.1f}"]
    registered = "/".join(f"{found[0][count]:g}" for count in ("registered", "photos"))
    return [registered, f"{np.mean(errors):.3f}", f"{min(errors):.3f} - {max(errors):.3f}", *times]


if __name__ == "__main__":
    main()
