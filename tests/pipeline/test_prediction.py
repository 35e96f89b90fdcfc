"""The camera of a new photo, and ``diptych predict`` from a run to a cloud."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from diptych import Recipe, Result, predict, run
from diptych.learned.mono.aligned_network import AlignedDepth, parameter_vector
from diptych.learned.mono.weights import MonoWeights, Part, PointErrors, Predictor
from diptych.pipeline.prediction import camera_of
from diptych.stages.failure import StageFailure
from diptych.stages.formats.depth import read_depth
from diptych.stages.formats.ply import read_cloud_ply
from diptych.stages.images.containers import Container, read_container
from diptych.stages.scene import Camera, Photos, Scene
from diptych.stages.stage import Stage
from PIL import Image
from toys import paint

from tests.one_wall import one_wall
from tests.pipeline.pages import Page
from tests.pipeline.test_cli import TOY, diptych


class Taught(Stage):
    """A network that sees every scene two units away."""

    slot = "mono"

    def run(self, photos: Photos) -> MonoWeights:
        network = AlignedDepth(one_wall(), scale=2.0)
        network.multiply_error(0.1)
        return MonoWeights(
            parameter_vector(network), 64, 1.0, 4.0, photos.names[:2], photos.names[2:3], photos.names[3:], errors()
        )


def errors() -> tuple[PointErrors, ...]:
    """Of four predictors on three parts in their order: 1 %, at own scale 0.5 %, then 2 % and 1 %, and so on."""
    pairs = [(predictor, part) for predictor in get_args(Predictor) for part in get_args(Part)]
    return tuple(
        PointErrors(*pair, 9, 0.01 * (i + 1), 0.5, (0.0, 0.0, 0.5), 0.005 * (i + 1)) for i, pair in enumerate(pairs)
    )


@pytest.fixture
def model(photos: Path, toy: Recipe, tmp_path: Path) -> Path:
    run(photos, out=tmp_path / "model", recipe=Recipe((*toy.nodes, Taught())), progress=False)
    return tmp_path / "model"


def container(path: Path) -> Container:
    return read_container(path.read_bytes())


def test_a_run_and_its_page_tell_how_far_off_the_network_is(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "taught.toml").write_text(f'{TOY}[mono]\nuse = "test_prediction:Taught"\n')
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", tmp_path / "taught.toml")
    known = "constant 3.0 % (1.5 %), plane 6.0 % (3.0 %), pretrained 9.0 % (4.5 %), learned 12.0 % (6.0 %)"
    assert f"test (1 photo): {known}" in " ".join(said.split())
    page = Page(tmp_path / "out" / "report.html").text
    assert "Learned from, 2 photos Said when to stop, 1 photo Held out, 1 photo" in page
    assert "One plane 4.0 % 2.0 % 5.0 % 2.5 % 6.0 % 3.0 %" in page


def test_a_cloud_a_depth_map_and_a_picture(model: Path, tmp_path: Path) -> None:
    new = paint(tmp_path / "new.png", 77)
    found = predict(new, model=model, out=tmp_path / "made" / "new.ply")
    cloud = read_cloud_ply(tmp_path / "made" / "new.ply")
    assert len(cloud) == len(found.cloud) == 24 * 32
    assert cloud.points[:, 2] == pytest.approx(np.full(len(cloud), 2.0), rel=1e-4)
    assert set(np.unique(cloud.colors)) == {77, 82}
    assert read_depth(tmp_path / "made" / "new.depth.png").shape == (24, 32)
    with Image.open(tmp_path / "made" / "new.jpg") as picture:
        assert picture.size == (64, 24)


def test_the_command_says_what_it_made(model: Path, tmp_path: Path) -> None:
    new = paint(tmp_path / "new.png", 77)
    said = diptych("predict", new, "--model", model, "--out", tmp_path / "new.ply")
    assert "768 points" in said
    assert (tmp_path / "new.ply").stat().st_size > 768 * 15


def test_a_run_that_has_not_learned_says_how(photos: Path, toy: Recipe, tmp_path: Path) -> None:
    run(photos, out=tmp_path / "plain", recipe=toy, progress=False)
    said = diptych("predict", photos / "a.png", "--model", tmp_path / "plain", status=2)
    assert "no-mono" in said
    assert "--recipe mono" in said


@pytest.mark.parametrize("name", ["text.jpg", "absent.jpg"])
def test_what_is_no_photo(model: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    assert "unreadable-photo" in diptych("predict", tmp_path / name, "--model", model, status=2)


def test_a_cloud_is_a_ply_file(model: Path, tmp_path: Path) -> None:
    new = paint(tmp_path / "new.png", 77)
    assert "unknown-format" in diptych("predict", new, "--model", model, "--out", tmp_path / "new.obj", status=2)


@pytest.fixture
def scene(model: Path) -> Scene:
    known = Camera("SIMPLE_RADIAL", 64, 48, (70.0, 31.0, 25.0, 0.1))
    return replace(Result.load(model).scene, cameras=(known,), camera_of=np.zeros(4))


def test_a_photo_like_those_of_the_model_has_its_camera(scene: Scene, tmp_path: Path) -> None:
    said: list[str] = []
    camera = camera_of("new.png", container(paint(tmp_path / "new.png", 9)), scene, None, said.append)
    assert camera == Camera("SIMPLE_RADIAL", 32, 24, (35.0, 15.5, 12.5, 0.1))
    assert not said


def test_a_given_calibration_comes_first(scene: Scene, tmp_path: Path) -> None:
    photo = container(paint(tmp_path / "new.png", 9))
    camera = camera_of("new.png", photo, scene, "PINHOLE,40,41,16,12", print)
    assert camera == Camera("PINHOLE", 32, 24, (40, 41, 16, 12), "calibrated")
    with pytest.raises(StageFailure, match="bad-camera"):
        camera_of("new.png", photo, scene, "PINHOLE,40", print)


def test_a_photo_of_other_proportions_is_guessed_and_that_is_said(scene: Scene) -> None:
    said: list[str] = []
    camera = camera_of("new.png", container_of(100, 30), scene, None, said.append)
    assert camera.focal_lengths == (120.0, 120.0)
    assert "new.png" in said[0]


def container_of(width: int, height: int) -> Container:
    encoded = cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1]
    return read_container(encoded.tobytes())
