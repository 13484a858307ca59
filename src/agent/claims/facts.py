"""Values and names of a reply, each with the source that gives it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from agent.claims.asked import was_asked
from agent.claims.book import Book
from agent.claims.labels import labels_of
from agent.claims.lexicon import CLASSES
from agent.claims.match import Around, echoed, find_support
from agent.claims.phrases import IDENTIFIERS, KNOWN_NAMES, ROUGHLY, STOP, YEARLY, YOU_SAID
from agent.claims.plain_words import is_plain
from agent.claims.same import NUMERIC, TO_MINUTES, TO_MONTHS, same
from agent.claims.sources import Known
from agent.claims.text import folded, segment_at
from agent.claims.values import Value
from agent.claims.words import alike, mentions, stem, words

_BESIDE: Final = re.compile(r"[-\s,(]*(?:feira)?[\s,(]*(?:dia |el |the |uma |un |a |do )?[\s,(]*")
_ADDS: Final = re.compile(
    r"\b(?:tota\w+|junt\w+|soma\w*|suma\w*|sum|ambos|ambas|both|together|all|tudo|todo\w*|cada|each|per|por|metade|mitad|half|dobro|doble|double|mais|mas|more|plus|menos|less|off|desconto\w*|"
    r"descuento\w*|discount\w*|econom\w+|ahorr\w+|save\w*|restam?|faltam?|sobra\w*|left|seri\w+|ficari\w+|ficam|would|com|con|with|sem|sin|without|dois|duas|dos|two|entao|entonces|so|diferenca|"
    r"diferencia|difference|sinal|entrada|anticipo|deposit|parcel\w*|cuota\w*|installment\w*|voce|vc|pix|vista|cupom)\b"
)
_COMPARED: Final = re.compile(
    r"\b(?:depois|antes|despues|mais|menos|mas|diferen\w+|later|earlier|apart|between|before|after|entre|intervalo|sooner|faster|extra|espera|em seguida|seguinte)\b"
)
_OWED: Final = re.compile(
    r"\b(?:negativ\w*|devedor\w*|deudor\w*|dev[eo]\w*|debe\w*|divida|deuda|debit\w*|vermelho|owe\w*|debt|overdrawn|minus|menos)\b"
)
_REFUSED: Final = frozenset("soldout refuse fail end close closed block lose expire".split())
"""What is said of a time or an amount that cannot be had."""


def check_value(book: Book, value: Value) -> None:
    place = segment_at(book.parts, value.start)
    feeling, piece = book.moods[place], book.piece(place)
    day = value.kind in {"date", "weekday", "time", "month", "period"}
    asked = feeling in {"question", "offer"} and not _is_appointment(book, place)
    if feeling == "question" and value.kind == "number" and value.norm < 10_000:
        return  # "numa escala de 0 a 10?", "so you see two charges?": asking states no figure
    if day and asked and (value.unit == "part" or _is_near(book, value)):
        return
    if day and (feeling == "social" or _is_small_talk(book, place)) and not _is_appointment(book, place):
        return
    part = book.parts[place]
    around = Around(
        frozenset(m.concept for m in book.named[place]),
        labels_of(book.read.text, book.values, part.start, part.end, value),
        any(start <= value.start < end for start, end in book.denied)
        or feeling == "inability"
        or (value.kind == "money" and _OWED.search(piece) is not None),
        ROUGHLY.search(book.read.text, max(0, value.start - 24), value.start) is not None,
        _COMPARED.search(piece) is not None,
        _is_plain_price(book, place, value),
    )
    if _clashes(book, value) or _left_otherwise(book, value):
        book.claim(value.start, value.end, value.kind, None)
        return
    found = find_support(value, book.index, around, also=[*book.index.echo, *book.values])
    if found is not None:
        book.claim(value.start, value.end, value.kind, found[0])
        book.anchored.add(place)
        book.paths.setdefault(book.parts[place].sentence, []).append((value, found[1]))
        return
    ref = _beside(book, place, value, negative=around.negative)
    if ref is None and was_asked(book, place, value):
        ref = "awaiting_approval"
        book.anchored.add(place)
    if (
        ref is None
        and echoed(value, book.index)
        and not (day and feeling == "social")
        and _may_echo(book, place, value)
    ):
        ref = "customer"
    if ref is not None:
        book.claim(value.start, value.end, value.kind, ref)
        return
    if value.kind == "date" and value.norm == _norm(book.index.today):
        now = _holds_today(book, place)
        if now or feeling != "statement":
            if now:
                book.claim(value.start, value.end, value.kind, now)
            return
    book.claim(value.start, value.end, value.kind, None)


def _beside(book: Book, place: int, value: Value, *, negative: bool) -> str | None:
    """The source of a value that follows from what stands beside it: a denied day, a bare hour, the day of a date."""
    if value.kind == "weekday" and negative and (ref := _open_otherwise(book, value)):
        return ref
    denied = negative or _NOT.search(book.piece(place)) is not None
    if value.kind == "date" and denied and (ref := _another_day(book, place, value)):
        return ref
    if value.kind == "number" and (ref := _as_hour(book, value)):
        book.anchored.add(place)
        return ref
    return "calendar" if _agrees_with_neighbour(book, value) else None


def _may_echo(book: Book, place: int, value: Value) -> bool:
    """Whether what the customer named may be said again without anything being stated of it."""
    piece, part = book.piece(place), book.parts[place]
    return bool(
        value.kind in IDENTIFIERS
        or book.moods[place] != "statement"
        or (value.kind == "number" and value.norm >= 10_000)
        or any(m.negative or m.concept in _REFUSED for m in book.named[place])
        or re.search(r"\b(?:nao|no|not|\w+n't|sem|sin)\b", piece)
        or (value.kind in {"date", "weekday", "time"} and any(m.concept in _REPLACED for m in book.named[place]))
        or YOU_SAID.search(" ".join(book.piece(other) for other in book.sentence(place)))
        or (
            value.kind in {"number", "quantity"}
            and any(other.kind == "money" and part.start <= other.start < part.end for other in book.values)
        )
    )


_HOURS: Final = re.compile(
    r"(?:\b(?:d[ae]s?|entre|from|between|desde|ate|hasta|a|às|as|to|until|till|e|y|and|las|ou|or)|-|–) $"
)


def _as_hour(book: Book, value: Value) -> str | None:
    """The source that has an hour which a reply tells as a bare number: "de 8 a 12"."""
    hour = value.norm // 100
    if value.norm % 100 or hour > 24 or not _HOURS.search(book.read.text, max(0, value.start - 9), value.start):
        return None
    minutes = {hour * 60, hour * 60 + 720} if hour <= 12 else {hour * 60}
    known = (k for k in book.index.known if k.value.kind == "time" and k.value.unit != "part")
    return next((k.ref for k in known if not minutes.isdisjoint(k.value.norm)), None)


def _another_day(book: Book, place: int, value: Value) -> str | None:
    """The source of the day that a sentence gives instead of a denied one: "not today, on Saturday only"."""
    around = book.sentence(place)
    begin, end = book.parts[around[0]].start, book.parts[around[-1]].end
    others = [v for v in book.values if v is not value and v.kind in {"date", "weekday"} and begin <= v.start < end]
    return next((k.ref for v in others for k in book.index.known if same(v, k.value)), None)


_REPLACED: Final = frozenset({"exchange", "reschedule"})
"""What makes a day that the customer named the former one: "a aula de sexta foi trocada"."""
_NOT: Final = re.compile(r"\b(?:nao|no|not|\w+n't)\b")
_LEAVES: Final = re.compile(
    r"(?:\b(?:restam?|faltam?|sobram?|quedan?|ainda (?:tem|ha|restam)|left|remain\w*|only have) )(?:\w+ ){0,2}$"
)


def _left_otherwise(book: Book, value: Value) -> bool:
    """Whether a reply tells how many are left and a result tells another number of them."""
    if value.kind not in {"number", "quantity"} or value.unit in {*TO_MINUTES, *TO_MONTHS, "businessday", "percent"}:
        return False
    left = [known for known in book.index.known if known.left and known.value.kind in NUMERIC]
    near = _LEAVES.search(book.read.text, max(0, value.start - 40), value.start)
    return bool(left and near and not any(same(value, known.value) for known in left))


def _is_small_talk(book: Book, place: int) -> bool:
    """A goodbye until tomorrow, a wish for the weekend: no statement, and nothing of the business beside it."""
    piece = book.piece(place)
    return bool(
        re.match(r"(?:ate|hasta|see you|nos vemos|te (?:vejo|espero)|te esperamos)\b", piece)
    ) and not re.search(r"\d", piece)


def _norm(day: date) -> tuple[int, int, int]:
    return day.year, day.month, day.day


def _is_near(book: Book, value: Value) -> bool:
    """Whether a day that a question or an offer names is one of this week's: asking about it binds nobody."""
    return any(same(value, Value("date", 0, 0, _norm(book.index.today + timedelta(days=ahead)))) for ahead in range(7))


def _holds_today(book: Book, place: int) -> str | None:
    """The result that gives a time of the same clause for no day at all: the one of today."""
    part = book.parts[place]
    for other in book.values:
        if other.kind in {"time", "quantity"} and part.start <= other.start < part.end:
            for known in book.index.known:
                if known.path[0] != "text" and same(other, known.value) and not _is_dated(book, known):
                    return known.ref
                if known.path[0] == "text" and same(other, known.value) and _is_of_today(book, known):
                    return known.ref
    return None


def _is_of_today(book: Book, known: Known) -> bool:
    """Whether a text gives a value for the weekday that is today."""
    weekday = book.index.today.weekday()
    return ("weekday", weekday) in known.labels


def _is_dated(book: Book, known: Known) -> bool:
    return any(other.value.kind in {"date", "weekday"} and other.path == known.path for other in book.index.known)


def _is_appointment(book: Book, place: int) -> bool:
    """Whether a goodbye names an hour: "see you on Saturday at 11"."""
    part = book.parts[place]
    return any(v.kind == "time" and v.unit != "part" and part.start <= v.start < part.end for v in book.values)


def _is_plain_price(book: Book, place: int, value: Value) -> bool:
    """Whether the sentence of an amount has no other value and no word of adding or dividing."""
    around = book.sentence(place)
    begin, end = book.parts[around[0]].start, book.parts[around[-1]].end
    others = any(other is not value and begin <= other.start < end for other in book.values)
    return not others and _ADDS.search(book.read.text, begin, end) is None


def _open_otherwise(book: Book, value: Value) -> str | None:
    """The source that lists the days of something without this one: open Monday to Saturday, so not on Sundays."""
    days = [known for known in book.index.known if known.value.kind == "weekday" and not known.negative]
    if len(days) < 2 or any(same(value, known.value) for known in days):
        return None
    return days[0].ref


def _clashes(book: Book, value: Value) -> bool:
    """Whether a weekday stands at a date that is another day of the week."""
    if value.kind != "weekday":
        return False
    for other in book.values:
        gap = book.read.text[min(value.end, other.end) : max(value.start, other.start)]
        if other.kind != "date" or len(gap) > 12 or not _BESIDE.fullmatch(gap):
            continue
        year = book.index.today.year
        days = [k.value for k in book.index.known if k.value.kind == "date" and same(other, k.value)]
        days += (
            []
            if days or None in other.norm[1:]
            else [Value("date", 0, 0, (other.norm[0] or y, *other.norm[1:])) for y in (year, year + 1)]
        )
        if days and not any(same(value, day) for day in days):
            return True
    return False


def _agrees_with_neighbour(book: Book, value: Value) -> bool:
    """A weekday beside the date that it names, or the other way round, where that one stands on its own feet."""
    return any(
        {value.kind, other.kind} == {"date", "weekday"}
        and abs(other.start - value.start) < 24
        and (same(value, other) or same(other, value))
        and (
            (other.kind == "date" and echoed(other, book.index)) or any(same(other, k.value) for k in book.index.known)
        )
        for other in book.values
    )


def check_worked_out(book: Book) -> None:
    """Amounts that follow from other amounts of the reply, once those are known to be right; and counts in them."""
    wrong = {claim.start for claim in book.claims if claim.supported_by is None}
    right = [value for value in book.values if value.kind == "money" and book.read.at[value.start] not in wrong]
    for value in book.values:
        begin = book.read.at[value.start]
        if begin in wrong and value.kind in NUMERIC:
            place = segment_at(book.parts, value.start)
            known = replace(
                book.index,
                known=[
                    *book.index.known,
                    *(Known(other, "arithmetic", ("text", ""), frozenset()) for other in right),
                ],
            )
            counts = [Value("number", 0, 0, 1200)] if YEARLY.search(book.read.text) else []
            found = find_support(
                value,
                known,
                Around(frozenset(), frozenset(), negative=False, plain=_is_plain_price(book, place, value)),
                also=[*book.index.echo, *book.values, *counts],
            )
            prices = [known.value.norm for known in book.index.known if known.value.kind in {"money", "number"}]
            if value.kind in {"number", "quantity"} and any(
                price and price * value.norm == amount.norm * 100 and _same_sentence(book, value, amount)
                for amount in right
                for price in prices
            ):  # "two would be $19"
                book.claims = [c for c in book.claims if c.start != begin or c.supported_by is not None]
                book.claim(value.start, value.end, value.kind, "arithmetic")
            if found and value.kind == "money" and not any(same(value, each.value) for each in book.index.known):
                book.claims = [c for c in book.claims if c.start != begin or c.supported_by is not None]
                book.claim(value.start, value.end, value.kind, found[0])
                book.anchored.add(place)
                right.append(value)


def _same_sentence(book: Book, one: Value, other: Value) -> bool:
    return (
        book.parts[segment_at(book.parts, one.start)].sentence
        == book.parts[segment_at(book.parts, other.start)].sentence
    )


def behind_name(book: Book, concept: str) -> bool:
    """Whether a source or the customer speaks of what a capital letter begins."""
    return concept in book.index.echo_concepts or any(
        said.mention.concept in alike(concept) for said in book.index.said
    )


_I_AM: Final = re.compile(
    r"\b(?:i'?m|i am|sou (?:o|a)|soy|me chamo|me llamo|meu nome é|mi nombre es|my name is|my name's|aqui é (?:o|a)|aqui quem fala é (?:o|a)|te habla|this is) $"
)
"""A name that the assistant gives itself: it has the one that the tenant gave it, or none."""


def check_names(book: Book) -> None:
    """Names that nobody in the turn has mentioned."""
    known = set(book.index.stems) | book.index.echo_stems
    for name in book.sources.names:
        known |= {stem(m[0]) for m in words(folded(name).text)}
    for match in re.finditer(
        r"(?:(?<=[\w,:;)] )|(?<=Dr\. )|(?<=Dra\. )|(?<=Sr\. )|(?<=Sra\. )|(?<=Mr\. )|(?<=Ms\. )|(?<=Mrs\. ))[A-ZÀ-Ý][\wÀ-ÿ]{2,}|(?<=\bcom [ao] )[A-ZÀ-Ý][a-zà-ÿ]\b|(?<=\bcon )[A-ZÀ-Ý][a-zà-ÿ]\b",
        book.read.capital,
    ):
        start, end = match.span()
        word = book.read.text[start:end]
        if (
            any(value.start <= start < value.end for value in book.values)
            or stem(word) in known
            or word[:3] in known  # an abbreviation: REC, Recife
            or word in STOP
            or word in KNOWN_NAMES
        ):
            continue
        named = [m.concept for m in mentions(word)]
        if any(CLASSES[one] == "topic" or behind_name(book, one) for one in named) or (
            match[0].isupper() and is_plain(word)
        ):
            continue
        place = segment_at(book.parts, start)
        posing = _I_AM.search(book.read.text, max(0, start - 20), start) is not None
        if not posing and (start == book.parts[place].start or book.moods[place] == "social"):
            continue
        book.claim(start, end, "name", None)
