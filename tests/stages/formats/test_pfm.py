"""PFM images of both byte orders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from diptych.stages.formats.pfm import read_pfm


@pytest.mark.parametrize(("order", "scale"), [("<", "-1.0"), (">", "1")])
@pytest.mark.parametrize("shape", [(3, 5), (4, 2, 3)])
def test_the_last_row_comes_first_in_the_file(tmp_path: Path, order: str, scale: str, shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 4.5
    image.flat[1] = np.inf
    kind = "PF" if len(shape) == 3 else "Pf"
    head = f"{kind}\n{shape[1]} {shape[0]}\n{scale}\n".encode()
    (tmp_path / "a.pfm").write_bytes(head + image[::-1].astype(f"{order}f4").tobytes())
    np.testing.assert_array_equal(read_pfm(tmp_path / "a.pfm"), image)


def test_bytes_that_look_like_white_space_belong_to_the_numbers(tmp_path: Path) -> None:
    image = np.frombuffer(b"\n\r \t\x20\x0a\x0d\x09", "<f4").reshape(1, 2)
    (tmp_path / "a.pfm").write_bytes(b"Pf\n2 1\n-1\n" + image.tobytes())
    np.testing.assert_array_equal(read_pfm(tmp_path / "a.pfm"), image)


def test_another_writer_is_understood(tmp_path: Path) -> None:
    image = np.random.default_rng(1).uniform(0, 100, (7, 9)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "a.pfm"), image)
    np.testing.assert_array_equal(read_pfm(tmp_path / "a.pfm"), image)


@pytest.mark.parametrize("data", [b"", b"P5\n2 2\n255\n1234", b"Pf\n20 20\n-1\n1234"])
def test_what_is_no_pfm_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pfm").write_bytes(data)
    with pytest.raises(ValueError):
        read_pfm(tmp_path / "a.pfm")
