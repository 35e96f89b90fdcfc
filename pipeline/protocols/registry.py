"""The benchmarks by name, and the function that runs one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

from ...stages.failure import StageFailure
from ..engine.options import BenchKeywords, split_options
from ..engine.parameters import nearest
from ..engine.recipe import Recipe
from ..study.variants import Changes, varied
from .bal import Bal
from .dtu import Dtu
from .eth3d import Eth3d
from .middlebury import Middlebury
from .protocol import BenchOptions, Protocol
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
    use: Changes | None = None,
    settings: Sequence[str] = (),
    peer: bool = True,
    out: str | Path | None = None,
    say: Callable[[Row], None] | None = None,
    **options: Unpack[BenchKeywords],
) -> Table:
    """Run a standard protocol on data in its authors' layout.

    A recipe writes to ``out/SCENE/RECIPE``, and all share the store ``out/store``, so a second call runs nothing again.

    Args:
        name: one of :data:`BENCHMARKS`.
        data: the folder of a scene, or one that holds scenes.
        recipes: built-in names, TOML files or recipes.
        use, settings: changes of all of them, as in :func:`diptych.pipeline.api.run`.
        peer: also run the protocol's peers, such as COLMAP.
        out: by default ``bench/NAME``.
        say: called with each finished row.
        until: the slot to stop after; by default that of the protocol.
        seed, workers, memory, device, store, cluster, progress: as in :func:`diptych.pipeline.api.run`.

    Raises:
        StageFailure: ``unknown-benchmark``, ``no-benchmark-data`` or ``duplicate-recipe``, or a recipe does not fill
            the slot that is measured. A failure on one scene does not raise; its row says why.
    """
    if name not in BENCHMARKS:
        raise StageFailure("unknown-benchmark", f"There is no benchmark {name!r}.", hint=nearest(name, BENCHMARKS))
    loaded = tuple(varied(Recipe.load(recipe), use or {}).set(settings) for recipe in recipes)
    names = [recipe.name for recipe in loaded]
    if len(set(names)) < len(names):
        raise StageFailure("duplicate-recipe", f"Two of the recipes have the same name: {', '.join(names)}.")
    folder = Path(out) if out else Path("bench") / name
    chosen = BenchOptions(folder, loaded, peer, split_options(options)[1])
    return BENCHMARKS[name].run(Path(data), chosen, say or (lambda row: None))
