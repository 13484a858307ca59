"""A page that outlives its sign-in: who is signed in by now, and where signing in again in a new tab ends."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from web.access import CurrentVisitor
from web.pages import pages

router = APIRouter()


@router.get("/session")
async def who_is_here(visitor: CurrentVisitor) -> Response:
    """{user_id, tenant_id, csrf_token} of who is signed in; 401 for nobody. Only pages of this site can read it."""
    return JSONResponse(
        {
            "user_id": str(visitor.user_id),
            "tenant_id": str(visitor.tenant_id),
            "csrf_token": visitor.csrf_token(),
        }
    )


@router.get("/signed-in")
async def show_signed_in(request: Request, visitor: CurrentVisitor) -> Response:  # noqa: ARG001 - it must be somebody
    """Tells the other tabs, and that this one may be closed."""
    return pages(request).render(request, "signed_in.html")
