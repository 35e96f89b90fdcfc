"""What to cite for a run."""

from __future__ import annotations

import re
from pathlib import Path

import diptych as dp
import diptych.stages
import numpy as np
import pytest
from diptych.pipeline.cli import app
from diptych.pipeline.engine import registry
from diptych.pipeline.engine.built_in import BUILT_IN
from diptych.pipeline.results.citations import citations, read_entries
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Features
from diptych.stages.stage import Stage
from PIL import Image
from toys import Corners
from typer.testing import CliRunner

BIB = Path(diptych.stages.__file__).with_name("references.bib")  # type: ignore[arg-type]


def available() -> list[type[Stage]]:
    """Diptych's own stages whose packages are installed."""
    found = []
    for name in BUILT_IN:
        try:
            found.append(registry.find(name))
        except StageFailure:
            continue
    return found


STAGES = available()
by_name = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)


@by_name
def test_what_a_stage_says_it_is_after_is_cited(stage: type[Stage]) -> None:
    """Every year in its docstring is that of a paper whose first author stands there too."""
    said = stage.__doc__ or ""
    entries = citations([stage]).values()
    for year in re.findall(r"\b(?:19|20)\d\d\b", said):
        authors = [re.findall(r"author = \{([^,]+),", entry)[0] for entry in entries if f"year = {{{year}}}" in entry]
        assert any(author in said for author in authors), f"nothing of {year} is cited"


def test_every_entry_is_used() -> None:
    assert citations(STAGES).keys() == read_entries(BIB).keys()


def test_entries_are_sorted_whole_and_in_one_form() -> None:
    text = BIB.read_text("utf-8")
    entries = read_entries(BIB)
    assert len(entries) == text.count("\n@"), "no entry is lost and no key is there twice"
    assert list(entries) == sorted(entries)
    for key, entry in entries.items():
        kind, *lines, end = entry.splitlines()
        fields = dict(re.findall(r"^  (\w+) = \{(.+)\},?$", entry, re.MULTILINE))
        assert len(fields) == len(lines), key
        where = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}
        assert {"author", "title", "year", where[kind[1:].partition("{")[0]]} <= fields.keys(), key
        assert key.startswith(fields["year"], len(key.rstrip("abcdefghijklmnopqrstuvwxyz")) - 4), key
        assert entry.count("{") == entry.count("}") and end == "}"
        assert all(line.endswith(",") for line in lines[:-1]) and not lines[-1].endswith(","), key
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.1000/none")), key


def test_bases_are_cited_and_nothing_twice() -> None:
    two_view, tracks = registry.find("PoseLibTwoView"), registry.find("UnionFindTracks")
    keys = list(citations([two_view, tracks, two_view]))
    assert keys == ["larsson2020", "chum2003", "nister2004", "schoenberger2016sfm", "moulon2012"]


class Invented(Corners):
    """Stands on a paper that nobody has written."""

    papers = ("nobody2030",)


def test_a_paper_without_an_entry_stops_a_run_before_it_begins(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match=r"Invented cites 'nobody2030'.*\[unknown-paper\]"):
        dp.run(photos, out=tmp_path / "out", recipe=toy.with_(features=Invented()), progress=False)
    assert not (tmp_path / "out").exists()


def test_a_package_brings_its_own_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugged.py").write_text(
        "from toys import Corners\nclass Plugged(Corners):\n    papers = ('me2026', 'lowe2004')\n"
    )
    (tmp_path / "references.bib").write_text("@misc{me2026,\n  author = {Me},\n  year = {2026}\n}\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = citations([registry.find("plugged:Plugged")])
    assert found["me2026"] == "@misc{me2026,\n  author = {Me},\n  year = {2026}\n}"
    assert found["lowe2004"] == read_entries(BIB)["lowe2004"]


def test_a_run_leaves_what_to_cite(tmp_path: Path) -> None:
    for i in range(2):
        noise = np.random.default_rng(i).integers(0, 255, (60, 80), np.uint8)
        Image.fromarray(noise).resize((320, 240)).save(tmp_path / f"{i}.png")
    out = tmp_path / "out"
    found = dp.run(tmp_path, out=out, until="matches", progress=False)
    assert found.record["citations"] == ["lowe2004", "arandjelovic2012"]
    text = (out / "references.bib").read_text("utf-8")
    assert list(read_entries(out / "references.bib")) == found.record["citations"]
    assert CliRunner().invoke(app, ["cite", str(out)]).output == text
    assert "moulon2012" in CliRunner().invoke(app, ["cite", "--recipe", "classical"]).output


def test_nothing_is_written_where_nothing_is_to_be_cited(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    found = dp.run(photos, out=tmp_path / "out", recipe=toy, until="features", progress=False)
    assert found.record["citations"] == []
    assert not (tmp_path / "out" / "references.bib").exists()
    assert isinstance(found["features"]["a.png"], Features)


def test_a_study_cites_what_its_variants_stand_on(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    for i, keys in enumerate(([], ["lowe2004"])):
        recipe = toy.with_(features=[Corners(), Cited()][i]) if keys else toy
        dp.run(
            photos, out=tmp_path / "trials" / "scene" / str(i) / "0", recipe=recipe, until="features", progress=False
        )
    assert list(read_bibtex(dp.cite(tmp_path), tmp_path)) == ["lowe2004"]


class Cited(Corners):
    """Stands on a paper."""

    papers = ("lowe2004",)


def read_bibtex(text: str, folder: Path) -> dict[str, str]:
    (folder / "said.bib").write_text(text, "utf-8")
    return read_entries(folder / "said.bib")
