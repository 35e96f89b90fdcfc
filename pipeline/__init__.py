"""Top floor: wires stages into a graph, runs, caches, compares and reports."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """What stood here before version 0.2 stands in ``diptych`` itself."""
    import diptych
    from diptych.moved import warn_moved

    if name not in diptych.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_moved(f"{__name__}.{name}", f"diptych.{name}")
    return getattr(diptych, name)
