"""What a turn knows, made searchable: results of calls, passages, the tenant's texts, and what the customer wrote."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from agent.claims.clock import part_of_day
from agent.claims.keys import (
    ASKS,
    DIGIT_KEYS,
    NAMING,
    NOTHING,
    OUT,
    READING,
    STOCK,
    WHEN,
    WRITING,
    is_attribute,
    is_ended,
    key_words,
    moment_of,
    unit_of,
)
from agent.claims.labels import labels_of, sides
from agent.claims.lexicon import concept_of
from agent.claims.text import folded, segment_at, segments
from agent.claims.values import Value, find_values
from agent.claims.words import Form, Mention, form_of, mentions, negated, stem, words
from agent.dates import WEEKDAY_OF
from domain.decisions import ToolCall

Path = tuple[Any, ...]
"""Where in a result something stands: ("call 0", "items", 2). Two paths agree if one leads to the other."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value that a source gives. ``roles``: the concepts of the words around it ("freight")."""

    value: Value
    ref: str
    path: Path
    roles: frozenset[str]
    labels: frozenset[Any] = frozenset()
    """Of a text: the words and the other values of the same part of a sentence."""
    negative: bool = False
    left: bool = False
    """A number of a result that says what is left: ``remaining``."""
    aged: bool = False
    """A bare number of a result that may be an age: ``children_free_under``."""


@dataclass(frozen=True, slots=True)
class Said:
    """A concept that a source mentions. ``weak``: only as a name (a key, a function that reads)."""

    mention: Mention
    ref: str
    path: Path
    weak: bool = False


_LEFT: Final = frozenset("remaining left restantes restante faltam faltantes pending outstanding".split())
_AGES: Final = frozenset("age ages under over idade edad minimum maximum min max from until".split())


@dataclass(frozen=True, slots=True)
class Sources:
    """All that may stand behind a reply. ``passages`` and ``texts`` (the tenant's own): (reference, text).

    ``writes`` and ``reads``: functions that are known to act, or not to; the name of any other one tells. ``now`` is the
    business's local time.
    """

    now: datetime
    calls: Sequence[ToolCall] = ()
    passages: Sequence[tuple[str, str]] = ()
    texts: Sequence[tuple[str, str]] = ()
    customer: Sequence[str] = ()
    names: Sequence[str] = ()
    writes: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()


@dataclass(slots=True)
class Index:
    """Everything of one turn. ``echo``: values that the customer or a call that did not succeed named."""

    sources: Sources
    language: str
    known: list[Known] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    stems: dict[str, str] = field(default_factory=dict)
    lengths: dict[int, str] = field(default_factory=dict)
    echo: list[Value] = field(default_factory=list)
    echo_stems: set[str] = field(default_factory=set)
    echo_concepts: set[str] = field(default_factory=set)
    statements: list[Mapping[Any, bool]] = field(default_factory=list)
    """The sentences of the texts: each word and value, and whether it is denied there."""
    texts: list[tuple[str, str]] = field(default_factory=list)
    states: list[tuple[str, str, Path]] = field(default_factory=list)
    """Words of short values of results, as written, that the word list does not have: (word, reference, path)."""
    stages: list[tuple[str, str]] = field(default_factory=list)
    """Short values of results that may name a state, folded: (text, reference)."""
    titles: list[tuple[str, Path]] = field(default_factory=list)
    """Texts by which the records of a list may be named."""
    acted_stems: set[str] = field(default_factory=set)
    """The words of functions that acted."""
    acted: str | None = None
    """A call that wrote and succeeded."""
    answered: str | None = None
    """Any source at all: a result, a refusal with its reason, or a passage."""
    looked: str | None = None
    refused: str | None = None
    """A call that was refused with its reason."""
    asked: bool = False
    """A call waits for a person's approval."""
    asked_for: list[Known] = field(default_factory=list)
    """What that call was given."""

    @property
    def today(self) -> date:
        return self.sources.now.date()

    def fill(self) -> Index:
        for number, call in enumerate(self.sources.calls):
            self._call(call, f"{call.function}", ((call.function, number),))
        for ref, text in self.sources.passages:
            self._text(text, ref)
        for ref, text in self.sources.texts:
            self._text(text, ref)
        for text in self.sources.customer:
            self._echo(text)
        return self

    def _call(self, call: ToolCall, ref: str, path: Path) -> None:
        self.looked = self.looked or ref
        name = key_words(call.function)
        acts = bool(name) and name[0] in WRITING and (len(name) == 1 or name[-1] not in READING)
        writes = call.function in self.sources.writes or (acts and call.function not in self.sources.reads)
        if call.outcome == "awaiting_approval":
            self.asked = True
        given = Index(self.sources, self.language)
        if call.outcome != "succeeded":
            given._json(call.arguments, ref, path, ())
            self.echo += [known.value for known in given.known]
            self.echo_stems |= given.stems.keys()
        if call.outcome == "awaiting_approval":
            self.asked_for += given.known
        if call.outcome in {"failed", "unknown", "awaiting_approval"}:
            self.echo_concepts.update(filter(None, map(concept_of, name)))
            return
        self.answered = self.answered or ref
        if call.outcome == "business_error":
            self.refused = self.refused or ref
        if call.outcome == "succeeded":
            self._json(call.arguments, ref, path, ())
            if writes:
                self.acted = self.acted or ref
                self.acted_stems.update(stem(word.removeprefix("un")) for word in name)
                asks = any(word in ASKS for word in name)
                for word in name:
                    concept = concept_of(word)
                    if concept:
                        form: Form = "name" if asks and word not in ASKS else "done"
                        self.said.append(Said(Mention(concept, form, False, 0, 0), ref, path))
        for word in name:
            self.stems.setdefault(stem(word), ref)
            concept = concept_of(word)
            if concept:
                self.said.append(Said(Mention(concept, "name", False, 0, 0), ref, path, weak=True))
        self._json(call.result, ref, path, ())

    def _json(self, found: Any, ref: str, path: Path, keys: tuple[str, ...]) -> None:
        if isinstance(found, Mapping):
            self._step(found, ref, path)
            counted = len(found) > 1 and all(
                isinstance(inner, int | float | Mapping) and not isinstance(inner, bool) and not is_attribute(str(key))
                for key, inner in found.items()
            )
            for key, inner in found.items():
                if counted and (keys or isinstance(inner, Mapping)):  # by name: {"M": 3, "G": 0}, {"10231": {…}}
                    below = (*path, keys, key)
                    self._absorb(_read(str(key).replace("_", " "), self.language, self.today), ref, below, frozenset())
                    self._json(inner, ref, below, keys)
                    if inner == 0:
                        self.said.append(Said(Mention("soldout", "done", False, 0, 0), ref, below))
                    continue
                if (
                    str(key)[:1].isdigit() or str(key).lower() in WEEKDAY_OF
                ):  # {"2026-12-31": "closed"}: a record by its day or number
                    self._absorb(_read(str(key), self.language, self.today), ref, (*path, keys, key), frozenset())
                    self._json(inner, ref, (*path, keys, key), keys)
                    continue
                self._json(inner, ref, path, (*keys[-2:], *key_words(str(key))))
        elif isinstance(found, list | tuple):
            self.lengths.setdefault(len(found), ref)
            self._key(keys, bool(found), ref, path, dated=False)
            for place, inner in enumerate(found):
                self._json(inner, ref, (*path, keys, place), keys)
        else:
            self._leaf(found, ref, path, keys)

    def _step(self, record: Mapping[Any, Any], ref: str, path: Path) -> None:
        """An act that a record names beside a state of its own: ``{"step": "installation", "status": "done"}``."""
        ended = is_ended(record)
        if ended is None:
            return
        for key, name in record.items():
            if isinstance(name, str) and len(name) < 40 and str(key).lower() in NAMING:
                read = _read(name.replace("_", " "), self.language, self.today)
                for mention in read.mentions:
                    if mention.form == "name":
                        done = Mention(mention.concept, "done", not ended, 0, 0)
                        self.said.append(Said(done, ref, path))

    def _key(
        self, keys: tuple[str, ...], truth: bool, ref: str, path: Path, *, dated: bool, ahead: bool = False
    ) -> None:
        denied = False
        for word in keys:
            if word in {"not", "no", "non"}:
                denied = True
            concept = concept_of(word)
            self.stems.setdefault(stem(word), ref)
            if concept:
                form = form_of(word, word)
                if dated and form == "name":
                    form = "done"
                weak = ahead or form == "name"  # "ready_on" of tomorrow: it is not ready
                self.said.append(Said(Mention(concept, form, denied is truth, 0, 0), ref, path, weak=weak))

    def _leaf(self, found: Any, ref: str, path: Path, keys: tuple[str, ...]) -> None:
        roles = frozenset(filter(None, map(concept_of, keys)))
        if found is None or found == "" or isinstance(found, bool):
            self._key(keys, found is True, ref, path, dated=False)
            if found is False and not STOCK.isdisjoint(keys[-1:]):
                self.said.append(Said(Mention("soldout", "done", False, 0, 0), ref, path))
            return
        if isinstance(found, int | float):
            self._key(keys, found != 0, ref, path, dated=False)
            if not STOCK.isdisjoint(keys[-2:] if found else keys):
                left = "available" if found > 0 else "soldout"
                self.said.append(Said(Mention(left, "done", False, 0, 0), ref, path))
            self._number(float(found), ref, path, keys, roles)
            return
        text = str(found)
        if re.fullmatch(r"-?\d+\.\d+", text) and len(text) < 13:
            self._number(float(text), ref, path, keys, roles)
        moment = moment_of(text, self.sources.now)
        past = moment is not None and moment.date() <= self.today and not self._later(moment, text)
        said_no = len(text) < 30 and NOTHING.match(text.lower()) is not None
        ahead = not past and (moment is not None or keys[-1:] in WHEN)
        self._key(keys, not said_no, ref, path, dated=past, ahead=ahead)
        if moment is not None and len(text) > 10:
            day = Value("date", 0, 0, (moment.year, moment.month, moment.day))
            self.known += [
                Known(day, ref, path, roles),
                Known(Value("time", 0, 0, (moment.hour * 60 + moment.minute,)), ref, path, roles),
            ]
            return
        spaced = text if "/" in text or "@" in text else re.sub(r"(?<=[A-Za-z])[_-](?=[A-Za-z])", " ", text)
        read = _read(spaced, self.language, self.today)
        self._absorb(read, ref, path, roles)
        if len(text) < 40 and not read.values:
            self.stages.append((text.lower().replace(" ", "_"), ref))
            strange = (word for word in spaced.lower().split() if len(word) > 3 and word.isalpha())
            self.states += [(word, ref, path) for word in strange if concept_of(folded(word).text) is None]
        part = part_of_day(read.plain.strip())
        if part:
            self.known.append(Known(Value("time", 0, 0, part, "part"), ref, path, roles))
        named = len(read.plain) > 3 or (len(read.plain) > 1 and text.istitle())
        if len(path) > 1 and named and len(read.plain) < 60 and not read.values:
            self.titles.append((read.plain.strip(), path))
        code = re.sub(r"[^a-z0-9]", "", read.plain)
        if any(map(str.isdigit, code)):
            self.known.append(Known(Value("code", 0, 0, code), ref, path, roles))

    def _later(self, moment: datetime, text: str) -> bool:
        """Whether a moment with a time of day is still to come."""
        now = self.sources.now
        return len(text) > 10 and moment.replace(tzinfo=None) > now.replace(tzinfo=None)

    def _number(self, amount: float, ref: str, path: Path, keys: tuple[str, ...], roles: frozenset[str]) -> None:
        unit = unit_of(keys)
        if any(word in DIGIT_KEYS for word in keys):
            self.known.append(Known(Value("money", 0, 0, round(amount)), ref, path, roles))
            return
        value = Value("quantity" if unit else "number", 0, 0, round(amount * 100), unit)
        self.known.append(
            Known(
                value, ref, path, roles, frozenset(), False, not _LEFT.isdisjoint(keys[-3:]), not _AGES.isdisjoint(keys)
            )
        )
        if amount == int(amount) and amount >= 1000:
            self.known.append(Known(Value("code", 0, 0, str(int(amount))), ref, path, roles))
        if 0 < amount < 1 and not unit:
            self.known.append(Known(Value("percent", 0, 0, round(amount * 10_000)), ref, path, roles))

    def _text(self, text: str, ref: str) -> None:
        self.answered = self.answered or ref
        read = _read(text, self.language, self.today)
        known, said = _told(text, ref, self.language, self.today)
        self.known += known
        self.said += said
        self.texts.append((read.plain, ref))
        self.stems = {**dict.fromkeys(read.stems, ref), **self.stems}
        self.statements += read.statements

    def _absorb(self, read: _Read, ref: str, path: Path, roles: frozenset[str]) -> None:
        self.texts.append((read.plain, ref))
        for value, around, labels, negative in read.values:
            self.known.append(Known(value, ref, path, roles | around, labels, negative))
        for mention in read.mentions:
            going = mention.form == "name" and read.plain[mention.start : mention.end].endswith("ing")
            self.said.append(Said(replace(mention, form="plain") if going else mention, ref, path))
        for each in read.stems:
            self.stems.setdefault(each, ref)

    def _echo(self, text: str) -> None:
        read = _read(text, self.language, self.today)
        self.echo += [value for value, *_ in read.values]
        self.echo_stems |= read.stems
        self.echo_concepts.update(mention.concept for mention in read.mentions)


@dataclass(frozen=True, slots=True)
class _Read:
    plain: str
    values: tuple[tuple[Value, frozenset[str], frozenset[Any], bool], ...]
    mentions: tuple[Mention, ...]
    stems: frozenset[str]
    statements: tuple[Mapping[Any, bool], ...]


@lru_cache(maxsize=8_192)
def _read(source: str, language: str, today: date) -> _Read:
    """One text of a source, read once: the same passages serve many turns."""
    whole = folded(source[:20_000])
    text = whole.text
    values = find_values(whole, language, today)
    named = mentions(text, whole.lower, language)
    denied = negated(text, language)
    inside = {place for value in values for place in range(value.start, value.end)}
    parts = segments(text, inside.__contains__)
    for pattern, concepts in OUT:
        match = pattern.search(text)
        if match:
            form: Form = "name" if concepts == "await" or "process" in concepts else "done"  # begun, not done
            named += [Mention(one, form, False, match.start(), match.end()) for one in concepts.split()]
    if any(value.kind == "weekday" for value in values) and any(value.kind == "time" for value in values):
        named += [Mention(one, "plain", False, 0, 0) for one in ("open", "close", "serve")]  # opening hours
    bounds = [0, *(m.end() for m in re.finditer(r"[.!?;\n]+(?:\s|$)", text)), len(text)]
    around = []
    for value in values:
        begin = max(b for b in bounds if b <= value.start)
        stop = min((b for b in bounds if b >= value.end), default=len(text))
        roles = frozenset(m.concept for m in named if begin <= m.start < stop)
        part = parts[segment_at(parts, value.start)] if parts else None
        labels = labels_of(text, values, part.start, part.end, value) if part else frozenset()
        around.append((value, roles, labels, any(start <= value.start < end for start, end in denied)))
    around += _days_between(text, around)
    statements = []
    for begin, stop in itertools.pairwise(bounds):
        if text[begin:stop].strip():
            statements.append(sides(text, begin, stop, denied, values))
    return _Read(text, tuple(around), tuple(named), frozenset(stem(m[0]) for m in words(text)), tuple(statements))


_Around = tuple[Value, frozenset[str], frozenset[Any], bool]
_TO: Final = re.compile(r"(?:[- ]feiras?)? ?(?:a|à|ate|to|thru|through|-|–|al?|hasta) ?(?:a |o |el )?")


def _days_between(text: str, around: Sequence[_Around]) -> list[_Around]:
    """The days within "Tuesday to Friday", each as if it stood there."""
    found: list[_Around] = []
    days = [each for each in around if each[0].kind == "weekday"]
    for one, other in itertools.pairwise(days):
        if _TO.fullmatch(text, one[0].end, other[0].start):
            count = (other[0].norm - one[0].norm) % 7
            found += [(replace(one[0], norm=(one[0].norm + step) % 7), *one[1:]) for step in range(1, count)]
    return found


@lru_cache(maxsize=4_096)
def _told(text: str, ref: str, language: str, today: date) -> tuple[tuple[Known, ...], tuple[Said, ...]]:
    """What a text of the tenant gives: the same for every turn of the day."""
    read, path = _read(text, language, today), ("text", ref)
    known = tuple(Known(value, ref, path, around, labels, negative) for value, around, labels, negative in read.values)
    return known, tuple(Said(mention, ref, path) for mention in read.mentions)
