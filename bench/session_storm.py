"""Many numbers of one session host close and open their connections at once, again and again, under traffic.

    python -m bench.session_storm [--numbers 20] [--rounds 50]

The library keeps its clients in maps without a lock: what it does to them at the same moment in two threads ends the
process, or would give one number's events to another. Prints JSON; ``aborts`` and ``mixed_up`` must be 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

if __name__ == "__main__" and not __package__:
    sys.exit("run it as: python -m bench.session_storm")

from bench.session_world import customer_phone, load, shop_phone
from tests.channels.whatsapp.test_session_host import Hosts
from tests.fakewa.harness import Child, ChildError, Customer, loopback
from tests.postgres import open_folder, running_server

PATIENCE = 600.0
QUIET_SECONDS = 10.0
"""How long nothing may come before what is missing counts as lost by the library."""


@dataclass
class Storm:
    """``sent``: message id → the number it was for."""

    host: Child
    customer: Customer
    sessions: list[str]
    dice: random.Random
    sent: dict[str, int] = field(default_factory=dict)
    got: dict[str, set[int]] = field(default_factory=dict)

    async def write(self) -> None:
        """The customer writes to one number after the other, and a number writes to the customer."""
        while True:
            n = self.dice.randrange(len(self.sessions))
            self.sent[await self.customer.send(shop_phone(n), f"para {n}")] = n
            session = self.dice.choice(self.sessions)
            self.host.tell("send", session=session, to=f"phone:{self.customer.phone}", text="oi")
            await asyncio.sleep(0.05)

    async def listen(self) -> None:
        while True:
            event = await self.host.expect("MessageReceived", seconds=PATIENCE)
            self.got.setdefault(event["provider_id"], set()).add(self.sessions.index(event["session"]))

    def missing(self) -> list[str]:
        return [id_ for id_ in self.sent if id_ not in self.got]


async def play(numbers: int, rounds: int, seed: int) -> dict[str, Any]:
    """Returns the report."""
    with running_server() as server, open_folder() as folder:
        async with loopback(folder) as world:
            hosts = Hosts(world, server.create_database("storm"))
            host = await hosts.start()
            sessions = [f"number-{n}" for n in range(numbers)]
            for n, session in enumerate(sessions):
                host.tell("want", session=session)
                shown = await host.expect("SessionChanged", seconds=60, status="awaiting_qr", session=session)
                await world.server.scan(shown["qr"], shop_phone(n), name="Loja")
                await host.expect("SessionChanged", seconds=60, status="connected", session=session)
            storm = Storm(host, await world.customer(customer_phone(0)), sessions, random.Random(seed))
            tasks = [asyncio.create_task(storm.listen()), asyncio.create_task(storm.write())]
            began = time.monotonic()
            host.tell("reopen", times=rounds)
            error = ""
            opened = 0
            try:
                opened = (await host.expect("reopened", seconds=PATIENCE))["opened"]
                took = time.monotonic() - began
                tasks[1].cancel()
                for n in range(numbers):  # each number still is who it was
                    storm.sent[await storm.customer.send(shop_phone(n), f"e agora, {n}?")] = n
                missing, end = storm.missing(), time.monotonic() + QUIET_SECONDS
                while missing and time.monotonic() < end:
                    await asyncio.sleep(0.2)
                    before, missing = missing, storm.missing()
                    if len(missing) < len(before):
                        end = time.monotonic() + QUIET_SECONDS
            except ChildError as died:
                took, error = time.monotonic() - began, str(died)[-2000:]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return {
                "numbers": numbers,
                "rounds": rounds,
                "seed": seed,
                "connections_opened": opened,
                "seconds": round(took, 1),
                "aborts": int(bool(error)),
                "error": error,
                "messages": len(storm.sent),
                "mixed_up": sum(found != {storm.sent[id_]} for id_, found in storm.got.items() if id_ in storm.sent),
                "answers_accepted": len(host.seen("sent")),
                "not_handed_over_by_the_library": len(storm.missing()),
                "two_log_ins_of_one_device": len(world.server.directory.replaced),
                **load(),
            }


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--numbers", type=int, default=20)
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    report = await play(chosen.numbers, chosen.rounds, chosen.seed)
    print(json.dumps(report, indent=2))
    return 1 if report["aborts"] or report["mixed_up"] or report["two_log_ins_of_one_device"] else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
