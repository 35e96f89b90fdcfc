"""The page of a study: the differences, the diptych to look at them, and every number behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..citations import references
from ..document import write_page
from ..record import record_columns
from .numbers import accuracy_against_time, difference_tables, effect_rows, mean_table, summary_rows, trial_table
from .side_by_side import make_diptych

if TYPE_CHECKING:
    from ...study.comparison import Comparison, Trial


def write_study(path: Path, comparison: Comparison) -> None:
    """Write a study's page: one HTML file that needs no network and no other file.

    Args:
        path: where to write it.
        comparison: the finished study; the results of its trials are read one at a time.
    """
    study, sharing = comparison.study, comparison.sharing
    rows = summary_rows(comparison)
    write_page(
        path,
        "study.html.j2",
        title=study.name,
        scripts=("viewer.js", "study.js", "pictures.js"),
        study=study,
        sharing=sharing,
        shares=[100 * part / max(sharing.tasks, 1) for part in (sharing.tasks, sharing.distinct, sharing.ran)],
        failed=len(comparison.failed),
        trial_count=len(comparison.trials),
        conclusions=comparison.conclusions,
        failures=_failures(comparison),
        diptych=make_diptych(comparison),
        differences=difference_tables(comparison, rows),
        time_charts=accuracy_against_time(comparison, rows),
        means=mean_table(comparison, rows),
        effects=effect_rows(comparison),
        trials=trial_table(comparison),
        record=_record(comparison),
        cited=references(trial.record for trial in comparison.trials),
    )


def _failures(comparison: Comparison) -> list[tuple[dict[str, Any], str]]:
    """Every cause once, with the trials it ended."""
    ended: dict[str, list[Trial]] = {}
    for trial in comparison.failed:
        ended.setdefault(str((trial.failure or {}).get("sentence")), []).append(trial)
    return [(dict(trials[0].failure or {}), _named(trials)) for trials in ended.values()]


def _named(trials: Sequence[Trial]) -> str:
    """Trials in words."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        seeds.setdefault((trial.variant, trial.scene), []).append(str(trial.seed))
    return "; ".join(
        f"{variant} on {scene} with seed{'s' * (len(found) > 1)} {', '.join(found)}"
        for (variant, scene), found in seeds.items()
    )


def _record(comparison: Comparison) -> dict[str, dict[str, str]]:
    """What all trials have in common, from the record of the first."""
    record = comparison.trials[0].record if comparison.trials else {}
    known = {name: record.get(name) for name in ("when", "workers", "device", "git", "hardware", "versions")}
    seeds = ", ".join(map(str, comparison.study.seeds))
    return record_columns({**known, "seed": seeds, "until": comparison.study.until})
