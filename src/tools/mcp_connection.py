"""Connections to MCP servers, with the official client. Each lives in a task of its own and is made anew when it died.

The client library takes over a second to load and is needed by few: it is loaded, in a thread, with the first
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from domain.errors import AtendeError, InvalidInputError
from tools.declaration import CallFailedError, NoEffectError
from tools.http_call import HostNotAllowedError
from tools.http_request import SecretMissingError
from tools.mcp_declaration import McpServer, digest_of
from tools.public_web import PrivateAddressError, check_url

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult, RequestParamsMeta, Tool

log = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 30.0
_LISTING_FRESH_SECONDS: Final = 30.0
_MOST_PAGES: Final = 50
_MOST_TOOLS: Final = 500
_ENVELOPE_BYTES: Final = 1024 * 1024
"""An answer may be this much larger on the wire than the result in it: lists of tools, texts beside structured data."""
IDEMPOTENCY_META: Final = "atende/idempotencyKey"


class ServerNotReachedError(NoEffectError):
    """No connection to the MCP server could be made, so nothing was asked of it."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(
            f"The MCP server {place} cannot be reached ({why}).", hint="Check that it runs, and its address."
        )
        self.place = place


class CommandNotAllowedError(NoEffectError):
    """A server that is started by a command, which the installation's owner has not allowed."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"The command {command} may not be started.",
            hint="The installation's owner names it in ATENDE_MCP_COMMANDS.",
        )
        self.command = command


class ConnectionLostError(CallFailedError):
    """The server went away while it was asked; it may have acted."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__("connection_lost", f"The MCP server {place} broke off ({why}).")


@dataclass(frozen=True, slots=True)
class McpAccess:
    """What a tenant's servers may use: its secrets by name, and the private hosts they may stand on."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_hosts: frozenset[str] = frozenset()
    tenant: str = ""
    """Whose connection it is: no two tenants ever share one."""


class McpConnections:
    """The connections of one process. ``commands``: executables that may be started as servers."""

    def __init__(self, commands: Sequence[str] = ()) -> None:
        self._commands = frozenset(commands)
        self._open: dict[str, _Connection] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    async def get(self, server: McpServer, access: McpAccess) -> _Connection:
        """The live connection to this server, made now if there is none. Raises NoEffectError."""
        key = _key(server, access)
        async with self._opening.setdefault(key, asyncio.Lock()):
            found = self._open.get(key)
            if found is not None and found.is_alive:
                return found
            made = _Connection(server, access, self._commands)
            await made.open()
            self._open[key] = made
            return made

    async def drop(self, connection: _Connection) -> None:
        """It failed: the next call makes another one."""
        for key, kept in list(self._open.items()):
            if kept is connection:
                del self._open[key]
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all of them; servers that were started by us end."""
        while self._open:
            await self._open.popitem()[1].aclose()


class _Connection:
    """One session with a server."""

    def __init__(self, server: McpServer, access: McpAccess, commands: frozenset[str]) -> None:
        self.server = server
        self._access = access
        self._commands = commands
        self._client: Client | None = None
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._digests: dict[str, str] = {}
        self._listed_at = -_LISTING_FRESH_SECONDS

    @property
    def is_alive(self) -> bool:
        return self._task is not None and not self._task.done() and self._client is not None

    @property
    def knows_tools(self) -> bool:
        """Whether what it knows of the server's tools is fresh."""
        return time.monotonic() - self._listed_at < _LISTING_FRESH_SECONDS

    async def open(self) -> None:
        """Connect. Raises ServerNotReachedError, CommandNotAllowedError, SecretMissingError."""
        server = self.server
        if server.command and server.command[0] not in self._commands:
            raise CommandNotAllowedError(server.command[0])
        if server.url:
            try:
                check_url(server.url, self._access.allowed_hosts)
            except PrivateAddressError as error:
                raise HostNotAllowedError(error.host) from None
            except InvalidInputError as error:
                raise ServerNotReachedError(server.place, f"its address {error.problem}") from None
        for name in server.secrets.values():
            if name not in self._access.secrets:
                raise SecretMissingError(name)
        await asyncio.to_thread(importlib.import_module, "mcp")
        await asyncio.to_thread(importlib.import_module, "tools.mcp_http")
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(ready), name=f"mcp {server.place}")
        try:
            async with asyncio.timeout(min(_CONNECT_SECONDS, server.timeout_seconds)):
                await asyncio.shield(ready)
        except TimeoutError:
            await self.aclose()
            raise ServerNotReachedError(server.place, "it did not answer in time") from None
        except AtendeError:
            raise
        except Exception as error:
            raise ServerNotReachedError(server.place, _why(error)) from None

    async def _live(self, ready: asyncio.Future[None]) -> None:
        """Enter and leave the client in one task, as it demands."""
        from mcp import Client  # noqa: PLC0415

        try:
            async with contextlib.AsyncExitStack() as stack:
                transport = await self._transport(stack)
                client = await stack.enter_async_context(Client(transport, message_handler=self._heard, cache=None))
                self._client = client
                ready.set_result(None)
                await self._ending.wait()
        except asyncio.CancelledError:
            if not ready.done():
                ready.cancel()
            raise
        except BaseException as error:  # the library's task groups raise groups of whatever was raised in them
            if not ready.done():
                ready.set_exception(error if isinstance(error, Exception) else ConnectionError(_why(error)))
            else:
                log.info("the connection to MCP server %s ended: %s", self.server.place, _why(error))
        finally:
            self._client = None

    async def _transport(self, stack: contextlib.AsyncExitStack) -> Any:
        secrets = {where: self._access.secrets[name] for where, name in self.server.secrets.items()}
        if self.server.command:
            from mcp import StdioServerParameters  # noqa: PLC0415
            from mcp.client.stdio import stdio_client  # noqa: PLC0415

            # Only what a program needs to run and what was declared: our own environment holds our secrets.
            program, *rest = self.server.command
            silent = stack.enter_context(os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
            return stdio_client(StdioServerParameters(command=program, args=rest, env=secrets or None), errlog=silent)
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        from tools.mcp_http import guarded_client  # noqa: PLC0415

        headers = {name: value for name, value in secrets.items() if name != "bearer"}
        if "bearer" in secrets:
            headers["Authorization"] = f"Bearer {secrets['bearer']}"
        limit = self.server.most_bytes + _ENVELOPE_BYTES
        client = guarded_client(headers, self._access.allowed_hosts, most_bytes=limit)
        await stack.enter_async_context(client)
        return streamable_http_client(self.server.url, http_client=client, max_sse_event_size=limit)

    async def _heard(self, message: Any) -> None:
        """The server says that its tools changed: what is known of them is stale."""
        if type(message).__name__ == "ToolListChangedNotification":
            self._listed_at = -_LISTING_FRESH_SECONDS

    async def tools(self) -> list[Tool]:
        """All tools that the server lists now. Raises ConnectionLostError, or what the library raises."""
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._used().list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor or len(found) > _MOST_TOOLS:
                break
        self._digests = {tool.name: digest_of(tool.input_schema) for tool in found}
        self._listed_at = time.monotonic()
        return found[:_MOST_TOOLS]

    async def digest(self, tool: str) -> str | None:
        """The digest of the tool's schema as the server states it, at most some seconds ago; None: it is not there."""
        if not self.knows_tools:
            await self.tools()
        return self._digests.get(tool)

    async def call(self, tool: str, arguments: Mapping[str, Any], key: str) -> CallToolResult:
        """Call it; raises what the library raises."""
        meta = cast("RequestParamsMeta", {IDEMPOTENCY_META: key})
        return await self._used().call_tool(tool, dict(arguments), meta=meta)

    def _used(self) -> Client:
        if self._client is None:
            raise ConnectionLostError(self.server.place, "it is closed")
        return self._client

    async def aclose(self) -> None:
        """End it, and the server with it if we started that."""
        self._ending.set()
        if self._task is not None and not self._task.done():
            _, pending = await asyncio.wait([self._task], timeout=8)
            for task in pending:
                task.cancel()
        self._client = None


def _key(server: McpServer, access: McpAccess) -> str:
    used = {name: access.secrets.get(name, "") for name in server.secrets.values()}
    named = server.model_dump_json(exclude={"timeout_seconds"})  # that is each call's own
    return repr((access.tenant, named, sorted(used.items()), sorted(access.allowed_hosts)))


def _why(error: BaseException) -> str:
    """The first real cause in a group of errors, by its kind alone: its words may hold an address with a secret."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, AtendeError):
        return error.sentence()
    return type(error).__name__
