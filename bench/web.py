"""How fast the inbox is in a business that has been busy for years, and how live. Real processes; prints JSON.

    python bench/web.py [--conversations 50000] [--messages 1000000] [--requests 200] [--sockets 1000] [--only pages]

Generates the business (seeded), then measures through the web process: the inbox's lists, its search and opening a
conversation; storing a message with and without the search's index; events to many sockets; a client that comes back.
The machine is shared: beside each wall time stands what the processes worked for it. ``fsync`` is on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

if __name__ == "__main__":
    sys.path.pop(0)  # this folder: it has an agent.py
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import orjson
import psutil
from bench.pipeline import PORT, SECRET, Bench, cpu, percentile, wait_for

from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate
from web.access import cookie_name, new_token, token_hash
from web.services import Access

SEED = 20261122
PEOPLE = 60
EVENTS_PER_SECOND = 100
FIRST = (
    "Ana Bruno Carla Diego Eduarda Felipe Gabriela Henrique Inês João Karen Lucas Márcia Nuno Otávio Paula Rui".split()
)
LAST = "Souza Lima Oliveira Pereira Costa Núñez García Smith Araújo Brandão Conceição Duarte Esteves Fagundes".split()
COMMON = (
    "oi bom dia obrigado pedido quero saber entrega por favor não chegou quando loja pagamento boleto cartão troca "
    "hola gracias pedido envío tienda thanks order delivery where when hello please prazo tamanho cor azul cliente "
    "endereço"
).split()
SEARCHES = (
    "pedido",
    "bom dia",
    "boleto",
    "entregas",
    "where order",
    "envio tienda",
    "informacao raro7",
    "raro123",
    "raro4711",
    "conceicao",
    "joao brandao",
    "ana",
    "98765",
    "1199",
    "quero troca tamanho azul",
    "obrigad",
    "palavra901",
    "a",
    "5511",
    "ana boleto",
    "joao brandao boleto",
    "ana souza quero saber",
    "ana 98765",
    "boleto 5511",
    "diego raro7",
    "de e o a que por favor nao",
)


async def generate(bench: Bench, conversations: int, messages: int) -> dict[str, Any]:
    """One business with its people, customers, and what they wrote to each other."""
    started = time.perf_counter()
    rng = random.Random(SEED)
    bench.tenant_id = (await bench.sql("SELECT gate.put_tenant('big', 'Big', 'pt', 'America/Sao_Paulo') AS id"))[0][
        "id"
    ]
    people = []
    for n in range(PEOPLE):
        row = await bench.sql("SELECT gate.put_user($1, $2, 'x', 'pt') AS id", f"p{n}@big.example", f"Pessoa {n}")
        people.append(row[0]["id"])
        await bench.sql("SELECT gate.put_member($1, $2, 'operator')", bench.tenant_id, people[-1])
    bench.simulator = (
        await bench.sql(
            "INSERT INTO channel_session (tenant_id, provider, name, status) "
            "VALUES ($1, 'simulator', 'Loja', 'connected') RETURNING id",
            bench.tenant_id,
        )
    )[0]["id"]
    tenant, number = bench.tenant_id, bench.simulator
    await bench.sql(
        """INSERT INTO contact (id, tenant_id, name)
           SELECT md5('contact' || n)::uuid, $1, ($2::text[])[1 + n % 17] || ' ' || ($3::text[])[1 + n / 17 % 14]
             FROM generate_series(1, $4::int) n""",
        tenant,
        FIRST,
        LAST,
        conversations,
    )
    await bench.sql(
        """INSERT INTO contact_address (tenant_id, kind, value, contact_id)
           SELECT $1, 'phone', '5511' || (900000000 + n * 1799::bigint % 99999999), md5('contact' || n)::uuid
             FROM generate_series(1, $2::int) n""",
        tenant,
        conversations,
    )
    await bench.sql(
        """INSERT INTO conversation (id, tenant_id, channel_session_id, contact_id, address, status, assignee_id,
                                     unread, priority, labels, last_message_at, waiting_since, last_preview)
           SELECT md5('conversation' || n)::uuid, $1, $2, md5('contact' || n)::uuid,
                  'phone:5511' || (900000000 + n * 1799::bigint % 99999999), s.status,
                  CASE WHEN s.status = 'human' THEN ($3::uuid[])[1 + n % 60] END, n % 3, n % 4 - 1,
                  CASE WHEN n % 10 = 0 THEN '["vip"]'::jsonb ELSE '[]' END, now() - (n || ' minutes')::interval,
                  CASE WHEN s.status = 'waiting' THEN now() - (n || ' minutes')::interval END, 'quero saber do pedido'
             FROM generate_series(1, $4::int) n
             CROSS JOIN LATERAL (SELECT CASE WHEN n % 20 < 12 THEN 'closed' WHEN n % 20 < 16 THEN 'bot'
                                             WHEN n % 20 < 18 THEN 'human' ELSE 'waiting' END AS status) s""",
        tenant,
        number,
        people,
        conversations,
    )
    vocabulary = [*COMMON, *(f"palavra{n}" for n in range(2_000))]
    sentences = [
        " ".join(vocabulary[int(len(vocabulary) * rng.random() ** 4)] for _ in range(rng.randint(3, 14)))
        for _ in range(20_000)
    ]
    # As it came over the years: the index is made afterwards, as it would be were each message stored alone.
    (index,) = await bench.sql("SELECT pg_get_indexdef('ix_message_words'::regclass) AS text")
    await bench.sql("DROP INDEX ix_message_words")
    await bench.sql(
        """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author, text,
                                sent_at, received_at)
           SELECT $1, md5('conversation' || k.n)::uuid, $2, md5('contact' || k.n)::uuid, 'm' || i,
                  CASE i % 2 WHEN 0 THEN 'contact' ELSE 'bot' END,
                  ($3::text[])[1 + (i * 7919::bigint) % 20000]
                      || CASE WHEN i % 50 = 0 THEN ' raro' || i / 50 ELSE '' END,
                  now() - (($5::int - i) || ' seconds')::interval, now() - (($5::int - i) || ' seconds')::interval
             FROM generate_series(1, $5::int) i
             CROSS JOIN LATERAL (SELECT 1 + (i * 104729::bigint) % $4::int AS n) k""",
        tenant,
        number,
        sentences,
        conversations,
        messages,
    )
    made = time.perf_counter()
    await bench.sql(index["text"])
    await bench.sql(
        """UPDATE conversation c SET last_inbound_id = m.id
             FROM (SELECT conversation_id, max(id) AS id FROM message GROUP BY 1) m WHERE m.conversation_id = c.id"""
    )
    await bench.sql("UPDATE conversation SET answered_upto_id = last_inbound_id WHERE status IN ('closed', 'bot')")
    await bench.sql("VACUUM ANALYZE")
    sizes = await bench.sql(
        """SELECT pg_relation_size('message') / 1048576 AS message,
                  pg_relation_size('ix_message_words') / 1048576 AS words,
                  pg_total_relation_size('conversation') / 1048576 AS conversation"""
    )
    return {
        "seconds": round(made - started),
        "index_seconds": round(time.perf_counter() - made),
        "mb": dict(sizes[0]),
        "people": people,
    }


async def signed_in(bench: Bench, user_id: UUID) -> dict[str, str]:
    """A browser's cookie for one of the people."""
    token = new_token()
    db = await Database.open(bench.dsn, SECRET.encode(), max_connections=1)
    await db.gate("open_login", token_hash(token), user_id, bench.tenant_id, timedelta(hours=2))
    await db.close()
    return {cookie_name(Access(SECRET.encode())): token}


async def timed(
    bench: Bench, web: psutil.Process, http: aiohttp.ClientSession, requests: int, path: Callable[[int], str]
) -> dict[str, Any]:
    """So many requests, one after the other; the first few warm the server's caches and do not count."""
    latencies: list[float] = []
    size = 0
    for n in range(requests + 5):
        if n == 5:
            before = (cpu(web), bench.postgres_cpu())
        started = time.perf_counter()
        async with http.get(path(n), headers={"HX-Request": "true", "HX-Target": "pane"}) as answer:
            size = len(await answer.read())
            if answer.status != 200:
                raise RuntimeError(f"{path(n)}: {answer.status} {await answer.text()}")
        if n >= 5:
            latencies.append(1000 * (time.perf_counter() - started))
    after = (cpu(web), bench.postgres_cpu())
    return {
        "p50_ms": round(percentile(latencies, 0.5), 1),
        "p95_ms": round(percentile(latencies, 0.95), 1),
        "cpu_ms": {
            name: round(1000 * (b - a) / requests, 1)
            for name, a, b in zip(("web", "postgres"), before, after, strict=True)
        },
        "bytes": size,
    }


async def pages(bench: Bench, people: list[UUID], conversations: int, requests: int) -> dict[str, Any]:
    """Server time of what operators do all day, by one of them, through HTTP."""
    rng = random.Random(SEED)
    found: dict[str, Any] = {}
    with bench.process("web", ATENDE_LOG_LEVEL="warning") as web:
        await wait_for(f"http://127.0.0.1:{PORT}/healthz")
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{PORT}", cookie_jar=jar) as http:
            jar.update_cookies(await signed_in(bench, people[0]))
            for queue in ("mine", "unassigned", "waiting", "bot", "all", "closed"):
                found[f"list_{queue}"] = await timed(
                    bench, web, http, requests, lambda _, q=queue: f"/inbox/list?view={q}"
                )
            found["list_filtered"] = await timed(
                bench, web, http, requests, lambda _: "/inbox/list?view=all&label=vip&unread=true&priority=high"
            )
            ids = [UUID(bytes=_md5(f"conversation{rng.randint(1, conversations)}")) for _ in range(requests + 5)]
            found["open"] = await timed(bench, web, http, requests, lambda n: f"/inbox/{ids[n]}?view=all")
            for words in SEARCHES:
                found[f"search {words}"] = await timed(
                    bench, web, http, max(20, requests // 5), lambda _, w=words: f"/inbox/list?view=all&q={w}"
                )
            found["search_all_words"] = await timed(
                bench, web, http, requests, lambda n: f"/inbox/list?view=all&q={SEARCHES[n % len(SEARCHES)]}"
            )
    return found


def _md5(text: str) -> bytes:
    import hashlib  # noqa: PLC0415

    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


async def inserts(bench: Bench, count: int = 5_000) -> dict[str, Any]:
    """What the search's index costs a message: the same inserts, one statement each, with it and without."""
    (index,) = await bench.sql("SELECT pg_get_indexdef('ix_message_words'::regclass) AS text")
    found: dict[str, float] = {}
    # Before and after, so that a disk or a neighbour that changes meanwhile shows.
    for name in ("with_index", "without_index"):
        if name == "without_index":
            await bench.sql("DROP INDEX ix_message_words")
        before = bench.postgres_cpu()
        started = time.perf_counter()
        for start in range(0, count, 100):
            await bench.sql(
                """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text,
                                        sent_at)
                   SELECT m.tenant_id, m.conversation_id, m.channel_session_id, m.contact_id, m.author, m.text, now()
                     FROM message m WHERE m.id BETWEEN $1 AND $1 + 99""",
                10_000 + start,
            )
        found[f"{name}_cpu_ms"] = round(1000 * (bench.postgres_cpu() - before) / count, 4)
        found[f"{name}_ms"] = round(1000 * (time.perf_counter() - started) / count, 4)
    await bench.sql(index["text"])
    return found | {"index_cpu_ms": round(found["with_index_cpu_ms"] - found["without_index_cpu_ms"], 4)}


async def sockets(bench: Bench, people: list[UUID], count: int, seconds: float) -> dict[str, Any]:
    """All sockets are of one business, so each event goes to each of them; some take the time, all read everything."""
    conversation = UUID(bytes=_md5("conversation1"))
    sent: dict[int, tuple[float, float]] = {}
    """When an event's insert began, and when its commit was confirmed."""
    lags: list[float] = []
    after_commit: list[float] = []
    heard = [0] * count
    with bench.process("web") as web:
        await wait_for(f"http://127.0.0.1:{PORT}/healthz")
        cookies = [await signed_in(bench, person) for person in people]
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
            ready = asyncio.Semaphore(0)

            async def listen(n: int) -> None:
                ((name, token),) = cookies[n % len(cookies)].items()
                async with http.ws_connect(
                    f"http://127.0.0.1:{PORT}/ws", headers={"Cookie": f"{name}={token}"}, compress=0
                ) as socket:
                    await socket.send_str('{"type":"subscribe","content":"none"}')
                    async for frame in socket:
                        if n % 20 and frame.data.startswith('{"type":"events"'):
                            heard[n] += frame.data.count('"id":')
                            continue
                        message = orjson.loads(frame.data)
                        if message["type"] == "ready":
                            ready.release()
                        for event in message.get("events", ()):
                            heard[n] += 1
                            if event["id"] in sent:
                                began, committed = sent[event["id"]]
                                lags.append(1000 * (time.perf_counter() - began))
                                after_commit.append(max(0.0, 1000 * (time.perf_counter() - committed)))

            listeners = []
            for n in range(count):
                listeners.append(asyncio.create_task(listen(n)))
                if n % 20 == 19:
                    await asyncio.sleep(0.05)
            for _ in range(count):
                await asyncio.wait_for(ready.acquire(), 120)
            before = (cpu(web), bench.postgres_cpu(), time.process_time(), web.memory_info().rss)
            started = time.perf_counter()
            told = 0
            while (now := time.perf_counter() - started) < seconds:
                due = int(now * EVENTS_PER_SECOND) - told
                if due > 0:
                    at = time.perf_counter()
                    rows = await bench.sql(
                        """INSERT INTO event (tenant_id, conversation_id, kind)
                           SELECT $1, $2, 'message.received' FROM generate_series(1, $3::int) RETURNING id""",
                        bench.tenant_id,
                        conversation,
                        due,
                    )
                    sent |= {row["id"]: (at, time.perf_counter()) for row in rows}
                    await bench.sql("SELECT pg_notify('atende_event', '')")
                    told += due
                await asyncio.sleep(0.01)
            await asyncio.sleep(3)
            after = (cpu(web), bench.postgres_cpu(), time.process_time(), web.memory_info().rss)
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
    return {
        "sockets": count,
        "events": told,
        "heard_by_each": [min(heard), max(heard)],
        "event_to_browser_ms": {
            "p50": round(percentile(lags, 0.5)),
            "p99": round(percentile(lags, 0.99)),
            "max": round(max(lags, default=0)),
        },
        "commit_to_browser_ms": {
            "p50": round(percentile(after_commit, 0.5)),
            "p99": round(percentile(after_commit, 0.99)),
        },
        "cpu_share": {
            name: round((b - a) / (seconds + 3), 2)
            for name, a, b in zip(("web", "postgres", "load_generator"), before[:3], after[:3], strict=True)
        },
        "web_mb": round(after[3] / 1e6),
    }


async def reconnect(bench: Bench, people: list[UUID], missed: int = 1_000) -> dict[str, Any]:
    """A client that was away while so many events happened, and still happen while it comes back."""
    conversation = UUID(bytes=_md5("conversation1"))

    async def happen(count: int) -> list[int]:
        rows = await bench.sql(
            "INSERT INTO event (tenant_id, conversation_id, kind) "
            "SELECT $1, $2, 'message.received' FROM generate_series(1, $3::int) RETURNING id",
            bench.tenant_id,
            conversation,
            count,
        )
        await bench.sql("SELECT pg_notify('atende_event', '')")
        return [row["id"] for row in rows]

    with bench.process("web"):
        await wait_for(f"http://127.0.0.1:{PORT}/healthz")
        ((name, token),) = (await signed_in(bench, people[0])).items()
        last = (await bench.sql("SELECT max(id) AS id FROM event"))[0]["id"]
        wanted = await happen(missed)
        got: list[int] = []
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"http://127.0.0.1:{PORT}/ws", headers={"Cookie": f"{name}={token}"}) as socket,
        ):
            started = time.perf_counter()
            await socket.send_json({"type": "subscribe", "after": last, "content": "none"})
            wanted += await happen(50)
            while len(got) < len(wanted):
                message = orjson.loads(await asyncio.wait_for(socket.receive_str(), 30))
                got += [event["id"] for event in message.get("events", ())]
            took = time.perf_counter() - started
    return {"missed": missed, "exactly_those": got == wanted, "ms": round(1000 * took)}


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--conversations", type=int, default=50_000)
    arguments.add_argument("--messages", type=int, default=1_000_000)
    arguments.add_argument("--requests", type=int, default=200)
    arguments.add_argument("--sockets", type=int, default=1_000)
    arguments.add_argument("--seconds", type=float, default=20.0)
    arguments.add_argument("--only", default="")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="atende-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # noqa: ASYNC240  nothing else runs yet
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            bench = Bench(folder, server, server.create_database("bench"))
            await asyncio.to_thread(migrate, bench.dsn, SECRET.encode())
            made = await generate(bench, chosen.conversations, chosen.messages)
            people = made.pop("people")
            results: dict[str, Any] = {
                "load_average_at_start": os.getloadavg()[0],
                "cpus": os.cpu_count(),
                "made": made,
            }
            parts: dict[str, Callable[[], Any]] = {
                "pages": lambda: pages(bench, people, chosen.conversations, chosen.requests),
                "inserts": lambda: inserts(bench),
                "sockets": lambda: sockets(bench, people, chosen.sockets, chosen.seconds),
                "reconnect": lambda: reconnect(bench, people),
            }
            for name, part in parts.items():
                if chosen.only in name:
                    results[name] = await part()
                    print(name, json.dumps(results[name]), file=sys.stderr, flush=True)
            if "pages" in results:
                worst = {what: one["p95_ms"] for what, one in results["pages"].items()}
                results["pages"]["worst_p95_ms"] = max(worst.values())
                results["pages"]["median_p95_ms"] = statistics.median(worst.values())
            print(json.dumps(results, indent=2))
        finally:
            server.stop("immediate")


if __name__ == "__main__":
    asyncio.run(main())
