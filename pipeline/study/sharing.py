"""The work that the trials of a study share: estimated from their graphs before they run, and counted after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cache.codec import canonical, digest
from ..cache.keys import stage_ingredients
from ..engine.graph import Graph
from ..report.words import plural
from .study import Study


@dataclass(frozen=True)
class Sharing:
    """Numbers of stage runs of a study, one for every item of every node.

    Attributes:
        tasks: needed if each trial ran by itself.
        distinct: different keys among these; a study with an empty store runs as many.
        ran: run this time.
    """

    tasks: int
    distinct: int
    ran: int

    @property
    def saved(self) -> int:
        """Stage runs that sharing saved."""
        return self.tasks - self.distinct

    def words(self) -> str:
        """Return these numbers in a sentence."""
        return (
            f"{plural(self.ran, 'stage run')} now; the trials consist of {self.tasks:,}, "
            f"of which {self.distinct:,} are different: sharing saved {self.saved:,}."
        )

    @staticmethod
    def counted(records: Iterable[Mapping[str, Any]]) -> Sharing:
        """Count the stage runs of finished trials by the keys in their records."""
        done = [task for record in records for task in record["tasks"] if task["key"]]
        return Sharing(len(done), len({task["key"] for task in done}), sum(task["status"] == "ran" for task in done))


@dataclass(frozen=True)
class StudyPlan:
    """What a study needs, as far as it can be known before it runs.

    Pairs are counted as if every photo were matched with every other. If different stages give equal results, even
    fewer stages run.

    Attributes:
        trials: variants times scenes times seeds.
        nodes, distinct_nodes: number of nodes of all trials, and of different ones among them.
        tasks, distinct: largest number of stage runs, without and with sharing.
        rows: for every node name, the number of trials that have it and the number of different nodes.
    """

    trials: int
    nodes: int
    distinct_nodes: int
    tasks: int
    distinct: int
    rows: tuple[tuple[str, int, int], ...]


def planned(study: Study, photos: Mapping[str, int], device: str = "cpu") -> StudyPlan:
    """Return what a study needs.

    Args:
        photos: number of photos by the name of the scene.
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
    """Yield every vertex with an identity, which two trials share if stage, seed and inputs are the same."""
    known: dict[str, str] = {}
    for vertex in graph.vertices:
        origins = {edge.parameter: known.get(edge.source, f"{scene}/{edge.source}") for edge in vertex.inputs}
        choices = [known.get(name, name) for name in vertex.choices]
        tree = [stages[vertex.name], origins, choices, seed if vertex.draws else None]
        known[vertex.name] = digest(canonical(tree).encode())
        yield vertex.name, known[vertex.name]
