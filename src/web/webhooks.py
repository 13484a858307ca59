"""Doors for gateways' webhooks: 2xx only once everything delivered is durable. No cookie counts here.

Who is not authentic learns 401, and after many tries 429; who is, is never refused for its age or its rate. What may
be better later is answered with 503: no gateway takes that for a reason to give up at once.
"""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from domain.errors import NotAuthenticError, NotFoundError
from flows.app_webhooks import PROVIDER as APP_PROVIDER
from flows.app_webhooks import AppWebhooks
from flows.deliveries import delivered
from flows.webhooks import Webhooks
from web.floods import Floods

WEBHOOK_LIMIT = 24 * 1024 * 1024
"""Bytes: 16 MB of media in base64, with room for the rest."""


def webhook_router(webhooks: Webhooks, *, limit: int = WEBHOOK_LIMIT) -> APIRouter:
    """``POST /webhooks/{provider}/{channel session}[/{secret}]``, and the Cloud API's one webhook for each app."""
    router = APIRouter(prefix="/webhooks")
    apps, floods = AppWebhooks(webhooks), Floods()

    @router.get(f"/{APP_PROVIDER}")
    @router.get(f"/{APP_PROVIDER}/{{session_id}}")
    async def challenge(request: Request, session_id: UUID | None = None) -> Response:
        """Meta asks once whether this address is ours."""
        answer = await apps.challenged(dict(request.query_params), session_id)
        if answer is None:
            floods.failed(request, APP_PROVIDER)
            raise NotAuthenticError("The verify token is wrong.", hint="Give Meta's page this number's verify_token.")
        return PlainTextResponse(answer)

    @router.post(f"/{APP_PROVIDER}")
    async def deliver_to_app(request: Request) -> Response:
        async with floods.body(request, limit) as body:
            try:
                signed = await apps.check(delivered(body, request.headers.items()))
            except NotAuthenticError:
                floods.failed(request, APP_PROVIDER)
                raise
            return JSONResponse({"stored": await apps.receive(signed, body)})

    @router.post("/{provider}/{session_id}")
    @router.post("/{provider}/{session_id}/{secret}")
    async def deliver(request: Request, provider: str, session_id: UUID, secret: str = "") -> Response:
        try:
            if webhooks.is_known(session_id):
                number = await webhooks.number(provider, session_id)
            else:
                async with floods.lookup(request):
                    number = await webhooks.number(provider, session_id)
        except NotFoundError:
            floods.failed(request, str(session_id))
            raise
        async with floods.body(request, limit) as body:
            try:
                number = await webhooks.check(number, delivered(body, request.headers.items(), secret))
            except NotAuthenticError:
                floods.failed(request, str(session_id))
                raise
            return JSONResponse({"stored": await webhooks.receive(number, body)})

    return router
