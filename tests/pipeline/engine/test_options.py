"""The options of a run, from keyword arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diptych as dp
import pytest
from diptych.pipeline.engine.options import PhotoOptions, RunOptions, split_options


def test_keywords_are_split_and_paths_may_be_text() -> None:
    photos, run = split_options({"masks": "m", "camera": "PINHOLE,1,1,1,1", "seed": 3, "workers": 2, "until": "depths"})
    assert photos == PhotoOptions(camera="PINHOLE,1,1,1,1", masks=Path("m"))
    assert run == RunOptions(seed=3, workers=2, until="depths")
    assert split_options({}) == (PhotoOptions(), RunOptions())
    assert split_options({"truth": ""})[0].truth is None


@pytest.mark.parametrize("function", [dp.run, dp.plan, dp.compare])
def test_an_unknown_option_is_named(function: Callable[..., object], photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no option 'worker'"):
        function(photos, out=tmp_path, worker=2)


def test_the_store_is_given_or_in_the_environment_or_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIPTYCH_STORE", raising=False)
    assert RunOptions().open_store(tmp_path / "out").address == str(tmp_path / "out" / "store")
    monkeypatch.setenv("DIPTYCH_STORE", str(tmp_path / "mine"))
    assert RunOptions().open_store(tmp_path / "out").address == str(tmp_path / "mine")
    assert RunOptions(store=str(tmp_path / "given")).open_store(tmp_path / "out").address == str(tmp_path / "given")
