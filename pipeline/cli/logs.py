"""How much a command prints, and where it logs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ...stages.failure import StageFailure


@dataclass
class Verbosity:
    """The options ``--quiet``, ``--verbose`` and ``--log``, before or after the name of the command."""

    quiet: bool = False
    verbose: bool = False
    log: Path | None = None

    @property
    def progress(self) -> bool:
        """Whether to show bars, or lines where standard error is no terminal."""
        return not (self.quiet or self.verbose)


def _remember(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    if value:
        setattr(ctx.find_root().ensure_object(Verbosity), str(param.name), value)
    return value


def log_options(
    quiet: Annotated[
        bool, typer.Option("--quiet", callback=_remember, help="Print errors only: no progress, warnings or summary.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", callback=_remember, help="Print a line for every item instead of the progress.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE", callback=_remember, help="Also append what happens to a file, with times."
        ),
    ] = None,
) -> None:
    """What to print and to log."""


def start_logging(ctx: typer.Context) -> Verbosity:
    """Send the logger ``diptych`` to the file and, if verbose, to standard error, until the command ends.

    Raises:
        StageFailure: ``not-writable``.
    """
    chosen = ctx.find_root().ensure_object(Verbosity)
    handlers: list[logging.Handler] = []
    if chosen.verbose and not chosen.quiet:
        handlers.append(_Printed())
    if chosen.log is not None:
        try:
            handlers.append(logging.FileHandler(chosen.log, encoding="utf-8"))
        except OSError as error:
            sentence = f"The log {chosen.log} cannot be written to: {error.strerror or error}."
            raise StageFailure("not-writable", sentence, hint="Choose another file with --log.") from error
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("diptych")
    logger.setLevel(logging.DEBUG if chosen.verbose else logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
        ctx.find_root().call_on_close(handler.close)
        ctx.find_root().call_on_close(partial(logger.removeHandler, handler))
    return chosen


class _Printed(logging.Handler):
    """Prints records on standard error; errors are printed at the end of the command."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR:
            warning = "warning: " if record.levelno == logging.WARNING else ""
            typer.echo(f"{warning}{record.getMessage()}", err=True)
