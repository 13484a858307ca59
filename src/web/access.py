"""Who is asking: sign-in cookies, and the dependency through which every page learns its visitor and tenant."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import NotAllowedError
from domain.roles import Reach, Right, rights_of, roles_with
from flows.desk import Actor
from store.reach import Sight, see_as, sight_of
from web.errors import ForgedRequestError, LoginRequiredError
from web.menu import first_page
from web.security import comes_from_here, csrf_token, csrf_token_is_valid
from web.services import Access, services

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ACCOUNT = "/account"
PLATFORM_HOME = "/platform"
NOBODYS = UUID(int=0)
"""The tenant of those who are in none."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant that the visitor may switch to."""

    tenant_id: UUID
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person in one tenant. The tenant comes from the sign-in alone, never from the request."""

    user_id: UUID
    name: str
    email: str
    locale: str | None
    tenant_id: UUID
    tenant_name: str
    tenant_locale: str
    role: str
    """domain.roles.Role; empty: a platform administrator who is in no business, and then ``tenant_id`` is nobody's."""
    memberships: tuple[Membership, ...]
    token_hash: str
    access: Access
    login_id: UUID
    """This very sign-in."""
    reach: str = Reach.ALL
    """domain.roles.Reach. Enforced by the database: see ``sight``."""
    runs_platform: bool = False

    @property
    def actor(self) -> Actor:
        """The visitor as the one who acts in a flow."""
        return Actor(tenant_id=self.tenant_id, user_id=self.user_id, name=self.name)

    @property
    def sight(self) -> Sight | None:
        """What the visitor sees of the tenant's conversations; None: everything. Every transaction that answers this
        request already sees with it; elsewhere ask ``store.reach.may_see``."""
        return sight_of(self.user_id, self.reach)

    @property
    def home(self) -> str:
        """The first page that the visitor may open."""
        return home_of(self.role, runs_platform=self.runs_platform)

    def may(self, right: Right | str) -> bool:
        """Whether the visitor's role includes the right."""
        return right in rights_of(self.role)

    def need(self, right: Right) -> None:
        """Raise NotAllowedError where the visitor's role does not include the right."""
        if not self.may(right):
            raise NotAllowedError.to(tuple(role.value for role in roles_with(right)))

    def csrf_token(self) -> str:
        return csrf_token(self.access.secret, self.token_hash)


class FreshSight:
    """Each request begins with nobody's sight: over one connection come those of several people."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        see_as(None)
        await self._app(scope, receive, send)


def home_of(role: str, *, runs_platform: bool) -> str:
    """The first page that somebody with this role may open."""
    return first_page(rights_of(role)) or (PLATFORM_HOME if runs_platform else ACCOUNT)


def cookie_name(access: Access) -> str:
    """``__Host-`` binds the cookie to this host; browsers take such a name only over HTTPS."""
    return "__Host-atende" if access.secure else "atende"


def token_hash(token: str) -> str:
    """What the database keeps of a cookie's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    return secrets.token_urlsafe(32)


def set_login_cookie(response: Response, access: Access, token: str) -> None:
    response.set_cookie(
        cookie_name(access),
        token,
        max_age=int(access.stay_signed_in.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=access.secure,
        path="/",
    )


def clear_login_cookie(response: Response, access: Access) -> None:
    response.delete_cookie(cookie_name(access), httponly=True, samesite="lax", secure=access.secure, path="/")


async def recognise(connection: HTTPConnection) -> Visitor | None:
    """The visitor of a request or websocket, or None. Asks the database each time: signing out works at once."""
    see_as(None)
    found = services(connection)
    token = connection.cookies.get(cookie_name(found.access))
    if not token:
        return None
    hashed = token_hash(token)
    rows = await found.db.gate("resume_login", hashed)
    if not rows:
        return None
    known = _visitor(rows[0], hashed, found.access)
    see_as(known.sight)
    return known


async def visitor(request: Request) -> Visitor:
    """Dependency of every page behind the sign-in. A change must also carry the form token (header or field).

    Raises LoginRequiredError and ForgedRequestError.
    """
    asked: Visitor | None = getattr(request.state, "visitor", None)
    if asked is not None:  # a route's own rights and those of its router ask once
        return asked
    known = await recognise(request)
    if known is None:
        raise LoginRequiredError
    request.state.visitor = known
    if request.method not in _SAFE_METHODS:
        token = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf_token", ""))
        if not comes_from_here(request.headers) or not csrf_token_is_valid(
            known.access.secret, known.token_hash, token
        ):
            raise ForgedRequestError
    return known


class Needs:
    """A dependency: the visitor, who has all of these rights. What a route declares; docs/access.md is made of it.

    Raises LoginRequiredError, ForgedRequestError and NotAllowedError.
    """

    def __init__(self, *rights: Right, platform: bool = False) -> None:
        self.rights = rights
        self.platform = platform
        """Only for platform administrators."""

    async def __call__(self, request: Request) -> Visitor:
        known = await visitor(request)
        for right in self.rights:
            known.need(right)
        if self.platform and not known.runs_platform:
            raise NotAllowedError.to(("platform administrator",))
        return known


def needs(*rights: Right) -> Any:
    """``visitor: Annotated[Visitor, needs(Right.X)]``, or in a router's or a route's ``dependencies``."""
    return Depends(Needs(*rights))


CurrentVisitor = Annotated[Visitor, Depends(visitor)]
"""Whoever is signed in. For pages that need no right; others say ``Annotated[Visitor, needs(Right.X)]``."""
CurrentPlatformAdmin = Annotated[Visitor, Depends(Needs(platform=True))]
"""Somebody who runs the platform (makes and closes businesses). Has no rights in a business without a membership: then
``tenant_id`` is the nil UUID, under which the database shows no row."""


def _visitor(row: Any, hashed: str, access: Access) -> Visitor:
    return Visitor(
        user_id=row["user_id"],
        name=row["user_name"],
        email=row["user_email"],
        locale=row["locale"],
        tenant_id=row["tenant_id"] or NOBODYS,
        tenant_name=row["tenant_name"] or "",
        tenant_locale=row["tenant_locale"] or "pt",
        role=row["role"] or "",
        reach=row["reach"] or Reach.OWN,
        runs_platform=row["runs_platform"],
        memberships=tuple(Membership(UUID(m["tenant_id"]), m["name"], m["role"]) for m in row["memberships"] or ()),
        token_hash=hashed,
        access=access,
        login_id=row["login_id"],
    )
