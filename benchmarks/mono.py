"""Depth from one photo: how far off it is on photos held out, before and after learning from the sparse model.

    python benchmarks/mono.py DATA [--out OUT] [--steps N]

For sceaux_castle the cameras are found; hololens_office is a walk through rooms with too little overlap for that, so
its cameras are those that came with it, and the points are triangulated. Errors are ``|predicted / true - 1|`` at the
points of the sparse model, the mean over photos. hololens_office has measured depth too: the same over all its pixels.

There are two protocols. With one scale for all photos, whatever a predictor is free to choose is fitted to the photos
to learn from: it has to know how far away each photo was taken. With each photo at its own scale, every prediction is
multiplied by the ratio of the medians of true and predicted depth (Zhou et al. 2017): what is left is its shape.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import diptych.pipeline as dp
import numpy as np
from diptych.learned.mono.glimpses import Sighted
from diptych.learned.mono.judgement import Depths, constant, errors_of, plane, read_by
from diptych.learned.mono.learning import MonoLearning, sighted_views
from diptych.learned.mono.network import MonoDepth
from diptych.learned.mono.pictures import Picture
from diptych.learned.mono.reading import network_of
from diptych.learned.mono.stage import MonoNet
from diptych.learned.weights.files import load
from diptych.stages.dense import View
from diptych.stages.known_poses import TriangulateKnownPoses
from diptych.stages.mono_weights import MonoWeights, Part, PointErrors, Predictor
from diptych.stages.scene import Photos, Scene, Sparse
from diptych.stages.stage import Stage
from pictures import read_stored

SHOWN: tuple[Predictor, ...] = ("constant", "plane", "pretrained", "learned")
PARTS: tuple[Part, ...] = ("train", "validation", "test")


class GivenCameras(Stage):
    """The poses of a file, as a model without points."""

    slot = "sparse"
    cameras: str

    def files(self) -> tuple[Path, ...]:
        return (Path(self.cameras),)

    def run(self, photos: Photos) -> Sparse:
        """All photos with the one camera that is known, and the names, R and t of the file."""
        given, nothing = np.load(self.cameras), np.empty(0)
        names = tuple(str(name) for name in given["names"])
        return Sparse((Scene(photos.cameras[:1], names, np.zeros(len(names)), given["R"], given["t"], *[nothing] * 7),))


def main() -> None:
    """Print the errors of both sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="where to keep the runs; else nowhere")
    parser.add_argument("--steps", type=int, default=MonoLearning.steps)
    options = parser.parse_args()
    recipe = dp.Recipe.load("mono").set([f"mono.steps={options.steps}"])
    with tempfile.TemporaryDirectory() as nowhere:
        out = options.out or Path(nowhere)
        castle = dp.run(
            options.data / "sceaux_castle/images", out=out / "castle", store=str(out / "store"), recipe=recipe
        )
        print(divided("sceaux_castle", castle.mono))
        tell("sceaux_castle, one scale for all photos", castle.mono.errors)
        points = at_points(castle)
        tell("sceaux_castle, each photo at its own scale", of_shape(castle.mono, points, points["train"]))

        office, given = options.data / "hololens_office", str(options.data / "hololens_office/cameras.npz")
        nodes = [node for node in recipe.nodes if node.name != "sparse"]
        at = next(place for place, node in enumerate(nodes) if node.name == "neighbors")
        posed = [dp.Node("sparse", GivenCameras(cameras=given)), dp.Node("points", TriangulateKnownPoses())]
        posed = dp.Recipe([*nodes[:at], *posed, *nodes[at:]])
        k = np.load(given)["K"][0]
        # The file counts pixels from 0 at the centre of the first one.
        camera = f"PINHOLE,{k[0, 0]},{k[1, 1]},{k[0, 2] + 0.5},{k[1, 2] + 0.5}"
        runs = {
            predictor: dp.run(
                office / "images",
                out=out / predictor,
                store=str(out / "store"),
                camera=camera,
                recipe=posed.set([f"mono.steps={steps}"]),
            )
            for predictor, steps in (("pretrained", 0), ("learned", options.steps))
        }
        mono = runs["learned"].mono
        print(divided("hololens_office", mono))
        tell("hololens_office, one scale for all photos", mono.errors)
        for predictor, result in runs.items():
            for part in ("validation", "test"):
                print(
                    f"  {part}, {predictor}, against measured depth: {measured(result, office / 'depth', part):.1f} %"
                )
        points, pixels = at_points(runs["learned"]), at_pixels(runs["learned"], office / "depth")
        tell("hololens_office, each photo at its own scale", of_shape(mono, points, points["train"]))
        tell(
            "hololens_office, each photo at its own scale, against measured depth",
            of_shape(mono, pixels, points["train"]),
        )


def divided(name: str, mono: MonoWeights) -> str:
    """What the photos of a set are used for."""
    return f"{name}: {len(mono.train)} photos to learn from, {len(mono.validation)} to stop, {len(mono.test)} to test"


def tell(title: str, errors: Iterable[PointErrors]) -> None:
    """One line for every part and predictor."""
    found = {(error.part, error.predictor): error for error in errors}
    print(f"{title}\n  {'':<24}median    mean  within 5 %    10 %    25 %")
    for part in PARTS:
        for predictor in SHOWN:
            error = found[part, predictor]
            shares = "".join(f"{100 * share:8.1f}" for share in error.within)
            print(f"  {part + ', ' + predictor:<24}{100 * error.median:6.1f}{100 * error.mean:8.1f}    {shares}")


def of_shape(mono: MonoWeights, parts: dict[Part, list[Sighted]], train: list[Sighted]) -> tuple[PointErrors, ...]:
    """The errors of all predictors with each photo at its own scale."""
    pretrained = MonoDepth().eval()
    load(pretrained, MonoLearning.weights)
    predictors: dict[Predictor, Depths] = {
        "constant": constant(train),
        "plane": plane(train),
        "pretrained": read_by(pretrained),
        "learned": read_by(network_of(mono.parameters)),
    }
    return errors_of({name: at_own_scale(depths) for name, depths in predictors.items()}, parts)


def at_own_scale(depths: Depths) -> Depths:
    """A predictor whose depths are multiplied, photo by photo, by the ratio of the medians of true and predicted."""

    def scaled(sighted: Sighted) -> np.ndarray:
        found = depths(sighted)
        return found * (np.median(sighted.depth) / np.median(found))

    return scaled


def at_points(result: dp.Result) -> dict[Part, list[Sighted]]:
    """The points of the sparse model in the photos of each part."""
    names = tuple(result.views)
    sighted = sighted_views([result.views[name] for name in names], result.scene, names, result.mono.size)
    return {part: [sighted[names.index(name)] for name in getattr(result.mono, part)] for part in PARTS}


def at_pixels(result: dp.Result, folder: Path) -> dict[Part, list[Sighted]]:
    """All pixels with measured depth in the photos of each part."""

    def pixels(view: View, truth: np.ndarray) -> Sighted:
        picture = Picture.of(view, result.mono.size)
        row, column = np.nonzero(truth)
        xy = (np.column_stack([column, row]) + 0.5) * np.divide(picture.image.shape[1::-1], truth.shape[::-1])
        return Sighted(picture, xy, truth[row, column] / 1000, view.rotation, view.translation)

    return {
        part: [pixels(result.views[name], read_stored(folder / name)) for name in getattr(result.mono, part)]
        for part in PARTS
    }


def measured(result: dp.Result, folder: Path, part: str) -> float:
    """Median error in percent over all pixels with measured depth, the mean over the photos of a part.

    No depth counts as out of range here, so that every predictor answers at every pixel.
    """
    errors = []
    for name in getattr(result.mono, part):
        view = replace(result.views[name], near=1e-6, far=1e6)
        depth = MonoNet().run(view, result.mono).depth
        truth = read_stored(folder / name)
        known = truth > 0
        errors.append(np.median(np.abs(1000 * depth[known] / truth[known] - 1)))
    return 100 * float(np.mean(errors))


if __name__ == "__main__":
    main()
