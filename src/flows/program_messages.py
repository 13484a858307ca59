"""Messages that a tenant's own programs send: checked as a whole, queued once for each idempotency key.

They take the way of every other message (the outbox), but take no conversation over and answer no question: the agent
or the operator who holds the conversation goes on as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from channels.whatsapp import outgoing
from channels.whatsapp.ids import canonical_phone, phone_spellings
from channels.whatsapp.sounds import heard
from domain import content_rules
from domain import media as formats
from domain.content_words import described, message_kind
from domain.contents import Content, Media, as_json, from_json
from domain.errors import ConflictError, InvalidInputError, NotFoundError, TooLargeError
from domain.messages import Address, AddressKind
from flows import idempotency, service_window
from flows.api_keys import ApiCaller
from flows.attachments import MOST_BYTES, Attachments
from flows.channel_requests import ChannelRequests, NotOnWhatsAppError
from flows.desk import checked_text
from flows.idempotency import checked_key
from flows.link_previews import LinkPreviews
from flows.media import limit_of
from flows.program_orders import Order, read_id, read_order
from flows.sessions import HOSTED
from store import contacts, events, outbox
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, OUTBOX, Wakeup

_ABOUT_MESSAGES: Final = frozenset({"reaction", "edit", "revoke"})
_KINDS: Final = frozenset({"image", "video", "audio", "voice", "document", "sticker"})


class OptedOutError(ConflictError):
    """The contact asked to be sent nothing on the business's initiative."""

    def __init__(self) -> None:
        super().__init__(
            "This contact asked to get no more messages.",
            hint='Answer what they ask with "purpose": "reply"; start nothing until they opt in again.',
        )


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that waits to be sent. ``sends_as``: its kind, unless the message says another."""

    id: UUID
    mime_type: str
    file_name: str
    size_bytes: int

    @property
    def sends_as(self) -> str:
        return formats.kind_of(self.mime_type)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was queued, as JSON; ``repeated``: it was before, and nothing was queued now."""

    answer: dict[str, Any]
    repeated: bool = False


class ProgramMessages:
    """Raises InvalidInputError, ConflictError, NotFoundError or TooLargeError; then nothing was queued or kept."""

    def __init__(
        self,
        db: Database,
        wakeup: Wakeup,
        requests: ChannelRequests,
        attachments: Attachments,
        previews: LinkPreviews,
    ) -> None:
        self._db, self._wakeup, self._requests, self._previews = db, wakeup, requests, previews
        self._offers, self._media = attachments.offers, attachments.media

    async def keep_file(
        self, caller: ApiCaller, session_id: UUID, *, data: bytes, name: str, claimed: str
    ) -> StoredFile:
        """Keep a file to be sent with this number; its type is what its bytes are."""
        mime, name = formats.sniff(data, claimed), formats.clean_name(name)
        async with self._db.transaction(caller.tenant_id) as tx:
            await _need_number(tx, session_id)
            limit = min(await limit_of(tx), MOST_BYTES)
        if not data:
            raise InvalidInputError("file", f"{name or 'it'} is empty")
        if len(data) > limit:
            raise TooLargeError(limit)
        if formats.is_executable(mime, name):
            raise InvalidInputError("file", f"programs cannot be sent ({name or mime})")
        sha256 = await self._media.store.put(caller.tenant_id, data)
        async with self._db.transaction(caller.tenant_id) as tx:
            file_id: UUID = await tx.fetchval(
                """INSERT INTO media_file (tenant_id, channel_session_id, state, sha256, mime_type, file_name,
                                           size_bytes)
                   VALUES ($1, $2, 'stored', $3, $4, $5, $6) RETURNING id""",
                caller.tenant_id,
                session_id,
                sha256,
                mime,
                name,
                len(data),
            )
        return StoredFile(file_id, mime, name, len(data))

    async def send(self, caller: ApiCaller, session_id: UUID, body: object, *, key: str) -> Accepted:
        """Queue one message. ``key``: the program's own; the same request under it is carried out once."""
        order, key = read_order(body), checked_key(key)
        digest = idempotency.digest_of([str(session_id), body])
        async with self._db.transaction(caller.tenant_id) as tx:
            number = await _need_number(tx, session_id)
            if (before := await idempotency.answered(tx, key, digest)) is not None:
                return Accepted(before, repeated=True)
            place = await _place(tx, session_id, order.to)
        order = await self._with_preview(order)
        if place is None:  # somebody new: WhatsApp says whether and as whom it knows the number
            found = await self._requests.check_number(caller.tenant_id, session_id, order.to)
            if found.address is None:
                raise NotOnWhatsAppError(found.phone)
            place = found.address
        async with self._db.transaction(caller.tenant_id) as tx:
            before = await idempotency.reserve(tx, caller.tenant_id, key, digest)
            if before is not None:  # a twin of this request was quicker, and has committed
                return Accepted(before, repeated=True)
            answer = await self._queue(tx, caller, number, place, order)
            await idempotency.keep(tx, key, answer)
        self._wakeup.signal(EVENTS, OUTBOX)
        return Accepted(answer)

    async def _with_preview(self, order: Order) -> Order:
        """The order; a link's card is read from its page where the program names no title."""
        content = order.content or {}
        url = content.get("url")
        if content.get("type") != "link_preview" or content.get("title") or not isinstance(url, str):
            return order
        return replace(order, content=as_json(await self._previews.of(url)))

    async def _queue(
        self, tx: Connection, caller: ApiCaller, number: Row, place: Address | UUID, order: Order
    ) -> dict[str, Any]:
        conversation = await _conversation(tx, number, place)
        content, file = await self._content(tx, conversation, order)
        if content is not None:
            await self._offers.check(tx, number["id"], content.type)
            content_rules.check(content, order.text)
        text = checked_text(order.text) if content is None or order.text.strip() else ""
        await service_window.check(tx, conversation, text)
        if order.purpose == "proactive" and conversation["opted_out_at"] is not None:
            raise OptedOutError
        quoted = await _named_message(tx, conversation["id"], order.reply_to) if order.reply_to is not None else None
        message_id: int = await tx.fetchval(
            """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, kind,
                                    content, quoted_provider_id, sent_at)
               VALUES ($1, $2, $3, $4, 'operator', $5, $6, $7, $8, now()) RETURNING id""",
            caller.tenant_id,
            conversation["id"],
            number["id"],
            conversation["contact_id"],
            text,
            message_kind(content).value,
            {"program": caller.name, **({"carries": as_json(content)} if content is not None else {})},
            quoted["provider_id"] if quoted else None,
        )
        outbox_id = await outbox.add(
            tx,
            conversation=conversation,
            message_id=message_id,
            origin="program",
            fence=None,
            content=as_json(content) if content is not None else None,
            purpose=order.purpose,
        )
        if file is not None:
            await tx.execute(
                """INSERT INTO media_file (tenant_id, channel_session_id, message_id, state, sha256, mime_type,
                                           file_name, size_bytes)
                   SELECT tenant_id, channel_session_id, $2, state, sha256, mime_type, file_name, size_bytes
                     FROM media_file WHERE id = $1""",
                file,
                message_id,
            )
        await tx.execute(
            "UPDATE conversation SET last_message_at = now(), last_preview = left($2, 120) WHERE id = $1",
            conversation["id"],
            described(content, text),
        )
        await events.append(
            tx,
            caller.tenant_id,
            "message.queued",
            conversation_id=conversation["id"],
            payload={"message_id": message_id},
            actor=caller.actor,
        )
        shown_as_text = content is not None and number["provider"] == HOSTED and content.type in outgoing.AS_TEXT
        return {
            "message_id": message_id,
            "outbox_id": str(outbox_id),
            "conversation_id": str(conversation["id"]),
            "to": conversation["address"],
            "state": "queued",
            **({"shown_as": "numbered_text"} if shown_as_text else {}),
        }

    async def _content(self, tx: Connection, conversation: Row, order: Order) -> tuple[Content | None, UUID | None]:
        """What goes out beside the text, with the id of its file."""
        if order.content is None:
            return None, None
        values = dict(order.content)
        kind = values.get("type")
        if kind == "media":
            media, file_id = await _media_content(tx, conversation["tenant_id"], values)
            if media.kind == "voice" and not heard((await self._media.read(media)).data).is_opus:
                raise InvalidInputError("content.file", "a voice message is Ogg with Opus", hint="Send it as audio.")
            return media, file_id
        if kind in _ABOUT_MESSAGES:
            message = await _named_message(tx, conversation["id"], values.pop("message", None))
            values["provider_id"] = message["provider_id"]
            if kind == "reaction":
                values["from_me"] = message["is_ours"]
            elif not message["is_ours"]:
                raise InvalidInputError("content.message", "only a message of our own can be changed")
        try:
            content = from_json(values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInputError("content", f"cannot be read: {error}") from None
        return _of_plain_values(content), None


def _of_plain_values(content: Content) -> Content:
    """The content, if its fields have the types that they say. Raises InvalidInputError."""
    shape: dict[str, type | tuple[type, ...]] = {
        "latitude": (int, float),
        "longitude": (int, float),
        "from_me": bool,
        "several": bool,
    }
    for name, value in as_json(content).items():
        plain = all(isinstance(one, str | Mapping) for one in value) if isinstance(value, list | tuple) else None
        if plain is False or (plain is None and not isinstance(value, shape.get(name, str))):
            raise InvalidInputError(f"content.{name}", "is of the wrong type")
    return replace(content)


async def _media_content(tx: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> tuple[Media, UUID]:
    if values.keys() - {"type", "file", "kind"}:
        raise InvalidInputError(
            "content", "a file has only file and kind", hint="POST the file itself to …/files first."
        )
    file_id = read_id("content.file", values.get("file"))
    row = await tx.fetchrow(
        "SELECT id, sha256, mime_type, file_name FROM media_file WHERE id = $1 AND state = 'stored'", file_id
    )
    if row is None:
        raise NotFoundError("file", file_id)
    kind = values.get("kind") or formats.kind_of(row["mime_type"])
    if kind not in _KINDS:
        raise InvalidInputError("content.kind", f"must be one of {', '.join(sorted(_KINDS))}")
    return Media(kind, f"{tenant_id}/{row['sha256']}", row["mime_type"], row["file_name"]), row["id"]


async def _named_message(tx: Connection, conversation_id: UUID, message_id: object) -> Row:
    """A message of the conversation that WhatsApp knows, with its id there. Raises InvalidInputError, NotFoundError."""
    if not isinstance(message_id, int) or isinstance(message_id, bool) or not 0 < message_id < 2**63:
        raise InvalidInputError("message", "must be the id of a message of this conversation")
    row = await tx.fetchrow(
        """SELECT coalesce(o.provider_id, m.provider_id) AS provider_id, m.author <> 'contact' AS is_ours
             FROM message m LEFT JOIN outbox_message o ON o.message_id = m.id
            WHERE m.id = $1 AND m.conversation_id = $2""",
        message_id,
        conversation_id,
    )
    if row is None:
        raise NotFoundError("message", message_id)
    if row["provider_id"] is None:
        raise InvalidInputError("message", f"{message_id} has not been sent yet")
    return row


async def _need_number(tx: Connection, session_id: UUID) -> Row:
    row = await tx.fetchrow("SELECT id, tenant_id, provider FROM channel_session WHERE id = $1", session_id)
    if row is None:
        raise NotFoundError("number", session_id)
    return row


async def _place(tx: Connection, session_id: UUID, to: str) -> Address | UUID | None:
    """The conversation or the known address that ``to`` names; None: a phone number that nobody has written from."""
    kind, colon, value = to.partition(":")
    if colon and kind in set(AddressKind):
        known = await tx.fetchval("SELECT 1 FROM contact_address WHERE kind = $1 AND value = $2", kind, value)
        if known is None and kind != AddressKind.SIMULATOR:
            raise InvalidInputError("to", f"nobody is known as {to}", hint="Give a phone number, or who wrote to you.")
        return Address(AddressKind(kind), value)
    try:
        conversation_id = UUID(to)
    except ValueError:
        pass
    else:
        found: UUID | None = await tx.fetchval(
            "SELECT id FROM conversation WHERE id = $1 AND channel_session_id = $2", conversation_id, session_id
        )
        if found is None:
            raise NotFoundError("conversation", to)
        return found
    canonical_phone(to)
    for digits in phone_spellings(to):
        if await tx.fetchval("SELECT 1 FROM contact_address WHERE kind = 'phone' AND value = $1", digits):
            return Address(AddressKind.PHONE, digits)
    return None


async def _conversation(tx: Connection, number: Row, place: Address | UUID) -> Row:
    """The conversation, locked; a new one where this number and contact have none yet."""
    if isinstance(place, Address):
        contact_id = await contacts.resolve(tx, number["tenant_id"], [place])
        await tx.execute(
            "INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, team_id) "
            "VALUES ($1, $2, $3, $4, (SELECT team_id FROM channel_session WHERE id = $2)) "
            "ON CONFLICT DO NOTHING",
            number["tenant_id"],
            number["id"],
            contact_id,
            str(place),
        )
        condition, value = "c.contact_id = $2", contact_id
    else:
        condition, value = "c.id = $2", place
    row: Row = await tx.fetchrow(
        f"""SELECT c.*, p.opted_out_at FROM conversation c JOIN contact p ON p.id = c.contact_id
             WHERE c.channel_session_id = $1 AND {condition} FOR UPDATE OF c""",
        number["id"],
        value,
    )
    return row
