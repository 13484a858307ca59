"""Statements of which the sources know nothing, or the contrary."""

from __future__ import annotations

import re
from typing import Any, Final

from agent.claims.book import Book
from agent.claims.labels import SIBLINGS, sides
from agent.claims.lexicon import CLASSES, concept_of
from agent.claims.nearness import FAR
from agent.claims.phrases import COPULA, DID, FEELINGS, FRAGMENT, LIGHT, MONEYED, STOP, VERB, WE
from agent.claims.plain_words import is_plain
from agent.claims.text import folded
from agent.claims.words import is_portuguese, stem, words


def check_unknown(book: Book, place: int) -> None:
    """A statement about business of which nothing at all is known."""
    part, piece = book.parts[place], book.piece(place)
    if any(claim.supported_by is None for claim in book.claims_in(part)):
        return
    content = _content(book, place)
    known = [
        word for word in content if stem(word) in book.index.stems or (len(word) > 5 and word[:4] in book.index.stems)
    ]
    strange = [
        word
        for word in content
        if word not in known
        and not is_plain(word)
        and (concept_of(word) is None or _is_sibling(book, word))
        and stem(word) not in book.index.echo_stems
        and not _means_known(book, place, word)
    ]
    if _done_otherwise(book, place) or _denied_elsewhere(book, place) or _only_asked(book, place, content):
        book.claim(part.start, part.end, "fact", None)
        return
    if known:
        book.anchored.add(place)
    around = book.sentence(place)
    book.strange[part.sentence] = book.strange.get(part.sentence, 0) + len(strange)
    business = any(other in book.anchored for other in around) or any(
        CLASSES[m.concept] == "topic" for m in book.named[place]
    )
    # One strange word is enough where it is all that a clause has to say.
    alone = not known and not any(claim.supported_by for claim in book.claims_in(part))
    if (
        not known
        and place
        and book.parts[place - 1].sentence == part.sentence
        and _ITEM.match(piece)
        and place - 1 in book.anchored
    ):
        strange += [word for word in content if concept_of(word) and not is_plain(word) and not _is_said(book, word)]
        alone = True
        if strange:
            book.claim(part.start, part.end, "fact", None)
            return
    acted = any(claim.supported_by == book.index.acted for claim in book.claims_in(part) if claim.supported_by)
    named = not acted and any(_is_named(book, place, word) for word in strange)
    placed = any(_BY_THE.search(book.read.text, part.start, book.read.text.find(word, part.start)) for word in strange)
    valued = any(
        claim.supported_by and claim.kind in {"money", "date", "time", "code", "percent", "quantity"}
        for claim in book.claims_in(part)
    )
    novel = not valued and any(_is_novel(book, place, word) for word in strange)
    if _is_foreign(book):  # words of another language than the source's own are no surprise
        alone, named, placed, strange = False, False, False, strange[1:]
    if (
        strange
        and business
        and (
            book.strange[part.sentence] > 1
            or placed
            or novel
            or ((alone or named) and not valued and VERB.search(book.read.text, part.start, part.end))
        )
    ):
        book.claim(part.start, part.end, "fact", None)
        return
    if place in book.anchored or any(other in book.anchored for other in around):
        return
    topics = [m for m in book.named[place] if CLASSES[m.concept] == "topic"]
    works = any(m.concept in LIGHT and m.form == "plain" for m in book.named[place])
    says = works or WE.search(piece) or (topics and COPULA.search(piece) and not FRAGMENT.match(piece))
    if book.index.answered and not topics and all(is_plain(word) for word in content):
        return  # "we do!" before the fact itself
    if says and (content or topics) and not (topics and not content and len(piece) < 12):
        book.claim(part.start, part.end, "fact", None)


_ITEM: Final = re.compile(
    r"(?:e|y|and|ou|o|or)(?: (?:o|a|os|as|um|uma|el|la|los|las|un|una|the|an?|no|na))? \w+$|(?:so|somente|apenas|solo|only) (?:em|en|in|com|con|with|para|for) "
)
"""The last thing of a list, or the only one for which something holds."""


def _means_known(book: Book, place: int, word: str) -> bool:
    part = book.parts[place]
    start = book.read.text.find(word, part.start, part.end)
    return start >= 0 and book.means_known(start, start + len(word))


def _is_novel(book: Book, place: int, word: str) -> bool:
    """Whether ``word`` is far from every word of the sources and of the customer."""
    if book.nearness is None:
        return False
    part = book.parts[place]
    start = book.read.text.find(word, part.start, part.end)
    written = book.read.lower[start : start + len(word)]
    if not _TO_THINGS.search(book.read.text, max(part.start - 4, 0), start):
        return False
    return book.nearness(written) < FAR and book.nearness.heard(written) < FAR


def _only_asked(book: Book, place: int, content: list[str]) -> bool:
    """Whether the business is said to have what the customer asked for by a name that no source has: "aceitamos Unimed"."""
    if not book.index.texts or not _HAVING.search(book.piece(place)) or _DENIES.search(book.piece(place)):
        return False
    asked = [text for text in book.sources.customer if "?" in text or _HAVING.search(folded(text).text)]
    heard = {stem(m[0]) for text in asked for m in words(folded(text).text)}
    return any(
        stem(word) in heard
        and stem(word) not in book.index.stems
        and (concept_of(word) is None or concept_of(word) in SIBLINGS)
        and not is_plain(word)
        and not _means_known(book, place, word)
        for word in content
    )


_HAVING: Final = re.compile(
    r"\b(?:temos|tem|tenemos|tienen?|hay|aceita\w*|acepta\w*|atend\w+|atiend\w+|entreg\w+|fazemos|hacemos|faz|hacen|vend\w+|trabalh\w+|trabaj\w+|cobr\w+|cubr\w+|inclu\w+|we (?:have|do|take|accept|offer|sell|deliver)|"
    r"do you|can i|you can|puedes?|puede|pode|accepts?|covers?)\b"
)
_DENIES: Final = re.compile(r"\b(?:nao|no|not|\w+n't|sem|sin|without|nunca|never|tampouco|tampoco|nem)\b")
_TO_THINGS: Final = re.compile(
    r"\b(?:[oa]s?|u(?:m|ma|n|na)|d[oa]s?|el|l[ao]s?|del|the|an?|seus?|suas?|your|our|noss[oa]s?|nuestr[oa]s?|tus?|su|con|com|with|plus|sem|sin|without|e|y|and|de|of) $"
)


def _is_sibling(book: Book, word: str) -> bool:
    """Whether texts speak of another thing of the same kind. Keys of results may name this one in another language."""
    concept = concept_of(word)
    return concept in SIBLINGS and not any(
        s.mention.concept == concept and s.path[0] != "text" for s in book.index.said
    )


def _is_said(book: Book, word: str) -> bool:
    concept = concept_of(word)
    return any(s.mention.concept == concept for s in book.index.said) or concept in book.index.echo_concepts


_BY_THE: Final = re.compile(
    r"\b(?:junto|al lado|ao lado|perto|cerca|next|close|near|by|beside|frente|com vista|con vista|overlooking)(?: (?:a|d[aeo]|to|para))? (?:o|a|el|la|the)? ?$"
)
_THE: Final = re.compile(
    r"\b(?:[oa]s?|u(?:m|ma|n|na)|n[oa]s?|d[oa]s?|aos?|à|pel[oa]|el|l[ao]s?|del|al|the|an?|seus?|suas?|your|our|noss[oa]s?|nuestr[oa]s?|tus?|su|con|com|with|plus) $"
)


def _is_named(book: Book, place: int, word: str) -> bool:
    """Whether ``word`` stands for a certain thing: "the radiator"."""
    part = book.parts[place]
    start = book.read.text.find(word, part.start, part.end)
    return _THE.search(book.read.text, max(part.start, start - 8), start) is not None


def gives_to_another(book: Book, place: int, benefit: str) -> bool:
    """Whether texts give ``benefit``, but in no sentence that has a thing of this segment, and they have it elsewhere."""
    part = book.parts[place]
    own = {token for token in sides(book.read.text, part.start, part.end, book.denied, book.values) if token != benefit}
    told = [statement for statement in book.index.statements if benefit in statement]
    elsewhere = [statement for statement in book.index.statements if benefit not in statement]
    results = any(s.mention.concept == benefit and s.path[0] != "text" for s in book.index.said)
    return (
        bool(told) and not results and not any(own & t.keys() for t in told) and any(own & t.keys() for t in elsewhere)
    )


def tells_known(book: Book, place: int) -> bool:
    """Whether every word of a segment that means something is one of the sources, and no state is said."""
    content = [word for word in _content(book, place) if not is_plain(word)]
    states = any(CLASSES[m.concept] == "state" for m in book.named[place])
    return bool(content) and not states and all(stem(word) in book.index.stems for word in content)


def _is_foreign(book: Book) -> bool:
    """Whether the texts that were found are in another language than the reply."""
    told = [folded(text[:300]).text for _, text in book.sources.passages]
    return bool(told) and all(is_portuguese(text) is not (book.language == "pt") for text in told)


def _content(book: Book, place: int) -> list[str]:
    """The words of a segment that carry its meaning."""
    part, found = book.parts[place], []
    for match in words(book.piece(place)):
        start = part.start + match.start()
        short = len(match[0]) <= 3 and not book.read.capital[start : start + len(match[0])].isupper()
        if (
            len(match[0]) > 1
            and not short
            and match[0] not in STOP
            and not any(v.start <= start < v.end for v in book.values)
        ):
            found.append(match[0])
    return found


def _done_otherwise(book: Book, place: int) -> bool:
    """Whether something is said to be done for which the word list has no concept, and no source has the word."""
    part = book.parts[place]
    for match in DID.finditer(book.read.lower, part.start, part.end):
        start, end = match.span(match.lastgroup or 0)
        word = book.read.text[start:end]
        free = concept_of(word) is None and not is_plain(word) and word not in STOP and word not in FEELINGS
        if free and stem(word) not in book.index.stems and stem(word.removeprefix("un")) not in book.index.acted_stems:
            return True
    return False


def _denied_elsewhere(book: Book, place: int) -> bool:
    """Whether the statement of a text that is nearest to this one says the contrary."""
    part = book.parts[place]
    if any(m.concept in MONEYED and m.negative for m in book.named[place]):
        return False  # what is not charged is looked up as what is free
    own = sides(book.read.text, part.start, part.end, book.denied, book.values)
    best, contrary = 0.0, False
    for told in book.index.statements:
        shared = own.keys() & told.keys()
        if not shared:
            continue
        weight = len(shared) + len([t for t in shared if isinstance(t, tuple)]) / 2
        if weight < 1 or weight < best:
            continue
        plain = [token for token in shared if not isinstance(token, tuple) and token not in MONEYED]
        differ = sum(own[token] != told[token] for token in plain)
        against = differ > len(plain) - differ
        named = [token for token in shared if CLASSES.get(token) != "state"]
        against = against and len(shared) > 1 and bool(named)
        contrary = against if weight > best else contrary and against
        best = weight
    having = (
        WE.search(book.piece(place)) is not None
        or _WE_VERB.search(book.piece(place)) is not None
        or any(stem_of in own for stem_of in _siblings(book, place))
    )
    return contrary or (having and any(_only_denied(book, token) for token, denied in own.items() if not denied))


_WE_VERB: Final = re.compile(r"\b(?:we|nosotros) \w+|\w{3,}[aei]mos\b")


def _siblings(book: Book, place: int) -> list[str]:
    part = book.parts[place]
    return [stem(m[0]) for m in words(book.read.text[part.start : part.end]) if concept_of(m[0]) in SIBLINGS]


def _only_denied(book: Book, token: Any) -> bool:
    """Whether every sentence that speaks of this thing denies it."""
    if isinstance(token, tuple) or token in CLASSES:
        return False
    told = [statement[token] for statement in book.index.statements if token in statement]
    return bool(told) and all(told)
