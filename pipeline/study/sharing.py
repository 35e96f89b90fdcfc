"""How much work the trials of a study have in common: known by shape before they run, and counted after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cache.codec import canonical, digest
from ..cache.keys import stage_ingredients
from ..engine.graph import Graph
from .study import Study


@dataclass(frozen=True)
class Sharing:
    """Stage runs of a study, one for every item of every node.

    Attributes:
        tasks: what the trials need, if each ran by itself.
        distinct: the different keys among these; a study in an empty store runs as many.
        ran: how many did run this time.
    """

    tasks: int
    distinct: int
    ran: int

    @property
    def saved(self) -> int:
        """Stage runs that sharing made superfluous."""
        return self.tasks - self.distinct

    def words(self) -> str:
        """All of it in a sentence."""
        return (
            f"{self.ran:,} stage runs now; the trials consist of {self.tasks:,}, of which {self.distinct:,} are "
            f"different: sharing saved {self.saved:,}."
        )

    @staticmethod
    def counted(records: Iterable[Mapping[str, Any]]) -> Sharing:
        """Of finished trials, by the keys in their records."""
        done = [task for record in records for task in record["tasks"] if task["key"]]
        return Sharing(len(done), len({task["key"] for task in done}), sum(task["status"] == "ran" for task in done))


@dataclass(frozen=True)
class StudyPlan:
    """What a study needs, as far as it can be known before it runs.

    Pairs are counted as if every photo were matched with every other; results that turn out equal save more.

    Attributes:
        trials: variants times scenes times seeds.
        nodes, distinct_nodes: nodes of all trials, and the different ones among them.
        tasks, distinct: stage runs at most, without and with sharing.
        rows: for every node name, how many trials have it and how many different ones there are.
    """

    trials: int
    nodes: int
    distinct_nodes: int
    tasks: int
    distinct: int
    rows: tuple[tuple[str, int, int], ...]


def planned(study: Study, photos: Mapping[str, int], device: str = "cpu") -> StudyPlan:
    """What a study will need.

    Args:
        photos: how many each scene has, by its name.
    """
    identities: dict[str, tuple[str, int]] = {}
    met: dict[str, list[str]] = {}
    tasks = 0
    for scene in study.scenes:
        count = photos[scene.name]
        items = {"run": 1, "photo": count, "pair": count * (count - 1) // 2}
        for variant in study.variants:
            graph = Graph.of(variant.recipe, study.until)
            stages = {
                vertex.name: digest(canonical(stage_ingredients(vertex.stage, device)).encode())
                for vertex in graph.vertices
            }
            for seed in study.seeds:
                for vertex, identity in _identities(graph, stages, scene.name, seed):
                    size = items[graph[vertex].per]
                    identities[identity] = vertex, size
                    met.setdefault(vertex, []).append(identity)
                    tasks += size
    rows = tuple((name, len(found), len(set(found))) for name, found in met.items())
    return StudyPlan(
        len(study.scenes) * len(study.variants) * len(study.seeds),
        sum(row[1] for row in rows),
        len(identities),
        tasks,
        sum(size for _, size in identities.values()),
        rows,
    )


def _identities(graph: Graph, stages: Mapping[str, str], scene: str, seed: int) -> Iterable[tuple[str, str]]:
    """Every vertex with a name that two trials share if it has the same stage, seed and origin in both."""
    known: dict[str, str] = {}
    for vertex in graph.vertices:
        origins = {edge.parameter: known.get(edge.source, f"{scene}/{edge.source}") for edge in vertex.inputs}
        choices = [known.get(name, name) for name in vertex.choices]
        tree = [stages[vertex.name], origins, choices, seed if vertex.draws else None]
        known[vertex.name] = digest(canonical(tree).encode())
        yield vertex.name, known[vertex.name]
