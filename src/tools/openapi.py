"""Business functions from an OpenAPI document (3.0 or 3.1): one for each operation that a conversation can serve."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urljoin, urlsplit

from pydantic import ValidationError

from tools.declaration import Effect
from tools.http_assembly import Assembled, Input, NotImportableError, assemble, check_header_name
from tools.http_call import HttpDeclaration
from tools.http_declaration import BodyFormat, Credential, HttpDetails, Place
from tools.import_choices import unmet
from tools.openapi_schema import Schemas, dereferenced
from tools.openapi_text import DocumentUnusableError
from tools.schema import SchemaUnusableError, check_schema

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
LONGEST_NAME: Final = 60
RESERVED_NAMES: Final = frozenset({"hand_off"})
"""What models call for other things than a business function."""
_IGNORED_HEADERS: Final = frozenset({
    "accept", "content-type", "authorization", "host", "content-length", "transfer-encoding", "connection", "cookie",
    "user-agent", "accept-encoding", "upgrade", "te", "trailer", "expect",
})  # fmt: skip
_KEY_HEADERS: Final = frozenset({"idempotency-key", "x-idempotency-key", "x-request-id"})
_FORMATS: Final[tuple[tuple[str, BodyFormat], ...]] = (
    (r"application/json|[\w.+-]+/[\w.+-]*\+json|text/json|\*/\*", "json"),
    (r"application/x-www-form-urlencoded", "form"),
    (r"multipart/form-data", "multipart"),
    (r"text/plain", "text"),
)
_LONGEST_DESCRIPTION: Final = 800


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What whoever imports a document decides; the document itself decides nothing about trust or private hosts."""

    server: str = ""
    """Address that replaces the document's own."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the server's address."""
    base: str = ""
    """Where the document came from, for a server address that is relative to it."""
    prefix: str = ""
    binds: Mapping[str, str] = field(default_factory=dict)
    """Values of the context by parameter name; ``function:name`` for one function alone."""
    effects: Mapping[str, Effect] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    """Names of the functions wanted; none named: all."""
    sign: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """What a document describes: functions, and by operation why the others are none."""

    title: str
    functions: tuple[HttpDeclaration, ...]
    problems: tuple[tuple[str, str], ...] = ()


def functions_of(document: Any, choices: ImportChoices) -> Described:
    """Raises DocumentUnusableError where the whole document is unusable; single operations become problems."""
    if not isinstance(document, Mapping):
        raise DocumentUnusableError("it is no object")
    version = str(document.get("openapi", ""))
    if not re.match(r"3\.[01](\.|$)", version):
        what = f"version {version}" if version else "Swagger 2" if document.get("swagger") else "no OpenAPI document"
        raise DocumentUnusableError(f"it is {what}", hint="OpenAPI 3.0 and 3.1 are read; convert it first.")
    info = document.get("info")
    title = str(info.get("title", "")) if isinstance(info, Mapping) else ""
    found, problems = list[HttpDeclaration](), list[tuple[str, str]]()
    for operation in _named(list(_operations(document)), choices):
        if choices.only and operation.name not in choices.only:
            continue
        try:
            found.append(_function(document, operation, choices))
        except (NotImportableError, SchemaUnusableError) as error:
            problems.append((operation.where, str(error)))
        except (ValidationError, TypeError, AttributeError, KeyError) as error:
            detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else type(error).__name__
            problems.append((operation.where, f"it is not as OpenAPI wants it ({detail})"))
    problems += unmet({*choices.only, *choices.effects}, choices.binds, {one.name: one.details.parts for one in found})
    return Described(title or "API", tuple(found), tuple(problems))


@dataclass(frozen=True, slots=True)
class _Operation:
    path: str
    method: str
    node: Mapping[str, Any]
    item: Mapping[str, Any]
    name: str = ""

    @property
    def where(self) -> str:
        return f"{self.method.upper()} {self.path}"


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    paths = document.get("paths")
    for path, node in paths.items() if isinstance(paths, Mapping) else ():
        if not str(path).startswith("/"):
            continue
        try:
            item = dereferenced(document, node)
        except NotImportableError:
            continue
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, Mapping) and operation.get("x-atende-ignore") is not True:
                yield _Operation(str(path), method, operation, item)


def _named(operations: Sequence[_Operation], choices: ImportChoices) -> Iterator[_Operation]:
    """Each with a name of its own, which does not depend on the order of the document."""
    names = [choices.prefix + _name(operation) for operation in operations]
    count = Counter(name[:LONGEST_NAME] for name in names)
    for operation, name in zip(operations, names, strict=True):
        unique = name
        if len(name) > LONGEST_NAME or count[name[:LONGEST_NAME]] > 1 or name in RESERVED_NAMES:
            digest = hashlib.sha256(operation.where.encode()).hexdigest()[:6]
            unique = f"{name[: LONGEST_NAME - 7].rstrip('_')}_{digest}"
        yield _Operation(operation.path, operation.method, operation.node, operation.item, unique)


def _name(operation: _Operation) -> str:
    stated = operation.node.get("x-atende-name") or operation.node.get("operationId")
    return tool_name(str(stated) if stated else f"{operation.method} {operation.path}")


def tool_name(text: str) -> str:
    """``getOrderById`` or ``GET /orders/{id}`` as a function's name: get_order_by_id, get_orders_id."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "call"
    return plain if plain[0].isalpha() else f"f_{plain}"


def _function(document: Mapping[str, Any], operation: _Operation, choices: ImportChoices) -> HttpDeclaration:
    node, schemas = operation.node, Schemas(document)
    effect = _effect(operation, choices)
    url = _server(document, operation, choices) + operation.path
    inputs, has_key = _inputs(document, operation, schemas)
    assembled, body = _assembled(document, operation, schemas, inputs, choices)
    check_schema(assembled.schema)
    path_names = set(re.findall(r"\{([^{}]*)\}", operation.path))
    if missing := path_names - {part.name for part in assembled.parts if part.place == "path"}:
        raise NotImportableError(f"its path parameter {', '.join(sorted(missing))} is not declared")
    host = urlsplit(url).netloc
    details = HttpDetails(
        method=operation.method.upper(),
        url=url,
        parts=assembled.parts,
        body=body,
        credentials=_credentials(document, operation, host),
        sign_with=f"{host}/signing" if choices.sign or node.get("x-atende-sign") is True else "",
        idempotent=node.get("x-atende-idempotent", has_key) is True,
        errors=_errors(document, node),
        result=str(node.get("x-atende-result", "")),
        **({"timeout_seconds": node["x-atende-timeout"]} if "x-atende-timeout" in node else {}),
    )
    return HttpDeclaration(operation.name, _description(operation), effect, assembled.schema, details)


def _effect(operation: _Operation, choices: ImportChoices) -> Effect:
    stated = choices.effects.get(operation.name) or operation.node.get("x-atende-effect")
    if stated is None:
        return "read" if operation.method in {"get", "head"} else "write"
    if stated not in {"read", "write"}:
        raise NotImportableError(f"x-atende-effect is {stated!r}; it may be read or write")
    return cast(Effect, stated)


def _inputs(document: Mapping[str, Any], operation: _Operation, schemas: Schemas) -> tuple[list[Input], bool]:
    """The parameters outside the body, and whether one of them carries an idempotency key."""
    declared: dict[tuple[str, str], Mapping[str, Any]] = {}
    for source in (operation.item, operation.node):
        for node in source.get("parameters") or ():
            one = dereferenced(document, node)
            declared[str(one["in"]), str(one["name"])] = one
    inputs, has_key = [], False
    for (place, name), one in declared.items():
        if place not in {"path", "query", "header", "cookie"}:
            raise NotImportableError(f"the parameter {name} stands in {place!r}")
        if place == "header" and name.lower() in _KEY_HEADERS:
            has_key = has_key or "idempotency" in name.lower()
            continue
        if place == "header" and name.lower() in _IGNORED_HEADERS:
            continue
        content = one.get("content")
        as_json = isinstance(content, Mapping) and bool(content)
        raw = next(iter(cast(Mapping[str, Any], content).values())).get("schema", {}) if as_json else one.get("schema")
        schema = schemas.convert(raw if raw is not None else {"type": "string"})
        if isinstance(one.get("description"), str):
            schema.setdefault("description", " ".join(one["description"].split())[:600])
        schema |= {key: value for key, value in one.items() if str(key).startswith("x-atende-")}
        explode = one.get("explode")
        inputs.append(
            Input(
                name=name,
                place=cast(Place, place),
                schema=schema,
                required=one.get("required") is True,
                style=str(one.get("style", "")),
                explode=explode if isinstance(explode, bool) else None,
                as_json=as_json,
            )
        )
    return inputs, has_key


def _assembled(
    document: Mapping[str, Any],
    operation: _Operation,
    schemas: Schemas,
    inputs: Sequence[Input],
    choices: ImportChoices,
) -> tuple[Assembled, BodyFormat]:
    body = _body(document, operation, schemas)
    wanted = _wanted_binds(operation.name, choices.binds, inputs, body)
    assembled = assemble(inputs, body, definitions=schemas.definitions, binds=wanted)
    return assembled, body[0] if body else "none"


def _wanted_binds(
    name: str, binds: Mapping[str, str], inputs: Sequence[Input], body: tuple[BodyFormat, Mapping[str, Any]] | None
) -> dict[str, str]:
    """Those that mean this function: a bind for all functions counts where the parameter exists."""
    here = {one.name for one in inputs} | set(_dotted(body[1] if body else {}))
    found = {}
    for key, binding in binds.items():
        function, colon, parameter = key.rpartition(":")
        if (colon and function == name) or (not colon and parameter in here):
            found[parameter] = binding
    return found


def _dotted(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    properties = schema.get("properties")
    for name, declared in properties.items() if isinstance(properties, Mapping) else ():
        yield f"{above}{name}"
        if isinstance(declared, Mapping):
            yield from _dotted(declared, f"{above}{name}.")


def _body(
    document: Mapping[str, Any], operation: _Operation, schemas: Schemas
) -> tuple[BodyFormat, Mapping[str, Any]] | None:
    if "requestBody" not in operation.node or operation.method in {"get", "head"}:
        return None
    content = dereferenced(document, operation.node["requestBody"]).get("content")
    for pattern, body_format in _FORMATS:
        for media, node in content.items() if isinstance(content, Mapping) else ():
            if re.fullmatch(pattern, str(media).partition(";")[0].strip().lower()):
                default = {"type": "string"} if body_format == "text" else {}
                return body_format, schemas.convert(node.get("schema", default))
    raise NotImportableError(f"its body is written as {', '.join(map(str, content or ())) or 'nothing known'}")


def _server(document: Mapping[str, Any], operation: _Operation, choices: ImportChoices) -> str:
    if choices.server:
        address = choices.server
    else:
        servers = operation.node.get("servers") or operation.item.get("servers") or document.get("servers") or [{}]
        server = servers[0]
        address = str(server.get("url") or "/")
        variables = server.get("variables") or {}
        for name in re.findall(r"\{([^{}]*)\}", address):
            declared = variables.get(name) or {}
            value = choices.variables.get(name, declared.get("default"))
            if value is None:
                raise NotImportableError(f"the server's address needs {name}: give it with --server-variable")
            if declared.get("enum") and str(value) not in map(str, declared["enum"]):
                raise NotImportableError(f"{name} may be {', '.join(map(str, declared['enum']))}, not {value}")
            address = address.replace("{" + name + "}", str(value))
    address = urljoin(choices.base, address) if choices.base else address
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NotImportableError(f"its server is {address!r}: give the whole address with --server")
    if parts.username is not None or parts.query or parts.fragment:
        raise NotImportableError("its server's address holds more than a host and a path")
    return address.rstrip("/")


def _credentials(document: Mapping[str, Any], operation: _Operation, host: str) -> tuple[Credential, ...]:
    """The first of the ways to sign in that is known here. Secrets are named after the host that gets them, so that no
    document can ask for those of another one."""
    ways = operation.node.get("security", document.get("security"))
    if not ways:
        return ()
    components = document.get("components") or {}
    schemes = components.get("securitySchemes") or {}
    unknown = ""
    for way in sorted(ways, key=lambda way: not way):
        try:
            return tuple(_credential(dereferenced(document, schemes.get(name)), name, host) for name in way)
        except NotImportableError as error:
            unknown = str(error)
    raise NotImportableError(unknown)


def _credential(scheme: Mapping[str, Any], name: str, host: str) -> Credential:
    secret = f"{host}/{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}"
    kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
    if kind == "apiKey" and scheme.get("in") in {"header", "query", "cookie"}:
        check_header_name(str(scheme["name"]))
        return Credential(kind=scheme["in"], secret=secret, name=str(scheme["name"]))
    if kind == "http" and way in {"bearer", "basic"}:
        return Credential(kind="bearer" if way == "bearer" else "basic", secret=secret)
    if kind in {"oauth2", "openIdConnect"}:
        return Credential(kind="bearer", secret=secret)  # a token that somebody obtained and stored
    raise NotImportableError(f"its security scheme {name} ({way or kind}) is not known here")


def _errors(document: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for status, response in (node.get("responses") or {}).items():
        code = dereferenced(document, response).get("x-atende-error") if isinstance(response, Mapping) else None
        if isinstance(code, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,59}", code) and str(status).isdigit():
            found[str(status)] = code
    return found


def _description(operation: _Operation) -> str:
    node = operation.node
    said = [str(node[key]).strip() for key in ("summary", "description") if node.get(key)]
    text = " ".join(". ".join(one.rstrip(".") for one in said).split())
    return text[:_LONGEST_DESCRIPTION] or operation.where
