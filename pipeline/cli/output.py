"""What commands print: tables, the difference of two runs, and the summary of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..report.words import plural

if TYPE_CHECKING:
    from ..results.difference import Difference
    from ..results.result import Result


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[int, ...] = ()) -> None:
    """Print a table of text, the same on a terminal and in a file; the columns in ``right`` are aligned right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (t.rjust(w) if i in right else t.ljust(w) for i, (t, w) in enumerate(zip(row, widths, strict=True)))
        typer.echo("  ".join(cells).rstrip())


def print_difference(found: Difference, same: str) -> None:
    """Print how two runs compare, and end with status 1 if they differ."""
    if not found.first:
        typer.echo(f"Equal: all {found.compared} digests are {same}.")
        return
    typer.echo(f"Different: the first artifact that differs is {found.first.name}; {found.first.reason}.")
    typer.echo(f"\n{found.differing} of {found.compared} digests differ. Causes; what else differs is a consequence:")
    for group, causes in found.causes.items():
        typer.echo(f"  {group}: {', '.join(causes)}")
    typer.echo("")
    print_table(
        ("", "equal", "different", "only in A", "only in B"),
        [(g.name, *(f"{n or '·'}" for n in (g.equal, g.different, g.only_a, g.only_b))) for g in found.groups],
        right=(1, 2, 3, 4),
    )
    told = [group.first for group in found.groups if group.first and group.first.by]
    if told:
        typer.echo("\nBy how much, A against B, the first of each:")
    for artifact in told:
        typer.echo(f"  {artifact.name}: {'; '.join(artifact.by)}")
    raise typer.Exit(1)


def summarize(result: Result) -> None:
    """Print what a run made, its quality, its time, and where the files are."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    record = result.record
    if not record["outputs"]:
        done = sum(task["output"] is not None for task in record["tasks"])
        console.print(f"[green]✓[/] {plural(done, 'result')} in {record['seconds']:.1f} s, all in {record['store']}")
        return
    import numpy as np

    sparse = result.sparse
    scene = sparse.scene
    total = len(record["photos"]["files"])
    counts = np.bincount(scene.obs_point, minlength=len(scene.points))
    known = np.isfinite(scene.errors)
    error = np.average(scene.errors[known], weights=counts[known]) if counts[known].any() else float("nan")
    ran = sum(task["status"] == "ran" for task in record["tasks"])
    smaller = len(sparse.models) - 1
    more = f", {plural(smaller, 'smaller model')} beside it" if smaller else ""
    console.print()
    console.print(f"[green]✓[/] [bold]{len(scene.names)} of {total} photos[/] registered{more}")
    console.print(
        f"  {plural(len(scene.points), 'point')}, {plural(len(scene.obs_point), 'observation')}, "
        f"mean error {error:.3f} px"
    )
    for line in (*_mono_lines(result), *_dense_lines(result)):
        console.print(line, markup=False)
    console.print(
        f"  {record['seconds']:.1f} s; {plural(ran, 'task')} ran, {len(record['tasks']) - ran} came from the store"
    )
    for name, why in sparse.missing:
        console.print(f"  [yellow]not registered[/] {name}: {why}", markup=True)
    made = dict.fromkeys(name.partition("/")[0] for name in record["outputs"])
    console.print(f"  {result.out}{os.sep}  {', '.join([*made, 'report.html', 'run.json'])}")


def _mono_lines(result: Result) -> Iterator[str]:
    """Yield the depth errors of the network for one photo, on its training, validation and test photos."""
    if not any(node["slot"] == "mono" for node in result.record["recipe"]["nodes"]):
        return
    mono = result.mono
    yield "  depth from one photo, median error at points of the model (with each photo at its own scale):"
    for part, photos in (("train", mono.train), ("validation", mono.validation), ("test", mono.test)):
        known = (
            f"{each.predictor} {100 * each.median:.1f} % ({100 * each.own_scale:.1f} %)"
            for each in mono.errors
            if each.part == part
        )
        yield f"    {part} ({plural(len(photos), 'photo')}): {', '.join(known)}"


def _dense_lines(result: Result) -> Iterator[str]:
    """Yield the dense results, and which views have no depth map and why."""
    dense = result.dense
    if views := len(dense.depths or dense.views):
        missing, of = dense.missing, {}
        for name, why in missing.items():
            of.setdefault(why, []).append(name)
        if missing:
            have = "has" if len(missing) == 1 else "have"
            yield f"  {len(missing)} of {plural(views, 'view')} {have} no depth map:"
        else:
            yield f"  {plural(views, 'depth map' if dense.depths else 'view')}"
        for why, names in of.items():
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            yield f"    {', '.join(names[:5])}{more}: {why}"
    if dense.cloud is not None:
        yield f"  {plural(len(dense.cloud), 'point')} in cloud.ply, {_size(result.out / 'cloud.ply')}"
    if dense.mesh is not None:
        yield f"  {plural(len(dense.mesh.triangles), 'triangle')} in mesh.ply, {_size(result.out / 'mesh.ply')}"


def _size(path: Path) -> str:
    """Return the size of a file in kB or MB."""
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
