"""Who shares a camera, and what a calibration may look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.colmap import write_colmap
from diptych.stages.images.calibration import GROUPINGS, Grouping, Source, prior_cameras
from diptych.stages.images.exif import Exif
from diptych.stages.scene import CAMERA_MODELS, Camera, Scene

LARGE, SMALL = (4000, 3000), (640, 480)
BARE = Exif()
PHONE = Exif(make="Maker", model="Phone", focal=4.3, focal_35mm=28)
TELE = Exif(make="Maker", model="Phone", focal=9.0, focal_35mm=70)


def priors(
    sources: list[Source], cameras: Grouping = "auto", camera: str | None = None
) -> tuple[tuple[Camera, ...], list[int], list[str]]:
    """Cameras, the camera of each photo, and what was warned of."""
    warnings: list[str] = []
    found, camera_of = prior_cameras(sources, cameras=cameras, camera=camera, warn=warnings.append)
    return found, camera_of.tolist(), warnings


def failure(sources: list[Source], cameras: Grouping = "auto", camera: str | None = None) -> StageFailure:
    with pytest.raises(StageFailure) as caught:
        priors(sources, cameras, camera)
    assert caught.value.hint
    return caught.value


def plain(*names: str, size: tuple[int, int] = LARGE, exif: Exif = BARE) -> list[Source]:
    return [Source(name, size, exif) for name in names]


def test_without_anything_a_guess() -> None:
    cameras, camera_of, warnings = priors(plain("a", "b"))
    assert cameras == (Camera("SIMPLE_RADIAL", 4000, 3000, (4800, 2000, 1500, 0), "guess"),)
    assert camera_of == [0, 0] and not warnings


def test_auto_tells_cameras_lenses_sizes_and_folders_apart() -> None:
    sources = [
        Source("x/1", LARGE, PHONE),
        Source("y/2", LARGE, PHONE),
        Source("y/3", LARGE, TELE),
        Source("y/4", (3000, 4000), PHONE),
        Source("y/5", LARGE, Exif()),
        Source("x/6", LARGE, Exif()),
        Source("x/7", SMALL, Exif()),
        Source("x/8", LARGE, PHONE),
        Source("x/9", LARGE, Exif(make="Maker", model="Phone", focal=4.3, focal_35mm=28, serial="2")),
    ]
    cameras, camera_of, _ = priors(sources)
    assert camera_of == [0, 0, 1, 2, 3, 4, 5, 0, 6]
    assert [camera.focal for camera in cameras] == ["exif"] * 3 + ["guess"] * 3 + ["exif"]
    assert (cameras[2].width, cameras[2].height) == (3000, 4000)
    assert cameras[2].params[0] == cameras[0].params[0]


def test_every_grouping() -> None:
    sources = plain("x/1", "x/2", "y/3", exif=PHONE) + plain("y/4", exif=TELE)
    expected = {"auto": [0, 0, 0, 1], "shared": [0, 0, 0, 0], "single": [0, 1, 2, 3], "folder": [0, 0, 1, 1]}
    assert {cameras: priors(sources, cameras)[1] for cameras in GROUPINGS} == expected
    assert failure(sources, "per lens").code == "bad-camera"  # type: ignore[arg-type]


@pytest.mark.parametrize(("cameras", "fails"), [("auto", False), ("single", False), ("shared", True), ("folder", True)])
def test_mixed_sizes(cameras: Grouping, fails: bool) -> None:
    sources = plain("big") + plain("small", size=SMALL)
    if not fails:
        assert priors(sources, cameras)[1] == [0, 1]
        return
    caught = failure(sources, cameras)
    assert caught.code == "mixed-sizes"
    assert "4000x3000" in caught.sentence and "640x480" in caught.sentence


def test_one_calibration_for_all() -> None:
    cameras, camera_of, warnings = priors(plain("a", "b"), camera="pinhole, 2759.48,2764.16,1520.69,1006.81")
    assert cameras == (Camera("PINHOLE", 4000, 3000, (2759.48, 2764.16, 1520.69, 1006.81), "calibrated"),)
    assert camera_of == [0, 0] and not warnings
    assert priors(plain("a", "b"), "single", "SIMPLE_PINHOLE,3000,2000,1500")[1] == [0, 1]


def test_a_calibration_far_from_exif_is_called_into_question() -> None:
    sources = plain("a", "b", exif=PHONE)  # about 3236 pixels
    assert not priors(sources, camera="SIMPLE_PINHOLE,3300,2000,1500")[2]
    (warning,) = priors(sources, camera="SIMPLE_PINHOLE,9700,2000,1500")[2]
    assert "9700" in warning and "3236" in warning


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_a_model_alone_keeps_the_prior_focal_length(model: str) -> None:
    ((camera,), _, _) = priors(plain("a", "b", exif=PHONE), camera=model.lower())
    assert camera.model == model and camera.focal == "exif"
    assert camera.focal_lengths == pytest.approx((3236, 3236), rel=1e-3)
    assert camera.principal_point == (2000, 1500)
    assert sum(param != 0 for param in camera.params) == CAMERA_MODELS[model].index("cy") + 1


@pytest.mark.parametrize(
    ("camera", "told"),
    [
        ("PINHOL,1,2,3,4", "PINHOLE?"),
        ("opencv_fisheeye", "OPENCV_FISHEYE?"),
        ("nowhere/cameras.csv", "nowhere/cameras.csv"),
        ("PINHOLE,1,2,3", "4 parameters (fx, fy, cx, cy)"),
        ("PINHOLE,1,2,3,x", "no number"),
        ("PINHOLE,nan,2,3,4", "finite"),
        ("PINHOLE,-5,5,2000,1500", "positive"),
        ("PINHOLE,3000,3000,5000,1500", "outside"),
        ("", "neither"),
    ],
)
def test_bad_specifications(camera: str, told: str) -> None:
    caught = failure(plain("a", "b"), camera=camera)
    assert caught.code == "bad-camera"
    assert told in caught.sentence


def test_one_calibration_does_not_fit_two_sizes() -> None:
    sources = plain("big") + plain("small", size=SMALL)
    assert failure(sources, camera="SIMPLE_PINHOLE,3000,320,240").code == "mixed-sizes"


def test_a_file_per_photo_and_folder(tmp_path: Path) -> None:
    file = tmp_path / "cameras.csv"
    file.write_text(
        "# name, model, parameters\n"
        "left, PINHOLE, 3000, 3001, 2000, 1500\n"
        '"left/odd, one.jpg", SIMPLE_PINHOLE, 3100, 2000, 1500\n'
        "\n"
        "right/sub/, SIMPLE_RADIAL, 3200, 2000, 1500, 0.1\n",
        "utf-8",
    )
    sources = plain("left/1.jpg", "left/deep/2.jpg", "left/odd, one.jpg", "right/3.jpg", "right/sub/4.jpg", exif=PHONE)
    cameras, camera_of, warnings = priors(sources, camera=str(file))
    assert camera_of == [0, 0, 1, 2, 3]
    assert [camera.focal_lengths[0] for camera in cameras] == pytest.approx([3000, 3100, 3236, 3200], rel=1e-3)
    assert [camera.focal for camera in cameras] == ["calibrated", "calibrated", "exif", "calibrated"]
    assert warnings == ["1 of 5 photos has no calibration; theirs comes from EXIF or is guessed."]
    file.write_text(file.read_text("utf-8") + ".,OPENCV,3300,3300,2000,1500,0,0,0,0\nattic,PINHOLE,1,1,1,1\n", "utf-8")
    cameras, camera_of, warnings = priors(sources, camera=str(file))
    assert camera_of == [0, 0, 1, 2, 3] and cameras[2].model == "OPENCV"
    assert len(warnings) == 1 and "attic" in warnings[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "names none of the photos"),
        (b"c,PINHOLE,1,1,1,1\n", "names none of the photos"),
        (b"a,PINHOLE,1,1,1\n", "4 parameters"),
        (b"a,PINHOLD,1,1,1,1\n", "did you mean PINHOLE?"),
        (b"a\n", "neither"),
        (b"a,SIMPLE_PINHOLE,1,2,3\na,SIMPLE_PINHOLE,1,2,3\n", "twice"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "cameras.csv"
    file.write_bytes(content)
    caught = failure(plain("a", "b"), camera=str(file))
    assert caught.code == "bad-camera"
    assert told in caught.sentence


def model_of(names: list[str], cameras: tuple[Camera, ...], camera_of: list[int]) -> Scene:
    n = len(names)
    return Scene(
        cameras=cameras,
        names=tuple(names),
        camera_of=np.array(camera_of),
        rotations=np.tile(np.eye(3), (n, 1, 1)),
        translations=np.zeros((n, 3)),
        points=np.zeros((0, 3)),
        colors=np.zeros((0, 3)),
        errors=np.zeros(0),
        obs_photo=np.zeros(0),
        obs_point=np.zeros(0),
        obs_xy=np.zeros((0, 2)),
        obs_keypoint=np.zeros(0),
    )


@pytest.mark.parametrize("binary", [True, False])
def test_a_colmap_folder(tmp_path: Path, binary: bool) -> None:
    first = Camera("OPENCV", 4000, 3000, (3000, 3001, 2000, 1500, 0.1, 0.01, 0, 0), "calibrated")
    second = Camera("PINHOLE", 640, 480, (600, 601, 320, 240), "calibrated")
    write_colmap(model_of(["s/small", "b", "elsewhere"], (first, second), [1, 0, 0]), tmp_path, binary=binary)
    sources = plain("a", "b") + plain("s/small", size=SMALL)
    cameras, camera_of, warnings = priors(sources, camera=str(tmp_path))
    assert camera_of == [0, 1, 2]
    assert cameras[1:] == (first, second) and cameras[0].focal == "guess"
    assert len(warnings) == 1
    assert "is for 4000x3000" in failure(plain("b", "c", size=SMALL), camera=str(tmp_path)).sentence
    assert "none of the photos" in failure(plain("x", "y"), camera=str(tmp_path)).sentence


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    caught = failure(plain("a", "b"), camera=str(tmp_path))
    assert caught.code == "bad-camera" and "cameras.txt is missing" in caught.sentence


def test_a_file_of_a_models_name_does_not_hide_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "OPENCV").mkdir()
    monkeypatch.chdir(tmp_path)
    assert priors(plain("a", "b"), camera="OPENCV")[0][0].model == "OPENCV"
