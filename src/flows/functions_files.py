"""Functions over HTTP in a tenant's folder: ``functions/*.yaml`` or .json, each one function or an OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from flows.attendance_declaration import Declared
from flows.declared_files import FileReader
from tools.declaration import Effect
from tools.http_assembly import Input, NotImportableError, assemble, check_header_name
from tools.http_call import HttpDeclaration
from tools.http_declaration import (
    DEFAULT_MOST_BYTES,
    DEFAULT_TIMEOUT,
    BodyFormat,
    Credential,
    HttpDetails,
    Place,
)
from tools.openapi import RESERVED_NAMES, ImportChoices, functions_of
from tools.openapi_schema import Schemas
from tools.openapi_text import DocumentUnusableError, parse_document
from tools.schema import SchemaUnusableError, check_schema

FOLDER = "functions"
_PLACE = "x-atende-in"
_ENDINGS = frozenset({".yaml", ".yml", ".json"})


class HttpFunctionFile(Declared):
    """One file of functions/. ``parameters`` is a JSON Schema of the arguments; a property's ``x-atende-in`` says where
    it goes: path where the address names it, else query for GET, HEAD and DELETE, and the body for the rest."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    description: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    effect: Effect
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2_000)]
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    body: BodyFormat | None = None
    credentials: tuple[Credential, ...] = ()
    sign_with: str = ""
    idempotent: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = DEFAULT_TIMEOUT
    most_bytes: Annotated[int, Field(gt=0, le=4 * 1024 * 1024)] = DEFAULT_MOST_BYTES
    errors: dict[str, str] = Field(default_factory=dict)
    result: str = ""


def http_functions(reader: FileReader) -> dict[str, HttpDeclaration]:
    """The functions of all files by name; mistakes are noted with the reader."""
    found: dict[str, HttpDeclaration] = {}
    homes: dict[str, str] = {}
    for file in _files(reader):
        for declared in _of_file(reader, file):
            if declared.name in homes:
                reader.problem(file, declared.name, f"is in {homes[declared.name]} too.", "Rename one of them.")
                continue
            homes[declared.name] = file
            found[declared.name] = declared
    return found


def files_of(folder: Any) -> list[str]:
    """Relative paths of the files that may declare functions."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in (folder / FOLDER).glob("*")
        if path.is_file() and path.suffix in _ENDINGS and not path.name.startswith((".", "_"))
    )


def _files(reader: FileReader) -> list[str]:
    for path in sorted((reader.folder / FOLDER).glob("*")):
        if path.suffix not in _ENDINGS and not path.name.startswith((".", "_", "README")):
            what = "Rename it to end in .yaml or .json, or move it elsewhere."
            reader.problem(f"{FOLDER}/{path.name}", "", "is not read.", what)
    return files_of(reader.folder)


def _of_file(reader: FileReader, file: str) -> list[HttpDeclaration]:
    text = reader.text(file)
    if text is None:
        return []
    try:
        document = parse_document(text.encode())
    except DocumentUnusableError as error:
        reader.problem(file, "", f"cannot be read: {error.problem}.", "Correct it.")
        return []
    if isinstance(document, Mapping) and ("openapi" in document or "swagger" in document):
        return _of_openapi(reader, file, document)
    try:
        declared = HttpFunctionFile.model_validate(document)
    except ValidationError as error:
        for detail in error.errors():
            key = ".".join(str(part) for part in detail["loc"])
            reader.problem(file, key, f"{detail['msg'][:1].lower()}{detail['msg'][1:]}.", "Correct it.")
        return []
    try:
        return [http_declaration(declared)]
    except (NotImportableError, SchemaUnusableError) as error:
        reader.problem(file, "parameters", f"cannot be used: {error}.", "Correct it.")
        return []


def _of_openapi(reader: FileReader, file: str, document: Mapping[str, Any]) -> list[HttpDeclaration]:
    try:
        described = functions_of(document, ImportChoices())
    except DocumentUnusableError as error:
        reader.problem(file, "", f"cannot be used: {error.problem}.", error.hint)
        return []
    for operation, why in described.problems:
        reader.problem(file, operation, f"is no function: {why}.", "Correct it, or add x-atende-ignore: true.")
    return list(described.functions)


def http_declaration(declared: HttpFunctionFile) -> HttpDeclaration:
    """What a file declares, ready to be called. Raises NotImportableError or SchemaUnusableError."""
    if declared.name in RESERVED_NAMES:
        raise NotImportableError(f"{declared.name} means something else to models")
    # The file's schema is a document of its own: its references lead into itself.
    schemas = Schemas(declared.parameters)
    schema = {"type": "object", "properties": {}, **schemas.convert(declared.parameters)}
    named = set(re.findall(r"\{([^{}]*)\}", declared.url))
    asked_by_address = declared.method in {"GET", "HEAD", "DELETE"}
    inputs, below, required = [], {}, list(schema.get("required", ()))
    for name, one in schema["properties"].items():
        place = one.pop(_PLACE, "path" if name in named else "query" if asked_by_address else "body")
        if place == "body":
            below[name] = one
        elif place in {"path", "query", "header", "cookie"}:
            inputs.append(Input(name, _place(place), one, required=name in required))
        else:
            raise NotImportableError(f"{name} has {_PLACE}: {place!r}")
    if missing := named - {one.name for one in inputs if one.place == "path"}:
        raise NotImportableError(f"the address names {', '.join(sorted(missing))}, which parameters does not hold")
    body = {"type": "object", "properties": below, "required": [name for name in required if name in below]}
    body_format: BodyFormat = declared.body or ("none" if asked_by_address and not below else "json")
    assembled = assemble(inputs, (body_format, body) if below else None, definitions=schemas.definitions)
    check_schema(assembled.schema)
    for credential in declared.credentials:
        if credential.kind in {"header", "cookie", "query"}:
            check_header_name(credential.name)
    details = HttpDetails(
        method=declared.method,
        url=declared.url,
        parts=assembled.parts,
        body=body_format,
        credentials=declared.credentials,
        sign_with=declared.sign_with,
        idempotent=declared.idempotent,
        timeout_seconds=declared.timeout_seconds,
        most_bytes=declared.most_bytes,
        errors=declared.errors,
        result=declared.result,
    )
    return HttpDeclaration(declared.name, declared.description, declared.effect, assembled.schema, details)


def _place(text: str) -> Place:
    places: dict[str, Place] = {"path": "path", "query": "query", "header": "header", "cookie": "cookie"}
    return places[text]
