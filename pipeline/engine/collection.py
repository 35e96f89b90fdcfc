"""The photos of a run and the items of the source slots, each known by its digest and read when a task needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...stages.failure import StageFailure
from ...stages.images.photos import PhotoFile, read_photos
from ...stages.scene import Photos
from ..cache.codec import digest, encode
from ..cache.store import Store
from .graph import Graph
from .options import PhotoOptions

if TYPE_CHECKING:
    from ...stages.evaluation.truth import Truth

TRUTH = {"true_cameras": "the true cameras", "true_depths": "the true depth maps"}
"""The source slots that the ground truth fills, and what they hold."""


@dataclass(frozen=True)
class SourceItem:
    """One item of a source slot.

    Attributes:
        digest: of its content.
        given: the file of a photo, or the name of one; None for an item that is in the store.
    """

    digest: str
    given: PhotoFile | str | None = None


@dataclass(frozen=True)
class Collection:
    """The photos of a folder.

    Attributes:
        folder: its absolute path.
        photos: names, prior cameras and positions.
        files: the files, in the order of ``photos.names``.
        options: how the folder was read.
    """

    folder: Path
    photos: Photos
    files: tuple[PhotoFile, ...]
    options: PhotoOptions = PhotoOptions()

    @staticmethod
    def read(folder: Path, options: PhotoOptions, warn: Callable[[str], None], threads: int) -> Collection:
        """Read the names, sizes and metadata of the photos in a folder.

        Raises:
            StageFailure: as :func:`diptych.stages.images.photos.read_photos`.
        """
        how: dict[str, Any] = {name: value for name, value in vars(options).items() if name != "truth"}
        photos, files = read_photos(folder, warn=warn, threads=threads, **how)
        return Collection(folder.resolve(), photos, files, options)

    def check(self, graph: Graph) -> None:
        """Check that the truth that nodes of a graph take is there.

        Raises:
            StageFailure: ``no-truth``; ``damaged-truth`` or ``truth-mismatch`` where it cannot be used.
        """
        for vertex in graph.vertices:
            for slot in vertex.sources:
                if slot in TRUTH and (why := self._missing(slot)):
                    raise StageFailure(
                        "no-truth",
                        f"The node {vertex.name!r} ({type(vertex.stage).__name__}) takes {TRUTH[slot]}, {why}.",
                        hint="Name the folder that holds the truth: --truth DIR.",
                    )

    def sources(self, graph: Graph, store: Store | None = None) -> dict[str, tuple[SourceItem, ...]]:
        """The items of every source slot that a graph takes; with a store, those that are no files are written to it.

        Raises:
            StageFailure: as :meth:`check`.
        """
        self.check(graph)

        def stored(value: object) -> SourceItem:
            return SourceItem(digest(encode(value)) if store is None else store.write(value)[0])

        def cameras() -> tuple[SourceItem, ...]:
            each = [stored(camera) for camera in self.photos.cameras]
            return tuple(each[i] for i in self.photos.camera_of)

        makers: dict[str, Callable[[], tuple[SourceItem, ...]]] = {
            "name": lambda: tuple(SourceItem(digest(name.encode()), name) for name in self.photos.names),
            "photo": lambda: tuple(SourceItem(file.digest, file) for file in self.files),
            "camera": cameras,
            "photos": lambda: (stored(self.photos),),
            "true_cameras": lambda: (stored(self._truth.cameras),),
            "true_depths": lambda: tuple(self._true_depth(photo, store) for photo in range(len(self.photos))),
        }
        taken = {name for vertex in graph.vertices for name in vertex.sources}
        return {slot: make() for slot, make in makers.items() if slot in taken}

    def _true_depth(self, photo: int, store: Store | None) -> SourceItem:
        """The item of one true depth map; its file, which is large, is read once."""
        known = self._true_depths.get(photo)
        if known is None or not (store is None or store.is_sound(*known)):
            value = self._truth.depth(photo)
            if store is None:
                data = encode(value)
                known = digest(data), len(data)
            else:
                known = store.write(value)
            self._true_depths[photo] = known
        return SourceItem(known[0])

    @cached_property
    def _true_depths(self) -> dict[int, tuple[str, int]]:
        """(sha256, size) of the true depth maps that were read, by photo."""
        return {}

    @cached_property
    def _truth(self) -> Truth:
        from ...stages.evaluation.truth import Truth

        assert self.options.truth is not None
        return Truth.read(self.options.truth, self.photos.names)

    def _missing(self, slot: str) -> str:
        """Why the truth does not fill a slot, as a clause; empty where it does."""
        folder = self.options.truth
        if folder is None:
            return "and no truth was given"
        try:
            known = self._truth
        except StageFailure as failure:
            if failure.code != "unknown-truth":
                raise
            return f"and in {folder} there is no truth in a known form"
        if slot == "true_depths" and not known.has_depths:
            return f"and the truth in {folder} has the cameras of these photos but not their depth"
        return ""
