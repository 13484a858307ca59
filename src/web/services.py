"""What the pages need from the rest of Atende, handed in by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import HTTPConnection

from flows.desk import Desk
from flows.writing_desk import WritingDesk
from store.database import Database


@dataclass(frozen=True, slots=True)
class Access:
    """How browsers are let in. ``secret`` signs tokens; ``secure`` is True behind HTTPS."""

    secret: bytes
    secure: bool = False
    allowed_hosts: tuple[str, ...] = ("*",)
    """Host names answered to; ``*.example.com`` and ``*`` are understood."""
    stay_signed_in: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """A login that the demo's sign-in page offers."""

    email: str
    password: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo: logins to offer and customers that the simulated phone starts with."""

    logins: tuple[DemoLogin, ...] = ()
    contacts: tuple[str, ...] = ("Ana Souza", "Bruno Lima", "Carla Méndez", "David Miller")
    ideas: tuple[str, ...] = ()
    """Messages that the phone offers to send with one click."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes reach. ``routers`` are further doors into the same server (webhooks, simulator)."""

    db: Database
    desk: Desk
    access: Access
    demo: Demo | None = None
    routers: tuple[APIRouter, ...] = ()
    writing: WritingDesk | None = None
    """What helps operators to write; None: nothing does."""


def services(connection: HTTPConnection) -> Services:
    """The application's services, from a request or a websocket."""
    found: Services = connection.app.state.services
    return found
