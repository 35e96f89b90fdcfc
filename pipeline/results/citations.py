"""The papers to cite for the stages of a run, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from ... import stages as built_in
from ...stages.failure import StageFailure
from ...stages.stage import Stage

FILE = "references.bib"


def citations(stages: Iterable[type[Stage]]) -> dict[str, str]:
    """The BibTeX entries of the papers of stages by key, each once, in the order of the stages.

    Raises:
        StageFailure: ``unknown-paper`` where no entry has a key that a stage names.
    """
    return {key: _entry(cls, key) for stage in stages for cls, key in _papers(stage)}


def bibtex(entries: dict[str, str]) -> str:
    """The text of a BibTeX file with these entries."""
    return "\n\n".join(entries.values()) + "\n" if entries else ""


@lru_cache(maxsize=16)
def read_entries(path: Path) -> dict[str, str]:
    """The entries of a BibTeX file by key; the closing brace of each stands on a line of its own."""
    text = path.read_text("utf-8") if path.is_file() else ""
    return {found[1]: found[0] for found in re.finditer(r"^@\w+\{([^,\s]+),\n.*?^\}$", text, re.MULTILINE | re.DOTALL)}


def _papers(stage: type[Stage]) -> Iterator[tuple[type, str]]:
    """The keys of the papers of a stage and its bases, with the class that names each."""
    for cls in stage.__mro__:
        for key in vars(cls).get("papers", ()):
            yield cls, key


def _entry(cls: type, key: str) -> str:
    for module in (import_module(cls.__module__), built_in):
        # A module of a notebook has no file.
        path = getattr(module, "__file__", None)
        if path and (found := read_entries(Path(path).with_name(FILE)).get(key)):
            return found
    raise StageFailure(
        "unknown-paper",
        f"{cls.__name__} cites {key!r}, which no {FILE} has.",
        hint=f"Add the entry to a {FILE} beside {cls.__module__}.",
    )
