"""What webhooks did not bring is asked for: once, by one worker, and old messages are not answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from channels.base import MessageReceived, SessionChanged
from channels.gateway import GatewayUnavailableError, NotOfferedError
from domain.messages import Address, AddressKind, SessionStatus
from flows.inbound import Inbound
from flows.media import MediaFiles
from flows.reconciliation import Reconciliation
from store.database import Database
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.database import make_number
from tests.flows.door import Door
from tests.scripted_gateway import ScriptedGateway

CHAT = Address(AddressKind.PHONE, "5531900000001")


def old(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


@dataclass
class Clinic:
    """A number behind a scripted gateway that no webhook comes from."""

    door: Door
    gateway: ScriptedGateway
    db: Database
    folder: Path

    def worker(self, **more: Any) -> Reconciliation:
        media = MediaFiles(self.db, MediaFolder(self.folder))
        options = {"has_webhooks": False, **more}
        return Reconciliation(self.db, self.door.inbound, {"waha": self.gateway}, media, **options)

    async def look(self, worker: Reconciliation) -> None:
        """All that is due now, as if the time had come."""
        for number in worker._numbers.values():
            number.next_poll = number.next_status = 0.0
        await worker.run_due()
        await worker.wait_idle()

    async def stored(self) -> list[tuple[str, bool]]:
        rows = await self.door.fetch("SELECT provider_id, historical FROM message ORDER BY id")
        return [tuple(row) for row in rows]


@pytest.fixture
async def clinic(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[Clinic]:
    number = await make_number(owner_dsn, provider="waha")
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("UPDATE channel_session SET created_at = now() - interval '3 days'")
    await owner.close()
    wakeup = Wakeup(db)
    inbound = Inbound(db, wakeup)
    door = Door(db, inbound, await inbound.session(number.session_id), owner_dsn)
    yield Clinic(door, ScriptedGateway(), db, tmp_path)
    await wakeup.close()


async def test_that_missed_messages_are_found_once_and_only_young_ones_are_answered(clinic: Clinic) -> None:
    say = clinic.door.message
    known = say(CHAT, "by webhook", provider_id="known")
    await clinic.door.take(known)
    clinic.gateway.told = [
        say(CHAT, "old", provider_id="old", sent_at=old(11)),
        say(CHAT, "by webhook, edited since", provider_id="known"),
        say(CHAT, "young", provider_id="young", sent_at=old(9)),
        say(CHAT, "before our time", provider_id="ancient", sent_at=old(4 * 24 * 60)),
    ]
    worker = clinic.worker()
    for _ in range(3):
        await clinic.look(worker)
    assert await clinic.stored() == [("known", False), ("old", True), ("young", False)]
    assert await clinic.door.fetch("SELECT 1 FROM message_change") == []
    assert len(await clinic.door.jobs()) == 1
    (row,) = await clinic.door.fetch(
        "SELECT recovered, error, now() - cursor < interval '1 min' AS new FROM reconciliation"
    )
    assert tuple(row) == (2, None, True)
    assert await clinic.door.take(say(CHAT, "young", provider_id="young")) == "duplicate"
    await worker.close()


async def test_that_the_age_from_which_a_message_is_history_is_the_tenant_s(clinic: Clinic) -> None:
    async with clinic.db.transaction(clinic.door.session.tenant_id) as tx:
        await tx.execute("""UPDATE tenant SET settings = '{"reconciliation": {"historical_after_seconds": 60}}'""")
    clinic.gateway.told = [clinic.door.message(provider_id="m1", sent_at=old(2))]
    worker = clinic.worker()
    await clinic.look(worker)
    assert await clinic.stored() == [("m1", True)]
    assert await clinic.door.jobs() == []
    await worker.close()


async def test_that_a_number_is_one_worker_s_until_that_worker_is_gone(clinic: Clinic) -> None:
    first, second = clinic.worker(), clinic.worker()
    await clinic.look(first)
    await clinic.look(second)
    assert len(clinic.gateway.questions("history")) == 1
    await first.close()
    second._lease_at = 0.0
    await second.run_due()
    await second.wait_idle()
    assert len(clinic.gateway.questions("history")) == 2
    await second.close()


async def test_that_a_failing_gateway_is_shown_and_what_it_did_not_tell_is_asked_for_again(clinic: Clinic) -> None:
    worker = clinic.worker()
    await clinic.look(worker)
    (before,) = await clinic.door.fetch("SELECT cursor FROM reconciliation")
    clinic.gateway.mishaps = [GatewayUnavailableError("It is being repaired.", hint="Wait.")] * 2
    clinic.gateway.told = [clinic.door.message(provider_id="m1")]
    await clinic.look(worker)
    (row,) = await clinic.door.fetch("SELECT cursor, error FROM reconciliation")
    assert row["cursor"] == before["cursor"]
    assert row["error"] == "It is being repaired. Wait."
    (number,) = await clinic.door.fetch("SELECT status, status_detail FROM channel_session")
    assert tuple(number) == ("error", "It is being repaired. Wait.")
    await clinic.look(worker)
    assert await clinic.stored() == [("m1", False)]
    (number,) = await clinic.door.fetch("SELECT status, status_detail FROM channel_session")
    assert tuple(number) == ("connected", "")
    since = [asked[0] for asked in clinic.gateway.questions("history")]
    assert since[0] < old(23 * 60)  # first of all, a whole day
    assert before["cursor"] - timedelta(minutes=3) < since[1] < before["cursor"]
    await worker.close()


async def test_that_the_code_of_a_number_that_waits_for_its_phone_is_shown_and_renewed(clinic: Clinic) -> None:
    clinic.gateway.state = SessionChanged(SessionStatus.AWAITING_QR, datetime.now(UTC), qr="2@first")
    worker = clinic.worker()
    for _ in range(2):
        await clinic.look(worker)
    events = "SELECT count(*) AS n FROM event WHERE kind = 'session.status'"
    assert (await clinic.door.fetch(events))[0]["n"] == 1
    clinic.gateway.state = SessionChanged(SessionStatus.AWAITING_QR, datetime.now(UTC), qr="2@second")
    await clinic.look(worker)
    (row,) = await clinic.door.fetch("SELECT status, qr, qr_expires_at > now() AS valid FROM channel_session")
    assert tuple(row) == ("awaiting_qr", "2@second", True)
    assert (await clinic.door.fetch(events))[0]["n"] == 2
    await worker.close()


async def test_that_a_gateway_without_history_is_not_asked_for_it_again(clinic: Clinic) -> None:
    worker = clinic.worker()
    clinic.gateway.mishaps = [NotOfferedError("waha", "status"), NotOfferedError("waha", "history")]
    for _ in range(3):
        await clinic.look(worker)
    assert [what for what, _ in clinic.gateway.asked].count("history") == 1
    await worker.close()


async def test_that_an_own_message_found_in_the_history_is_a_person_s_only_if_we_did_not_send_it(
    clinic: Clinic,
) -> None:
    await clinic.door.take(clinic.door.message(CHAT, "oi"))
    clinic.gateway.told = [
        MessageReceived("typed", CHAT, old(1), text="Sou eu", from_me=True),
        MessageReceived("typed long ago", CHAT, old(60), text="Antes", from_me=True),
    ]
    worker = clinic.worker()
    await clinic.look(worker)
    assert (await clinic.door.conversation())["status"] == "human"
    authors = await clinic.door.fetch("SELECT provider_id, author, historical FROM message WHERE author = 'phone'")
    assert {tuple(row) for row in authors} == {("typed", "phone", False), ("typed long ago", "phone", True)}
    await worker.close()
