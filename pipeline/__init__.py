"""Top floor: wires stages into a graph, runs, caches and reports.

``import diptych.pipeline as dp`` gives :func:`run`, :func:`plan`, :func:`explain`, :func:`diff`, :func:`reproduce`,
:func:`evaluate`, :func:`evaluate_dense`, :func:`bench`, :func:`view`, :func:`export`, :func:`train`,
:class:`Recipe`, :class:`Graph` and :class:`Result`; they are imported when they are first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

# OpenMP's threads spin while they wait, so on a busy machine two that share a core make matching ten times slower.
# They ask once, when their library is loaded, and every command, program and cluster worker comes through here before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from .api import Result, cite, diff, evaluate, evaluate_dense, explain, export, plan, predict, reproduce, run
    from .benchmarks.registry import bench
    from .graph import Graph
    from .live import view
    from .recipe import Node, Recipe
    from .study.compare import compare, run_study
    from .study.study import read_study
    from .training import train

_ELSEWHERE = {
    "bench": "benchmarks.registry", "compare": "study.compare", "read_study": "study.study",
    "run_study": "study.compare", "train": "training", "view": "live",
}  # fmt: skip
"""The modules of what is not in :mod:`diptych.pipeline.api`."""

__all__ = [
    "Graph", "Node", "Recipe", "Result", "bench", "cite", "compare", "diff", "evaluate", "evaluate_dense", "explain",
    "export", "plan", "predict", "read_study", "reproduce", "run", "run_study", "train", "view",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_ELSEWHERE.get(name, 'api')}", __name__)
    return getattr(module, name)
