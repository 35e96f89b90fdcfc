"""Whether a repeated run gave the same bytes, and if not, what differs first and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .record import differences, ingredients_of, name_differences, outputs_of
from .tasks import describe


@dataclass(frozen=True)
class Reproduction:
    """How a repeated run compares with its record.

    Attributes:
        compared: how many digests were compared.
        first: the first artifact that differs, in words; empty where all are equal.
        why: the ingredients in which it differs; none where the same ingredients gave other bytes.
    """

    compared: int
    first: str = ""
    why: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether every digest is the same."""
        return not self.first


def compare_records(old: dict[str, Any], new: dict[str, Any]) -> Reproduction:
    """Compare two records in the order in which data flows: photos, results of tasks, files."""
    before, after = _digests(old), _digests(new)
    names = list(dict.fromkeys([*before, *after]))
    for name in names:
        if before.get(name) != after.get(name):
            made = [{describe(task): one for task, one in ingredients_of(record).items()} for record in (old, new)]
            changes = differences(made[0].get(name), made[1].get(name))
            return Reproduction(len(names), name, tuple(name_differences(changes)))
    return Reproduction(len(names))


def _digests(record: dict[str, Any]) -> dict[str, str]:
    """Everything that a record has a digest of, by its name in words."""
    photos = {f"the photo {file['name']}": file["digest"] for file in record["photos"]["files"]}
    tasks = {describe(task): digest for task, digest in outputs_of(record).items()}
    return {**photos, **tasks, **record["outputs"]}
