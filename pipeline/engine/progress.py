"""The progress of a run: bars on a terminal, lines in a file, and records of Python's logging."""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, TextIO

from .tasks import Outcome, TaskId, describe

LOG_INTERVAL = 30.0
"""Seconds between two lines on the same node."""

LOGGER = logging.getLogger("diptych")
"""Gets all that Diptych logs. The library sets no level and adds no handler that prints."""


@dataclass
class _NodeProgress:
    """The progress of a node.

    Attributes:
        stage: name of the stage.
        total: number of items.
        began: when the first item that the store did not have started.
        moved: when the last progress was reported.
        finished, ran: number of finished items, and of those that the store did not have.
        parts: finished share of each item in work.
        logged: when the last line was printed.
        bar: id of the bar.
    """

    stage: str
    total: int
    began: float = 0.0
    moved: float = 0.0
    finished: int = 0
    ran: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    logged: float = 0.0
    bar: Any = None

    def state(self) -> str:
        stored = self.finished - self.ran
        return f"{self.finished}/{self.total}" + (f", {stored} stored" if stored else "")

    def summary(self, name: str) -> str:
        """The finished node in a line."""
        return f"{name}: {self.stage}, {self.state()}, {_duration(self.moved - self.began)}"

    @property
    def reached(self) -> float:
        """Finished items, with the finished shares of those in work."""
        return self.finished + sum(self.parts.values())

    def left(self, now: float) -> float | None:
        """Seconds until the node ends at the pace of the items that ran; None before the first."""
        worked = self.ran + sum(self.parts.values())
        if not worked:
            return None
        pace = (self.moved - self.began) / worked
        return max(0.0, pace * (self.total - self.reached) - (now - self.moved))


class Reporter:
    """Counts the items of every node and logs the events of a run, which come from several threads; shows nothing."""

    def __init__(self) -> None:
        self.nodes: dict[str, _NodeProgress] = {}
        self.lock = threading.Lock()
        self.warned: set[str] = set()

    def start(self, node: str, stage: str, total: int) -> None:
        """A node with ``total`` items starts."""
        with self.lock:
            self.nodes[node] = _NodeProgress(stage, total)
            self.show_start(node, self.nodes[node])

    def part(self, task: TaskId, done: int, total: int) -> None:
        """A task has finished ``done`` of its ``total`` parts."""
        with self.lock:
            node = self.nodes[task[0]]
            if done or not node.began:
                node.moved = time.monotonic()
                node.began = node.began or node.moved
            node.parts[task[1]] = min(done / max(total, 1), 1.0)
            self.show_part(task, node)

    def done(self, outcome: Outcome) -> None:
        """A task ended."""
        for warning in outcome.warnings:
            self.warn(warning)
        if outcome.record is None:
            return
        how = f"{outcome.record.seconds:.2f} s" if outcome.status == "ran" else "from the store"
        LOGGER.debug("%s: %s", describe(outcome.id), how)
        with self.lock:
            name, item = outcome.id
            node = self.nodes[name]
            node.parts.pop(item, None)
            node.finished += 1
            if outcome.status == "ran":
                node.ran += 1
                node.moved = time.monotonic()
            if node.finished == node.total:
                LOGGER.info("%s", node.summary(name))
            self.show_done(name, node)

    def note(self, sentence: str) -> None:
        """Something to know about the run."""
        LOGGER.info("%s", sentence)
        with self.lock:
            self.show_note(sentence)

    def warn(self, sentence: str) -> None:
        """A warning, which is logged and shown once."""
        with self.lock:
            if sentence not in self.warned:
                self.warned.add(sentence)
                LOGGER.warning("%s", sentence)
                self.show_warning(sentence)

    def close(self) -> None:
        """The run ended."""

    def show_start(self, name: str, node: _NodeProgress) -> None:
        """Show that a node starts; called under the lock, as all of these."""

    def show_part(self, task: TaskId, node: _NodeProgress) -> None:
        """Show the progress of a node after a part of a task."""

    def show_done(self, name: str, node: _NodeProgress) -> None:
        """Show the progress of a node after a task."""

    def show_note(self, sentence: str) -> None:
        """Show something to know about the run."""

    def show_warning(self, sentence: str) -> None:
        """Show a warning."""


def reporter_for(progress: bool) -> Reporter:
    """What shows the progress on standard error: bars on a terminal, else lines; nothing without ``progress``."""
    if not progress:
        return Reporter()
    return Bars(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)


class Lines(Reporter):
    """Prints a line when a node is finished, and one every :data:`LOG_INTERVAL` seconds while it runs."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream

    def show_part(self, task: TaskId, node: _NodeProgress) -> None:
        self._show_time_left(task[0], node)

    def show_done(self, name: str, node: _NodeProgress) -> None:
        if node.finished == node.total:
            self._print(node.summary(name))
        else:
            self._show_time_left(name, node)

    def show_note(self, sentence: str) -> None:
        self._print(sentence)

    def show_warning(self, sentence: str) -> None:
        self._print(f"warning: {sentence}")

    def _show_time_left(self, name: str, node: _NodeProgress) -> None:
        now = time.monotonic()
        left = node.left(now)
        if left is not None and now - max(node.logged, node.began) > LOG_INTERVAL:
            node.logged = now
            self._print(f"{name}: {node.stage}, {node.state()}, about {_duration(left)} left")

    def _print(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Bars(Reporter):
    """Shows a bar for every node, with the item in work and the time left."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.text import Text

        class Left(ProgressColumn):
            """The time left; rich's own column would count the items from the store as work."""

            def render(self, task: Any) -> Text:
                node: _NodeProgress = task.fields["node"]
                left = node.left(time.monotonic())
                return Text(f"{_duration(left)} left" if left else "", "dim")

        self.progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("[bold]{task.description}[/] [dim]{task.fields[stage]}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            Left(),
            TextColumn("[dim]{task.fields[item]}"),
            console=Console(file=stream),
        )
        self.progress.start()

    def show_start(self, name: str, node: _NodeProgress) -> None:
        node.bar = self.progress.add_task(
            name, start=False, total=node.total, stage=node.stage, state=node.state(), item="", node=node
        )

    def show_part(self, task: TaskId, node: _NodeProgress) -> None:
        self.progress.start_task(node.bar)
        self.progress.update(node.bar, completed=node.reached, item=_escape(task[1].replace("|", " + ")))

    def show_done(self, name: str, node: _NodeProgress) -> None:
        finished = node.finished == node.total
        self.progress.start_task(node.bar)
        self.progress.update(node.bar, completed=node.reached, state=node.state())
        if finished:
            self.progress.update(node.bar, item="")

    def show_note(self, sentence: str) -> None:
        self.progress.console.print(_escape(sentence), highlight=False)

    def show_warning(self, sentence: str) -> None:
        self.progress.console.print(f"[yellow]warning[/] {_escape(sentence)}", highlight=False)

    def close(self) -> None:
        self.progress.stop()


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
