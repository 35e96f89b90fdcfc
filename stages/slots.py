"""The slots of the graph: what each holds, how often, and how a plug-in adds one.

>>> from diptych.stages.slots import SLOTS
>>> SLOTS["features"].type.__name__, SLOTS["features"].per
('Features', 'photo')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, get_args

from .dense import Cloud, DepthMap, Mesh, Neighbors, View
from .depth_truth import TrueDepth
from .failure import StageFailure
from .scene import Camera, Features, Matches, Pairs, Patches, Photo, Photos, Scene, Sparse, Tracks, TwoView

Per = Literal["run", "photo", "pair"]

ENTRY_POINTS = "diptych.slots"
"""The entry point group under which a package offers its slots; each entry point names a :class:`Slot`."""

RESERVED = ("rng", "context")
"""Parameters of ``run`` that no slot feeds."""


@dataclass(frozen=True)
class Slot:
    """A place in the graph: the type of its items, and how many there are.

    Attributes:
        name: the name by which stages fill it and take it.
        type: the type of one item.
        per: whether there is one item for the ``run``, one per ``photo`` or one per ``pair``.
        source: whether the photos or the ground truth fill it, not a stage.
        after: the slot that it follows where slots are listed; by default it comes last.
    """

    name: str
    type: type
    per: Per
    source: bool = False
    after: str = ""


BUILT_IN = (
    Slot("name", str, "photo", source=True),
    Slot("photo", Photo, "photo", source=True),
    Slot("camera", Camera, "photo", source=True),
    Slot("photos", Photos, "run", source=True),
    Slot("true_cameras", Scene, "run", source=True),
    Slot("true_depths", TrueDepth, "photo", source=True),
    Slot("features", Features, "photo"),
    Slot("pairs", Pairs, "run"),
    Slot("matches", Matches, "pair"),
    Slot("two_views", TwoView, "pair"),
    Slot("tracks", Tracks, "run"),
    Slot("patches", Patches, "photo"),
    Slot("sparse", Sparse, "run"),
    Slot("neighbors", Neighbors, "run"),
    Slot("views", View, "photo"),
    Slot("depths", DepthMap, "photo"),
    Slot("fused", Cloud, "photo"),
    Slot("cloud", Cloud, "run"),
    Slot("mesh", Mesh, "run"),
)
"""The slots of the classical pipeline, in the order of the data flow.

``true_cameras`` and ``true_depths`` are filled where a run is given the ground truth: the cameras of the photos that it
knows, by the photos' names and without points, and the true depth map of each photo.
"""


class Slots(Mapping[str, Slot]):
    """All known slots by name, in the order of the data flow.

    An unknown name, and iterating, load the slots that installed packages offer as entry points.
    """

    def __init__(self) -> None:
        self._known = {slot.name: slot for slot in BUILT_IN}
        self._loaded = False

    def __getitem__(self, name: str) -> Slot:
        if name not in self._known:
            self._load()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._ordered())

    def __len__(self) -> int:
        self._load()
        return len(self._known)

    def register(self, slot: Slot) -> None:
        """See :func:`register_slot`."""
        if not slot.name.isidentifier() or slot.name in RESERVED or slot.per not in get_args(Per) or slot.source:
            raise StageFailure(
                "bad-slot",
                f"{slot.name!r} per {slot.per!r} cannot be a slot.",
                hint=f"Its name is a Python identifier other than {' and '.join(RESERVED)}, it is filled per "
                f"{', '.join(get_args(Per))}, and source is for Diptych's own slots.",
            )
        old = self._known.get(slot.name, slot)
        if (_path(old.type), old.per, old.source) != (_path(slot.type), slot.per, slot.source):
            raise StageFailure(
                "slot-taken",
                f"The slot {slot.name!r} holds a {_path(old.type)} per {old.per}, "
                f"not a {_path(slot.type)} per {slot.per}.",
                hint="Choose another name.",
            )
        self._known[slot.name] = slot

    def _load(self) -> None:
        """Register the slots that packages offer, once a process."""
        if not self._loaded:
            for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
                self.register(_offered(point))
            self._loaded = True

    def _ordered(self) -> list[str]:
        """The names with every slot behind the one that it names in ``after``."""
        added = sorted(self._known.keys() - {slot.name for slot in BUILT_IN})
        followers: dict[str, list[str]] = {}
        for name in added:
            followers.setdefault(self._known[name].after, []).append(name)

        def from_(name: str) -> Iterator[str]:
            yield name
            for follower in followers.get(name, ()):
                yield from from_(follower)

        # Slots whose `after` is empty, unknown or in a circle are listed last.
        starts = [slot.name for slot in BUILT_IN] + followers.get("", [])
        return list(dict.fromkeys([name for start in starts for name in from_(start)] + added))


SLOTS = Slots()
"""Every known slot."""


def register_slot(slot: Slot) -> None:
    """Add a slot, so that stages can fill it and take it as an input.

    A slot that is known already is replaced by an equal one, as when a cell of a notebook is run again.

    Raises:
        StageFailure: ``slot-taken`` where the name stands for another type or is filled another number of times;
            ``bad-slot`` where it cannot be one.
    """
    SLOTS.register(slot)


def find_slot(name: str) -> Slot:
    """The slot of that name.

    Raises:
        StageFailure: ``unknown-slot``.
    """
    if slot := SLOTS.get(name):
        return slot
    raise StageFailure("unknown-slot", f"There is no slot {name!r}.", hint="Import the package that registers it.")


def _offered(point: EntryPoint) -> Slot:
    try:
        slot = point.load()
    except (ImportError, AttributeError) as error:
        raise StageFailure(
            "slot-not-importable",
            f"The slot {point.name} cannot be imported: {error}",
            hint=f"Repair or uninstall the package that holds {point.module}.",
        ) from error
    if not isinstance(slot, Slot):
        raise StageFailure("bad-slot", f"{point.value} is not a Slot.")
    return slot


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
