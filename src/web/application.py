"""The web application: wires routes, middleware and the realtime reader together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from web import demo, inbox, login, realtime
from web import desk as desk_routes
from web.assets import Assets
from web.errors import install_error_handlers
from web.login import LoginThrottles
from web.pages import Pages
from web.realtime import EventFeed
from web.security import SecurityHeaders
from web.services import Services


def create_app(services: Services) -> FastAPI:
    """The ASGI application. While it runs it reads the event log; nothing else goes on in the background."""
    feed = EventFeed(services.db)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with feed.running():
            yield

    app = FastAPI(title="Atende", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    assets, pages = _rendering()
    app.state.services = services
    app.state.feed = feed
    app.state.pages = pages
    app.state.login_throttles = LoginThrottles()

    install_error_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=600)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(services.access.allowed_hosts))
    app.add_middleware(SecurityHeaders, secure=services.access.secure)

    app.add_route("/assets/{digest}/{name:path}", assets.serve)
    app.add_api_route("/healthz", _health)
    app.add_api_route("/", _home)
    for router in services.routers:  # first the doors, where most requests come in
        app.include_router(router)
    for module in (login, inbox, desk_routes, realtime):
        app.include_router(module.router)
    if services.demo is not None:
        app.include_router(demo.router)
    return app


@cache
def _rendering() -> tuple[Assets, Pages]:
    """What every application of this process shares: reading files and compiling templates costs half a second."""
    assets = Assets()
    return assets, Pages(assets)


async def _health(request: Request) -> Response:
    """200 while this process reaches the database."""
    services: Services = request.app.state.services
    await services.db.gate("last_event_id")
    return JSONResponse({"status": "ok"})


async def _home(_: Request) -> Response:
    return RedirectResponse("/inbox", status_code=303)
