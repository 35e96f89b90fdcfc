"""The page of a run: alone in its file, true to the numbers, safe with any name, and drawn by a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.report.charts.bars import histogram
from diptych.pipeline.report.charts.lens import lens_charts
from diptych.pipeline.report.run import gallery, matching
from diptych.pipeline.report.run.matching import Found
from diptych.pipeline.report.run.measures import measure
from diptych.pipeline.report.run.page import write_report
from diptych.pipeline.report.viewer import packing
from diptych.pipeline.report.viewer.packing import pack
from diptych.pipeline.report.words import seconds
from diptych.stages.images.photos import PhotoFile, read_photos
from diptych.stages.scene import Features, Matches, Photos, Sparse, TwoView
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.browser import CHROMIUM, Browser, browser
from tests.pipeline.pages import NOISE, Page, model

NASTY = '<b>&"photo" 写真.jpg'


RECORD: dict[str, Any] = {
    "name": "my <photos>",
    "seconds": 23.4,
    "seed": 7,
    "warnings": ["<i>empty.jpg</i> is empty and left out."],
    "failure": None,
    "versions": {"diptych": "0.1.0"},
    "hardware": {"cpu": "a <fast> one", "gpu": None},
    "git": {"commit": "0123456789abcdef", "dirty": True},
    "recipe": {
        "name": "classical",
        "nodes": [
            {"name": "features", "use": "nowhere.at.all:Corners", "parameters": {"size": 3}, "inputs": ["photo"]},
            {"name": "pairs", "use": "Exhaustive", "parameters": {}, "inputs": ["photos"]},
            {
                "name": "tracks",
                "use": "UnionFindTracks",
                "parameters": {"min_length": 2},
                "inputs": ["features", "pairs"],
            },
        ],
    },
    "tasks": [
        {"node": "features", "item": "a.jpg", "status": "hit", "seconds": 2.0},
        {"node": "features", "item": "b.jpg", "status": "ran", "seconds": 1.5},
        {"node": "pairs", "item": "", "status": "failed", "seconds": None},
        {"node": "tracks", "item": "", "status": "skipped", "seconds": None},
    ],
}


@pytest.fixture
def collection(tmp_path: Path) -> tuple[Photos, tuple[PhotoFile, ...]]:
    """Five photos, the last one with a name that wants to be markup."""
    rng = np.random.default_rng(0)
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg", NASTY):
        pixels = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (640, 480))
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    photos, files = read_photos(tmp_path / "in")
    return photos, files


@pytest.fixture
def report(tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]]) -> Path:
    """A run of two models with one photo in neither."""
    photos, files = collection
    first = tuple(name for name in photos.names if name != "b.jpg")
    sparse = Sparse((model(first), model(first[:2], points=40, seed=1)), (("b.jpg", "Too <few> matches: 3."),))
    write_report(tmp_path / "report.html", photos=photos, files=files, sparse=sparse, record=RECORD)
    return tmp_path / "report.html"


def test_needs_nothing_else(report: Path) -> None:
    page, text = Page(report), report.read_text("utf-8")
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://|\bimport\b.*\bfrom\b|fetch\(", text)
    assert page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"].startswith("default-src 'none'")  # pyright: ignore


def test_verdict_and_numbers_are_those_of_the_models(report: Path) -> None:
    text = Page(report).text
    assert re.search(
        r"4 of 5 photos registered in 2 models, 340 points, 0\.\d\d px mean reprojection error, 23 s", text
    )
    # The length of two-dimensional Gaussian noise has the mean sigma sqrt(pi / 2).
    mean = float(re.findall(r"(\d\.\d\d) px mean reproj", text)[0])
    assert abs(mean - NOISE * np.sqrt(np.pi / 2)) < 0.05
    assert text.count("300 observations") == 4
    assert "Model 1: 4 photos, 300 points" in text and "Model 2: 2 photos, 40 points" in text
    assert "1,200 observations, median" in text and "80 observations, median" in text


def test_intrinsics_stand_beside_their_prior(report: Path, collection: tuple[Photos, tuple[PhotoFile, ...]]) -> None:
    prior = collection[0].cameras[0].params[0]
    text = Page(report).text
    assert f"f 600.00 {prior:.2f} ({100 * (600 / prior - 1):+.1f} %)".replace("-", "−") in text
    assert "k −0.03000 0.00000" in text and "focal length from a guess" in text


def test_viewer_gets_every_point_and_camera(report: Path) -> None:
    for packed, (cameras, points) in zip(Page(report).models, ((4, 300), (2, 40)), strict=True):
        assert len(packed["cameras"]) == cameras
        assert len(base64.b64decode(packed["points"])) == points * 12
        assert base64.b64decode(packed["colors"]) == bytes([255, 0, 255]) * points
        assert np.isclose(np.linalg.norm(packed["forward"]), 1) and np.isclose(np.dot(packed["up"], [0, -1, 0]), 1)
    assert {camera["name"] for camera in Page(report).models[0]["cameras"]} == {"a.jpg", "c.jpg", "d.jpg", NASTY}


def test_every_photo_has_its_picture(report: Path) -> None:
    pictures = [image["src"] or "" for image in Page(report).all("img")]
    assert len(pictures) == 5
    for picture in pictures:
        encoded = np.frombuffer(base64.b64decode(picture.partition(",")[2]), np.uint8)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert decoded is not None and decoded.shape == (480, 640, 3)
    assert len(Page(report).all("figure", class_="photo missing")) == 1


def test_names_and_sentences_stay_text(report: Path) -> None:
    page = Page(report)
    assert len(page.all("script")) == 2 and not page.all("photos") and not page.all("fast") and not page.all("few")
    for text in (
        NASTY,
        "my <photos>",
        "Too <few> matches: 3.",
        "<i>empty.jpg</i> is empty and left out.",
        "a <fast> one",
    ):
        assert text in page.text
    # No name can end the script that holds the models.
    assert "<" not in page.scripts[0]


def test_stages_show_what_ran_and_what_was_stored(report: Path) -> None:
    text = Page(report).text
    assert "1.5 s of work; 1 result from the store" in text
    assert "features 3.5 s Corners · 1 ran, 1 from the store" in text
    assert "pairs Exhaustive · 1 failed" in text and "tracks UnionFindTracks · not reached" in text
    # What a stage is stems from its docstring; one that cannot be imported is shown without.
    assert "Moulon and Monasse 2012" in text and "min_length 2" in text and "size 3" in text
    assert "0123456789ab, changed since" in text and "seed 7" in text and "gpu" not in text


def test_a_run_without_a_model_says_why(tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]]) -> None:
    photos, files = collection
    failure = {
        "code": "no-initial-pair",
        "sentence": "No two photos <overlap>.",
        "hint": "Take more & closer ones.",
        "facts": {"best": 12},
        "node": "sparse",
        "item": "a.jpg|b.jpg",
        "trace": "Traceback <here>",
    }
    files[0].path.unlink()
    write_report(tmp_path / "r.html", photos=photos, files=files, sparse=None, record={"failure": failure})
    page = Page(tmp_path / "r.html")
    for text in (
        "5 photos, no model",
        failure["sentence"],
        failure["hint"],
        "best 12",
        "no-initial-pair",
        "Traceback <here>",
    ):
        assert text in page.text
    assert not page.all("canvas") and page.models == [] and "registered" not in page.text
    # A photo that has vanished meanwhile leaves a blank that says so.
    assert len(page.all("img")) == 4
    assert "can no longer be read" in (page.all("div", class_="blank")[0]["title"] or "")


def test_no_photos_and_an_empty_record_still_make_a_page(tmp_path: Path) -> None:
    nothing = Photos((), (), np.empty(0), np.empty((0, 3)))
    write_report(tmp_path / "r.html", photos=nothing, files=(), sparse=None, record={})
    assert "no model" in Page(tmp_path / "r.html").text


def test_a_model_without_points_still_makes_a_page(
    tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]]
) -> None:
    photos, files = collection
    write_report(
        tmp_path / "r.html", photos=photos, files=files, sparse=Sparse((model(photos.names, 0),)), record=RECORD
    )
    page = Page(tmp_path / "r.html")
    assert "5 of 5 photos registered, 0 points, 23 s" in page.text
    assert len(page.models[0]["cameras"]) == 5 and page.models[0]["points"] == ""


def test_a_real_run_makes_its_page(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy, workers=1, progress=False)
    page = Page(tmp_path / "out" / "report.html")
    assert f"4 of 4 photos registered, {len(result.scene.points)} points" in page.text
    for node, stage in (("features", "Corners"), ("matches", "SameIndex"), ("sparse", "Line")):
        assert re.search(rf"{node} [\d.]+ s {stage} · \d ran", page.text)
    assert "All cameras on a line that all drawn translations have moved." in page.text
    nodes = result.record["recipe"]["nodes"]
    names = {node["name"] for node in nodes}
    edges = {(source if source in names else "photos", node["name"]) for node in nodes for source in node["inputs"]}
    edges |= {("pairs", node["name"]) for node in nodes if node["extent"] == "pair"}
    assert len(page.all("path")) == len(edges)


def test_many_photos_get_smaller_pictures(
    tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "WIDTHS", ((4, 640), (1000, 160)))
    photos, files = collection
    write_report(tmp_path / "r.html", photos=photos, files=files, sparse=None, record={})
    assert {image["width"] for image in Page(tmp_path / "r.html").all("img")} == {"160"}


def test_points_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_POINTS", 100)
    scene = model(("a", "b"), points=1000)
    colors = np.zeros((1000, 3), np.uint8)
    colors[:, 0] = np.arange(1000) // 4
    kept = np.frombuffer(base64.b64decode(str(pack(replace(scene, colors=colors), {})["colors"])), np.uint8)[::3]
    assert len(kept) == 100 and kept[0] == 0 and kept[-1] == 249
    assert np.diff(kept.astype(int)).min() >= 2 and np.diff(kept.astype(int)).max() <= 3


def test_far_outliers_and_large_coordinates_cost_neither_view_nor_precision() -> None:
    scene = model(("a", "b"), points=1000)
    offset = np.array([5e5, 4e6, 300.0])
    moved = scene.points + offset
    moved[::20] += 1e5
    moved[7] = np.nan
    translations = scene.translations - scene.rotations @ offset
    packed = pack(replace(scene, points=moved, translations=translations), {})
    points = np.frombuffer(base64.b64decode(str(packed["points"])), "<f4").reshape(-1, 3)
    assert len(points) == 999
    plain = np.delete(scene.points, 7, axis=0)
    near = np.delete(np.arange(1000) % 20 > 0, 7)
    assert 0.93 < (np.linalg.norm(points, axis=1) < 1.1).mean() <= 0.95
    # The same shape up to one scale: float32 on raw coordinates would have steps of 0.25.
    scale = np.ptp(points[near], axis=0) / np.ptp(plain[near], axis=0)
    assert np.allclose(scale, scale[0], rtol=1e-5)


def test_measures_know_points_behind_and_photos_without_points() -> None:
    scene = model(("a", "b", "c"), points=200)
    only = scene.obs_photo < 2
    points = scene.points.copy()
    points[3] = [0, 0, -50]
    seen = {name: getattr(scene, name)[only] for name in ("obs_photo", "obs_point", "obs_xy", "obs_keypoint")}
    measures = measure(replace(scene, points=points, **seen))
    assert measures.observations.tolist() == [200, 200, 0]
    assert np.isinf(measures.residuals).sum() == 2
    assert np.all(np.abs(measures.photo_errors[:2] - 0.627) < 0.08) and np.isnan(measures.photo_errors[2])
    assert (measures.track_lengths == 2).all()
    # Two cameras half a radian apart around the points.
    assert abs(np.median(measures.angles) - np.degrees(0.5)) < 1.5


@given(arrays(np.float64, st.integers(1, 300), elements=st.floats(0, 1e6)), st.booleans())
@settings(deadline=None)
def test_histogram_counts_every_value_once(values: np.ndarray, whole: bool) -> None:
    drawn = histogram(np.floor(values) if whole else values, whole=whole)
    counts = [int(number.replace(",", "")) for number in re.findall(r": ([\d,]+)</title>", drawn)]
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"><title>', drawn)]
    assert sum(counts) == len(values) and 1 <= len(counts) <= 41
    assert np.allclose(np.array(heights) / 110, np.array(counts) / max(counts), atol=1e-3)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (0.004, "0.00 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"),
    ],
)
def test_durations_in_words(duration: float, words: str) -> None:
    assert seconds(duration) == words


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with browser() as opened:
        yield opened
        assert not opened.problems


def colored(drawn: np.ndarray, color: tuple[int, int, int]) -> int:
    """Number of pixels of a color."""
    return int((np.abs(drawn.astype(int) - color).max(axis=-1) < 12).sum())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_the_points_and_the_chosen_camera(report: Path, window: Browser, scheme: str) -> None:
    window.open(report, 1200, 1000, scheme)
    # Choose the second model's photo, then go back to the first: all of the page's script runs.
    window.evaluate("""{
        const select = document.querySelector("select");
        select.value = 1; select.dispatchEvent(new Event("change"));
        select.value = 0; select.dispatchEvent(new Event("change"));
        document.getElementById("photo-0").click();
        scrollTo(0, 0);
    }""")
    window.settle()
    drawn = window.screenshot()
    assert (drawn[5, 5].mean() < 60) == (scheme == "dark")
    assert colored(drawn, (255, 0, 255)) > 1000  # the points, in their color
    assert colored(drawn, (0xF0, 0x8A, 0x5D) if scheme == "dark" else (0xB8, 0x46, 0x1F)) > 100  # the chosen camera


def test_a_camera_is_picked_and_the_model_turned_with_the_mouse(report: Path, window: Browser) -> None:
    window.open(report, 1200, 1000)
    canvas = window.middle(".viewer canvas")
    before = window.screenshot()
    window.drag(canvas, (canvas[0] + 90, canvas[1] + 40))
    turned = window.screenshot()
    assert (np.abs(before.astype(int) - turned).max(axis=-1) > 30).sum() > 2000
    # Cameras stand on an arc, so somewhere along a line across the canvas there is one.
    found = None
    for row in range(-220, 260, 40):
        for column in range(-480, 500, 40):
            window.send("Input.dispatchMouseEvent", type="mouseMoved", x=canvas[0] + column, y=canvas[1] + row)
            if window.evaluate("document.querySelector('.viewer canvas').style.cursor") == "pointer":
                found = canvas[0] + column, canvas[1] + row
                break
        if found:
            break
    assert found
    assert window.evaluate("document.querySelector('.chosen').hidden")
    window.click(found)
    name = window.evaluate("document.querySelector('.chosen b').textContent")
    assert name in {camera["name"] for camera in Page(report).models[0]["cameras"]}
    assert not window.evaluate("document.querySelector('.chosen').hidden")


def found_of(names: tuple[str, ...]) -> Found:
    """Twelve keypoints a photo in a row, four of them matched with the next photo's; the first two show points."""
    ones = np.ones(12)
    xy = np.column_stack([np.arange(12) * 50 + 45.0, np.full(12, 240.0)])
    features = {name: Features(xy, ones, ones, ones, np.zeros((12, 3)), np.zeros((12, 8)), "x") for name in names}
    eye, pairs = np.eye(3), np.column_stack([np.arange(6), np.arange(6)])
    geometry = TwoView("planar", pairs[:4], eye, np.array([1.0, 0, 0]), eye, eye, 5.0)
    items = [f"{first}|{second}" for first, second in pairwise(names)]
    return Found(features, {item: Matches(pairs, np.ones(6)) for item in items}, dict.fromkeys(items, geometry))


@pytest.fixture
def matched(tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]]) -> Path:
    """A run with keypoints and matches, of which two in every photo are triangulated."""
    photos, files = collection
    scene = model(photos.names, points=2)
    scene = replace(scene, obs_keypoint=scene.obs_point)
    write_report(
        tmp_path / "report.html",
        photos=photos,
        files=files,
        sparse=Sparse((scene,)),
        record=RECORD,
        found=found_of(photos.names),
    )
    return tmp_path / "report.html"


def test_keypoints_are_told_apart(matched: Path) -> None:
    packed = Page(matched).data("keypoints")
    assert list(packed) == ["0", "1", "2", "3", "4"]
    for photo in packed.values():
        assert photo["counts"] == [8, 2, 2] and photo["ends"] == [8, 10, 12]
        at = np.frombuffer(base64.b64decode(photo["at"]), "<u2").reshape(-1, 2) / 65535 * (640, 480)
        assert np.allclose(at[:, 0], 50 * np.array([4, 5, 6, 7, 8, 9, 10, 11, 2, 3, 0, 1]) + 45, atol=0.02)


def test_many_keypoints_are_thinned_over_all_kinds(
    tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MOST_KEYPOINTS", 5 * 6)
    photos, files = collection
    write_report(tmp_path / "r.html", photos=photos, files=files, sparse=None, record={}, found=found_of(photos.names))
    photo = Page(tmp_path / "r.html").data("keypoints")["2"]
    assert photo["counts"] == [8, 4, 0] and photo["ends"] == [4, 6, 6]


def test_every_pair_is_in_the_matrix(matched: Path, window: Browser) -> None:
    page = Page(matched)
    packed = page.data("matches")
    table = np.frombuffer(base64.b64decode(packed["table"]), "<i4").reshape(-1, 5)
    assert table[:, :4].tolist() == [[i, i + 1, 6, 4] for i in range(4)]
    assert {packed["kinds"][kind] for kind in table[:, 4]} == {"pose from a plane"}
    assert "4 pairs matched, 4 with verified matches" in page.text and "pose from a plane 4" in page.text

    window.open(matched, 390, 844)
    x, y = window.middle(".matrix canvas")
    side = window.evaluate("document.querySelector('.matrix canvas').clientWidth")
    # The cell of the third photo and the second one; the first has the odd name.
    window.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y - 0.2 * side)
    said = window.evaluate("document.querySelector('.matrix output').textContent")
    assert said == "a.jpg and b.jpg: 6 matches, 4 verified: pose from a plane"


def test_keypoints_are_drawn_over_the_photo(matched: Path, window: Browser) -> None:
    window.open(matched, 1200, 1000)
    window.middle("#photo-1")
    window.evaluate("document.querySelector('#photo-1 .enlarge').click()")
    window.settle()
    drawn = window.screenshot()
    found = colored(drawn, (0x4C, 0xC9, 0xF0)), colored(drawn, (0xFF, 0xB0, 0x00))
    assert min(found) > 5
    caption = window.evaluate("document.querySelector('.enlarged p').textContent")
    assert caption == "a.jpg: 12 keypoints, 4 matched, 2 triangulated"


def test_a_distortion_is_drawn_as_it_is() -> None:
    scene = model(("a", "b"), points=400)
    charts = lens_charts(scene, 0)
    text = " ".join(caption for _, caption, _ in charts)
    camera = scene.cameras[0]
    corner = np.hypot(320, 240)
    expected = -0.03 * (corner / camera.params[0]) ** 2 * corner
    assert f"{expected:.3g} px in the farthest corner".replace("-", "−") in text
    assert len(charts) == 3
    # Noise that is the same everywhere leaves a mean far below itself.
    largest = float(re.findall(r"by place, at most ([\d.]+) px", text)[0])
    assert largest < 3 * NOISE


def test_papers_are_cited(tmp_path: Path, collection: tuple[Photos, tuple[PhotoFile, ...]]) -> None:
    photos, files = collection
    record = {
        "recipe": {"nodes": [{"name": "features", "use": "diptych.stages.features.sift:Sift", "inputs": ["photo"]}]},
        "citations": ["lowe2004", "nobody1999"],
    }
    write_report(tmp_path / "r.html", photos=photos, files=files, sparse=None, record=record)
    text = Page(tmp_path / "r.html").text
    assert "Lowe (2004): Distinctive image features" in text.replace("Image Features", "image features")
    assert "nobody1999" in text and "@article{lowe2004" in text
