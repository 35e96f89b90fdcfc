"""Parameters that several commands share, in groups; :func:`takes` adds groups to a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

F = TypeVar("F", bound=Callable[..., Any])


def takes(*groups: Callable[..., None]) -> Callable[[F], F]:
    """Add the parameters of the groups to those of a command, which gets them as keyword arguments."""

    def with_groups(command: F) -> F:
        parameters = [
            parameter
            for function in (command, *groups)
            for parameter in inspect.signature(function, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        vars(command)["__signature__"] = inspect.Signature(parameters)
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return with_groups


Grouping = StrEnum("Grouping", ["auto", "shared", "single", "folder"])

OutFolder = Annotated[Path, typer.Option("--out", help="Output folder.")]
EarlierRun = Annotated[Path, typer.Argument(metavar="OUT", help="Output folder of a run.")]
Truth = Annotated[
    Path | None, typer.Option("--truth", metavar="DIR", help="Folder with the truth, for stages that take it.")
]
RecipeName = Annotated[str, typer.Option("--recipe", help="Built-in name or a TOML file.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every stage that draws random numbers.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Items worked on at once; one per processor core if not given.")
]
Device = Annotated[str, typer.Option("--device", help="cpu, or a torch device such as cuda.")]


def run_parameters(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of JPEG, PNG or TIFF files.")],
    out: OutFolder = Path("out"),
    recipe: RecipeName = "classical",
    seed: Seed = 0,
) -> None:
    """What run, plan and explain need."""


def recipe_changes(
    use: Annotated[
        list[str] | None,
        typer.Option("--use", metavar="SLOT=STAGE", help="Put another stage into a slot; may be repeated."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NODE.PARAMETER=VALUE", help="Change a parameter; may be repeated."),
    ] = None,
) -> None:
    """Changes of a recipe."""


def photo_options(
    camera: Annotated[
        str | None, typer.Option("--camera", help="Known calibration: MODEL,params or a file or folder of cameras.")
    ] = None,
    cameras: Annotated[Grouping, typer.Option("--cameras", help="Which photos share a camera.")] = Grouping.auto,
    masks: Annotated[
        Path | None, typer.Option("--masks", help="Folder of masks, black where no keypoints are wanted.")
    ] = None,
    truth: Truth = None,
) -> None:
    """The fields of :class:`diptych.pipeline.engine.options.PhotoOptions`."""


def result_options(
    until: Annotated[str | None, typer.Option("--until", metavar="SLOT", help="Stop after this slot or node.")] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="Folder or fsspec address; OUT/store if not given.", envvar="DIPTYCH_STORE"),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Which results there are, and where."""


def work_options(
    workers: Workers = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory", metavar="GIB", min=0.0, help="Memory to use; 80 % of what is free if not given."),
    ] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Address of a Dask scheduler to run on.")] = None,
) -> None:
    """With what a run works."""


def keywords(options: dict[str, Any]) -> dict[str, Any]:
    """The values of the groups as keyword arguments of the functions in :mod:`diptych.pipeline.api`.

    Raises:
        StageFailure: ``bad-choice``.
    """
    from ..study.variants import parse_use

    chosen = {name: value for name, value in options.items() if name not in ("quiet", "verbose", "log")}
    if "use" in chosen:
        chosen["use"] = parse_use(chosen["use"] or ())
    if "settings" in chosen:
        chosen["settings"] = chosen["settings"] or ()
    if "cameras" in chosen:
        chosen["cameras"] = str(chosen["cameras"])
    return chosen
