"""Depth maps survive the file, to the error that the format promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.formats.depth import read_depth, write_depth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

maps = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.one_of(st.just(0.0), st.floats(0.01, 1000.0)),
)
same_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@same_folder
@given(depth=maps)
def test_round_trip(tmp_path: Path, depth: np.ndarray) -> None:
    write_depth(tmp_path / "d.png", depth)
    back = read_depth(tmp_path / "d.png")
    known = depth > 0
    assert back.shape == depth.shape
    assert ((back > 0) == known).all()
    if known.any():
        promised = np.log(depth[known].max() / depth[known].min()) / 131068
        assert np.abs(back[known] / depth[known] - 1).max() <= promised + 1e-12


@same_folder
@given(depth=maps)
def test_order_is_kept(tmp_path: Path, depth: np.ndarray) -> None:
    write_depth(tmp_path / "d.png", depth)
    back = read_depth(tmp_path / "d.png").ravel()
    assert (np.diff(back[np.argsort(depth.ravel(), kind="stable")]) >= 0).all()


def test_the_error_reaches_what_is_promised_and_no_more(tmp_path: Path) -> None:
    depth = np.geomspace(1.0, 20.0, 300 * 401).reshape(300, 401)
    write_depth(tmp_path / "d.png", depth)
    worst = np.abs(read_depth(tmp_path / "d.png") / depth - 1).max()
    assert 2.0e-5 < worst < 2.3e-5


def test_a_second_writing_gives_the_same_bytes(tmp_path: Path) -> None:
    depth = np.linspace(0.5, 9.0, 24).reshape(4, 6)
    for name in ("a.png", "b.png"):
        write_depth(tmp_path / name, depth)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("depth", [np.ones(3), np.full((2, 2), -1.0), np.full((2, 2), np.nan), np.empty((0, 2))])
def test_nonsense_is_refused(tmp_path: Path, depth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="write_depth: expected"):
        write_depth(tmp_path / "d.png", depth)


def test_another_png_is_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "gray.png")
    with pytest.raises(ValueError, match="16-bit PNG"):
        read_depth(tmp_path / "gray.png")
