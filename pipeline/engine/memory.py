"""Memory: what the items of a run need, said before it begins, and a limit that they keep to together."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ...stages.failure import StageFailure
from ...stages.scene import Photos
from ...stages.stage import Extent, Sizes
from .graph import Graph, Vertex

GIB = 2**30

SHARE = 0.8
"""How much of the memory that is available a run may take if it is not told."""


class Room:
    """Memory that tasks share: each waits until there is enough of it.

    Args:
        size: in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, need: int) -> Iterator[None]:
        """Hold so many bytes; all there are where they would not be enough."""
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

    def holds(self, need: int) -> int:
        """How many tasks of that need fit beside each other; at least one."""
        return max(1, self.size // need) if need else sys.maxsize


def needs(graph: Graph, photos: Photos) -> dict[str, int]:
    """Peak bytes of one item of every node, as far as :meth:`~diptych.stages.stage.Stage.footprint` says."""
    sizes = Sizes(len(photos), tuple(sorted({(camera.width, camera.height) for camera in photos.cameras})))
    found = {}
    for vertex in graph.vertices:
        found[vertex.name] = vertex.stage.footprint(sizes)
        sizes = vertex.stage.resized(sizes)
    return found


def statements(graph: Graph, needed: Mapping[str, int], room: Room, workers: int) -> list[str]:
    """A line for every node that needs memory worth counting."""
    lines = []
    for vertex in graph.vertices:
        need = needed[vertex.name]
        beside = f", {min(workers, room.holds(need))} at a time" if vertex.extent != "run" else ""
        if need:
            lines.append(f"{vertex.name}: {needed_by(vertex, need)}{beside}")
    return lines


def needed_by(vertex: Vertex, need: int) -> str:
    """A need in words: ``about 0.28 GiB a view``."""
    return f"about {max(need / GIB, 0.01):.2f} GiB{_EACH[vertex.extent]}"


_EACH: dict[Extent, str] = {"run": "", "photo": " a view", "pair": " a pair"}


def too_little(graph: Graph, vertex: Vertex, need: int, memory: int) -> StageFailure:
    """What to say where not even one item of a node fits."""
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
    """How many bytes a run may take: so many GiB, else most of what is available."""
    return int(gib * GIB if gib is not None else SHARE * available())


def available() -> int:
    """How many bytes this process may still take, as far as the system says."""
    return min([_free(), *_left_in_groups()])


def _free() -> int:
    """What the machine can give: Linux knows, of others we take all there is, and no limit where they do not say."""
    try:
        facts = dict(line.split()[:2] for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        return int(facts["MemAvailable:"]) * 1024
    except (OSError, KeyError, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()) else 0
        return pages * os.sysconf("SC_PAGE_SIZE") if pages > 0 else sys.maxsize


_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Where Linux keeps control groups of both versions: root, limit, what is used, and what of that is cache."""


def _left_in_groups() -> Iterator[int]:
    """What the limits of the control groups that this process is in leave, as in a container."""
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
