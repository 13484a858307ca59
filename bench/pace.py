"""What a number's limits cost a send: the same messages claimed without limits and through the bucket, one by one.

    python bench/pace.py [--messages 1000] [--rounds 3]

Prints latency (p50, p99, milliseconds) and CPU (of this process and of PostgreSQL, milliseconds a message) of the claim
in its own transaction, with ten messages waiting for the number at a time. The bucket never runs dry here: who waits
costs nothing but a look when its time has come.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
from tests.database import SECRET, Number, make_number, migrated_template, new_database
from tests.postgres import running_server

from domain.sending_pace import Bucket, NewContactTerms, SendingPace
from flows import pace
from flows.pace import Limits
from store.database import Database

AT_A_TIME = 10
LIMITS = {
    "no limits": Limits(),
    "bucket": Limits(SendingPace(Bucket(1_000_000, 10_000))),
    "bucket and first contacts": Limits(SendingPace(Bucket(1_000_000, 10_000), NewContactTerms(250))),
}


async def queue(db: Database, tenant_id: UUID, session_id: UUID, count: int) -> list[UUID]:
    """So many conversations with customers who wrote, each with a message to send."""
    async with db.transaction(tenant_id) as tx:
        rows = await tx.fetch(
            """WITH p AS (INSERT INTO contact (tenant_id) SELECT $1 FROM generate_series(1, $3) RETURNING id),
                    c AS (INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, last_inbound_id)
                          SELECT $1, $2, id, 'phone:1', 1 FROM p RETURNING id, contact_id),
                    m AS (INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text,
                                               sent_at)
                          SELECT $1, id, $2, contact_id, 'operator', 'oi', now() FROM c RETURNING id, conversation_id)
               INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, origin)
               SELECT $1, conversation_id, $2, id, 'operator' FROM m RETURNING id""",
            tenant_id,
            session_id,
            count,
        )
    return [row["id"] for row in rows]


def cpu(servers: list[psutil.Process]) -> tuple[float, float]:
    """Seconds used so far by this process and by PostgreSQL's."""
    theirs = sum(sum(process.cpu_times()[:2]) for process in servers if process.is_running())
    return time.process_time(), theirs


async def measure(db: Database, number: Number, count: int, limits: Limits, server: psutil.Process) -> str:
    """Claim so many; a line of figures."""
    took = []
    ours = theirs = 0.0
    for _ in range(count // AT_A_TIME):
        rows = await queue(db, number.tenant_id, number.session_id, AT_A_TIME)
        backends = server.children(recursive=True)
        before = cpu(backends)
        for row in rows:
            started = time.perf_counter()
            async with db.transaction(number.tenant_id) as tx:
                claimed = await pace.claim(tx, row, limits, lease=timedelta(minutes=1))
            took.append((time.perf_counter() - started) * 1000)
            if claimed.row is None:
                raise RuntimeError("a row that was due was not claimed")
        after = cpu(backends)
        ours, theirs = ours + after[0] - before[0], theirs + after[1] - before[1]
        async with db.transaction(number.tenant_id) as tx:
            await tx.execute("UPDATE outbox_message SET state = 'sent' WHERE state = 'sending'")
    each = 1000 / len(took)
    figures = f"CPU python {ours * each:.2f} + postgres {theirs * each:.2f}"
    return f"p50 {median(took):.2f}  p99 {quantiles(took, n=100)[98]:.2f}  {figures}"


async def run(owner_dsn: str, server: psutil.Process, *, messages: int, rounds: int) -> None:
    db = await Database.open(owner_dsn, SECRET, max_connections=1)
    number = await make_number(owner_dsn, "bench", provider="webhook")
    for n in range(rounds):
        for name, limits in LIMITS.items():
            print(f"{name:26} {await measure(db, number, messages, limits, server)}{'  (warm-up)' * (not n)}")
    await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with running_server() as server:
        migrated_template(server)
        with new_database(server) as dsn:
            asyncio.run(run(dsn, psutil.Process(server.pid), messages=given.messages, rounds=given.rounds))


if __name__ == "__main__":
    main()
