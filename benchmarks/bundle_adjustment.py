"""Bundle adjustment of COLMAP models, disturbed: ``least_squares`` in whitened variables beside Ceres.

    python benchmarks/bundle_adjustment.py COLMAP_FOLDER ... [--turns 5] [--threads 2] [--loss linear] [--refine]

A model is first disturbed (0.2 degrees, 1 % of the cameras' extent, 1 % of the points' distance), and its intrinsics
are held unless ``--refine`` is given. The solvers take turns, as in ``diptych bench bal``, which solves BAL's problems.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from diptych.pipeline.protocols.bal import solve_in_turns
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Scene
from diptych.stages.sfm.bundle_options import BundleOptions

COLUMNS = "{:<28} {:>9} {:<14} {:>11} {:>16} {:>9} {:>7}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="COLMAP model folders")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loss", default="linear", choices=("linear", "soft_l1", "huber", "cauchy"))
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--refine", action="store_true", help="refine the intrinsics too")
    arguments = parser.parse_args()
    options = BundleOptions(loss=arguments.loss, tolerance=arguments.tolerance)
    print(COLUMNS.format("model", "obs", "solver", "evaluations", "cost", "seconds", "ratio"))
    for path in arguments.models:
        scene = disturbed(read_colmap(path))
        held = np.full(len(scene.cameras), not arguments.refine)
        found = solve_in_turns(scene, options, arguments.threads, turns=arguments.turns, fixed_cameras=held)
        for solver, row in found.items():
            values = (
                path.resolve().parent.name,
                len(scene.obs_photo),
                solver,
                int(row["evaluations"]),
                f"{row['cost_after']:.6e}",
                f"{row['seconds']:.3f}",
                f"{row['ratio']:.2f}" if "ratio" in row else "",
            )
            print(COLUMNS.format(*values), flush=True)


def disturbed(scene: Scene, degrees: float = 0.2, fraction: float = 0.01, seed: int = 0) -> Scene:
    """The scene with its rotations, camera centers and points moved at random by so much (root mean square)."""
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
