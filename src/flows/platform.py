"""What the platform's administrators do: found tenants, close them and open them again, see figures without content."""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

from domain.errors import NotFoundError
from flows.first_run import first_settings
from flows.refusals import RefusedError, line
from flows.stopping import KillSwitch
from flows.team_people import LINK_DAYS, checked_email, digest
from flows.tenant_declaration import LANGUAGES
from flows.trade_templates import TradeAnswers, TradeTemplates, names
from store import events
from store.database import Database, Row
from store.wakeup import EVENTS, PROFILES, Wakeup

log = logging.getLogger(__name__)

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A tenant to be founded, as a form gives it."""

    name: str
    slug: str
    locale: str
    timezone: str
    admin_name: str
    admin_email: str
    trade: str = ""
    """With whose intents and persona it begins (flows.trade_templates); "": empty."""


@dataclass(frozen=True, slots=True)
class Founded:
    """A tenant just made; ``token`` of its first administrator's link is shown this once."""

    id: UUID
    token: str
    email: str
    was_taught: bool = True
    """Whether the trade that was chosen could be applied; else its administrator chooses one in the first steps."""


class Platform:
    """Every act asks the database whether the person runs the platform. Raises NotFoundError or RefusedError."""

    def __init__(self, db: Database, wakeup: Wakeup, switch: KillSwitch, trades: TradeTemplates) -> None:
        self._db = db
        self._wakeup = wakeup
        self._switch = switch
        self._trades = trades

    async def tenants(self, administrator: UUID) -> list[Row]:
        """All tenants with figures; nothing of what anybody wrote. Empty for who does not run the platform."""
        return await self._db.gate("platform_tenants", administrator)

    async def found(self, administrator: UUID, wanted: NewTenant) -> Founded:
        """A new tenant, and the link by which its first administrator joins.

        What the trade's answers need to know of the business is asked in the administrator's first steps; until then a
        person answers.
        """
        name, admin = line("name", wanted.name, 80), line("admin_name", wanted.admin_name, 80)
        slug, email = wanted.slug.strip(), checked_email(wanted.admin_email)
        if not _SLUG.fullmatch(slug) or len(slug) > 60:
            raise RefusedError("slug", "A short name has small letters, digits and single hyphens; at most 60.")
        if wanted.locale not in LANGUAGES:
            raise RefusedError("locale", "Choose one of the languages.")
        if wanted.timezone not in available_timezones():
            raise RefusedError(
                "timezone", "There is no time zone %(name)s. Choose one of the list.", name=wanted.timezone
            )
        if wanted.trade and wanted.trade not in names():
            raise RefusedError("trade", "Choose one of the trades.")
        token = secrets.token_urlsafe(32)
        rows = await self._db.gate(
            "found_tenant",
            administrator,
            slug,
            name,
            wanted.locale,
            wanted.timezone,
            first_settings(wanted.locale),
            email,
            admin,
            digest(token),
            timedelta(days=LINK_DAYS),
        )
        made = rows[0]["found_tenant"]
        if made is None:
            raise RefusedError("slug", "The short name %(slug)s is taken already.", slug=slug)
        was_taught = await self._teach(made, wanted.trade, f"user:{administrator}") if wanted.trade else True
        self._wakeup.signal(EVENTS)
        return Founded(made, token, email, was_taught)

    async def _teach(self, tenant_id: UUID, name: str, actor: str) -> bool:
        try:
            await self._trades.apply(tenant_id, name, TradeAnswers(), actor=actor)
        except Exception:  # the tenant is there and its link must be shown: it can be taught in its first steps
            log.exception("the trade %s could not be applied to the new tenant %s", name, tenant_id)
            return False
        return True

    async def link_again(self, administrator: UUID, tenant_id: UUID) -> Founded:
        """Another link for the first administrator of a tenant that nobody has joined; the earlier one ends.

        Raises NotFoundError where there is no such tenant, or somebody has joined.
        """
        if not any(row["id"] == tenant_id and not row["people"] for row in await self.tenants(administrator)):
            raise NotFoundError("tenant without people", tenant_id)
        token = secrets.token_urlsafe(32)
        async with self._db.transaction(tenant_id) as tx:
            email = await tx.fetchval(
                """UPDATE invitation SET token_hash = $1, expires_at = now() + $2::interval, ended_at = NULL
                    WHERE id = (SELECT id FROM invitation WHERE created_by = 'platform' ORDER BY created_at LIMIT 1)
                    RETURNING email""",
                digest(token),
                timedelta(days=LINK_DAYS),
            )
            if email is None:
                raise NotFoundError("invitation", tenant_id)
            payload = {"email": email}
            await events.append(tx, tenant_id, "invitation.created", payload=payload, actor=f"user:{administrator}")
        self._wakeup.signal(EVENTS)
        return Founded(tenant_id, token, email)

    async def close(self, administrator: UUID, tenant_id: UUID) -> None:
        """Nobody signs in, no key works, nothing automatic happens. What customers write is kept."""
        await self._set(administrator, tenant_id, closed=True)
        async with self._db.transaction(tenant_id) as tx:
            is_stopped = await tx.fetchval("SELECT stopped_at FROM tenant WHERE id = $1", tenant_id)
        if is_stopped is None:
            await self._switch.stop(tenant_id, actor=_BY_CLOSING)
        self._wakeup.signal(PROFILES)

    async def reopen(self, administrator: UUID, tenant_id: UUID) -> None:
        """All goes on; what was stopped before the closing stays stopped."""
        await self._set(administrator, tenant_id, closed=False)
        async with self._db.transaction(tenant_id) as tx:
            last = await tx.fetchval(
                "SELECT actor FROM event WHERE tenant_id = $1 AND kind IN ('policy.stopped', 'policy.resumed') "
                "AND payload ->> 'number' IS NULL ORDER BY id DESC LIMIT 1",
                tenant_id,
            )
        if last == _BY_CLOSING:
            await self._switch.resume(tenant_id, actor=_BY_CLOSING)
        self._wakeup.signal(PROFILES)

    async def _set(self, administrator: UUID, tenant_id: UUID, *, closed: bool) -> None:
        rows = await self._db.gate("close_tenant", administrator, tenant_id, closed)
        if not rows[0]["close_tenant"]:
            raise NotFoundError("tenant", tenant_id)
        self._wakeup.signal(EVENTS)


_BY_CLOSING: Final = "platform"
"""The actor of a stop that came with a closing, and goes with the reopening."""
