"""The command line. Commands import what they need when they run, so that ``diptych --help`` is quick."""

from . import running, judging, using, learning, listing  # noqa: I001 - the order of the commands in the help
from .app import app, main

__all__ = ["app", "judging", "learning", "listing", "main", "running", "using"]
