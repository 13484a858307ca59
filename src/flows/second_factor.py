"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import pyotp

from domain.errors import AtendeError, ConflictError, NotFoundError
from store.database import Database
from store.secrets import Sealer

STEP_SECONDS: Final = 30
_CLOCKS_APART: Final = 1
"""Steps by which the person's clock may be off: the code before and the code after count, too."""
_RECOVERY_CODES: Final = 10
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is taken for something else when it is read from paper."""
_SEALED_AS: Final = "second factor"


class CodeRefusedError(AtendeError):
    """The code that should prove that the authenticator was set up is not the one it shows."""

    def __init__(self) -> None:
        super().__init__("This code is not the one that your authenticator should show now.", hint="Try the next one.")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator needs. Nothing is stored before a first code proves that it works."""

    secret: str
    """Base 32."""
    link: str
    """``otpauth://…``, for a QR code."""
    sealed: str
    """The secret as it comes back with the first code: readable by this installation for this person alone."""


class SecondFactor:
    """Enrols, checks and removes. Codes count once, also in several processes."""

    def __init__(self, db: Database, secret: bytes) -> None:
        self._db = db
        self._sealer = Sealer(secret)
        self.clock: Callable[[], float] = time.time

    def enrol(self, user_id: UUID, email: str) -> Enrolment:
        """A new secret for the person's authenticator."""
        secret = pyotp.random_base32()
        link = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Atende")
        return Enrolment(secret, link, self._sealer.seal(user_id, _SEALED_AS, secret))

    def again(self, user_id: UUID, email: str, sealed: str) -> Enrolment:
        """The same enrolment once more, after a wrong code. Raises SecretUnreadableError."""
        secret = opened_for(self._sealer, user_id, sealed)
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Atende"), sealed)

    async def confirm(self, user_id: UUID, sealed: str, code: str) -> list[str]:
        """Switch it on with a first code; returns the recovery codes, shown this once.

        Raises CodeRefusedError, ConflictError where it is on already, and SecretUnreadableError.
        """
        step = step_of(opened_for(self._sealer, user_id, sealed), code, now=self.clock())
        if step is None:
            raise CodeRefusedError
        codes = [_recovery_code() for _ in range(_RECOVERY_CODES)]
        (row,) = await self._db.gate("put_second_factor", user_id, sealed, step, [_digest(one) for one in codes])
        if not row["put_second_factor"]:
            raise ConflictError("The second factor is on already.", hint="Remove it first.")
        return codes

    async def accepts(self, user_id: UUID, secret: str, code: str) -> bool:
        """Whether the code counts, now and for the first time; or is one of the recovery codes left."""
        step = step_of(secret, code, now=self.clock())
        if step is not None:
            (row,) = await self._db.gate("spend_step", user_id, step)
            return bool(row["spend_step"])
        (row,) = await self._db.gate("spend_recovery_code", user_id, _digest(code))
        return bool(row["spend_recovery_code"])

    async def remove(self, user_id: UUID) -> None:
        """Switch it off; the caller has asked for the password."""
        await self._db.gate("drop_second_factor", user_id)

    async def remove_for(self, user_id: UUID, *, by: UUID, tenant_id: UUID) -> None:
        """For somebody who lost both authenticator and recovery codes.

        A platform administrator may for everybody. An administrator of a business may only for who belongs to that one
        alone: the second factor guards the person's other businesses, too. Raises NotFoundError.
        """
        (row,) = await self._db.gate("drop_second_factor_of", user_id, by, tenant_id)
        if row["drop_second_factor_of"] is None:
            raise NotFoundError("person of this business alone", user_id)


def opened_for(sealer: Sealer, user_id: UUID, sealed: str) -> str:
    """The secret of a person's authenticator. Raises SecretUnreadableError."""
    return sealer.open(user_id, _SEALED_AS, sealed)


def step_of(secret: str, code: str, *, now: float) -> int | None:
    """The time step whose code this is; None: it is none of the steps around now."""
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"\d{6}", digits, re.ASCII):
        return None
    totp, current = pyotp.TOTP(secret), int(now) // STEP_SECONDS
    found = None
    for step in range(current - _CLOCKS_APART, current + _CLOCKS_APART + 1):
        if secrets.compare_digest(totp.at(step * STEP_SECONDS), digits):
            found = step
    return found


def _recovery_code() -> str:
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(15))
    return "-".join((drawn[:5], drawn[5:10], drawn[10:]))


def _digest(code: str) -> str:
    """A plain digest suffices: the code has 74 random bits. Case, spaces and dashes do not matter."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode()).hexdigest()
