"""The application: its errors, its entry point and the options before the command."""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ...stages.failure import StageFailure
from .logs import log_options
from .parameters import takes


class _Commands(TyperGroup):
    """Ends a failure with its sentence, its code, a hint and status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except StageFailure as failure:
            logging.getLogger("diptych").error("%s", failure)
            typer.echo(f"error: {failure.message}", err=True)
            if failure.hint:
                typer.echo(f"hint: {failure.hint}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("Interrupted. What was finished is kept: the same command goes on from there.", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="diptych",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Photogrammetry as a graph of stages: photos in, cameras and surfaces out, every step cached by its content.",
    pretty_exceptions_enable=False,
)


def example(text: str) -> str:
    """The end of a command's help."""
    return f"[bold]Example:[/bold]  {text}"


def _print_version(asked: bool) -> None:
    if asked:
        from ...stages.provenance import diptych_version

        typer.echo(f"diptych {diptych_version()}")
        raise typer.Exit


@app.callback()
@takes(log_options)
def before_the_command(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
    **options: Any,
) -> None:
    """Photogrammetry as a graph of stages: photos in, cameras and surfaces out, every step cached by its content."""


def main() -> None:
    """Run the command line; a character that the console's encoding lacks is printed as ``?``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
