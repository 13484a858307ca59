"""What people do with their own account: name, language, password, sign-ins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.text import storable
from domain.told import Told
from flows.access_tokens import AccessTokens
from flows.second_factor import SecondFactor
from flows.sign_in import SignIn, hashed
from store.database import Database

LEAST_PASSWORD: Final = 10
MOST_PASSWORD: Final = 1024
_MOST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Account:
    """A person, as the person's own page shows it."""

    email: str
    name: str
    locale: str | None
    second_factor: bool
    recovery_codes: int
    """How many are left."""
    runs_platform: bool


@dataclass(frozen=True, slots=True)
class OpenSignIn:
    """A browser or program that is signed in."""

    login_id: UUID
    kind: str
    name: str
    tenant_name: str | None
    created_at: datetime
    used_at: datetime
    """To the minute."""


class Accounts:
    """People's accounts, and the ways in: ``sign_in``, ``second`` (factor), ``tokens``."""

    def __init__(self, db: Database, secret: bytes) -> None:
        self._db = db
        self.sign_in = SignIn(db, secret)
        self.second = SecondFactor(db, secret)
        self.tokens = AccessTokens(db, secret)

    async def account(self, user_id: UUID) -> Account:
        """The person. Raises NotFoundError."""
        rows = await self._db.gate("account", user_id)
        if not rows:
            raise NotFoundError("user", user_id)
        row = rows[0]
        return Account(
            row["email"],
            row["name"],
            row["locale"],
            row["totp_sealed"] is not None,
            row["recovery_codes"],
            row["runs_platform"],
        )

    async def sign_ins(self, user_id: UUID) -> list[OpenSignIn]:
        """Where the person is signed in, the last used first."""
        return [OpenSignIn(**row) for row in await self._db.gate("sign_ins", user_id)]

    async def open_browser(
        self, user_id: UUID, token_hash: str, tenant_id: UUID | None, valid_for: timedelta, name: str
    ) -> None:
        """Sign a browser in."""
        await self._db.gate("open_login", token_hash, user_id, tenant_id, valid_for, "browser", name)

    async def end_sign_in(self, user_id: UUID, login_id: UUID) -> None:
        """End one of the person's own. Raises NotFoundError."""
        (row,) = await self._db.gate("end_sign_ins", user_id, login_id, None)
        if not row["end_sign_ins"]:
            raise NotFoundError("sign-in", login_id)

    async def end_others(self, user_id: UUID, keep: UUID | None) -> int:
        """End all but one; with None all. Returns how many."""
        (row,) = await self._db.gate("end_sign_ins", user_id, None, keep)
        return int(row["end_sign_ins"])

    async def change(self, user_id: UUID, name: str, locale: str | None) -> None:
        """What the person is called, and in which language addressed. Raises InvalidInputError."""
        name = " ".join(storable(name)[0].split())
        if not 0 < len(name) <= _MOST_NAME:
            raise InvalidInputError("name", Told("characters", "must have 1 to {most} characters", most=_MOST_NAME))
        await self._db.gate("change_account", user_id, name, locale)

    async def change_password(self, user_id: UUID, current: str, new: str, *, keep: UUID, address: str) -> None:
        """A new password, which ends every other sign-in. Asks for the current one.

        Raises InvalidInputError, WrongCredentialsError, TooManyAttemptsError and ConflictError.
        """
        check_password(new)
        old_hash = await self.sign_in.check_own_password(user_id, current, address)
        (row,) = await self._db.gate("change_password", user_id, old_hash, await hashed(new), keep)
        if not row["change_password"]:
            raise ConflictError("The password was changed in the meantime.", hint="Sign in with the new one.")

    async def remove_second_factor(self, user_id: UUID, password: str, address: str) -> None:
        """The password is enough again. Raises WrongCredentialsError and TooManyAttemptsError."""
        await self.sign_in.check_own_password(user_id, password, address)
        await self.second.remove(user_id)


def check_password(new: str) -> None:
    """Raise InvalidInputError for a password that is too easily found out."""
    if not LEAST_PASSWORD <= len(new) <= MOST_PASSWORD:
        raise InvalidInputError("password", f"must have {LEAST_PASSWORD} to {MOST_PASSWORD} characters")
    if len(set(new)) < 5:
        raise InvalidInputError("password", "repeats the same few characters", hint="Take several words instead.")
