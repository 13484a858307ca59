"""Cases from work, in the browser: the click in the inbox that proposes one, and the queue of their review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import ConflictError, InvalidInputError
from domain.roles import Right
from flows.eval_cases import EvalCases, Wanted
from store import eval_cases, inbox, thread
from store.database import Row
from store.eval_cases import State
from web.access import CurrentVisitor, Visitor, needs
from web.pages import pages
from web.services import services

_PAGE = 30
_TITLE = 90
"""Characters of a title that is made from what the customer said."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case's row, and what its templates show of its content."""

    row: Row

    @property
    def case(self) -> dict[str, Any]:
        found: dict[str, Any] = self.row["content"]["case"]
        return found

    @property
    def happened(self) -> dict[str, Any]:
        found: dict[str, Any] = self.row["content"]["happened"]
        return found

    @property
    def title(self) -> str:
        """Its own, or how the customer began: the case's name tells nobody anything."""
        said = " · ".join(self.said)
        short = said if len(said) <= _TITLE else f"{said[: _TITLE - 1].rstrip()}…"
        return str(self.case.get("title") or short or self.case["name"])

    @property
    def own_title(self) -> str:
        return str(self.case.get("title", ""))

    @property
    def earlier(self) -> list[dict[str, Any]]:
        return list(self.case.get("given", {}).get("messages", ()))

    @property
    def said(self) -> list[str]:
        """The customer's messages; of a file its kind."""
        return [
            one if isinstance(one, str) else one.get("text") or f"[{one['kind']}]" for one in self.case.get("say", ())
        ]

    @property
    def rejected_for(self) -> str:
        """The code of a rejection's reason; "" where nothing was rejected."""
        return str(self.happened.get("reject_reason") or "").partition(": ")[0]

    @property
    def rejected_note(self) -> str:
        """The rejection's reason in the operator's words."""
        return str(self.happened.get("reject_reason") or "").partition(": ")[2]

    def lines(self, name: str) -> list[str]:
        """An expectation as a list of texts."""
        found = self.case.get("expect", {}).get(name, [])
        return [found] if isinstance(found, str) else list(found)


Text = Annotated[str, Form(max_length=8_000)]


def eval_cases_router(cases: EvalCases) -> APIRouter:
    """Everybody of the tenant may propose and look; administrators change, accept and drop."""
    router = APIRouter()

    @router.post("/inbox/{conversation_id}/turns/{turn_id}/case", dependencies=[needs(Right.CASES_WRITE)])
    async def propose(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, turn_id: UUID, note: Text = ""
    ) -> Response:
        """Make a case of this turn."""
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            await thread.head(tx, conversation_id)  # another tenant's must look like none
        case_id = await cases.propose(visitor.actor, conversation_id, turn_id, note)
        return pages(request).render(request, "evals/proposed.html", case_id=case_id)

    @router.get("/evals/cases", dependencies=[needs(Right.CASES_WRITE)])
    async def show_queue(
        request: Request,
        visitor: CurrentVisitor,
        state: State = "proposed",
        before: datetime | None = None,
        before_id: UUID | None = None,
    ) -> Response:
        page = (before, before_id) if before and before_id else None
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            rows = await eval_cases.listed(tx, state, before=page, limit=_PAGE + 1)
            counts = await eval_cases.counts(tx)
            zone = ZoneInfo((await inbox.workspace(tx)).timezone)
        template = "evals/rows.html" if page else "evals/cases.html"
        return pages(request).render(
            request,
            template,
            cases=[CaseView(row) for row in rows[:_PAGE]],
            more=len(rows) > _PAGE,
            state=state,
            counts=counts,
            zone=zone,
        )

    @router.get("/evals/cases/{case_id}", dependencies=[needs(Right.CASES_WRITE)])
    async def show_case(request: Request, visitor: CurrentVisitor, case_id: UUID) -> Response:
        return await _answer(request, visitor, case_id, template="evals/case.html")

    @router.get("/evals/cases/{case_id}/content", dependencies=[needs(Right.CASES_WRITE)])
    async def show_content(request: Request, visitor: CurrentVisitor, case_id: UUID) -> Response:
        """The part of the page that changes."""
        return await _answer(request, visitor, case_id)

    @router.post("/evals/cases/{case_id}")
    async def change(  # noqa: PLR0917 - the form's fields
        request: Request,
        visitor: CurrentVisitor,
        case_id: UUID,
        title: Text = "",
        decision: Text = "",
        intent: Text = "",
        contains: Text = "",
        lacks: Text = "",
        reply: Text = "",
    ) -> Response:
        """Expect something else; the case is played again."""
        await _own(request, visitor, case_id)
        wanted = Wanted(title, decision, intent, contains, lacks, reply)
        try:
            await cases.change(visitor.actor, case_id, wanted)
        except (InvalidInputError, ConflictError) as error:
            return await _answer(request, visitor, case_id, problem=error.sentence())
        return await _answer(request, visitor, case_id)

    @router.post("/evals/cases/{case_id}/hide")
    async def hide(
        request: Request, visitor: CurrentVisitor, case_id: UUID, text: Text = "", instead: Text = ""
    ) -> Response:
        """Replace what no rule recognised as personal."""
        await _own(request, visitor, case_id)
        try:
            await cases.hide(visitor.actor, case_id, text, instead)
        except (InvalidInputError, ConflictError) as error:
            return await _answer(request, visitor, case_id, problem=error.sentence())
        return await _answer(request, visitor, case_id)

    @router.post("/evals/cases/{case_id}/decision")
    async def decide(
        request: Request,
        visitor: CurrentVisitor,
        case_id: UUID,
        verdict: Annotated[Literal["accept", "force", "drop", "reopen"], Form()],
        reason: Text = "",
    ) -> Response:
        """Accept it (``force``: though it was not reproduced), drop it, or put it back into the queue."""
        await _own(request, visitor, case_id)
        try:
            match verdict:
                case "accept":
                    await cases.accept(visitor.actor, case_id, reason=reason)
                case "force":
                    await cases.accept(visitor.actor, case_id, reason=reason, force=True)
                case "drop":
                    await cases.drop(visitor.actor, case_id, reason)
                case "reopen":
                    await cases.reopen(visitor.actor, case_id)
        except (InvalidInputError, ConflictError) as error:
            return await _answer(request, visitor, case_id, problem=error.sentence())
        return await _answer(request, visitor, case_id)

    return router


async def _own(request: Request, visitor: Visitor, case_id: UUID) -> None:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        await eval_cases.one(tx, case_id)  # another tenant's must look like none, whoever asks
    visitor.need(Right.EVALS_WRITE)


async def _answer(
    request: Request, visitor: Visitor, case_id: UUID, *, template: str = "evals/content.html", problem: str = ""
) -> Response:
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        row = await eval_cases.one(tx, case_id)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    return pages(request).render(
        request,
        template,
        case=CaseView(row),
        row=row,
        zone=zone,
        problem=problem,
        last_event=last_event,
        may_act=visitor.may(Right.EVALS_WRITE),
    )
