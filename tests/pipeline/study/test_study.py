"""Study files: what they say, and what is said of those that do not say enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from diptych.pipeline.study.study import read_study
from diptych.stages.failure import StageFailure
from diptych.stages.features.sift import Sift
from diptych.stages.mvs.sgm import Sgm

STUDY = """
recipe = "classical"
seeds = [3, 5]
keypoints = 900
until = "depths"
base = "b · SGM"
[set]
"views.max_size" = 320
[scenes.yard]
photos = "yard/photos"
truth = "yard/truth"
[scenes.hall]
photos = "/data/hall"
camera = "PINHOLE,1,1,1,1"
[vary]
depths = { PM = "PatchMatch", SGM = "Sgm" }
[vary.front]
a = { "matches.ratio" = 0.7 }
b = { "matches.ratio" = 0.8, "features.max_size" = 400 }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_says_it_all(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, STUDY.replace('base = "b · SGM"', 'base = "SGM · b"')))
    assert study.name == "study"
    assert [scene.photos for scene in study.scenes] == [tmp_path / "yard/photos", Path("/data/hall")]
    assert study.scenes[0].truth == tmp_path / "yard/truth"
    assert study.scenes[1].options.camera == "PINHOLE,1,1,1,1"
    assert [v.name for v in study.variants] == ["SGM · b", "PM · a", "PM · b", "SGM · a"]
    assert study.base == "SGM · b"
    base = study.variants[0].recipe
    assert base["features"] == Sift(max_keypoints=900, max_size=400)
    assert base["depths"] == Sgm()
    assert base["views"].max_size == 320  # type: ignore[attr-defined]
    assert study.seeds == (3, 5)
    assert study.axes == {"depths": ("PM", "SGM"), "front": ("a", "b")}


def test_variants_may_be_listed(tmp_path: Path) -> None:
    text = """
        [scenes.s]
        photos = "p"
        [variants.exact]
        [variants.quick]
        depths = "Sgm"
        mesh = { use = "Tsdf" }
    """
    study = read_study(write(tmp_path, text))
    assert [v.name for v in study.variants] == ["exact", "quick"]
    assert study.axes == {}
    assert [type(n.stage).__name__ for n in study.variants[1].recipe.nodes][-1] == "Tsdf"


SCENE = '[scenes.s]\nphotos = "p"\n'


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[", "bad-study", "cannot be read"),
        ('[vary]\ndepths = ["Sgm"]', "empty-study", "no scenes"),
        (SCENE, "bad-study", "says nothing that varies"),
        (SCENE + "[vary]\ndepths = []", "empty-axis", "no alternatives for 'depths'"),
        (SCENE + '[vary]\ndepths = ["Sgm", "Sgm"]\nmesh = ["Tsdf"]', "", ""),
        ('seeds = 0\n[vary]\ndepths = ["Sgm"]\n' + SCENE, "bad-study", "0 for seeds"),
        ('seeds = [1, 1]\n[vary]\ndepths = ["Sgm"]\n' + SCENE, "empty-study", "Two seeds"),
        ('color = 1\n[vary]\ndepths = ["Sgm"]\n' + SCENE, "bad-study", "unknown 'color'"),
        ('[scenes.s]\ntruth = "p"\n[vary]\ndepths = ["Sgm"]', "bad-study", "where the photos of 's' are"),
        (SCENE + 'depth = 3\n[vary]\ndepths = ["Sgm"]', "bad-study", "unknown 'depth'"),
        ('base = "x"\n' + SCENE + '[vary]\ndepths = ["Sgm"]', "unknown-variant", "named 'x'"),
    ],
)
def test_bad_files_are_told_from_good_ones(tmp_path: Path, text: str, code: str, said: str) -> None:
    path = write(tmp_path, text)
    if not code:
        assert len(read_study(path).variants) == 1  # the same alternative twice is one
        return
    with pytest.raises(StageFailure) as caught:
        read_study(path)
    assert caught.value.code == code
    assert said in caught.value.sentence
