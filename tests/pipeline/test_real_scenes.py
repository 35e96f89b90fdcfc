import io
import shutil
from dataclasses import replace
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
import torch
from diptych.learned.training.real import RealScene
from diptych.learned.training.tasks import task_named
from diptych.learned.weights.paths import path_of
from diptych.pipeline.real_scenes import real_scenes
from diptych.stages.failure import StageFailure

SAMPLE = Path(__file__).parents[2] / "data_samples" / "courtyard"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos of the sample and its truth."""
    place = tmp_path_factory.mktemp("known") / "court"
    (place / "photos").mkdir(parents=True)
    for photo in sorted((SAMPLE / "photos").iterdir())[:4]:
        shutil.copy(photo, place / "photos")
    (place / "truth").mkdir()
    for name in ("cameras.txt", "images.txt", "points3D.txt"):
        shutil.copy(SAMPLE / "truth" / name, place / "truth")
    return place


@pytest.fixture(scope="module")
def scene(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RealScene:
    (found,) = real_scenes([folder], tmp_path_factory.mktemp("out"))
    return found


def test_points_lie_where_the_views_show_them(scene: RealScene) -> None:
    assert scene.name == "court"
    photo, last = scene.sample_photos(2)
    assert last > photo
    xy, z = scene.check_points(photo)
    view = scene.views[scene.photos.names[photo]]
    assert len(xy) == len(z) >= 20
    assert (xy < [view.camera.width, view.camera.height]).all()
    assert view.near <= np.median(z) <= view.far
    assert scene.around(photo).reference.image.shape == view.image.shape


def test_matches_lie_close_to_the_lines_and_shifted_ones_do_not(scene: RealScene) -> None:
    close = scene.epipolar_distances(scene.features)
    assert len(close) > 500
    assert np.median(close) < 0.4
    rng = np.random.default_rng(0)
    moved = {
        name: replace(features, xy=features.xy + rng.normal(0, 3, features.xy.shape))
        for name, features in scene.features.items()
    }
    assert np.median(scene.epipolar_distances(moved)) > 1


@pytest.mark.parametrize(
    ("name", "figure", "low", "high"),
    [("depth", "within 0.5 %", 0.8, 1), ("mono", "median %", 1, 25), ("refiner", "within 0.25 px", 0.7, 1)],
)
def test_shipped_weights_are_good_on_it(scene: RealScene, name: str, figure: str, low: float, high: float) -> None:
    task = task_named(name)(0, torch.device("cpu"))
    figures = task.evaluate(path_of(name), scene)
    assert low < figures[figure] < high
    if name == "refiner":
        assert figures["within 0.25 px"] > figures["raw within 0.25 px"] + 0.05


def test_a_training_tells_of_it(folder: Path, tmp_path: Path) -> None:
    card = dp.train("refiner", out=tmp_path, steps=1, start="refiner", real=[folder], stream=io.StringIO())
    assert card.metrics["held-out court: within 0.25 px"] > 0.7
    assert "court: within 0.25 px" in (tmp_path / "curves.csv").read_text()
    plain = dp.train("refiner", out=tmp_path / "plain", steps=1, start="refiner", stream=io.StringIO())
    assert plain.sha256 == card.sha256


def test_bad_input(folder: Path, tmp_path: Path) -> None:
    def failure(*folders: Path) -> str:
        with pytest.raises(StageFailure) as failed:
            dp.train("refiner", out=tmp_path / "out", steps=1, real=folders, stream=io.StringIO())
        return failed.value.code

    assert failure(folder, folder) == "same-name"
    assert failure(folder / "photos") == "unknown-truth"
    (tmp_path / "apart" / "photos").mkdir(parents=True)
    for photo in sorted((SAMPLE / "photos").iterdir())[:7:6]:
        shutil.copy(photo, tmp_path / "apart" / "photos")
    shutil.copytree(folder / "truth", tmp_path / "apart" / "truth")
    assert failure(tmp_path / "apart") == "bad-real-scene"
