"""Small HTML tables that a notebook shows for a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A title above a table, for ``_repr_html_``; the text is escaped."""
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    return f"<b>{escape(title)}</b><table>{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"
