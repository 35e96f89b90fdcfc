"""Bundle adjustment: ``least_squares`` in whitened variables beside Ceres, on the same problems.

    python benchmarks/bundle_adjustment.py BAL_FILE_OR_COLMAP_FOLDER ... [--pairs 5] [--threads 2] [--loss linear]

A BAL file is solved from where it starts, each camera with its own focal length and distortion. A COLMAP model is
first disturbed (0.2 degrees, 1 % of the cameras' extent, 1 % of the points' distance) and its intrinsics are held
unless ``--refine`` is given. The two solvers take turns, so that a busy machine slows both; the ratio is the median
over the pairs. Ceres is timed inside pycolmap, without building its problem in Python. Both stop at the same relative
gain; the costs stand beside each other.

Expected on two cores: BAL's problem-16-22106 at cost 1.80339e+04 in about 10 evaluations; ratios well below 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from pathlib import Path

import numpy as np
from diptych.stages.bundle import BundleOptions, BundleReport, adjust, cost, free_to_move
from diptych.stages.bundle_ceres import ceres_problem, scene_of
from diptych.stages.formats.bal import read_bal
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Scene

COLUMNS = "{:<28} {:>9} {:<7} {:>11} {:>16} {:>9} {:>7}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", type=Path, nargs="+", help="BAL files and COLMAP model folders")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loss", default="linear", choices=("linear", "soft_l1", "huber", "cauchy"))
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--refine", action="store_true", help="refine the intrinsics of a COLMAP model too")
    arguments = parser.parse_args()
    options = BundleOptions(loss=arguments.loss, tolerance=arguments.tolerance)
    print(COLUMNS.format("problem", "obs", "solver", "evaluations", "cost", "seconds", "ratio"))
    for path in arguments.problems:
        bal = path.is_file()
        scene = read_bal(path) if bal else disturbed(read_colmap(path))
        fixed = np.full(len(scene.cameras), not (bal or arguments.refine))
        measure(path.stem if bal else path.resolve().parent.name, scene, fixed, options, arguments)


def measure(name: str, scene: Scene, fixed: np.ndarray, options: BundleOptions, arguments: argparse.Namespace) -> None:
    """Let the two solvers take turns on one problem and print a row of each."""
    adjust(scene, options, fixed_cameras=fixed, threads=arguments.threads)  # compile
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(arguments.pairs):
        seconds, report = run_scipy(scene, fixed, options, arguments.threads)
        ours.append(seconds)
        seconds, evaluations, ceres_cost = run_ceres(scene, fixed, options, arguments.threads)
        theirs.append(seconds)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    rows = (
        ("scipy", report.evaluations, report.cost_after, ours, f"{ratio:.2f}"),
        ("ceres", evaluations, ceres_cost, theirs, ""),
    )
    for solver, count, reached, seconds_of, said in rows:
        values = (
            name,
            len(scene.obs_photo),
            solver,
            count,
            f"{reached:.6e}",
            f"{statistics.median(seconds_of):.3f}",
            said,
        )
        print(COLUMNS.format(*values), flush=True)


def run_scipy(scene: Scene, fixed: np.ndarray, options: BundleOptions, threads: int) -> tuple[float, BundleReport]:
    """Seconds and report of our own solver."""
    start = time.perf_counter()
    _, report = adjust(scene, options, fixed_cameras=fixed, threads=threads)
    return time.perf_counter() - start, report


def run_ceres(scene: Scene, fixed: np.ndarray, options: BundleOptions, threads: int) -> tuple[float, int, float]:
    """Seconds, evaluations and final cost of Ceres."""
    freedom = free_to_move(scene, options.refine, fixed_cameras=fixed)
    reconstruction, adjuster = ceres_problem(scene, freedom, options, threads=threads)
    start = time.perf_counter()
    summary = adjuster.solve().ceres_summary
    seconds = time.perf_counter() - start
    return seconds, summary.num_residual_evaluations, cost(scene_of(scene, reconstruction), options)


def disturbed(scene: Scene, degrees: float = 0.2, fraction: float = 0.01, seed: int = 0) -> Scene:
    """The scene with its rotations, camera centres and points moved at random by so much (root mean square)."""
    rng = np.random.default_rng(seed)
    turns = np.radians(degrees) / np.sqrt(3) * rng.normal(size=scene.translations.shape)
    rotations = matrix_from_vector(turns) @ scene.rotations
    middle = scene.centers.mean(axis=0)
    extent = np.sqrt(((scene.centers - middle) ** 2).sum(axis=1).mean())
    centers = scene.centers + fraction * extent / np.sqrt(3) * rng.normal(size=scene.centers.shape)
    distance = np.linalg.norm(scene.points - middle, axis=1, keepdims=True)
    points = scene.points + fraction * distance / np.sqrt(3) * rng.normal(size=scene.points.shape)
    translations = -np.einsum("nij,nj->ni", rotations, centers)
    return dataclasses.replace(scene, rotations=rotations, translations=translations, points=points)


if __name__ == "__main__":
    main()
