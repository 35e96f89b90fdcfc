"""The live view: it answers on this machine alone, has its layers, and these can be switched."""

from __future__ import annotations

import builtins
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.live import depth_points
from diptych.pipeline.results.values import Dense
from diptych.stages.failure import StageFailure

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


def becomes(condition: Callable[[], bool]) -> bool:
    """Whether it comes true soon: viser tells its listeners in threads of its own."""
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_it_answers_here_and_has_its_layers(out: Path) -> None:
    pytest.importorskip("viser")
    said = []
    live = dp.view(out, port=18100, block=False, say=said.append)
    try:
        assert said == [live.address] and live.address == f"http://127.0.0.1:{live.port}"
        assert live.server.get_host() == "127.0.0.1"
        with urllib.request.urlopen(live.address, timeout=20) as page:
            assert page.status == 200 and b"<html" in page.read().lower()
        assert set(live.layers) == {"cameras", "points", "cloud", "mesh", "depth map"}
        frusta = live.layers["cameras"]
        assert frusta[0].name == "/cameras/a.png" and len(frusta) == 4
        assert frusta[0].image is not None and frusta[0].image.shape == (24, 32, 3)
        assert not live.layers["cloud"][0].visible and live.layers["mesh"][0].visible
    finally:
        live.stop()


def test_layers_switch_and_a_depth_map_is_shown_when_it_is_chosen(out: Path) -> None:
    pytest.importorskip("viser")
    live = dp.view(out, port=18200, block=False)
    try:
        controls, layers = live.controls, live.layers
        controls["cameras"].value = False
        assert becomes(lambda: not any(frustum.visible for frustum in layers["cameras"]))
        controls["cloud"].value = True
        assert becomes(lambda: layers["cloud"][0].visible)
        size = layers["points"][0].point_size
        controls["point size"].value = 3.0
        assert becomes(lambda: layers["points"][0].point_size == pytest.approx(3 * size))
        assert layers["depth map"] == ()
        controls["depth map of"].value = "c.png"
        assert becomes(lambda: len(layers["depth map"]) == 1)
        assert layers["depth map"][0].points.shape == (24 * 32, 3)
        controls["depth map of"].value = "none"
        assert becomes(lambda: layers["depth map"] == ())
    finally:
        live.stop()


def test_points_of_a_depth_map_project_onto_its_pixels() -> None:
    scene = model(("a.jpg", "b.jpg", "c.jpg"))
    dense = dense_half(scene, scene.names[0])
    name = scene.names[1]
    points, colors = depth_points(dense, name)
    view, depth = dense.views[name], dense.depths[name].depth
    assert len(points) == np.count_nonzero(depth) and colors.shape == (len(points), 3)
    local = points @ view.rotation.T + view.translation
    xy = local[:, :2] / local[:, 2:] * view.camera.focal_lengths + view.camera.principal_point
    row, column = np.nonzero(depth)
    np.testing.assert_allclose(xy, np.stack([column, row], axis=1) + 0.5, atol=1e-2)
    np.testing.assert_allclose(local[:, 2], depth[row, column], rtol=1e-4)
    empty = Dense(views=dense.views, depths={name: replace(dense.depths[name], depth=np.zeros(depth.shape))})
    assert depth_points(empty, name)[0].shape == (0, 3)


def test_without_viser_it_is_one_sentence(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name == "viser":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "viser", raising=False)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(StageFailure) as failure:
        dp.view(out, block=False)
    assert failure.value.code == "no-viser" and failure.value.hint == "pip install 'diptych[view]'"


def test_no_run_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("viser")
    assert "There is no" in diptych("view", tmp_path / "absent", status=2)
