"""Commands that run recipes: run, plan, explain, compare."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from .app import app, example
from .logs import log_options, start_logging
from .output import print_table, summarize
from .parameters import (
    OutFolder,
    RecipeName,
    keywords,
    photo_options,
    recipe_changes,
    result_options,
    run_parameters,
    takes,
    work_options,
)


@app.command(epilog=example("diptych run photos --out out --set features.max_keypoints=4000"))
@takes(run_parameters, recipe_changes, result_options, photo_options, work_options, log_options)
def run(ctx: typer.Context, **options: Any) -> None:
    """Reconstruct a folder of photos."""
    from .. import api

    chosen = start_logging(ctx)
    result = api.run(progress=chosen.progress, **keywords(options))
    if not chosen.quiet:
        summarize(result)


@app.command(epilog=example("diptych plan photos --out out --set matches.ratio=0.9"))
@takes(run_parameters, recipe_changes, result_options, photo_options)
def plan(**options: Any) -> None:
    """Show what is stored and what would run, without running it."""
    from .. import api

    def number(count: int | None) -> str:
        return "?" if count is None else str(count) if count else "·"

    plans = api.plan(**keywords(options))
    print_table(
        ("node", "stage", "items", "stored", "would run", "GiB each", "not known yet"),
        [
            (
                p.node,
                p.stage,
                number(p.items),
                number(p.stored),
                number(p.to_run),
                f"{p.memory / 2**30:.2f}" if p.memory else "·",
                f"{'all' if p.items is None else p.unknown}, after {', '.join(p.waits_for)}" if p.waits_for else "·",
            )
            for p in plans
        ],
        right=(2, 3, 4, 5),
    )


@app.command(epilog=example("diptych explain photos --out out --set features.max_keypoints=4000"))
@takes(run_parameters, recipe_changes, result_options, photo_options)
def explain(**options: Any) -> None:
    """Tell which ingredient of which key differs from the run in OUT."""
    from .. import api

    for change in api.explain(**keywords(options)):
        facts = [f"{count} changed by {reasons}" for reasons, count in change.changed]
        facts += [f"{change.unchanged} unchanged"] * (change.unchanged > 0)
        facts += [f"{change.added} new"] * (change.added > 0) + [f"{change.removed} gone"] * (change.removed > 0)
        facts += [f"the rest is known after {', '.join(change.waits_for)}"] * bool(change.waits_for)
        typer.echo(f"{change.node}: {'; '.join(facts)}")


@app.command(epilog=example("diptych compare photos --vary depths=PatchMatch,DepthNet --seeds 3 --out study"))
@takes(recipe_changes, result_options, photo_options, work_options, log_options)
def compare(
    ctx: typer.Context,
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photos, or a study file (TOML).")],
    out: OutFolder,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="SLOT=A,B", help="Alternatives for a slot, node or parameter; may be repeated."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="How many, or a list such as 3,5,8.")] = "1",
    recipe: RecipeName = "classical",
    keypoints: Annotated[
        int | None, typer.Option("--keypoints", min=1, help="Largest number of keypoints of every detector.")
    ] = None,
    base: Annotated[str | None, typer.Option("--base", help="Variant to compare with; the first if not given.")] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Print what the study needs, and run nothing.")] = False,
    **options: Any,
) -> None:
    """Compare stages in a slot on the same photos; status 1 if a variant fails."""
    from ..study.command import overview, study_from
    from ..study.compare import plan_line, plan_study, run_study

    chosen, given = start_logging(ctx), keywords(options)
    study = study_from(
        photos,
        vary=vary or (),
        seeds=seeds,
        recipe=recipe,
        keypoints=keypoints,
        base=base,
        name=out.resolve().name,
        **given,
    )
    if only_plan:
        needed = plan_study(study)
        typer.echo(plan_line(needed))
        print_table(("node", "in trials", "different"), [(n, str(a), str(b)) for n, a, b in needed.rows], right=(1, 2))
        return
    names = ("workers", "memory", "device", "store", "cluster")
    found = run_study(study, out=out, progress=chosen.progress, **{name: given[name] for name in names})
    if not chosen.quiet:
        head, rows = overview(found)
        print_table(head, rows, right=tuple(range(1, len(head))))
        for line in ("", *found.conclusions, found.sharing.words(), f"{out}{os.sep}  report.html, table.csv, trials"):
            typer.echo(line)
    if found.failed:
        raise typer.Exit(1)
