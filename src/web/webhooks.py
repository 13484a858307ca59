"""Doors for gateways' webhooks: 2xx only once everything delivered is durable. No cookie counts here.

Who is not authentic learns 401, and after many tries 429; who is, is never refused for its age or its rate. What may
be better later is answered with 503: no gateway takes that for a reason to give up at once.
"""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

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
    apps, floods = AppWebhooks(webhooks), Floods()

    async def challenge(request: Request) -> Response:
        """Meta asks once whether this address is ours."""
        session_id: UUID | None = request.path_params.get("session_id")
        answer = await apps.challenged(dict(request.query_params), session_id)
        if answer is None:
            floods.failed(request, APP_PROVIDER)
            raise NotAuthenticError("The verify token is wrong.", hint="Give Meta's page this number's verify_token.")
        return PlainTextResponse(answer)

    async def deliver_to_app(request: Request) -> Response:
        async with floods.body(request, limit) as body:
            try:
                signed = await apps.check(delivered(body, request.headers.items()))
            except NotAuthenticError:
                floods.failed(request, APP_PROVIDER)
                raise
            return JSONResponse({"stored": await apps.receive(signed, body)})

    async def deliver(request: Request) -> Response:
        provider, session_id = request.path_params["provider"], request.path_params["session_id"]
        secret = request.path_params.get("secret", "")
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

    # Plain routes: a framework that looks for parameters to convert costs as much as all that is done here.
    return APIRouter(
        routes=[
            Route("/webhooks/{provider}/{session_id:uuid}", deliver, methods=["POST"]),
            Route("/webhooks/{provider}/{session_id:uuid}/{secret}", deliver, methods=["POST"]),
            Route(f"/webhooks/{APP_PROVIDER}", deliver_to_app, methods=["POST"]),
            Route(f"/webhooks/{APP_PROVIDER}", challenge, methods=["GET"]),
            Route(f"/webhooks/{APP_PROVIDER}/{{session_id:uuid}}", challenge, methods=["GET"]),
        ]
    )
