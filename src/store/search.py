"""Searching the inbox: words of messages, names of contacts, digits of telephone numbers, and these together.

Accents and case do not matter; a word is found by its beginning, and in its other forms of Portuguese, Spanish and
English ("pedidos" finds "pedido"). All words of the question must occur together: in one contact, in one message, or
some in the contact's name or number and the others in a message of that conversation ("ana boleto"). Row-level security
and the caller's own conditions bind what comes out: the gate only names candidates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from domain.errors import InvalidInputError
from store.database import Connection, Row
from store.search_messages import TOP, Condition, hits_of, streams_of
from store.search_question import Called, Piece, Question

_STEPS: Final = 3
"""How often more contacts are asked for; then a page ends, full or not."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A conversation and what of it was found: its contact, or its newest message with the words.

    Of words that the contact's name or number says already, the message need not have them too.
    """

    conversation_id: UUID
    by: Literal["contact", "message"]
    at: datetime
    """When that message was stored; of a contact, when the conversation's last message was."""
    message_id: int | None = None
    snippet: tuple[Piece, ...] = ()
    """Of the message, or the contact's name or number."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of hits: conversations whose contact was meant, then by their newest message with the words.

    ``after``: what to ask for the next page with; None: there is nothing more. A page may be short, even empty, and yet
    have a next one: each looks at a bounded number of messages.
    """

    hits: tuple[Hit, ...]
    after: str | None


async def search(
    tx: Connection,
    text: str,
    *,
    where: str = "true",
    arguments: Sequence[Any] = (),
    after: str | None = None,
    limit: int = 30,
) -> Found:
    """Conversations of the transaction's tenant that ``text`` finds, each once.

    ``where`` is SQL about conversation ``c``, with ``$1`` … for ``arguments``. Raises InvalidInputError for an
    ``after`` that is none.
    """
    stage, below = ("c", TOP) if after is None or after.startswith("c") else _message_of(after)
    question = await Question.of(tx, text)
    if not question.words:
        return Found((), None)
    condition = (where, tuple(arguments))
    hits: list[Hit] = []
    if stage == "c":
        hits, next_one = await _by_contact(tx, question, condition, after, limit)
        if next_one is not None:
            return Found(tuple(hits), next_one)
    streams = await streams_of(tx, question)
    names = [stream.letter for stream in streams]
    for stream in streams[names.index(stage) if stage in names else 0 :]:
        if len(hits) == limit:
            return Found(tuple(hits), f"{stream.letter}{TOP}")
        upto = below if stream.letter == stage else TOP
        more, last = await hits_of(tx, question, condition, stream, upto, limit=limit - len(hits))
        hits += [
            Hit(row["conversation_id"], "message", row["received_at"], row["id"], question.snippet(row["text"]))
            for row in more
        ]
        if last is not None:
            return Found(tuple(hits), f"{stream.letter}{last}")
    return Found(tuple(hits), None)


async def _by_contact(
    tx: Connection, question: Question, condition: Condition, after: str | None, limit: int
) -> tuple[list[Hit], str | None]:
    """Conversations whose contact was meant, and how to go on among them; None when there are no more."""
    before, before_id = _contact_of(after) if after else (None, None)
    where, arguments = condition
    first = len(arguments)
    hits: list[Hit] = []
    for _ in range(_STEPS):
        named = await tx.fetch(
            "SELECT * FROM gate.conversations_by_contact($1, $2, $3, $4, $5, $6)",
            [word for word in question.words if word not in question.figures],
            question.figures,
            question.digits,
            before,
            before_id,
            limit * 4,
        )
        rows = await tx.fetch(
            f"""SELECT c.id, c.last_message_at, p.name, p.push_name,
                       ARRAY(SELECT a.kind || ':' || a.value FROM contact_address a
                              WHERE a.contact_id = p.id AND a.kind IN ('phone', 'simulator')) AS addresses
                  FROM conversation c JOIN contact p ON p.id = c.contact_id
                 WHERE c.id = ANY (${first + 1}) AND ({where})
                 ORDER BY c.last_message_at DESC, c.id DESC""",
            *arguments,
            [row["conversation_id"] for row in named],
        )
        for row in rows[: limit - len(hits)]:
            hits.append(
                Hit(row["id"], "contact", row["last_message_at"], snippet=question.snippet(_shown(row, question)))
            )
        if len(hits) == limit and (len(rows) > limit or len(named) == limit * 4):
            return hits, f"c{hits[-1].at.isoformat()}~{hits[-1].conversation_id}"
        if len(named) < limit * 4:
            return hits, None
        before, before_id = named[-1]["last_message_at"], named[-1]["conversation_id"]
    return hits, f"c{before.isoformat()}~{before_id}" if before else None


def _shown(row: Row, question: Question) -> str:
    """The name or the number by which the contact was meant."""
    addresses = [address.partition(":")[2] for address in row["addresses"]]
    names = [name for name in (row["name"], row["push_name"], *addresses) if name]
    return next((name for name in names if question.names(Called(name, (name,)))), names[0] if names else "")


def _contact_of(after: str) -> tuple[datetime, UUID]:
    at, _, conversation_id = after[1:].partition("~")
    try:
        found = datetime.fromisoformat(at), UUID(conversation_id)
    except ValueError:
        raise _no_place(after) from None
    if found[0].tzinfo is None:
        raise _no_place(after)
    return found


def _message_of(after: str) -> tuple[str, int]:
    """The stream and the place in it."""
    if not re.fullmatch(r"[mnx]\d{1,19}", after) or int(after[1:]) > TOP:
        raise _no_place(after)
    return after[0], int(after[1:])


def _no_place(after: str) -> InvalidInputError:
    return InvalidInputError("after", f"is no place in these results: {after[:60]}")
