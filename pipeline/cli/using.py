"""Commands that use a finished run: cite, export, predict, view."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .app import app, example
from .logs import start_logging
from .parameters import EarlierRun


class Format(StrEnum):
    """What other programs read."""

    colmap = "colmap"
    ply = "ply"
    nerfstudio = "nerfstudio"
    bundler = "bundler"
    colmap_dense = "colmap-dense"
    cloud = "cloud"
    mesh = "mesh"


@app.command(epilog=example("diptych cite out"))
def cite(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of a run or a study.")] = Path(),
    recipe: Annotated[str | None, typer.Option("--recipe", help="Cite for a recipe instead of a run.")] = None,
) -> None:
    """Print the papers that the stages of a run implement, as BibTeX."""
    from .. import api

    typer.echo(api.cite(out, recipe=recipe), nl=False)


@app.command(epilog=example("diptych export out --to nerfstudio transforms.json"))
def export(
    out: EarlierRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; a folder for colmap and colmap-dense.")],
    to: Annotated[Format, typer.Option("--to", help="What to write.")],
) -> None:
    """Write the largest model of a run, its depth maps, cloud or mesh for another program.

    ply holds the points of the sparse model; a mesh is PLY, OBJ or GLB by the suffix of FILE.
    """
    from .. import api

    api.export(out, to=to.value, path=file)
    typer.echo(f"Wrote {file}.")


@app.command(epilog=example("diptych predict new.jpg --model out"))
def predict(
    ctx: typer.Context,
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo that the run did not have.")],
    model: Annotated[Path, typer.Option("--model", metavar="OUT", help="Output folder of a run that trained mono.")],
    out: Annotated[Path | None, typer.Option("--out", help="PLY file; named after the photo if not given.")] = None,
    camera: Annotated[str | None, typer.Option("--camera", help="Known calibration: MODEL,params.")] = None,
    max_size: Annotated[int, typer.Option("--max-size", min=1, help="Most pixels of the longer side.")] = 800,
    max_error: Annotated[float, typer.Option("--max-error", help="Largest predicted relative depth error.")] = 0.3,
    max_slant: Annotated[float, typer.Option("--max-slant", help="Steepest surface to keep, in degrees.")] = 80.0,
) -> None:
    """Predict a colored point cloud from one new photo, with the network that a run trained on its scene."""
    from .. import api

    chosen = start_logging(ctx)
    found = api.predict(
        photo,
        model=model,
        out=out,
        camera=camera,
        max_size=max_size,
        max_error=max_error,
        max_slant=max_slant,
        warn=None if chosen.quiet else lambda sentence: typer.echo(f"warning: {sentence}", err=True),
    )
    if not chosen.quiet:
        file = out or Path(f"{photo.stem}.ply")
        typer.echo(f"Wrote {len(found.cloud):,} points to {file}, its depth map and a picture of it beside.")


@app.command(epilog=example("diptych view out"))
def view(
    out: EarlierRun,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on; the next if taken.")] = 8080,
) -> None:
    """Show a run in a browser, with layers for cameras, points, depth maps, cloud and mesh, until Ctrl-C."""
    from ..live import view as open_view

    try:
        open_view(out, port=port, say=lambda address: typer.echo(f"Open {address}; Ctrl-C ends it."))
    except KeyboardInterrupt:
        typer.echo("Ended.")
