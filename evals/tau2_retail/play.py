"""Plays tasks: customer, scripted model and operator around the real worker, and what came of each task."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from procrastinate.jobs import Job

from evals.tau2_retail.customer import Request, requests
from evals.tau2_retail.faults import Died
from evals.tau2_retail.tasks import Action, Task, digest
from evals.tau2_retail.world import World
from flows import housekeeping
from store.database import Row

_MOST_TRIES: Final = 60
"""Times a customer writes the same again before the task counts as stuck."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task. ``problems`` is empty where everything is as the benchmark says."""

    task: str
    problems: tuple[str, ...]
    calls: int
    ways: Counter[str]
    """How writes came to run: at once, confirmed by the customer, approved by a person, or settled by hand."""
    tries: int
    """How often the customer had to ask, over all requests."""


@dataclass
class Game:
    """One task as it is being played."""

    world: World
    task: Task
    contact: str
    ways: Counter[str] = field(default_factory=Counter)
    tries: int = 0
    settled_by_hand: Counter[str] = field(default_factory=Counter)

    async def play(self) -> None:
        self.world.faults.begin(self.task.id)
        self.world.model.script = list(self.script())
        for request in requests(self.task):
            await self._ask(request)

    def script(self) -> list[dict[str, Any]]:
        """What the model answers to each request."""
        return [request.rule(self.world.faults.for_model()) for request in requests(self.task)]

    async def _ask(self, request: Request) -> None:
        """Write until it is served, as a customer would who is told that something went wrong."""
        for _ in range(_MOST_TRIES):
            self.tries += 1
            await self._write(request.text)
            if await self._served(request):
                return
        raise AssertionError(f"{request.text} was not served in {_MOST_TRIES} tries")

    async def _served(self, request: Request) -> bool:
        """Whatever the agent ends with is answered, until the request is done or must be written again."""
        while True:
            conversation, turn = await self._last()
            if approval := await self._pending(conversation["id"]):
                self.ways["approved by a person"] += 1
                await self.world.shop.desk.decide_call(self.world.shop.operator, approval, approved=True)
                await self._work()
            elif conversation["status"] == "waiting":
                done = await self._look_into_it(conversation["id"], request)
                await self.world.shop.desk.return_to_bot(self.world.shop.operator, conversation["id"])
                return done
            elif turn is not None and turn["dialogue"].get("confirm"):
                self.ways["confirmed by the customer"] += 1
                await self._write("yes")
            else:
                return True

    async def _look_into_it(self, conversation_id: UUID, request: Request) -> bool:
        """A person has the conversation: was what the customer wants done after all? Nothing is done by hand."""
        last = request.actions[-1]
        rows = await self.world.shop.fetch(
            "SELECT * FROM function_call WHERE conversation_id = $1 ORDER BY started_at DESC LIMIT 1", conversation_id
        )
        if not last.writes or not rows or rows[0]["function"] != last.name or rows[0]["arguments"] != last.arguments:
            return False
        if rows[0]["status"] in {"succeeded", "business_error"}:
            return True
        acted = self.world.faults.outside.knows(f"call-{rows[0]['id']}")
        if acted:
            self.ways["settled by hand"] += 1
            self.settled_by_hand[last.name] += 1
        return acted

    async def _write(self, text: str) -> None:
        """One message, and everything that follows from it."""
        shop, faults = self.world.shop, self.world.faults
        provider_id = f"{self.contact}-{self.tries}-{len(await shop.got(self.contact))}-{text[:3]}"
        await shop.write(self.contact, text, provider_id=provider_id)
        if faults.happens(faults.doubles, "message came twice"):
            await shop.write(self.contact, text, provider_id=provider_id)
        await self._work()

    async def _work(self) -> None:
        """Run jobs until none is left. A worker that died leaves its jobs to the next one."""
        backroom, faults = self.world.backroom, self.world.faults
        while True:
            job = await backroom.take_job()
            if job is None:
                if not await backroom.deliver() and not await self._a_minute_passes():
                    return
                continue
            try:
                if faults.happens(faults.doubles, "job ran twice at once"):
                    await self._twice(job)
                elif faults.happens(faults.doubles, "worker was taken for dead"):
                    await backroom.rescue()
                    await backroom.run_job(job)
                else:
                    await backroom.run_job(job)
            except Died:
                await backroom.rescue()
            await self._no_waiting()

    async def _twice(self, job: Job) -> None:
        """Two workers have the same job, one of them wrongly; either may die. The job is done when both are."""
        both = await asyncio.gather(
            self.world.backroom.run_job(job), self.world.backroom.run_job(job), return_exceptions=True
        )
        for ended in both:
            if isinstance(ended, Died):
                raise ended
        for ended in both:
            if isinstance(ended, BaseException):
                raise ended

    async def _a_minute_passes(self) -> int:
        """The last net: a message that waits without a job. A worker taken for dead ends the job it was taken for."""
        if not (self.world.faults.deaths or self.world.faults.doubles):
            return 0
        shop = self.world.shop
        async with shop.db.transaction(shop.tenant_id) as tx:
            await tx.execute("UPDATE conversation SET last_message_at = last_message_at - interval '2 minutes'")
            await tx.execute("UPDATE approval SET decided_at = decided_at - interval '2 minutes'")
        found = await housekeeping.enqueue_forgotten(shop.db)
        self.world.faults.seen["found by the last net"] += found
        return found

    async def _no_waiting(self) -> None:
        """Turns that failed try again after seconds; here at once."""
        await self.world.backroom.queue.connector.execute_query_async(
            "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND scheduled_at > now()"
        )

    async def _last(self) -> tuple[Row, Row | None]:
        (conversation,) = await self.world.shop.fetch(
            "SELECT c.id, c.status FROM conversation c JOIN contact_address a ON a.contact_id = c.contact_id "
            "WHERE a.value = $1",
            self.contact,
        )
        turns = await self.world.shop.fetch(
            "SELECT dialogue FROM turn WHERE conversation_id = $1 AND status = 'decided' ORDER BY fence DESC LIMIT 1",
            conversation["id"],
        )
        return conversation, turns[0] if turns else None

    async def _pending(self, conversation_id: UUID) -> UUID | None:
        rows = await self.world.shop.fetch(
            "SELECT id FROM approval WHERE conversation_id = $1 AND status = 'pending'", conversation_id
        )
        return rows[0]["id"] if rows else None

    # What came of it --------------------------------------------------------------------------------------------

    async def problems(self) -> list[str]:
        """Everything that is not as the benchmark says."""
        data = await self.world.data()
        found = [] if digest(data) == self.task.final_digest else ["the final database is another one"]
        found += await self._wrong_calls()
        found += await self._acts_not_once()
        await self.world.reset(data)
        return found

    async def _traced(self) -> list[dict[str, Any]]:
        """What the traces of this conversation's turns tell of calls, in order."""
        rows = await self.world.shop.fetch(
            "SELECT t.trace FROM turn t JOIN conversation c ON c.id = t.conversation_id "
            "JOIN contact_address a ON a.contact_id = c.contact_id WHERE a.value = $1 ORDER BY t.created_at, t.fence",
            self.contact,
        )
        calls = [call for row in rows for call in row["trace"]["tool_calls"]]
        return [call for call in calls if call["outcome"] in {"succeeded", "business_error"}]

    async def _wrong_calls(self) -> list[str]:
        """Where nothing goes wrong the calls are the benchmark's, in order, with its results; else among others."""
        calls, actions = await self._traced(), list(self.task.actions)
        if not any((self.world.faults.deaths, self.world.faults.failures)):
            if [call["function"] for call in calls] != [action.name for action in actions]:
                return [f"called {[call['function'] for call in calls]}"]
            return [f"{a.name}: another result" for c, a in zip(calls, actions, strict=True) if not _same(c, a)]
        # A call whose turn was overtaken stands in its own record alone.
        calls += await self._recorded()
        missing = []
        by_hand = self.settled_by_hand.copy()
        for action in actions:
            if any(_same(call, action) for call in calls):
                continue
            if by_hand[action.name]:
                by_hand[action.name] -= 1
            else:
                missing.append(f"{action.name}: no call with this result")
        return missing

    async def _recorded(self) -> list[dict[str, Any]]:
        """Calls of functions that write, as recorded, in the same form."""
        rows = await self.world.shop.fetch(
            "SELECT f.* FROM function_call f JOIN conversation c ON c.id = f.conversation_id "
            "JOIN contact_address a ON a.contact_id = c.contact_id WHERE a.value = $1",
            self.contact,
        )
        return [
            {
                "function": row["function"],
                "arguments": row["arguments"],
                "outcome": row["status"],
                "result": (row["result"] or {}).get("value"),
            }
            for row in rows
        ]

    async def _acts_not_once(self) -> list[str]:
        wanted = Counter(action.name for action in self.task.actions if action.changes)
        if self.world.faults.outside.is_used:
            did = self.world.faults.outside.acts
        else:
            did = Counter(call["function"] for call in await self._recorded() if call["outcome"] == "succeeded")
        return [] if did == wanted else [f"acted {dict(did)} instead of {dict(wanted)}"]


async def play(world: World, task: Task) -> Outcome:
    """One task from the initial data to its end; the data are put back afterwards."""
    return await finish(Game(world, task, f"customer-{task.id}"))


async def finish(game: Game) -> Outcome:
    """Play it to its end."""
    world, task = game.world, game.task
    try:
        await game.play()
        problems = await game.problems()
    except AssertionError as stuck:
        problems = [str(stuck)]
        await world.reset(await world.data())
    return Outcome(task.id, tuple(problems), len(task.actions), game.ways, game.tries)


def _same(call: dict[str, Any], action: Action) -> bool:
    """The same function, arguments and answer; an argument that is empty may be left out."""
    arguments = {name: value for name, value in action.arguments.items() if value != ""}
    if (call["function"], call["arguments"]) != (action.name, arguments):
        return False
    if action.refused:
        return bool(call["outcome"] == "business_error" and call["result"].get("message") == action.result)
    return bool(call["outcome"] == "succeeded" and call["result"] == action.result)
