"""Consent: words by which a customer stops or allows messages that the business begins.

They work before the agent and whatever people do with the conversation; they are noted in the ledger and confirmed
once. They say nothing about answers: who writes still gets a reply.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.normalise import words
from agent.untrusted import plain
from domain.consent import PROACTIVE, ConsentCommand, ConsentWords
from domain.messages import Address, AddressKind, Author, MessageKind
from flows import decisions
from flows.notices import say
from store import contacts, conversations, events
from store.database import Connection, Row
from store.messages import NewMessage

if TYPE_CHECKING:
    from channels.base import MessageReceived

_MOST_CHARACTERS = 90
"""A longer message says more than one of these words."""
_KINDS = frozenset({MessageKind.TEXT, MessageKind.BUTTON_ANSWER, MessageKind.LIST_ANSWER})


@dataclass(frozen=True, slots=True)
class Said:
    """A message that is a command and nothing else."""

    command: ConsentCommand
    word: str
    language: str


async def recognised(
    tx: Connection, event: MessageReceived, author: Author, settings: Mapping[str, Any]
) -> Said | None:
    """The command that the whole message is, if any. A word such as VOLTAR is one only for who has opted out."""
    said = read(event, author, settings)
    if said is None or said.command == "opt_out":
        return said
    return said if await _has_opted_out(tx, (event.chat, *event.alternates)) else None


def read(event: MessageReceived, author: Author, settings: Mapping[str, Any]) -> Said | None:
    """The word that the whole message is, if any. Nobody speaks for a group."""
    if author is not Author.CONTACT or event.chat.kind is AddressKind.GROUP or event.kind not in _KINDS:
        return None
    if len(event.text) > _MOST_CHARACTERS:
        return None
    own = settings.get("consent") or {}
    known = ConsentWords(frozenset(own.get("opt_out_words", ())), frozenset(own.get("opt_in_words", ())))
    word = " ".join(words(plain(event.text)))
    command = known.command(word)
    return Said(command, word, known.language(word)) if command else None


async def _has_opted_out(tx: Connection, addresses: Sequence[Address]) -> bool:
    found = await tx.fetchval(
        f"""SELECT 1 FROM {contacts.named_by("$1", "$2")} a JOIN contact c ON c.id = a.contact_id
             WHERE c.opted_out_at IS NOT NULL""",
        [address.kind.value for address in addresses],
        [address.value for address in addresses],
    )
    return found is not None


async def carry_out(tx: Connection, said: Said, stored: Row, message: NewMessage) -> None:
    """Note the contact's will and confirm it. A repeated word, or one older than what was said since, changes nothing.

    A word that came while we were away counts, but is confirmed no more. ``stored``: the message's row.
    """
    conversation_id, at = stored["conversation_id"], message.sent_at
    conversation = await conversations.lock(tx, conversation_id)
    contact = await tx.fetchrow("SELECT * FROM contact WHERE id = $1 FOR UPDATE", conversation["contact_id"])
    granted = said.command == "opt_in"
    last = await tx.fetchrow(
        "SELECT at FROM consent_entry WHERE contact_id = $1 AND purpose = $2 ORDER BY at DESC, id DESC LIMIT 1",
        contact["id"],
        PROACTIVE,
    )
    if (contact["opted_out_at"] is None) == granted or (last is not None and last["at"] > at):
        return
    tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", conversation["tenant_id"])
    key = f"{said.command}_confirmed"
    from flows.attendance import standing_of  # noqa: PLC0415 - templates and texts: for the few who write such a word

    standing = await standing_of(tx, tenant, conversation, contact)
    language = said.language or conversation["language"] or standing.profile.default_language
    text = standing.texts.say(standing.profile, key, language)
    await tx.execute(
        "UPDATE contact SET opted_out_at = CASE WHEN $2 THEN NULL ELSE $3::timestamptz END WHERE id = $1",
        contact["id"],
        granted,
        at,
    )
    await tx.execute(
        """INSERT INTO consent_entry (tenant_id, contact_id, purpose, granted, said, text_version, channel,
                                      channel_session_id, message_id, at)
           SELECT $1, $2, $3, $4, $5, $6, n.provider, n.id, $8, $9 FROM channel_session n WHERE n.id = $7""",
        tenant["id"],
        contact["id"],
        PROACTIVE,
        granted,
        said.word,
        f"{key}/{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        conversation["channel_session_id"],
        stored["id"],
        at,
    )
    await events.append(
        tx,
        tenant["id"],
        "contact.opted_in" if granted else "contact.opted_out",
        conversation_id=conversation_id,
        payload={"contact_id": str(contact["id"]), "said": said.word},
        actor="contact",
    )
    if message.historical:
        return
    if standing.may_announce:
        await say(tx, conversation, text)
    else:
        await decisions.suggest(tx, tenant["id"], conversation_id, text, turn_id=None)
