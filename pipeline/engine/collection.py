"""The photographs of a run, as the graph's sources: content by digest, loaded only where it is needed."""

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
"""The source slots that the truth fills, in words."""


@dataclass(frozen=True)
class Source:
    """One item that comes from the photographs or the truth.

    Attributes:
        digest: of its content.
        given: where a photo's bytes lie, or a photo's name; None for what the store holds.
    """

    digest: str
    given: PhotoFile | str | None = None


@dataclass(frozen=True)
class Collection:
    """A folder's photos and what the source slots hold of them.

    Attributes:
        folder: where they lie.
        photos: names, prior cameras and positions.
        files: the files, in the order of ``photos.names``.
    """

    folder: Path
    photos: Photos
    files: tuple[PhotoFile, ...]
    options: PhotoOptions = PhotoOptions()

    @staticmethod
    def read(folder: Path, options: PhotoOptions, warn: Callable[[str], None], threads: int) -> Collection:
        """Look at the files of a folder.

        Raises:
            StageFailure: as :func:`diptych.stages.images.photos.read_photos`.
        """
        how: dict[str, Any] = {name: value for name, value in vars(options).items() if name != "truth"}
        photos, files = read_photos(folder, warn=warn, threads=threads, **how)
        return Collection(folder.resolve(), photos, files, options)

    def check(self, graph: Graph) -> None:
        """See that the truth is known that nodes of a graph take.

        Raises:
            StageFailure: ``no-truth``; ``damaged-truth`` or ``truth-mismatch`` where it is there but of no use.
        """
        for vertex in graph.vertices:
            for slot in vertex.sources:
                if slot in TRUTH and (why := self._lack(slot)):
                    raise StageFailure(
                        "no-truth",
                        f"The node {vertex.name!r} ({type(vertex.stage).__name__}) takes {TRUTH[slot]}, {why}.",
                        hint="Name the folder that holds the truth: --truth DIR.",
                    )

    def sources(self, graph: Graph, store: Store | None = None) -> dict[str, tuple[Source, ...]]:
        """The items of every source slot that a graph takes from; with a store, what is not a file is kept there.

        Raises:
            StageFailure: as :meth:`check`.
        """
        self.check(graph)

        def kept(value: object) -> Source:
            return Source(digest(encode(value)) if store is None else store.write(value)[0])

        def cameras() -> tuple[Source, ...]:
            each = [kept(camera) for camera in self.photos.cameras]
            return tuple(each[i] for i in self.photos.camera_of)

        makers: dict[str, Callable[[], tuple[Source, ...]]] = {
            "name": lambda: tuple(Source(digest(name.encode()), name) for name in self.photos.names),
            "photo": lambda: tuple(Source(file.digest, file) for file in self.files),
            "camera": cameras,
            "photos": lambda: (kept(self.photos),),
            "true_cameras": lambda: (kept(self._truth.cameras),),
            "true_depths": lambda: tuple(self._true_depth(photo, store) for photo in range(len(self.photos))),
        }
        taken = {name for vertex in graph.vertices for name in vertex.sources}
        return {slot: make() for slot, make in makers.items() if slot in taken}

    def _true_depth(self, photo: int, store: Store | None) -> Source:
        """As ``kept``, but a map that was read before is not read again: they are large."""
        known = self._true_depths.get(photo)
        if known is None or not (store is None or store.is_sound(*known)):
            value = self._truth.depth(photo)
            if store is None:
                data = encode(value)
                known = digest(data), len(data)
            else:
                known = store.write(value)
            self._true_depths[photo] = known
        return Source(known[0])

    @cached_property
    def _true_depths(self) -> dict[int, tuple[str, int]]:
        """Digest and length of the true depth maps that were read, by photo."""
        return {}

    @cached_property
    def _truth(self) -> Truth:
        from ...stages.evaluation.truth import Truth

        assert self.options.truth is not None
        return Truth.read(self.options.truth, self.photos.names)

    def _lack(self, slot: str) -> str:
        """Why the truth does not fill a slot, as the end of a sentence; empty where it does."""
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
            return f"and the truth in {folder} knows the cameras of these photos but not their depth"
        return ""
