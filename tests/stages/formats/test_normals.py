"""Maps of normals survive their file up to its steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.formats.normals import read_normals, write_normals
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 30), width=st.integers(1, 30))
def test_normals_come_back_within_their_steps(
    tmp_path_factory: pytest.TempPathFactory, seed: int, height: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    normals = rng.standard_normal((height, width, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[rng.random((height, width)) < 0.2] = 0
    path = tmp_path_factory.getbasetemp() / "normals.png"
    write_normals(path, normals)
    again = read_normals(path)
    there = normals.any(axis=2)
    np.testing.assert_array_equal(again.any(axis=2), there)
    assert np.allclose(np.linalg.norm(again[there], axis=1), 1)
    cosine = np.einsum("ni,ni->n", again[there], normals[there])
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max(initial=0) < 0.4


def test_what_is_no_map_of_normals_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        write_normals(tmp_path / "a.png", np.zeros((4, 5)))
    with pytest.raises(ValueError, match="length 1"):
        write_normals(tmp_path / "a.png", np.full((4, 5, 3), 0.9))
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "gray.png")
    with pytest.raises(ValueError, match="RGB"):
        read_normals(tmp_path / "gray.png")
