"""Top floor: wires stages into a graph, runs, caches and reports.

``import diptych.pipeline as dp`` gives :func:`run`, :func:`plan`, :func:`explain`, :func:`reproduce`, :func:`evaluate`,
:func:`evaluate_dense`, :func:`export`, :func:`train`, :class:`Recipe`, :class:`Graph` and :class:`Result`; they are
imported when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# OpenMP's threads spin while they wait, so on a busy machine two that share a core make matching ten times slower.
# They ask once, when their library is loaded, and every command, program and cluster worker comes through here before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from .api import Result, evaluate, evaluate_dense, explain, export, plan, predict, reproduce, run
    from .graph import Graph
    from .recipe import Node, Recipe
    from .training import train

__all__ = [
    "Graph", "Node", "Recipe", "Result", "evaluate", "evaluate_dense", "explain", "export", "plan", "predict",
    "reproduce", "run", "train",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import api, training

    return training.train if name == "train" else getattr(api, name)
