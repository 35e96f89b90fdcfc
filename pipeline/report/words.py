"""Numbers as a person reads them."""

from __future__ import annotations

from ...stages.wording import plural as plural


def seconds(duration: float) -> str:
    """``0.04 s``, ``2.3 s``, ``48 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if duration < 0.995:
        return f"{duration:.2f} s"
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
