"""Depth from one photo: errors on held-out photos, before and after fine-tuning to the sparse model.

    python benchmarks/mono.py DATA [SET …] [--out OUT] [--steps N] [--splits N]

The default sets are sceaux_castle and hololens_office; any folder in DATA with a folder ``images`` works. The cameras
are estimated, except for hololens_office, a walk through rooms with too little overlap: its cameras are given, and the
points are triangulated. Errors are ``|predicted / true - 1|`` at the points of the sparse model, averaged over photos.
For hololens_office also over all pixels with measured depth. With five splits each photo is tested once, and the
errors are means over the splits.

All predictors are fitted to the training photos, and so must predict the distance of each photo. The second column is
the median with each photo at its own scale, where every prediction is multiplied by the ratio of the medians of true
and predicted depth (Zhou et al. 2017): the error of the shape.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import diptych as dp
import numpy as np
from diptych.learned.mono.aligned_network import network_from_vector
from diptych.learned.mono.alignment import fit_alignment
from diptych.learned.mono.evaluation import (
    DepthPredictor,
    constant_baseline,
    network_predictor,
    plane_baseline,
    point_errors,
)
from diptych.learned.mono.learning import MonoLearning
from diptych.learned.mono.network import MonoDepth
from diptych.learned.mono.views import ScaledImage, SparseView, sparse_views
from diptych.learned.mono.weights import MonoWeights, Part, PointErrors, Predictor
from diptych.learned.weights.files import load
from diptych.stages.dense import View
from diptych.stages.scene import Photos, Scene, Sparse
from diptych.stages.sfm.known_poses import TriangulateKnownPoses
from diptych.stages.stage import Stage
from pictures import read_stored

OFFICE = "hololens_office"
SHOWN: tuple[Predictor, ...] = ("constant", "plane", "pretrained", "learned")
PARTS: tuple[Part, ...] = ("train", "validation", "test")
AVERAGED = "median", "mean", "own_scale"


class GivenCameras(Stage):
    """The poses of a file, as a model without points."""

    slot = "sparse"
    cameras: str

    def files(self) -> tuple[Path, ...]:
        return (Path(self.cameras),)

    def run(self, photos: Photos) -> Sparse:
        """All photos with their one known camera, and the names, R and t of the file."""
        given, nothing = np.load(self.cameras), np.empty(0)
        names = tuple(str(name) for name in given["names"])
        return Sparse((Scene(photos.cameras[:1], names, np.zeros(len(names)), given["R"], given["t"], *[nothing] * 7),))


def main() -> None:
    """Print the errors of some sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="*", metavar="SET", default=["sceaux_castle", OFFICE])
    parser.add_argument("--out", type=Path, help="folder of the runs; else a temporary one")
    parser.add_argument("--steps", type=int, default=MonoLearning.steps)
    parser.add_argument("--splits", type=int, default=1, help="in how many of five ways the photos are divided")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        out = options.out or Path(nowhere)
        recipe = dp.Recipe.load("mono").set([f"mono.steps={options.steps}"])
        for name in options.sets:
            given = options.data / name / "cameras.npz" if name == OFFICE else None
            evaluate(options.data / name, recipe, given, options.splits, out)


def evaluate(data: Path, recipe: dp.Recipe, given: Path | None, splits: int, out: Path) -> None:
    """Learn a set, with given cameras or found ones, once for each split, and print all errors."""
    name, camera = data.name, None
    if given:
        recipe, camera = posed(recipe, given), pinhole(np.load(given))
    tables: dict[str, list[tuple[PointErrors, ...]]] = {}
    for split in range(splits):
        result = dp.run(
            data / "images",
            out=out / f"{name}-{split}",
            store=str(out / "store"),
            camera=camera,
            recipe=recipe.set([f"mono.split={split}"]),
            until="mono",
        )
        points = at_points(result)
        known = predictors(result.mono, points["train"])
        shown = {"at the points": points}
        if (data / "depth").is_dir():
            shown["against measured depth"] = at_pixels(result, data / "depth")
        for where, parts in shown.items():
            tables.setdefault(where, []).append(point_errors(known, parts))
    print(f"{name}: mean over {splits} of five ways to divide the photos")
    for title, errors in tables.items():
        print_table(f"{name}, {title}", averaged(errors))


def posed(recipe: dp.Recipe, cameras: Path) -> dp.Recipe:
    """A recipe with the poses of a file instead of the mapper's, and points triangulated with these."""
    nodes = [node for node in recipe.nodes if node.name != "sparse"]
    at = next(place for place, node in enumerate(nodes) if node.name == "neighbors")
    given = [dp.Node("sparse", GivenCameras(cameras=str(cameras))), dp.Node("points", TriangulateKnownPoses())]
    return dp.Recipe([*nodes[:at], *given, *nodes[at:]])


def pinhole(given: Mapping[str, np.ndarray]) -> str:
    """The calibration of a file, which counts pixels from 0 at the center of the first one."""
    k = given["K"][0]
    return f"PINHOLE,{k[0, 0]},{k[1, 1]},{k[0, 2] + 0.5},{k[1, 2] + 0.5}"


def predictors(mono: MonoWeights, train: list[SparseView]) -> dict[Predictor, DepthPredictor]:
    """All predictors, each fitted to the training photos."""
    pretrained = MonoDepth().eval()
    load(pretrained, MonoLearning.weights)
    return {
        "constant": constant_baseline(train),
        "plane": plane_baseline(train),
        "pretrained": network_predictor(fit_alignment(pretrained, train)),
        "learned": network_predictor(network_from_vector(mono.parameters)),
    }


def averaged(splits: Sequence[Sequence[PointErrors]]) -> Iterator[PointErrors]:
    """The mean errors over splits, of every predictor on every part."""
    for same in zip(*splits, strict=True):
        median, mean, own = (float(np.mean([getattr(each, of) for each in same])) for of in AVERAGED)
        within = np.mean([each.within for each in same], axis=0)
        points = sum(each.points for each in same)
        yield PointErrors(same[0].predictor, same[0].part, points, median, mean, tuple(within.tolist()), own)


def print_table(title: str, errors: Iterable[PointErrors]) -> None:
    """Print one line for every part and predictor."""
    found = {(error.part, error.predictor): error for error in errors}
    print(f"{title}\n  {'':<24}median  own scale    mean  within 5 %    10 %    25 %")
    for part in PARTS:
        for predictor in SHOWN:
            error = found[part, predictor]
            shares = "".join(f"{100 * share:8.1f}" for share in error.within)
            numbers = f"{100 * error.median:6.1f}{100 * error.own_scale:11.1f}{100 * error.mean:8.1f}"
            print(f"  {part + ', ' + predictor:<24}{numbers}    {shares}")


def at_points(result: dp.Result) -> dict[Part, list[SparseView]]:
    """The points of the sparse model in the photos of each part."""
    names = tuple(result.views)
    sparse = sparse_views([result.views[name] for name in names], result.scene, names, result.mono.size)
    return {part: [sparse[names.index(name)] for name in getattr(result.mono, part)] for part in PARTS}


def at_pixels(result: dp.Result, folder: Path) -> dict[Part, list[SparseView]]:
    """All pixels with measured depth in the photos of each part."""

    def pixels(view: View, truth: np.ndarray) -> SparseView:
        scaled = ScaledImage.of(view, result.mono.size)
        row, column = np.nonzero(truth)
        xy = (np.column_stack([column, row]) + 0.5) * np.divide(scaled.image.shape[1::-1], truth.shape[::-1])
        return SparseView(scaled, xy, truth[row, column] / 1000, view.rotation, view.translation)

    return {
        part: [pixels(result.views[name], read_stored(folder / name)) for name in getattr(result.mono, part)]
        for part in PARTS
    }


if __name__ == "__main__":
    main()
