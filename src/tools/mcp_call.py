"""Tools of MCP servers as business functions: called once, within their time, and their answers made plain values."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from domain.errors import InvalidInputError
from tools.declaration import BusinessError, BusinessFunction, CallFailedError, Effect, NoEffectError, ToolContext
from tools.http_request import bound_arguments
from tools.mcp_connection import ConnectionLostError, McpAccess, McpConnections, ServerNotReachedError
from tools.mcp_declaration import McpTool
from tools.schema import conform, parameters_of, seen_by_models

if TYPE_CHECKING:
    from mcp.types import CallToolResult

_OUTER_SECONDS: Final = 2.0
"""How much later than the call's own limit the caller's falls, so that this module says what happened."""
_TURNED_AWAY: Final = frozenset({-32700, -32600, -32601, -32602, -32020, -32021, -32022})
"""JSON-RPC errors by which a server says that it did not take the request up. -32600 also tells of a session that it
does not know: it was started anew."""
_LONGEST_REFUSAL: Final = 600


class ToolChangedError(NoEffectError):
    """The server offers another tool under this name than the one that was imported, or none."""

    def __init__(self, tool: str, place: str) -> None:
        super().__init__(
            f"The tool {tool} of the MCP server {place} is not what was imported, so it was not called.",
            hint="Look at it and import the server again: atende functions import mcp+… --tenant SLUG",
        )
        self.tool = tool


class _TurnedAwayError(NoEffectError):
    """The server did not take the call up."""


def mcp_function(
    name: str, description: str, effect: Effect, tool: McpTool, *, connections: McpConnections, access: McpAccess
) -> BusinessFunction:
    """The imported tool, ready to be called."""
    caller = _Caller(tool, effect, connections, access)
    return BusinessFunction(
        name=name,
        description=description,
        effect=effect,
        parameters=parameters_of(tool.arguments),
        call=caller.call,
        timeout_seconds=tool.server.timeout_seconds + _OUTER_SECONDS,
        idempotent=tool.idempotent,
        kind="mcp",
        schema=seen_by_models(tool.arguments),
    )


class _Caller:
    def __init__(self, tool: McpTool, effect: Effect, connections: McpConnections, access: McpAccess) -> None:
        self.tool = tool
        self.repeatable = effect == "read" or tool.idempotent
        self.effect = effect
        self.connections = connections
        self.access = access

    async def call(self, context: ToolContext, **arguments: Any) -> Any:
        """Raises BusinessError, NoEffectError (certainly nothing was done) or CallFailedError."""
        try:
            given = bound_arguments(self.tool.parts, conform(self.tool.arguments, arguments), context)
        except InvalidInputError as error:
            raise BusinessError("invalid_argument", parameter=error.field, problem=error.problem) from None
        state = _State()
        try:
            async with asyncio.timeout(self.tool.server.timeout_seconds):
                result = await self._persistently(given, context.idempotency_key, state)
        except TimeoutError:
            if not state.sent:
                raise ServerNotReachedError(self.tool.server.place, "it did not answer in time") from None
            limit = self.tool.server.timeout_seconds
            raise CallFailedError("timeout", f"No answer from the MCP server within {limit:g} s.") from None
        return self._value(result)

    async def _persistently(self, arguments: Mapping[str, Any], key: str, state: _State) -> CallToolResult:
        """Once more over a new connection where the old one was found dead, as far as nothing can happen twice."""
        try:
            return await self._once(arguments, key, state)
        except _TurnedAwayError:
            pass  # the server knows nothing of this session: it was started anew
        except ConnectionLostError:
            if state.sent and not self.repeatable:
                raise
        return await self._once(arguments, key, state)

    async def _once(self, arguments: Mapping[str, Any], key: str, state: _State) -> CallToolResult:
        connection = await self.connections.get(self.tool.server, self.access)
        sent_before = state.sent
        try:
            # Before anything is asked of it: is the server there, and is the tool the one that a person looked at?
            if await connection.digest(self.tool.tool) == self.tool.digest:
                state.sent = True
                return await connection.call(self.tool.tool, arguments, key)
        except Exception as error:
            await self.connections.drop(connection)
            code = getattr(error, "code", None)
            if code in _TURNED_AWAY:
                state.sent = sent_before
                raise _TurnedAwayError(
                    f"The MCP server {self.tool.server.place} did not take the call (error {code})."
                ) from None
            raise ConnectionLostError(self.tool.server.place, type(error).__name__) from None
        raise ToolChangedError(self.tool.tool, self.tool.server.place)

    def _value(self, result: CallToolResult) -> Any:
        """What the tool answered as JSON values, within the size limit and without our secrets in it."""
        text = "\n".join(block.text for block in result.content if block.type == "text")
        if result.is_error:
            raise BusinessError("tool_error", message=self._blotted(text)[:_LONGEST_REFUSAL])
        value: Any = result.structured_content
        if value is None:
            value = _read(text)
        raw = orjson.dumps(value, default=str)
        if len(raw) > self.tool.server.most_bytes:
            if self.effect == "write":
                return None  # it says that it acted; what else it says is lost
            raise CallFailedError("answer_too_large", "The MCP server's answer is larger than allowed.")
        return orjson.loads(self._blotted(raw.decode()))

    def _blotted(self, text: str) -> str:
        used = {self.access.secrets.get(name, "") for name in self.tool.server.secrets.values()}
        for secret in sorted(used, key=len, reverse=True):
            if len(secret) >= 4:
                text = text.replace(secret, "***").replace(orjson.dumps(secret).decode()[1:-1], "***")
        return text


class _State:
    """How far the attempts of a call got."""

    sent = False
    """The request may have arrived."""


def _read(text: str) -> Any:
    """A text that is a JSON object or list means that; anything else is a text."""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text
