"""Business functions from tools as OpenAI's interfaces list them, all served by one endpoint of the tenant's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tools.http_assembly import NotImportableError, assemble
from tools.http_call import HttpDeclaration
from tools.http_declaration import HttpDetails, Part
from tools.import_choices import unmet
from tools.openapi import LONGEST_NAME, RESERVED_NAMES, Described, ImportChoices, tool_name
from tools.openapi_schema import Schemas
from tools.openapi_text import DocumentUnusableError
from tools.schema import SchemaUnusableError, check_schema

NAME_MARK = "{name}"


def is_tool_list(document: Any) -> bool:
    """Whether it looks like a list of tools rather than an API description."""
    return isinstance(document, list) or (
        isinstance(document, Mapping) and "openapi" not in document and isinstance(document.get("tools"), list)
    )


def functions_of_tools(document: Any, endpoint: str, choices: ImportChoices) -> Described:
    """Functions that POST to ``endpoint``.

    An endpoint with ``{name}`` in it gets the arguments as a JSON object; one without gets ``{"name": …, "arguments":
    {…}}``. Both shapes are read: ``{"type": "function", "function": {…}}`` (chat completions) and ``{"type":
    "function", "name": …}`` (responses). Nothing in such a list tells an effect, so each function is a write unless
    ``choices.effects`` or its ``x-atende-effect`` says that it reads. Raises DocumentUnusableError.
    """
    parts = urlsplit(endpoint.replace(NAME_MARK, "name"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise DocumentUnusableError(
            "a list of tools does not say where to call them", hint="Give the address with --endpoint."
        )
    found, problems, seen = list[HttpDeclaration](), list[tuple[str, str]](), set[str]()
    for place, node in _tools(document):
        try:
            declared = _function(node, endpoint, choices, seen)
        except (NotImportableError, SchemaUnusableError) as error:
            problems.append((place, str(error)))
            continue
        if not choices.only or declared.name in choices.only:
            seen.add(declared.name)
            found.append(declared)
    problems += unmet({*choices.only, *choices.effects}, choices.binds, {one.name: one.details.parts for one in found})
    return Described(parts.netloc, tuple(found), tuple(problems))


def _tools(document: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    listed = document.get("tools") if isinstance(document, Mapping) else document
    for position, tool in enumerate(listed or ()):
        node = tool.get("function", tool) if isinstance(tool, Mapping) else None
        kind = tool.get("type", "function") if isinstance(tool, Mapping) else ""
        if isinstance(node, Mapping) and kind == "function":
            yield str(node.get("name") or f"tool {position}"), node
        else:
            yield f"tool {position}", {}


def _function(
    node: Mapping[str, Any], endpoint: str, choices: ImportChoices, taken: Collection[str]
) -> HttpDeclaration:
    stated = node.get("name")
    if not isinstance(stated, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", stated):
        raise NotImportableError("it is no function with a name")
    name = choices.prefix + tool_name(stated)
    if len(name) > LONGEST_NAME or name in RESERVED_NAMES:
        raise NotImportableError(f"it cannot be called {name}; give a --prefix, or shorten its name")
    if name in taken:
        raise NotImportableError("another tool of the list has the same name")
    effect = choices.effects.get(name) or node.get("x-atende-effect", "write")
    if effect not in {"read", "write"}:
        raise NotImportableError(f"x-atende-effect is {effect!r}; it may be read or write")
    url, whole = endpoint.replace(NAME_MARK, stated), NAME_MARK not in endpoint
    parameters = node.get("parameters") or {"type": "object", "properties": {}}
    # A tool's schema is a document of its own: its references lead into itself.
    schemas = Schemas(parameters)
    schema = {"type": "object", **schemas.convert(parameters)}
    binds = {
        key.rpartition(":")[2]: binding
        for key, binding in choices.binds.items()
        if key.rpartition(":")[0] in {"", name}
    }
    here = {key: binding for key, binding in binds.items() if _has(schema, key)}
    if "properties" not in schema or not schema["properties"]:
        schema = {"type": "object", "properties": {}, "required": []}
    assembled = assemble([], ("json", schema), definitions=schemas.definitions, binds=here)
    check_schema(assembled.schema)
    request = [
        part.model_copy(update={"path": ("arguments", *part.path)}) if whole else part for part in assembled.parts
    ]
    if whole:
        request.append(Part(place="body", name="name", path=("name",), fixed=stated, required=True))
    details = HttpDetails(
        method="POST",
        url=url,
        parts=tuple(request),
        body="json",
        sign_with=f"{urlsplit(url).netloc}/signing" if choices.sign else "",
        idempotent=node.get("x-atende-idempotent") is True,
    )
    description = " ".join(str(node.get("description") or stated).split())[:800]
    return HttpDeclaration(name, description, effect, assembled.schema, details)


def _has(schema: Mapping[str, Any], dotted: str) -> bool:
    node: Any = schema
    for key in dotted.split("."):
        node = (node.get("properties") or {}).get(key) if isinstance(node, Mapping) else None
    return node is not None
