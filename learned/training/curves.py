"""The curves of a training, as a CSV file and a plot."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

HELD_OUT = "held-out "
"""Prefix of the names of metrics on held-out samples."""

_SMOOTHED = 100
"""Training losses are averaged over this many steps."""


class Curves:
    """The metrics of a training as rows of step, name, value.

    Args:
        path: of the CSV file; rows after ``step``, of a training killed after its last save, are dropped.
        step: at which the training starts or resumes.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        self._rows = [row for row in _read(path) if row[0] <= step]
        self._open: dict[str, list[float]] = defaultdict(list)
        self.latest = {name: value for _, name, value in self._rows}

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Add numbers of a step; those of training batches are averaged into one row for many steps."""
        for name, value in numbers.items():
            self._open[name].append(value)
            if name.startswith(HELD_OUT) or step % _SMOOTHED == 0:
                self.latest[name] = float(np.mean(self._open.pop(name)))
                self._rows.append((step, name, self.latest[name]))
        if step % _SMOOTHED == 0:
            self._write_rows()

    def write(self) -> None:
        """Write the rows and the plot."""
        self._write_rows()
        _draw(self._rows, self._path.with_suffix(".png"))

    def _write_rows(self) -> None:
        with self._path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("step", "name", "value"))
            writer.writerows((step, name, f"{value:.6g}") for step, name, value in self._rows)


def _read(path: Path) -> list[tuple[int, str, float]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [(int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(file)]


def _draw(rows: list[tuple[int, str, float]], path: Path) -> None:
    """One panel for each metric, on training batches and on held-out samples."""
    from matplotlib.figure import Figure

    courses: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for step, name, value in rows:
        kind = "held-out" if name.startswith(HELD_OUT) else "training"
        courses[name.removeprefix(HELD_OUT)][kind].append((step, value))
    if not courses:
        return
    columns = min(3, len(courses))
    lines = -(-len(courses) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.2 * lines), layout="constrained")
    for place, (name, kinds) in enumerate(courses.items()):
        panel = figure.add_subplot(lines, columns, place + 1, title=name, xlabel="step")
        for kind, course in kinds.items():
            panel.plot(*zip(*course, strict=True), label=kind, marker="." if kind == "held-out" else None)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=100)
