"""A study: which variants run on which photos, with which seeds and which truth."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...stages.failure import StageFailure
from ..engine.options import PhotoOptions
from ..engine.parameters import nearest
from ..engine.recipe import Recipe
from .variants import Axis, Variant, axis_of, listed, product_of, with_keypoints


@dataclass(frozen=True)
class PhotoSet:
    """One scene of a study.

    Attributes:
        name: of the scene.
        photos: folder of the photos.
        options: how the photos are read, and where the truth is.
    """

    name: str
    photos: Path
    options: PhotoOptions = PhotoOptions()

    @property
    def truth(self) -> Path | None:
        """Folder of the truth."""
        return self.options.truth


@dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        name: of the study.
        scenes: the photos.
        variants: the recipes; the first is the base that the others are compared with.
        seeds: every variant runs on every scene with each of these.
        axes: for a full product, the labels of every axis; empty if the variants were listed one by one.
        until: the slot or node to stop after.
    """

    name: str
    scenes: tuple[PhotoSet, ...]
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...] = (0,)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    until: str | None = None

    def __post_init__(self) -> None:
        for what, names in (
            ("scenes", [scene.name for scene in self.scenes]),
            ("variants", [variant.name for variant in self.variants]),
            ("seeds", list(self.seeds)),
        ):
            if not names:
                raise StageFailure("empty-study", f"The study has no {what}.")
            if len(set(names)) < len(names):
                raise StageFailure("empty-study", f"Two {what} of the study are the same: {_repeated(names)}.")

    @property
    def base(self) -> str:
        """The name of the variant that the others are compared with."""
        return self.variants[0].name

    def variant(self, name: str) -> Variant:
        """Return the variant of a name."""
        return next(variant for variant in self.variants if variant.name == name)


def study_of(
    scenes: Sequence[PhotoSet],
    recipe: Recipe,
    *,
    vary: Mapping[str, Any],
    variants: Axis | None = None,
    seeds: int | Sequence[int] = 1,
    keypoints: int | None = None,
    until: str | None = None,
    base: str | None = None,
    name: str = "study",
) -> Study:
    """Return a study of every combination of the alternatives, or of the listed variants.

    Args:
        scenes: the photos.
        recipe: what varies.
        vary: alternatives by slot, node or ``node.parameter``; or, under any name, changes by label. See
            :func:`diptych.pipeline.study.variants.axis_of`.
        variants: changes by the name of the variant, instead of ``vary``.
        seeds: their number, or a list of them.
        keypoints: largest number of keypoints of every detector, so that none has an advantage.
        until: the slot or node to stop after.
        base: name of the variant that the others are compared with; the first by default.

    Raises:
        StageFailure: ``empty-study``, ``unknown-variant``, and as :mod:`diptych.pipeline.study.variants`.
    """
    axes = {place: axis_of(place, alternatives) for place, alternatives in vary.items()}
    made = listed(recipe, variants) if variants else product_of(recipe, axes)
    if keypoints is not None:
        made = tuple(Variant(v.name, v.choices, with_keypoints(v.recipe, keypoints)) for v in made)
    names = [variant.name for variant in made]
    if base is not None:
        if base not in names:
            raise StageFailure("unknown-variant", f"No variant is named {base!r}.", hint=nearest(base, names))
        made = tuple(sorted(made, key=lambda variant: variant.name != base))
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    return Study(
        name, tuple(scenes), made, numbers, {} if variants else {n: tuple(axis) for n, axis in axes.items()}, until
    )


_KNOWN = {"name", "recipe", "set", "seeds", "until", "keypoints", "base", "scenes", "vary", "variants"}


def read_study(path: Path) -> Study:
    """Read a study from a TOML file.

    ``recipe``, ``set``, ``seeds``, ``until``, ``keypoints`` and ``base`` are as in :func:`study_of`; ``[scenes.NAME]``
    has ``photos`` and may have ``truth``, ``camera``, ``cameras`` and ``masks``, with paths relative to the file;
    ``[vary]`` has a list of alternatives, or a table of them by label, for every place; or ``[variants.NAME]`` has the
    changes of one variant.

    Raises:
        StageFailure: ``bad-study``, and as :func:`study_of`.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise StageFailure("bad-study", f"The study {path} cannot be read: {error}") from error
    if unknown := sorted(tables.keys() - _KNOWN):
        raise _bad(path, f"has an unknown {unknown[0]!r}", nearest(unknown[0], sorted(_KNOWN)))
    for what in ("scenes", "vary", "variants", "set"):
        if not isinstance(tables.get(what, {}), dict):
            raise _bad(path, f"has a {what!r} that is no table")
    if not tables.get("vary") and not tables.get("variants"):
        raise _bad(path, "says nothing that varies", 'Add [vary] with depths = ["PatchMatch", "DepthNet"].')
    recipe = str(tables.get("recipe", "classical"))
    beside = path.parent / recipe
    return study_of(
        [_photo_set(path, name, table) for name, table in tables.get("scenes", {}).items()],
        Recipe.load(beside if beside.is_file() else recipe).set(tables.get("set", {})),
        vary=tables.get("vary", {}),
        variants=tables.get("variants"),
        seeds=_seeds(path, tables.get("seeds", 1)),
        keypoints=tables.get("keypoints"),
        until=tables.get("until"),
        base=tables.get("base"),
        name=str(tables.get("name", path.stem)),
    )


def _photo_set(path: Path, name: str, table: Any) -> PhotoSet:
    """Return a scene; its paths are relative to the folder of the file."""
    if not isinstance(table, dict) or not isinstance(table.get("photos"), str):
        raise _bad(path, f"does not say where the photos of {name!r} are", 'Add photos = "FOLDER".')
    if unknown := sorted(table.keys() - {"photos", "truth", "camera", "cameras", "masks"}):
        raise _bad(path, f"has an unknown {unknown[0]!r} at the scene {name!r}")
    here = path.parent
    truth, masks = (here / table[key] if table.get(key) else None for key in ("truth", "masks"))
    camera = table.get("camera")
    if camera and (here / camera).exists():
        camera = str(here / camera)
    return PhotoSet(name, here / table["photos"], PhotoOptions(table.get("cameras", "auto"), camera, masks, truth))


def _seeds(path: Path, given: Any) -> int | list[int]:
    whole = given if isinstance(given, list) else [given]
    if not whole or not all(type(seed) is int and seed >= 0 for seed in whole) or given == 0:
        raise _bad(path, f"has {given!r} for seeds", "Give how many, or a list of them.")
    return given


def _bad(path: Path, what: str, hint: str = "") -> StageFailure:
    return StageFailure("bad-study", f"The study {path} {what}.", hint=hint)


def _repeated(names: Sequence[object]) -> str:
    return next(str(name) for i, name in enumerate(names) if name in names[:i])
