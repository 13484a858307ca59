"""A declared request with its values filled in: address, headers and body, ready to be sent."""

from __future__ import annotations

import base64
import copy
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from domain.errors import InvalidInputError
from tools.declaration import NoEffectError, ToolContext
from tools.http_declaration import Binding, HttpDetails, Part
from tools.signing import signature_headers

IDEMPOTENCY_HEADER = "Idempotency-Key"
_ABSENT: Any = object()
_UNSAFE_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_DEFAULT_STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form", "body": ""}
_SEPARATORS = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}


class SecretMissingError(NoEffectError):
    """A function needs a secret that nobody stored, so it was not called."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The secret {name} is not stored.", hint=f"Store it with: atende functions set-secret {name} --tenant SLUG"
        )
        self.name = name


class UnknownContextError(NoEffectError):
    """A function needs something about the contact that is not known, such as the phone number of a hidden one."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The function needs {what}, which is not known of this contact.", hint="Serve it by hand.")
        self.what = what


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``secret_texts``: all forms in which secrets stand in it, so that an echo can be blotted out."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    secret_texts: tuple[str, ...] = field(default=(), repr=False)


def build_request(
    details: HttpDetails,
    arguments: Mapping[str, Any],
    context: ToolContext,
    stored: Mapping[str, str],
    *,
    is_write: bool,
) -> Request:
    """Fill the request in. ``arguments`` conform to the schema; ``stored`` are the tenant's secrets by name.

    Raises InvalidInputError, SecretMissingError or UnknownContextError; then nothing was sent.
    """
    url, body, query, cookies = details.url, _ABSENT, list[str](), list[str]()
    headers = {"Accept": "application/json", "User-Agent": "Atende/1", "Accept-Encoding": "identity"}
    # What the context fills in comes last, so that nothing an argument brought along can stand in its place.
    for part in sorted(details.parts, key=lambda part: part.bind is not None):
        value = _value(part, arguments, context)
        if part.place == "body":
            body = _placed(body, part, value)
        elif value is not _ABSENT:
            written = _written(part, value)
            match part.place:
                case "path":
                    url = url.replace("{" + part.name + "}", _segment(part, written))
                case "query":
                    query.append(written)
                case "cookie":
                    cookies.append(written)
                case "header":
                    headers[part.name] = _header(part.argument or part.name, written)
    if "{" in url:
        raise InvalidInputError(re.split(r"[{}]", url)[1], "required; ask the customer for it")
    hidden = _authorise(details, stored, headers, query, cookies)
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    if query:
        url += ("&" if "?" in url else "?") + "&".join(one for one in query if one)
    payload = _encoded(details, body, headers)
    if is_write:
        headers[IDEMPOTENCY_HEADER] = context.idempotency_key
    if details.sign_with:
        secret = _stored(stored, details.sign_with)
        hidden.append(secret)
        headers |= signature_headers(context.idempotency_key, datetime.now(UTC), payload or b"", [secret])
    return Request(details.method, url, headers, payload, tuple(hidden))


def bound_value(binding: Binding, context: ToolContext) -> Any:
    """What the context has for a bound parameter; raises UnknownContextError."""
    match binding:
        case "contact.id":
            return context.contact_id
        case "tenant.id":
            return context.tenant_id
        case "contact.address":
            if context.contact_addresses:
                return context.contact_addresses[0]
        case "contact.phone" | "contact.phone_digits":
            if digits := _phone(context.contact_addresses):
                return f"+{digits}" if binding == "contact.phone" else digits
        case "language":
            return context.language
        case "timezone":
            return str(context.timezone)
        case "now":
            return context.now.astimezone(context.timezone).isoformat(timespec="seconds")
        case "today":
            return context.now.astimezone(context.timezone).date().isoformat()
        case "idempotency_key":
            return context.idempotency_key
    raise UnknownContextError(binding)


def _phone(addresses: Sequence[str]) -> str:
    digits = next((a.partition(":")[2].lstrip("+") for a in addresses if a.startswith("phone:")), "")
    if len(digits) == 12 and digits.startswith("55") and digits[4] in "6789":
        return f"{digits[:4]}9{digits[4:]}"  # WhatsApp still names some Brazilian mobiles without their ninth digit
    return digits


def _value(part: Part, arguments: Mapping[str, Any], context: ToolContext) -> Any:
    if part.bind is not None:
        try:
            return bound_value(part.bind, context)
        except UnknownContextError:
            if part.required:
                raise
            return _ABSENT
    if not part.argument:
        return part.fixed
    value = arguments.get(part.argument, part.default)
    return _ABSENT if value is None else value


def _placed(body: Any, part: Part, value: Any) -> Any:
    """The body with this value in its place; what the context does not know is taken out, whoever put it there."""
    if not part.path:
        return copy.deepcopy(value) if value is not _ABSENT else body
    if value is _ABSENT and (part.bind is None or body is _ABSENT):
        return body
    root: dict[str, Any] = body if isinstance(body, dict) else {}
    at = root
    for key in part.path[:-1]:
        if not isinstance(at.get(key), dict):
            if value is _ABSENT:
                return root
            at[key] = {}
        at = at[key]
    if value is _ABSENT:
        at.pop(part.path[-1], None)
    else:
        at[part.path[-1]] = copy.deepcopy(value)
    return root


def _written(part: Part, value: Any) -> str:
    """The parameter as OpenAPI's style writes it, percent-encoded where it stands in the address."""
    encode = _plain if part.place == "header" else _encode
    if part.as_json:
        text = encode(orjson.dumps(value).decode())
        return text if part.place in {"path", "header"} else f"{_encode(part.name)}={text}"
    style = part.style or _DEFAULT_STYLES[part.place]
    explode = part.explode if part.explode is not None else style in {"form", "deepObject"}
    name = _encode(part.name)
    if style == "deepObject" and isinstance(value, Mapping):
        return "&".join(f"{name}%5B{_encode(str(k))}%5D={encode(_text(v))}" for k, v in value.items())
    if isinstance(value, Mapping):
        pairs = [(encode(str(k)), encode(_text(v))) for k, v in value.items()]
        items = [f"{k}={v}" for k, v in pairs] if explode else [text for pair in pairs for text in pair]
    elif isinstance(value, list):
        items = [encode(_text(item)) for item in value]
    else:
        items = [encode(_text(value))]
    match style:
        case "label":
            return "." + ("." if explode else ",").join(items)
        case "matrix" if explode and isinstance(value, Mapping):
            return "".join(f";{item}" for item in items)
        case "matrix" if explode and isinstance(value, list):
            return "".join(f";{name}={item}" for item in items)
        case "matrix":
            return f";{name}={','.join(items)}"
        case "simple":
            return ",".join(items)
    if explode and isinstance(value, Mapping):
        return "&".join(items)
    if explode and isinstance(value, list):
        return "&".join(f"{name}={item}" for item in items)
    return f"{name}={_SEPARATORS.get(style, ',').join(items)}"


def _segment(part: Part, written: str) -> str:
    # An empty or dotted segment would make it another path than the declared one.
    if not written or written.replace("%2E", ".").replace("%2e", ".").strip(".") == "":
        raise InvalidInputError(part.argument or part.name, "cannot stand in an address; ask the customer for it")
    return written


def _header(name: str, value: str) -> str:
    if _UNSAFE_IN_HEADER.search(value):
        raise InvalidInputError(name, "holds characters that a header cannot carry")
    return value


def _authorise(
    details: HttpDetails, stored: Mapping[str, str], headers: dict[str, str], query: list[str], cookies: list[str]
) -> list[str]:
    hidden = []
    for credential in details.credentials:
        secret = _stored(stored, credential.secret)
        hidden += [secret, _encode(secret)]
        match credential.kind:
            case "bearer":
                headers["Authorization"] = f"Bearer {_header('Authorization', secret)}"
            case "basic":
                token = base64.b64encode(secret.encode()).decode()
                hidden += [token, secret.partition(":")[2]]
                headers["Authorization"] = f"Basic {token}"
            case "header":
                headers[credential.name] = _header(credential.name, secret)
            case "query":
                query.append(f"{_encode(credential.name)}={_encode(secret)}")
            case "cookie":
                cookies.append(f"{_encode(credential.name)}={_encode(secret)}")
    return hidden


def _stored(stored: Mapping[str, str], name: str) -> str:
    if not stored.get(name):
        raise SecretMissingError(name)
    return stored[name]


def _encoded(details: HttpDetails, body: Any, headers: dict[str, str]) -> bytes | None:
    if details.body == "none" or (body is _ABSENT and details.body != "json"):
        return None
    if details.body == "json":
        headers["Content-Type"] = "application/json"
        return orjson.dumps({} if body is _ABSENT else body)
    if details.body == "text":
        headers["Content-Type"] = "text/plain; charset=utf-8"
        return _text(body).encode()
    fields = body if isinstance(body, Mapping) else {"value": body}
    pairs = [(str(k), _text(i)) for k, v in fields.items() for i in (v if isinstance(v, list) else [v])]
    if details.body == "form":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return "&".join(f"{_encode(name)}={_encode(text)}" for name, text in pairs).encode()
    border = secrets.token_hex(16)
    headers["Content-Type"] = f"multipart/form-data; boundary={border}"
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{_encode(name)}"\r\n\r\n{text}\r\n'
        for name, text in pairs
    ]
    return f"{''.join(parts)}--{border}--\r\n".encode()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, Mapping | list) else "" if value is None else str(value)


def _encode(text: str) -> str:
    return quote(text, safe="")


def _plain(text: str) -> str:
    return text
