"""Bundle Adjustment in the Large (Agarwal et al., ECCV 2010): a solver's cost, evaluations and seconds beside Ceres."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...stages.failure import StageFailure
from .protocol import BenchOptions, Case, Protocol
from .subprocesses import run_in_process
from .table import Column, PublishedRow, Row

if TYPE_CHECKING:
    import numpy as np

    from ...stages.scene import Scene
    from ...stages.sfm.bundle import BundleOptions

OURS, PEER = "least_squares", "Ceres"

TURNS = 3
"""Number of times that each solver solves a problem."""


class Bal(Protocol):
    """Bundle adjustment of BAL's problems from their initial values.

    Each camera has its own focal length and distortion. The two solvers take turns, so that a busy machine slows both;
    the ratio of seconds is the median over the turns. Ceres is timed inside pycolmap, without building its problem in
    Python. Both stop at the same relative gain. Since seconds are the measured quantity, nothing is cached.
    """

    name = "bal"
    layout = "text files of BAL problems, such as problem-16-22106-pre.txt, unpacked"
    columns: ClassVar = (
        Column("cameras", "cameras", ".0f"),
        Column("points", "points", ".0f"),
        Column("observations", "observations", ".0f"),
        Column("cost_before", "initial cost", ".6e"),
        Column("cost_after", "final cost", ".6e"),
        Column("evaluations", "evaluations", ".0f"),
        Column("seconds", "s", ".3f"),
        Column("ratio", "s / Ceres", ".2f"),
    )
    published = (
        PublishedRow(
            "problem-16-22106-pre",
            "Ceres 1.11",
            {"cost_before": 4.185660e6, "cost_after": 1.803391e4},
            "Ceres Solver 1.11, documentation, FAQS, Tips & Tricks, full report of bundle_adjuster",
            "stopped after five iterations, before it had converged",
        ),
    )
    note = "Cost is half the sum of the squared residuals. Recipes have no part in this benchmark."

    def scene(self, place: Path) -> Case | None:
        """Return a file that begins as a BAL problem does."""
        if not place.is_file() or place.suffix != ".txt":
            return None
        with place.open("rb") as file:
            head = file.readline(100).split()
        return Case(place.stem, place) if len(head) == 3 and all(word.isdigit() for word in head) else None

    def rows(self, case: Case, options: BenchOptions) -> Iterator[Row]:
        """Yield the row of Diptych's solver, and that of Ceres."""
        try:
            found = run_in_process(_solve, case.path, options.peer, options.run.workers)
        except StageFailure as failure:
            for solver in (OURS, PEER) if options.peer else (OURS,):
                yield Row(case.name, solver, failure=failure.message, hint=failure.hint)
        else:
            for solver, values in found.items():
                yield Row(case.name, solver, values)


def _solve(problem: Path, peer: bool, threads: int | None) -> dict[str, dict[str, float]]:
    from ...stages.formats.bal import read_bal
    from ...stages.sfm.bundle import BundleOptions
    from ..engine.runner import cores

    return solve_in_turns(read_bal(problem), BundleOptions(), threads or cores(), peer)


def solve_in_turns(
    scene: Scene,
    options: BundleOptions,
    threads: int,
    peer: bool = True,
    turns: int = TURNS,
    fixed_cameras: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:
    """Return cost, evaluations and seconds of every solver on a problem.

    Args:
        peer: also run Ceres.
        turns: number of times that each solves the problem.
        fixed_cameras: True for cameras whose intrinsics are held fixed, shape (C,).

    Raises:
        StageFailure: as :func:`diptych.stages.sfm.bundle.adjust`.
    """
    from ...stages.sfm.bundle import adjust, cost
    from .ceres_peer import solve_by_ceres

    def ours() -> tuple[float, int, Scene]:
        began = time.perf_counter()
        solved, report = adjust(scene, options, fixed_cameras=fixed_cameras, threads=threads)
        return time.perf_counter() - began, report.evaluations, solved

    solvers: dict[str, Callable[[], tuple[float, int, Scene]]] = {OURS: ours}
    if peer:
        solvers[PEER] = lambda: solve_by_ceres(scene, options, threads, fixed_cameras)
    ours()  # compiles
    taken = [{solver: solve() for solver, solve in solvers.items()} for _ in range(turns)]
    rows = {}
    for solver in solvers:
        _, evaluations, solved = taken[-1][solver]
        rows[solver] = {
            "cameras": len(scene.names),
            "points": len(scene.points),
            "observations": len(scene.obs_photo),
            "cost_before": cost(scene, options),
            "cost_after": cost(solved, options),
            "evaluations": evaluations,
            "seconds": statistics.median(turn[solver][0] for turn in taken),
        }
    if peer:
        rows[OURS]["ratio"] = statistics.median(turn[OURS][0] / turn[PEER][0] for turn in taken)
    return rows
