"""The question after closing: asked once in a while where the tenant wants it, and its answer taken in.

An answer is recognised before anything reopens the conversation and before the agent: see Inbound. Whatever is no score
is an ordinary message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from agent.normalise import words
from domain.contents import Choice, Content, ListMenu
from domain.messages import AddressKind, Author, MessageKind
from domain.satisfaction import SCORES, score_of
from flows import service_window
from flows.attachments import NotOfferedHereError, Offers
from flows.notices import say
from store import contacts, conversations, events
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, OUTBOX, Wakeup

if TYPE_CHECKING:
    from channels.base import MessageReceived
    from store.messages import NewMessage

EVERY_DAYS: Final = 30
ASK_AFTER: Final = timedelta(minutes=1)
"""A closing may be taken back until then. Unless the tenant says otherwise (``satisfaction.after_minutes``)."""
ASK_WITHIN: Final = timedelta(hours=1)
"""A question that could not be asked so long after its time (no worker, the kill switch) is not asked any more."""
ANSWERED_WITHIN: Final = timedelta(hours=72)
_CHANGES_MIND: Final = timedelta(minutes=10)
"""How long after an answer another score replaces it."""
NOT_AFTER: Final = ("spam", "no_answer", "duplicate", "cancelled")
_KINDS: Final = frozenset({MessageKind.TEXT, MessageKind.BUTTON_ANSWER, MessageKind.LIST_ANSWER})
_AT_ONCE: Final = 100

_DUE: Final = """
SELECT DISTINCT ON (k.id) e.conversation_id, k.id AS contact_id, e.first_message_id, e.last_message_id
  FROM conversation_episode e
  JOIN conversation c ON c.id = e.conversation_id AND c.status = 'closed'
  JOIN contact k ON k.id = c.contact_id
 WHERE e.closed_at > now() - $1::interval AND e.closed_at <= now() - $2::interval AND e.reopened_at IS NULL
   AND coalesce(c.closed_reason, 'resolved') <> ALL ($3::text[])
   AND NOT k.is_group AND k.opted_out_at IS NULL
   AND EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = c.id AND m.id >= e.first_message_id
                  AND m.id <= e.last_message_id AND m.author = 'contact' AND NOT m.historical)
   AND EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = c.id AND m.id >= e.first_message_id
                  AND m.id <= e.last_message_id AND m.author IN ('bot', 'operator', 'phone') AND NOT m.historical)
   AND NOT EXISTS (SELECT 1 FROM satisfaction_answer a JOIN conversation o ON o.id = a.conversation_id
                    WHERE o.contact_id = k.id AND a.asked_at > now() - $4::interval)
 ORDER BY k.id, e.closed_at LIMIT $5
"""
_AWAITED: Final = """
SELECT c.*, a.id AS question_id, a.answered_at FROM {named} x
  JOIN conversation c ON c.contact_id = x.contact_id AND c.channel_session_id = $3 AND c.status = 'closed'
  JOIN satisfaction_answer a ON a.conversation_id = c.id AND a.asked_at > now() - $4::interval
   AND (a.answered_at IS NULL OR a.answered_at > now() - $5::interval)
 ORDER BY a.asked_at DESC LIMIT 1 FOR UPDATE OF c
"""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A score, and the question that it answers."""

    score: int
    conversation: Row
    """The closed conversation, locked, with ``question_id`` and ``answered_at``."""


def wanted(settings: Mapping[str, Any]) -> bool:
    """Whether the tenant has its customers asked."""
    return (settings.get("satisfaction") or {}).get("ask") is True


async def recognised(
    tx: Connection, event: MessageReceived, author: Author, session_id: UUID, settings: Mapping[str, Any]
) -> Awaited | None:
    """The score that the whole message is, where one is awaited in this chat. Most messages ask nobody."""
    if not wanted(settings) or author is not Author.CONTACT or event.kind not in _KINDS or event.historical:
        return None
    if event.chat.kind is AddressKind.GROUP:
        return None
    score = score_of(event.text, words(event.text))
    if score is None:
        return None
    addresses = (event.chat, *event.alternates)
    row = await tx.fetchrow(
        _AWAITED.format(named=contacts.named_by("$1", "$2")),
        [address.kind.value for address in addresses],
        [address.value for address in addresses],
        session_id,
        ANSWERED_WITHIN,
        _CHANGES_MIND,
    )
    return Awaited(score, row) if row is not None else None


async def take(tx: Connection, awaited: Awaited, message: NewMessage) -> Row | None:
    """Keep the answer, without opening the conversation; thank for the first one. None: the message is known already.

    Returns its row: id, conversation_id, enqueued.
    """
    conversation = awaited.conversation
    message_id = await tx.fetchval(
        """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author, kind,
                                text, content, sent_at, sender, quoted_provider_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
           ON CONFLICT (channel_session_id, contact_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING
           RETURNING id""",
        conversation["tenant_id"],
        conversation["id"],
        conversation["channel_session_id"],
        conversation["contact_id"],
        message.provider_id,
        message.author,
        message.kind,
        message.text,
        {**message.content, "command": "satisfaction", "score": awaited.score},
        message.sent_at,
        message.sender,
        message.quoted_provider_id,
    )
    if message_id is None:
        return None
    await tx.execute(
        "UPDATE conversation SET last_message_at = now(), last_preview = left($2, 120) WHERE id = $1",
        conversation["id"],
        message.text,
    )
    await tx.execute(
        "UPDATE satisfaction_answer SET score = $2, answered_at = coalesce(answered_at, now()), comment = $3 "
        "WHERE id = $1",
        conversation["question_id"],
        awaited.score,
        message.text,
    )
    told = {"message_id": message_id, "author": message.author, "kind": message.kind}
    for kind, payload in (("message.received", told), ("satisfaction.answered", {"score": awaited.score})):
        await events.append(
            tx,
            conversation["tenant_id"],
            kind,
            conversation_id=conversation["id"],
            payload=payload,
            actor="contact",
        )
    if conversation["answered_at"] is None:
        await _thank(tx, conversation)
    return await tx.fetchrow("SELECT id, conversation_id, false AS enqueued FROM message WHERE id = $1", message_id)


async def ask_due(db: Database, wakeup: Wakeup, offers: Offers, tenant_id: UUID) -> int:
    """Ask the contacts of conversations closed a moment ago; returns how many were asked."""
    async with db.transaction(tenant_id) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
        if not wanted(settings):
            return 0
        every = timedelta(days=float(settings["satisfaction"].get("every_days", EVERY_DAYS)))
        after = _after(settings["satisfaction"])
        due = await tx.fetch(_DUE, after + ASK_WITHIN, after, list(NOT_AFTER), every, _AT_ONCE)
    asked = 0
    for row in due:
        async with db.transaction(tenant_id) as tx:
            asked += await _ask(tx, tenant_id, row, every, offers)
    if asked:
        wakeup.signal(EVENTS, OUTBOX)
    return asked


def _after(declared: Mapping[str, Any]) -> timedelta:
    return timedelta(minutes=float(declared["after_minutes"])) if "after_minutes" in declared else ASK_AFTER


async def _ask(tx: Connection, tenant_id: UUID, due: Row, every: timedelta, offers: Offers) -> int:
    # The contact first: its conversations on two numbers may have been closed at the same moment.
    contact = await tx.fetchrow("SELECT * FROM contact WHERE id = $1 FOR UPDATE", due["contact_id"])
    if contact is None:
        return 0
    conversation = await conversations.lock(tx, due["conversation_id"])
    again = await tx.fetchval(
        """SELECT 1 FROM satisfaction_answer a JOIN conversation o ON o.id = a.conversation_id
            WHERE o.contact_id = $1 AND a.asked_at > now() - $2::interval LIMIT 1""",
        contact["id"],
        every,
    )
    if again or conversation["status"] != "closed" or await service_window.is_closed(tx, conversation["id"]):
        return 0
    tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
    from flows.attendance import standing_of  # noqa: PLC0415 - attendance keeps these appointments

    standing = await standing_of(tx, tenant, conversation, contact)
    if not standing.may_announce:
        return 0
    language = conversation["language"] or standing.profile.default_language
    text = standing.texts.say(standing.profile, "satisfaction_question", language)
    menu = ListMenu(
        standing.texts.say(standing.profile, "satisfaction_button", language),
        tuple(
            Choice(f"satisfaction:{score}", standing.texts.say(standing.profile, f"satisfaction_{score}", language))
            for score in reversed(SCORES)
        ),
    )
    content: Content | None = menu
    try:
        await offers.check(tx, conversation["channel_session_id"], menu.type)
    except NotOfferedHereError:
        content = None
        text = f"{text} {standing.texts.say(standing.profile, 'satisfaction_how', language)}"
    await say(tx, conversation, text, purpose="proactive", content=content)
    served_by = await tx.fetchval(
        """SELECT m.user_id FROM message m
            WHERE m.conversation_id = $1 AND m.id BETWEEN $2 AND $3 AND m.user_id IS NOT NULL AND m.author = 'operator'
            ORDER BY m.id DESC LIMIT 1""",
        conversation["id"],
        due["first_message_id"],
        due["last_message_id"],
    )
    await tx.execute(
        "INSERT INTO satisfaction_answer (tenant_id, conversation_id, user_id) VALUES ($1, $2, $3)",
        tenant_id,
        conversation["id"],
        served_by,
    )
    await events.append(tx, tenant_id, "satisfaction.asked", conversation_id=conversation["id"])
    return 1


async def _thank(tx: Connection, conversation: Row) -> None:
    tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", conversation["tenant_id"])
    contact = await tx.fetchrow("SELECT * FROM contact WHERE id = $1", conversation["contact_id"])
    from flows.attendance import standing_of  # noqa: PLC0415 - see above

    standing = await standing_of(tx, tenant, conversation, contact)
    if standing.may_announce:
        language = conversation["language"] or standing.profile.default_language
        await say(tx, conversation, standing.texts.say(standing.profile, "satisfaction_thanks", language))
