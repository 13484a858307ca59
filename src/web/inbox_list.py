"""The inbox's list: its queues, filters and search, its lines in pages, and the lines that changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from domain.conversation import PRIORITIES
from domain.roles import Right
from flows.targets import Targets, read_targets
from store import inbox, queues
from store.database import Connection
from store.queues import Filters, Line, Queue
from web.access import CurrentVisitor, Visitor, needs
from web.pages import pages
from web.services import services

router = APIRouter(prefix="/inbox", dependencies=[needs(Right.CONVERSATIONS_READ)])
LINES = 40
_ASKED_AT_ONCE = 100
_NONE: Any = BeforeValidator(lambda given: given or None)
"""An empty field of a form is none."""
_FORMER = {"open": "all", "attention": "unassigned"}
"""Queues under the names that addresses kept by people may have."""


class ListQuery(BaseModel):
    """What the list shows: a queue, filters within it, words to search for, and a place in it."""

    view: Annotated[Queue, BeforeValidator(lambda given: _FORMER.get(given, given))] = "all"
    base: Literal["/inbox", "/demo"] = "/inbox"
    selected: Annotated[UUID | None, _NONE] = None
    q: Annotated[str, Query(max_length=200)] = ""
    status: Annotated[Literal["bot", "waiting", "human", "closed"] | None, _NONE] = None
    number: Annotated[UUID | None, _NONE] = None
    team: Annotated[UUID | None, _NONE] = None
    label: Annotated[str | None, _NONE] = None
    assignee: Annotated[UUID | None, _NONE] = None
    priority: Annotated[Literal["low", "normal", "high", "urgent"] | None, _NONE] = None
    unread: bool = False
    after: str | None = None
    before: str | None = None

    @property
    def filters(self) -> Filters:
        return Filters(
            status=self.status,
            number=self.number,
            team=self.team,
            label=self.label,
            assignee=self.assignee,
            priority=PRIORITIES[self.priority] if self.priority else None,
            unread=self.unread,
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether something besides the queue is asked for."""
        return self.filters != Filters()

    def address(self, **other: str) -> str:
        """The query of the page that shows this list, with other values for some fields."""
        from urllib.parse import urlencode  # noqa: PLC0415 - a template's

        shown = self.model_dump(mode="json", exclude={"base", "selected", "after", "before"}, exclude_defaults=True)
        return urlencode({"view": self.view} | shown | other)


WantedList = Annotated[ListQuery, Query()]


@router.get("/list")
async def show_list(request: Request, visitor: CurrentVisitor, wanted: WantedList) -> Response:
    """The whole list, or the lines before or after a place in it."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        context = await list_context(tx, visitor, wanted)
    template = "inbox/rows.html" if wanted.after or wanted.before else "inbox/list.html"
    return pages(request).render(request, template, **context)


@router.get("/rows")
async def show_rows(
    request: Request, visitor: CurrentVisitor, wanted: WantedList, ids: Annotated[str, Query(max_length=4_000)] = ""
) -> Response:
    """Those of these conversations that belong into the list as it is shown, and the queues' figures."""
    asked = [UUID(one) for one in ids.split(",")[:_ASKED_AT_ONCE] if one]
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        lines = await queues.some(tx, wanted.view, visitor.user_id, wanted.filters, asked)
        context = {
            **await _frame(tx, visitor, wanted),
            "counts": await queues.counts(tx, visitor.user_id),
            "lines": lines,
            "more": None,
        }
    return pages(request).render(request, "inbox/changed_rows.html", **context)


async def list_context(tx: Connection, visitor: Visitor, wanted: ListQuery) -> dict[str, Any]:
    """What the list's templates need."""
    filters = wanted.filters
    if wanted.q.strip():
        page = await queues.searched(tx, wanted.view, visitor.user_id, filters, wanted.q, after=wanted.after)
    else:
        page = await queues.page(
            tx, wanted.view, visitor.user_id, filters, after=wanted.after, before=wanted.before, limit=LINES
        )
    is_whole = wanted.after is None and wanted.before is None
    return {
        **await _frame(tx, visitor, wanted),
        "lines": page.lines,
        "more": page.after,
        "counts": await queues.counts(tx, visitor.user_id) if is_whole else None,
        "choices": await filter_choices(tx) if is_whole else None,
    }


async def _frame(tx: Connection, visitor: Visitor, wanted: ListQuery) -> dict[str, Any]:
    space = await inbox.workspace(tx)
    return {
        "wanted": wanted,
        "view": wanted.view,
        "base": wanted.base,
        "selected": wanted.selected,
        "zone": ZoneInfo(space.timezone),
        "workspace": space,
        "lateness": Lateness(await read_targets(tx, visitor.tenant_id)),
    }


async def filter_choices(tx: Connection) -> dict[str, list[tuple[str, str]]]:
    """What may be filtered by, as (value, words): numbers, teams, people, labels."""
    numbers = await tx.fetch("SELECT id, name FROM channel_session ORDER BY name, id")
    teams = await tx.fetch("SELECT id, name FROM team ORDER BY name")
    return {
        "number": _pairs(numbers),
        "team": _pairs(teams),
        "assignee": _pairs(await people(tx)),
        "label": [(name, name) for name in await queues.labels(tx)],
    }


async def people(tx: Connection) -> list[Any]:
    """Members of the business, by name: id, name, away."""
    return list(
        await tx.fetch(
            "SELECT u.id, u.name, m.away_at IS NOT NULL AS away, m.role FROM membership m "
            "JOIN user_account u ON u.id = m.user_id WHERE m.tenant_id = current_tenant() ORDER BY u.name"
        )
    )


def _pairs(rows: Iterable[Any]) -> list[tuple[str, str]]:
    return [(str(row["id"]), row["name"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a customer has waited. ``due``: when it becomes too long; None: no target is set."""

    since: datetime
    due: datetime | None

    @property
    def colour(self) -> str:
        """ok, soon (three quarters are over), late; or none without a target."""
        if self.due is None:
            return "none"
        now = datetime.now(UTC)
        if now >= self.due:
            return "late"
        return "soon" if now - self.since >= (self.due - self.since) * 0.75 else "ok"


class Lateness:
    """What a line's waiting time means against the tenant's targets."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    def of(self, line: Line) -> Waiting | None:
        """None: nobody waits for a person."""
        target = self._targets.of(line.priority, line.team_id)
        ends = []
        if line.asked_at is not None:
            ends.append((line.asked_at, target.first_answer))
        if line.status == "waiting" and line.waiting_since is not None:
            ends.append((line.waiting_since, target.waiting))
        if not ends or line.status == "closed":
            return None
        due = [since + lasts for since, lasts in ends if lasts is not None]
        return Waiting(min(since for since, _ in ends), min(due) if due else None)
