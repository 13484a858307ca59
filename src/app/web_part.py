"""The web process: pages, API, webhooks and, in the demo, the simulator's door."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import FrameType

import uvicorn

from app.prepared import Prepared
from app.process import settle_heap
from app.settings import Settings
from flows.approvals import Approvals
from flows.autonomy import Autonomy
from flows.desk import Desk
from flows.inbound import Inbound
from flows.outgoing_webhooks import OutgoingWebhooks
from flows.sessions import Numbers
from flows.simulator import SimulatedPhones
from flows.stopping import KillSwitch
from flows.webhooks import Webhooks
from store.database import Database
from store.wakeup import Wakeup
from web.application import create_app
from web.doors import simulator_router, webhook_router
from web.endpoints import endpoints_router
from web.numbers import numbers_router
from web.policy import policy_router
from web.services import Access, Demo, DemoLogin, Services

_GRACE_SECONDS = 3
MAX_CONNECTIONS = 20


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the process ends when its task is cancelled."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Never called: the signals are not captured."""


async def run(settings: Settings, listening: socket.socket | None = None) -> None:
    """Serve until cancelled; on ``listening`` if the supervisor handed one over, else on the settings' address."""
    db = await Database.open(settings.need_database_url(), settings.secret, max_connections=MAX_CONNECTIONS)
    wakeup = Wakeup(db)
    try:
        access = Access(settings.secret, secure=settings.is_secure, allowed_hosts=settings.allowed_hosts)
        inbound = Inbound(db, wakeup)
        hooks = OutgoingWebhooks(db, wakeup, settings.private_hosts)
        routers = [
            numbers_router(Numbers(db, wakeup)),
            policy_router(KillSwitch(db, wakeup), Autonomy(db, wakeup)),
            webhook_router(Webhooks(inbound)),
            endpoints_router(hooks),
        ]
        if settings.demo:
            routers.append(simulator_router(inbound, SimulatedPhones(db, inbound)))
        desk = Desk(db, wakeup, Approvals(db, wakeup))
        app = create_app(Services(db=db, desk=desk, access=access, demo=_demo(settings), routers=tuple(routers)))
        server = _Server(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                ws="websockets-sansio",
                log_config=None,
                access_log=False,  # addresses of pages hold names and numbers of customers
                timeout_graceful_shutdown=_GRACE_SECONDS,
                proxy_headers=bool(settings.public_url),
                server_header=False,
            )
        )
        settle_heap()
        await _serve(server, listening)
    finally:
        await wakeup.close()
        await db.close()


async def _serve(server: uvicorn.Server, listening: socket.socket | None) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening] if listening else None))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving


def _demo(settings: Settings) -> Demo | None:
    if not settings.demo:
        return None
    prepared = Prepared.read(settings.data_dir) or Prepared("")
    logins = tuple(DemoLogin(login.email, login.password, login.name, login.role) for login in prepared.logins)
    return Demo(logins=logins, ideas=prepared.ideas)
