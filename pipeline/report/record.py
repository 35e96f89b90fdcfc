"""What a colleague needs to get the same bytes: recipe and seed, versions and machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def record_columns(record: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The facts of a run's record by title and name; titles without facts are left out."""
    git = record.get("git") or {}
    run = {
        "recipe": (record.get("recipe") or {}).get("name"),
        **{name: record.get(name) for name in ("seed", "until", "workers", "device", "when")},
        "commit": git.get("commit", "")[:12] + ", changed since" * bool(git.get("dirty")),
    }
    groups = {"Run": run, "Machine": record.get("hardware") or {}, "Versions": record.get("versions") or {}}
    known = {title: {n: v for n, v in facts.items() if v not in (None, "")} for title, facts in groups.items()}
    return {title: texts(facts) for title, facts in known.items() if facts}


def texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Values as text: strings as they are, lists with commas, the rest as JSON."""
    return {name: _text(value) for name, value in facts.items()}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
