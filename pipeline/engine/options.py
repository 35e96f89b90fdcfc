"""The options of a run: how photos are read, and where and with what the run works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

from ..cache.store import Store


class PhotoKeywords(TypedDict, total=False):
    """The fields of :class:`PhotoOptions` as keyword arguments, except the truth."""

    cameras: str
    camera: str | None
    masks: str | Path | None


class WorkKeywords(TypedDict, total=False):
    """The fields of :class:`RunOptions` as keyword arguments, except the seed."""

    until: str | None
    workers: int | None
    memory: float | None
    device: str
    store: str | None
    cluster: str | None
    progress: bool


class StudyKeywords(PhotoKeywords, WorkKeywords, total=False):
    """The options of :func:`diptych.pipeline.study.compare.compare`, which has its own truths and seeds."""


class BenchKeywords(WorkKeywords, total=False):
    """The options of :func:`diptych.pipeline.protocols.registry.bench`, which knows itself how photos are read."""

    seed: int


class RunKeywords(PhotoKeywords, BenchKeywords, total=False):
    """The options of :func:`diptych.pipeline.api.run`."""

    truth: str | Path | None


@dataclass(frozen=True)
class PhotoOptions:
    """How a folder of photos is read (:func:`diptych.stages.images.photos.read_photos`), and where the truth is.

    Attributes:
        cameras: which photos share a camera: ``auto``, ``shared``, ``single`` or ``folder``.
        camera: known calibration; see :func:`diptych.stages.images.calibration.prior_cameras`.
        masks: folder of masks, black where no keypoints are wanted.
        truth: folder of the true cameras or depth maps.
    """

    cameras: str = "auto"
    camera: str | None = None
    masks: Path | None = None
    truth: Path | None = None


@dataclass(frozen=True)
class RunOptions:
    """Where and with what a run works.

    Attributes:
        seed: of every stage that draws random numbers.
        until: the slot or node to stop after.
        workers: how many items to work on at once; one per processor core if None.
        memory: GiB that the items worked on at once may need together; 80 % of what is available if None.
        device: ``cpu``, or a torch device such as ``cuda``.
        store: folder or fsspec address of the store; see :meth:`open_store`.
        cluster: address of a Dask scheduler to run on.
        progress: whether to show the progress on standard error.
    """

    seed: int = 0
    until: str | None = None
    workers: int | None = None
    memory: float | None = None
    device: str = "cpu"
    store: str | None = None
    cluster: str | None = None
    progress: bool = True

    def open_store(self, out: Path) -> Store:
        """The store at the given address, else where ``DIPTYCH_STORE`` says, else in the output folder."""
        return Store(self.store or os.environ.get("DIPTYCH_STORE") or str(out / "store"))


def split_options(given: Mapping[str, Any]) -> tuple[PhotoOptions, RunOptions]:
    """Both kinds of options from the keyword arguments of a function; paths may be text.

    Raises:
        TypeError: a keyword is no option.
    """
    of_photos, of_run = ({field.name for field in fields(cls)} for cls in (PhotoOptions, RunOptions))
    if unknown := sorted(given.keys() - of_photos - of_run):
        raise TypeError(f"There is no option {unknown[0]!r}; there is {', '.join(sorted(of_photos | of_run))}.")
    paths = {name: Path(given[name]) if given.get(name) else None for name in ("masks", "truth")}
    photos: dict[str, Any] = {name: value for name, value in given.items() if name in of_photos}
    return PhotoOptions(**{**photos, **paths}), RunOptions(**{n: value for n, value in given.items() if n in of_run})
