"""The dashboard: figures over a range of days, each with its chart, table, definition and CSV; and the same as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.reports import FIGURES, GROUPS, PARAMETERS, Reports, Wish
from web import report_words
from web.access import Visitor, needs
from web.api import Api, answer
from web.pages import pages
from web.report_export import csv_lines

Reader = Annotated[Visitor, needs(Right.REPORTS_READ)]


def reports_router(reports: Reports) -> APIRouter:
    """The page, its figures one by one, and their files."""
    router = APIRouter(prefix="/reports")

    @router.get("")
    async def show(request: Request, visitor: Reader) -> Response:
        wish = Wish.read(request.query_params)
        return pages(request).render(
            request,
            "reports/page.html",
            days=await reports.days(visitor.tenant_id, wish),
            wish=wish,
            choices=await reports.choices(visitor.tenant_id),
            figures=list(FIGURES),
            groups=GROUPS,
            query=_query(request),
            words=report_words,
        )

    @router.get("/{figure}.csv")
    async def export(request: Request, visitor: Reader, figure: str) -> Response:
        """The figure as a file, sent line by line."""
        counted = await reports.count(visitor.tenant_id, figure, Wish.read(request.query_params))
        name = f"{counted.figure.name}-{counted.days.first}-{counted.days.last}.csv"

        async def lines() -> AsyncIterator[str]:
            for line in csv_lines(counted, counted.by):
                yield line

        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)

    @router.get("/{figure}")
    async def figure_card(request: Request, visitor: Reader, figure: str) -> Response:
        """One figure of the page."""
        counted = await reports.count(visitor.tenant_id, figure, Wish.read(request.query_params))
        return pages(request).render(
            request, "reports/figure.html", counted=counted, query=_query(request), words=report_words
        )

    return router


def reports_api_router(api: Api, reports: Reports) -> APIRouter:
    """``/api/v1/reports``: the same figures for programs."""
    router = APIRouter(prefix="/api/v1")
    reads = Depends(api.caller(Right.REPORTS_READ.value))

    @router.get("/reports", openapi_extra=_example({"figures": [{"figure": "conversations", "definition": "…"}]}))
    async def listed(_: ApiCaller = reads) -> Response:
        """All figures with what each counts, in English."""
        found = [
            {
                "figure": name,
                "definition": report_words.DEFINITIONS[name],
                "groups": list(figure.groups()),
                "columns": [{"name": column.name, "unit": column.unit} for column in figure.columns],
            }
            for name, figure in FIGURES.items()
        ]
        return answer({"figures": found})

    @router.get("/reports/{figure}", openapi_extra=_example(_EXAMPLE, parameters=True))
    async def one(request: Request, figure: str, caller: ApiCaller = reads) -> Response:
        """One figure. Days are the tenant's own; seconds, shares from 0 to 1, money in millionths."""
        counted = await reports.count(caller.tenant_id, figure, Wish.read(request.query_params))
        return answer({**counted.as_json(), "definition": report_words.DEFINITIONS[figure]})

    return router


def _query(request: Request) -> str:
    """What the page was asked for, as it stands in the links of its parts."""
    return urlencode([(name, request.query_params[name]) for name in PARAMETERS if request.query_params.get(name)])


_EXAMPLE: dict[str, Any] = {
    "figure": "automatic_resolution",
    "range": {"from": "2026-11-01", "to": "2026-11-30", "timezone": "America/Sao_Paulo"},
    "before_range": {"from": "2026-10-02", "to": "2026-10-31", "timezone": "America/Sao_Paulo"},
    "by": "day",
    "ignored_filters": [],
    "columns": [{"name": "closed", "unit": "count"}, {"name": "share", "unit": "share"}],
    "total": {"closed": 120, "share": 0.71},
    "before": {"closed": 104, "share": 0.66},
    "rows": [{"key": "2026-11-01", "label": "2026-11-01", "closed": 4, "share": 0.75}],
}


def _example(example: Any, *, parameters: bool = False) -> dict[str, Any]:
    extra: dict[str, Any] = {"responses": {"200": {"content": {"application/json": {"example": example}}}}}
    if parameters:
        extra["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in PARAMETERS
        ]
    return extra
