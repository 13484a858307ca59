"""Running business functions for a turn: reads freely, writes once, fenced and recorded before they act."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from agent.turn import CallResult
from domain import telemetry
from domain.telemetry import Origin, Span
from domain.text import storable_json
from flows.attempts import attempt
from store import events
from store.database import Connection, Database, Row
from store.records import StoredRecords
from tools.declaration import BusinessFunction, ToolContext

Guard = Callable[[Connection], Awaitable[bool]]
"""Whether acting is still right, asked in the transaction that records the call: a turn's fence, or an approval."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf the functions run, and for which message."""

    tenant_id: UUID
    conversation_id: UUID
    contact_id: UUID
    addresses: tuple[str, ...]
    language: str
    timezone: ZoneInfo
    now: datetime
    trigger_message_id: int
    answered_before: int
    actor: str = "bot"
    """Whose call it is: the agent's, or ``user:ID`` of a person who runs it by hand."""


class Calls:
    """The CallFunction of one turn (agent.turn): holds no state but what the database knows."""

    def __init__(self, db: Database, caller: Caller, guard: Guard) -> None:
        self._db = db
        self._caller = caller
        self._guard = guard

    async def __call__(self, function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int) -> CallResult:
        """Run ``function`` once; see CallResult for the outcomes. Never raises for what the function does."""
        started = time.monotonic()
        with self._span(function) as span:
            if function.effect == "read":
                result = await self._attempt(function, arguments, self._key(function, ordinal), StoredRecords)
            else:
                result = await self._write(function, arguments, ordinal)
            span.set({"atende.tool.outcome": result.outcome})
            if result.outcome in {"failed", "unknown"}:
                span.failed(result.error_code or result.outcome)
            if telemetry.shows_content():
                span.set({"gen_ai.tool.call.arguments": telemetry.words(dict(arguments))})
                span.set({"gen_ai.tool.call.result": telemetry.words(result.result)})
        return CallResult(result.outcome, result.result, result.error_code, (time.monotonic() - started) * 1000)

    def _span(self, function: BusinessFunction) -> AbstractContextManager[Span]:
        if not telemetry.is_on():
            return telemetry.span("")
        caller = self._caller
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": function.name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.description": function.description,
            "gen_ai.conversation.id": str(caller.conversation_id),
            "atende.tool.effect": function.effect,
        }
        origins = [Origin(caller.tenant_id, caller.trigger_message_id)]
        return telemetry.span(f"execute_tool {function.name}", attributes=attributes, origins=origins)

    def _key(self, function: BusinessFunction, ordinal: int) -> str:
        parts = f"{self._caller.conversation_id}/{self._caller.trigger_message_id}/{function.name}/{ordinal}"
        return hashlib.sha256(parts.encode()).hexdigest()[:32]

    async def _write(self, function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int) -> CallResult:
        caller = self._caller
        async with self._db.transaction(caller.tenant_id) as tx:
            if not await self._guard(tx):
                return CallResult("refused")
            row = await _earlier_call(tx, caller, function, arguments, ordinal)
            if row is None:
                row = await tx.fetchrow(
                    """INSERT INTO function_call (tenant_id, conversation_id, trigger_message_id, function, ordinal,
                                                  arguments)
                       VALUES ($1, $2, $3, $4, $5, $6) RETURNING *""",
                    caller.tenant_id,
                    caller.conversation_id,
                    caller.trigger_message_id,
                    function.name,
                    ordinal,
                    storable_json(arguments),
                )
                is_new = True
            else:
                is_new = False
        if not is_new:
            if row["status"] != "started":
                return CallResult(row["status"], row["result"].get("value"), row["result"].get("error_code"))
            if not function.idempotent:
                return CallResult("unknown")  # an earlier run died in mid-call: it may have acted
        records: list[StoredRecords] = []

        def recorded(db: Database, tenant_id: UUID) -> StoredRecords:
            records.append(StoredRecords(db, tenant_id))
            return records[-1]

        result = await self._attempt(function, row["arguments"], f"call-{row['id']}", recorded)
        async with self._db.transaction(caller.tenant_id) as tx:
            settled = await tx.fetchval(
                "UPDATE function_call SET status = $2, result = $3, finished_at = now() "
                "WHERE id = $1 AND status = 'started' RETURNING id",
                row["id"],
                result.outcome,
                storable_json({"value": result.result, "error_code": result.error_code}),
            )
            if settled and result.outcome == "succeeded":
                for kept in records:
                    await kept.save(tx)
            await events.append(
                tx,
                caller.tenant_id,
                "function.called",
                conversation_id=caller.conversation_id,
                payload={"function": function.name, "call_id": str(row["id"]), "outcome": result.outcome},
                actor=caller.actor,
            )
        return result

    async def _attempt(
        self,
        function: BusinessFunction,
        arguments: Mapping[str, Any],
        idempotency_key: str,
        records: Callable[[Database, UUID], StoredRecords],
    ) -> CallResult:
        caller = self._caller
        context = ToolContext(
            tenant_id=str(caller.tenant_id),
            contact_id=str(caller.contact_id),
            contact_addresses=caller.addresses,
            language=caller.language,
            timezone=caller.timezone,
            now=caller.now,
            records=records(self._db, caller.tenant_id),
            idempotency_key=idempotency_key,
        )
        return await attempt(function, context, arguments)


async def _earlier_call(
    tx: Connection, caller: Caller, function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int
) -> Row | None:
    """The row of this very call from a run that crashed, or the same act done for a message that still waits.

    The latter happens when a newer message voided the turn after it had acted: the next turn answers both messages and
    must not act a second time.
    """
    return await tx.fetchrow(
        """SELECT * FROM function_call
            WHERE conversation_id = $1 AND function = $2
              AND ((trigger_message_id = $3 AND ordinal = $4)
                   OR (trigger_message_id > $5 AND trigger_message_id < $3 AND arguments = $6))
            ORDER BY trigger_message_id DESC LIMIT 1""",
        caller.conversation_id,
        function.name,
        caller.trigger_message_id,
        ordinal,
        caller.answered_before,
        storable_json(arguments),
    )
