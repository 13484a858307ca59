"""How a business function is declared: name, parameters, effect, and the context it runs in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from domain.errors import AtendeError

Kind = Literal["python", "http", "mcp"]
"""What makes the call: code of a tenant folder, a described HTTP request, or a tool of an MCP server."""

Effect = Literal["read", "write"]
"""``read`` changes nothing and may run again; ``write`` acts and waits for a person unless the tenant trusts it."""


SERVED_BY_CONTEXT = frozenset({"tenant", "tenant_id", "contact", "contact_id", "contact_address", "contact_addresses"})
"""No parameter may be called so: the context says who is served."""


class ParameterKind(StrEnum):
    """Kinds that can be recognised in a message without a language model."""

    TEXT = "text"
    INTEGER = "integer"
    MONEY = "money"
    DATE = "date"
    CPF = "cpf"
    CNPJ = "cnpj"
    ORDER_NUMBER = "order_number"
    CEP = "cep"
    PHONE = "phone"
    EMAIL = "email"
    ENUM = "enum"
    BOOLEAN = "boolean"
    JSON = "json"
    """An object or a list: only a language model can fill it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an enumeration with the words people use for it, per language."""

    value: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``ask`` holds the question to the customer per language; ``pattern`` limits an order number."""

    name: str
    kind: ParameterKind = ParameterKind.TEXT
    description: str = ""
    required: bool = True
    ask: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None
    choices: tuple[Choice, ...] = ()
    schema: Mapping[str, Any] | None = None
    """Its JSON Schema, where it was declared by one (tools.schema)."""

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of this parameter as a language model sees it."""
        if self.schema is not None:
            return dict(self.schema)
        types = {ParameterKind.INTEGER: "integer", ParameterKind.MONEY: "number", ParameterKind.BOOLEAN: "boolean"}
        schema: dict[str, Any] = {"type": types.get(self.kind, "string"), "description": self.description or self.name}
        if self.kind is ParameterKind.DATE:
            schema["format"] = "date"
        if self.pattern and schema["type"] == "string":
            schema["pattern"] = self.pattern
        if self.choices:
            schema["enum"] = [choice.value for choice in self.choices]
        return schema


class Records(Protocol):
    """A tenant's own small business data: JSON values by collection and key. Tenancy is the implementation's duty."""

    async def get(self, collection: str, key: str) -> dict[str, Any] | None: ...

    async def find(self, collection: str, where: Mapping[str, Any], limit: int = 50) -> list[dict[str, Any]]:
        """Records whose top-level fields equal ``where``, ordered by key."""
        ...

    async def put(self, collection: str, key: str, value: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who is being served. It comes from the turn, never from the model or a parameter."""

    tenant_id: str
    contact_id: str
    contact_addresses: tuple[str, ...]
    """``kind:value`` texts, phone first where known."""
    language: str
    timezone: ZoneInfo
    now: datetime
    records: Records
    idempotency_key: str
    """The same for every attempt of the same call; pass it on to whatever acts."""


class BusinessError(AtendeError):
    """An expected negative answer ("no such order"). ``code`` selects the reply text, ``data`` fills it."""

    def __init__(self, code: str, **data: Any) -> None:
        super().__init__(f"business error {code}")
        self.code = code
        self.data = data


class NoEffectError(AtendeError):
    """A function that writes failed and certainly did nothing (refused connection, rejected input)."""


class CallFailedError(AtendeError):
    """A call that may have reached the other side failed: nobody knows whether a write acted. ``code`` says how."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class BusinessFunction:
    """A declared function. ``call`` takes the context, then keyword arguments by name; returns JSON values."""

    name: str
    description: str
    effect: Effect
    parameters: tuple[Parameter, ...]
    call: Callable[..., Awaitable[Any]]
    timeout_seconds: float = 10.0
    idempotent: bool = False
    """It, or what it calls, recognises ``ToolContext.idempotency_key``: a call of unknown outcome may be repeated."""
    kind: Kind = "python"
    schema: Mapping[str, Any] | None = None
    """JSON Schema of its arguments, where it was declared by one: what a model sees and arguments are checked against.
    ``parameters`` then are its properties (tools.schema.parameters_of). Parameters bound to the context are in neither.
    """

    def __post_init__(self) -> None:
        # A model fills the parameters: whom a function serves must come from the context alone.
        if taken := sorted({parameter.name for parameter in self.parameters} & SERVED_BY_CONTEXT):
            raise ValueError(
                f"business function {self.name} takes {', '.join(taken)}: read it from ToolContext instead"
            )

    def json_schema(self) -> dict[str, Any]:
        """The OpenAI ``tools`` entry of this function."""
        parameters: Mapping[str, Any] = self.schema or {
            "type": "object",
            "properties": {parameter.name: parameter.json_schema() for parameter in self.parameters},
            "required": [parameter.name for parameter in self.parameters if parameter.required],
            "additionalProperties": False,
        }
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": dict(parameters)},
        }


def business_function(
    *, effect: Effect, parameters: Sequence[Parameter] = (), timeout_seconds: float = 10.0, idempotent: bool = False
) -> Callable[[Callable[..., Awaitable[Any]]], BusinessFunction]:
    """Declare an async function as a business function; its docstring is what operators and models read."""

    def declare(call: Callable[..., Awaitable[Any]]) -> BusinessFunction:
        description = " ".join((call.__doc__ or "").split())
        if not description:
            raise ValueError(
                f"business function {call.__name__} needs a docstring: it is what models and operators read"
            )
        return BusinessFunction(
            call.__name__, description, effect, tuple(parameters), call, timeout_seconds, idempotent
        )

    return declare
