"""The gateways' doors under strain: without a database, under floods, and after a crash nothing authentic is lost."""

from __future__ import annotations

import asyncio
import json
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.database import make_number
from tests.flows.shop import eventually
from tests.waha_webhooks import KEY, message, signature, webhook
from tests.web.outage import door_before
from tests.web.part import running_web
from tests.web.test_doors import BODY, Doors, assert_problem


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """For a socket, whose path may not be long."""
    with tempfile.TemporaryDirectory(prefix="atende-door-") as folder:
        yield Path(folder)


@asynccontextmanager
async def doors_of(owner_dsn: str, client: httpx.AsyncClient, waha: UUID, simulated: UUID) -> AsyncIterator[Doors]:
    owner = await asyncpg.connect(owner_dsn)
    yield Doors(client, owner, simulated, waha)
    await owner.close()


async def make_waha(owner_dsn: str, slug: str = "clinic") -> UUID:
    """A WAHA number with a key; returns its id."""
    number = await make_number(owner_dsn, slug, provider="waha")
    owner = await asyncpg.connect(owner_dsn)
    config = json.dumps({"base_url": "http://127.0.0.1:9", "api_key": "k", "hmac_key": KEY})
    await owner.execute("UPDATE channel_session SET config = $2 WHERE id = $1", number.session_id, config)
    await owner.close()
    return number.session_id


@asynccontextmanager
async def served(owner_dsn: str, dsn: str, data_dir: Path) -> AsyncIterator[Doors]:
    """The web process over ``dsn``, with one WAHA number."""
    async with running_web(dsn, data_dir, demo=True) as client:
        waha, simulated = await make_waha(owner_dsn), (await make_number(owner_dsn)).session_id
        async with doors_of(owner_dsn, client, waha, simulated) as doors:
            yield doors


def said(provider_id: str, text: str = "oi") -> bytes:
    return webhook(message(provider_id, text))


async def assert_stored(doors: Doors, *ids: str) -> None:
    async def so() -> bool:
        return [provider_id for provider_id, _, _ in await doors.stored()] == list(ids)

    await eventually(so, within=60, what=f"{ids} to be stored")


async def test_that_while_the_database_is_away_deliveries_are_journalled_and_stored_in_order_when_it_is_back(
    owner_dsn: str, tmp_path: Path, short_folder: Path
) -> None:
    async with door_before(owner_dsn, short_folder) as (door, dsn), served(owner_dsn, dsn, tmp_path) as doors:
        assert (await doors.deliver(said("before"))).json() == {"stored": ["stored"]}
        await door.shut()
        journalled = [f"away{n}" for n in range(5)]
        for provider_id in journalled:
            answer = await doors.deliver(said(provider_id))
            assert (answer.status_code, answer.json()) == (200, {"stored": ["journalled"]})
        assert (await doors.deliver(b"\xff\xfe not json")).json() == {"stored": ["journalled"]}
        forged = await doors.deliver(said("forged"), **signature(b"another body"))
        assert_problem(forged, 401, "signature")
        written = await doors.write(id="m1")
        assert_problem(written, 503, "database")
        assert int(written.headers["Retry-After"]) > 0
        assert [entry[0] for entry in await doors.stored()] == ["before"]
        await door.open()
        await assert_stored(doors, "before", *journalled)

        async def drained() -> bool:
            kept = await doors.quarantined() == [("unreadable_body", 1, b"\xff\xfe not json")]
            return kept and [path.stat().st_size for path in (tmp_path / "journal").iterdir()] == [0]

        await eventually(drained, within=60, what="an empty journal")
        assert (await doors.deliver(said("after"))).json() == {"stored": ["stored"]}
        assert [path.stat().st_size for path in (tmp_path / "journal").iterdir()] == [0]


async def test_that_a_server_that_says_it_dies_and_lingers_is_away_like_any_other(
    owner_dsn: str, tmp_path: Path, short_folder: Path
) -> None:
    async with door_before(owner_dsn, short_folder) as (door, dsn), served(owner_dsn, dsn, tmp_path) as doors:
        await doors.assert_works()
        before = [entry[0] for entry in await doors.stored()]
        for n in range(30):  # each takes another of the connections that were told
            door.say_goodbye()
            written = await doors.write(id=f"m{n}")
            assert written.status_code in {202, 503}, written.text
            delivered = await doors.deliver(said(f"dying{n}"))
            assert delivered.status_code == 200, delivered.text
        await door.shut()
        await door.open()

        async def all_stored() -> bool:
            kept = {entry[0] for entry in await doors.stored()}
            return kept >= {*before, *(f"dying{n}" for n in range(30))}

        await eventually(all_stored, within=60, what="every delivery to be stored")


async def test_that_a_process_that_died_with_a_full_journal_is_followed_by_one_that_stores_it(
    owner_dsn: str, tmp_path: Path, short_folder: Path
) -> None:
    async with door_before(owner_dsn, short_folder) as (door, dsn):
        async with served(owner_dsn, dsn, tmp_path) as doors:
            waha, simulated = doors.waha, doors.simulated
            assert (await doors.deliver(said("before"))).json() == {"stored": ["stored"]}
            await door.shut()
            for provider_id in ("first", "second"):
                assert (await doors.deliver(said(provider_id))).json() == {"stored": ["journalled"]}
            left = {path.name: path.read_bytes() for path in (tmp_path / "journal").iterdir()}
        # A process that is killed leaves just what is on the disk, and perhaps half of what it was writing.
        for path in (tmp_path / "journal").iterdir():
            path.unlink()
        for name, content in left.items():
            (tmp_path / "journal" / name).write_bytes(content + content[: len(content) // 3])
        await door.open()
        async with (
            running_web(dsn, tmp_path, demo=True) as client,
            doors_of(owner_dsn, client, waha, simulated) as doors,
        ):
            assert (await doors.deliver(said("third"))).status_code == 200
            await assert_stored(doors, "before", "first", "second", "third")


async def test_that_without_the_key_of_a_number_at_hand_a_delivery_is_put_off(
    owner_dsn: str, tmp_path: Path, short_folder: Path
) -> None:
    waha, simulated = await make_waha(owner_dsn), (await make_number(owner_dsn)).session_id
    async with door_before(owner_dsn, short_folder) as (door, dsn):
        await door.shut()
        async with running_cold(dsn, tmp_path) as client, doors_of(owner_dsn, client, waha, simulated) as doors:
            answer = await doors.deliver(BODY)
            assert_problem(answer, 503, "database")
            assert int(answer.headers["Retry-After"]) > 0
            await door.open()

            async def taken() -> bool:
                return (await doors.deliver(BODY)).json() in ({"stored": ["stored"]}, {"stored": ["duplicate"]})

            await eventually(taken, within=60, what="the database to be back")
            await assert_stored(doors, "3EB0A")


@asynccontextmanager
async def running_cold(dsn: str, data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The web process, started while its database is away."""
    async with running_web(dsn, data_dir, demo=True, healthy=False) as client:
        yield client


async def test_that_a_delivery_whose_connection_is_ended_in_the_middle_is_journalled(
    owner_dsn: str, tmp_path: Path
) -> None:
    async with served(owner_dsn, owner_dsn, tmp_path) as doors:
        await doors.assert_works()
        before = [entry[0] for entry in await doors.stored()]
        transaction = doors.owner.transaction()
        await transaction.start()
        await doors.owner.execute("LOCK TABLE message")
        delivering = asyncio.create_task(doors.deliver(BODY))

        async def ended() -> bool:
            return await doors.owner.fetchval(
                "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )

        await eventually(ended, within=60, what="waiting for the lock")
        answer = await delivering
        await transaction.rollback()
        assert (answer.status_code, answer.json()) == (200, {"stored": ["journalled"]})
        await assert_stored(doors, *before, "3EB0A")


async def test_that_a_flood_of_forged_deliveries_is_told_to_wait_and_locks_no_authentic_one_out(
    owner_dsn: str, tmp_path: Path
) -> None:
    async with served(owner_dsn, owner_dsn, tmp_path) as doors:
        await doors.deliver(said("warm"))
        statuses: list[int] = []
        stop = asyncio.Event()

        async def flood(to: object) -> None:
            while not stop.is_set():
                answer = await doors.deliver(said("forged"), to=to or uuid.uuid4(), **{"X-Webhook-Hmac": "00" * 64})
                statuses.append(answer.status_code)
                if answer.status_code == 429:
                    assert int(answer.headers["Retry-After"]) > 0

        flooding = [asyncio.create_task(flood(to)) for to in (doors.waha, doors.waha, doors.waha, None)]
        for n in range(60):
            answer = await doors.deliver(said(f"good{n}"))
            assert (answer.status_code, answer.json()) == (200, {"stored": ["stored"]})
        stop.set()
        await asyncio.gather(*flooding)
        assert set(statuses) <= {401, 404, 429}
        assert statuses.count(429) > len(statuses) / 2 > 60
        assert len(await doors.stored()) == 61


async def test_that_a_key_that_was_just_changed_counts_at_once(owner_dsn: str, tmp_path: Path) -> None:
    async with served(owner_dsn, owner_dsn, tmp_path) as doors:
        await doors.deliver(said("first"))
        await doors.owner.execute("""UPDATE channel_session SET config = config || '{"hmac_key": "a new key"}'""")
        body = said("second")
        assert (await doors.deliver(body, **signature(body, "a new key"))).json() == {"stored": ["stored"]}
        assert_problem(await doors.deliver(said("third")), 401, "hmac_key")


async def test_that_more_unknown_events_than_anybody_reads_are_counted(owner_dsn: str, tmp_path: Path) -> None:
    async with served(owner_dsn, owner_dsn, tmp_path) as doors:
        for n in range(70):
            answer = await doors.deliver(webhook({"n": n}, "message.teleported"))
            assert answer.json() == {"stored": ["kept"]}
        kept = await doors.quarantined()
        assert len(kept) == 51
        assert sum(count for _, count, _ in kept) == 70
        assert json.loads(kept[-1][2])["payload"] == {"n": 69}
