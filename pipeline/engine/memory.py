"""Memory: what each node of a run will need, and the budget that its tasks share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import psutil

from ...stages.failure import StageFailure
from ...stages.scene import Photos
from ...stages.slots import Per
from ...stages.stage import Sizes
from .graph import Graph, Vertex

GIB = 2**30

SHARE = 0.8
"""Share of the available memory that a run may use by default."""


class MemoryBudget:
    """Memory that the tasks of a run share: a task waits until enough of it is free.

    Args:
        size: in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, need: int) -> Iterator[None]:
        """Reserve ``need`` bytes, or the whole budget if ``need`` exceeds it."""
        need = min(need, self.size)
        with self._changed:
            self._changed.wait_for(lambda: need <= self._free)
            self._free -= need
        try:
            yield
        finally:
            with self._changed:
                self._free += need
                self._changed.notify_all()

    def fits(self, need: int) -> int:
        """Number of tasks of ``need`` bytes each that fit at once, at least 1."""
        return max(1, self.size // need) if need else sys.maxsize


def needs(graph: Graph, photos: Photos) -> dict[str, int]:
    """Peak bytes of one item of every node, from :meth:`diptych.stages.stage.Stage.footprint`."""
    sizes = Sizes(len(photos), tuple(sorted({(camera.width, camera.height) for camera in photos.cameras})))
    found = {}
    for vertex in graph.vertices:
        found[vertex.name] = vertex.stage.footprint(sizes)
        sizes = vertex.stage.resized(sizes)
    return found


def describe_needs(graph: Graph, needed: Mapping[str, int], budget: MemoryBudget, workers: int) -> list[str]:
    """One line of text for every node that states a footprint."""
    lines = []
    for vertex in graph.vertices:
        need = needed[vertex.name]
        beside = f", {min(workers, budget.fits(need))} at a time" if vertex.per != "run" else ""
        if need:
            lines.append(f"{vertex.name}: {needed_by(vertex, need)}{beside}")
    return lines


def needed_by(vertex: Vertex, need: int) -> str:
    """A need as text: ``about 0.28 GiB a view``."""
    return f"about {max(need / GIB, 0.01):.2f} GiB{_EACH[vertex.per]}"


_EACH: dict[Per, str] = {"run": "", "photo": " a view", "pair": " a pair"}


def too_little_memory(graph: Graph, vertex: Vertex, need: int, memory: int) -> StageFailure:
    """The failure of a node of which not even one item fits into memory."""
    views = graph.last("views")
    smaller = f"Set a smaller {views.name}.max_size" if views and hasattr(views.stage, "max_size") else "Free some"
    return StageFailure(
        "too-little-memory",
        f"{vertex.name} needs {needed_by(vertex, need)}, and {memory / GIB:.2f} GiB may be used.",
        hint=f"{smaller}, or allow more with --memory.",
        needed_gib=round(need / GIB, 3),
        allowed_gib=round(memory / GIB, 3),
    )


def allowed(gib: float | None) -> int:
    """Bytes that a run may use: ``gib`` GiB, or by default :data:`SHARE` of the available memory."""
    return int(gib * GIB if gib is not None else SHARE * available())


def available() -> int:
    """Bytes of memory that this process can get, within the limits of its control groups."""
    return min([_free(), *_left_in_groups()])


def _free() -> int:
    """Available bytes of the machine."""
    return psutil.virtual_memory().available


_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Control groups of both versions: root, and the names of limit, usage and the cache within the usage."""


def _left_in_groups() -> Iterator[int]:
    """Bytes left under the limit of every control group of this process, as in a container."""
    try:
        paths = [PurePosixPath(line.rpartition(":")[2]) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    groups = {group.relative_to("/") for path in paths for group in (path, *path.parents)}
    for root, limit, used, cache in _GROUPS:
        for folder in (Path(root) / group for group in groups):
            try:
                facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                yield int((folder / limit).read_text()) - int((folder / used).read_text()) + int(facts[cache])
            except (OSError, KeyError, ValueError):
                continue
