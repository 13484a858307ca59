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

from flows.desk import Actor
from web.errors import ForgedRequestError, LoginRequiredError
from web.security import comes_from_here, csrf_token, csrf_token_is_valid
from web.services import Access, services

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
    memberships: tuple[Membership, ...]
    token_hash: str
    access: Access

    @property
    def actor(self) -> Actor:
        """The visitor as the one who acts in a flow."""
        return Actor(tenant_id=self.tenant_id, user_id=self.user_id, name=self.name)

    def csrf_token(self) -> str:
        return csrf_token(self.access.secret, self.token_hash)


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
    found = services(connection)
    token = connection.cookies.get(cookie_name(found.access))
    if not token:
        return None
    hashed = token_hash(token)
    rows = await found.db.gate("resume_login", hashed)
    return _visitor(rows[0], hashed, found.access) if rows else None


async def visitor(request: Request) -> Visitor:
    """Dependency of every page behind the sign-in. A change must also carry the form token (header or field).

    Raises LoginRequiredError and ForgedRequestError.
    """
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


CurrentVisitor = Annotated[Visitor, Depends(visitor)]


def _visitor(row: Any, hashed: str, access: Access) -> Visitor:
    return Visitor(
        user_id=row["user_id"],
        name=row["user_name"],
        email=row["user_email"],
        locale=row["locale"],
        tenant_id=row["tenant_id"],
        tenant_name=row["tenant_name"],
        tenant_locale=row["tenant_locale"],
        role=row["role"],
        memberships=tuple(Membership(UUID(m["tenant_id"]), m["name"], m["role"]) for m in row["memberships"] or ()),
        token_hash=hashed,
        access=access,
    )
