"""The base classes of the protocols, which find scenes in a folder, run recipes on each, and return rows of numbers."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from ...stages.failure import StageFailure
from ...stages.scene import Camera
from ..engine.options import PhotoOptions, RunOptions
from ..engine.recipe import Recipe
from ..results.record import cost_of
from .subprocesses import run_in_process
from .table import Column, PublishedRow, Row, Table

if TYPE_CHECKING:
    from ..results.result import Result

PHOTOS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".ppm")
"""Endings of photos in the layouts, in any case."""


@dataclass(frozen=True)
class Case:
    """One scene of a benchmark.

    Attributes:
        name: that of its folder.
        path: its folder or file, which holds the truth too.
        photos: the photos; empty if the protocol takes none.
    """

    name: str
    path: Path
    photos: tuple[Path, ...] = ()


@dataclass(frozen=True)
class BenchOptions:
    """The options of :func:`diptych.pipeline.protocols.registry.bench`.

    Attributes:
        out: folder of all runs.
        recipes: run on every scene.
        peer: whether to run other programs too.
        run: how each recipe runs.
    """

    out: Path
    recipes: tuple[Recipe, ...] = ()
    peer: bool = True
    run: RunOptions = RunOptions()


@dataclass(frozen=True)
class Inputs:
    """The inputs of a method on one scene.

    Attributes:
        photos: folder of the photos, and of no others.
        truth: folder of the truth.
        camera: the calibration as :func:`diptych.pipeline.api.run` takes it; None if it is not known.
        out: folder for the results of the scene.
    """

    photos: Path
    truth: Path
    camera: str | None
    out: Path


Peer = Callable[[Case, Inputs], dict[str, float]]
"""Runs another program on a scene and returns its numbers."""

Given = Literal["nothing", "calibration", "poses"]


class Protocol(ABC):
    """A benchmark.

    Class attributes:
        name: that of the command line.
        layout: the folders and files of its authors' data, in words.
        columns: of its table.
        published: rows of its papers.
        note: a remark on the measured numbers.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    published: ClassVar[tuple[PublishedRow, ...]] = ()
    note: ClassVar[str] = ""

    @abstractmethod
    def scene(self, place: Path) -> Case | None:
        """Return the scene in a folder or file; None if the layout is another."""

    @abstractmethod
    def rows(self, case: Case, options: BenchOptions) -> Iterator[Row]:
        """Yield the row of every method on a scene."""

    def scenes(self, data: Path) -> list[Case]:
        """Return the scene at a path, else those one level below, else two.

        Raises:
            StageFailure: ``no-benchmark-data``.
        """
        for pattern in (".", "*", "*/*"):
            places = [data] if pattern == "." else sorted(data.glob(pattern))
            if cases := [case for case in map(self.scene, places) if case]:
                return _with_unique_names(cases)
        raise StageFailure(
            "no-benchmark-data", f"{data} holds nothing in the layout of {self.name}, which is: {self.layout}."
        )

    def run(self, data: Path, options: BenchOptions, say: Callable[[Row], None]) -> Table:
        """Measure every method on every scene; a failure does not stop the others.

        Raises:
            StageFailure: ``no-benchmark-data``.
        """
        rows = []
        for case in self.scenes(data):
            for row in self.rows(case, options):
                say(row)
                rows.append(row)
        names = {row.scene for row in rows} | {"mean"}
        published = tuple(row for row in self.published if row.scene in names)
        return Table(self.name, self.columns, tuple(rows), published, self.note)


class PhotoProtocol(Protocol):
    """A benchmark that starts from photos and so runs recipes.

    Class attributes:
        until: the slot to stop after, unless another is asked for.
    """

    until: ClassVar[str]

    @abstractmethod
    def truth(self, case: Case, out: Path) -> Path:
        """The folder of the truth for :func:`diptych.pipeline.api.evaluate`; converted files go to ``out``."""

    @abstractmethod
    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """Return the numbers of a finished run."""

    def gives(self, case: Case) -> Given:
        """Return what is known beside the photos; known poses replace the mapper of a recipe."""
        return "nothing"

    def peers(self, case: Case) -> dict[str, Peer]:
        """Return other programs by name."""
        return {}

    def run(self, data: Path, options: BenchOptions, say: Callable[[Row], None]) -> Table:
        """Check that every recipe fills the measured slot, then measure all.

        Raises:
            StageFailure: ``no-benchmark-data``, and as :meth:`diptych.pipeline.engine.graph.Graph.of`.
        """
        from ..engine.graph import Graph

        for recipe in options.recipes:
            Graph.of(recipe, options.run.until or self.until)
        return super().run(data, options, say)

    def stop(self, case: Case, options: BenchOptions) -> str:
        """Return the slot to stop after."""
        return options.run.until or self.until

    def rows(self, case: Case, options: BenchOptions) -> Iterator[Row]:
        """Yield the row of every recipe, then of every peer."""
        for recipe in options.recipes:
            yield attempt(case, recipe.name, partial(run_in_process, _reconstruct, self, case, recipe, options))
        if options.peer:
            for name, peer in self.peers(case).items():
                yield attempt(case, name, partial(peer, case, self._given(case, options.out / case.name)))

    def reconstruct(self, case: Case, recipe: Recipe, options: BenchOptions) -> dict[str, float]:
        """Run a recipe on a scene and score the result."""
        from ..reconstruction import reconstruct

        given, posed = self._given(case, options.out / case.name), self.gives(case) == "poses"
        run = replace(
            options.run, until=self.stop(case, options), store=options.run.store or str(options.out / "store")
        )
        result = reconstruct(
            given.photos,
            options.out / case.name / recipe.name,
            with_range(with_true_poses(recipe), self.depths(case)) if posed else recipe,
            PhotoOptions(camera=given.camera, truth=given.truth if posed else None),
            run,
        )
        return {**self.score(result, case, given.truth), **cost_of(result.record)}

    def depths(self, case: Case) -> tuple[float, float]:
        """Return the known range of depths (near, far) in units of the truth; zeros if methods estimate it."""
        return 0.0, 0.0

    def _given(self, case: Case, out: Path) -> Inputs:
        photos, truth = photo_folder(case, out), self.truth(case, out)
        camera = None if self.gives(case) == "nothing" else calibration(photos, truth, out)
        return Inputs(photos, truth, camera, out)


def _reconstruct(protocol: PhotoProtocol, case: Case, recipe: Recipe, options: BenchOptions) -> dict[str, float]:
    return protocol.reconstruct(case, recipe, options)


def with_true_poses(recipe: Recipe) -> Recipe:
    """Return the recipe with the true cameras instead of its last mapper; points are still triangulated."""
    from ...stages.evaluation.oracles import TruePoses

    mappers = [node.name for node in recipe.nodes if node.slot == "sparse"]
    return recipe.with_(**{mappers[-1]: TruePoses()})


def with_range(recipe: Recipe, depths: tuple[float, float]) -> Recipe:
    """Return the recipe with a known range of depths, if its ``neighbors`` stage takes one."""
    near, far = depths
    told = [node for node in recipe.nodes if node.slot == "neighbors" and {"near", "far"} <= vars(node.stage).keys()]
    return recipe.set({f"{node.name}.{name}": at for node in told for name, at in (("near", near), ("far", far)) if at})


def attempt(case: Case, method: str, measure: Callable[[], dict[str, float]]) -> Row:
    """Return a row of numbers, or one with the failure."""
    try:
        return Row(case.name, method, measure())
    except StageFailure as failure:
        return Row(case.name, method, failure=failure.message, hint=failure.hint)


def photos_in(folder: Path) -> tuple[Path, ...]:
    """Return the photos in a folder by name; none if there is no such folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(file for file in folder.iterdir() if file.suffix.lower() in PHOTOS and file.is_file()))


def photo_folder(case: Case, folder: Path) -> Path:
    """Return a folder of the photos of a scene and no others: their own, or one with copies below ``folder``."""
    own = case.photos[0].parent
    if photos_in(own) == case.photos and not any(photo.suffix.lower() == ".ppm" for photo in case.photos):
        return own
    copies = folder / "photos"
    copies.mkdir(parents=True, exist_ok=True)
    for photo in case.photos:
        if photo.suffix.lower() == ".ppm":
            _as_png(photo, copies / f"{photo.stem}.png")
        else:
            shutil.copyfile(photo, copies / photo.name)
    return copies


def calibration(photos: Path, truth: Path, out: Path) -> str:
    """Return the true intrinsics as :func:`diptych.pipeline.api.run` takes them: one camera, or a file in ``out``."""
    from ...stages.evaluation.cameras import common_photos
    from ...stages.formats.truth.dense import read_true_cameras

    true, names = read_true_cameras(truth), tuple(photo.name for photo in photos_in(photos))
    ours, theirs = common_photos(names, true.names)
    cameras = {names[i]: true.camera(j) for i, j in zip(ours, theirs, strict=True)}
    if len(set(cameras.values())) == 1:
        return _specification(next(iter(cameras.values())))
    out.mkdir(parents=True, exist_ok=True)
    file = out / "cameras.csv"
    file.write_text("".join(f'"{name}",{_specification(camera)}\n' for name, camera in cameras.items()), "utf-8")
    return str(file)


def _specification(camera: Camera) -> str:
    return ",".join([camera.model, *(repr(float(number)) for number in camera.params)])


def _as_png(photo: Path, to: Path) -> None:
    from PIL import Image

    with Image.open(photo) as image:
        image.save(to)


def _with_unique_names(cases: list[Case]) -> list[Case]:
    """Put the name of the folder above before the names that several scenes have."""
    names = [case.name for case in cases]
    return [
        Case(f"{case.path.parent.name}-{case.name}", case.path, case.photos) if names.count(case.name) > 1 else case
        for case in cases
    ]
