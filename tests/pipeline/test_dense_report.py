"""The dense half on the page of a run: every view and why, the surfaces small enough, and drawn by a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from diptych.pipeline.report.run import depth
from diptych.pipeline.report.run.page import write_report
from diptych.pipeline.report.viewer import surfaces
from diptych.pipeline.report.viewer.surfaces import pack_cloud, pack_mesh, simplify
from diptych.pipeline.results.values import Dense
from diptych.stages.dense import Cloud
from diptych.stages.images.photos import read_photos
from diptych.stages.scene import Sparse

from tests.browser import CHROMIUM, browser
from tests.pipeline.dense import dense_half, one_by_one, sphere
from tests.pipeline.pages import Page, model

NAMES = ("a.jpg", "b.jpg", "c.jpg", "d <i>.jpg")
SPARSE = Sparse((model(NAMES), model(NAMES[:2], points=40, seed=1)))
WHY = "sees <nothing> & nobody"

Write = Callable[[Dense], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a page of four photos, the second of which has no depth map."""
    for i, name in enumerate(NAMES):
        (tmp_path / "in").mkdir(exist_ok=True)
        pixels = np.full((48, 64, 3), 40 * (i + 1), np.uint8)
        (tmp_path / "in" / name).write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    photos, files = read_photos(tmp_path / "in")

    def page(dense: Dense) -> Path:
        path = tmp_path / "report.html"
        write_report(path, photos=photos, files=files, sparse=SPARSE, record={"seconds": 9.0}, dense=dense)
        return path

    return page


def pictures(page: Page) -> dict[str, np.ndarray]:
    """The pictures of the views by what they show, RGB."""
    found = {}
    for image in page.all("img"):
        if image["alt"]:
            data = np.frombuffer(base64.b64decode((image["src"] or "").partition(",")[2]), np.uint8)
            decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
            assert decoded is not None
            found[image["alt"]] = decoded[..., ::-1]
    return found


def test_every_view_is_shown_or_it_is_said_why_not(write: Write) -> None:
    page = Page(write(one_by_one(dense_half(SPARSE.scene, "b.jpg"))))
    shown = pictures(page)
    assert set(shown) == {
        f"{kind} of {name}" for kind in ("Photo", "Depth", "Confidence", "Reasons") for name in NAMES if name != "b.jpg"
    }
    # 10 of 150 rows are masked, 40 more have no depth for another reason.
    assert "3 of 4 photos have a depth map, over 71.4 % of their pixels." in page.text
    assert f"b.jpg {WHY}" in page.text and not page.all("nothing")
    for reason in ("masked", "seen by no neighbor", "without texture", "views disagree", "out of range"):
        assert page.text.count(f"{reason} 6.7 %") == 3
    assert page.text.count("found 66.7 %") == 3 and page.text.count("0.75 in the mean") == 3
    assert page.text.count("200 × 150, sought from 2.5 to 12.5") == 3
    assert "Neighbors: b.jpg 100 points, 7.5°; c.jpg 101 points, 7.5°; d <i>.jpg 102 points, 7.5°" in page.text


def test_near_is_bright_far_is_dark_and_nothing_is_grey(write: Write) -> None:
    shown = pictures(Page(write(dense_half(SPARSE.scene, "b.jpg"))))
    picture = shown["Depth of a.jpg"].astype(int)
    assert picture.shape == (150, 200, 3)
    near, far, nothing = picture[100, 40], picture[100, 160], picture[25, 100]
    assert near.sum() > far.sum() + 100 and np.ptp(nothing) < 12 and np.abs(nothing - depth.NOTHING).max() < 8
    assert np.ptp(near) > 60 and np.ptp(far) > 40
    reasons = shown["Reasons of a.jpg"]
    expected = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for _, color in depth.REASONS.values()]
    np.testing.assert_array_equal(reasons[[100, 5, 15, 25, 35, 45], 100], expected)


def test_large_and_many_views_get_small_pictures(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = dense_half(SPARSE.scene, "b.jpg", size=(1500, 1000))
    path = write(dense)
    assert {picture.shape[1] for picture in pictures(Page(path)).values()} == {640, 500}
    monkeypatch.setattr(depth, "MANY_VIEWS", 3)
    assert {picture.shape[1] for picture in pictures(Page(write(dense))).values()} == {320, 300}


def test_a_view_of_noise_stays_light(write: Write) -> None:
    rng = np.random.default_rng(0)
    dense = dense_half(SPARSE.scene, "b.jpg", size=(1600, 1200))
    smooth = cv2.GaussianBlur(rng.normal(size=(1200, 1600, 3)), (0, 0), 3)
    noisy = {name: replace(view, image=np.clip(128 + 300 * smooth, 0, 255)) for name, view in dense.views.items()}
    depths = {name: replace(each, depth=each.depth * (1 + 0.1 * smooth[..., 0])) for name, each in dense.depths.items()}
    without = write(replace(dense, views={}, depths={})).stat().st_size
    assert (write(replace(dense, views=noisy, depths=depths)).stat().st_size - without) / 3 < 150_000


@pytest.mark.parametrize("stopped", ["neighbors", "views", "depths", "cloud"])
def test_a_run_that_stopped_earlier_shows_what_there_is(write: Write, stopped: str) -> None:
    whole = dense_half(SPARSE.scene, "b.jpg")
    order = ["neighbors", "views", "depths", "cloud", "mesh"]
    kept = {name: getattr(whole, name) for name in order[: order.index(stopped) + 1]}
    page = Page(write(Dense(**kept)))
    assert f"b.jpg {WHY}" in page.text and "Neighbors: " in page.text
    assert len(pictures(page)) == {"neighbors": 0, "views": 3, "depths": 12, "cloud": 12}[stopped]
    assert ("The cloud has" in page.text) == (stopped == "cloud") and "The mesh has" not in page.text
    assert [radio["value"] for radio in page.all("input", name="layer")] == ["points", "cloud"] * (stopped == "cloud")


def test_without_a_dense_half_the_page_says_nothing_of_it(write: Write) -> None:
    page = Page(write(Dense()))
    assert "Depth" not in page.text and not page.all("input", name="layer") and not page.all("select", name="shading")
    assert "cloud" not in page.models[0] and "mesh" not in page.models[0]


def test_numbers_of_cloud_and_mesh(write: Write) -> None:
    text = Page(write(dense_half(SPARSE.scene, "b.jpg", texture=True))).text
    triangles = len(sphere(24).triangles)
    assert "The cloud has 1,200 points, each confirmed by 3.0 views in the mean." in text
    assert f"The mesh has {triangles:,} triangles between 1,200 vertices, and a texture of 16 × 8." in text
    assert "median 3" in text and "median 0.002" in text
    assert f"a cloud of 1,200 , a mesh of {triangles:,} triangles" in text


def test_surfaces_belong_to_the_largest_model(write: Write) -> None:
    first, second = Page(write(dense_half(SPARSE.scene, "b.jpg"))).models
    assert {"cloud", "mesh"} <= first.keys() and not {"cloud", "mesh"} & second.keys()


def unpacked(packed: dict[str, object]) -> np.ndarray:
    positions = np.frombuffer(base64.b64decode(str(packed["positions"])), "<u2").reshape(-1, 3) / 65535
    return np.array(packed["low"]) + positions * np.array(packed["span"])


def test_packed_surfaces_keep_place_direction_and_color() -> None:
    ball = sphere(24, radius=30.0)
    middle, unit = np.array([5.0, -3.0, 100.0]), 15.0
    packed = pack_mesh(replace(ball, vertices=ball.vertices + middle), middle, unit)
    np.testing.assert_allclose(unpacked(packed), ball.vertices / unit, atol=1e-4)
    normals = np.frombuffer(base64.b64decode(str(packed["normals"])), "i1").reshape(-1, 3) / 127
    np.testing.assert_allclose(normals, ball.normals, atol=0.005)
    assert base64.b64decode(str(packed["colors"])) == bytes([0, 255, 255]) * len(ball.vertices)
    triangles = np.frombuffer(base64.b64decode(str(packed["triangles"])), "<u4").reshape(-1, 3)
    np.testing.assert_array_equal(triangles, ball.triangles)


def test_what_is_far_off_or_nowhere_is_not_drawn() -> None:
    ball = sphere(8)
    points = ball.vertices.copy()
    points[3], points[5] = 1e4, np.nan
    cloud = Cloud(points, ball.normals, ball.colors, np.ones(len(points)), np.ones(len(points)))
    np.testing.assert_allclose(
        unpacked(pack_cloud(cloud, np.zeros(3), 1.0)), np.delete(ball.vertices, [3, 5], axis=0), atol=1e-4
    )
    drawn = pack_mesh(replace(ball, vertices=points), np.zeros(3), 1.0)
    triangles = len(base64.b64decode(str(drawn["triangles"]))) // 12
    assert triangles == (~np.isin(ball.triangles, [3, 5]).any(axis=1)).sum()
    nothing = pack_cloud(replace(cloud, points=np.full(points.shape, np.nan)), np.zeros(3), 1.0)
    assert nothing["positions"] == ""


def test_a_cloud_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surfaces, "MOST_POINTS", 100)
    points = np.column_stack([np.linspace(-1, 1, 1000)] * 3)
    cloud = Cloud(points, points, np.zeros((1000, 3)), np.ones(1000), np.ones(1000))
    x = unpacked(pack_cloud(cloud, np.zeros(3), 1.0))[:, 0]
    assert len(x) == 100 and np.isclose(x[0], -1) and np.isclose(x[-1], 1)
    assert np.ptp(np.diff(x)) < 0.003


def test_a_simplified_sphere_is_still_that_sphere() -> None:
    ball = sphere(60)
    most = len(ball.triangles) // 8
    vertices, attributes, triangles = simplify(ball.vertices, ball.normals, ball.triangles, most)
    assert 0.4 * most < len(triangles) <= most and triangles.max() < len(vertices)
    assert np.all(np.abs(np.linalg.norm(vertices, axis=1) - 1) < 0.02)
    first, second, third = (vertices[corner] for corner in triangles.T)
    normals = np.cross(second - first, third - first)
    assert abs(0.5 * np.linalg.norm(normals, axis=1).sum() / (4 * np.pi) - 1) < 0.03
    # Still seen from outside counter-clockwise, and no triangle twice.
    outward = (normals * first).sum(axis=1) > 0
    assert outward.mean() > 0.99 and len(np.unique(np.sort(triangles, axis=1), axis=0)) == len(triangles)
    assert ((attributes * vertices).sum(axis=1) > 0.9).all()


def test_a_mesh_within_the_budget_is_left_as_it_is() -> None:
    ball = sphere(10)
    vertices, attributes, triangles = simplify(ball.vertices, ball.normals, ball.triangles, len(ball.triangles))
    assert vertices is ball.vertices and attributes is ball.normals and triangles is ball.triangles


def test_triangles_of_no_area_do_not_keep_the_simplification_from_its_end() -> None:
    line = np.column_stack([np.arange(300.0), np.zeros(300), np.zeros(300)])
    triangles = np.stack([np.arange(298), np.arange(298) + 1, np.arange(298) + 2], axis=1)
    _, _, left = simplify(line, line, triangles, 50)
    assert len(left) <= 50


def test_what_the_viewer_leaves_out_is_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surfaces, "MOST_TRIANGLES", 500)
    monkeypatch.setattr("diptych.pipeline.report.run.page.MOST_TRIANGLES", 500)
    page = Page(write(dense_half(SPARSE.scene, "b.jpg")))
    assert f"The mesh is simplified from {len(sphere(24).triangles):,} triangles to at most 500." in page.text
    assert len(base64.b64decode(page.models[0]["mesh"]["triangles"])) <= 500 * 12


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_mesh_the_cloud_and_the_maps(write: Write) -> None:
    with browser() as window:
        window.open(write(dense_half(SPARSE.scene, "b.jpg")), 1200, 1000)

        def turquoise(act: str = "") -> int:
            window.evaluate(f"{{ {act}; scrollTo(0, 0) }}")
            window.settle()
            return int((np.abs(window.screenshot().astype(int) - [0, 255, 255]).max(axis=-1) < 12).sum())

        mesh = turquoise()
        cloud = turquoise('document.querySelector("[value=cloud]").click()')
        points = turquoise('document.querySelector("[value=points]").click()')
        assert mesh > 20_000 and 200 < cloud < mesh and points == 0
        turquoise('document.querySelector("[value=mesh]").click()')
        shape = 'const s = document.querySelector("[name=shading]"); s.value = 1; s.dispatchEvent(new Event("change"))'
        assert turquoise(shape) == 0

        x, y = window.middle(".wipe")
        half = window.evaluate("document.querySelector('.wipe').clientWidth") / 2

        def gray() -> int:
            """How much of the photo, which is all of one grey, is to be seen."""
            row = window.screenshot()[round(y), round(x - half) + 2 : round(x + half) - 2].astype(int)
            return int((np.abs(row - 40).max(axis=-1) < 6).sum())

        before = gray()
        window.drag((x, y), (x + half * 0.8, y))
        after = gray()
        assert 0.4 * half < before < 1.1 * half < 1.5 * half < after < 2 * half

        window.evaluate('document.querySelectorAll(".maps .picture")[1].click()')
        window.settle()
        large = window.screenshot().astype(int)
        orange = (np.abs(large - [0xE6, 0x9F, 0x00]).max(axis=-1) < 12).sum()
        assert orange > 0.04 * large.shape[0] * large.shape[1]
        assert not window.problems


def test_scripts_of_the_page_fetch_nothing(write: Write) -> None:
    assert not re.search(r"fetch\(|import\(|XMLHttpRequest|https?://", write(Dense()).read_text("utf-8"))
