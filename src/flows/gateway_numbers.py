"""What administrators do with numbers behind gateways: set them up there, start, stop and unlink them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args
from uuid import UUID

from channels.base import SessionRef
from channels.gateway import Gateway, GatewayRefusedError, GatewayUnavailableError, NotOfferedError, Wish
from domain.errors import AtendeError, ConflictError, InvalidInputError, NotFoundError
from flows.gateways import Gateways
from flows.inbound import Inbound
from flows.reconciliation import record_if_new
from store import events
from store.database import Database
from store.wakeup import EVENTS, Wakeup

WISHES: tuple[Wish, ...] = get_args(Wish)
SET_UP_KEY = "set_up"
"""In a number's config: what its last set-up said (``webhook_url`` and ``left_to_do``)."""


class GatewayFailedError(ConflictError):
    """The gateway did not do what was asked; its own words are the message."""


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """Where gateways reach this installation. Without a public address, only those nearby do."""

    base_url: str
    is_public: bool

    def of(self, provider: str, session_id: UUID) -> str:
        """The URL of a number's webhook."""
        return f"{self.base_url}/webhooks/{provider}/{session_id}"


@dataclass(frozen=True, slots=True)
class SetUpReport:
    """What setting a number up came to. ``left_to_do``: sentences (English) for what a person must do."""

    webhook_url: str
    is_public: bool
    left_to_do: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report for a person at a terminal."""
        lines = [f"The number is set up; its webhook is {self.webhook_url}"]
        if not self.is_public:
            lines.append(
                "ATENDE_PUBLIC_URL is not set: Atende asks the gateway for news every few seconds, and webhooks count "
                "only where the gateway can open that address."
            )
        return [*lines, *(f"Left to do: {sentence}" for sentence in self.left_to_do)]


class GatewayNumbers:
    """Acts on numbers behind gateways. Raises NotFoundError, InvalidInputError or GatewayFailedError."""

    def __init__(
        self, db: Database, inbound: Inbound, wakeup: Wakeup, gateways: Gateways, address: WebhookAddress
    ) -> None:
        self._db, self._inbound, self._wakeup = db, inbound, wakeup
        self._gateways, self._address = gateways, address

    async def set_up(self, tenant_id: UUID, session_id: UUID, *, actor: str = "system") -> SetUpReport:
        """Create or attach the number at its gateway, register our webhook, and look at its status.

        Doing it again changes nothing.
        """
        gateway, session = await self._number(tenant_id, session_id)
        url = self._address.of(gateway.provider, session_id)
        try:
            done = await gateway.set_up(session, url)
        except (GatewayRefusedError, GatewayUnavailableError, NotOfferedError) as error:
            raise _failed(error) from error
        report = SetUpReport(url, self._address.is_public, done.left_to_do)
        kept = {**done.config, SET_UP_KEY: {"webhook_url": url, "left_to_do": list(done.left_to_do)}}
        async with self._db.transaction(tenant_id) as tx:
            await tx.execute(
                "UPDATE channel_session SET config = config || $2, wanted = true WHERE id = $1", session_id, kept
            )
            await events.append(
                tx, tenant_id, "session.set_up", payload={"channel_session_id": str(session_id)}, actor=actor
            )
        self._wakeup.signal(EVENTS)
        await self.look(tenant_id, session_id)
        return report

    async def control(self, tenant_id: UUID, session_id: UUID, wish: str, *, actor: str = "system") -> None:
        """Start, stop, restart, log out or delete the session at its gateway."""
        if wish not in WISHES:
            raise InvalidInputError("wish", f"must be one of {', '.join(WISHES)}")
        gateway, session = await self._number(tenant_id, session_id)
        try:
            await gateway.control(session, wish)
        except (GatewayRefusedError, GatewayUnavailableError, NotOfferedError) as error:
            raise _failed(error) from error
        async with self._db.transaction(tenant_id) as tx:
            await events.append(
                tx,
                tenant_id,
                "session.controlled",
                payload={"channel_session_id": str(session_id), "wish": wish},
                actor=actor,
            )
        await self.look(tenant_id, session_id)

    async def look(self, tenant_id: UUID, session_id: UUID) -> None:
        """Ask the gateway how the number is, and record it; a gateway that cannot say so changes nothing."""
        gateway, session = await self._number(tenant_id, session_id)
        try:
            change = await gateway.status(session)
        except (GatewayRefusedError, GatewayUnavailableError, NotOfferedError):
            return
        await record_if_new(self._db, self._inbound, session_id, change)

    async def _number(self, tenant_id: UUID, session_id: UUID) -> tuple[Gateway, SessionRef]:
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT provider, account, config FROM channel_session WHERE id = $1", session_id)
        if row is None:
            raise NotFoundError("number", session_id)
        gateway = self._gateways.get(row["provider"])
        if gateway is None:
            raise InvalidInputError("number", f"its provider {row['provider']} is no gateway", hint="Pair it instead.")
        return gateway, SessionRef(str(session_id), row["provider"], row["account"], row["config"])


def _failed(error: AtendeError) -> GatewayFailedError:
    return GatewayFailedError(str(error), hint=error.hint)
