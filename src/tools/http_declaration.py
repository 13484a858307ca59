"""How a business function over HTTP is declared: which request is made, and where each argument goes in it.

These values are what the registry stores under ``http``. They hold names of secrets, never a secret.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Place = Literal["path", "query", "header", "cookie", "body"]
BodyFormat = Literal["none", "json", "form", "multipart", "text"]

Binding = Literal[
    "contact.id",
    "contact.phone",
    "contact.phone_digits",
    "contact.address",
    "tenant.id",
    "language",
    "timezone",
    "now",
    "today",
    "idempotency_key",
]
"""What the context fills in. A model neither sees nor fills such a parameter.

``contact.phone`` is E.164 ("+5511987654321", a Brazilian mobile with its ninth digit), ``contact.phone_digits`` the
same without the plus, ``contact.address`` the first address as ``kind:value``, ``now`` an ISO time with offset.
"""

DEFAULT_TIMEOUT = 10.0
DEFAULT_MOST_BYTES = 256 * 1024


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Declared):
    """One value of the request: of an argument, of the context, or fixed. Exactly one of the three is its source."""

    place: Place
    name: str = ""
    """Parameter name on the wire; in the body the first key of ``path``."""
    path: tuple[str, ...] = ()
    """Where in the body; () is the whole body."""
    argument: str = ""
    bind: Binding | None = None
    fixed: JsonValue = None
    default: JsonValue = None
    """Sent where the argument is missing."""
    required: bool = False
    style: str = ""
    """OpenAPI's: form, simple, label, matrix, spaceDelimited, pipeDelimited, deepObject; "": the place's usual one."""
    explode: bool | None = None
    as_json: bool = False
    """Written as JSON text, as OpenAPI's ``content`` of a parameter wants it."""


class Credential(_Declared):
    """How one secret goes into the request. A ``basic`` secret is ``user:password``."""

    kind: Literal["header", "query", "cookie", "bearer", "basic"]
    secret: str
    name: str = ""
    """Of the header, query parameter or cookie."""


class HttpDetails(_Declared):
    """A whole request. ``url`` holds ``{name}`` for each path part."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    parts: tuple[Part, ...] = ()
    body: BodyFormat = "none"
    credentials: tuple[Credential, ...] = ()
    sign_with: str = ""
    """Name of the secret that signs requests as Standard Webhooks has it; "": they are not signed."""
    idempotent: bool = False
    """The other side recognises the Idempotency-Key header: a lost call may be made again."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = DEFAULT_TIMEOUT
    most_bytes: Annotated[int, Field(gt=0, le=4 * 1024 * 1024)] = DEFAULT_MOST_BYTES
    errors: dict[str, str] = Field(default_factory=dict)
    """Status code → code of the business error it means; beyond those that every function knows (tools.http_answer)."""
    result: str = ""
    """JSON pointer to the part of the answer that is the result; "" is all of it."""

    @property
    def needed_secrets(self) -> tuple[str, ...]:
        """Names of the secrets without which no call can be made."""
        named = [credential.secret for credential in self.credentials]
        return tuple(dict.fromkeys([*named, *([self.sign_with] if self.sign_with else [])]))

    def to_json(self) -> dict[str, Any]:
        """As the registry keeps it: what has its default is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)
