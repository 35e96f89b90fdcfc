"""The command that trains networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import app, example
from .parameters import Device, Seed


@app.command(epilog=example("diptych train depth --out training --steps 20000"))
def train(
    task: Annotated[str, typer.Argument(help="depth, mono or refiner.")],
    out: Annotated[Path, typer.Option("--out", help="Folder; a training in it is continued.")],
    steps: Annotated[int, typer.Option("--steps", min=1, help="Total number of steps.")] = 10_000,
    seed: Seed = 0,
    device: Device = "cpu",
    start: Annotated[str | None, typer.Option("--start", help="Initial weights: a shipped name or a file.")] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of each operation on the CPU.")] = 1,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.0, help="Stop after so many minutes.")] = None,
    real: Annotated[
        list[Path] | None,
        typer.Option("--real", metavar="DIR", help="Photos with true cameras to validate on; may be repeated."),
    ] = None,
) -> None:
    """Train a network of Diptych on synthetic scenes."""
    from ..training import train as train_task

    card = train_task(
        task,
        out=out,
        steps=steps,
        seed=seed,
        device=device,
        start=start,
        threads=threads,
        minutes=minutes,
        real=real or (),
    )
    typer.echo(f"{card.step:,} of {card.steps:,} steps in {card.seconds:,} s; weights, card and curves are in {out}.")
    for name, value in card.metrics.items():
        typer.echo(f"  {name}: {value:.4g}")
