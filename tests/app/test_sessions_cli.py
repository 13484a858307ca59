"""``atende session``: channel sessions from the command line."""

from __future__ import annotations

import json
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
    added = atende("session", "create", "--tenant", "shop", "--name", "Vendas", "--provider", "neonize", **settings)
    assert added.returncode == 0, added.stderr
    found = re.search(r"atende session qr ([0-9a-f-]{36})", added.stdout)
    assert found
    session_id = found[1]

    nobody = atende("session", "qr", session_id, "--wait", "0", **settings)
    assert nobody.returncode == 2
    assert "No session host has taken the number. Start Atende with: atende serve" in nobody.stderr
    assert await db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    with subprocess.Popen(
        [ATENDE, "session", "qr", session_id], env=environment(**settings), stdout=subprocess.PIPE, text=True
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
    listed = atende("session", "list", "--tenant", "shop", **settings).stdout.splitlines()
    assert [line.split()[1:5] for line in listed if session_id in line] == [
        ["shop", "neonize", "connected", "+5511990001111"]
    ]
    assert len(listed) == 2


async def test_that_a_session_is_shown_changed_stopped_looked_back_on_and_deleted(
    owner_dsn: str, db: Database, number: Number
) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    created = atende("session", "create", "--tenant", "shop", "--name", "Vendas", **settings)
    session = re.findall(r"[0-9a-f-]{36}", created.stdout)[0]
    await _report(db, number, session, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    ended = {"ended": True, "unlinked": True}
    await _report(db, number, session, SessionStatus.DISCONNECTED, detail="unlinked on the phone", **ended)
    assert atende("session", "set", session, "--groups", "mentioned", **settings).returncode == 0
    shown = atende("session", "show", session, "--language", "es", **settings).stdout
    assert "Vendas (neonize): unlinked" in shown
    assert "reason: unlinked on the phone" in shown
    assert "in groups the agent answers: when mentioned" in shown
    assert "El teléfono desvinculó este número" in shown
    assert atende("session", "stop", session, **settings).stdout == "It is stopped.\n"
    assert atende("session", "logout", session, **settings).stdout == "No phone was linked. It is stopped.\n"
    figures = json.loads(atende("session", "stats", session, "--json", **settings).stdout)
    assert (figures["pairings"], figures["messages_in"]) == (1, 0)
    page = atende("session", "log", session, "--limit", "2", **settings).stdout
    cursor = re.findall(r"--cursor (\S+)", page)[0]
    older = atende("session", "log", session, "--cursor", cursor, **settings).stdout
    assert "unlinked on the phone" in older
    assert "session.added" in older.splitlines()[-1]
    kept = atende("session", "delete", session, **settings)
    assert (kept.returncode, "0 conversations and 0 files" in kept.stdout) == (1, True)  # nobody said yes
    assert atende("session", "delete", session, "--yes", **settings).stdout.startswith("Deleted")
    gone = atende("session", "show", session, **settings)
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)


async def test_that_a_number_that_is_in_use_elsewhere_is_not_said_to_connect_by_itself_or_to_need_a_code(
    owner_dsn: str, db: Database, number: Number
) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    created = atende("session", "create", "--tenant", "shop", "--name", "Vendas", **settings)
    session = re.findall(r"[0-9a-f-]{36}", created.stdout)[0]
    await _report(db, number, session, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    await _report(db, number, session, SessionStatus.DISCONNECTED, detail="Another process connected.", ended=True)
    shown = atende("session", "show", session, "--language", "pt", **settings).stdout
    assert "Vendas (neonize): replaced" in shown
    assert "em uso também em outro lugar" in shown
    no_code = atende("session", "qr", session, "--wait", "0", **settings)
    assert (no_code.returncode, f"atende session restart {session}" in no_code.stderr) == (2, True)
    assert atende("session", "stop", session, **settings).stdout == "It is stopped; it stays paired.\n"


async def _report(db: Database, number: Number, session_id: str, status: SessionStatus, **more: Any) -> None:
    """What a session host would tell."""
    async with db.transaction(number.tenant_id) as tx:
        await record_status(tx, number.tenant_id, UUID(session_id), SessionChanged(status, datetime.now(UTC), **more))


def test_that_what_cannot_be_added_is_refused_in_one_sentence(owner_dsn: str, number: Number) -> None:
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    unknown = atende("session", "create", "--tenant", "nope", "--name", "N", "--provider", "simulator", **settings)
    assert (unknown.returncode, "there are: shop" in unknown.stderr) == (2, True)
    keyless = atende(
        *("session", "create", "--tenant", "shop", "--name", "N", "--provider", "waha", "--set", "base_url=waha:3000"),
        *("--set", "colour=blue"),
        **settings,
    )
    assert (keyless.returncode, keyless.stderr.count("\n")) == (2, 1)
    for fault in ("colour is not known here", "base_url must be an address", "api_key is missing"):
        assert fault in keyless.stderr


def test_that_an_empty_database_says_how_to_prepare_it(postgres: EmbeddedPostgres) -> None:
    empty = atende("session", "list", DATABASE_URL=postgres.address.url(), ATENDE_SECRET=SECRET.decode())
    assert (empty.returncode, empty.stderr.count("\n")) == (2, 1)
    assert "atende migrate" in empty.stderr
