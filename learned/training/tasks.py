"""The tasks by name, imported when they are asked for."""

from __future__ import annotations

from importlib import import_module

from .task import Task

TASKS: dict[str, str] = {
    "depth": "diptych.learned.depth.task:DepthTask",
    "mono": "diptych.learned.mono.task:MonoTask",
    "refiner": "diptych.learned.refiner.task:RefinerTask",
}
"""What ``diptych train`` can train, and where it lives."""


def task_named(name: str) -> type[Task]:
    """The task of that name, a key of :data:`TASKS`."""
    module, _, attribute = TASKS[name].partition(":")
    return getattr(import_module(module), attribute)
