"""The photographs of a run, as the graph's sources: content by digest, loaded only where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..stages.photos import PhotoFile, read_photos
from ..stages.scene import Photos
from .codec import digest, encode
from .store import Store


@dataclass(frozen=True)
class Source:
    """One item that comes from the photographs.

    Attributes:
        digest: of its content.
        given: where a photo's bytes lie, or a photo's name; None for what the store holds.
    """

    digest: str
    given: PhotoFile | str | None = None


@dataclass(frozen=True)
class Options:
    """How a folder of photos is read; see :func:`diptych.stages.photos.read_photos`."""

    cameras: str = "auto"
    camera: str | None = None
    masks: Path | None = None


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
    options: Options = Options()

    @staticmethod
    def read(folder: Path, options: Options, warn: Callable[[str], None], threads: int) -> Collection:
        """Look at the files of a folder.

        Raises:
            StageFailure: as :func:`diptych.stages.photos.read_photos`.
        """
        arguments: dict[str, Any] = vars(options)
        photos, files = read_photos(folder, warn=warn, threads=threads, **arguments)
        return Collection(folder.resolve(), photos, files, options)

    def sources(self, store: Store | None = None) -> dict[str, tuple[Source, ...]]:
        """The items of every source slot; with a store, what is not a file is kept there."""

        def kept(value: object) -> Source:
            return Source(digest(encode(value)) if store is None else store.write(value)[0])

        cameras = [kept(camera) for camera in self.photos.cameras]
        return {
            "name": tuple(Source(digest(name.encode()), name) for name in self.photos.names),
            "photo": tuple(Source(file.digest, file) for file in self.files),
            "camera": tuple(cameras[i] for i in self.photos.camera_of),
            "photos": (kept(self.photos),),
        }
