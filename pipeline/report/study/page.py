"""The page of a study: what the difference is, the diptych to look at it, and every number behind it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..citations import citation_section
from ..document import data_script, failure_notice, write_page
from ..run.steps import record_section
from ..viewer.packing import CANVAS, viewer_controls
from ..words import plural
from .numbers import differences_section, effects_section, means_section, summary_rows, time_section, trials_section
from .side_by_side import Diptych, make_diptych

if TYPE_CHECKING:
    from ...study.comparison import Comparison, Trial


def write_study(path: Path, comparison: Comparison) -> None:
    """Write a study's page: one HTML file that needs no network and no other file.

    Args:
        path: where to write it.
        comparison: the finished study; the results of its trials are read one at a time.
    """
    diptych = make_diptych(comparison)
    rows = summary_rows(comparison)
    body = [
        _heading(comparison),
        _conclusions(comparison),
        _failures(comparison),
        _diptych_section(comparison, diptych),
        differences_section(comparison, rows),
        time_section(comparison, rows),
        means_section(comparison, rows),
        effects_section(comparison),
        trials_section(comparison),
        _plan_section(comparison),
        citation_section(trial.record for trial in comparison.trials),
        _record(comparison),
        _photos(diptych),
        data_script("study", diptych.data),
    ]
    write_page(
        path, title=f"{comparison.study.name} · Diptych", body=body, scripts=("viewer.js", "study.js", "pictures.js")
    )


def _heading(comparison: Comparison) -> str:
    study, failed = comparison.study, len(comparison.failed)
    parts = [
        f"<b>{plural(len(study.variants), 'variant')}</b> on <b>{plural(len(study.scenes), 'scene')}</b> with "
        f"<b>{plural(len(study.seeds), 'seed')}</b>",
        f"<b>{plural(comparison.sharing.distinct, 'stage run')}</b> for {comparison.sharing.tasks:,}",
    ]
    if failed:
        parts.append(f"<b>{failed:,}</b> of {plural(len(comparison.trials), 'trial')} failed")
    return f'<h1>{escape(study.name)}</h1>\n<p class="verdict">{", ".join(parts)}</p>'


def _conclusions(comparison: Comparison) -> str:
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in comparison.conclusions)
    return f'<ul class="sentences">{sentences}</ul>' if sentences else ""


def _failures(comparison: Comparison) -> str:
    """Every reason once, with the trials that it stopped."""
    stopped: dict[str, list[Trial]] = {}
    for trial in comparison.failed:
        stopped.setdefault(str((trial.failure or {}).get("sentence")), []).append(trial)
    return "".join(failure_notice({**(trials[0].failure or {}), "item": _named(trials)}) for trials in stopped.values())


def _named(trials: Sequence[Trial]) -> str:
    """Trials in words."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        seeds.setdefault((trial.variant, trial.scene), []).append(str(trial.seed))
    return "; ".join(
        f"{variant} on {scene} with seed{'s' * (len(found) > 1)} {', '.join(found)}"
        for (variant, scene), found in seeds.items()
    )


def _diptych_section(comparison: Comparison, diptych: Diptych) -> str:
    """Two linked viewers, and the depth maps of both behind one slider."""
    if not diptych.data["scenes"]:
        return ""
    variants = comparison.study.variants
    scenes = "".join(f'<option value="{i}">{escape(s["name"])}</option>' for i, s in enumerate(diptych.data["scenes"]))
    shown = list(diptych.data["scenes"][0]["models"])
    beside = (shown[0], shown[-1])
    panels = "".join(
        f'<div class="viewer panel"><select name="variant" aria-label="{side} variant" autocomplete="off">'
        + "".join(
            f'<option value="{i}"{" selected" * (i == chosen)}>{escape(v.name)}</option>'
            for i, v in enumerate(variants)
        )
        + f'</select>{CANVAS}<p class="said"></p></div>'
        for side, chosen in zip(("Left", "Right"), beside, strict=True)
    )
    ranges = "".join(f'<option value="{r:g}"{" selected" * (r == 2)}>± {r:g} %</option>' for r in (0.5, 1, 2, 5, 20))
    left_out = f'<p class="soft"><small>{escape(" ".join(diptych.notes))}</small></p>'
    return f"""<section class="diptych"><h2>The diptych</h2>
<div class="choices"><label>Scene <select name="scene" autocomplete="off">{scenes}</select></label>
<label><input type="checkbox" name="linked" checked autocomplete="off"> turn together</label></div>
<div class="panels">{panels}</div>
{viewer_controls(diptych.layers)}
<div class="facing"><h3>Depth</h3>
<div class="choices"><label>Photo <select name="photo" autocomplete="off"></select></label>
<label>Differences <select name="range" autocomplete="off">{ranges}</select></label></div>
<div class="wipes"><div class="wipe"><canvas data-map="right"></canvas><canvas data-map="left"></canvas><i></i>
<input type="range" min="0" max="100" value="50" step="0.1" autocomplete="off"
aria-label="From left to right"><span></span><span></span></div>
<div class="column"><figure><canvas data-map="difference" role="img" aria-label="Signed difference"></canvas>
<figcaption><span class="scale difference-scale"></span></figcaption></figure>
<figure><img data-map="photo" alt="The photo"></figure></div></div>
<p class="soft difference-said"></p></div>
{left_out}</section>"""


def _plan_section(comparison: Comparison) -> str:
    """How much work sharing saved."""
    sharing = comparison.sharing
    shares = [100 * part / max(sharing.tasks, 1) for part in (sharing.tasks, sharing.distinct, sharing.ran)]
    bars = "".join(
        f'<rect class="{kind}" width="{share:.2f}%" height="34"/>'
        for kind, share in zip(("", "distinct", "ran"), shares, strict=True)
    )
    return f"""<section><h2>What was shared</h2><svg class="sharing" role="img" aria-label="Stage runs">{bars}</svg>
<p class="soft">{escape(sharing.words())}</p>
<ul class="reasons"><li><span class="distinct"></span>different</li><li><span class="ran"></span>ran now</li>
<li><span class="shared"></span>saved by sharing</li></ul></section>"""


def _record(comparison: Comparison) -> str:
    """What all trials have in common, from the record of the first."""
    record = comparison.trials[0].record if comparison.trials else {}
    common = ("when", "workers", "device", "git", "hardware", "versions")
    seeds = ", ".join(map(str, comparison.study.seeds))
    known = {name: record.get(name) for name in common}
    return record_section({**known, "seed": seeds, "until": comparison.study.until})


def _photos(diptych: Diptych) -> str:
    """The photos that the cameras of the viewers show."""
    if not diptych.photos:
        return ""
    cards = "".join(
        f'<figure id="photo-{i}" class="photo"><div class="over">{drawn}</div>'
        f"<figcaption><b>{escape(name)}</b></figcaption></figure>"
        for i, (name, drawn) in enumerate(diptych.photos)
    )
    return f'<section><h2>Photos</h2><div class="photos many">{cards}</div></section>'
