"""The tasks by name, imported on demand."""

from __future__ import annotations

from importlib import import_module

from .task import Task

TASKS: dict[str, str] = {
    "depth": "diptych.learned.depth.task:DepthTask",
    "mono": "diptych.learned.mono.task:MonoTask",
    "refiner": "diptych.learned.refiner.task:RefinerTask",
}
"""Modules and classes of the tasks of ``diptych train``."""


def task_named(name: str) -> type[Task]:
    """The task of that name, a key of :data:`TASKS`."""
    module, _, attribute = TASKS[name].partition(":")
    return getattr(import_module(module), attribute)
