"""What to cite for a run: the methods that the record names, as the file beside the page spells them out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

FILE = "references.bib"
"""The BibTeX file that a run writes beside its page."""


def citation_section(record: Mapping[str, Any], folder: Path) -> str:
    """Author, year and title of each method used, and the BibTeX to copy; nothing where the run names none."""
    keys = [str(key) for key in record.get("citations") or ()]
    text = _text(folder / FILE)
    entries = _entries(text)
    lines = "".join(_line(key, entries.get(key, {})) for key in keys or entries)
    if not lines:
        return ""
    copy = f"<details><summary>BibTeX</summary><pre>{escape(text.strip())}</pre></details>" if text else ""
    return f'<section><h2>Methods to cite</h2><ul class="citations">{lines}</ul>{copy}</section>'


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def _entries(text: str) -> dict[str, dict[str, str]]:
    """The fields of every BibTeX entry by its key, braces left out."""
    found = {}
    for key, fields in re.findall(r"@\w+\{\s*([^,\s]+)\s*,(.*?)\n\}", text, re.DOTALL):
        pairs = re.findall(r'(\w+)\s*=\s*(?:\{(.*?)\}|"(.*?)"|(\d+))\s*,?\s*(?=\n|$)', fields, re.DOTALL)
        found[key] = {name.lower(): " ".join(re.sub(r"[{}]", "", "".join(value)).split()) for name, *value in pairs}
    return found


def _line(key: str, entry: Mapping[str, str]) -> str:
    if not entry.get("title"):
        return f"<li><code>{escape(key)}</code></li>"
    authors = [name.partition(",")[0] for name in entry.get("author", "").split(" and ") if name]
    who = f"{authors[0]} et al." if len(authors) > 3 else ", ".join(authors)
    year = f" ({entry['year']})" if entry.get("year") else ""
    where = entry.get("booktitle") or entry.get("journal") or ""
    source = f". {escape(where)}" if where else ""
    return f"<li>{escape(who + year)}: <i>{escape(entry['title'])}</i>{source}</li>"
