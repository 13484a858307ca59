"""A function's parameters out of what the customer wrote, without a language model.

Recognisers run from the surest to the vaguest over the folded message, and none takes what another has taken, so that
a CEP is no order number and a price no quantity. A parameter that the bot has just asked for is read with more good
will: a bare "12345" answers "what is the order number?", and only then may a free text be filled or a wrong value be
blamed on the customer's answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.choices import find_boolean, find_choices
from agent.dates import find_dates
from agent.documents import BARE_KINDS, find_bare, find_cued, find_emails, find_orders, find_shapes
from agent.findings import Findings, Problem, Value
from agent.normalise import fold, visible
from agent.quantities import find_integers, find_money
from tools.declaration import Parameter
from tools.declaration import ParameterKind as Kind

_MAX_READ: Final = 2_000
_MAX_TEXT: Final = 500
_PLAIN_CODE: Final = r"\d{4,10}"
"""What names something without a form of its own, beside others that have one."""
_SHORT_ANSWER: Final = 6
"""Words; a longer message after a question may well be about something else."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was understood: ``values`` by parameter name, and what the customer gave but wrongly, with the problem."""

    values: dict[str, Value] = field(default_factory=dict)
    invalid: dict[str, Problem] = field(default_factory=dict)


def extract(
    text: str,
    parameters: Sequence[Parameter],
    *,
    language: str,
    now: datetime,
    timezone: ZoneInfo,
    asked: str | None = None,
) -> Extraction:
    """Read ``parameters`` from a raw message.

    ``language`` decides between day-first and month-first dates; ``now`` (aware) in ``timezone`` is what "amanhã"
    counts from; ``asked`` names the parameter that the bot's last message asked for. Dates come out as ISO texts,
    phones as E.164, CEPs as "01310-100", CPF and CNPJ as digits, money and numbers as numbers. Raises
    ``re.error`` where a declared pattern is no regular expression, and nothing else.
    """
    return _Reader(text, parameters, asked).read(language, now, timezone)


class _Reader:
    def __init__(self, text: str, parameters: Sequence[Parameter], asked: str | None) -> None:
        self._raw = visible(text[:_MAX_READ])[:_MAX_READ].strip()
        self._text = fold(self._raw).replace(" arroba ", "@")
        self._parameters = parameters
        self._asked = next((parameter for parameter in parameters if parameter.name == asked), None)
        self._kinds = {parameter.kind for parameter in parameters}
        self._values: dict[str, Value] = {}
        self._invalid: dict[str, Problem] = {}

    def read(self, language: str, now: datetime, timezone: ZoneInfo) -> Extraction:
        if not self._raw:
            return Extraction()
        findings = self._numbers(language, now, timezone)
        for parameter in sorted(self._parameters, key=lambda parameter: parameter is not self._asked):
            if parameter.kind in {Kind.TEXT, Kind.BOOLEAN, Kind.ENUM}:
                self._words(parameter)
            else:
                self._take(parameter, findings)
        return Extraction(self._values, self._invalid)

    def _numbers(self, language: str, now: datetime, timezone: ZoneInfo) -> Findings:
        text, asked = self._text, self._asked.kind if self._asked else None
        today = now.astimezone(timezone).date()
        patterns = [p.pattern for p in self._parameters if p.kind is Kind.ORDER_NUMBER and p.pattern]
        if patterns and any(p.kind is Kind.ORDER_NUMBER and not p.pattern for p in self._parameters):
            patterns.append(_PLAIN_CODE)
        ask_order = asked is Kind.ORDER_NUMBER and len(text.split()) <= _SHORT_ANSWER
        findings = Findings()
        findings.add(find_emails(text))
        findings.add(find_shapes(text))
        findings.add(find_money(text, language))
        findings.add(find_dates(text, language, today, bare=asked is Kind.DATE))
        findings.add(find_cued(text, patterns))
        if patterns and asked not in BARE_KINDS:
            findings.add(find_orders(text, patterns, asked=False))
        findings.add(find_bare(text, self._kinds, asked))
        if Kind.ORDER_NUMBER in self._kinds:
            findings.add(find_orders(text, patterns, asked=ask_order))
        if asked is Kind.MONEY:
            findings.add(find_money(text, language, bare=True))
        findings.add(find_integers(text, spelled=asked is Kind.INTEGER))
        return findings

    def _take(self, parameter: Parameter, findings: Findings) -> None:
        """The first good finding of the kind that no other parameter has; else what is wrong with the first bad one."""
        found = findings.of(parameter.kind)
        good = next((f for f in found if f.value is not None and _fits(parameter, f.value)), None)
        if good is not None and good.value is not None:
            findings.accepted.remove(good)
            self._values[parameter.name] = good.value
            return
        bad = next((finding for finding in found if finding.problem is not None), None)
        if bad is not None and bad.problem is not None:
            findings.accepted.remove(bad)
            self._invalid[parameter.name] = bad.problem

    def _words(self, parameter: Parameter) -> None:
        asked = parameter is self._asked
        if parameter.kind is Kind.TEXT:
            if asked:
                self._values[parameter.name] = self._raw[:_MAX_TEXT]
        elif parameter.kind is Kind.BOOLEAN:
            for finding in find_boolean(self._text, self._raw) if asked else ():
                self._values[parameter.name] = bool(finding.value)
        else:
            self._choose(parameter, asked=asked)

    def _choose(self, parameter: Parameter, *, asked: bool) -> None:
        named = find_choices(self._text, parameter.choices, asked=asked)
        values = {finding.value for finding in named if finding.value is not None}
        if len(values) == 1:
            self._values[parameter.name] = values.pop()
        elif values:
            self._invalid[parameter.name] = "ambiguous"
        elif asked and len(self._text.split()) <= _SHORT_ANSWER:
            self._invalid[parameter.name] = "unknown_choice"


def _fits(parameter: Parameter, value: Value) -> bool:
    """Of several codes in a message, each parameter takes one of its own form."""
    if parameter.kind is not Kind.ORDER_NUMBER:
        return True
    types = (parameter.schema or {}).get("type")
    if types in {"integer", "number"} and not str(value).isdigit():
        return False
    return parameter.pattern is None or re.fullmatch(parameter.pattern, str(value)) is not None
