"""May this call act? A write that nobody approves needs the customer's own words behind it.

A language model chooses functions after reading documents, results and quotations that anybody may have written, so its
choice proves nothing. Before a trusted write runs, the customer's own words must be one short plain wish, the *locally*
understood intent of which that function serves, and every value must stand in them, in the contact's own addresses, or
in a result about what the customer named. Short of that the customer confirms the exact call, or a person approves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from agent.choices import find_boolean, find_choices
from agent.dates import find_dates
from agent.matching import confident
from agent.normalise import fold, words
from agent.parameters import extract
from agent.quantities import find_integers, find_money
from agent.turn import HistoryMessage, TurnContext, TurnInput
from agent.untrusted import gives_orders, own_words_of, speaks_only_for_itself
from domain.decisions import Reason, ToolCall
from domain.messages import Author
from tools.declaration import BusinessFunction, Parameter
from tools.declaration import ParameterKind as Kind
from tools.schema import kind_of_value

Verdict = Literal["run", "confirm", "person", "ask"]
"""Act now; ask the customer to confirm the exact call; ask a person; or first ask the customer for a value."""

NAMES_SOMEBODY: Final = frozenset({Kind.ORDER_NUMBER, Kind.CPF, Kind.CNPJ, Kind.PHONE, Kind.EMAIL})
"""Values that select whose data are read: they never come from anywhere but the customer, even for a read."""
_HARD: Final = NAMES_SOMEBODY | {Kind.CEP, Kind.MONEY}
_NUMBERS: Final = re.compile(r"\+?\d[\d .\-/()]{0,30}\d|\d")
_RUN: Final = re.compile(r"\d[\d.\-/]*")
_CODE: Final = re.compile(r"[^\W_](?:[\w./#-]{0,60}[^\W_])?")
_PHONE_DIGITS: Final = 8
"""The part of a phone number that stays the same with or without country and area codes."""
_NAME: Final = re.compile(r"\b[A-ZÀ-Ý][\w'’-]+(?: (?:d[aeo]s?|del?|von|van|y|e))?(?: [A-ZÀ-Ý][\w'’-]+)+")
_AROUND: Final = ".,;:!?()<>[]'\"*_"
"""What stands around an address in a sentence and does not belong to it."""
_LONGEST_LEAF: Final = 80
_MESSAGES_READ: Final = 6
_SHORT_ANSWER: Final = 4
_YES: Final = re.compile(
    r"(?:(?:sim|isso(?: mesmo)?|confirmo|confirmad[oa]|pode(?: sim| confirmar| fazer| seguir)?|com certeza|claro|"
    r"quero|si|confirma|dale|correcto|adelante|por supuesto|yes|yep|yeah|yup|confirm(?:ed)?|go ahead|sure|"
    r"correct|do it|please|"
    r"por favor|obrigad[oa]|gracias|thanks)(?: |$)){1,4}"
)
_COURTESY: Final = re.compile(r"(?:(?:please|por favor|obrigad[oa]|gracias|thanks)(?: |$))+")


@dataclass(frozen=True, slots=True)
class Grounds:
    """What speaks for a call. ``parameter`` is the one at fault, where there is one."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """What this customer has said in this conversation, without all that the messages merely carry."""

    own: tuple[HistoryMessage, ...]
    """Messages with their text cut down to own words, oldest first."""
    recent: str
    """Own words of the unanswered messages."""
    seen: str
    """What the business wrote to this customer, and what the customer sent that counts for less than own words."""
    addresses: tuple[str, ...]
    suspicious: bool
    """An unanswered message gives orders to the machine."""
    plain: bool
    """The unanswered messages are one short wish in a single voice."""

    @classmethod
    def of(cls, turn: TurnInput, functions: Sequence[str] = ()) -> Voice:
        """``functions``: names that a customer has no reason to know."""
        kept: list[HistoryMessage] = []
        carried: list[str] = []
        for message in (*turn.history, *turn.unanswered):
            if message.author is not Author.CONTACT:
                carried.append(message.text)
            elif said := own_words_of(message):
                kept.append(HistoryMessage(message.id, message.author, said, message.at, message.kind))
        waiting = {message.id for message in turn.unanswered}
        return cls(
            tuple(kept),
            "\n".join(message.text for message in kept if message.id in waiting),
            "\n".join(carried),
            tuple(address.partition(":")[2] for address in turn.contact_addresses),
            any(gives_orders(message.text, functions) for message in turn.unanswered),
            all(bool(own_words_of(message)) and speaks_only_for_itself(message.text) for message in turn.unanswered),
        )

    def says_yes(self, turn: TurnInput) -> bool:
        """Every unanswered message is an explicit yes and nothing else."""
        said = " ".join(words(self.recent))
        whole = all(own_words_of(message).strip() == message.text.strip() for message in turn.unanswered)
        return whole and bool(_YES.fullmatch(said)) and not _COURTESY.fullmatch(said)


class Authority:
    """Judges the calls of one turn. ``results`` about what the customer named are added as they come."""

    def __init__(self, turn: TurnInput, context: TurnContext, language: str) -> None:
        self._context = context
        self._language = language
        self.voice = Voice.of(turn, tuple(context.profile.functions))
        self._results: list[Any] = []

    def learn(self, function: BusinessFunction, arguments: Mapping[str, Any], result: Any) -> None:
        """A read succeeded. It counts as being about the customer where the customer chose all that went into it."""
        if function.effect == "read" and all(self._in_own_words(p, v) for p, v in given(function, arguments)):
            self._results.append(result)

    def foreign_value(self, function: BusinessFunction, arguments: Mapping[str, Any]) -> Parameter | None:
        """The first parameter that would name somebody or something the customer has never spoken of."""
        kinds = _HARD if function.effect == "write" else NAMES_SOMEBODY
        for parameter, value in given(function, arguments):
            if parameter.kind in kinds and self._standing(parameter, value) == "nowhere":
                return parameter
            if parameter.kind is Kind.TEXT and function.effect == "read" and not self._harmless(str(value)):
                return parameter
        return None

    async def judge(
        self, function: BusinessFunction, arguments: Mapping[str, Any], *, in_progress: bool = False
    ) -> Grounds:
        """Whether a write that the tenant trusts may run. ``in_progress``: the bot has been collecting its values."""
        foreign = self.foreign_value(function, arguments)
        if foreign is not None:
            return Grounds("ask", (Reason("value_not_from_customer", foreign.name),), foreign.name)
        if self.voice.suspicious:
            return Grounds("person", (Reason("message_gives_orders"),))
        standings = {
            parameter.name: self._standing(parameter, value) for parameter, value in given(function, arguments)
        }
        if "nowhere" in standings.values():
            names = ", ".join(name for name, standing in standings.items() if standing == "nowhere")
            return Grounds("person", (Reason("value_not_in_own_words", names),), names)
        only_seen = ", ".join(name for name, standing in standings.items() if standing == "seen")
        if only_seen or self._contradicted(function, arguments):
            return Grounds("confirm", (Reason("value_not_in_own_words", only_seen or "another value was named"),))
        if not self.voice.plain:
            return Grounds("confirm", (Reason("more_than_a_plain_wish", function.name),))
        if not await self._asked_for(function, in_progress=in_progress):
            return Grounds("confirm", (Reason("not_asked_for_in_own_words", function.name),))
        return Grounds("run", (Reason("asked_for_in_own_words", function.name),))

    async def _asked_for(self, function: BusinessFunction, *, in_progress: bool) -> bool:
        """The classifier, reading own words alone, is confident of an intent that this function serves."""
        return await self.intent_for(function, in_progress=in_progress) is not None

    async def intent_for(self, function: BusinessFunction, *, in_progress: bool = False) -> str | None:
        """The intent that own words alone ask for and that this function serves; None: they ask for none."""
        texts = [self.voice.recent]
        if in_progress:
            texts += [message.text for message in reversed(self.voice.own[-_MESSAGES_READ:])]
        for text in texts:
            if words(text):
                spec = confident(await self._context.classify(text), self._context.profile)
                if spec is not None and spec.function == function.name and not spec.restricted:
                    return spec.name
        return None

    def _contradicted(self, function: BusinessFunction, arguments: Mapping[str, Any]) -> bool:
        """The customer has just named another value than the call holds."""
        vague = {Kind.TEXT, Kind.BOOLEAN, Kind.JSON}
        named = [p for p in function.parameters if p.name in arguments and p.kind not in vague]
        found = extract(
            self.voice.recent,
            named,
            language=self._language,
            now=self._context.now,
            timezone=self._context.profile.timezone,
        )
        return any(_key(value) != _key(arguments[name]) for name, value in found.values.items())

    def _standing(self, parameter: Parameter, value: Any) -> Literal["own", "seen", "nowhere"]:
        if self._in_own_words(parameter, value):
            return "own"
        leaves = [(name, leaf) for result in self._results for name, leaf in _leaves(result)]
        if any(_alike(leaf, value) and _names(name, parameter) for name, leaf in leaves):
            return "own"
        if any(_alike(leaf, value) for _, leaf in leaves):
            return "seen"
        return "seen" if self._stands_in(parameter, value, self.voice.seen) else "nowhere"

    def _in_own_words(self, parameter: Parameter, value: Any) -> bool:
        if parameter.kind in {Kind.PHONE, Kind.EMAIL} and any(_same(str(value), own) for own in self.voice.addresses):
            return True
        return any(self._stands_in(parameter, value, message.text, message) for message in self.voice.own)

    def _stands_in(self, parameter: Parameter, value: Any, text: str, message: HistoryMessage | None = None) -> bool:
        folded = fold(text)
        match parameter.kind:
            case Kind.CNPJ if not str(value).isdigit():  # since 2026 it may hold letters
                return _bare(value) in {_bare(code[0]) for code in _CODE.finditer(folded)}
            case Kind.CPF | Kind.CNPJ | Kind.CEP:
                return _digits(value) in {
                    _digits(run[0]) for run in (*_NUMBERS.finditer(folded), *_RUN.finditer(folded))
                }
            case Kind.PHONE:
                return any(_same(str(value), run[0]) for run in _NUMBERS.finditer(folded))
            case Kind.ORDER_NUMBER:
                codes = (*_CODE.finditer(folded), *re.finditer(r"\d+", folded))
                return _key(str(value)) in {_key(code[0]) for code in codes}
            case Kind.EMAIL:
                address = fold(str(value))
                return any(address in {word, word.strip(_AROUND)} for word in folded.replace(" arroba ", "@").split())
            case Kind.MONEY:
                return _number(value) in {_number(f.value) for f in find_money(folded, self._language, bare=True)}
            case Kind.INTEGER:
                return _number(value) in {_number(f.value) for f in find_integers(folded, spelled=True)}
            case Kind.DATE:
                moment = (message.at if message else self._context.now).astimezone(self._context.profile.timezone)
                found = find_dates(folded, self._language, moment.date(), bare=True)
                return str(value) in {str(finding.value) for finding in found}
            case Kind.ENUM:
                return str(value) in {finding.value for finding in find_choices(folded, parameter.choices, asked=False)}
            case Kind.BOOLEAN:
                brief = len(folded.split()) <= _SHORT_ANSWER
                return brief and any(finding.value is value for finding in find_boolean(folded, text))
            case Kind.TEXT:
                said = set(words(text))
                wanted = words(str(value))
                if str(value).isdigit():  # written in groups, as people write a CPF
                    return any(_digits(run[0]) == str(value) for run in _NUMBERS.finditer(folded))
                return bool(wanted) and all(word in said for word in wanted)
        return False

    def _harmless(self, value: str) -> bool:
        """A search text that names nobody: its numbers, addresses and full names are the customer's own."""
        said = {_key(word) for message in self.voice.own for word in words(message.text)}
        marked = [word for word in value.split() if any(char.isdigit() for char in word) or "@" in word]
        marked += [word for name in _NAME.finditer(value) for word in name[0].split()]
        runs = {_digits(run[0]) for message in self.voice.own for run in _NUMBERS.finditer(fold(message.text))}
        return all(
            _key(word) in said or word in runs or any(_same(word, own) for own in self.voice.addresses)
            for word in marked
        )


def looked_up_another(
    calls: Sequence[ToolCall], functions: Mapping[str, BusinessFunction], addresses: Sequence[str]
) -> str | None:
    """The function that found something under a phone number from which this contact does not write.

    Whoever knows a number can name it: what such a call found may be another contact's, and a person looks first.
    Functions that ask for proof of identity are the tenant's own answer to that.
    """
    own = [address.partition(":")[2] for address in addresses]
    for call in calls:
        function = functions.get(call.function)
        if function is None or function.effect != "read" or function.needs_identity or call.outcome != "succeeded":
            continue
        if any(
            parameter.kind is Kind.PHONE and not any(_same(str(value), each) for each in own)
            for parameter, value in given(function, call.arguments)
            if value
        ):
            return call.function
    return None


def given(function: BusinessFunction, arguments: Mapping[str, Any]) -> Iterator[tuple[Parameter, Any]]:
    """Each value of a call with its parameter; of an object or a list, each value in it."""
    for parameter in function.parameters:
        value = arguments.get(parameter.name)
        if parameter.kind is Kind.JSON:
            for name, leaf in every_leaf(value, parameter.name):
                yield Parameter(name, kind_of_value(name, leaf)), leaf
        elif value is not None:
            yield parameter, value


def every_leaf(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each single value of a JSON value, with the dotted name it stands under, below ``name``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from every_leaf(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from every_leaf(item, name)
    elif value is not None:
        yield name, value


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Short single values of a result with the name they stand under; a longer text may hold anybody's words."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, name)
    elif value is not None and len(str(value)) <= _LONGEST_LEAF:
        yield name, value


def _names(name: str, parameter: Parameter) -> bool:
    """A result's field and a parameter are called alike ("number" and "order_number")."""
    field, wanted = fold(name).split("_"), fold(parameter.name).split("_")
    return field == wanted or field[-1] == wanted[-1]


def _key(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return re.sub(r"[\W_]", "", fold(str(value)))


def _alike(leaf: Any, value: Any) -> bool:
    return _key(leaf) == _key(value) or _key(str(leaf)) == _key(str(value))


def _bare(value: Any) -> str:
    return re.sub(r"[\W_]", "", str(value)).lower()


def _digits(value: Any) -> str:
    return re.sub(r"\D", "", str(value))


def _number(value: Any) -> str:
    return f"{float(value):.2f}" if isinstance(value, int | float) else str(value)


def _same(one: str, other: str) -> bool:
    """The same phone number in two ways of writing, or the same address."""
    left, right = _digits(one), _digits(other)
    if min(len(left), len(right)) < _PHONE_DIGITS:
        return fold(one) == fold(other)
    return left.endswith(right[-_PHONE_DIGITS:]) and (left.endswith(right) or right.endswith(left))
