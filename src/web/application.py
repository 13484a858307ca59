"""The web application: wires routes, middleware and the realtime reader together."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from flows.accounts import Accounts
from flows.api_keys import ApiKeys
from flows.live_events import EventFeed
from flows.presence import Presence
from web import account, api_auth, demo, inbox, inbox_list, login, page_session, realtime, traces
from web import desk as desk_routes
from web.access import FreshSight, recognise
from web.assets import Assets
from web.compression import Compression
from web.errors import install_error_handlers
from web.pages import Pages
from web.rates import RateHeaders
from web.security import SecurityHeaders
from web.services import Services
from web.socket_limits import Sockets


def create_app(services: Services) -> FastAPI:
    """The ASGI application. While it runs it reads the event log; nothing else goes on in the background."""
    feed, presence = EventFeed(services.db), Presence(services.db)
    presence.on_change = partial(realtime.tell_who_is_there, feed, presence)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with feed.running(), presence.running():
            yield

    app = FastAPI(title="Atende", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    assets, pages = rendering()
    app.state.services = services
    app.state.feed, app.state.presence = feed, presence
    app.state.pages = pages
    app.state.accounts = accounts = Accounts(services.db, services.access.secret)
    app.state.sockets = Sockets(ApiKeys(services.db).recognise, accounts.tokens.recognise)

    install_error_handlers(app)
    app.add_middleware(RateHeaders)
    app.add_middleware(Compression, minimum_size=600)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(services.access.allowed_hosts))
    app.add_middleware(SecurityHeaders, secure=services.access.secure)
    app.add_middleware(FreshSight)

    app.add_route("/assets/{digest}/{name:path}", assets.serve)
    app.add_api_route("/healthz", _health)
    app.add_api_route("/", _home)
    for router in services.routers:  # first the doors, where most requests come in
        app.include_router(router)
    for module in (login, account, api_auth, page_session, inbox_list, inbox, desk_routes, traces, realtime):
        app.include_router(module.router)
    if services.demo is not None:
        app.include_router(demo.router)
    return app


def prepare_routes(app: FastAPI) -> None:
    """Build each route's handling, as FastAPI else does while the first request waits: 180 ms for all of ours."""
    deque(iter_route_contexts(app.routes), maxlen=0)


@cache
def rendering() -> tuple[Assets, Pages]:
    """What every application of this process shares: reading files and compiling templates costs half a second."""
    assets = Assets()
    return assets, Pages(assets)


async def _health(request: Request) -> Response:
    """200 while this process reaches the database."""
    services: Services = request.app.state.services
    await services.db.gate("last_event_id")
    return JSONResponse({"status": "ok"})


async def _home(request: Request) -> Response:
    """The first page that the visitor may open."""
    visitor = await recognise(request)
    return RedirectResponse(visitor.home if visitor else "/login", status_code=303)
