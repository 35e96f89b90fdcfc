"""What a person sees of a run while it goes: bars on a terminal, lines in a log, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from .tasks import Outcome, TaskId

EVERY = 30.0
"""Seconds between two lines of a log on the same node."""


class Reporter(Protocol):
    """Hears what happens in a run. Its methods are called from several threads."""

    def start(self, node: str, stage: str, total: int) -> None:
        """A node of so many items is about to be worked on."""

    def part(self, task: TaskId, done: int, total: int) -> None:
        """A task is being worked on, and so far along."""

    def done(self, outcome: Outcome) -> None:
        """A task came to its end."""

    def warn(self, sentence: str) -> None:
        """A person should know this."""

    def close(self) -> None:
        """The run is over."""


class Silent:
    """Shows nothing."""

    def start(self, node: str, stage: str, total: int) -> None:
        pass

    def part(self, task: TaskId, done: int, total: int) -> None:
        pass

    def done(self, outcome: Outcome) -> None:
        pass

    def warn(self, sentence: str) -> None:
        pass

    def close(self) -> None:
        pass


def reporter_for(stream: TextIO | None = None) -> Reporter:
    """Bars where the stream is a terminal, else lines."""
    chosen = stream if stream is not None else sys.stderr
    return Bars(chosen) if chosen.isatty() else Lines(chosen)


@dataclass
class _Node:
    """How far a node is."""

    stage: str
    total: int
    began: float
    finished: int = 0
    ran: int = 0
    said: float = 0.0
    bar: Any = None

    def state(self) -> str:
        stored = self.finished - self.ran
        return f"{self.finished}/{self.total}" + (f", {stored} stored" if stored else "")


class _Counting:
    """Counts the items of every node, under a lock."""

    def __init__(self) -> None:
        self.nodes: dict[str, _Node] = {}
        self.lock = threading.Lock()
        self.warned: set[str] = set()

    def start(self, node: str, stage: str, total: int) -> None:
        with self.lock:
            self.nodes[node] = _Node(stage, total, time.monotonic())
            self.show_start(node, self.nodes[node])

    def part(self, task: TaskId, done: int, total: int) -> None:
        with self.lock:
            node = self.nodes[task[0]]
            if not node.finished and not done:
                node.began = time.monotonic()
            self.show_part(task, node, done / max(total, 1))

    def done(self, outcome: Outcome) -> None:
        for warning in outcome.warnings:
            self.warn(warning)
        if not outcome.is_done:
            return
        with self.lock:
            node = self.nodes[outcome.id[0]]
            node.finished += 1
            node.ran += outcome.status == "ran"
            self.show_done(outcome.id[0], node)

    def warn(self, sentence: str) -> None:
        with self.lock:
            if sentence not in self.warned:
                self.warned.add(sentence)
                self.show_warning(sentence)

    def show_start(self, name: str, node: _Node) -> None:
        pass

    def show_part(self, task: TaskId, node: _Node, fraction: float) -> None:
        pass

    def show_done(self, name: str, node: _Node) -> None:
        pass

    def show_warning(self, sentence: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(_Counting):
    """One line when a node is finished, and one now and then while a long one goes on."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream

    def show_part(self, task: TaskId, node: _Node, fraction: float) -> None:
        self._now_and_then(task[0], node, fraction)

    def show_done(self, name: str, node: _Node) -> None:
        if node.finished == node.total:
            self._say(f"{name}: {node.stage}, {node.state()}, {_duration(time.monotonic() - node.began)}")
        else:
            self._now_and_then(name, node, 0.0)

    def show_warning(self, sentence: str) -> None:
        self._say(f"warning: {sentence}")

    def _now_and_then(self, name: str, node: _Node, fraction: float) -> None:
        now = time.monotonic()
        share = (node.finished + fraction) / node.total
        if now - max(node.said, node.began) > EVERY and share > 0:
            node.said = now
            left = (now - node.began) * (1 - share) / share
            self._say(f"{name}: {node.stage}, {node.state()}, about {_duration(left)} left")

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Bars(_Counting):
    """A bar for every node, with what is being worked on and the time left."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("[bold]{task.description}[/] [dim]{task.fields[stage]}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[item]}"),
            console=Console(file=stream),
        )
        self.progress.start()

    def show_start(self, name: str, node: _Node) -> None:
        node.bar = self.progress.add_task(
            name, start=False, total=node.total, stage=node.stage, state=f"0/{node.total}", item=""
        )

    def show_part(self, task: TaskId, node: _Node, fraction: float) -> None:
        self.progress.start_task(node.bar)
        if node.total == 1:
            self.progress.update(node.bar, completed=fraction)
        self.progress.update(node.bar, item=_escape(task[1].replace("|", " + ")))

    def show_done(self, name: str, node: _Node) -> None:
        finished = node.finished == node.total
        self.progress.start_task(node.bar)
        self.progress.update(node.bar, completed=node.finished, state=node.state())
        if finished:
            self.progress.update(node.bar, item="")

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
