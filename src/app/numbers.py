"""What an administrator does with numbers from the command line: list, add, show the QR code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TextIO
from uuid import UUID

import asyncpg
import segno

from app.postgres import running_postgres
from app.settings import Settings
from domain.errors import AtendeError, NotFoundError
from domain.messages import SessionStatus
from flows.sessions import HOSTED, SIMULATED, add_number, state_of
from store import numbers
from store.database import Database

_LOOK_SECONDS = 0.5
_UNDER_WAY = (SessionStatus.UNKNOWN, SessionStatus.CONNECTING, SessionStatus.AWAITING_QR)


class NoCodeError(AtendeError):
    """There is no QR code to show for a number, and waiting does not help."""


class NotPreparedError(AtendeError):
    """The database has never been prepared, so it holds no tenants."""

    def __init__(self) -> None:
        super().__init__(
            "The database is still empty.", hint="Prepare it with: atende migrate (atende serve does it, too)."
        )


async def describe_numbers(settings: Settings, slug: str | None) -> list[str]:
    """A line for each number, of one tenant or of all. Raises NotFoundError."""
    lines = []
    async with prepared_database(settings) as (url, db):
        for tenant_id, tenant_slug in await tenants_named(url, slug):
            async with db.transaction(tenant_id) as tx:
                found = await numbers.all_numbers(tx)
            for number in found:
                state = state_of(number)
                phone = number.phone or number.account or "-"
                lines.append(f"{number.id}  {tenant_slug}  {number.provider:9}  {state:12}  {phone:15}  {number.name}")
    return lines or ["There are no numbers yet. Add one with: atende session create"]


async def add_to_tenant(settings: Settings, slug: str, name: str, provider: str, config: dict[str, str]) -> UUID:
    """Add a number; returns its id. Raises NotFoundError or InvalidInputError."""
    async with prepared_database(settings) as (url, db):
        tenant_id = (await tenants_named(url, slug))[0][0]
        async with db.transaction(tenant_id) as tx:
            return await add_number(tx, tenant_id, name=name, provider=provider, config=config, actor="cli")


async def follow_pairing(settings: Settings, session_id: UUID, wait_seconds: float, out: TextIO) -> None:
    """Draw each QR code of a number as it comes; returns when a phone is linked. Raises NotFoundError, NoCodeError."""
    async with prepared_database(settings) as (_, db):
        found = await db.gate("channel_session", session_id)
        if not found:
            raise NotFoundError("number", session_id)
        give_up = time.monotonic() + wait_seconds
        drawn = ""
        while True:
            number = await _look(db, found[0]["tenant_id"], session_id)
            if number.status == SessionStatus.CONNECTED and number.held:
                print(f"{number.name} is linked to {number.phone or number.account} and connected.", file=out)
                return
            code = number.qr if number.qr and not number.qr.expired else None
            if code and code.fingerprint != drawn:
                drawn = code.fingerprint
                segno.make_qr(code.text, error="l").terminal(out=out, compact=True)
                print("In WhatsApp: Linked devices, Link a device. Scan within a minute.", file=out, flush=True)
            elif code is None and (drawn or time.monotonic() > give_up):
                _explain(number, drawn=bool(drawn))
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def prepared_database(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
    """The database as ``serve`` prepared it: migrating would take longer than what is done here."""
    async with running_postgres(settings) as url:
        owner = await asyncpg.connect(url)
        try:
            prepared = await owner.fetchval("SELECT to_regproc('gate.list_tenants') IS NOT NULL")
        finally:
            await owner.close()
        if not prepared:
            raise NotPreparedError
        db = await Database.open(url, settings.secret, max_connections=2)
        try:
            yield url, db
        finally:
            await db.close()


async def _look(db: Database, tenant_id: UUID, session_id: UUID) -> numbers.Number:
    async with db.transaction(tenant_id) as tx:
        number = await numbers.number(tx, session_id)
    if number.provider == SIMULATED:
        raise NoCodeError("This phone is simulated: there is nothing to link.")
    return number


def _explain(number: numbers.Number, *, drawn: bool) -> None:
    """Raise NoCodeError with the reason, unless a code that was drawn is just being scanned."""
    again = f"For a new code: atende session start {number.id} (or Pair again on the page /numbers)."
    if number.account is not None and number.held:
        again = f"A phone is linked already; to link another one first: atende session logout {number.id}"
    if not number.wanted:
        raise NoCodeError("The number is stopped.", hint=f"Start it with: atende session start {number.id}")
    if number.ended and number.status == SessionStatus.QR_EXPIRED:
        raise NoCodeError("Nobody scanned the code in time.", hint=again)
    if number.ended and number.status == SessionStatus.DISCONNECTED and number.account is not None:
        raise NoCodeError(
            "The pairing of this number is in use elsewhere, too.",
            hint=f"Stop it there, then: atende session restart {number.id}",
        )
    if number.ended:
        raise NoCodeError(f"The number is {number.status} ({number.detail or 'no reason given'}).", hint=again)
    if not number.held:
        who = "session host" if number.provider == HOSTED else "worker"
        raise NoCodeError(f"No {who} has taken the number.", hint="Start Atende with: atende serve")
    if not drawn or number.status not in _UNDER_WAY:
        told = f" ({number.detail})" if number.detail else ""
        raise NoCodeError(f"The number shows no code now; it is {number.status}{told}.", hint=again)


async def tenants_named(url: str, slug: str | None) -> list[tuple[UUID, str]]:
    """(id, slug) of one tenant, or of all. Raises NotFoundError."""
    owner = await asyncpg.connect(url)  # the list is closed to the application's own role
    try:
        rows = await owner.fetch("SELECT tenant_id, slug FROM gate.list_tenants()")
    finally:
        await owner.close()
    found = [(row["tenant_id"], row["slug"]) for row in rows if slug in (None, row["slug"])]
    if slug is not None and not found:
        known = ", ".join(row["slug"] for row in rows) or "none"
        raise NotFoundError("tenant", f"{slug} (there are: {known})")
    return found
