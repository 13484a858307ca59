"""Access and refresh tokens: how a person's own programs (an app, a script) act as that person.

The access token is signed (JWT, HS256, a key derived from the installation's secret), valid for minutes, and names a
sign-in; the refresh token is random, exchanged once, and kept as a digest. Each call looks the sign-in up, so that
whatever ends it (revoking, a changed password, "sign out everywhere", leaving the business) works at once for both.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import jwt

from domain.errors import NotAuthenticError
from domain.roles import rights_of
from flows.api_keys import ApiCaller
from flows.sign_in import Person
from store.database import Database
from store.reach import sight_of

log = logging.getLogger(__name__)

ACCESS_SECONDS: Final = 600
STAY: Final = timedelta(days=30)
"""How long a refresh token is good for, when it is not used."""
_ISSUER: Final = "atende"
_AUDIENCE: Final = "atende api"
_REFRESH: Final = re.compile(r"atende_refresh_[A-Za-z0-9_-]{43}")
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class BadTokenError(NotAuthenticError):
    """A refresh token that is nobody's any more."""

    def __init__(self, *, reused: bool = False) -> None:
        what = (
            "This refresh token was used before. The whole sign-in was ended, since somebody else may have it."
            if reused
            else "The refresh token is unknown, revoked or past its time."
        )
        super().__init__(what, hint="Sign in again: POST /api/v1/auth/token.")
        self.reused = reused


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair just made."""

    access: str
    refresh: str
    tenant_id: UUID


class AccessTokens:
    """Opens, renews and ends programs' sign-ins, and says whose an access token is."""

    def __init__(self, db: Database, secret: bytes) -> None:
        self._db = db
        self._key = hmac.new(secret, b"access tokens", hashlib.sha256).digest()

    async def open(self, person: Person, tenant_id: UUID, name: str) -> Tokens:
        """A new sign-in of a person whose credentials were checked; ``name``: what the program calls itself."""
        refresh = _new_refresh()
        (row,) = await self._db.gate("open_login", digest(refresh), person.user_id, tenant_id, STAY, "program", name)
        if row["open_login"] is None:  # left the business a moment ago
            raise BadTokenError
        return Tokens(self._signed(row["open_login"], person.user_id, tenant_id), refresh, tenant_id)

    async def renew(self, refresh: str) -> Tokens:
        """Another pair for a refresh token, which is spent with that. Raises BadTokenError.

        One that was spent before ends the sign-in: thief and owner cannot be told apart, so neither stays.
        """
        if not _REFRESH.fullmatch(refresh):
            raise BadTokenError
        new = _new_refresh()
        rows = await self._db.gate("renew_login", digest(refresh), digest(new), STAY)
        if not rows:
            raise BadTokenError
        row = rows[0]
        if row["reused"]:
            log.warning("a refresh token of user %s came a second time; its sign-in was ended", row["user_id"])
            raise BadTokenError(reused=True)
        return Tokens(self._signed(row["login_id"], row["user_id"], row["tenant_id"]), new, row["tenant_id"])

    async def revoke(self, token: str) -> None:
        """End the sign-in that an access or refresh token belongs to. Unknown ones are as good as ended."""
        if _REFRESH.fullmatch(token):
            await self._db.gate("revoke_token", digest(token))
        elif (claims := self._read(token)) is not None:
            await self._db.gate("end_sign_ins", UUID(claims["sub"]), UUID(claims["sid"]), None)

    async def recognise(self, token: str) -> ApiCaller | None:
        """Whose access token this is, with the rights that the person has now; None: nobody's any more."""
        claims = self._read(token)
        if claims is None:
            return None
        rows = await self._db.gate("resume_login", "", UUID(claims["sid"]))
        if not rows or str(rows[0]["user_id"]) != claims["sub"] or str(rows[0]["tenant_id"]) != claims["tid"]:
            return None
        row = rows[0]
        return ApiCaller(
            key_id=row["user_id"],
            tenant_id=row["tenant_id"],
            name=row["user_name"],
            scopes=frozenset(rights_of(row["role"])),
            user_id=row["user_id"],
            sight=sight_of(row["user_id"], row["reach"]),
        )

    def _signed(self, login_id: UUID, user_id: UUID, tenant_id: UUID) -> str:
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(user_id),
            "tid": str(tenant_id),
            "sid": str(login_id),
            "iat": now,
            "exp": now + ACCESS_SECONDS,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def _read(self, token: str) -> dict[str, Any] | None:
        if not _JWT.fullmatch(token) or len(token) > 2000:
            return None
        required = ["iss", "aud", "sub", "tid", "sid", "exp"]
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": required},
            )
        except jwt.InvalidTokenError:
            return None
        return found


def looks_like_access_token(token: str) -> bool:
    """Whether it has an access token's form, rather than an API key's."""
    return _JWT.fullmatch(token) is not None


def digest(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _new_refresh() -> str:
    return f"atende_refresh_{secrets.token_urlsafe(32)}"
