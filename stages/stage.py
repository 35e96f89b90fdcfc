"""What a stage is, and the slots that stages fill.

A stage is a frozen, keyword-only dataclass: its fields are its parameters, its docstring says what it does and after
whom, and its one method ``run`` takes typed inputs and returns one typed output. Everything else follows from the
signature of ``run``:

- each parameter is named after the slot that feeds it (``features``, ``two_views``, ...);
- its annotation says how much of the slot it wants: ``Features`` is the one of this photo, ``Pair[Features]`` the two
  of this pair, ``tuple[Features, ...]`` those of all photos in order, ``Sequence[View]`` the same but read one by one
  when asked for, ``Around[View]`` the one of this photo and those of its neighbours;
- an input with ``None`` as its default is optional: it is given where an earlier node fills its slot;
- so a stage with a per-photo input runs once per photo, one with a ``Pair`` or a per-pair input once per pair, and one
  that takes whole collections once;
- a parameter ``rng: np.random.Generator`` says that the stage draws; it is seeded by run seed, stage and item;
- a parameter ``context: Context`` asks for what must not change the result: threads, device, progress.

A stage whose items need much memory says how much in :meth:`Stage.footprint`: no more of them run at once than fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, dataclass_transform

from .dense import Cloud, DepthMap, Mesh, Neighbors, View
from .depth_truth import TrueDepth
from .mono_weights import MonoWeights
from .scene import Camera, Features, Matches, Pairs, Patches, Photo, Photos, Scene, Sparse, Tracks, TwoView

Extent = Literal["run", "photo", "pair"]


@dataclass(frozen=True)
class Slot:
    """A place in the graph: what it holds and how often.

    Attributes:
        name: the name inputs refer to it by.
        type: the type of one item.
        extent: whether there is one item for the ``run``, one per ``photo`` or one per ``pair``.
        source: filled from the photographs themselves or from the truth, not by a stage.
    """

    name: str
    type: type
    extent: Extent
    source: bool = False


SLOTS: dict[str, Slot] = {
    slot.name: slot
    for slot in (
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
        Slot("mono", MonoWeights, "run"),
        Slot("depths", DepthMap, "photo"),
        Slot("fused", Cloud, "photo"),
        Slot("cloud", Cloud, "run"),
        Slot("mesh", Mesh, "run"),
    )
}
"""Every slot in the order in which data flows.

``true_cameras`` and ``true_depths`` are there for a run that is told where the truth lies: the cameras of those photos
that it knows, under the photos' names and without points, and what it knows of the depth of each.
"""


@dataclass(frozen=True)
class Sizes:
    """How large a run is, as far as that can be said before it begins.

    Attributes:
        photos: number of photos.
        images: (width, height) of the photos, or of the views made of them; each once.
        neighbors: the most neighbours that a photo may have.
    """

    photos: int
    images: tuple[tuple[int, int], ...]
    neighbors: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of the largest image."""
        return max(width * height for width, height in self.images)


def _silent(*_: object) -> None:
    """Discard progress and warnings: nobody listens."""


@dataclass(frozen=True)
class Context:
    """What a stage may use but what never changes its result, and so never reaches a key.

    Attributes:
        threads: how many threads the stage may keep busy.
        device: ``cpu``, or a torch device such as ``cuda``.
        progress: called with (done, total) from time to time.
        warn: called with one sentence when the result is sound but a person should know something; the runner keeps
            it beside the result, so that a cached result still says it.
    """

    threads: int = 1
    device: str = "cpu"
    progress: Callable[[int, int], None] = _silent
    warn: Callable[[str], None] = _silent


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Stage:
    """Base of every stage; subclassing makes a frozen, keyword-only dataclass.

    Class attributes:
        slot: the slot it fills.
        version: raised by hand when the result changes for a reason that its code does not show.
        libraries: names of the distributions that make its result; their versions enter the key.
        differs_by_device: whether results differ between kinds of device; then the kind enters the key.
        papers: what to cite for it beside those of its bases, by the keys of ``stages/references.bib`` or of a
            ``references.bib`` that lies beside its own module.
    """

    slot: ClassVar[str]
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    differs_by_device: ClassVar[bool] = False
    papers: ClassVar[tuple[str, ...]] = ()

    run: ClassVar[Callable[..., Any]]

    def footprint(self, sizes: Sizes) -> int:
        """Peak memory of one ``run`` in bytes, inputs and result among it; 0 where it is not worth counting.

        It never changes a result: the runner works on no more items at once than fit, and says beforehand what they
        will need.
        """
        return 0

    def files(self) -> tuple[Path, ...]:
        """Files that make the result, such as the weights of a network; what they hold enters the key."""
        return ()

    def resized(self, sizes: Sizes) -> Sizes:
        """The sizes that the stages after this one meet: other ones after a stage that resizes or chooses."""
        return sizes

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(frozen=True, kw_only=True)(cls)
