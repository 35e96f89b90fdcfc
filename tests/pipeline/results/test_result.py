"""A result in a notebook: short, true, and harmless with any name."""

from __future__ import annotations

from pathlib import Path

import diptych as dp
import pytest

from tests.pipeline.toys import TOY, Corners


def test_a_result_is_shown_in_a_few_lines(photos: Path, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "<out>", recipe=TOY, progress=False)
    text, page = repr(result), result._repr_html_()
    assert "recipe 'toy', 4 photos" in text
    assert "features: 4, pairs: 1, matches: 6" in text
    assert "toys:Corners</td><td>4</td>" in page
    assert "&lt;out&gt;" in page and "<out>" not in page
    assert len(text) < 500 and len(page) < 2000


def test_a_failed_run_says_so(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(dp.StageFailure):
        dp.run(photos, out=tmp_path, recipe=TOY.with_(features=Corners(fails_above=0.0)), progress=False)
    assert "4 photos, failed; features: 0" in repr(dp.Result.load(tmp_path))
