"""The HTML file of a page: a template filled with data, with the style and the scripts in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .charts.bars import bar, spread_bar
from .words import plural

_FOLDER = Path(__file__).parent


def write_page(path: Path, template: str, *, title: str, scripts: Sequence[str], **data: Any) -> None:
    """Write one HTML file that needs no network and no other file.

    Args:
        path: where to write it.
        template: its name in ``templates``; it escapes all text that is not ``markupsafe.Markup``.
        title: title of the page.
        scripts: names in ``assets``, in the order in which they run.
        data: what the template is filled with.
    """
    script = Markup("").join(map(asset, scripts))
    page = _ENVIRONMENT.get_template(template).render(title=title, style=asset("page.css"), script=script, **data)
    path.write_text(page, encoding="utf-8")


def asset(name: str) -> Markup:
    """The text of a script or style sheet."""
    return Markup((_FOLDER / "assets" / name).read_text(encoding="utf-8"))


def data_script(name: str, value: object) -> Markup:
    """A ``script`` element with a value as JSON for the page's scripts; nothing in the value can end the element."""
    text = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="{name}">{text}</script>')


def packed_array(values: np.ndarray, dtype: str) -> str:
    """The bytes of an array in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode("ascii")


class Thumbnail(NamedTuple):
    """A picture in the page: its data URL, size in pixels, and what it shows."""

    source: str
    width: int
    height: int
    alt: str


def thumbnail(image: np.ndarray, width: int, alt: str, quality: int | None = None) -> Thumbnail:
    """An RGB image shrunk to at most ``width`` pixels; ``quality`` as in :func:`image_source`."""
    small = shrunk(image, width)
    return Thumbnail(image_source(small, quality), small.shape[1], small.shape[0], alt)


def image_source(image: np.ndarray, quality: int | None = None) -> str:
    """The data URL of an RGB image: WebP of a quality from 1 to 100, or lossless PNG."""
    suffix, option = (".png", cv2.IMWRITE_PNG_COMPRESSION) if quality is None else (".webp", cv2.IMWRITE_WEBP_QUALITY)
    _, encoded = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), [option, quality or 9])
    return f"data:image/{suffix[1:]};base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def shrunk(image: np.ndarray, width: int) -> np.ndarray:
    """An image scaled down to at most ``width`` pixels across."""
    height, wide = image.shape[:2]
    if wide <= width:
        return image
    return cv2.resize(image, (width, max(1, round(height * width / wide))), interpolation=cv2.INTER_AREA)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters |= {"plural": plural, "thousands": "{:,}".format}
_ENVIRONMENT.globals |= {"bar": bar, "spread_bar": spread_bar, "data_script": data_script}
