"""Commands that list what there is: stages, recipe."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ...stages.failure import StageFailure
from .app import app, example
from .parameters import keywords, recipe_changes, takes


@app.command(epilog=example("diptych stages"))
def stages() -> None:
    """List the slots, the stages that fill each, and every parameter with its default."""
    from ...stages.slots import SLOTS
    from ..engine import registry

    found, absent = [], []
    for name in registry.names():
        try:
            found.append((name, registry.find(name)))
        except StageFailure as failure:
            absent.append(failure)
    for slot in (slot for slot in SLOTS.values() if not slot.source):
        typer.secho(f"{slot.name}  ({slot.type.__name__}, per {slot.per})", bold=True)
        for name, cls in found:
            if cls.slot == slot.name:
                _print_stage(name, cls)
    for failure in absent:
        typer.echo(f"not available: {failure.sentence}", err=True)


@app.command(epilog=example("diptych recipe classical --use depths=Sgm > mine.toml"))
@takes(recipe_changes)
def recipe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Built-in name or a TOML file.")], **options: Any
) -> None:
    """Print a recipe with all its parameters as TOML, to change it and to read it back with --recipe."""
    from ..engine.recipe import Recipe
    from ..study.variants import varied

    given = keywords(options)
    typer.echo(varied(Recipe.load(name), given["use"]).set(given["settings"]).toml(), nl=False)


def _print_stage(name: str, cls: type) -> None:
    import dataclasses

    from ..engine.parameters import describe, types_of

    typer.echo(f"  {name}: {(cls.__doc__ or '').strip().partition(chr(10))[0]}")
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    for parameter, kind in types_of(cls).items():
        default = defaults[parameter]
        value = "" if default is dataclasses.MISSING else f" = {_value(default)}"
        typer.secho(f"    {parameter}: {describe(kind)}{value}", dim=True)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
