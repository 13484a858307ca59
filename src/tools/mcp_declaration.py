"""How an MCP server and a tool of it are declared: what the registry stores under ``mcp``.

They hold names of secrets, never a secret. What a server says of its own tools (descriptions, annotations, schemas) is
somebody else's text: it is taken once, when a person imports it, and never read from the live server again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tools.http_declaration import Part

DEFAULT_TIMEOUT = 20.0
DEFAULT_MOST_BYTES = 256 * 1024


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class McpServer(_Declared):
    """Where a server is: at ``url`` (streamable HTTP), or a ``command`` that speaks over its standard streams."""

    url: Annotated[str, StringConstraints(max_length=2_000)] = ""
    command: tuple[str, ...] = ()
    secrets: dict[str, str] = Field(default_factory=dict)
    """Name of a secret by the header (``bearer``: Authorization) or environment variable that it goes into."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = DEFAULT_TIMEOUT
    most_bytes: Annotated[int, Field(gt=0, le=4 * 1024 * 1024)] = DEFAULT_MOST_BYTES
    """Of one result, as JSON."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> McpServer:
        if bool(self.url) == bool(self.command):
            raise ValueError("a server has either a url or a command")
        return self

    @property
    def place(self) -> str:
        """What a person reads: the address, or the command."""
        return self.url or " ".join(self.command)


class McpTool(_Declared):
    """One tool, as it was when it was imported."""

    server: McpServer
    tool: str
    """Its name at the server."""
    arguments: dict[str, Any]
    """JSON Schema of what a model or a customer gives; what the context fills in (``parts``) is not in it."""
    parts: tuple[Part, ...] = ()
    digest: str
    """Of the schema that the server stated; see ``digest_of``."""
    idempotent: bool = False
    """The tenant's word that the server recognises the key in ``_meta``: a lost call may be made again."""
    hints: dict[str, bool] = Field(default_factory=dict)
    """The server's own annotations. Only shown: nothing is decided by them unless the tenant says so."""

    def to_json(self) -> dict[str, Any]:
        """As the registry keeps it: what has its default is left out."""
        return {"calls": f"{self.tool} of {self.server.place}", **self.model_dump(mode="json", exclude_defaults=True)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> McpTool:
        """Read it back; raises pydantic.ValidationError."""
        return cls.model_validate({key: value for key, value in stored.items() if key != "calls"})


def digest_of(schema: Mapping[str, Any]) -> str:
    """What tells two input schemas apart, whatever the order of their keys."""
    return hashlib.sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
