"""What people want done at once to the numbers of a session host: carried out by the host, told to who waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from domain.errors import AtendeError, ConflictError, InvalidInputError
from flows.session_removal import remove_session
from store import events, session_requests
from store.database import Database, Row
from store.media import MediaStore
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

_READY_SECONDS = 20.0
_LOOK_SECONDS = 0.1


class Connections(Protocol):
    """The connections that a session host holds."""

    async def restart(self, session_id: str) -> bool: ...

    async def let_go(self, session_id: str) -> None: ...

    async def unlink(self, session_id: str) -> bool: ...

    async def forget_keys(self, account: str) -> None:
        """Delete what is left of a device's keys."""
        ...

    async def pairing_code(self, session_id: str, phone: str) -> str: ...

    def is_ready(self, session_id: str) -> bool: ...

    def shows_code(self, session_id: str) -> bool: ...

    def has_ended(self, session_id: str) -> bool: ...


class SessionRequests:
    """Carries out what waits for the numbers that ``host`` holds; call ``run_due`` every moment."""

    def __init__(self, db: Database, wakeup: Wakeup, media: MediaStore, connections: Connections, host: str) -> None:
        self._db, self._wakeup, self._media = db, wakeup, media
        self._connections, self._host = connections, host
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def run_due(self) -> int:
        """Start what is asked for; returns how much was new. One thing at a time for each number."""
        due = await self._db.gate("session_requests", self._host)
        fresh = [row for row in due if row["channel_session_id"] not in self._tasks]
        for row in fresh:
            session_id: UUID = row["channel_session_id"]
            if session_id in self._tasks:
                continue
            self._tasks[session_id] = task = asyncio.create_task(self._carry_out(row), name=f"request {row['kind']}")
            task.add_done_callback(lambda _, done=session_id: self._tasks.pop(done, None))  # type: ignore[misc]
        return len(fresh)

    async def close(self) -> None:
        """Leave what is under way to the next host."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, row: Row) -> None:
        session_id = str(row["channel_session_id"])
        try:
            match row["kind"]:
                case "restart":
                    result = await self._restart(session_id)
                case "stop":
                    result = await self._stop(row["tenant_id"], session_id)
                case "pair_code":
                    result = await self._pair_code(session_id, str(row["argument"].get("phone", "")))
                case "logout":
                    result = await self._log_out(row, session_id)
                case "delete":
                    await self._delete(row, session_id)
                    return  # the request went with its number
                case other:
                    result = {"error": f"this version cannot {other}"}
        except AtendeError as error:
            await self._settle(row, _told(error), failed=True)
        except Exception:
            log.exception("the request %s for %s failed", row["kind"], session_id)
            await self._settle(row, {"error": "It did not work; the session host's log says why."}, failed=True)
        else:
            await self._settle(row, result, failed="error" in result)

    async def _restart(self, session_id: str) -> dict[str, Any]:
        if not await self._connections.restart(session_id):
            raise ConflictError("The number is not run here any more.", hint="Try again.")
        return {}

    async def _stop(self, tenant_id: UUID, session_id: str) -> dict[str, Any]:
        await self._connections.let_go(session_id)
        async with self._db.transaction(tenant_id) as tx:
            await tx.execute(
                "UPDATE channel_session SET lease_owner = NULL, lease_until = NULL "
                "WHERE id = $1 AND lease_owner = $2 AND NOT wanted",
                UUID(session_id),
                self._host,
            )
        return {}

    async def _pair_code(self, session_id: str, phone: str) -> dict[str, Any]:
        await self._until(lambda: self._connections.shows_code(session_id), session_id)
        return {"code": await self._connections.pairing_code(session_id, phone)}

    async def _unlink(self, row: Row, session_id: str) -> bool:
        """End the pairing, told to WhatsApp if it can be reached; keys are gone in any case."""
        async with self._db.transaction(row["tenant_id"]) as tx:
            account = await tx.fetchval("SELECT account FROM channel_session WHERE id = $1", UUID(session_id))
        if account is not None:
            await self._until(lambda: self._connections.is_ready(session_id), session_id)
        told = await self._connections.unlink(session_id)
        if account is not None:
            await self._connections.forget_keys(account)
        async with self._db.transaction(row["tenant_id"]) as tx:
            await tx.execute(
                """UPDATE channel_session
                      SET wanted = false, account = NULL, ended_at = NULL, qr = NULL, qr_expires_at = NULL,
                          status = 'disconnected', status_detail = '', status_at = now()
                    WHERE id = $1""",
                UUID(session_id),
            )
            payload = {
                "channel_session_id": session_id,
                "request_id": str(row["id"]),
                "account": account,
                "told": told,
                "host": self._host,
            }
            await events.append(tx, row["tenant_id"], "session.logged_out", payload=payload, actor=row["actor"])
        return told

    async def _log_out(self, row: Row, session_id: str) -> dict[str, Any]:
        return {"told": await self._unlink(row, session_id)}

    async def _delete(self, row: Row, session_id: str) -> None:
        await self._unlink(row, session_id)
        await remove_session(self._db, self._media, row["tenant_id"], UUID(session_id), actor=row["actor"])
        self._wakeup.signal(EVENTS)

    async def _until(self, holds: Any, session_id: str) -> None:
        """Wait until it holds, the number gave up, or time is over."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _READY_SECONDS
        while not holds() and loop.time() < give_up and not self._connections.has_ended(session_id):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    async def _settle(self, row: Row, result: Mapping[str, Any], *, failed: bool) -> None:
        async with self._db.transaction(row["tenant_id"]) as tx:
            await session_requests.settle(tx, row["id"], result, failed=failed)
            kept = {key: value for key, value in result.items() if key != "code"}
            payload = {"channel_session_id": str(row["channel_session_id"]), "wish": row["kind"], **kept}
            kind = "session.refused" if failed else "session.carried_out"
            await events.append(tx, row["tenant_id"], kind, payload=payload, actor=row["actor"])
        self._wakeup.signal(EVENTS)


def _told(error: AtendeError) -> dict[str, Any]:
    if isinstance(error, InvalidInputError):
        return {"error": error.problem, "hint": error.hint, "field": error.field}
    return {"error": str(error), "hint": error.hint}
