"""What the tenant's own systems can do for the assistant, in the browser: brought in, trusted, tried; their keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import AtendeError, InvalidInputError
from domain.roles import Right
from flows.function_forms import arguments_schema
from flows.function_imports import FunctionImports
from flows.function_versions import function_version
from flows.functions import IDENTITY, REQUIRED
from flows.functions_desk import Imported, Person, needed_secrets
from store.functions import FunctionRow
from web.access import CurrentVisitor, Visitor
from web.admin_frame import version_in
from web.complaints import Complaint, complaints, status_of
from web.i18n import known_language
from web.pages import pages
from web.schema_form import FormError, arguments_of, fields_of

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
CREDENTIALS: Final = ("bearer", "header", "query", "basic")
_MOST_BYTES: Final = 16 * 1024 * 1024
_EMPTY: Final[Mapping[str, str]] = {
    "name": "",
    "description": "",
    "effect": "read",
    "method": "GET",
    "url": "https://",
    "parameters": '{\n  "type": "object",\n  "properties": {},\n  "required": []\n}',
    "credential": "",
    "credential_name": "",
    "secret": "",
}


def functions_router(imports: FunctionImports) -> APIRouter:
    """The pages under ``/functions``."""
    router = APIRouter(prefix="/functions")
    _bringing_in(router, imports)
    _keys(router, imports)

    @router.get("")
    async def show_all(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.FUNCTIONS_READ)
        return await _list(request, visitor, imports)

    @router.get("/{function}")
    async def show(request: Request, visitor: CurrentVisitor, function: str) -> Response:
        visitor.need(Right.FUNCTIONS_READ)
        return await _one(request, visitor, imports, function)

    @router.post("/{function}/try")
    async def try_out(
        request: Request, visitor: CurrentVisitor, function: str, really: Annotated[str, Form()] = ""
    ) -> Response:
        """One that reads is called. One that writes is only shown, unless somebody confirmed that it shall act."""
        row = await _administered(visitor, imports, function)
        posted = await request.form()
        try:
            arguments = arguments_of(arguments_schema(row), posted)
        except FormError as error:
            more: dict[str, Any] = {"fields": error.fields, "problems": error.problems}
            return await _one(request, visitor, imports, function, status=422, **more)
        fields = fields_of(arguments_schema(row), arguments)
        phone = "".join(one for one in str(posted.get("phone") or "") if one.isdigit())
        person = Person((f"phone:+{phone}",) if phone else (), known_language(visitor.tenant_locale) or "pt")
        try:
            if row.effect == "write" and not really:
                shown = await imports.preview(visitor.tenant_id, function, arguments)
                return await _one(request, visitor, imports, function, fields=fields, preview=shown, given=arguments)
            tried = await imports.try_out(visitor.tenant_id, function, arguments, person)
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return await _one(request, visitor, imports, function, status=status, fields=fields, complaints=wrong)
        return await _one(request, visitor, imports, function, fields=fields, tried=tried)

    @router.post("/{function}/{act}")
    async def act(
        request: Request,
        visitor: CurrentVisitor,
        function: str,
        act: Literal["trust", "identity", "remove"],
        value: Annotated[str, Form()] = "",
    ) -> Response:
        """``value``: yes or no, of trust and identity."""
        row = await _administered(visitor, imports, function)
        form = await request.form()
        chosen = [str(one) for one in form.getlist("intent")]
        wished = value == "yes"
        based: dict[str, Any] = {"version": version_in(form), "actor": str(visitor.actor)}
        try:
            match act:
                case "trust":
                    await imports.desk.trust(visitor.tenant_id, row.name, trusted=wished, intents=chosen, **based)
                case "identity":
                    await imports.desk.require_identity(visitor.tenant_id, row.name, required=wished, **based)
                case "remove":
                    await imports.desk.remove(visitor.tenant_id, row.name, **based)
                    return RedirectResponse("/functions", status_code=303)
        except InvalidInputError as error:
            wrong = complaints(error)
            return await _one(request, visitor, imports, function, status=422, complaints=wrong)
        return RedirectResponse(f"/functions/{row.name}", status_code=303)

    return router


def _bringing_in(router: APIRouter, imports: FunctionImports) -> None:
    """First: below, any word is the name of a function."""

    @router.get("/new")
    async def new(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.FUNCTIONS_WRITE)
        return _form(request, _EMPTY)

    @router.post("/new")
    async def declare(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.FUNCTIONS_WRITE)
        entered = {**_EMPTY, **{key: str(value) for key, value in (await request.form()).items()}}
        try:
            await imports.declare(visitor.tenant_id, _declared(entered), actor=str(visitor.actor))
        except AtendeError as error:
            return _form(request, entered, status=status_of(error), complaints=complaints(error))
        return RedirectResponse(f"/functions/{entered['name'].strip()}", status_code=303)

    @router.post("/import")
    async def bring(  # noqa: PLR0917 - its fields
        request: Request,
        visitor: CurrentVisitor,
        address: Annotated[str, Form()] = "",
        pasted: Annotated[str, Form()] = "",
        prefix: Annotated[str, Form(pattern=r"^[a-z0-9_]{0,30}$")] = "",
        endpoint: Annotated[str, Form()] = "",
    ) -> Response:
        visitor.need(Right.FUNCTIONS_WRITE)
        file = (await request.form()).get("file")
        chosen = {"prefix": prefix, "endpoint": endpoint, "actor": str(visitor.actor)}
        try:
            if isinstance(file, UploadFile) and file.filename:
                raw = await file.read(_MOST_BYTES + 1)
                found = await imports.document(visitor.tenant_id, raw, **chosen)
            elif address.strip():
                found = await imports.address(visitor.tenant_id, address.strip(), **chosen)
            else:
                found = await imports.document(visitor.tenant_id, pasted.encode(), **chosen)
        except (AtendeError, OSError) as error:
            return await _refused(request, visitor, imports, error, {"pasted": pasted, "address": address})
        return await _list(request, visitor, imports, imported=found)

    @router.post("/mcp")
    async def bring_mcp(  # noqa: PLR0917 - its fields
        request: Request,
        visitor: CurrentVisitor,
        url: Annotated[str, Form()] = "",
        prefix: Annotated[str, Form(pattern=r"^[a-z0-9_]{0,30}$")] = "",
        header: Annotated[str, Form()] = "",
        secret: Annotated[str, Form()] = "",
    ) -> Response:
        visitor.need(Right.FUNCTIONS_WRITE)
        pair = (header.strip(), secret.strip())
        try:
            found = await imports.mcp(
                visitor.tenant_id, url.strip(), prefix=prefix, secret=pair, actor=str(visitor.actor)
            )
        except (AtendeError, OSError) as error:
            return await _refused(request, visitor, imports, error, {"mcp": url})
        return await _list(request, visitor, imports, imported=found)


def _keys(router: APIRouter, imports: FunctionImports) -> None:
    @router.post("/secrets")
    async def keep(
        request: Request,
        visitor: CurrentVisitor,
        name: Annotated[str, Form()] = "",
        value: Annotated[str, Form(max_length=20_000)] = "",
    ) -> Response:
        """Stored sealed; no page ever shows it again."""
        visitor.need(Right.FUNCTIONS_WRITE)
        try:
            await imports.desk.set_secret(visitor.tenant_id, name.strip(), value.strip(), actor=str(visitor.actor))
        except AtendeError as error:
            return await _list(request, visitor, imports, status=422, complaints=complaints(error))
        return RedirectResponse("/functions#secrets", status_code=303)

    @router.post("/secrets/remove")
    async def forget(visitor: CurrentVisitor, name: Annotated[str, Form()] = "") -> Response:
        visitor.need(Right.FUNCTIONS_WRITE)
        await imports.desk.remove_secret(visitor.tenant_id, name, actor=str(visitor.actor))
        return RedirectResponse("/functions#secrets", status_code=303)


async def _administered(visitor: Visitor, imports: FunctionImports, function: str) -> FunctionRow:
    row = await imports.desk.one(visitor.tenant_id, function)  # another tenant's must look like none, whoever asks
    visitor.need(Right.FUNCTIONS_WRITE)
    return row


def _declared(entered: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a file of functions/, from the form."""
    try:
        parameters = json.loads(entered["parameters"] or "{}")
    except ValueError as error:
        raise InvalidInputError("parameters", f"is not valid JSON: {error}") from None
    fields: dict[str, Any] = {
        **{key: entered[key].strip() for key in ("name", "description", "effect", "method", "url")},
        "parameters": parameters or {"type": "object", "properties": {}},
    }
    if entered["credential"]:
        credential = {"kind": entered["credential"], "secret": entered["secret"].strip()}
        named = {"name": entered["credential_name"].strip()} if entered["credential"] in {"header", "query"} else {}
        fields["credentials"] = [credential | named]
    return fields


def _form(
    request: Request, entered: Mapping[str, str], *, status: int = 200, complaints: list[Complaint] | None = None
) -> Response:
    more = {"entered": entered, "methods": METHODS, "credentials": CREDENTIALS, "complaints": complaints or []}
    return pages(request).render(request, "functions/new.html", status=status, **more)


async def _refused(
    request: Request, visitor: Visitor, imports: FunctionImports, error: Exception, entered: Mapping[str, str]
) -> Response:
    wrong = complaints(error) if isinstance(error, AtendeError) else [Complaint(str(error) or type(error).__name__)]
    return await _list(request, visitor, imports, status=422, complaints=wrong, entered=entered)


async def _list(
    request: Request,
    visitor: Visitor,
    imports: FunctionImports,
    *,
    status: int = 200,
    complaints: list[Complaint] | None = None,
    imported: Imported | None = None,
    entered: Mapping[str, str] | None = None,
) -> Response:
    rows, secrets, hosts = await imports.desk.all(visitor.tenant_id)
    missing = sorted({name for row in rows for name in needed_secrets(row)} - set(secrets))
    return pages(request).render(
        request,
        "functions/page.html",
        status=status,
        functions=rows,
        sensitive={row.name for row in rows if row.declaration.get(IDENTITY) == REQUIRED},
        secrets=secrets,
        missing=missing,
        hosts=hosts,
        imported=imported,
        entered={"pasted": "", "address": "", "mcp": "", **(entered or {})},
        complaints=complaints or [],
        may_write=visitor.may(Right.FUNCTIONS_WRITE),
    )


async def _one(
    request: Request, visitor: Visitor, imports: FunctionImports, function: str, *, status: int = 200, **more: Any
) -> Response:
    row = await imports.desk.one(visitor.tenant_id, function)
    context = {
        "fields": fields_of(arguments_schema(row)),
        "problems": (),
        "complaints": [],
        "tried": None,
        "preview": None,
        "given": {},
        **more,
    }
    return pages(request).render(
        request,
        "functions/function.html",
        status=status,
        function=row,
        version=function_version(row),
        shown_source=row.shown_source,
        needs_identity=row.declaration.get(IDENTITY) == REQUIRED,
        details=row.details.get("calls") or row.details.get("tool") or "",
        schema=arguments_schema(row),
        may_write=visitor.may(Right.FUNCTIONS_WRITE),
        **context,
    )
