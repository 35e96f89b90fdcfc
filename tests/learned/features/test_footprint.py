"""What a learned detector says it needs follows the size that it searches at, not the size of the photo."""

from __future__ import annotations

from typing import Any

import pytest
from diptych.learned.features.aliked import Aliked
from diptych.learned.features.disk import Disk
from diptych.learned.features.lightglue import LightGlue
from diptych.learned.features.xfeat import XFeat
from diptych.stages.stage import Sizes


@pytest.mark.parametrize("stage", [Aliked, Disk, XFeat])
def test_half_the_size_needs_a_quarter(stage: Any) -> None:
    photo = 4000 * 3000 * 8
    large, small, whole = (
        stage(max_size=size).footprint(Sizes(5, ((4000, 3000), (800, 600)))) - photo for size in (2000, 1000, 0)
    )
    assert large == pytest.approx(4 * small, rel=1e-3)
    assert whole == pytest.approx(4 * large, rel=1e-3)
    assert stage(max_size=0).footprint(Sizes(1, ((800, 600),))) < stage(max_size=900).footprint(Sizes(1, ((900, 700),)))


def test_lightglue_needs_the_square_of_its_keypoints() -> None:
    sizes = Sizes(5, ((800, 600),))
    none = LightGlue(max_keypoints=0).footprint(sizes)
    few, many = (LightGlue(max_keypoints=n).footprint(sizes) - none for n in (1000, 2000))
    assert many == 4 * few > 0
