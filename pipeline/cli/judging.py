"""Commands that judge and repeat runs: reproduce, diff, evaluate, bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ...stages.failure import StageFailure
from .app import app, example
from .logs import start_logging
from .output import print_difference, print_table
from .parameters import EarlierRun, Seed, Workers, keywords, recipe_changes, result_options, takes, work_options


@app.command(epilog=example("diptych reproduce out/run.json"))
def reproduce(
    ctx: typer.Context,
    record: Annotated[Path, typer.Argument(metavar="RUN.JSON", help="The record of a run, or its folder.")],
    photos: Annotated[Path | None, typer.Option("--photos", help="Where the photos are now.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", metavar="DIR", help="Where their truth is now.")] = None,
    workers: Workers = None,
) -> None:
    """Repeat a run in a fresh store and compare every digest; status 1 if one differs."""
    from .. import api

    chosen = start_logging(ctx)
    found = api.reproduce(record, photos=photos, truth=truth, workers=workers, progress=chosen.progress)
    print_difference(found, f"those of {record}")


@app.command(epilog=example("diptych diff out/run.json other/run.json"))
def diff(
    a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The record of a run, or its folder.")],
    b: Annotated[Path, typer.Argument(metavar="RUN_B", help="That of another.")],
) -> None:
    """Tell which results of two runs differ first, by how much and why; status 1 if any does."""
    from .. import api

    print_difference(api.diff(a, b), "the same")


@app.command(epilog=example("diptych evaluate out --truth photos/gt"))
def evaluate(
    out: EarlierRun,
    truth: Annotated[Path, typer.Option("--truth", help="Folder with the true cameras, depth maps or surface.")],
) -> None:
    """Compare a run with the truth: its cameras, and its depth maps, cloud and mesh if the truth has such."""
    from .. import api

    lines = api.evaluate(out, truth=truth).table()
    try:
        lines += api.evaluate_dense(out, truth=truth).table()
    except StageFailure as failure:
        if failure.code != "unknown-truth":
            raise
    width = max(len(what) for what, _ in lines)
    for what, numbers in lines:
        typer.echo(f"{what:<{width}}  {numbers}")


@app.command(epilog=example("diptych bench strecha data --recipe classical --recipe learned"))
@takes(recipe_changes, result_options, work_options)
def bench(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="strecha, eth3d, dtu, middlebury, bal or rendered.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Its data, in the layout of its authors.")],
    recipe: Annotated[list[str] | None, typer.Option("--recipe", help="Name or TOML file; may be repeated.")] = None,
    peer: Annotated[bool, typer.Option("--peer/--no-peer", help="Run other programs beside the recipes.")] = True,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of all runs; bench/NAME if not given.")] = None,
    file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the table there too.")] = None,
    seed: Seed = 0,
    **options: Any,
) -> None:
    """Run a standard protocol and print its table beside published figures; status 1 if a scene failed."""
    from ..protocols.registry import bench as run_benchmark

    chosen = start_logging(ctx)
    table = run_benchmark(
        name,
        data,
        recipes=recipe or ("classical",),
        peer=peer,
        out=out,
        seed=seed,
        progress=chosen.progress,
        say=None
        if chosen.quiet
        else lambda row: typer.echo(f"{row.scene}, {row.method}: {row.failure or 'done'}", err=True),
        **keywords(options),
    )
    head, lines = table.cells()
    print_table(head, lines, right=tuple(range(2, len(head))))
    for note in table.notes():
        typer.echo(note)
    if file:
        file.write_text(json.dumps(table.as_dict(), indent=1, ensure_ascii=False), "utf-8")
    if table.failures:
        raise typer.Exit(1)
