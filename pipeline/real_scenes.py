"""Photos with true cameras, prepared to validate a network during its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..stages.failure import StageFailure

if TYPE_CHECKING:
    from ..learned.training.real import RealScene

_SETTINGS = ("features.max_keypoints=4000", "views.max_size=640")
"""Enough points to measure errors at, and views small enough to predict within seconds."""


def real_scenes(folders: Sequence[str | Path], out: Path) -> list[RealScene]:
    """Run classical stages on each folder with its true cameras, and keep the results in ``out``.

    Args:
        folders: each has photos in ``images`` or ``photos``, or in itself, and the true cameras in ``truth`` or in
            itself, in a layout that ``diptych evaluate`` reads.
        out: folder of the runs and their store.

    Raises:
        StageFailure: ``same-name``, ``bad-real-scene``, and as :func:`diptych.pipeline.api.run`.
    """
    places = [Path(folder) for folder in folders]
    names = [place.resolve().name for place in places]
    if twice := {name for name in names if names.count(name) > 1}:
        raise StageFailure(
            "same-name",
            f"Two folders of real photos are named {min(twice)}, which would mix up their figures.",
            hint="Rename one of them.",
        )
    return [_real_scene(place, name, out) for place, name in zip(places, names, strict=True)]


def _real_scene(place: Path, name: str, out: Path) -> RealScene:
    from ..learned.training.real import RealScene
    from ..stages.evaluation.oracles import TruePoses
    from ..stages.features.unrefined import Unrefined
    from ..stages.formats.truth.dense import read_true_cameras
    from ..stages.images.photos import read_photos
    from .api import run
    from .engine.recipe import Recipe

    photos = next((place / inner for inner in ("images", "photos") if (place / inner).is_dir()), place)
    truth = place / "truth" if (place / "truth").is_dir() else place
    read_true_cameras(truth)  # its failure names the fault best
    recipe = Recipe.load("learned").with_(refined=Unrefined(), sparse=TruePoses()).set(_SETTINGS)
    seen, cut = (
        run(photos, out=out / name, store=str(out / "store"), recipe=recipe, truth=truth, until=slot)
        for slot in ("views", "patches")
    )
    scene = RealScene(
        name=name,
        photos=read_photos(photos)[0],
        scene=seen.scene,
        neighbors=seen.neighbors,
        views=seen.views,
        features=cut["features"],
        patches=cut["patches"],
        tracks=cut["tracks"][""],
    )
    if not scene.sample_photos(1):
        raise StageFailure(
            "bad-real-scene",
            f"No photo of {place} has enough points in common with others to validate a network.",
            hint="Give photos that overlap, with their true cameras.",
        )
    return scene
