"""Signing in: the password, then the second factor where the person has one, and how often somebody may try.

Attempts are counted in the database, so that all processes share them: for an account wherever the attempts come from,
for an account from one address, and for an address whatever the account.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.errors import AtendeError, NotFoundError
from flows.second_factor import SecondFactor, opened_for
from store.database import Database, Row
from store.secrets import Sealer

HASHER: Final = PasswordHasher()
"""Slow on purpose."""
_PERSON: Final = (5, timedelta(minutes=5))
_ACCOUNT: Final = (20, timedelta(minutes=15))
_ADDRESS: Final = (50, timedelta(minutes=5))
_SECOND_STEP: Final = "second step"
_TICKET_SECONDS: Final = 300
_nobody: list[str] = []


class TooManyAttemptsError(AtendeError):
    """Sign-in was tried too often. ``seconds`` is when it may be tried again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many failed sign-ins.", hint=f"Try again in {seconds} seconds.")
        self.seconds = seconds


class WrongCredentialsError(AtendeError):
    """No such person, or another password: the two look alike."""

    def __init__(self) -> None:
        super().__init__("E-mail or password is wrong.", hint="Check both and try again.")


class WrongCodeError(AtendeError):
    """The password is right, the code of the second factor missing, wrong, or used already."""

    def __init__(self, *, given: bool) -> None:
        what = "The code is wrong, too old, or was used already." if given else "A code is needed besides the password."
        super().__init__(what, hint="Send the six digits that your authenticator shows now, or a recovery code.")
        self.given = given


class NoBusinessError(AtendeError):
    """The person belongs to no business, or only to closed ones."""

    def __init__(self) -> None:
        super().__init__(
            "This login belongs to no business yet, or its business was closed.", hint="Ask an administrator."
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose password was right."""

    user_id: UUID
    email: str
    memberships: tuple[dict[str, Any], ...]
    """tenant_id, slug, name and role of each business, the oldest membership first."""
    runs_platform: bool
    needs_code: bool

    def tenant(self, wanted: str | None = None) -> UUID | None:
        """The business to work in: by slug or id, else the first. None: a platform administrator who is in none.

        Raises NotFoundError and NoBusinessError.
        """
        for one in self.memberships:
            if wanted is None or wanted in {one["slug"], one["tenant_id"]}:
                return UUID(one["tenant_id"])
        if wanted is not None:
            raise NotFoundError("business of yours", wanted)
        if not self.runs_platform:
            raise NoBusinessError
        return None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The names under which one attempt is counted."""

    person: str
    account: str
    address: str

    @classmethod
    def of(cls, email: str, address: str) -> Attempt:
        known = email.strip().lower()
        return cls(_digest("person", address, known), _digest("account", known), _digest("address", address))


class SignIn:
    """Raises TooManyAttemptsError, WrongCredentialsError, WrongCodeError and NoBusinessError."""

    def __init__(self, db: Database, secret: bytes) -> None:
        self._db = db
        self._sealer = Sealer(secret)
        self._second = SecondFactor(db, secret)
        self._key = hmac.new(secret, b"second step", hashlib.sha256).digest()

    async def check_password(self, email: str, password: str, address: str) -> Person:
        """Who this is. The person may then open a sign-in, unless a code is needed first."""
        attempt = Attempt.of(email, address)
        await self._count(attempt)
        rows = await self._db.gate("find_login", email.strip())
        # Unknown names cost the same as known ones, so that the time taken tells nothing.
        if not await matches(rows[0]["password_hash"] if rows else None, password):
            await self._db.gate("note_failed_sign_in", email.strip(), address)
            raise WrongCredentialsError
        person = _person(rows[0], email)
        person.tenant()
        if person.needs_code:  # this attempt was none at guessing; those at the code are, and stay
            await self._db.gate("forgive_attempts", [], [attempt.person, attempt.account, attempt.address])
        else:
            await self._forgive(attempt)
        return person

    async def check_code(self, person: Person, code: str, address: str) -> None:
        """The second factor of a person whose password was right. Wrong codes count like wrong passwords."""
        attempt = Attempt.of(person.email, address)
        await self._count(attempt)
        rows = await self._db.gate("account", person.user_id)
        if not rows:
            raise WrongCredentialsError
        if rows[0]["totp_sealed"] is not None:
            secret = opened_for(self._sealer, person.user_id, rows[0]["totp_sealed"])
            if not await self._second.accepts(person.user_id, secret, code):
                raise WrongCodeError(given=bool(code.strip()))
        await self._forgive(attempt)

    def ticket(self, person: Person) -> str:
        """Proves for some minutes that the person's password was right, while a page asks for the code."""
        claims = {"sub": person.email, "aud": _SECOND_STEP, "exp": int(time.time()) + _TICKET_SECONDS}
        return jwt.encode(claims, self._key, algorithm="HS256")

    async def redeem(self, ticket: str, code: str, address: str) -> Person:
        """The person of a ticket, who gives this code. Raises WrongCredentialsError for one past its time."""
        try:
            claims = jwt.decode(
                ticket, self._key, ["HS256"], audience=_SECOND_STEP, options={"require": ["sub", "exp"]}
            )
        except jwt.InvalidTokenError:
            raise WrongCredentialsError from None
        rows = await self._db.gate("find_login", claims["sub"])
        if not rows:
            raise WrongCredentialsError
        person = _person(rows[0], claims["sub"])
        await self.check_code(person, code, address)
        return person

    async def check_own_password(self, user_id: UUID, password: str, address: str) -> str:
        """The password of somebody who is signed in, asked for once more. Returns its hash. Raises as above."""
        (account,) = await self._db.gate("account", user_id)
        attempt = Attempt.of(account["email"], address)
        await self._count(attempt)
        if not await matches(account["password_hash"], password):
            raise WrongCredentialsError
        await self._forgive(attempt)
        return str(account["password_hash"])

    async def _count(self, attempt: Attempt) -> None:
        keys = [attempt.person, attempt.account, attempt.address]
        limits, spans = zip(_PERSON, _ACCOUNT, _ADDRESS, strict=True)
        (row,) = await self._db.gate("count_attempt", keys, list(limits), list(spans))
        if row["count_attempt"]:
            raise TooManyAttemptsError(row["count_attempt"])

    async def _forgive(self, attempt: Attempt) -> None:
        await self._db.gate("forgive_attempts", [attempt.person, attempt.account], [attempt.address])


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one; with None it costs the same and is never."""
    return await asyncio.to_thread(_matches, password_hash, password)


async def hashed(password: str) -> str:
    """The password as it is kept."""
    return await asyncio.to_thread(HASHER.hash, password)


def _matches(password_hash: str | None, password: str) -> bool:
    if password_hash is None and not _nobody:
        _nobody.append(HASHER.hash("nobody has this password"))
    try:
        return HASHER.verify(password_hash or _nobody[0], password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def _person(row: Row, email: str) -> Person:
    return Person(
        row["user_id"],
        email.strip().lower(),
        tuple(row["memberships"]),
        row["runs_platform"],
        row["totp_sealed"] is not None,
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
