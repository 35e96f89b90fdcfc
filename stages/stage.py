"""The base class of stages, and the context in which they run.

A stage is a frozen, keyword-only dataclass: its fields are its parameters, its docstring describes the algorithm with
its paper, and its method ``run`` takes typed inputs and returns one typed output. The signature of ``run`` decides the
rest:

- each parameter is named after the slot that feeds it (``features``, ``two_views``, ...);
- its annotation says which items it takes: ``Features`` those of this photo, ``Pair[Features]`` those of the two photos
  of this pair, ``tuple[Features, ...]`` those of all photos in order, ``Sequence[View]`` the same, each read when it is
  indexed, ``Around[View]`` the view of this photo and those of its neighbors;
- an input with the default ``None`` is optional: it is given if an earlier node fills its slot;
- a stage with a per-photo input runs once per photo, one with a ``Pair`` or a per-pair input once per pair, and one
  that takes only whole collections once per run;
- a parameter ``rng: np.random.Generator`` is seeded by the run seed, the stage and the item;
- a parameter ``context: Context`` gives settings that must not change the result: threads, device, progress.

A stage whose items need much memory states the need in :meth:`Stage.footprint`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, dataclass_transform


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run that are known before it starts.

    Attributes:
        photos: number of photos.
        images: the different (width, height) of the photos, or of the views from them.
        neighbors: maximum number of neighbors of a photo.
    """

    photos: int
    images: tuple[tuple[int, int], ...]
    neighbors: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of the largest image."""
        return max(width * height for width, height in self.images)


def _silent(*_: object) -> None:
    """Discard progress and warnings."""


@dataclass(frozen=True)
class Context:
    """Settings of a run that must not change the result of a stage, and so do not enter its key.

    Attributes:
        threads: number of threads that the stage may use.
        device: ``cpu``, or a torch device such as ``cuda``.
        progress: called with (done, total) from time to time.
        warn: called with one sentence for every warning; the runner stores it with the result, so that a cached result
            has it too.
    """

    threads: int = 1
    device: str = "cpu"
    progress: Callable[[int, int], None] = _silent
    warn: Callable[[str], None] = _silent


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Stage:
    """Base of every stage; subclassing makes a frozen, keyword-only dataclass.

    Class attributes:
        slot: the name of the slot it fills; see :mod:`diptych.stages.slots`.
        version: to be raised when the result changes for a reason that is not in its code.
        libraries: names of the distributions that its result depends on; their versions enter the key.
        differs_by_device: whether results differ between kinds of device; then the kind enters the key.
        papers: the papers to cite, beside those of its bases: keys of ``stages/references.bib`` or of a
            ``references.bib`` in the folder of its module.
    """

    slot: ClassVar[str]
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    differs_by_device: ClassVar[bool] = False
    papers: ClassVar[tuple[str, ...]] = ()

    run: ClassVar[Callable[..., Any]]

    def footprint(self, sizes: Sizes) -> int:
        """Peak memory of one ``run`` in bytes, including inputs and result; 0 if it is small.

        The runner runs no more items at once than fit into memory, and reports the need before it starts.
        """
        return 0

    def files(self) -> tuple[Path, ...]:
        """Files that the result depends on, such as weights of a network; their content enters the key."""
        return ()

    def resized(self, sizes: Sizes) -> Sizes:
        """The sizes for later stages, which differ after a stage that resizes images or selects neighbors."""
        return sizes

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(frozen=True, kw_only=True)(cls)
