"""``diptych view``: it answers this machine alone, with the page, more of its data, and depth maps as points."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.live import Live, depth_points
from diptych.pipeline.results.values import Dense
from diptych.stages.failure import StageFailure

from tests.browser import CHROMIUM, browser
from tests.pipeline.dense import dense_half
from tests.pipeline.pages import model
from tests.pipeline.test_cli import diptych
from tests.pipeline.test_cli_dense import DENSE


@pytest.fixture
def out(photos: Path, tmp_path: Path) -> Path:
    """A run of toys with depth maps, a cloud and a mesh."""
    (tmp_path / "dense.toml").write_text(DENSE)
    dp.run(photos, out=tmp_path / "out", recipe=tmp_path / "dense.toml", progress=False)
    return tmp_path / "out"


@pytest.fixture
def live(out: Path) -> Iterator[Live]:
    said: list[str] = []
    live = dp.view(out, port=18100, block=False, say=said.append)
    assert said == [live.address] == [f"http://127.0.0.1:{live.port}"]
    yield live
    live.stop()


def ask(live: Live, path: str = "/", method: str = "GET", host: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=20)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{live.port}"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def drawn(text: bytes) -> list[dict[str, Any]]:
    found = re.search(rb'id="models">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_it_serves_the_page_with_every_layer(live: Live, out: Path) -> None:
    status, text = ask(live)
    (shown,) = drawn(text)
    assert status == 200 and text.startswith(b"<!doctype html")
    assert {"points", "cameras", "cloud", "mesh"} <= shown.keys() and len(shown["cameras"]) == 4
    assert shown["depths"] == ["a.png", "b.png", "c.png", "ein Bild größer 写真.png"]
    (kept,) = drawn((out / "report.html").read_bytes())
    assert "depths" not in kept and kept["cameras"] == shown["cameras"]


def test_it_serves_depth_maps_as_points(live: Live) -> None:
    status, text = ask(live, "/depth/2")
    packed = json.loads(text)
    assert status == 200 and {"positions", "normals", "colors", "low", "span"} <= packed.keys()
    assert len(packed["colors"]) == 4 * 24 * 32  # base64 of three bytes a pixel


@pytest.mark.parametrize("path", ["/depth/4", "/depth/-1", "/depth/x", "/run.json", "/../run.json"])
def test_it_serves_nothing_else(live: Live, path: str) -> None:
    assert ask(live, path)[0] == 404


def test_other_hosts_and_methods_are_refused(live: Live) -> None:
    assert ask(live, host="evil.example:18100")[0] == 403
    assert ask(live, host="localhost:1")[0] == 200
    assert ask(live, method="POST")[0] == 501


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_chosen_depth_map(live: Live) -> None:
    with browser() as window:
        window.open(live.address, 1200, 1000)
        before = window.screenshot()
        window.evaluate("""new Promise((done) => {
            const choice = document.querySelector("[name=depth]");
            choice.value = "2";
            choice.dispatchEvent(new Event("change"));
            const wait = () => document.querySelector("[name=layer]:checked") ? setTimeout(wait, 20) : done(0);
            wait();
        })""")
        window.settle()
        assert (np.abs(before.astype(int) - window.screenshot()).max(axis=-1) > 30).sum() > 500
        assert window.evaluate("document.querySelector('[name=depth]').value") == "2"
        window.evaluate("document.querySelector('[value=mesh]').click()")
        assert window.evaluate("document.querySelector('[name=depth]').value") == ""
        assert not window.problems


def test_it_takes_the_next_port(live: Live, out: Path) -> None:
    second = dp.view(out, port=live.port, block=False)
    try:
        assert second.port > live.port and second.server.server_address[0] == "127.0.0.1"
        assert ask(second)[0] == 200
    finally:
        second.stop()


def test_points_of_a_depth_map_project_onto_its_pixels() -> None:
    scene = model(("a.jpg", "b.jpg", "c.jpg"))
    dense = dense_half(scene, scene.names[0])
    name = scene.names[1]
    cloud = depth_points(dense, name)
    view, depth = dense.views[name], dense.depths[name].depth
    assert len(cloud) == np.count_nonzero(depth)
    local = cloud.points @ view.rotation.T + view.translation
    xy = local[:, :2] / local[:, 2:] * view.camera.focal_lengths + view.camera.principal_point
    row, column = np.nonzero(depth)
    np.testing.assert_allclose(xy, np.stack([column, row], axis=1) + 0.5, atol=1e-2)
    np.testing.assert_allclose(local[:, 2], depth[row, column], rtol=1e-4)
    np.testing.assert_allclose(cloud.normals @ view.rotation.T, dense.depths[name].normal[row, column], atol=1e-3)
    empty = Dense(views=dense.views, depths={name: replace(dense.depths[name], depth=np.zeros(depth.shape))})
    assert len(depth_points(empty, name)) == 0


def test_without_a_page_or_a_run_it_is_one_sentence(out: Path, tmp_path: Path) -> None:
    (out / "report.html").unlink()
    with pytest.raises(StageFailure) as failure:
        dp.view(out, block=False)
    assert failure.value.code == "no-report"
    assert "There is no" in diptych("view", tmp_path / "absent", status=2)
