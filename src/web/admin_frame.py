"""What the administrators' pages share: a whole page for a browser, its content alone for htmx."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from flows.refusals import RefusedError
from web.pages import pages


def answer(request: Request, folder: str, **context: Any) -> Response:
    """``folder/page.html`` with everything around it, or for htmx ``folder/content.html``."""
    is_fragment = request.headers.get("hx-request") == "true"
    last_event = request.app.state.feed.cursor  # what comes later is told by the websocket
    template = f"admin/{folder}/{'content' if is_fragment else 'page'}.html"
    return pages(request).render(request, template, last_event=last_event, **context)


def elsewhere(href: str) -> Response:
    """After an act whose page is no more: the browser goes to another one."""
    return Response(status_code=204, headers={"HX-Redirect": href})


def version_in(form: Any) -> str | None:
    """The version that a form was drawn from, its hidden field; None: any."""
    return str(form.get("version") or "") or None


def uuids(field: str, values: list[Any]) -> list[UUID]:
    """Ids of a form. Raises RefusedError."""
    try:
        return [UUID(str(value)) for value in values]
    except ValueError:
        raise RefusedError(field, "This cannot be accepted: reload the page and try again.") from None


def link(request: Request, token: str) -> str:
    """The whole address of a one-time link, as this browser reaches us."""
    return f"{str(request.base_url).rstrip('/')}/join/{token}"
