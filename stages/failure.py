"""The exception of a stage: a code, a sentence, numbers as evidence, and a hint."""

from __future__ import annotations


class StageFailure(Exception):
    """A stage cannot compute its result.

    Args:
        code: short, stable name in kebab case for programs, such as ``too-few-photos``.
        sentence: one plain sentence for the user that says what is wrong.
        hint: what to try next.
        facts: numbers or names as evidence; they must be serializable as JSON.
    """

    def __init__(self, code: str, sentence: str, *, hint: str = "", **facts: object) -> None:
        super().__init__(code, sentence, hint, facts)
        self.code = code
        self.sentence = sentence
        self.hint = hint
        self.facts: dict[str, object] = facts

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.sentence, self.hint, self.facts)

    @property
    def message(self) -> str:
        """The sentence with its facts and code, without the hint."""
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return f"{self.sentence}{f' ({facts})' if facts else ''} [{self.code}]"

    def __str__(self) -> str:
        return f"{self.message} Hint: {self.hint}" if self.hint else self.message


def _rebuild(kind: type[StageFailure], code: str, sentence: str, hint: str, facts: dict[str, object]) -> StageFailure:
    return kind(code, sentence, hint=hint, **facts)
