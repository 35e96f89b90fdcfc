"""What a network that sees one photo has learned of the scene: its errors, and those that it has to beat."""

from __future__ import annotations

from ....learned.mono.weights import MonoWeights, Part, PointErrors, Predictor
from ..charts.bars import bar
from ..words import plural

_PREDICTORS: dict[Predictor, str] = {
    "constant": "One depth",
    "plane": "One plane",
    "pretrained": "Before",
    "learned": "After",
}
_PARTS: dict[Part, str] = {"train": "Learned from", "validation": "Said when to stop", "test": "Held out"}


def one_photo_section(mono: MonoWeights | None) -> str:
    """The errors of every predictor on every part of the photos; nothing where no network has learned."""
    if mono is None or not mono.errors:
        return ""
    most = max(error.median for error in mono.errors) or 1.0
    head = "".join(
        f'<th colspan="3">{said}, {plural(len(getattr(mono, part)), "photo")}</th>' for part, said in _PARTS.items()
    )
    rows = "".join(
        f"<tr><td>{said}</td>{''.join(_cells(mono.error(predictor, part), most) for part in _PARTS)}</tr>"
        for predictor, said in _PREDICTORS.items()
    )
    return f"""<section><h2>Depth from one photo</h2>
<p class="soft">Median error at the points of the model, before and after a network learned from it: the mean over
photos; and, paler, with each photo at its own scale, which leaves its shape.</p>
<div class="wide scroll" tabindex="0"><table><thead><tr><th></th>{head}</tr></thead>
<tbody>{rows}</tbody></table></div></section>"""


def _cells(error: PointErrors, most: float) -> str:
    return (
        f'<td class="number">{100 * error.median:.1f} %</td><td class="number soft">{100 * error.own_scale:.1f} %</td>'
        f'<td class="chart">{bar(error.median / most)}</td>'
    )
