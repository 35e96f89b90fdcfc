"""The HTML file around a page: one that needs no network and no other file; and what every page has in common."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np

from .words import plural


def write_page(path: Path, *, title: str, body: Sequence[str], scripts: Sequence[str]) -> None:
    """Write one HTML file with the style and the scripts in it.

    Args:
        title: text, not markup.
        body: sections as HTML; empty ones are left out.
        scripts: names of files beside this one, in the order in which they run.
    """
    page = Template(asset("page.html")).substitute(
        title=escape(title),
        style=asset("page.css"),
        body="\n".join(filter(None, body)),
        script="".join(map(asset, scripts)),
    )
    path.write_text(page, encoding="utf-8")


def asset(name: str) -> str:
    """The text of a script or style sheet."""
    return (Path(__file__).parent / "assets" / name).read_text(encoding="utf-8")


def data_script(name: str, value: object) -> str:
    """A value for the page's scripts, by its name; nothing in it can end the element it stands in."""
    text = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def packed_array(values: np.ndarray, dtype: str) -> str:
    """The bytes of an array in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")


def image_source(image: np.ndarray, quality: int | None = None) -> str:
    """An RGB image as the address of an ``img``: WebP of a quality from 1 to 100, or PNG that keeps every value."""
    suffix, option = (".png", cv2.IMWRITE_PNG_COMPRESSION) if quality is None else (".webp", cv2.IMWRITE_WEBP_QUALITY)
    _, encoded = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), [option, quality or 9])
    return f"data:image/{suffix[1:]};base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def picture(image: np.ndarray, width: int, alt: str, quality: int | None = None) -> str:
    """An RGB image, at most so wide, as an ``img`` that is decoded when it comes into sight and has its place before.

    Args:
        alt: what it shows, as text.
        quality: as in :func:`image_source`.
    """
    small = shrunk(image, width)
    return (
        f'<img src="{image_source(small, quality)}" alt="{escape(alt)}" width="{small.shape[1]}" '
        f'height="{small.shape[0]}" loading="lazy" decoding="async">'
    )


def shrunk(image: np.ndarray, width: int) -> np.ndarray:
    """An image that is no wider than so many pixels."""
    height, wide = image.shape[:2]
    if wide <= width:
        return image
    return cv2.resize(image, (width, max(1, round(height * width / wide))), interpolation=cv2.INTER_AREA)


def failure_notice(failure: Mapping[str, Any] | None) -> str:
    """What went wrong, with its hint, its facts and its traceback; nothing where nothing did."""
    if not failure:
        return ""
    facts = ", ".join(f"{name} {value}" for name, value in (failure.get("facts") or {}).items())
    trace = escape(str(failure.get("trace") or ""))
    where = " of ".join(filter(None, (str(failure.get("item") or ""), str(failure.get("node") or ""))))
    lines = [
        f"<p>{escape(str(failure.get('hint')))}</p>" if failure.get("hint") else "",
        f'<p class="soft">{escape(facts)}</p>' if facts else "",
        f'<p class="soft"><code>{escape(str(failure.get("code", "failure")))}</code>'
        f"{f' at {escape(where)}' if where else ''}</p>",
        f"<details><summary>Traceback</summary><pre>{trace}</pre></details>" if trace else "",
    ]
    sentence = escape(str(failure.get("sentence") or "The run failed."))
    return f'<div class="notice failure" role="alert"><h2>{sentence}</h2>{"".join(lines)}</div>'


def warnings_notice(warnings: Sequence[object]) -> str:
    """Sentences that a person should know."""
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(str(warning))}</li>" for warning in warnings)
    return f'<div class="notice"><h2>{plural(len(warnings), "warning")}</h2><ul>{items}</ul></div>'
