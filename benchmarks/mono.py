"""Depth from one photo: how far off it is on photos held out, before and after learning from the sparse model.

    python benchmarks/mono.py DATA [--out OUT] [--steps N]

For sceaux_castle the cameras are found; hololens_office is a walk through rooms with too little overlap for that, so
its cameras are those that came with it, and the points are triangulated. Errors are ``|predicted / true - 1|`` at the
points of the sparse model, the mean over photos. hololens_office has measured depth too: the same over all its pixels.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import diptych.pipeline as dp
import numpy as np
from diptych.learned.mono.learning import MonoLearning
from diptych.learned.mono.stage import MonoNet
from diptych.stages.known_poses import TriangulateKnownPoses
from diptych.stages.mono_weights import MonoWeights
from diptych.stages.scene import Photos, Scene, Sparse
from diptych.stages.stage import Stage

SHOWN = ("constant", "plane", "pretrained", "learned")


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
        tell("sceaux_castle", castle.mono)

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
        tell("hololens_office", runs["learned"].mono)
        for predictor, result in runs.items():
            for part in ("validation", "test"):
                print(
                    f"  {part}, {predictor}, against measured depth: {measured(result, office / 'depth', part):.1f} %"
                )


def tell(name: str, mono: MonoWeights) -> None:
    """One line for every part and predictor."""
    print(f"{name}: {len(mono.train)} photos to learn from, {len(mono.validation)} to stop, {len(mono.test)} to test")
    print(f"  {'':<24}median    mean  within 5 %    10 %    25 %")
    for part in ("train", "validation", "test"):
        for predictor in SHOWN:
            error = mono.error(predictor, part)
            shares = "".join(f"{100 * share:8.1f}" for share in error.within)
            print(f"  {part + ', ' + predictor:<24}{100 * error.median:6.1f}{100 * error.mean:8.1f}    {shares}")


def measured(result: dp.Result, folder: Path, part: str) -> float:
    """Median error in percent over all pixels with measured depth, the mean over the photos of a part.

    No depth counts as out of range here, so that every predictor answers at every pixel.
    """
    errors = []
    for name in getattr(result.mono, part):
        view = replace(result.views[name], near=1e-6, far=1e6)
        depth = MonoNet().run(view, result.mono).depth
        truth = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert truth is not None
        known = truth > 0
        errors.append(np.median(np.abs(1000 * depth[known] / truth[known] - 1)))
    return 100 * float(np.mean(errors))


if __name__ == "__main__":
    main()
