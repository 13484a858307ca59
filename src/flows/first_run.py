"""The first run: from an empty installation to the first answered message, one step after the other, in the browser.

Nobody can sign in to an empty installation, so whoever came first could take it over. The setup token prevents that:
``atende serve`` prints it, and it begins the one account that makes the installation no longer empty.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from argon2 import PasswordHasher

from channels.base import MessageReceived
from domain.errors import AtendeError, ConflictError, InvalidInputError, NotAuthenticError
from domain.messages import Address, AddressKind
from domain.setup_token import setup_token
from domain.text import storable
from domain.told import Told
from flows.inbound import Inbound
from flows.sessions import SIMULATED
from flows.tenant_declaration import LANGUAGES
from flows.traces import Explanation, explain
from flows.trade_templates import TRADE_KEY
from store.database import Connection, Database

STEPS: Final = ("trade", "number", "policy", "try")
"""What an admin goes through after the sign-up, in order."""
KEY: Final = "first_run"
"""In ``tenant.settings`` of a tenant that began in the browser: which steps are done, and whether it is ``done``."""
SHORTEST_PASSWORD: Final = 10
_LONGEST: Final = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CUSTOMER: Final = "Cliente"
"""Address of who tries it out, and the name as well, save in these languages."""
_NAMES: Final = {"en": "Customer"}
_TURNS: Final = 30


class NotTheFirstError(ConflictError):
    """Somebody has begun already."""

    def __init__(self) -> None:
        super().__init__("This installation is set up already.", hint="Sign in, or ask its administrator for a login.")


class WrongSetupTokenError(NotAuthenticError):
    """The token is not the one that this installation printed."""

    def __init__(self) -> None:
        super().__init__("The setup token is wrong.", hint="Copy it from the terminal in which atende serve runs.")


class EntryRefusedError(AtendeError):
    """What was entered cannot be taken; ``problems`` holds (field, what is wrong) of all. Nothing was changed."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field} {what}" for field, what in problems), hint="Correct it and try again.")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Founder:
    """Who begins, with which business. ``language`` is a code of tenants' languages, ``timezone`` an IANA name."""

    name: str
    email: str
    password: str
    business: str
    language: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a tenant's first run is. ``trade``: "" while none was applied; ``answers``: what was said for it."""

    trade: str
    answers: Mapping[str, str]
    weekly: Mapping[str, list[str]]
    number: UUID | None
    provider: str
    mode: str
    steps_done: frozenset[str]
    is_done: bool

    @property
    def next_step(self) -> str:
        """The first step that is not done; the last one when all are."""
        return next((step for step in STEPS if step not in self.steps_done), STEPS[-1])


class FirstRun:
    """Raises what its methods name; then nothing was changed."""

    def __init__(self, db: Database, inbound: Inbound, secret: bytes) -> None:
        self._db = db
        self._inbound = inbound
        self._token = setup_token(secret)
        self._hasher = PasswordHasher()

    async def is_empty(self) -> bool:
        """Whether nobody has begun yet."""
        rows = await self._db.gate("is_empty")
        return bool(rows[0][0])

    async def begin(self, token: str, founder: Founder) -> tuple[UUID, UUID]:
        """Make the first account, a platform administrator, with the first tenant; their ids (tenant, user).

        Raises NotTheFirstError, WrongSetupTokenError or EntryRefusedError.
        """
        if not await self.is_empty():
            raise NotTheFirstError
        given = "".join(token.split()).replace("-", "").lower()
        if not hmac.compare_digest(given.encode(), self._token.replace("-", "").encode()):
            raise WrongSetupTokenError
        _check(founder)
        hashed = await asyncio.to_thread(self._hasher.hash, founder.password)
        name, business = founder.name.strip(), founder.business.strip()
        language = founder.language
        settings = first_settings(language)
        person = {"email": founder.email.strip(), "name": name, "password_hash": hashed, "locale": language}
        tenant = {
            "slug": _slug(business),
            "name": business,
            "locale": language,
            "timezone": founder.timezone,
            "settings": settings,
        }
        rows = await self._db.gate("begin", person, tenant)
        if not rows:
            raise NotTheFirstError
        return rows[0]["tenant_id"], rows[0]["user_id"]

    async def progress(self, tenant_id: UUID) -> Progress:
        """How far the tenant is; one that began otherwise is done."""
        async with self._db.transaction(tenant_id) as tx:
            return await _progress(tx, tenant_id)

    async def note(self, tenant_id: UUID, step: str) -> None:
        """The step is done; ``"done"``: all of it. Noting it again changes nothing."""
        async with self._db.transaction(tenant_id) as tx:
            settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            noted = settings.get(KEY, {"done": True, "steps": []})
            if step == "done":
                noted = {**noted, "done": True}
            elif step in STEPS and step not in noted["steps"]:
                noted = {**noted, "steps": [*noted["steps"], step]}
            await tx.execute("UPDATE tenant SET settings = settings || $2 WHERE id = $1", tenant_id, {KEY: noted})

    async def say(self, tenant_id: UUID, text: str) -> None:
        """A customer's message on the tenant's simulated phone. Raises InvalidInputError, ConflictError."""
        said = storable(text)[0].strip()
        if not said or len(said) > 1_000:
            raise InvalidInputError("text", Told("characters", "must have 1 to {most} characters", most=1000))
        async with self._db.transaction(tenant_id) as tx:
            number = await _simulator(tx)
            language = await tx.fetchval("SELECT settings ->> 'default_language' FROM tenant WHERE id = $1", tenant_id)
        if number is None:
            raise ConflictError("There is no simulated phone.", hint="Add one first.")
        event = MessageReceived(
            provider_id=uuid.uuid4().hex,
            chat=Address(AddressKind.SIMULATOR, _CUSTOMER),
            sent_at=datetime.now(UTC),
            text=said,
            push_name=_NAMES.get(language, _CUSTOMER),
        )
        await self._inbound.receive(await self._inbound.session(number), event)

    async def chat(self, tenant_id: UUID) -> Chat:
        """The try-out conversation, with the explanation of each answer."""
        async with self._db.transaction(tenant_id) as tx:
            found = await tx.fetchrow(
                "SELECT c.id, c.status FROM conversation c JOIN channel_session s ON s.id = c.channel_session_id "
                "WHERE s.provider = $1 AND c.address = $2 ORDER BY c.last_message_at DESC LIMIT 1",
                SIMULATED,
                f"{AddressKind.SIMULATOR}:{_CUSTOMER}",
            )
            if found is None:
                return Chat(None, (), ())
            conversation = found["id"]
            turns = await tx.fetch(
                "SELECT id FROM turn WHERE conversation_id = $1 AND status = 'decided' "
                "ORDER BY created_at DESC LIMIT $2",
                conversation,
                _TURNS,
            )
            answers = tuple([await explain(tx, row["id"], reveal=True) for row in reversed(turns)])
            read = {message["id"] for one in answers for message in one["received"]}
            mine = await tx.fetch(
                "SELECT id, text FROM message WHERE conversation_id = $1 AND author = 'contact' "
                "ORDER BY id DESC LIMIT $2",
                conversation,
                _TURNS,
            )
        newest = max((one for one in read if isinstance(one, int)), default=0)
        waiting = tuple(row["text"] for row in reversed(mine) if row["id"] > newest)
        return Chat(conversation, answers, waiting, with_people=found["status"] != "bot")


@dataclass(frozen=True, slots=True)
class Chat:
    """The try-out. ``answers``: explanations (flows.traces) in order; ``waiting``: messages without one yet."""

    conversation_id: UUID | None
    answers: tuple[Explanation, ...]
    waiting: tuple[str, ...]
    with_people: bool = False
    """It was handed off: the assistant stays out until a person gives it back."""

    @property
    def is_answered(self) -> bool:
        """Whether a reply has reached the customer."""
        return any(sent["state"] == "sent" for one in self.answers for sent in one["sent"])


def first_settings(language: str) -> dict[str, Any]:
    """What a tenant begins with that is led through its first steps in the browser."""
    return {
        "default_language": language,
        "languages": [language, *(one for one in LANGUAGES if one != language)],
        "reply_mode": "suggest",
        KEY: {"done": False, "steps": []},
    }


async def is_unfinished(tx: Connection, tenant_id: UUID) -> bool:
    """Whether the tenant began in the browser and has steps before it still."""
    found = await tx.fetchval("SELECT settings -> $2 ->> 'done' FROM tenant WHERE id = $1", tenant_id, KEY)
    return bool(found == "false")


async def _progress(tx: Connection, tenant_id: UUID) -> Progress:
    settings: Mapping[str, Any] = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
    number = await tx.fetchrow("SELECT id, provider FROM channel_session ORDER BY created_at DESC LIMIT 1")
    noted = settings.get(KEY, {"done": True, "steps": []})
    trade = settings.get(TRADE_KEY, {})
    return Progress(
        trade=trade.get("name", ""),
        answers=trade.get("answers", {}),
        weekly=(settings.get("hours") or {}).get("weekly", {}),
        number=number["id"] if number else None,
        provider=number["provider"] if number else "",
        mode=settings.get("reply_mode", "suggest"),
        steps_done=frozenset(noted["steps"]),
        is_done=noted["done"],
    )


async def _simulator(tx: Connection) -> UUID | None:
    found: UUID | None = await tx.fetchval(
        "SELECT id FROM channel_session WHERE provider = $1 ORDER BY created_at LIMIT 1", SIMULATED
    )
    return found


def _check(founder: Founder) -> None:
    problems: list[tuple[str, str]] = []
    for field, value in (("name", founder.name), ("business", founder.business)):
        if not value.strip() or len(value) > _LONGEST or storable(value)[0] != value:
            problems.append((field, Told("characters", "must have 1 to {most} characters", most=_LONGEST)))
    if not _EMAIL.fullmatch(founder.email.strip()) or len(founder.email) > 320:
        problems.append(("email", "is no e-mail address"))
    if not SHORTEST_PASSWORD <= len(founder.password) <= 1_000:
        problems.append(("password", f"needs at least {SHORTEST_PASSWORD} characters"))
    elif founder.password.strip().lower() in {founder.email.strip().lower(), founder.name.strip().lower()}:
        problems.append(("password", "is the name or the e-mail address"))
    if founder.language not in LANGUAGES:
        problems.append(("language", "is not known"))
    if founder.timezone not in available_timezones():
        problems.append(("timezone", "is no time zone"))
    if problems:
        raise EntryRefusedError(problems)


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:60].strip("-") or f"business-{uuid.uuid4().hex[:8]}"
