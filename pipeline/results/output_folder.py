"""The output folder of a run or a study, and what to say where it cannot be written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...stages.failure import StageFailure


@contextmanager
def writing(out: Path, failure: StageFailure | None = None) -> Iterator[None]:
    """Make the output folder, and turn an OSError inside the block into a failure.

    Args:
        out: the folder.
        failure: raised instead if the run failed before: a full disk spoils the store and the output folder alike.

    Raises:
        StageFailure: ``not-writable``.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise failure or StageFailure(
            "not-writable",
            f"The output folder {out} cannot be written to: {error.strerror or error}.",
            hint="Make room, or choose another with --out; what was computed is kept in the store.",
        ) from error
