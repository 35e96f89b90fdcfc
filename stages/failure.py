"""How a stage fails: a code, a sentence, the numbers that show it, and a hint."""

from __future__ import annotations


class StageFailure(Exception):
    """A stage cannot give its result, and says why.

    Args:
        code: short, stable, kebab-case name a program can test for, such as ``too-few-photos``.
        sentence: one plain sentence that tells a person what is wrong.
        hint: what to try next.
        facts: the numbers or names that show it; they must be JSON-able.
    """

    def __init__(self, code: str, sentence: str, *, hint: str = "", **facts: object) -> None:
        super().__init__(code, sentence, hint, facts)
        self.code = code
        self.sentence = sentence
        self.hint = hint
        self.facts: dict[str, object] = facts

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.sentence, self.hint, self.facts)

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return f"{self.sentence}{f' ({facts})' if facts else ''} [{self.code}]"


def _rebuild(kind: type[StageFailure], code: str, sentence: str, hint: str, facts: dict[str, object]) -> StageFailure:
    return kind(code, sentence, hint=hint, **facts)
