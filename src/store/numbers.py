"""A tenant's numbers (channel sessions) as people see them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection, Row
from store.events import STILL_LOST

_PHONE_IN_ACCOUNT = re.compile(r"(\d{8,15})(?::\d+)?@(?:s\.whatsapp\.net|c\.us)")


@dataclass(frozen=True, slots=True)
class QrCode:
    """The text of a number's newest code. ``fingerprint`` tells codes apart without giving them away."""

    text: str
    expires_at: datetime

    @property
    def expired(self) -> bool:
        return self.expires_at <= datetime.now(UTC)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Number:
    """One number. ``status`` is the provider's last report, in English ``detail`` its words for it."""

    id: UUID
    name: str
    provider: str
    account: str | None
    status: str
    detail: str
    wanted: bool
    held: bool
    """Whether a process looks after it now: a session host, or for a gateway's number a worker that asks it."""
    qr: QrCode | None
    left_to_do: tuple[str, ...] = ()
    """What the last set-up at its gateway left to a person, in English sentences."""
    ended: bool = False
    """Whether only a person can bring it back: nobody scanned its code, or its phone unlinked it."""
    groups: str = "off"
    """Whether the agent answers in groups: off, or ``mentioned`` (and quoted)."""
    created_at: datetime | None = None
    status_at: datetime | None = None
    lost: int = 0
    """Messages that its provider's library lost in the last seven days."""
    lost_at: datetime | None = None

    @property
    def phone(self) -> str | None:
        """The paired phone in international form, where the provider's account tells it."""
        found = _PHONE_IN_ACCOUNT.fullmatch(self.account or "")
        return f"+{found[1]}" if found else None


_NUMBER = f"""SELECT id, name, provider, account, status, status_detail, wanted, qr, qr_expires_at,
                    coalesce(lease_until > now(), false) AS held,
                    config -> 'set_up' -> 'left_to_do' AS left_to_do, ended_at IS NOT NULL AS ended,
                    coalesce(config ->> 'groups', 'off') AS groups, created_at, status_at, lost.lost, lost.lost_at
               FROM channel_session s
              CROSS JOIN LATERAL (SELECT count(*) AS lost, max(e.created_at) AS lost_at FROM event e
                                   WHERE e.tenant_id = s.tenant_id AND {STILL_LOST}
                                     AND e.payload ->> 'channel_session_id' = s.id::text
                                     AND e.created_at > now() - interval '7 days') lost"""


async def all_numbers(tx: Connection) -> list[Number]:
    """The tenant's numbers, oldest first."""
    return [_number(row) for row in await tx.fetch(f"{_NUMBER} ORDER BY created_at, name")]


async def numbers_after(tx: Connection, after: tuple[datetime, UUID] | None, limit: int) -> list[Number]:
    """At most ``limit`` of them, oldest first, behind the one of this time and id."""
    at, last = after or (None, None)
    rows = await tx.fetch(
        f"""{_NUMBER} WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1, $2)
             ORDER BY created_at, id LIMIT $3""",
        at,
        last,
        limit,
    )
    return [_number(row) for row in rows]


async def number(tx: Connection, session_id: UUID) -> Number:
    """One of the tenant's numbers; raises NotFoundError."""
    row = await tx.fetchrow(f"{_NUMBER} WHERE id = $1", session_id)
    if row is None:
        raise NotFoundError("number", session_id)
    return _number(row)


def _number(row: Row) -> Number:
    return Number(
        row["id"],
        row["name"],
        row["provider"],
        row["account"],
        row["status"],
        row["status_detail"],
        row["wanted"],
        row["held"],
        QrCode(row["qr"], row["qr_expires_at"]) if row["qr"] else None,
        tuple(str(sentence) for sentence in row["left_to_do"] or ()),
        row["ended"],
        row["groups"],
        row["created_at"],
        row["status_at"],
        row["lost"],
        row["lost_at"],
    )
