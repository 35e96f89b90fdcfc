"""The page of a study: one gauge for all variants, true to the numbers, and a diptych that turns as one."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.report.charts.scatter import Dot, scatter
from diptych.pipeline.report.study import side_by_side
from diptych.pipeline.report.study.page import write_study
from diptych.pipeline.report.study.side_by_side import make_diptych, seen_by
from diptych.pipeline.report.viewer.surfaces import moved_cloud, moved_mesh
from diptych.pipeline.results.values import Dense
from diptych.pipeline.study.comparison import Comparison, Trial
from diptych.pipeline.study.sharing import Sharing
from diptych.pipeline.study.study import PhotoSet, Study
from diptych.pipeline.study.variants import Variant
from diptych.stages.dense import DepthMap, View
from diptych.stages.geometry.alignment import Similarity, transform_scene
from diptych.stages.geometry.rotations import nearest_rotation
from diptych.stages.scene import Camera, Scene

from tests.browser import CHROMIUM, Browser, browser
from tests.pipeline.dense import dense_half
from tests.pipeline.pages import Page, model

NAMES = ("a.jpg", "b.jpg", "c.jpg", "d <i>.jpg", "e.jpg")
WHY = "No two photos <overlap> & nothing can start."
ELSEWHERE = Similarity(3.0, nearest_rotation(np.random.default_rng(4).normal(size=(3, 3))), np.array([9.0, -70.0, 4.0]))
VARIANTS = ("base", "one percent <farther>", "two keypoints")


@dataclass(frozen=True)
class Made:
    """As much of a run's result as a page reads."""

    scene: Scene
    dense: Dense

    @property
    def results(self) -> dict[str, Any]:
        return {"views": self.dense.views, "depths": self.dense.depths}


def elsewhere(made: Made, farther: float) -> Made:
    """The same result in another world, with depths that are wrong by a factor."""
    dense = made.dense
    depths = {name: replace(d, depth=ELSEWHERE.scale * farther * d.depth) for name, d in dense.depths.items()}
    assert dense.cloud and dense.mesh
    surfaces = {"cloud": moved_cloud(dense.cloud, ELSEWHERE), "mesh": moved_mesh(dense.mesh, ELSEWHERE)}
    return Made(transform_scene(made.scene, ELSEWHERE), replace(dense, depths=depths, **surfaces))


def trial(variant: str, seed: int, within: float, made: Made | None) -> Trial:
    metrics = {"registered": 5.0, "within_1_percent": within, "position_mean": 0.02} if made else {}
    costs = {"seconds": 3.0, "cpu_seconds": 2.0 + 4 * (variant != "base"), "peak_memory": 2.0**31, "keypoints": 123.0}
    failure = None if made else {"code": "no-pair", "sentence": WHY, "hint": "Take more."}
    record = {"versions": {"diptych": "0.1.0"}, "tasks": [], "citations": ["lowe2004"]}
    found = Trial("yard", variant, seed, Path(), record, metrics, costs, failure)
    if made:
        vars(found)["result"] = made
    return found


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """A variant that is as good as the base up to its depths, one that always fails, and a base that fails once."""
    scene = model(NAMES)
    first = Made(scene, dense_half(scene, "b.jpg"))
    second = elsewhere(first, 1.01)
    recipe = dp.Recipe.load("classical")
    variants = tuple(Variant(name, {"variant": name}, recipe) for name in VARIANTS)
    study = Study("A <study>", (PhotoSet("yard", Path()),), variants, (3, 4, 5))
    trials = [trial("base", 3, 0.0, None), trial("base", 4, 0.900, first), trial("base", 5, 0.902, first)]
    trials += [trial(VARIANTS[1], seed, 0.95 + 0.001 * seed, second) for seed in study.seeds]
    trials += [trial(VARIANTS[2], seed, 0.0, None) for seed in study.seeds]
    return Comparison(study, tuple(trials), Sharing(100, 60, 7))


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "report.html"
    write_study(path, comparison)
    return path


def scene_data(page: Path) -> dict[str, Any]:
    return Page(page).data("study")["scenes"][0]


def depth_of(photo: dict[str, Any], variant: str) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(photo["maps"][variant]), "<u2").astype(float)
    depth = photo["low"] * np.exp((codes - 1) / 65534 * photo["span"])
    return np.where(codes == 0, 0, depth).reshape(photo["height"], photo["width"])


def test_all_variants_lie_in_one_world(page: Path) -> None:
    models = scene_data(page)["models"]
    assert list(models) == ["0", "1"]
    first, second = models.values()
    for one, other in zip(first["cameras"], second["cameras"], strict=True):
        assert one["name"] == other["name"]
        np.testing.assert_allclose(one["apex"], other["apex"], atol=1e-5)
        np.testing.assert_allclose(one["corners"], other["corners"], atol=1e-4)
    assert (first["forward"], first["up"]) == (second["forward"], second["up"])
    points = [np.frombuffer(base64.b64decode(packed["points"]), "<f4") for packed in models.values()]
    np.testing.assert_allclose(points[0], points[1], atol=1e-4)
    for layer in ("cloud", "mesh"):
        np.testing.assert_allclose(first[layer]["low"], second[layer]["low"], atol=1e-4)
        np.testing.assert_allclose(first[layer]["span"], second[layer]["span"], atol=1e-4)


def test_depths_are_in_one_scale(page: Path) -> None:
    photos = scene_data(page)["depths"]
    assert 1 <= len(photos) <= side_by_side.MOST_DEPTH_PHOTOS and "b.jpg" not in {photo["name"] for photo in photos}
    for photo in photos:
        first, second = depth_of(photo, "0"), depth_of(photo, "1")
        known = first > 0
        assert (known == (second > 0)).all() and 0.6 < known.mean() < 0.7
        np.testing.assert_allclose(second[known] / first[known], 1.01, atol=2e-4)
        assert np.allclose(np.unique(first[known].round(2)), [4, 8])


def test_the_first_seed_that_came_to_its_end_is_shown(page: Path) -> None:
    assert scene_data(page)["seeds"] == {"0": 4, "1": 3}
    assert scene_data(page)["said"]["2"] == WHY
    assert "Of every variant one seed is shown" in Page(page).text


def test_the_same_ray_is_compared_where_focal_lengths_differ() -> None:
    view_camera = Camera("PINHOLE", 200, 100, (110.0, 110.0, 104.0, 50.0))
    x, y = np.meshgrid((np.arange(200) + 0.5 - 104) / 110, (np.arange(100) + 0.5 - 50) / 110)
    depth = 5 + x + 2 * y
    blank = np.zeros((100, 200))
    view = View(np.zeros((100, 200, 3)), blank + 1, view_camera, np.eye(3), np.zeros(3), 1, 9)
    camera = Camera("PINHOLE", 100, 50, (50.0, 50.0, 50.0, 25.0))
    seen = seen_by(camera, view, DepthMap(depth, np.zeros((100, 200, 3)), blank, blank))
    u, v = np.meshgrid((np.arange(100) + 0.5 - 50) / 50, (np.arange(50) + 0.5 - 25) / 50)
    inside = (np.abs(u * 110 + 104 - 100) < 100) & (np.abs(v * 110) < 50)
    assert (seen[~inside] == 0).all() and inside.mean() < 0.9
    # The nearest pixel is up to half a pixel off either way.
    assert np.abs(seen - (5 + u + 2 * v))[inside].max() <= 1.5 / 110 + 1e-6


def test_numbers_and_reasons_are_on_the_page(page: Path, comparison: Comparison) -> None:
    text = Page(page).text
    for sentence in comparison.conclusions:
        assert " ".join(sentence.split()) in text
    assert "3 variants on 1 scene with 3 seeds, 60 stage runs for 100, 4 of 9 trials failed" in text.replace(" ,", ",")
    assert f"{WHY} Take more." in text and "two keypoints on yard with seeds 3, 4, 5" in text
    assert "base on yard with seed 3" in text
    assert comparison.sharing.words() in text
    # Paired over the seeds that both have: (0.954 + 0.955) / 2 - 0.901.
    assert re.search(r"one percent <farther> \+5\.35 % better \+[\d.]+ % to \+[\d.]+ % 95\.4 % 0\.1 %", text)
    assert re.search(r"one percent <farther> 0 the same 0 to 0 5 0", text)
    assert "2 GiB" in text and "+4 s" in text and "lowe2004" in text
    # Every trial has its row; a failed one says why.
    assert len(re.findall(r"yard base \d", text)) == 3 and text.count(f"two keypoints 3 {WHY}") == 1


def test_it_needs_nothing_else_and_names_stay_text(page: Path) -> None:
    found, text = Page(page), page.read_text("utf-8")
    assert not re.search(r"url\(|@import|https?://|\bimport\b.*\bfrom\b|fetch\(", text)
    assert not found.all("study") and not found.all("farther") and not found.all("overlap")
    assert "A <study>" in found.text
    assert len(text) < 1_500_000


def test_models_are_thinned_to_their_share(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "MODEL_BYTES", 30_000)
    monkeypatch.setattr(side_by_side, "DEPTH_BYTES", 60_000)
    data = make_diptych(comparison).data["scenes"][0]
    for packed in data["models"].values():
        assert len(packed["points"]) + len(packed["colors"]) <= 2100
        assert sum(len(packed["mesh"][name]) for name in ("positions", "normals", "colors", "triangles")) < 10_000
    assert len(data["depths"]) == 1 and sum(map(len, data["depths"][0]["maps"].values())) < 60_000


def test_what_cannot_be_laid_over_the_base_is_said(comparison: Comparison) -> None:
    trials = list(comparison.trials)
    scene = trials[3].result.scene
    alone = replace(trials[3], metrics=trials[3].metrics)
    vars(alone)["result"] = Made(replace(scene, names=tuple(f"{name}.png" for name in scene.names)), Dense())
    trials[3] = alone
    made = make_diptych(replace(comparison, trials=tuple(trials)))
    assert list(made.data["scenes"][0]["models"]) == [0]
    assert any("cannot be laid over the others" in note for note in made.notes)


def test_a_study_of_failures_is_still_a_page(comparison: Comparison, tmp_path: Path) -> None:
    failed = tuple(one for one in comparison.trials if one.failure)
    write_study(tmp_path / "r.html", replace(comparison, trials=failed))
    found = Page(tmp_path / "r.html")
    assert WHY in found.text and not found.all("canvas") and found.data("study")["scenes"] == []


def test_dots_lie_where_their_values_are() -> None:
    dots = [Dot(x, y, 0.0, 0.1, str(i), f"dot {i}") for i, (x, y) in enumerate(((1, 0.2), (10, 0.9), (100, 0.4)))]
    drawn = scatter(dots, x_title="s", y_title="y", better="higher")
    at = np.array([[float(a), float(b)] for a, b in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)])
    # Ten times the time is a step as wide as the next ten times; up is more.
    assert "logarithmic" in drawn and abs(np.diff(at[:, 0], 2)[0]) < 0.3
    slope = (at[1:, 1] - at[0, 1]) / np.array([0.7, 0.2])
    assert abs(slope[0] / slope[1] - 1) < 0.01 and slope[0] < 0


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with browser() as opened:
        yield opened
        assert not opened.problems


def panels(window: Browser) -> tuple[np.ndarray, np.ndarray]:
    """What both viewers show."""
    window.middle(".panels")
    drawn = window.screenshot().astype(int)
    boxes = window.evaluate(
        "[...document.querySelectorAll('.panels canvas')].map(c => { const b = c.getBoundingClientRect(); "
        "return [b.x, b.y, b.width, b.height].map(Math.round); })"
    )
    left, right = (drawn[y + 8 : y + height - 8, x + 8 : x + width - 8] for x, y, width, height in boxes)
    return left, right


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Share of the pixels that differ."""
    return float((np.abs(before - after).max(axis=-1) > 24).mean())


def test_both_viewers_turn_as_one(page: Path, window: Browser) -> None:
    window.open(page, 1200, 900)
    left, right = panels(window)
    assert ((np.abs(left - [0, 255, 255]).max(axis=-1) < 30).mean()) > 0.02  # the mesh is drawn
    assert changed(left, right) < 0.01
    x, y = window.middle(".panels canvas")
    window.drag((x, y), (x + 120, y + 60))
    turned, followed = panels(window)
    assert changed(left, turned) > 0.02 and changed(turned, followed) < 0.01

    window.evaluate("document.querySelector('[name=linked]').click()")
    x, y = window.middle(".panels canvas")
    window.drag((x, y), (x - 200, y))
    alone, stayed = panels(window)
    assert changed(alone, turned) > 0.02 and changed(stayed, followed) < 0.001


def test_depths_and_their_differences_are_shown(page: Path, window: Browser) -> None:
    window.open(page, 1200, 900)
    said = window.evaluate("document.querySelector('.difference-said').textContent")
    assert "Median difference +1.0 %" in said and "only the left at 0.0 %" in said
    # One percent farther is half red where two percent are red.
    red = window.evaluate(
        "(() => { const c = document.querySelector('canvas[data-map=difference]'); "
        "return [...c.getContext('2d').getImageData(20, c.height - 20, 1, 1).data]; })()"
    )
    assert np.abs(np.array(red[:3]) - np.mean([[247, 245, 240], [178, 24, 43]], axis=0)).max() < 4
    window.evaluate(
        "{ const s = document.querySelector('[name=range]'); s.value = 20; s.dispatchEvent(new Event('change')); }"
    )
    assert window.evaluate("document.querySelector('.difference-scale').textContent").count("20 %") == 2

    x, y = window.middle(".facing .wipe")
    window.drag((x, y), (x - 100, y))
    assert float(window.evaluate("document.querySelector('.facing .wipe').style.getPropertyValue('--at')")[:-1]) < 45


def test_a_variant_without_a_model_says_why(page: Path, window: Browser) -> None:
    window.open(page, 390, 844)
    window.evaluate("document.querySelector('[data-beside=\"2\"]').click()")
    window.settle()
    shown = window.evaluate("[...document.querySelectorAll('.said')].map(p => p.textContent)")
    assert shown[0].startswith("seed 4: ") and shown[1] == WHY
    # On a phone nothing is wider than the screen but what scrolls by itself.
    assert window.evaluate("document.documentElement.scrollWidth") <= 390
