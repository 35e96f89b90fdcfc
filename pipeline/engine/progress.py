"""Progress of a run: bars on a terminal, lines in a log, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from .tasks import Outcome, TaskId

LOG_INTERVAL = 30.0
"""Seconds between two lines of a log on the same node."""


class Reporter(Protocol):
    """Receives the events of a run. Its methods are called from several threads."""

    def start(self, node: str, stage: str, total: int) -> None:
        """A node with ``total`` items starts."""

    def part(self, task: TaskId, done: int, total: int) -> None:
        """A task has done ``done`` of ``total`` steps."""

    def done(self, outcome: Outcome) -> None:
        """A task has ended."""

    def note(self, sentence: str) -> None:
        """Show a sentence of information."""

    def warn(self, sentence: str) -> None:
        """Show a warning."""

    def close(self) -> None:
        """The run has ended."""


class Silent:
    """Shows nothing."""

    def start(self, node: str, stage: str, total: int) -> None:
        pass

    def part(self, task: TaskId, done: int, total: int) -> None:
        pass

    def done(self, outcome: Outcome) -> None:
        pass

    def note(self, sentence: str) -> None:
        pass

    def warn(self, sentence: str) -> None:
        pass

    def close(self) -> None:
        pass


def reporter_for(stream: TextIO | None = None) -> Reporter:
    """A reporter for a stream: :class:`Bars` for a terminal, else :class:`Lines`."""
    chosen = stream if stream is not None else sys.stderr
    return Bars(chosen) if chosen.isatty() else Lines(chosen)


@dataclass
class _NodeProgress:
    """The progress of a node.

    Attributes:
        stage: name of the stage.
        total: number of items.
        began: time at which the first item that was not in the store started.
        moved: time of the last progress.
        finished, ran: numbers of finished items, and of those that were not in the store.
        parts: the finished share of every running item.
        logged: time of the last line in the log.
        bar: id of its bar.
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

    @property
    def reached(self) -> float:
        """Number of finished items, with the finished shares of running ones."""
        return self.finished + sum(self.parts.values())

    def left(self, now: float) -> float | None:
        """Estimated seconds until the node is finished; None before the first progress."""
        worked = self.ran + sum(self.parts.values())
        if not worked:
            return None
        pace = (self.moved - self.began) / worked
        return max(0.0, pace * (self.total - self.reached) - (now - self.moved))


class _Counter:
    """Counts the items of every node, under a lock."""

    def __init__(self) -> None:
        self.nodes: dict[str, _NodeProgress] = {}
        self.lock = threading.Lock()
        self.warned: set[str] = set()

    def start(self, node: str, stage: str, total: int) -> None:
        with self.lock:
            self.nodes[node] = _NodeProgress(stage, total)
            self.show_start(node, self.nodes[node])

    def part(self, task: TaskId, done: int, total: int) -> None:
        with self.lock:
            node = self.nodes[task[0]]
            if done or not node.began:
                node.moved = time.monotonic()
                node.began = node.began or node.moved
            node.parts[task[1]] = min(done / max(total, 1), 1.0)
            self.show_part(task, node)

    def done(self, outcome: Outcome) -> None:
        for warning in outcome.warnings:
            self.warn(warning)
        if not outcome.is_done:
            return
        with self.lock:
            name, item = outcome.id
            node = self.nodes[name]
            node.parts.pop(item, None)
            node.finished += 1
            if outcome.status == "ran":
                node.ran += 1
                node.moved = time.monotonic()
            self.show_done(name, node)

    def note(self, sentence: str) -> None:
        with self.lock:
            self.show_note(sentence)

    def warn(self, sentence: str) -> None:
        with self.lock:
            if sentence not in self.warned:
                self.warned.add(sentence)
                self.show_warning(sentence)

    def show_start(self, name: str, node: _NodeProgress) -> None:
        pass

    def show_part(self, task: TaskId, node: _NodeProgress) -> None:
        pass

    def show_done(self, name: str, node: _NodeProgress) -> None:
        pass

    def show_note(self, sentence: str) -> None:
        pass

    def show_warning(self, sentence: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(_Counter):
    """One line when a node is finished, and one every :data:`LOG_INTERVAL` seconds before."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream

    def show_part(self, task: TaskId, node: _NodeProgress) -> None:
        self._log_interval(task[0], node)

    def show_done(self, name: str, node: _NodeProgress) -> None:
        if node.finished == node.total:
            self._print(f"{name}: {node.stage}, {node.state()}, {_duration(node.moved - node.began)}")
        else:
            self._log_interval(name, node)

    def show_note(self, sentence: str) -> None:
        self._print(sentence)

    def show_warning(self, sentence: str) -> None:
        self._print(f"warning: {sentence}")

    def _log_interval(self, name: str, node: _NodeProgress) -> None:
        now = time.monotonic()
        left = node.left(now)
        if left is not None and now - max(node.logged, node.began) > LOG_INTERVAL:
            node.logged = now
            self._print(f"{name}: {node.stage}, {node.state()}, about {_duration(left)} left")

    def _print(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Bars(_Counter):
    """A bar for every node, with the running item and the time left."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.text import Text

        class Left(ProgressColumn):
            """The time left; unlike rich's own column it does not count items that were in the store."""

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
