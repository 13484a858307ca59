"""Canned replies: texts that operators insert by a shortcut. Shared ones are everybody's, own ones one person's.

``{{contact.name}}`` and the like are filled in when a reply is inserted; VARIABLES names them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

from domain.errors import ChangedMeanwhileError, ConflictError, NotAllowedError, NotFoundError
from domain.roles import Right, roles_with
from flows.refusals import RefusedError, prose
from store import events
from store.database import Connection, Database, Row

if TYPE_CHECKING:
    from flows.desk import Actor

VARIABLES: Final = (
    "contact.name",
    "contact.first_name",
    "contact.phone",
    "operator.name",
    "operator.first_name",
    "business.name",
    "number.name",
)
"""What a reply may hold in double braces; also ``contact.fields.NAME``, what the business keeps of the contact."""

_MOST: Final = 500
_LONGEST: Final = 4000
_SHORTCUT: Final = re.compile(r"[\w-]{1,40}")
_BRACES: Final = re.compile(r"{{\s*(.*?)\s*}}", re.DOTALL)
_FIELD: Final = re.compile(r"contact\.fields\.[\w -]{1,60}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A canned reply. ``user_id`` None: everybody's. ``version`` grows with each change."""

    id: UUID
    user_id: UUID | None
    shortcut: str
    text: str
    version: int

    @property
    def is_shared(self) -> bool:
        return self.user_id is None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A reply with its variables filled in; ``missing``: those that nothing is known for, left out of the text."""

    text: str
    missing: tuple[str, ...] = ()


def render(reply: Reply | str, values: Mapping[str, str]) -> Rendered:
    """The text as it would be sent. ``values``: from ``values_of``, or samples for a preview.

    A value is never read for variables again, whatever a contact calls itself.
    """
    missing: list[str] = []

    def fill(found: re.Match[str]) -> str:
        value = values.get(found[1], "")
        if not value:
            missing.append(found[1])
        return value

    text = _BRACES.sub(fill, reply if isinstance(reply, str) else reply.text)
    if missing:  # what a missing name leaves behind: "Oi , tudo bem", "Oi,! Tudo bem", and spaces at line ends
        text = re.sub(r"[ \t]+([,.!?;:])", r"\1", re.sub(r"[ \t]{2,}", " ", text))
        text = re.sub(r"^[,;:][ \t]*", "", re.sub(r",([,.!?;:])", r"\1", text), flags=re.MULTILINE)
    return Rendered("\n".join(line.rstrip() for line in text.split("\n")).strip(), tuple(dict.fromkeys(missing)))


async def values_of(tx: Connection, conversation_id: UUID, operator_id: UUID) -> dict[str, str]:
    """What the variables stand for in a conversation. Raises NotFoundError."""
    row = await tx.fetchrow(
        """SELECT coalesce(nullif(c.name, ''), nullif(c.push_name, ''),
                           (SELECT a.value FROM contact_address a
                             WHERE a.contact_id = c.id AND a.kind = 'simulator' LIMIT 1), '') AS contact,
                  c.fields, t.name AS business, s.name AS number,
                  coalesce((SELECT u.name FROM user_account u WHERE u.id = $2), '') AS operator,
                  coalesce((SELECT a.value FROM contact_address a
                             WHERE a.contact_id = c.id AND a.kind = 'phone' LIMIT 1), '') AS phone
             FROM conversation k JOIN contact c ON c.id = k.contact_id JOIN tenant t ON t.id = k.tenant_id
             JOIN channel_session s ON s.id = k.channel_session_id WHERE k.id = $1""",
        conversation_id,
        operator_id,
    )
    if row is None:
        raise NotFoundError("conversation", conversation_id)
    return _values(row)


def sample_values(business: str, operator: str, number: str = "Vendas") -> dict[str, str]:
    """Plausible values for a preview."""
    return {
        "contact.name": "Bruno Lima",
        "contact.first_name": "Bruno",
        "contact.phone": "+55 11 91234-5678",
        "operator.name": operator,
        "operator.first_name": _first(operator),
        "business.name": business,
        "number.name": number,
    }


class CannedReplies:
    """Makes, changes, lists and renders replies. Raises RefusedError, NotFoundError, ConflictError, NotAllowedError.

    ``shares``: whether the person may change what is everybody's (Right.SETTINGS_WRITE).
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, actor: Actor) -> list[Reply]:
        """The shared ones and the person's own, by shortcut; of one shortcut the own comes first."""
        async with self._db.transaction(actor.tenant_id) as tx:
            rows = await tx.fetch(
                "SELECT * FROM canned_reply WHERE user_id IS NULL OR user_id = $1 "
                "ORDER BY shortcut, user_id IS NULL, id",
                actor.user_id,
            )
        return [_reply(row) for row in rows]

    async def one(self, actor: Actor, reply_id: UUID) -> Reply:
        """One that the person sees."""
        async with self._db.transaction(actor.tenant_id) as tx:
            return _reply(await _seen(tx, actor, reply_id))

    async def render(self, actor: Actor, reply_id: UUID, conversation_id: UUID) -> Rendered:
        """A reply as the person would send it in a conversation."""
        async with self._db.transaction(actor.tenant_id) as tx:
            reply = _reply(await _seen(tx, actor, reply_id))
            return render(reply, await values_of(tx, conversation_id, actor.person))

    async def create(self, actor: Actor, shortcut: str, text: str, *, shared: bool, shares: bool) -> Reply:
        """A new one. A shortcut is taken once among the shared ones, and once among each person's own."""
        shortcut, text = checked(shortcut, text)
        _may_share(shared=shared, shares=shares)
        async with self._db.transaction(actor.tenant_id) as tx:
            if await tx.fetchval("SELECT count(*) FROM canned_reply") >= _MOST:
                raise ConflictError(f"There are {_MOST} canned replies already.", hint="Remove some first.")
            try:
                row = await tx.fetchrow(
                    "INSERT INTO canned_reply (tenant_id, user_id, shortcut, text) VALUES ($1, $2, $3, $4) RETURNING *",
                    actor.tenant_id,
                    None if shared else actor.user_id,
                    shortcut,
                    text,
                )
            except asyncpg.UniqueViolationError:
                raise _taken(shortcut) from None
            if shared:
                payload = {"id": str(row["id"]), "changes": {shortcut: [None, text]}}
                await events.append(tx, actor.tenant_id, "reply.created", payload=payload, actor=str(actor))
        return _reply(row)

    async def change(
        self, actor: Actor, reply_id: UUID, shortcut: str, text: str, *, version: int, shares: bool
    ) -> Reply:
        """Other words, if nobody changed it since ``version``."""
        shortcut, text = checked(shortcut, text)
        async with self._db.transaction(actor.tenant_id) as tx:
            before = _reply(await _seen(tx, actor, reply_id, lock=True))
            _may_share(shared=before.is_shared, shares=shares)
            _is_current(before, version)
            try:
                row = await tx.fetchrow(
                    "UPDATE canned_reply SET shortcut = $2, text = $3, version = version + 1, updated_at = now() "
                    "WHERE id = $1 RETURNING *",
                    reply_id,
                    shortcut,
                    text,
                )
            except asyncpg.UniqueViolationError:
                raise _taken(shortcut) from None
            if before.is_shared:
                changes = {
                    name: [old, new]
                    for name, old, new in (("shortcut", before.shortcut, shortcut), ("text", before.text, text))
                    if old != new
                }
                payload = {"id": str(reply_id), "shortcut": shortcut, "changes": changes}
                await events.append(tx, actor.tenant_id, "reply.changed", payload=payload, actor=str(actor))
        return _reply(row)

    async def remove(self, actor: Actor, reply_id: UUID, *, version: int, shares: bool) -> None:
        """Gone, if nobody changed it since ``version``."""
        async with self._db.transaction(actor.tenant_id) as tx:
            before = _reply(await _seen(tx, actor, reply_id, lock=True))
            _may_share(shared=before.is_shared, shares=shares)
            _is_current(before, version)
            await tx.execute("DELETE FROM canned_reply WHERE id = $1", reply_id)
            if before.is_shared:
                payload = {"id": str(reply_id), "changes": {before.shortcut: [before.text, None]}}
                await events.append(tx, actor.tenant_id, "reply.removed", payload=payload, actor=str(actor))


def checked(shortcut: str, text: str) -> tuple[str, str]:
    """Shortcut (without its slash, lower case) and text as they are kept. Raises RefusedError."""
    name = shortcut.strip().removeprefix("/").casefold()
    if not _SHORTCUT.fullmatch(name):
        raise RefusedError("shortcut", "A shortcut has letters, digits, - and _, without spaces; at most 40.")
    words = prose("text", text, _LONGEST)
    for found in _BRACES.finditer(words):
        if found[1] not in VARIABLES and not _FIELD.fullmatch(found[1]):
            raise RefusedError(
                "text", "There is no variable {{%(name)s}}. See the list beside the text.", name=found[1]
            )
    return name, words


def _values(row: Row) -> dict[str, str]:
    fields = {f"contact.fields.{name}": str(value) for name, value in row["fields"].items() if value is not None}
    phone = row["phone"]
    return fields | {
        "contact.name": row["contact"],
        "contact.first_name": _first(row["contact"]),
        "contact.phone": f"+{phone}" if phone and not phone.startswith("+") else phone,
        "operator.name": row["operator"],
        "operator.first_name": _first(row["operator"]),
        "business.name": row["business"],
        "number.name": row["number"],
    }


def _first(name: str) -> str:
    return next(iter(name.split()), "")


def _reply(row: Row) -> Reply:
    return Reply(row["id"], row["user_id"], row["shortcut"], row["text"], row["version"])


async def _seen(tx: Connection, actor: Actor, reply_id: UUID, *, lock: bool = False) -> Row:
    row = await tx.fetchrow(
        "SELECT * FROM canned_reply WHERE id = $1 AND (user_id IS NULL OR user_id = $2)"
        + (" FOR UPDATE" if lock else ""),
        reply_id,
        actor.user_id,
    )
    if row is None:
        raise NotFoundError("canned reply", reply_id)
    return row


def _may_share(*, shared: bool, shares: bool) -> None:
    if shared and not shares:
        raise NotAllowedError.to(tuple(role.value for role in roles_with(Right.SETTINGS_WRITE)))


def _is_current(reply: Reply, version: int) -> None:
    if reply.version != version:
        raise ChangedMeanwhileError("this reply")


def _taken(shortcut: str) -> RefusedError:
    return RefusedError(
        "shortcut", "The shortcut /%(shortcut)s is taken already. Choose another one.", shortcut=shortcut
    )
