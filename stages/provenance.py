"""Which code is running: the version of Diptych, and its commit where it lies in a checkout."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any


def diptych_version() -> str:
    """The installed version of Diptych."""
    try:
        return importlib.metadata.version("diptych")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def requirements() -> list[str]:
    """Names of the distributions that Diptych is installed with, those of its extras among them."""
    try:
        wanted = importlib.metadata.requires("diptych") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return sorted({re.split(r"[^\w.-]", line)[0] for line in wanted})


@cache
def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that the code lies in, and whether it was changed since; None where it is installed.

    As a process found it first: what it runs is what it loaded.
    """
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        if not git("ls-files", Path(__file__).name):
            return None
        top = git("rev-parse", "--show-toplevel")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno", top))}
    except (OSError, subprocess.SubprocessError):
        return None
