"""The doors for machines over real HTTP: what comes in is stored or refused with a reason, and never half of it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.database import make_number
from tests.waha_webhooks import KEY, message, signature, webhook
from tests.web.part import running_web

CAPTURES = Path(os.environ.get("ATENDE_SHARED") or Path(__file__).parents[3] / "shared") / "gateways/fixtures/waha"
LONGEST = 64 * 1024


@dataclass
class Doors:
    """The web process with one simulated and one WAHA number, and the owner's look at what was stored."""

    client: httpx.AsyncClient
    owner: asyncpg.Connection
    simulated: UUID
    waha: UUID

    async def write(self, body: Any = None, *, to: object = None, **fields: Any) -> httpx.Response:
        """Post to the simulator's door: these bytes, or a message with these fields."""
        content = body if isinstance(body, bytes) else json.dumps({"contact": "ana", "text": "oi", **fields}).encode()
        return await self.client.post(f"/simulator/{to or self.simulated}/messages", content=content)

    async def deliver(self, body: bytes, *, to: object = None, **headers: str | None) -> httpx.Response:
        """Post to WAHA's door, signed unless ``headers`` say otherwise (None: left out)."""
        told = {**signature(body), **headers}
        named = [(name.encode(), value.encode("latin-1")) for name, value in told.items() if value is not None]
        return await self.client.post(f"/webhooks/waha/{to or self.waha}", content=body, headers=named)

    async def stored(self) -> list[tuple[str, str, str]]:
        """All messages: (id, kind, text)."""
        rows = await self.owner.fetch("SELECT provider_id, kind, text FROM message ORDER BY id")
        return [(row["provider_id"], row["kind"], row["text"]) for row in rows]

    async def quarantined(self) -> list[tuple[str, int, bytes]]:
        """All that was not understood: (name, count, body)."""
        rows = await self.owner.fetch("SELECT name, count, body FROM quarantined_event ORDER BY first_seen_at")
        return [tuple(row) for row in rows]

    async def assert_works(self) -> None:
        """A good message to either door is stored, right now."""
        before = await self.stored()
        written = await self.write(id=(first := uuid.uuid4().hex), contact="bruno", text="tudo certo?")
        assert (written.status_code, written.json()) == (202, {"outcome": "stored"})
        delivered = await self.deliver(webhook(message(second := uuid.uuid4().hex, "tudo certo?")))
        assert (delivered.status_code, delivered.json()) == (200, {"stored": ["stored"]})
        assert await self.stored() == [*before, (first, "text", "tudo certo?"), (second, "text", "tudo certo?")]


@pytest.fixture
async def doors(owner_dsn: str, tmp_path: Path) -> AsyncIterator[Doors]:
    owner = await asyncpg.connect(owner_dsn)
    simulated = await make_number(owner_dsn)
    waha = await make_number(owner_dsn, "clinic", provider="waha")
    config = json.dumps({"base_url": "http://127.0.0.1:9", "api_key": "k", "hmac_key": KEY})
    await owner.execute("UPDATE channel_session SET config = $2 WHERE id = $1", waha.session_id, config)
    async with running_web(owner_dsn, tmp_path, demo=True) as client:
        yield Doors(client, owner, simulated.session_id, waha.session_id)
    await owner.close()


def assert_problem(answer: httpx.Response, status: int, *said: str, case: str = "") -> None:
    """The answer is a problem document whose detail is a sentence with these words."""
    assert answer.status_code == status, f"{case}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith("."), f"{case}: {problem['detail']}"
    for words in said:
        assert words in problem["detail"], f"{case}: {problem['detail']}"


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    """A body whose length is not declared."""
    for _ in range(size // 65536 + 1):
        yield b" " * 65536


REFUSED: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "invalid UTF-8": (b'{"contact": "ana", "id": "1", "text": "\xff\xfe"}', ("body", "UTF-8")),
    "half of a surrogate pair": (b'{"contact": "ana", "id": "1", "text": "\\ud83d"}', ("body", "surrogate")),
    "nothing": (b"", ("body", "JSON")),
    "not JSON": (b"contact=ana&id=1&text=oi", ("body", "JSON")),
    "not a number": (b'{"contact": "ana", "id": "1", "text": NaN}', ("body", "JSON")),
    "too deep": (b"[" * 100_000, ("body", "JSON")),
    "a list": (b'[{"contact": "ana", "id": "1", "text": "oi"}]', ("body", "object")),
    "no contact": (b'{"id": "1", "text": "oi"}', ("contact", "printable")),
    "no id": (b'{"contact": "ana", "text": "oi"}', ("id", "printable")),
    "no text": (b'{"contact": "ana", "id": "1"}', ("text", "must be a text")),
    "a contact that is a number": (b'{"contact": 7, "id": "1", "text": "oi"}', ("contact", "printable")),
    "an empty contact": (b'{"contact": "", "id": "1", "text": "oi"}', ("contact", "printable")),
    "an invisible contact": ('{"contact": "an\u200ba", "id": "1", "text": "oi"}'.encode(), ("contact", "printable")),
    "a contact that is too long": (b'{"contact": "' + b"a" * 65 + b'", "id": "1", "text": "oi"}', ("contact", "64")),
    "an id with NUL": (b'{"contact": "ana", "id": "a\\u0000", "text": "oi"}', ("id", "printable")),
    "an id that is a list": (b'{"contact": "ana", "id": ["1"], "text": "oi"}', ("id", "printable")),
    "a text that is an object": (b'{"contact": "ana", "id": "1", "text": {"a": 1}}', ("text", "must be a text")),
    "a text that is null": (b'{"contact": "ana", "id": "1", "text": null}', ("text", "must be a text")),
    "an unknown kind": (b'{"contact": "ana", "id": "1", "text": "oi", "kind": "hologram"}', ("kind", "One of: text")),
    "a kind that is a list": (b'{"contact": "ana", "id": "1", "text": "oi", "kind": []}', ("kind", "One of: text")),
    "an unknown field": (b'{"contact": "ana", "id": "1", "text": "oi", "sent_at": 1}', ("sent_at", "not known")),
}


async def test_that_the_simulator_refuses_what_it_cannot_read_and_says_why(doors: Doors) -> None:
    for case, (body, said) in REFUSED.items():
        before = await doors.stored()
        assert_problem(await doors.write(body), 422, *said, case=case)
        assert await doors.stored() == before, case
        await doors.assert_works()


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in pieces"])
async def test_that_a_body_over_the_limit_is_refused(doors: Doors, declared: bool) -> None:
    content = b" " * (1024 * 1024 + 1) if declared else in_pieces(1024 * 1024)
    answer = await doors.client.post(f"/simulator/{doors.simulated}/messages", content=content)
    assert_problem(answer, 413, "larger than 1048576 bytes", "Send less")
    await doors.assert_works()


STRANGE = {
    "empty": "",
    "only invisible": "\u200b\u200b",
    "zero-width": "o\u200bi\u200d\ufeff!",
    "right to left": "\u202eoi\u202c שלום \u061c",
    "as long as WhatsApp allows": "ã" * (LONGEST // 2),
    "looks like SQL": "'); DROP TABLE message; --",
    "looks like a template": "{{ 7 * 7 }} <script>alert(1)</script> %(who)s $1",
}


async def test_that_strange_text_is_stored_as_it_was_written(doors: Doors) -> None:
    for case, text in STRANGE.items():
        answer = await doors.write(id=case, text=text)
        assert (answer.status_code, answer.json()) == (202, {"outcome": "stored"}), case
        assert (await doors.stored())[-1] == (case, "text", text)
        await doors.assert_works()


@pytest.mark.parametrize(
    ("text", "kept", "problem"),
    [
        ("é" * LONGEST, "é" * (LONGEST // 2), f"cut_from_{2 * LONGEST}_bytes"),
        ("a\0b", "a\ufffdb", "nul_characters_replaced"),
    ],
    ids=["too long", "NUL"],
)
async def test_that_text_that_cannot_be_kept_whole_is_stored_and_marked(
    doors: Doors, text: str, kept: str, problem: str
) -> None:
    assert (await doors.write(id="m1", text=text)).status_code == 202
    assert await doors.stored() == [("m1", "text", kept)]
    content = json.loads(await doors.owner.fetchval("SELECT content FROM message"))
    assert content["problems"] == [problem]
    await doors.assert_works()


async def test_that_a_repeated_id_changes_nothing_and_other_content_under_it_is_kept_beside(doors: Doors) -> None:
    said = [
        (await doors.write(id="m1", text=text)).json()["outcome"] for text in ("um", "um", "dois", "dois", "um", "")
    ]
    assert said == ["stored", "duplicate", "changed", "duplicate", "duplicate", "duplicate"]
    assert await doors.stored() == [("m1", "text", "um")]
    changes = await doors.owner.fetch("SELECT kind, content ->> 'text' AS text FROM message_change")
    assert [tuple(change) for change in changes] == [("other_content", "dois")]
    assert (await doors.write(id="m1", contact="bruno", text="três")).json() == {"outcome": "stored"}
    await doors.assert_works()


@pytest.mark.parametrize("name", ["unknown", "no id at all", "of another provider"])
async def test_that_only_simulated_numbers_are_behind_the_simulator_s_door(doors: Doors, name: str) -> None:
    number = {"unknown": uuid.uuid4(), "no id at all": "loja", "of another provider": doors.waha}[name]
    assert_problem(await doors.write(to=number, id="m1"), 404)
    assert_problem(await doors.client.get(f"/simulator/{number}/received"), 404)
    assert await doors.stored() == []
    await doors.assert_works()


@pytest.mark.parametrize(
    ("after", "status"), [("0", 200), ("-5", 200), (str(10**30), 200), ("x", 422), ("", 422), ("1.5", 422)]
)
async def test_that_the_reading_position_may_be_any_number(doors: Doors, after: str, status: int) -> None:
    answer = await doors.client.get(f"/simulator/{doors.simulated}/received", params={"after": after})
    assert answer.status_code == status
    assert status == 422 or answer.json() == []


async def test_that_without_the_demo_there_is_no_simulator_s_door(doors: Doors, owner_dsn: str, tmp_path: Path) -> None:
    async with running_web(owner_dsn, tmp_path) as client:
        body = {"contact": "ana", "id": "m1", "text": "oi"}
        assert_problem(await client.post(f"/simulator/{doors.simulated}/messages", json=body), 404)
        assert_problem(await client.get(f"/simulator/{doors.simulated}/received"), 404)
    assert await doors.stored() == []


BODY = webhook(message("3EB0A", "oi"))
UNSIGNED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no signature": (BODY, {"X-Webhook-Hmac": None}),
    "an empty signature": (BODY, {"X-Webhook-Hmac": ""}),
    "a signature with another key": (BODY, signature(BODY, "another key")),
    "the signature of another body": (BODY, signature(BODY + b" ")),
    "half a signature": (BODY, {"X-Webhook-Hmac": signature(BODY)["X-Webhook-Hmac"][:64]}),
    "another algorithm": (BODY, {"X-Webhook-Hmac-Algorithm": "sha256"}),
    "another algorithm's signature": (
        BODY,
        {
            "X-Webhook-Hmac": hmac.new(KEY.encode(), BODY, hashlib.sha256).hexdigest(),
            "X-Webhook-Hmac-Algorithm": "sha256",
        },
    ),
    "a signature that is no text": (BODY, {"X-Webhook-Hmac": "ÿ" * 128}),
    "unreadable and unsigned": (b'{"event": ', {"X-Webhook-Hmac": None}),
    "unreadable and wrongly signed": (b"\xff", signature(b"\xfe")),
}


async def test_that_a_delivery_without_waha_s_signature_is_refused_unread(doors: Doors) -> None:
    for case, (body, headers) in UNSIGNED.items():
        before = await doors.stored()
        assert_problem(await doors.deliver(body, **headers), 401, "signature", "hmac_key", case=case)
        assert await doors.stored() == before, case
        assert await doors.quarantined() == [], case
        await doors.assert_works()


async def test_that_a_number_without_a_key_takes_nothing(doors: Doors) -> None:
    await doors.owner.execute("UPDATE channel_session SET config = config - 'hmac_key'")
    assert_problem(await doors.deliver(BODY), 401, "hmac_key")
    assert_problem(await doors.deliver(BODY, **signature(BODY, "")), 401, "hmac_key")
    assert await doors.stored() == []


@pytest.mark.parametrize("name", ["unknown", "no id at all", "of another provider", "behind no gateway"])
async def test_that_a_delivery_to_no_number_of_waha_is_refused(doors: Doors, name: str) -> None:
    number = {"unknown": uuid.uuid4(), "no id at all": "loja", "of another provider": doors.simulated}.get(name)
    if number is None:
        answer = await doors.client.post(f"/webhooks/telegraph/{doors.waha}", content=BODY)
    else:
        answer = await doors.deliver(BODY, to=number)
    assert_problem(answer, 404)
    assert await doors.stored() == []
    await doors.assert_works()


async def test_that_a_delivery_is_refused_by_its_declared_length_before_it_is_read(doors: Doors) -> None:
    reader, writer = await asyncio.open_connection(doors.client.base_url.host, doors.client.base_url.port)
    request = f"POST /webhooks/waha/{doors.waha} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {25 * 1024 * 1024}\r\n"
    writer.write(f"{request}\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 60)
    assert answer.split()[1] == b"413"
    writer.close()
    await writer.wait_closed()
    await doors.assert_works()


async def test_that_who_hangs_up_in_the_middle_leaves_nothing(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    for path in (f"/webhooks/waha/{doors.waha}", f"/simulator/{doors.simulated}/messages"):
        _, writer = await asyncio.open_connection(doors.client.base_url.host, doors.client.base_url.port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.1)
    await doors.assert_works()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_that_the_door_is_only_for_deliveries(doors: Doors) -> None:
    assert_problem(await doors.client.get(f"/webhooks/waha/{doors.waha}"), 405)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"event": "message", ', "unreadable_body"),
        (b"", "unreadable_body"),
        (b"[" * 100_000, "unreadable_body"),
        (b"[1, 2]", "not_an_object"),
        (webhook({"id": "x"}, "message.teleported"), "message.teleported"),
        (webhook({"body": "no id"}, "message"), "message without id or chat"),
    ],
    ids=["half a body", "nothing", "too deep", "a list", "an unknown event", "a message without id"],
)
async def test_that_an_authentic_delivery_that_is_not_understood_is_kept(doors: Doors, body: bytes, name: str) -> None:
    answer = await doors.deliver(body)
    assert (answer.status_code, answer.json()) == (200, {"stored": ["kept"]})
    assert await doors.quarantined() == [(name, 1, body)]
    assert (await doors.deliver(body)).json() == {"stored": ["kept"]}
    assert await doors.quarantined() == [(name, 2, body)]
    await doors.assert_works()


@pytest.mark.parametrize("bad", [b"\\ud83d", b"\xff"], ids=["half of a surrogate pair", "invalid UTF-8"])
async def test_that_a_customer_s_message_with_one_bad_character_is_still_a_message(doors: Doors, bad: bytes) -> None:
    answer = await doors.deliver(webhook(message("3EB0A", "oi BAD!")).replace(b"BAD", bad))
    assert answer.json() == {"stored": ["stored"]}
    assert await doors.stored() == [("3EB0A", "text", "oi \ufffd!")]
    await doors.assert_works()


async def test_that_a_clock_in_the_future_is_not_believed(doors: Doors) -> None:
    ahead = int(time.time()) + 86_400
    assert (await doors.deliver(webhook(message("3EB0A", "oi", timestamp=ahead)))).json() == {"stored": ["stored"]}
    row = await doors.owner.fetchrow("SELECT sent_at <= now() AS believed, content FROM message")
    assert row["believed"]
    assert json.loads(row["content"])["problems"] == ["clock_in_the_future"]
    await doors.assert_works()


async def test_that_a_repeated_delivery_and_its_twin_are_one_message(doors: Doors) -> None:
    payload = message("3EB0A", "oi")
    bodies = [webhook(payload), webhook(payload), webhook(payload, "message")]
    answers = [(await doors.deliver(body)).json() for body in bodies]
    assert answers == [{"stored": ["stored"]}, {"stored": ["duplicate"]}, {"stored": ["duplicate"]}]
    twins = [webhook(message("3EB0B", "e aí?"), name) for name in ("message", "message.any")]
    together = await asyncio.gather(*(doors.deliver(body) for body in twins))
    assert sorted(answer.json()["stored"][0] for answer in together) == ["duplicate", "stored"]
    assert await doors.stored() == [("3EB0A", "text", "oi"), ("3EB0B", "text", "e aí?")]
    assert await doors.owner.fetchval("SELECT count(*) FROM queue.procrastinate_jobs") == 1


CUSTOMER = {"phone:554490000784", "lid:149000011210072"}
FROM_AD = {"phone:554490000227", "lid:19900004197208"}
CAPTURED = {
    # file: addresses of the contact, kind, text, id
    "text": (CUSTOMER, "text", "Teste", "3F0B3ABFCA9801F3A48F"),
    "image": (CUSTOMER, "image", "", "3F14B2DEA399B72100CE"),
    "image_text": (CUSTOMER, "image", "Teste", "3F8470D785301D7ACCEC"),
    "audio": (CUSTOMER, "audio", "", "2AEB0A532C6370E1C2FE"),
    "document_image_heic": (CUSTOMER, "document", "", "2A7CB86E5739A01E0418"),
    "location": (CUSTOMER, "location", "", "2AFF9A46E4ECED8D5CC9"),
    "contact": (CUSTOMER, "contact", "Contato Exemplo", "2A5AC40F5D7FB278387C"),
    "fb_ads": (FROM_AD, "text", "Olá! Tenho interesse e queria mais informações, por favor.", "2AF14CD157D1CF76DC78"),
}


@pytest.mark.shared
@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured webhooks are absent; ATENDE_SHARED may tell where")
async def test_that_captured_webhooks_are_stored_as_what_they_are(doors: Doors) -> None:
    assert {path.stem.removeprefix("real_gows_message_") for path in CAPTURES.glob("real_gows_*")} == CAPTURED.keys()
    for name, (addresses, kind, text, provider_id) in CAPTURED.items():
        body = (CAPTURES / f"real_gows_message_{name}.json").read_bytes()
        answer = await doors.deliver(body)
        assert (answer.status_code, answer.json()) == (200, {"stored": ["stored"]}), name
        row = await doors.owner.fetchrow(
            "SELECT m.kind, m.text, m.author, m.content, c.push_name, (SELECT array_agg(a.kind || ':' || a.value) "
            "FROM contact_address a WHERE a.contact_id = c.id) AS addresses "
            "FROM message m JOIN contact c ON c.id = m.contact_id WHERE m.provider_id = $1",
            provider_id,
        )
        assert (row["kind"], row["text"], row["author"]) == (kind, text, "contact"), name
        assert (set(row["addresses"]), row["push_name"]) == (addresses, "Contato Exemplo"), name
        content = json.loads(row["content"])
        assert ("media" in content) is (kind in {"image", "audio", "document"}), name
        if name == "fb_ads":
            advertisement = content["raw"]["referral"]["advertisement"]
            assert advertisement["sourceID"] == "120232639087330785"
            assert advertisement["title"] == "IMERSÃO GESTÃO CLÍNICAS"
        assert (await doors.deliver(body)).json() == {"stored": ["duplicate"]}, name
    assert await doors.owner.fetchval("SELECT count(*) FROM conversation") == 2
    await doors.assert_works()
