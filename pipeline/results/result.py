"""A finished run: its output folder, its record and its results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...learned.mono.weights import MonoWeights
from ...stages.dense import Cloud, DepthMap, Mesh, Neighbors, View
from ...stages.failure import StageFailure
from ...stages.scene import Scene, Sparse
from ..cache.store import Store
from ..notebook import html_table
from ..report.words import plural
from .record import outputs_of, read_record
from .values import Dense, Items, Results


@dataclass(frozen=True, repr=False)
class Result:
    """A finished run.

    Results are read from the store when they are asked for, and their arrays are read-only;
    :func:`diptych.pipeline.results.writable.writable` makes a copy that can be written to.

    Attributes:
        out: the output folder.
        record: the content of ``run.json``.
        store: holds the results.
    """

    out: Path
    record: dict[str, Any]
    store: Store

    def __repr__(self) -> str:
        counts = ", ".join(f"{node}: {done}" for node, _, done, _ in self._rows())
        return f"Result({str(self.out)!r}, {self._title()}; {counts})"

    def _repr_html_(self) -> str:
        return html_table(f"{self.out}: {self._title()}", ("node", "stage", "results", "seconds"), self._rows())

    def _title(self) -> str:
        record = self.record
        ended = ", failed" if record["failure"] else ""
        return f"recipe {record['recipe']['name']!r}, {plural(len(record['photos']['files']), 'photo')}{ended}"

    def _rows(self) -> list[tuple[str, str, int, str]]:
        """Every node with its stage, the number of its results and the seconds that these took to compute."""
        done, seconds = Counter[str](), Counter[str]()
        for task in self.record["tasks"]:
            if task["output"]:
                done[task["node"]] += 1
                seconds[task["node"]] += task["seconds"]
        nodes = self.record["recipe"]["nodes"]
        return [(n["name"], n["use"], done[n["name"]], f"{seconds[n['name']]:.1f}") for n in nodes]

    @property
    def sparse(self) -> Sparse:
        """All models.

        Raises:
            StageFailure: ``no-result``, as the properties below.
        """
        return self["sparse"][""]

    @property
    def scene(self) -> Scene:
        """The largest model."""
        return self.sparse.scene

    @property
    def neighbors(self) -> Neighbors:
        """The neighbors and the depth range of every photo."""
        return self["neighbors"][""]

    @property
    def views(self) -> Items[View]:
        """The undistorted photos by name, each read on access."""
        return self["views"]

    @property
    def mono(self) -> MonoWeights:
        """The network that predicts depth from one photo of this scene, with its errors."""
        return self["mono"][""]

    @property
    def depths(self) -> Items[DepthMap]:
        """The depth maps by the photo's name, each read on access."""
        return self["depths"]

    @property
    def cloud(self) -> Cloud:
        """The dense point cloud."""
        return self["cloud"][""]

    @property
    def mesh(self) -> Mesh:
        """The surface mesh."""
        return self["mesh"][""]

    @property
    def dense(self) -> Dense:
        """All dense results together; those that the run did not reach are empty or None."""
        return self.results.dense

    def __getitem__(self, slot: str) -> Items[Any]:
        """The last results of a slot or node by item, each read on access: ``result["features"]["a.jpg"]``.

        Raises:
            StageFailure: ``no-result`` if the run did not reach it, or if the store no longer holds it.
        """
        if not (found := self.results[slot]):
            raise StageFailure("no-result", f"The run in {self.out} gave no {slot!r}.")
        return found

    @property
    def results(self) -> Results:
        """All results by slot or node; empty for those that the run did not reach."""
        slots = {node["name"]: node["slot"] for node in self.record["recipe"]["nodes"]}
        return Results(slots, outputs_of(self.record), self.store)

    @staticmethod
    def load(out: str | Path) -> Result:
        """Open an earlier run by its output folder.

        Raises:
            StageFailure: ``no-record`` or ``bad-record``.
        """
        record = read_record(Path(out))
        return Result(Path(out), record, Store(record["store"]))
