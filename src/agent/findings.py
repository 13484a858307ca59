"""What was recognised where in a message: the common coin of the recognisers behind :mod:`agent.parameters`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tools.declaration import ParameterKind

Value = str | int | float | bool
"""What a parameter may hold; always writable as JSON."""

Problem = Literal[
    "wrong_check_digits",  # a CPF or CNPJ with a typing error
    "wrong_length",  # digits too many or too few
    "missing_area_code",  # a Brazilian phone number without its DDD
    "wrong_format",  # not of the form that the declaration demands, or no e-mail address
    "impossible_date",  # 31 February
    "impossible_number",  # not a number of any phone, or out of range
    "unknown_choice",  # none of the choices
    "ambiguous",  # several choices at once
]


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of the folded text. Exactly one of ``value`` and ``problem`` is set."""

    kind: ParameterKind
    start: int
    end: int
    value: Value | None = None
    problem: Problem | None = None


class Findings:
    """Accepted findings; a later one never overlaps an earlier one, so the surest recognisers go first."""

    def __init__(self) -> None:
        self.accepted: list[Finding] = []

    def add(self, found: Iterable[Finding]) -> None:
        for finding in found:
            if self.is_free(finding.start, finding.end):
                self.accepted.append(finding)

    def is_free(self, start: int, end: int) -> bool:
        return all(end <= taken.start or start >= taken.end for taken in self.accepted)

    def of(self, kind: ParameterKind) -> list[Finding]:
        """In the order of the text."""
        return sorted((finding for finding in self.accepted if finding.kind is kind), key=lambda finding: finding.start)
