"""``atende number``: numbers from the command line."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base import SessionChanged
from domain.messages import SessionStatus
from flows.sessions import record_status
from store.database import Database
from store.embedded import EmbeddedPostgres
from tests.app.serving import ATENDE, atende, environment
from tests.database import SECRET, Number

CODE = "https://wa.me/settings/linked_devices#2@cmVm,bm9pc2U=,aWRlbnRpdHk=,YWR2,1"


async def test_that_a_number_is_added_listed_and_its_code_drawn(owner_dsn: str, db: Database, number: Number) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    added = atende("number", "add", "--tenant", "shop", "--name", "Vendas", "--provider", "neonize", **settings)
    assert added.returncode == 0, added.stderr
    found = re.search(r"atende number qr ([0-9a-f-]{36})", added.stdout)
    assert found
    session_id = found[1]

    nobody = atende("number", "qr", session_id, "--wait", "0", **settings)
    assert nobody.returncode == 2
    assert "No session host has taken the number. Start Atende with: atende serve" in nobody.stderr
    assert await db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    with subprocess.Popen(
        [ATENDE, "number", "qr", session_id], env=environment(**settings), stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout
        await _report(db, number, session_id, SessionStatus.AWAITING_QR, qr=CODE)
        drawn = list(
            iter(following.stdout.readline, "In WhatsApp: Linked devices, Link a device. Scan within a minute.\n")
        )
        assert "█▀" in "".join(drawn)
        await _report(db, number, session_id, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
        assert following.stdout.read() == "Vendas is linked to +5511990001111 and connected.\n"
        assert following.wait() == 0
    listed = atende("number", "list", "--tenant", "shop", **settings).stdout.splitlines()
    assert [line.split()[1:5] for line in listed if session_id in line] == [
        ["shop", "neonize", "connected", "+5511990001111"]
    ]
    assert len(listed) == 2


async def _report(db: Database, number: Number, session_id: str, status: SessionStatus, **more: Any) -> None:
    """What a session host would tell."""
    async with db.transaction(number.tenant_id) as tx:
        await record_status(tx, number.tenant_id, UUID(session_id), SessionChanged(status, datetime.now(UTC), **more))


def test_that_what_cannot_be_added_is_refused_in_one_sentence(owner_dsn: str, number: Number) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    unknown = atende("number", "add", "--tenant", "nope", "--name", "N", "--provider", "simulator", **settings)
    assert (unknown.returncode, "there are: shop" in unknown.stderr) == (2, True)
    keyless = atende(
        *("number", "add", "--tenant", "shop", "--name", "N", "--provider", "waha", "--set", "base_url=waha:3000"),
        *("--set", "colour=blue"),
        **settings,
    )
    assert (keyless.returncode, keyless.stderr.count("\n")) == (2, 1)
    for fault in ("colour is not known here", "base_url must be an address", "api_key is missing"):
        assert fault in keyless.stderr


def test_that_an_empty_database_says_how_to_prepare_it(postgres: EmbeddedPostgres) -> None:
    empty = atende("number", "list", DATABASE_URL=postgres.address.url(), ATENDE_SECRET=SECRET.decode())
    assert (empty.returncode, empty.stderr.count("\n")) == (2, 1)
    assert "atende migrate" in empty.stderr
