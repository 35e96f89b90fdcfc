"""Compare two runs: the first artifacts that differ, by how much, and the ingredients of their keys that differ.

Records are compared in the order of the data flow: photos, the results of every node, files. A result is a cause of the
difference if an ingredient of its own key differs, and a consequence if only its inputs differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...stages.failure import StageFailure
from ...stages.slots import SLOTS
from ..cache.keys import Ingredients
from ..cache.store import DamagedArtifact, Store
from ..engine.tasks import describe
from .record import differences, ingredients_of, name_differences, outputs_of
from .value_difference import value_differences

PHOTOS, FILES = "photos", "files"
"""The names of the groups that are not nodes."""

OTHER_BYTES = "the same ingredients gave other bytes"


@dataclass(frozen=True)
class Artifact:
    """A photo, result or file that is not the same in two runs.

    Attributes:
        name: such as ``features of a.jpg``.
        only: ``A`` or ``B`` where only that run has it, else empty.
        why: the ingredients of its key that differ, as text; none where equal ingredients gave other bytes.
        by: sentences on how much the values differ; none where a store can no longer be read.
        has_key: whether it is the result of a stage.
    """

    name: str
    only: str = ""
    why: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    has_key: bool = True

    @property
    def reason(self) -> str:
        """Why it differs, in one clause."""
        if self.only:
            return f"only {self.only} has it"
        if not self.has_key:
            return "its bytes differ"
        return f"its ingredients differ: {', '.join(self.why)}" if self.why else OTHER_BYTES


@dataclass(frozen=True)
class Group:
    """The comparison of the photos, of one node, or of the files in the output folder.

    Attributes:
        name: ``photos``, a node, or ``files``.
        equal, different: numbers of artifacts in both runs with equal bytes, and with different bytes.
        only_a, only_b: numbers of artifacts in one run only.
        causes: why it differs; none where it differs only because its inputs do.
        first: the first artifact that differs.
    """

    name: str
    equal: int
    different: int = 0
    only_a: int = 0
    only_b: int = 0
    causes: tuple[str, ...] = ()
    first: Artifact | None = None

    @property
    def compared(self) -> int:
        """Number of artifacts."""
        return self.equal + self.different + self.only_a + self.only_b


@dataclass(frozen=True)
class Difference:
    """The comparison of two runs, A and B.

    Attributes:
        groups: in the order of the data flow.
    """

    groups: tuple[Group, ...]

    @property
    def compared(self) -> int:
        """Number of digests that were compared."""
        return sum(group.compared for group in self.groups)

    @property
    def differing(self) -> int:
        """Number of digests that differ, or that one run lacks."""
        return sum(group.compared - group.equal for group in self.groups)

    @property
    def equal(self) -> bool:
        """Whether all digests are equal."""
        return not self.differing

    @property
    def first(self) -> Artifact | None:
        """The first artifact that differs."""
        return next((group.first for group in self.groups if group.first), None)

    @property
    def causes(self) -> dict[str, tuple[str, ...]]:
        """Why the runs differ, by group; all other differences are consequences."""
        return {group.name: group.causes for group in self.groups if group.causes}


def compare_runs(a: dict[str, Any], b: dict[str, Any], *, values: bool = True) -> Difference:
    """Compare two runs by their records, and the values of the first artifact of every group that differs.

    Files are compared only if both runs wrote some; a run of a study writes none.

    Args:
        a, b: the records, from :func:`diptych.pipeline.results.record.read_record`.
        values: whether to read values from the stores, to tell how much results differ.
    """
    return _Comparison(a, b, values).difference()


@dataclass(frozen=True)
class _NodeResults:
    """The results of a node in both records and the ingredients of their keys, by item."""

    name: str
    outputs: tuple[dict[str, str], dict[str, str]]
    ingredients: tuple[dict[str, Ingredients], dict[str, Ingredients]]


class _Comparison:
    def __init__(self, a: dict[str, Any], b: dict[str, Any], values: bool) -> None:
        self.records = a, b
        self.stores = [_opened(record["store"]) if values else None for record in self.records]
        self.slots = [{node["name"]: node["slot"] for node in record["recipe"]["nodes"]} for record in self.records]

    def difference(self) -> Difference:
        nodes = self._nodes()
        photos = self._photos(nodes)
        groups = [self._node(node, photos_differ=bool(photos.causes)) for node in nodes]
        files = self._files(is_consequence=any(group.first for group in groups))
        return Difference(tuple(group for group in (photos, *groups, files) if group.compared or group.causes))

    def _nodes(self) -> list[_NodeResults]:
        outputs = [_by_node(outputs_of(record)) for record in self.records]
        ingredients = [_by_node(ingredients_of(record)) for record in self.records]
        return [
            _NodeResults(
                name,
                (outputs[0].get(name, {}), outputs[1].get(name, {})),
                (ingredients[0].get(name, {}), ingredients[1].get(name, {})),
            )
            for name in merged(list(self.slots[0]), list(self.slots[1]))
        ]

    def _photos(self, nodes: list[_NodeResults]) -> Group:
        """The photos, and the options of reading them where these changed an input of a node."""
        before, after = ({file["name"]: file["digest"] for file in r["photos"]["files"]} for r in self.records)
        counts, first = _counted(before, after)
        causes = ["other photos"] if first else []
        inputs = {name for node in nodes for item in _in_both(node) for name in _changed_inputs(node, item)}
        if any(_is_source(name) for name in inputs):
            causes += name_differences(differences(*(record["options"] for record in self.records)))
        artifact = Artifact(f"the photo {first[0]}", first[1], has_key=False) if first else None
        return Group(PHOTOS, *counts, tuple(causes), artifact)

    def _node(self, node: _NodeResults, photos_differ: bool) -> Group:
        """The comparison of a node. ``photos_differ`` if the photos are already a cause."""
        counts, first = _counted(*node.outputs)
        if not first:
            return Group(node.name, *counts)
        causes: dict[str, None] = {}
        for item in _in_both(node):
            causes |= dict.fromkeys(self._own(node, item, photos_differ))
        causes |= dict.fromkeys(self._absent(node.name))
        item, only = first
        why = () if only else tuple(self._why(node, item))
        artifact = Artifact(describe((node.name, item)), only, why, () if only else tuple(self._by(node, item)))
        return Group(node.name, *counts, tuple(causes), artifact)

    def _why(self, node: _NodeResults, item: str) -> list[str]:
        """The ingredients that differ, as text; only the stage, if it is another one."""
        before, after = (ingredients[item] for ingredients in node.ingredients)
        found = list(differences(before, after))
        if before["stage"] != after["stage"]:
            found = [one for one in found if one[0] == "stage"]
        seeds = [record["seed"] for record in self.records]
        seed = f"seed {seeds[0]} -> {seeds[1]}" if seeds[0] != seeds[1] else "seed"
        return [seed if words == "seed" else words for words in name_differences(found)]

    def _own(self, node: _NodeResults, item: str, photos_differ: bool) -> list[str]:
        """The causes of a difference in one result, without those that photos or other nodes have already."""
        if node.outputs[0][item] == node.outputs[1][item]:
            return []
        why = self._why(node, item)
        own = [words for words in why if not words.startswith("input ")]
        inputs = _changed_inputs(node, item)
        if own or not why:
            return own or [OTHER_BYTES]
        is_new = not photos_differ and all(map(_is_source, inputs))
        return [words for words in why if is_new]

    def _absent(self, name: str) -> Iterator[str]:
        """Why a run has no results of a node."""
        for run, other, record, slots in zip("AB", "BA", self.records, self.slots, strict=True):
            failure = record["failure"]
            if name not in slots:
                yield f"only {other} has this node"
            elif failure and failure.get("node") == name:
                yield f"it failed in {run}: {failure['sentence']}"

    def _by(self, node: _NodeResults, item: str) -> list[str]:
        """How much two results differ, if both can be read."""
        types = [SLOTS[slots[node.name]].type for slots in self.slots]
        if types[0] is not types[1]:
            return [f"a {types[0].__name__} against a {types[1].__name__}"]
        a, b = (self._read(run, node.outputs[run][item], types[run]) for run in (0, 1))
        same_features = "features" not in _changed_inputs(node, item)
        return [] if a is None or b is None else value_differences(a, b, same_features)

    def _read(self, run: int, artifact: str, type_: type) -> Any:
        """A result of one run; None if it can no longer be read from the store."""
        store = self.stores[run]
        try:
            return store.read(artifact, type_) if store else None
        except (DamagedArtifact, StageFailure):
            return None

    def _files(self, is_consequence: bool) -> Group:
        written = [record["outputs"] for record in self.records]
        counts, first = _counted(*written) if all(written) else ((0, 0, 0, 0), None)
        if not first:
            return Group(FILES, *counts)
        causes = () if is_consequence else ("the same results were written as other bytes",)
        return Group(FILES, *counts, causes, Artifact(*first, has_key=False))


def merged(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """Merge two orders: a name that only ``b`` has follows the name that precedes it in ``b``."""
    order = list(a)
    for i, name in enumerate(b):
        if name not in order:
            order.insert(order.index(b[i - 1]) + 1 if i else 0, name)
    return order


def _counted(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[tuple[int, int, int, int], tuple[str, str] | None]:
    """Numbers of digests that are equal, differ, only in a and only in b; (name, only) of the first that differs."""
    unequal = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
    both, only_a, only_b = len(a.keys() & b.keys()), len(a.keys() - b.keys()), len(b.keys() - a.keys())
    different = len(unequal) - only_a - only_b
    first = (unequal[0], "B" if unequal[0] not in a else "A" if unequal[0] not in b else "") if unequal else None
    return (both - different, different, only_a, only_b), first


def _in_both(node: _NodeResults) -> list[str]:
    return [item for item in node.outputs[0] if item in node.outputs[1]]


def _changed_inputs(node: _NodeResults, item: str) -> list[str]:
    """Names of the inputs that differ."""
    before, after = (ingredients[item]["inputs"] for ingredients in node.ingredients)
    return [name for name in merged(list(before), list(after)) if before.get(name) != after.get(name)]


def _is_source(name: str) -> bool:
    """Whether an input of that name is a source slot."""
    slot = SLOTS.get(name)
    return slot is not None and slot.source


def _by_node(tasks: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (node, item), value in tasks.items():
        found.setdefault(node, {})[item] = value
    return found


def _opened(address: str) -> Store | None:
    """The store at an address; None if it cannot be opened."""
    try:
        return Store(address)
    except StageFailure:
        return None
