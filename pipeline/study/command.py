"""A study as a person asks for it on the command line, and what it found as a table of words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...stages.failure import StageFailure
from ..engine.collection import Options
from ..engine.recipe import Recipe
from .comparison import Comparison
from .conclusions import headlines_of
from .metrics import COSTS, Metric
from .study import PhotoSet, Study, read_study, study_of
from .variants import split


def asked(
    photos: Path,
    vary: Sequence[str],
    *,
    seeds: str,
    truth: Path | None,
    recipe: str,
    settings: Iterable[str],
    until: str | None,
    keypoints: int | None,
    base: str | None,
    camera: str | None,
    cameras: str,
    masks: Path | None,
    name: str,
) -> Study:
    """The study in a file, or of a folder of photos with ``--vary SLOT=A,B`` and so on.

    Raises:
        StageFailure: ``bad-vary``, ``bad-seeds``, and as :mod:`diptych.pipeline.study.study`.
    """
    if photos.suffix == ".toml":
        if vary or truth or settings or keypoints or until or camera or masks:
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
    axes = dict(_axis(text) for text in vary)
    scene = PhotoSet(photos.resolve().name, photos, Options(cameras, camera, masks, truth))
    return study_of(
        [scene],
        Recipe.load(recipe).set(settings),
        vary=axes,
        seeds=_seeds(seeds),
        keypoints=keypoints,
        until=until,
        base=base,
        name=name,
    )


def overview(found: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A row for every variant: the means of the headline metrics and of the costs, with their spread over seeds."""
    metrics = [*headlines_of(found), *(COSTS[name] for name in ("keypoints", "seconds", "cpu_seconds", "peak_memory"))]
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


def _axis(text: str) -> tuple[str, list[str]]:
    place, equals, alternatives = text.partition("=")
    found = [part for part in split(alternatives, ",") if part]
    if not equals or not place.strip() or not found:
        raise StageFailure(
            "bad-vary", f"{text!r} is no choice.", hint="Write slot=A,B as in depths=PatchMatch,DepthNet."
        )
    return place.strip(), found


def _seeds(text: str) -> int | list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or parts == ["0"]:
        raise StageFailure("bad-seeds", f"{text!r} are no seeds.", hint="Write how many, as 5, or a list, as 3,5,8.")
    return int(parts[0]) if len(parts) == 1 else [int(part) for part in parts]
