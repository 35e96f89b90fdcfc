"""A study from the options of the command line, and its results as a table of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...stages.failure import StageFailure
from ..engine.options import split_options
from ..engine.recipe import Recipe
from .comparison import Comparison
from .metrics import COSTS, Metric
from .study import PhotoSet, Study, read_study, study_of
from .variants import parse_choice, varied


def study_from(
    photos: Path,
    *,
    vary: Sequence[str],
    seeds: str,
    keypoints: int | None,
    base: str | None,
    name: str,
    recipe: str = "classical",
    use: dict[str, str],
    settings: Sequence[str],
    **options: Any,
) -> Study:
    """Return the study in a file, or that of a folder of photos with ``--vary SLOT=A,B`` and the other options.

    Raises:
        StageFailure: ``bad-vary``, ``bad-choice``, ``bad-seeds``, and as :mod:`diptych.pipeline.study.study`.
    """
    photo_options, run_options = split_options(options)
    if photos.suffix == ".toml":
        stated = (vary, use, settings, keypoints, run_options.until, *vars(photo_options).values())
        if any(value not in (None, "auto") and value for value in stated):
            raise StageFailure(
                "bad-vary",
                f"{photos} says itself what varies, where the truth lies and what is set.",
                hint="Write it into the study file, or give a folder of photos.",
            )
        return read_study(photos)
    if not vary:
        raise StageFailure(
            "bad-vary", "Nothing varies.", hint="Add --vary depths=PatchMatch,DepthNet, or give a study file."
        )
    return study_of(
        [PhotoSet(photos.resolve().name, photos, photo_options)],
        varied(Recipe.load(recipe), use).set(settings),
        vary=dict(map(parse_choice, vary)),
        seeds=_seeds(seeds),
        keypoints=keypoints,
        until=run_options.until,
        base=base,
        name=name,
    )


def overview(found: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a row for every variant: means of the headline metrics and costs, with their spread over the seeds."""
    metrics = [*found.headlines, *(COSTS[name] for name in ("keypoints", "seconds", "cpu_seconds", "peak_memory"))]
    summary = found.summary().set_index(["variant", "metric"])
    head = ("variant", *(metric.title for metric in metrics), "failed")
    rows = [
        (
            variant.name,
            *(_cell(summary, variant.name, metric) for metric in metrics),
            str(sum(trial.variant == variant.name for trial in found.failed) or "·"),
        )
        for variant in found.study.variants
    ]
    return head, rows


def _cell(summary: pd.DataFrame, variant: str, metric: Metric) -> str:
    row: Any = summary.loc[(variant, metric.name)]
    if not math.isfinite(row["mean"]):
        return "·"
    scale, unit = metric.scaled
    noise = f" ± {scale * row['spread']:.2g}" if row["spread"] > 0 else ""
    return f"{scale * row['mean']:.4g}{noise} {unit}".rstrip()


def _seeds(text: str) -> int | list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or parts == ["0"]:
        raise StageFailure("bad-seeds", f"{text!r} are no seeds.", hint="Write how many, as 5, or a list, as 3,5,8.")
    return int(parts[0]) if len(parts) == 1 else [int(part) for part in parts]
