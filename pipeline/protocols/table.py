"""The table of a benchmark: measured rows, published rows, and the sources of these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Column:
    """One number of every row.

    Attributes:
        key: its name in :attr:`Row.values`.
        head: its title, with the unit.
        form: format specification of the number.
        factor: from the unit of the value to that of the column.
    """

    key: str
    head: str
    form: str = ".2f"
    factor: float = 1.0

    def text(self, values: Mapping[str, float]) -> str:
        """Return the cell of a row; a dot if the row has no such number."""
        value = values.get(self.key, math.nan)
        return "·" if math.isnan(value) else format(value * self.factor, self.form)


COST = (Column("cpu_seconds", "CPU s", ".1f"), Column("peak_memory", "GiB", ".2f", 2.0**-30))
"""Processor time of all steps, whenever they ran, and the peak memory of the process that ran them."""


@dataclass(frozen=True)
class Row:
    """The numbers of one method on one scene.

    Attributes:
        scene, method: their names.
        values: the numbers by name, in the units of the evaluation.
        failure: why there are no numbers; else empty.
        hint: what to try then.
    """

    scene: str
    method: str
    values: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    hint: str = ""


@dataclass(frozen=True)
class PublishedRow:
    """A row of a published table.

    Attributes:
        scene: name of the scene, or ``mean`` of a whole set.
        method: its name in that table.
        values: as in :class:`Row`.
        source: author, year, and the table.
        conditions: what differs from what is measured here.
    """

    scene: str
    method: str
    values: Mapping[str, float]
    source: str
    conditions: str


@dataclass(frozen=True)
class Table:
    """The outcome of a benchmark.

    Attributes:
        benchmark: its name.
        columns: in the order of its papers.
        rows: the measured rows.
        published: rows of papers on these scenes.
        note: a remark on the measured numbers.
    """

    benchmark: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published: tuple[PublishedRow, ...] = ()
    note: str = ""

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows without numbers."""
        return tuple(row for row in self.rows if row.failure)

    def cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return head and rows as text, without the columns in which no row has a number.

        The published rows of a scene follow its measured ones; a number in brackets names their source.
        """
        every: Sequence[Row | PublishedRow] = (*self.rows, *self.published)
        shown = [column for column in self.columns if any(column.text(row.values) != "·" for row in every)]
        sources = self._sources()

        def line(scene: str, method: str, values: Mapping[str, float]) -> tuple[str, ...]:
            return scene, method, *(column.text(values) for column in shown)

        lines = []
        for scene in dict.fromkeys(row.scene for row in every):
            lines += [
                line(scene, f"{row.method}: failed" if row.failure else row.method, row.values)
                for row in self.rows
                if row.scene == scene
            ]
            lines += [
                line(scene, f"{row.method} [{sources.index((row.source, row.conditions)) + 1}]", row.values)
                for row in self.published
                if row.scene == scene
            ]
        return ("scene", "method", *(column.head for column in shown)), lines

    def notes(self) -> list[str]:
        """Return the lines below the table: the failures, the remark and the sources."""
        failed = [f"{row.scene}, {row.method}: {row.failure} {row.hint}".rstrip() for row in self.failures]
        said = [f"[{i}] {source}; {conditions}." for i, (source, conditions) in enumerate(self._sources(), start=1)]
        return [*failed, *([self.note] if self.note else []), *said]

    def as_dict(self) -> dict[str, Any]:
        """Return the table as a JSON tree, with null for NaN."""

        def plain(row: Row | PublishedRow) -> dict[str, Any]:
            values = {name: value if math.isfinite(value) else None for name, value in row.values.items()}
            return {**asdict(row), "values": values}

        return {
            "benchmark": self.benchmark,
            "columns": [asdict(column) for column in self.columns],
            "rows": [plain(row) for row in self.rows],
            "published": [plain(row) for row in self.published],
            "note": self.note,
        }

    def _sources(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((row.source, row.conditions) for row in self.published))
