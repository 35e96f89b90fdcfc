"""Results are read-only; their copies are not."""

from __future__ import annotations

from pathlib import Path

import diptych as dp
import numpy as np
import pytest
import torch
from diptych.stages.dense import DepthMap


def test_a_copy_of_an_array_can_be_written_to(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=dense, progress=False)
    stored = next(iter(result.depths.values())).depth
    with pytest.raises(ValueError, match="read-only"):
        stored[0, 0] = 7
    copy = dp.writable(stored)
    np.testing.assert_array_equal(copy, stored)
    copy[0, 0] = 7
    assert next(iter(result.depths.values())).depth[0, 0] != 7
    torch.from_numpy(copy)[0, 0] = 8
    assert copy[0, 0] == 8


def test_a_copy_of_a_dataclass_has_writable_arrays_at_any_depth(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    sparse = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False).sparse
    copy = dp.writable(sparse)
    assert type(copy) is type(sparse)
    copy.models[0].points[:] = 5
    assert (copy.scene.points == 5).all()
    assert not (sparse.scene.points == 5).all()
    assert copy.scene.cameras == sparse.scene.cameras


def test_containers_are_copied_and_other_values_are_returned() -> None:
    zeros = np.zeros(2)
    zeros.setflags(write=False)
    copy = dp.writable({"a": [zeros, (zeros, "text")]})
    copy["a"][1][0][0] = 1  # type: ignore[index]
    assert zeros[0] == 0
    assert dp.writable("text") == "text"
    assert dp.writable(DepthMap) is DepthMap
