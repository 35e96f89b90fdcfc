"""What to cite: the papers that the stages of a run, or of all trials of a study, stand on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...stages.failure import StageFailure
from ..engine.registry import find
from ..results import citations


def references(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the records cite: ``papers`` with key, authors, title and venue, and the ``bibtex`` to copy.

    An entry is looked up with the stages; of those that are no longer there only the keys are shown.
    """
    keys: dict[str, None] = {}
    uses: dict[str, None] = {}
    for record in records:
        keys |= dict.fromkeys(map(str, record.get("citations") or ()))
        uses |= dict.fromkeys(str(node.get("use")) for node in (record.get("recipe") or {}).get("nodes") or ())
    known = _entries(uses) if keys else {}
    found = {key: known[key] for key in keys if key in known}
    papers = [_paper(key, _fields(found.get(key, ""))) for key in keys]
    return {"papers": papers, "bibtex": citations.bibtex(found) if found else ""}


def _entries(uses: Iterable[str]) -> dict[str, str]:
    """The BibTeX entries of the stages that can be found, by key."""
    entries: dict[str, str] = {}
    for use in uses:
        try:
            entries |= citations.citations([find(use)])
        except StageFailure:
            continue
    return entries


def _fields(entry: str) -> dict[str, str]:
    """The fields of a BibTeX entry without their braces."""
    pairs = re.findall(r"^\s*(\w+)\s*=\s*(.+?),?$", entry, re.MULTILINE)
    return {name.lower(): " ".join(re.sub(r'[{}"]', "", value).split()) for name, value in pairs}


def _paper(key: str, entry: Mapping[str, str]) -> dict[str, str]:
    authors = [name.partition(",")[0] for name in entry.get("author", "").split(" and ") if name]
    who = f"{authors[0]} et al." if len(authors) > 3 else ", ".join(authors)
    year = f" ({entry['year']})" if entry.get("year") else ""
    where = entry.get("booktitle") or entry.get("journal") or ""
    return {"key": key, "who": who + year, "title": entry.get("title", ""), "where": where}
