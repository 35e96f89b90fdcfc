"""Numbers with nouns in messages."""

from __future__ import annotations


def plural(number: int, noun: str, nouns: str = "") -> str:
    """``1 photo``, ``1,204 photos``; with ``nouns`` for a plural that does not end in s, or has more than one word."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
