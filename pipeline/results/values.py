"""The results of a run by slot and item; each is read from the store when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ...learned.mono.weights import MonoWeights
from ...stages.dense import Cloud, DepthMap, Mesh, Neighbors, View
from ...stages.failure import StageFailure
from ...stages.scene import Sparse
from ...stages.slots import find_slot
from ..cache.store import DamagedArtifact, Store
from ..engine.tasks import TaskId

T = TypeVar("T")


class Items(Mapping[str, T], Generic[T]):
    """The results of one node by item; each is read from the store when it is indexed, and not cached.

    So a loop over the depth maps of a thousand photos holds one of them in memory.
    """

    def __init__(self, slot: str, digests: Mapping[str, str], store: Store) -> None:
        self._slot, self._digests, self._store = slot, digests, store

    def __getitem__(self, item: str) -> T:
        """Read one result.

        Raises:
            KeyError: there is no such item.
            StageFailure: ``no-result`` if it is no longer in the store; ``unknown-slot``.
        """
        try:
            return self._store.read(self._digests[item], find_slot(self._slot).type)
        except DamagedArtifact as error:
            sentence = f"The store {self._store.address} no longer holds the {self._slot!r} of this run."
            raise StageFailure("no-result", sentence, hint="Run it again.") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


@dataclass(frozen=True, eq=False)
class Dense:
    """The dense results of a run; those that it did not compute are absent.

    Attributes:
        neighbors: the neighbors and the depth range of every photo.
        views: undistorted photos, by the name of the photo.
        depths: depth maps, by the name of the photo.
        cloud, mesh: of the largest model.
        mono: a monocular depth network that was trained on the scene.
    """

    neighbors: Neighbors | None = None
    views: Mapping[str, View] = field(default_factory=dict)
    depths: Mapping[str, DepthMap] = field(default_factory=dict)
    cloud: Cloud | None = None
    mesh: Mesh | None = None
    mono: MonoWeights | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Why a photo has no depth map, by the name of the photo."""
        items: Mapping[str, View | DepthMap] = self.depths or self.views
        return {name: one.missing for name, one in items.items() if one.missing}


@dataclass(frozen=True)
class Results:
    """All results of a run.

    Attributes:
        slots: the slot of every node, in the order of the graph.
        digests: of the result of every finished task.
        store: the store that holds them.
    """

    slots: Mapping[str, str]
    digests: Mapping[TaskId, str]
    store: Store

    def __getitem__(self, name: str) -> Items[Any]:
        """The results of a node or a slot; no items where the run did not get there.

        For a slot they are those of its last node, or after a failure those of the node with the most results.
        """
        nodes = [node for node, slot in self.slots.items() if slot == name] or [name]
        found = [{item: digest for (of, item), digest in self.digests.items() if of == node} for node in nodes]
        return Items(self.slots.get(nodes[0], name), max(reversed(found), key=len), self.store)

    @property
    def sparse(self) -> Sparse | None:
        """All models."""
        return self._only("sparse")

    @property
    def dense(self) -> Dense:
        """The dense results."""
        return Dense(
            self._only("neighbors"),
            self["views"],
            self["depths"],
            self._only("cloud"),
            self._only("mesh"),
            self._only("mono"),
        )

    def _only(self, slot: str) -> Any:
        """The result of a slot that is filled once per run, if there is one."""
        return self[slot].get("")
