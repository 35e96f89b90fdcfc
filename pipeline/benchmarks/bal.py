"""Bundle Adjustment in the Large (Agarwal et al., ECCV 2010): a solver's cost, evaluations and seconds beside Ceres."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from ...stages.failure import StageFailure
from .alone import alone
from .protocol import Case, How, Protocol
from .table import Column, Published, Row

OURS, PEER = "least_squares", "Ceres"

TURNS = 3
"""How often each solver solves a problem."""


class Bal(Protocol):
    """Bundle adjustment of BAL's problems, each camera with its own focal length and distortion, from where they start.

    The two solvers take turns, so that a busy machine slows both; the ratio of seconds is the median over the turns.
    Ceres is timed inside pycolmap, without building its problem in Python. Both stop at the same relative gain. Seconds
    are what is asked here, so it is measured anew each time.
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
        Published(
            "problem-16-22106-pre", "Ceres 1.11", {"cost_before": 4.185660e6, "cost_after": 1.803391e4},
            "Ceres Solver 1.11, documentation, FAQS, Tips & Tricks, full report of bundle_adjuster",
            "stopped after five iterations, before it had converged",
        ),
    )  # fmt: skip
    note = "Cost is half the sum of the squared residuals. Recipes have no part in this benchmark."

    def scene(self, place: Path) -> Case | None:
        """A file that begins as a BAL problem does."""
        if not place.is_file() or place.suffix != ".txt":
            return None
        with place.open("rb") as file:
            head = file.readline(100).split()
        return Case(place.stem, place) if len(head) == 3 and all(word.isdigit() for word in head) else None

    def rows(self, case: Case, how: How) -> Iterator[Row]:
        """A row of our own solver, and one of Ceres."""
        try:
            found = alone(solve_in_turns, case.path, how.peer, how.workers)
        except StageFailure as failure:
            found = dict.fromkeys((OURS, PEER)[: 1 + how.peer], failure)
        for solver, values in found.items():
            if isinstance(values, StageFailure):
                yield Row(case.name, solver, failure=str(values), hint=values.hint)
            else:
                yield Row(case.name, solver, values)


def solve_in_turns(problem: Path, peer: bool, threads: int | None) -> dict[str, dict[str, float]]:
    """Cost, evaluations and seconds of every solver on a BAL file.

    Raises:
        StageFailure: ``bad-bal-file``, and as :func:`diptych.stages.bundle.adjust`.
    """
    from ...stages.bundle import BundleOptions, adjust, cost
    from ...stages.formats.bal import read_bal
    from ...stages.scene import Scene
    from ..runner import cores
    from .ceres_peer import solve_by_ceres

    scene, options, count = read_bal(problem), BundleOptions(), threads or cores()

    def ours() -> tuple[float, int, Scene]:
        began = time.perf_counter()
        solved, report = adjust(scene, options, threads=count)
        return time.perf_counter() - began, report.evaluations, solved

    solvers: dict[str, Callable[[], tuple[float, int, Scene]]] = {OURS: ours}
    if peer:
        solvers[PEER] = lambda: solve_by_ceres(scene, options, count)
    ours()  # compiles
    turns = [{solver: solve() for solver, solve in solvers.items()} for _ in range(TURNS)]
    rows = {}
    for solver in solvers:
        _, evaluations, solved = turns[-1][solver]
        rows[solver] = {
            "cameras": len(scene.names), "points": len(scene.points), "observations": len(scene.obs_photo),
            "cost_before": cost(scene, options), "cost_after": cost(solved, options), "evaluations": evaluations,
            "seconds": statistics.median(turn[solver][0] for turn in turns),
        }  # fmt: skip
    if peer:
        rows[OURS]["ratio"] = statistics.median(turn[OURS][0] / turn[PEER][0] for turn in turns)
    return rows
