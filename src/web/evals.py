"""Evals on the pages: how the pass rates went, and each published run's report. For administrators."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.eval_runs import EvalRuns
from store import inbox
from web.access import CurrentVisitor, Visitor
from web.pages import pages
from web.services import services


def evals_router(runs: EvalRuns) -> APIRouter:
    """The pages under ``/evals``. Publishing is the command line's: ``atende eval publish``."""
    router = APIRouter(prefix="/evals")

    @router.get("")
    async def show_history(request: Request, visitor: CurrentVisitor) -> Response:
        _administers(visitor)
        rows, courses = await runs.history(visitor.tenant_id)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            zone = ZoneInfo((await inbox.workspace(tx)).timezone)
        return pages(request).render(request, "evals/history.html", rows=rows, courses=courses, zone=zone)

    @router.get("/{run_id}")
    async def show_run(request: Request, visitor: CurrentVisitor, run_id: UUID) -> Response:
        view = await runs.view(visitor.tenant_id, run_id)  # another tenant's must look like none, whoever asks
        _administers(visitor)
        return pages(request).render(request, "evals/page.html", view=view, packs_from=f"/evals/{run_id}/transcripts/")

    @router.get("/{run_id}/transcripts/{number}")
    async def show_transcripts(visitor: CurrentVisitor, run_id: UUID, number: int) -> Response:
        """Some cases' transcripts, gzipped JSON, which the page unpacks."""
        packed = await runs.pack(visitor.tenant_id, run_id, number)
        _administers(visitor)
        return Response(packed, media_type="application/gzip")

    return router


def _administers(visitor: Visitor) -> None:
    visitor.need(Right.EVALS_READ)
