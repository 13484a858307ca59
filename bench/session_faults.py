"""Customers write to numbers on WhatsApp while session hosts are killed, aborted and frozen, connections cut and muted,
and the database restarted. At the end every message must be stored once and answered once. Prints JSON.

    python -m bench.session_faults --seed 7 --minutes 3 [--numbers 20] [--hosts 3] [--customers 4] [--rate 3]
                                   [--outage-seconds 600]

With ``--outage-seconds`` the database is away for so long in the middle. Customers go on writing, and every now and
then a host is killed, aborted or frozen: its successor finds no database, either.

The seed chooses the faults, their times, what happens to which stanza, and who writes to whom. What the clients make of
it differs from run to run: they are real, and the library chooses its keys by chance.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

if __name__ == "__main__" and not __package__:
    sys.exit("run it as: python -m bench.session_faults")

from bench.session_world import ANSWER, QUESTION, World, eventually, load, running_world
from tests.fakewa.faults import Faults, Rates
from tests.fakewa.harness import ChildError, Customer

FAULTS = ("kill", "abort", "freeze", "cut", "cut", "mute", "515", "503", "database")
STANZAS = Rates(delay=0.05, duplicate=0.05, reorder=0.05, drop=0.01, longest_delay=1.0)
SETTLED_SECONDS = 150.0
FAILOVER_SECONDS = 15.0
QUICK = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@dataclass
class Writer:
    """One customer. It writes to its numbers in turn, and notes what it gets."""

    customer: Customer
    sent: dict[str, int] = field(default_factory=dict)
    """Message id → number."""
    unsure: int = 0
    """Sends that its own client gave up: whether they left is not known, so nothing is asked of them."""
    got: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    async def listen(self) -> None:
        while True:
            event = await self.customer.expect("message", seconds=86_400)
            self.got[event["id"]] += 1
            self.texts[event["text"]] += 1

    async def write(self, number: int, phone: str) -> None:
        try:
            self.sent[await self.customer.send(phone, QUESTION)] = number
        except ChildError:
            self.unsure += 1


@dataclass
class Campaign:
    """What is done, and what came of it."""

    world: World
    dice: random.Random
    pause: float
    kinds: Sequence[str] = FAULTS
    faults: Counter[str] = field(default_factory=Counter)
    failovers: list[float] = field(default_factory=list)
    """Seconds from the end of a host (or of its life) until every number that was connected before is so again."""
    outages: list[float] = field(default_factory=list)
    outage: float = 0.0
    """Seconds of the long one in the middle; 0: none."""
    long_outage: dict[str, float] = field(default_factory=dict)
    log: list[tuple[float, str]] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Every kind once before any comes again, for so long; but one round at least. The long outage comes in the
        middle, and takes none of that time."""
        began = time.monotonic()
        await self._stage_kinds(began, seconds / 2 if self.outage else seconds)
        if self.outage:
            self.log.append((round(time.monotonic() - began, 1), "outage"))
            await self._stage_outage()
            if seconds:
                await self._stage_kinds(began, seconds / 2)

    async def _stage_kinds(self, campaign: float, seconds: float) -> None:
        started = time.monotonic()
        waiting = self.dice.sample(self.kinds, len(self.kinds))
        while waiting or time.monotonic() - started < seconds:
            waiting = waiting or self.dice.sample(self.kinds, len(self.kinds))
            await asyncio.sleep(self.pause * self.dice.uniform(0.5, 1.5))
            fault = waiting.pop()
            self.log.append((round(time.monotonic() - campaign, 1), fault))
            self.faults[fault] += 1
            await self._stage(fault)

    async def _stage(self, fault: str) -> None:
        world = self.world
        if fault == "database":
            began = time.monotonic()
            await asyncio.to_thread(world.server.stop, self.dice.choice(("fast", "immediate")))
            await asyncio.sleep(self.dice.uniform(0.0, 3.0))
            await asyncio.to_thread(world.server.start)
            self.outages.append(round(time.monotonic() - began, 1))
        elif fault in ("kill", "abort", "freeze"):
            await self._end_a_host({"kill": signal.SIGKILL, "abort": signal.SIGABRT, "freeze": signal.SIGSTOP}[fault])
        else:
            device = self.dice.choice(world.devices)
            if device.connection is not None:
                await device.faults.end(device, fault)  # type: ignore[arg-type]  # the rest of FAULTS

    async def _stage_outage(self) -> None:
        """Nobody can store anything. A third of the time all hosts stay up, then one after the other is ended."""
        world = self.world
        began = time.monotonic()
        await asyncio.to_thread(world.server.stop, self.dice.choice(("fast", "immediate")))
        await asyncio.sleep(self.outage / 3)
        self.long_outage["numbers_online_in_it"] = sum(world.is_online(device) for device in world.devices)
        ended = 0
        while (left := self.outage - (time.monotonic() - began)) > 0:
            victim = self.dice.choice(world.hosts)
            if victim.pid is not None and left > self.outage / 10:
                ended += 1
                os.kill(victim.pid, self.dice.choice((signal.SIGKILL, signal.SIGABRT, signal.SIGSTOP)))
            os.utime(world.folder)  # whoever sweeps up after dead test runs takes a stopped server for abandoned
            await asyncio.sleep(min(left, self.outage / 6 * self.dice.uniform(0.5, 1.5)))
        await asyncio.to_thread(world.server.start)
        back = time.monotonic()
        await world.all_online()
        self.long_outage |= {
            "seconds": round(back - began, 1),
            "hosts_ended_in_it": ended,
            "seconds_until_all_online_again": round(time.monotonic() - back, 1),
        }

    async def _end_a_host(self, how: signal.Signals) -> None:
        victim = self.dice.choice(self.world.hosts)
        if victim.pid is None:
            return
        # A number whose server fell silent a moment before is not the host's matter: finding that takes its own time.
        online = [device for device in self.world.devices if self.world.is_online(device)]
        began = time.monotonic()
        os.kill(victim.pid, how)
        if how is signal.SIGSTOP:  # its connections stay open until its supervisor ends it
            pid = victim.pid
            await eventually(lambda: _true(victim.pid != pid), "the end of a frozen host", 60)
        await asyncio.sleep(0.2)
        await self.world.all_online(devices=online)
        self.failovers.append(round(time.monotonic() - began, 1))


async def _true(value: bool) -> bool:
    return value


@dataclass(frozen=True)
class Size:
    numbers: int = 20
    hosts: int = 3
    customers: int = 4
    rate: float = 3.0
    """Messages a second, of all customers together."""
    outage: float = 0.0
    """Seconds for which the database is away in the middle."""


async def play(seed: int, seconds: float, size: Size, kinds: Sequence[str] = FAULTS) -> dict[str, Any]:
    """One campaign; returns its report, whose ``faults_found`` is empty when all is well."""
    numbers, hosts, customers, rate = size.numbers, size.hosts, size.customers, size.rate
    async with running_world(hosts=hosts, settings=QUICK) as world:
        await world.add_numbers(numbers)
        await world.all_online()
        writers = [Writer(await world.customer(n)) for n in range(customers)]
        listening = [asyncio.create_task(writer.listen()) for writer in writers]
        faults = Faults(seed, STANZAS)
        for device in world.devices:
            device.faults = faults
        campaign = Campaign(world, random.Random(seed), max(1.0, min(6.0, seconds / 8)), kinds, outage=size.outage)
        running = asyncio.create_task(campaign.run(seconds))
        writing = [
            asyncio.create_task(_write(writer, world, seed + n, rate / customers)) for n, writer in enumerate(writers)
        ]
        try:
            await running
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
        faults.rates = Rates()
        settled = await _settled(world, writers)
        for task in listening:
            task.cancel()
        report = await _report(world, writers, campaign)
        return {
            "seed": seed,
            "seconds": seconds,
            "numbers": numbers,
            "hosts": hosts,
            "settled": settled,
            **report,
            **load(),
        }


async def _write(writer: Writer, world: World, seed: int, rate: float) -> None:
    """About ``rate`` messages a second. One conversation is written to again only after a while, as people do."""
    dice = random.Random(seed)
    order = list(range(len(world.numbers)))
    while True:
        dice.shuffle(order)
        for number in order:
            await asyncio.sleep(dice.expovariate(rate))
            await asyncio.shield(writer.write(number, world.devices[number].jid.user))


_UNANSWERED = """SELECT count(*) AS n FROM conversation
    WHERE status = 'bot' AND (last_inbound_id > answered_upto_id
          OR id IN (SELECT conversation_id FROM outbox_message WHERE state IN ('queued', 'sending')))"""


async def _settled(world: World, writers: list[Writer]) -> bool:
    """Wait until all is stored and answered that will be."""
    end = time.monotonic() + SETTLED_SECONDS
    quiet = 0
    while time.monotonic() < end:
        rows = await world.sql("SELECT provider_id FROM message WHERE author = 'contact'")
        stored = {row["provider_id"] for row in rows}
        waiting = (await world.sql(_UNANSWERED))[0]["n"]
        missing = [id_ for writer in writers for id_ in writer.sent if id_ not in stored]
        unacknowledged = sum(
            node.tag == "message" for device in world.devices for node in device.unacknowledged.values()
        )
        quiet = quiet + 1 if not waiting and not unacknowledged else 0
        if quiet >= (3 if not missing else 60):  # a lost message is reported after a while of doubt
            return True
        await asyncio.sleep(0.5)
    return False


async def _report(world: World, writers: list[Writer], campaign: Campaign) -> dict[str, Any]:
    sent = {id_: number for writer in writers for id_, number in writer.sent.items()}
    rows = await world.sql(
        "SELECT id, provider_id, conversation_id, content ->> 'late' AS late FROM message WHERE author = 'contact'"
    )
    stored = Counter(row["provider_id"] for row in rows)
    acknowledged = {key[1] for device in world.devices for key in device.acknowledged if key[0] == "message"}
    lost = sorted(id_ for id_ in sent if id_ not in stored and id_ in acknowledged)
    told = {
        row["id"]
        for row in await world.sql("SELECT payload ->> 'provider_id' AS id FROM event WHERE kind = 'message.lost'")
    }
    answers = await world.sql(
        """SELECT m.provider_id, count(o.id) AS replies, count(o.id) FILTER (WHERE o.state = 'unknown') AS unknown
             FROM message m
             LEFT JOIN turn t ON t.conversation_id = m.conversation_id AND t.status = 'decided'
                  AND t.upto_message_id >= m.id
                  AND NOT EXISTS (SELECT 1 FROM turn e WHERE e.conversation_id = t.conversation_id
                                     AND e.status = 'decided' AND e.upto_message_id >= m.id AND e.id < t.id)
             LEFT JOIN message r ON r.turn_id = t.id AND r.author = 'bot'
             LEFT JOIN outbox_message o ON o.message_id = r.id AND o.state IN ('sent', 'unknown')
            WHERE m.author = 'contact' GROUP BY m.id, m.provider_id"""
    )
    replies = {row["provider_id"]: (row["replies"], row["unknown"]) for row in answers if row["provider_id"] in sent}
    states = Counter(
        {
            row["state"]: row["n"]
            for row in await world.sql("SELECT state, count(*) AS n FROM outbox_message GROUP BY 1")
        }
    )
    outbox = await world.sql("SELECT provider_id FROM outbox_message WHERE state = 'sent' AND provider_id IS NOT NULL")
    got = Counter[str]()
    for writer in writers:
        got.update(writer.got)
    not_seen = [row["provider_id"] for row in outbox if row["provider_id"] not in got]
    statuses = await world.sql("SELECT DISTINCT status FROM conversation")
    slow = [seconds for seconds in campaign.failovers if seconds > FAILOVER_SECONDS]
    counts = {
        "sent": len(sent),
        "unsure_sends_of_customers": sum(writer.unsure for writer in writers),
        "acknowledged_by_our_devices": len(acknowledged & set(sent)),
        "stored": len([id_ for id_ in sent if id_ in stored]),
        "stored_twice": [id_ for id_, times in stored.items() if times > 1],
        "stored_late": sum(row["late"] == "true" for row in rows),
        "lost_by_the_library": lost,
        "lost_and_reported": sorted(set(lost) & told),
        "reported_and_not_lost": {id_: "stored" if id_ in stored else "not a customer's" for id_ in told - set(lost)},
        "missing_and_not_acknowledged": sorted(id_ for id_ in sent if id_ not in stored and id_ not in acknowledged),
        "answered_once": sum(times == 1 for times, _ in replies.values()),
        "answered_twice": sorted(id_ for id_, (times, _) in replies.items() if times > 1),
        "unanswered": sorted(id_ for id_, (times, _) in replies.items() if times == 0),
        "answers_unknown_and_shown": sum(unknown for _, unknown in replies.values()),
        "outbox": dict(states),
        "answers_customers_got": sum(got.values()),
        "answers_customers_got_twice": [id_ for id_, times in got.items() if times > 1],
        "answers_sent_that_no_customer_saw": len(not_seen),
        "answers_of_another_text": {t: n for writer in writers for t, n in writer.texts.items() if t != ANSWER},
        "conversation_statuses": sorted(row["status"] for row in statuses),
        "two_log_ins_of_one_device": len(
            [jid for jid in world.whatsapp.server.directory.replaced if jid.user in {d.jid.user for d in world.devices}]
        ),
        "faults_staged": dict(campaign.faults),
        "faults_of_stanzas": dict(Counter(kind for kind, _, _ in world.devices[0].faults.done)),
        "failover_seconds": campaign.failovers,
        "database_away_seconds": campaign.outages,
        "long_outage": campaign.long_outage,
        "schedule": campaign.log,
    }
    wrong = [
        name
        for name in (
            "stored_twice",
            "missing_and_not_acknowledged",
            "answered_twice",
            "unanswered",
            "two_log_ins_of_one_device",
            "answers_customers_got_twice",
        )
        if counts[name]
    ]
    if set(lost) - told:
        wrong.append("lost and not reported")
    if slow:
        wrong.append("slow failover")
    return {**counts, "faults_found": wrong}


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--minutes", type=float, default=3.0)
    arguments.add_argument("--numbers", type=int, default=20)
    arguments.add_argument("--hosts", type=int, default=3)
    arguments.add_argument("--customers", type=int, default=4)
    arguments.add_argument("--rate", type=float, default=3.0, help="messages a second, of all customers together")
    arguments.add_argument("--outage-seconds", type=float, default=0.0, help="so long the database is away")
    chosen = arguments.parse_args()
    size = Size(chosen.numbers, chosen.hosts, chosen.customers, chosen.rate, chosen.outage_seconds)
    report = await play(chosen.seed, chosen.minutes * 60, size)
    print(json.dumps(report, indent=2))
    return 1 if report["faults_found"] else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
