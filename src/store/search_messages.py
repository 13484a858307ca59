"""The messages that a search finds, as streams that each go from the newest to the oldest and may be left anywhere.

A question of one word has one stream: its messages. With several words there are up to two more, of messages whose
contact's name or number says some of the words already. Such a contact's conversation is in one of those streams and in
no other. Where few contacts are called so, their messages are looked through; where many are, the messages with the
other words are, and whose they are. Each looks at a bounded number of messages, so a page may end before it is full.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from store.database import Connection, Row
from store.search_question import Called, Question

Condition = tuple[str, tuple[Any, ...]]
"""SQL about conversation ``c``, and its values."""
TOP: Final = 2**62
"""Above every message."""
_FEW: Final = 100
"""Contacts of one name whose messages are looked through."""
_BATCHES: Final = {"m": (120, 380, 1000), "n": (1000, 2000), "x": (500, 1000)}
"""How many messages each stream looks at, one batch after the other."""
_LOOKED_BACK: Final = 300


@dataclass(frozen=True, slots=True)
class Stream:
    """Where messages come from: m, of contacts that no word names; n, of ``few``; x, of the many others so called."""

    letter: Literal["m", "n", "x"]
    few: Mapping[UUID, frozenset[str]]
    """Contacts, and which of the words their names and numbers lack."""
    rare: frozenset[str] = frozenset()
    """Words that name nobody else: in x the message must hold them."""


async def streams_of(tx: Connection, question: Question) -> list[Stream]:
    """The streams of a question, those that answer it best first."""
    if not question.is_for_messages:
        return []
    if not question.nameable:
        return [Stream("m", {})]
    named: dict[str, list[UUID]] = {word: [] for word in question.nameable}
    for row in await tx.fetch("SELECT * FROM gate.contacts_by_word($1, $2)", question.nameable, _FEW + 1):
        named[question.nameable[row["place"] - 1]].append(row["contact_id"])
    common = [word for word, contacts in named.items() if len(contacts) > _FEW]
    called = {one for word, contacts in named.items() if word not in common for one in contacts}
    if len(common) > 1:
        rows = await tx.fetch("SELECT * FROM gate.contacts_by_word($1, $2)", [" ".join(common)], _FEW * 3)
        if len(rows) < _FEW * 3:
            called |= {row["contact_id"] for row in rows}
    few = {
        one: frozenset(question.words) - question.held_by(contact)
        for one, contact in (await _called(tx, called)).items()
        if not question.names(contact)
    }
    streams = []
    if few:
        streams.append(Stream("n", few))
    if common:
        streams.append(Stream("x", few, frozenset(question.words) - set(common)))
    plain = Stream("m", few)
    # Digits are rather those of an order in a message than those of a number that happens to have them.
    return [plain, *streams] if any(word.isdigit() for word in named) else [*streams, plain]


async def hits_of(
    tx: Connection, question: Question, condition: Condition, stream: Stream, below: int, *, limit: int
) -> tuple[list[Row], int | None]:
    """Messages (id, conversation_id, received_at, text), one of each conversation, the newest first and below a place;
    and below which to go on, None: there are no more."""
    hits: dict[UUID, Row] = {}
    top, passed = below, set[UUID]()
    for batch in _BATCHES[stream.letter]:
        ids, looked_upto = await _candidates(tx, question, stream, below, batch)
        rows = await _read(tx, ids, condition)
        await question.learn(tx, (row["text"] for row in rows))
        right = await _right(tx, question, stream, rows)
        if top < TOP:
            passed |= await _shown_before(tx, question, {row["conversation_id"]: words for row, words in right}, top)
        for row, _ in right:
            if row["conversation_id"] not in hits and row["conversation_id"] not in passed:
                hits[row["conversation_id"]] = row
                if len(hits) == limit:
                    return list(hits.values()), row["id"]
        if looked_upto is None:
            return list(hits.values()), None
        below = looked_upto
    return list(hits.values()), below


async def _candidates(
    tx: Connection, question: Question, stream: Stream, below: int, batch: int
) -> tuple[list[int], int | None]:
    """Messages that may be right, the newest first, and below which to go on; None: there are no more."""
    if stream.letter == "m":
        ids = await _with_words(tx, question.wide, below, batch)
        return ids, ids[-1] if len(ids) == batch else None
    if stream.letter == "n":
        lacking = [" ".join(f"%{question.beginnings[word]}%" for word in words) for words in stream.few.values()]
        rows = await tx.fetch(
            "SELECT * FROM gate.messages_of_contacts($1, $2, $3, $4, $5)",
            list(stream.few),
            lacking,
            question.wide,
            below,
            batch,
        )
        floor = rows[-1]["looked_upto"]
        return [row["message_id"] for row in rows if row["message_id"] is not None], floor or None
    # Of names alone ("ana souza") the message holds one and the contact another: each is looked for.
    asked = [stream.rare] if stream.rare else [{word} for word in question.words]
    share = max(1, batch // len(asked))
    found = [
        await _with_words(tx, tuple({question.beginnings[word] for word in words}), below, share) for words in asked
    ]
    floor = max((ids[-1] for ids in found if len(ids) == share), default=0)
    looked = {one for ids in found for one in ids if one >= floor}
    rows = await tx.fetch(
        "SELECT * FROM gate.messages_with_names($1, $2, $3)",
        list(looked),
        [question.beginnings[word] for word in question.words],
        question.words,
    )
    return [row["message_id"] for row in rows], floor or None


async def _with_words(tx: Connection, wide: Sequence[str], below: int, at_most: int) -> list[int]:
    rows = await tx.fetch("SELECT * FROM gate.messages_by_words($1, $2, $3)", wide, below, at_most)
    return [row["message_id"] for row in rows]


async def _read(tx: Connection, ids: list[int], condition: Condition) -> list[Row]:
    where, arguments = condition
    return list(
        await tx.fetch(
            f"""SELECT m.id, m.conversation_id, m.received_at, c.contact_id,
                       CASE WHEN m.transcript IS NULL THEN m.text
                            ELSE concat_ws(' ', nullif(m.text, ''), m.transcript ->> 'text') END AS text
                  FROM (SELECT unnest(${len(arguments) + 1}::bigint[]) AS id) wanted
                  JOIN message_as_changed m ON m.id = wanted.id
                  JOIN conversation c ON c.id = m.conversation_id
                 WHERE NOT m.revoked AND ({where}) ORDER BY m.id DESC""",
            *arguments,
            ids,
        )
    )


async def _right(
    tx: Connection, question: Question, stream: Stream, rows: Sequence[Row]
) -> list[tuple[Row, Collection[str]]]:
    """The messages that belong into the stream, and which words each had to hold."""
    if stream.letter == "n":
        of_few = [(row, stream.few[row["contact_id"]]) for row in rows if row["contact_id"] in stream.few]
        return [(row, words) for row, words in of_few if question.is_answered_by(row["text"], words)]
    if stream.letter == "m":
        rows = [row for row in rows if question.is_answered_by(row["text"])]
    contacts = await _called(tx, {row["contact_id"] for row in rows})
    found: list[tuple[Row, Collection[str]]] = []
    for row in rows:
        contact = contacts[row["contact_id"]]
        if question.names(contact) or row["contact_id"] in stream.few:
            continue
        held = question.held_by(contact)
        if (stream.letter == "x") is not bool(held):
            continue
        lacking = frozenset(question.words) - held
        if stream.letter == "m" or question.is_answered_by(row["text"], lacking):
            found.append((row, lacking))
    return found


async def _called(tx: Connection, contacts: Collection[UUID]) -> dict[UUID, Called]:
    rows = await tx.fetch(
        """SELECT p.id, p.name, p.push_name,
                  ARRAY(SELECT a.kind || ':' || a.value FROM contact_address a
                         WHERE a.contact_id = p.id AND a.kind IN ('phone', 'simulator')) AS addresses
             FROM contact p WHERE p.id = ANY ($1::uuid[])""",
        list(contacts),
    )
    return {row["id"]: Called.of(row) for row in rows}


async def _shown_before(
    tx: Connection, question: Question, conversations: Mapping[UUID, Collection[str]], top: int
) -> set[UUID]:
    """Which of them had a newer message with these words, and so stood on an earlier page."""
    rows = await tx.fetch(
        """SELECT n.conversation_id, n.text FROM unnest($1::uuid[]) AS c (id)
            CROSS JOIN LATERAL (SELECT m.conversation_id, m.text FROM message m
                                 WHERE m.conversation_id = c.id AND m.id >= $2 ORDER BY m.id LIMIT $3) n""",
        list(conversations),
        top,
        _LOOKED_BACK,
    )
    await question.learn(tx, (row["text"] for row in rows))
    return {
        row["conversation_id"]
        for row in rows
        if question.is_answered_by(row["text"], conversations[row["conversation_id"]])
    }
