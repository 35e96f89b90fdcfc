"""``run.json``: the record of a run, from which it can be reported, compared and reproduced."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from ...stages.failure import StageFailure
from ...stages.provenance import diptych_version, git_state, requirements
from ...stages.writing import atomic_write
from ..cache.codec import canonical, digest
from ..cache.keys import ABSENT, Ingredients, library_version
from ..cache.store import Store
from ..engine.collection import Collection
from ..engine.graph import Graph, Vertex
from ..engine.options import PhotoOptions, RunOptions
from ..engine.registry import name_of
from ..engine.runner import Execution, cores
from ..engine.tasks import Outcome
from .citations import citations

FORMAT = 1

COMMON = ("stage", "version", "code", "parameters", "libraries", "files", "device")
"""The ingredients of a key that all items of a node share."""


def make_record(
    graph: Graph,
    recipe: str,
    collection: Collection,
    options: RunOptions,
    store: Store,
    execution: Execution,
    *,
    seconds: float,
    warnings: list[str],
    failure: StageFailure | None,
    outputs: dict[str, str],
) -> dict[str, Any]:
    """The record of a run that has just ended, as a JSON tree.

    Args:
        recipe: its name.
        seconds: wall time of the whole run.
        failure: why it failed, if it did.
        outputs: digests of the files in the output folder by name.
    """
    ended = datetime.now(UTC)
    libraries = {*requirements(), *(name for vertex in graph.vertices for name in type(vertex.stage).libraries)}
    record = {
        "format": FORMAT,
        "name": collection.folder.name,
        "began": (ended - timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        "when": ended.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "command": sys.argv,
        "photos": {
            "folder": str(collection.folder),
            "files": [{"name": file.name, "digest": file.digest} for file in collection.files],
        },
        "options": _options(collection.options),
        "seed": options.seed,
        "until": options.until,
        "workers": options.workers or cores(),
        "device": options.device,
        "store": store.address,
        "recipe": {"name": recipe, "nodes": [_node(vertex, execution) for vertex in graph.vertices]},
        "citations": list(citations(type(vertex.stage) for vertex in graph.vertices)),
        "failure": _failure(failure, execution.failed),
        "warnings": warnings,
        "outputs": outputs,
        "versions": {
            "diptych": diptych_version(),
            "python": platform.python_version(),
            **{name: version for name in sorted(libraries) if (version := library_version(name)) != ABSENT},
        },
        "git": git_state(),
        "hardware": _hardware(),
        "tasks": [_task(outcome) for outcome in execution.outcomes.values()],
    }
    return {**record, "digest": content_digest(record)}


def content_digest(record: dict[str, Any]) -> str:
    """The digest of all other fields of a record, which shows whether it was edited."""
    fields = {name: value for name, value in record.items() if name != "digest"}
    return digest(canonical(json.loads(_json(fields))).encode())


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record atomically, with one line per task."""
    tasks = ",\n  ".join(_json(task) for task in record["tasks"])
    head = json.dumps({**record, "tasks": []}, indent=1, ensure_ascii=False, default=str)
    with atomic_write(path) as aside:
        aside.write_text(head.replace('"tasks": []', f'"tasks": [\n  {tasks}\n ]' if tasks else '"tasks": []'), "utf-8")


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of a run from ``run.json`` or its folder; the store may have moved with the folder.

    Raises:
        StageFailure: ``no-record`` or ``bad-record``.
    """
    path = path / "run.json" if path.is_dir() else path
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StageFailure("no-record", f"There is no {path}.", hint="Give the folder or run.json of a run.") from None
    except (OSError, ValueError) as error:
        raise StageFailure("bad-record", f"{path} cannot be read: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise StageFailure("bad-record", f"{path} is not the record of a run that this version can read.")
    if "digest" in record and record["digest"] != content_digest(record):
        raise StageFailure("bad-record", f"{path} was changed after the run had written it.")
    beside = path.with_name("store")
    if beside.is_dir() and not Path(record["store"]).exists():
        record["store"] = str(beside.resolve())
    return record


def ingredients_of(record: dict[str, Any]) -> dict[tuple[str, str], Ingredients]:
    """The ingredients of the key of every finished task of a record, by node and item."""
    common = {node["name"]: {name: node[name] for name in COMMON if name in node} for node in record["recipe"]["nodes"]}
    return {
        (task["node"], task["item"]): {
            **common[task["node"]],
            "inputs": task["inputs"],
            **({} if task["seed"] is None else {"seed": task["seed"]}),
        }
        for task in record["tasks"]
        if task["output"]
    }


def outputs_of(record: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The digest of the result of every finished task of a record, by node and item."""
    return {(task["node"], task["item"]): task["output"] for task in record["tasks"] if task["output"]}


def cost_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Wall and processor seconds and peak memory of all tasks of a run.

    A task whose result was in the store counts with the cost of the run that computed it, so the cost of a run does not
    depend on earlier runs.
    """
    done = [task for task in record["tasks"] if task["output"]]
    return {
        "seconds": float(sum(task["seconds"] for task in done)),
        "cpu_seconds": float(sum(task["cpu_seconds"] for task in done)),
        "peak_memory": float(max((task["peak_rss"] for task in done), default=0)),
    }


def options_of(record: dict[str, Any]) -> PhotoOptions:
    """How the photos of a recorded run were read, and the folder of their truth."""
    options = record["options"]
    # Records of earlier versions have no field for the truth.
    masks, truth = (Path(folder) if folder else None for folder in (options["masks"], options.get("truth")))
    return PhotoOptions(options["cameras"], options["camera"], masks, truth)


def recipe_tables(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The recipe of a record, for :meth:`diptych.pipeline.engine.recipe.Recipe.from_dict`."""
    return {node["name"]: {"use": node["use"], **node["parameters"]} for node in record["recipe"]["nodes"]}


def differences(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(name, old, new) of every ingredient that differs; None where one has no such ingredient."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from differences(old.get(name), new.get(name), f"{at}.{name}" if at else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from differences(was, now, f"{at}[{i}]")
    elif old != new:
        yield at, old, new


def name_differences(found: Iterable[tuple[str, Any, Any]]) -> list[str]:
    """Differences as text, each once: with both values where they are short, else only with the name."""
    words: dict[str, None] = {}
    for name, old, new in found:
        texts = [_json(value) for value in (old, new)]
        if name.startswith("inputs"):
            words[name.partition("[")[0].replace("inputs.", "input ")] = None
        elif name.startswith(("code", "seed")) or max(map(len, texts)) > 40:
            words[name] = None
        else:
            words[f"{name} {texts[0]} -> {texts[1]}"] = None
    return list(words)


def _options(options: PhotoOptions) -> dict[str, Any]:
    camera = options.camera
    if camera is not None and Path(camera).exists():
        camera = str(Path(camera).resolve())
    return {
        "cameras": options.cameras,
        "camera": camera,
        "masks": str(options.masks.resolve()) if options.masks else None,
        "truth": str(options.truth.resolve()) if options.truth else None,
    }


def _node(vertex: Vertex, execution: Execution) -> dict[str, Any]:
    return {
        "name": vertex.name,
        "slot": vertex.slot.name,
        "use": name_of(type(vertex.stage)),
        **execution.common.get(vertex.name, {}),
        "extent": vertex.per,
        "inputs": [edge.source for edge in vertex.inputs],
    }


def _task(outcome: Outcome) -> dict[str, Any]:
    node, item = outcome.id
    record = outcome.record
    return {
        "node": node,
        "item": item,
        "status": outcome.status,
        "hit": outcome.status == "hit",
        "key": record.key if record else None,
        "output": record.output if record else None,
        "seconds": round(record.seconds, 4) if record else None,
        "cpu_seconds": round(record.cpu_seconds, 4) if record else None,
        "peak_rss": record.peak_rss if record else None,
        "exclusive": record.exclusive if record else None,
        "when": datetime.fromtimestamp(record.when, UTC).isoformat(timespec="seconds") if record else None,
        "warnings": list(record.warnings) if record else [],
        "seed": outcome.seed,
        "inputs": outcome.inputs,
    }


def _failure(failure: StageFailure | None, outcome: Outcome | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    tree = {"code": failure.code, "sentence": failure.sentence, "hint": failure.hint, "facts": failure.facts}
    if outcome is None:
        return tree
    node, item = outcome.id
    return {**tree, "node": node, "item": item, **({"trace": outcome.trace} if outcome.trace else {})}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)


def _hardware() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": _gpu(),
        "system": platform.platform(),
    }


def _cpu() -> str:
    """The model of the processor from Linux; elsewhere its name or architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _gpu() -> str | None:
    """The GPU and the version of CUDA, if a stage has imported torch."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}"


def file_digest(path: Path) -> str:
    """The digest of a file's bytes."""
    return digest(path.read_bytes())
