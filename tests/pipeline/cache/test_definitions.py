"""What is kept of a file's definitions from one process to the next: it saves reading, and never outlives an edit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from diptych.pipeline.cache import definitions
from diptych.pipeline.cache.definitions import Definitions, cache_file, read_definitions

SOURCE = '''
"""A module."""

from math import tau

from .other import helper as help, rest

SCALE, OFFSET = 2.0, 1.0

if SCALE:
    import json


def turned(x):
    """Turns."""
    from .late import after

    return json.dumps(help.me(tau * x)) + after
'''
LONG_AGO = 1_000_000_000


def long_ago(file: Path) -> None:
    """As if nobody had edited the file for long."""
    os.utime(file, (LONG_AGO, LONG_AGO))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of a user who has not run Diptych yet."""
    monkeypatch.setattr(definitions, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


def as_a_new_process(file: Path) -> Definitions:
    definitions._read.cache_clear()
    return read_definitions("plugin.module", "plugin", file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "module.py"
    file.write_text(SOURCE)
    long_ago(file)
    return file


def test_what_a_file_says(file: Path) -> None:
    found = as_a_new_process(file)
    assert list(found.defined) == ["SCALE", "OFFSET", "turned"]
    assert found.imports["help"] == ("plugin.other", "helper")
    assert found.imports["json"] == ("json", "*")
    (turned,) = found.of({"turned"})
    assert "Turns" not in turned.text
    assert {("json", "dumps"), ("help", "me"), ("tau", ""), ("x", "")} <= set(turned.names)
    assert turned.imports == [("plugin.late", "after")]
    assert [statement.imports for statement in found.always] == [[("json", "*")]]
    assert len(found.of({"*"})) == 3, "the statement that defines two names counts for each"


def test_what_is_kept_is_what_was_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = as_a_new_process(file)
    monkeypatch.setattr(definitions, "_parsed", lambda *_: pytest.fail("the file was read again"))
    assert as_a_new_process(file) == found


def test_an_edit_is_seen_even_where_time_and_size_stay(file: Path) -> None:
    before = as_a_new_process(file)
    file.write_text(SOURCE.replace("2.0", "3.0"))
    long_ago(file)
    assert as_a_new_process(file).of({"SCALE"}) != before.of({"SCALE"})


def test_a_file_that_may_yet_change_unseen_is_not_kept(file: Path) -> None:
    file.write_text(SOURCE)
    as_a_new_process(file)
    assert not cache_file(file).exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"origin": 1}', b"\xff\xfe"])
def test_what_is_damaged_is_made_again(file: Path, damage: bytes) -> None:
    found = as_a_new_process(file)
    whole = cache_file(file).read_bytes()
    cache_file(file).write_bytes(damage)
    assert as_a_new_process(file) == found
    assert cache_file(file).read_bytes() == whole


def test_what_is_cut_off_is_made_again(file: Path) -> None:
    found = as_a_new_process(file)
    whole = cache_file(file).read_bytes()
    for length in range(0, len(whole), 97):
        cache_file(file).write_bytes(whole[:length])
        assert as_a_new_process(file) == found


def test_another_module_of_the_same_file_is_another(file: Path) -> None:
    as_a_new_process(file)
    assert read_definitions("elsewhere.module", "elsewhere", file).imports["help"] == ("elsewhere.other", "helper")


def test_what_another_python_or_another_diptych_kept_is_not_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_a_new_process(file)
    before = cache_file(file).read_bytes()
    monkeypatch.setattr(definitions, "_MADE_BY", ["3.99.0", "0"])
    as_a_new_process(file)
    assert cache_file(file).read_bytes() != before


def test_a_place_that_cannot_be_written_to_is_done_without(file: Path, cache: Path) -> None:
    cache.write_text("in the way")
    assert as_a_new_process(file).defined


def test_nothing_is_left_beside_the_file(file: Path, cache: Path) -> None:
    as_a_new_process(file)
    assert list(file.parent.glob("**/*.py*")) == [file]
    assert cache_file(file).is_relative_to(cache) and cache_file(file).is_file()


KEY = """
import sys
sys.path.insert(0, sys.argv[1])
import plugin
from diptych.pipeline.cache.sourcecode import code_digests
print(code_digests(plugin.Mine))
"""


def test_a_helper_that_is_edited_moves_the_key_in_another_process(tmp_path: Path) -> None:
    files = {
        "plugin.py": "from helper import used\n\nclass Mine:\n    run = used\n",
        "helper.py": "def used(): return 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        long_ago(tmp_path / name)

    def key() -> str:
        environment = {**os.environ, **dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(tmp_path))}
        return subprocess.run(
            [sys.executable, "-B", "-c", KEY, str(tmp_path)],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        ).stdout

    before = key()
    assert "helper" in before and list(tmp_path.glob("**/definitions/*.json"))
    assert key() == before
    (tmp_path / "helper.py").write_text("def used(): return 2\n")
    long_ago(tmp_path / "helper.py")
    assert key() != before
