"""The pages are true: their code runs, in order, and prints what they show."""

from __future__ import annotations

import ast
import importlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from diptych.pipeline.cli import app
from diptych.stages.slots import SLOTS
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = ("first-reconstruction", "by-hand", "your-own-stage", "a-study")

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w-]+\.(?:py|toml))\n")
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?(?!\w)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The file that the reader saves it as, said in its first line; empty for code that is run."""
        named = _FILE.match(self.text)
        return named[1] if named else ""


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in _BLOCK.finditer(text)]


@dataclass
class Reader:
    """Somebody who does what a page says, from top to bottom, in a folder with the sample photos."""

    page: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "reader"})
    status: int = 0

    def follow(self) -> None:
        blocks = blocks_of(self.page)
        for block, following in zip_longest(blocks, blocks[1:]):
            if block.file:
                Path(block.file).write_text(block.text, "utf-8")
            elif block.language == "python":
                shown = following.text if following and following.language == "text" else ""
                self.compare(block, shown, self.printed_by(block))
            elif block.language == "console":
                for command, shown in commands_of(block.text):
                    self.compare(block, shown, self.answer_to(command))
            else:
                assert block.language == "text", f"{self.page.name}:{block.line}: what is {block.language}?"

    def printed_by(self, block: Block) -> str:
        code = compile("\n" * block.line + block.text, str(self.page), "exec", dont_inherit=True)
        with redirect_stdout(io.StringIO()) as output:
            exec(code, self.names)
        return output.getvalue()

    def answer_to(self, command: str) -> str:
        """Standard output of a command, then what went wrong."""
        if command == "echo $?":
            return str(self.status)
        program, *arguments = shlex.split(command)
        assert program == "diptych", command
        result = CliRunner().invoke(app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.status = result.exit_code
        errors = [line for line in result.stderr.splitlines() if line.startswith(("error:", "hint:"))]
        return "\n".join([result.stdout, *errors])

    def compare(self, block: Block, shown: str, printed: str) -> None:
        assert agrees(shown, printed), f"{self.page.name}:{block.line} shows\n{shown}\nbut its code says\n{printed}"


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """The commands after each ``$``, with ``\\`` at the end of a line that goes on, and what is shown below them."""
    for part in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def agrees(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed: the same words, and numbers that are near.

    ``...`` stands for anything in a line. A whole number may be off by a twentieth and another one by a quarter or by
    one in its last place: another processor rounds otherwise, and its seeds draw on that. Blanks that align columns and
    empty lines do not count.
    """
    lines = [[line for line in text.splitlines() if line.strip()] for text in (shown, printed)]
    return len(lines[0]) == len(lines[1]) and all(map(_line_agrees, *lines))


def _line_agrees(shown: str, printed: str) -> bool:
    words = _NUMBER.split(shown.strip())
    pattern = f"({_NUMBER.pattern})".join(re.escape(part).replace(r"\.\.\.", ".*?") for part in words)
    found = re.fullmatch(re.sub(r"(?:\\ )+", r"\\s+", pattern), printed.strip())
    return bool(found) and all(map(_near, _NUMBER.findall(shown), found.groups()))


def _near(shown: str, printed: str) -> bool:
    expected, got = (float(number.replace(",", "")) for number in (shown, printed))
    decimals = re.search(r"\.(\d+)", shown)
    allowed = max(0.25 * abs(expected), 10.0 ** -len(decimals[1])) if decimals else 0.05 * abs(expected)
    return abs(expected - got) <= allowed


@pytest.fixture
def beside_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A new folder as the reader's own, where the sample photos are, and modules can be imported from."""
    (tmp_path / "data_samples").symlink_to(ROOT / "data_samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("DIPTYCH_STORE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    list(SLOTS)  # With those of entry points, which are loaded once.
    monkeypatch.setattr(SLOTS, "_known", dict(SLOTS._known))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.mark.parametrize("name", TUTORIALS)
@pytest.mark.usefixtures("beside_the_samples")
def test_a_tutorial_does_what_it_says(name: str) -> None:
    Reader(ROOT / "docs" / f"{name}.md").follow()


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("12 photos", "12 photos", True),
        ("12 photos", "11 photos", False),
        ("8,439 points", "8,300 points", True),
        ("mean 0.0011, ... s", "mean 0.0012, 31.4 s", True),
        ("mean 0.0011", "mean 0.0022", False),
        ("mean 0.0011", "median 0.0011", False),
        ("a   1.00\n", "\na 1.01", True),
        ("courtyard_01.jpg", "courtyard_02.jpg", False),
        ("", "something", False),
    ],
)
def test_what_counts_as_the_same_output(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same


@pytest.mark.usefixtures("beside_the_samples")
@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1 / 0)\n```\n",
        "```python\nprint(7)\n```\n\n```text\n8\n```\n",
        "```python\nprint('not shown')\n```\n",
        "```console\n$ diptych stages\nnothing\n```\n",
        "```console\n$ diptych run nowhere --out out\n$ echo $?\n0\n```\n",
    ],
)
def test_a_page_that_is_wrong_is_found_out(text: str) -> None:
    Path("page.md").write_text(text)
    with pytest.raises((AssertionError, ZeroDivisionError)):
        Reader(Path("page.md")).follow()


def test_the_code_in_the_readme_compiles_and_names_what_exists() -> None:
    blocks = [block for block in blocks_of(ROOT / "README.md") if block.language == "python"]
    assert len(blocks) >= 3
    for block in blocks:
        tree = ast.parse(block.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert not [name.name for name in node.names if not hasattr(module, name.name)], block.line
            elif isinstance(node, ast.Import):
                for name in node.names:
                    importlib.import_module(name.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dp":
                assert hasattr(importlib.import_module("diptych"), node.attr), node.attr
