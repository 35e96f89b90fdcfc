"""The command line. What is heavy is imported when a command needs it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..stages.failure import StageFailure
from .report.words import plural

if TYPE_CHECKING:
    from .api import Result
    from .results.difference import Difference


class _Plain(TyperGroup):
    """Ends what cannot be done in one sentence, its code and a hint, with status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except StageFailure as failure:
            typer.echo(f"error: {failure.message}", err=True)
            if failure.hint:
                typer.echo(f"hint: {failure.hint}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("Interrupted. What was finished is kept: the same command goes on from there.", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="diptych",
    cls=_Plain,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Photogrammetry as a graph of stages: photos in, cameras and surfaces out, every step cached by its content.",
    pretty_exceptions_enable=False,
)


class Grouping(StrEnum):
    """Which photos share a camera."""

    auto = "auto"
    shared = "shared"
    single = "single"
    folder = "folder"


class Format(StrEnum):
    """What other programs read."""

    colmap = "colmap"
    ply = "ply"
    nerfstudio = "nerfstudio"
    bundler = "bundler"
    colmap_dense = "colmap-dense"
    cloud = "cloud"
    mesh = "mesh"


PhotosFolder = Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of JPEG, PNG or TIFF files.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Output folder.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="Built-in name or a TOML file.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NODE.PARAMETER=VALUE", help="Change a parameter; may be repeated.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="SLOT", help="Stop after this slot.")]
CameraOption = Annotated[
    str | None, typer.Option("--camera", help="Known calibration: MODEL,params or a file or folder of cameras.")
]
Cameras = Annotated[Grouping, typer.Option("--cameras", help="Which photos share a camera.")]
Masks = Annotated[Path | None, typer.Option("--masks", help="Folder of masks, black where not to look.")]
Truth = Annotated[
    Path | None, typer.Option("--truth", metavar="DIR", help="Folder with the truth, for stages that take it.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything that draws.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Items worked on at once; one per core if not given.")
]
Memory = Annotated[
    float | None,
    typer.Option("--memory", metavar="GIB", min=0.0, help="What may be taken at once; else 80 % of what is free."),
]
StoreAddress = Annotated[
    str | None,
    typer.Option("--store", help="Folder or fsspec address; OUT/store if not given.", envvar="DIPTYCH_STORE"),
]
Device = Annotated[str, typer.Option("--device", help="cpu, or a torch device such as cuda.")]
Cluster = Annotated[str | None, typer.Option("--cluster", help="Address of a Dask scheduler to run on.")]
EarlierRun = Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of a run.")]


def _example(text: str) -> str:
    return f"[bold]Example:[/bold]  {text}"


@app.command(epilog=_example("diptych run photos --out out --set features.max_keypoints=4000"))
def run(
    photos: PhotosFolder,
    out: OutFolder,
    recipe: RecipeName = "classical",
    until: Until = None,
    settings: Settings = None,
    camera: CameraOption = None,
    cameras: Cameras = Grouping.auto,
    masks: Masks = None,
    truth: Truth = None,
    seed: Seed = 0,
    workers: Workers = None,
    memory: Memory = None,
    store: StoreAddress = None,
    device: Device = "cpu",
    cluster: Cluster = None,
) -> None:
    """Reconstruct a folder of photos."""
    from . import api

    result = api.run(
        photos,
        out=out,
        recipe=recipe,
        settings=settings or (),
        until=until,
        seed=seed,
        cameras=cameras.value,
        camera=camera,
        masks=masks,
        truth=truth,
        workers=workers,
        memory=memory,
        device=device,
        store=store,
        cluster=cluster,
    )
    _summarize(result)


@app.command(epilog=_example("diptych plan photos --out out --set matches.ratio=0.9"))
def plan(
    photos: PhotosFolder,
    out: OutFolder = Path("out"),
    recipe: RecipeName = "classical",
    until: Until = None,
    settings: Settings = None,
    camera: CameraOption = None,
    cameras: Cameras = Grouping.auto,
    masks: Masks = None,
    truth: Truth = None,
    seed: Seed = 0,
    store: StoreAddress = None,
    device: Device = "cpu",
) -> None:
    """Show what is there and what would run, without running it."""
    from . import api

    plans = api.plan(
        photos,
        out=out,
        recipe=recipe,
        settings=settings or (),
        until=until,
        seed=seed,
        cameras=cameras.value,
        camera=camera,
        masks=masks,
        truth=truth,
        device=device,
        store=store,
    )

    def number(count: int | None) -> str:
        return "?" if count is None else str(count) if count else "·"

    _table(
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


@app.command(epilog=_example("diptych explain photos --out out --set features.max_keypoints=4000"))
def explain(
    photos: PhotosFolder,
    out: OutFolder,
    recipe: RecipeName = "classical",
    until: Until = None,
    settings: Settings = None,
    camera: CameraOption = None,
    cameras: Cameras = Grouping.auto,
    masks: Masks = None,
    truth: Truth = None,
    seed: Seed = 0,
    store: StoreAddress = None,
    device: Device = "cpu",
) -> None:
    """Say which ingredient of which key differs from the run in OUT."""
    from . import api

    changes = api.explain(
        photos,
        out=out,
        recipe=recipe,
        settings=settings or (),
        until=until,
        seed=seed,
        cameras=cameras.value,
        camera=camera,
        masks=masks,
        truth=truth,
        device=device,
        store=store,
    )
    for change in changes:
        facts = [f"{count} changed by {reasons}" for reasons, count in change.changed]
        facts += [f"{change.unchanged} unchanged"] * (change.unchanged > 0)
        facts += [f"{change.added} new"] * (change.added > 0) + [f"{change.removed} gone"] * (change.removed > 0)
        facts += [f"the rest is known after {', '.join(change.waits_for)}"] * bool(change.waits_for)
        typer.echo(f"{change.node}: {'; '.join(facts)}")


@app.command(epilog=_example("diptych compare photos --vary depths=PatchMatch,DepthNet --seeds 3 --out study"))
def compare(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photos, or a study file (TOML).")],
    out: OutFolder,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="SLOT=A,B", help="Alternatives for a slot, node or parameter; may be repeated."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="How many, or a list such as 3,5,8.")] = "1",
    truth: Truth = None,
    recipe: RecipeName = "classical",
    settings: Settings = None,
    until: Until = None,
    keypoints: Annotated[
        int | None, typer.Option("--keypoints", min=1, help="The most that any detector may find.")
    ] = None,
    base: Annotated[str | None, typer.Option("--base", help="The variant to compare with; else the first.")] = None,
    camera: CameraOption = None,
    cameras: Cameras = Grouping.auto,
    masks: Masks = None,
    workers: Workers = None,
    memory: Memory = None,
    store: StoreAddress = None,
    device: Device = "cpu",
    cluster: Cluster = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what it needs, and run nothing.")] = False,
) -> None:
    """Compare stages in a slot on the same photos; status 1 where a variant fails."""
    from .study.command import asked, overview
    from .study.compare import plan_line, plan_study, run_study

    study = asked(
        photos,
        vary or (),
        seeds=seeds,
        truth=truth,
        recipe=recipe,
        settings=settings or (),
        until=until,
        keypoints=keypoints,
        base=base,
        camera=camera,
        cameras=cameras.value,
        masks=masks,
        name=out.resolve().name,
    )
    if only_plan:
        needed = plan_study(study)
        typer.echo(plan_line(needed))
        _table(("node", "in trials", "different"), [(n, str(a), str(b)) for n, a, b in needed.rows], right=(1, 2))
        return
    found = run_study(study, out=out, workers=workers, memory=memory, device=device, store=store, cluster=cluster)
    head, rows = overview(found)
    _table(head, rows, right=tuple(range(1, len(head))))
    for line in ("", *found.conclusions, found.sharing.words(), f"{out}{os.sep}  report.html, table.csv, trials"):
        typer.echo(line)
    if found.failed:
        raise typer.Exit(1)


@app.command(epilog=_example("diptych reproduce out/run.json"))
def reproduce(
    record: Annotated[Path, typer.Argument(metavar="RUN.JSON", help="The record of a run, or its folder.")],
    photos: Annotated[Path | None, typer.Option("--photos", help="Where the photos are now.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", metavar="DIR", help="Where their truth is now.")] = None,
    workers: Workers = None,
) -> None:
    """Repeat a run in a fresh store and compare every digest; status 1 where one differs."""
    from . import api

    _tell(api.reproduce(record, photos=photos, workers=workers), f"those of {record}")


@app.command(epilog=_example("diptych diff out/run.json other/run.json"))
def diff(
    a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The record of a run, or its folder.")],
    b: Annotated[Path, typer.Argument(metavar="RUN_B", help="That of another.")],
) -> None:
    """Say which results of two runs differ first, by how much and why; status 1 where any does."""
    from . import api

    _tell(api.diff(a, b), "the same")


@app.command(epilog=_example("diptych cite out"))
def cite(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of a run or a study.")] = Path(),
    recipe: Annotated[str | None, typer.Option("--recipe", help="What a recipe stands on, instead of a run.")] = None,
) -> None:
    """Print what to cite for a run, as BibTeX: the papers that its stages stand on."""
    from . import api

    typer.echo(api.cite(out, recipe=recipe), nl=False)


@app.command(epilog=_example("diptych evaluate out --truth photos/gt"))
def evaluate(
    out: EarlierRun,
    truth: Annotated[Path, typer.Option("--truth", help="Folder with the true cameras, depth maps or surface.")],
) -> None:
    """Compare a run with the truth: its cameras, and what the truth tells of depth maps, cloud and mesh."""
    from . import api

    lines = api.evaluate(out, truth=truth).table()
    try:
        lines += api.evaluate_dense(out, truth=truth).table()
    except StageFailure as failure:
        if failure.code != "unknown-truth":
            raise
    width = max(len(what) for what, _ in lines)
    for what, numbers in lines:
        typer.echo(f"{what:<{width}}  {numbers}")


@app.command(epilog=_example("diptych export out --to nerfstudio transforms.json"))
def export(
    out: EarlierRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; a folder for colmap and colmap-dense.")],
    to: Annotated[Format, typer.Option("--to", help="What to write.")],
) -> None:
    """Write the largest model of a run, its depth maps, cloud or mesh for another program.

    ply holds the points of the sparse model; a mesh is PLY, OBJ or GLB by the suffix of FILE.
    """
    from . import api

    api.export(out, to=to.value, path=file)
    typer.echo(f"Wrote {file}.")


@app.command(epilog=_example("diptych predict new.jpg --model out"))
def predict(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo that the run has not seen.")],
    model: Annotated[Path, typer.Option("--model", metavar="OUT", help="Output folder of a run that learned mono.")],
    out: Annotated[Path | None, typer.Option("--out", help="PLY file; named after the photo if not given.")] = None,
    camera: Annotated[str | None, typer.Option("--camera", help="Known calibration: MODEL,params.")] = None,
    max_size: Annotated[int, typer.Option("--max-size", min=1, help="Most pixels of the longer side.")] = 800,
    max_error: Annotated[float, typer.Option("--max-error", help="Largest expected error, as a share of depth.")] = 0.3,
    max_slant: Annotated[float, typer.Option("--max-slant", help="Steepest surface to keep, in degrees.")] = 80.0,
) -> None:
    """Make a coloured cloud of one new photo, by the network that a run has taught its scene."""
    from . import api

    found = api.predict(
        photo,
        model=model,
        out=out,
        camera=camera,
        max_size=max_size,
        max_error=max_error,
        max_slant=max_slant,
        warn=lambda sentence: typer.echo(f"warning: {sentence}", err=True),
    )
    file = out or Path(f"{photo.stem}.ply")
    typer.echo(f"Wrote {len(found.cloud):,} points to {file}, its depth map and a picture of it beside.")


@app.command(epilog=_example("diptych train depth --out training --steps 20000"))
def train(
    task: Annotated[str, typer.Argument(help="depth, mono or refiner.")],
    out: Annotated[Path, typer.Option("--out", help="Folder; one with a training in it goes on.")],
    steps: Annotated[int, typer.Option("--steps", min=1, help="How many in all.")] = 10_000,
    seed: Seed = 0,
    device: Device = "cpu",
    start: Annotated[str | None, typer.Option("--start", help="Weights to begin with.")] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Of each operation on the CPU.")] = 1,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.0, help="Stop after so long.")] = None,
    real: Annotated[
        list[Path] | None,
        typer.Option("--real", metavar="DIR", help="Photos with true cameras to judge it on; may be repeated."),
    ] = None,
) -> None:
    """Train a network of Diptych on scenes that it makes itself."""
    from .training import train as train_task

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


@app.command(epilog=_example("diptych view out"))
def view(
    out: EarlierRun,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where to listen; the next if taken.")] = 8080,
) -> None:
    """Look at a run in a browser, with layers for cameras, points, depth maps, cloud and mesh, until Ctrl-C."""
    from .live import view as open_view

    try:
        open_view(out, port=port, say=lambda address: typer.echo(f"Open {address}; Ctrl-C ends it."))
    except KeyboardInterrupt:
        typer.echo("Ended.")


@app.command(epilog=_example("diptych bench strecha data --recipe classical --recipe learned"))
def bench(
    name: Annotated[str, typer.Argument(help="strecha, eth3d, dtu, middlebury, bal or rendered.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Its data, in the layout of its authors.")],
    recipe: Annotated[list[str] | None, typer.Option("--recipe", help="Name or TOML file; may be repeated.")] = None,
    settings: Settings = None,
    until: Until = None,
    peer: Annotated[bool, typer.Option("--peer/--no-peer", help="Run other programs beside the recipes.")] = True,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of all runs; bench/NAME if not given.")] = None,
    file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the table there too.")] = None,
    seed: Seed = 0,
    workers: Workers = None,
    memory: Memory = None,
    store: StoreAddress = None,
    device: Device = "cpu",
) -> None:
    """Run a standard protocol and print its table beside published figures; status 1 where a scene failed."""
    from .protocols.registry import bench as run_benchmark

    table = run_benchmark(
        name,
        data,
        recipes=recipe or ("classical",),
        settings=settings or (),
        until=until,
        peer=peer,
        out=out,
        seed=seed,
        workers=workers,
        memory=memory,
        store=store,
        device=device,
        say=lambda row: typer.echo(f"{row.scene}, {row.method}: {row.failure or 'done'}", err=True),
    )
    head, lines = table.cells()
    _table(head, lines, right=tuple(range(2, len(head))))
    for note in table.notes():
        typer.echo(note)
    if file:
        file.write_text(json.dumps(table.as_dict(), indent=1, ensure_ascii=False), "utf-8")
    if table.failures:
        raise typer.Exit(1)


@app.command(epilog=_example("diptych stages"))
def stages() -> None:
    """List the slots, what can fill each, and every parameter with its default."""
    import dataclasses

    from ..stages.slots import SLOTS
    from .engine import registry
    from .engine.parameters import describe, types_of

    found, absent = [], []
    for name in registry.names():
        try:
            found.append((name, registry.find(name)))
        except StageFailure as failure:
            absent.append(failure)
    for slot in (slot for slot in SLOTS.values() if not slot.source):
        typer.secho(f"{slot.name}  ({slot.type.__name__}, per {slot.per})", bold=True)
        for name, cls in found:
            if cls.slot == slot.name:
                typer.echo(f"  {name}: {_first_line(cls)}")
                fields: Any = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
                defaults = {field.name: field.default for field in fields}
                for parameter, kind in types_of(cls).items():
                    default = defaults[parameter]
                    value = "" if default is dataclasses.MISSING else f" = {_value(default)}"
                    typer.secho(f"    {parameter}: {describe(kind)}{value}", dim=True)
    for failure in absent:
        typer.echo(f"not available: {failure.sentence}", err=True)


def _tell(found: Difference, same: str) -> None:
    """How two runs compare; ends with status 1 where they differ."""
    if not found.first:
        typer.echo(f"Equal: all {found.compared} digests are {same}.")
        return
    typer.echo(f"Different: the first artifact that differs is {found.first.name}; {found.first.reason}.")
    typer.echo(f"\n{found.differing} of {found.compared} digests differ. Causes; what else differs is a consequence:")
    for group, causes in found.causes.items():
        typer.echo(f"  {group}: {', '.join(causes)}")
    typer.echo("")
    _table(
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


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[int, ...] = ()) -> None:
    """A plain table, the same on a terminal and in a file."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (t.rjust(w) if i in right else t.ljust(w) for i, (t, w) in enumerate(zip(row, widths, strict=True)))
        typer.echo("  ".join(cells).rstrip())


def _summarize(result: Result) -> None:
    """What was made, how good it is, how long it took, and where it lies."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    record = result.record
    if not record["outputs"]:
        done = sum(task["output"] is not None for task in record["tasks"])
        console.print(f"[green]✓[/] {done} results in {record['seconds']:.1f} s, all in {record['store']}")
        return
    import numpy as np

    sparse = result.sparse
    scene = sparse.scene
    total = len(record["photos"]["files"])
    counts = np.bincount(scene.obs_point, minlength=len(scene.points))
    known = np.isfinite(scene.errors)
    error = np.average(scene.errors[known], weights=counts[known]) if counts[known].any() else float("nan")
    ran = sum(task["status"] == "ran" for task in record["tasks"])
    more = f", {len(sparse.models) - 1} smaller models beside it" if len(sparse.models) > 1 else ""
    console.print()
    console.print(f"[green]✓[/] [bold]{len(scene.names)} of {total} photos[/] registered{more}")
    console.print(f"  {len(scene.points):,} points, {len(scene.obs_point):,} observations, mean error {error:.3f} px")
    for line in (*_mono_lines(result), *_dense_lines(result)):
        console.print(line, markup=False)
    console.print(f"  {record['seconds']:.1f} s; {ran} tasks ran, {len(record['tasks']) - ran} came from the store")
    for name, why in sparse.missing:
        console.print(f"  [yellow]not registered[/] {name}: {why}", markup=True)
    made = dict.fromkeys(name.partition("/")[0] for name in record["outputs"])
    console.print(f"  {result.out}{os.sep}  {', '.join([*made, 'report.html', 'run.json'])}")


def _mono_lines(result: Result) -> Iterator[str]:
    """How far depths read from one photo are off, on the photos that were held out for the test and on the others."""
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
    """What the dense half made, and which views have no depth map and why."""
    dense = result.dense
    if views := len(dense.depths or dense.views):
        missing, of = dense.missing, {}
        for name, why in missing.items():
            of.setdefault(why, []).append(name)
        if missing:
            yield f"  {len(missing)} of {views} views have no depth map:"
        else:
            yield f"  {views} {'depth maps' if dense.depths else 'views'}"
        for why, names in of.items():
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            yield f"    {', '.join(names[:5])}{more}: {why}"
    if dense.cloud is not None:
        yield f"  {len(dense.cloud):,} points in cloud.ply, {_size(result.out / 'cloud.ply')}"
    if dense.mesh is not None:
        yield f"  {len(dense.mesh.triangles):,} triangles in mesh.ply, {_size(result.out / 'mesh.ply')}"


def _size(path: Path) -> str:
    """The size of a file as a person reads it."""
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def main() -> None:
    """Entry of the console script."""
    app()


if __name__ == "__main__":
    sys.exit(main())
