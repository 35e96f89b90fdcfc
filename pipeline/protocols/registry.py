"""The benchmarks by name, and how one is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...stages.failure import StageFailure
from ..engine.parameters import nearest
from ..engine.recipe import Recipe
from .bal import Bal
from .dtu import Dtu
from .eth3d import Eth3d
from .middlebury import Middlebury
from .protocol import How, Protocol
from .rendered import Rendered
from .strecha import Strecha
from .table import Row, Table

BENCHMARKS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (Strecha(), Eth3d(), Dtu(), Middlebury(), Bal(), Rendered())
}


def bench(
    name: str,
    data: str | Path,
    *,
    recipes: Sequence[str | Path | Recipe] = ("classical",),
    settings: Sequence[str] = (),
    until: str | None = None,
    peer: bool = True,
    out: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    memory: float | None = None,
    device: str = "cpu",
    store: str | None = None,
    say: Callable[[Row], None] | None = None,
) -> Table:
    """Run a standard protocol on data in its authors' layout.

    Recipes work in ``out/SCENE/RECIPE`` and share the store ``out/store``, so a second call runs nothing again.

    Args:
        name: one of :data:`BENCHMARKS`.
        data: the folder of a scene, or one that holds scenes.
        recipes: built-in names, TOML files or recipes.
        settings: changes to all of them, ``"views.max_size=800"``.
        until: the slot to stop after, where not the protocol's own.
        peer: also run the protocol's peers, such as COLMAP.
        out: by default ``bench/NAME``.
        seed, workers, memory, device, store: as in :func:`diptych.run`.
        say: called with each row once it is there.

    Raises:
        StageFailure: ``unknown-benchmark``, ``no-benchmark-data`` or ``duplicate-recipe``, and where no scene could be
            run with a recipe. What fails on one scene is a row that says why.
    """
    if name not in BENCHMARKS:
        raise StageFailure("unknown-benchmark", f"There is no benchmark {name!r}.", hint=nearest(name, BENCHMARKS))
    loaded = tuple(Recipe.load(recipe).set(settings) for recipe in recipes)
    names = [recipe.name for recipe in loaded]
    if len(set(names)) < len(names):
        raise StageFailure("duplicate-recipe", f"Two of the recipes have the same name: {', '.join(names)}.")
    how = How(Path(out) if out else Path("bench") / name, loaded, until, peer, seed, workers, memory, device, store)
    return BENCHMARKS[name].run(Path(data), how, say or (lambda row: None))
