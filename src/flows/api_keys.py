"""API keys: how a tenant's own programs prove whose they are. The tenant comes from the key and from nowhere else."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.roles import Right
from domain.text import storable
from store import events
from store.database import Database, Row
from store.reach import Sight

SCOPES: Final = {
    Right.CONVERSATIONS_READ: "list, search and read conversations, their messages, suggestions and handoffs",
    Right.CONVERSATIONS_WRITE: "claim, assign, close, label conversations, note; propose and ask for suggestions",
    Right.MESSAGES_WRITE: "send messages and files, mark chats as read, show typing, look numbers up",
    Right.CONTACTS_READ: "list and read contacts and leads",
    Right.CONTACTS_WRITE: "change contacts, their notes and tasks, and leads",
    Right.OUTGOING_READ: "list messages on their way out",
    Right.OUTGOING_WRITE: "settle messages of unknown outcome",
    Right.SESSIONS_READ: "list and read channel sessions, their figures and logs",
    Right.SESSIONS_WRITE: "create, pair, start, stop, log out and delete channel sessions; see their QR codes",
    Right.INTENTS_READ: "list, read and check intents",
    Right.INTENTS_WRITE: "create, replace, delete and import intents",
    Right.FUNCTIONS_READ: "list and read business functions",
    Right.FUNCTIONS_WRITE: "create, change, try out and delete business functions",
    Right.KNOWLEDGE_READ: "list and search documents of knowledge",
    Right.KNOWLEDGE_WRITE: "add, replace and delete documents of knowledge",
    Right.PROMPTS_READ: "list and read prompt bundles",
    Right.PROMPTS_WRITE: "draft, publish and go back from prompt bundles",
    Right.EVALS_READ: "read eval runs and their reports",
    Right.EVALS_WRITE: "review test cases, start evals",
    Right.CASES_WRITE: "propose a turn as a test case",
    Right.TRACES_READ: "read why the assistant did what it did, personal data masked",
    Right.POLICY_READ: "read the reply policy",
    Right.POLICY_WRITE: "change the reply policy, use the kill switch",
    Right.SETTINGS_READ: "read hours, holidays, texts, budgets, canned replies",
    Right.SETTINGS_WRITE: "change hours, holidays, texts, budgets, canned replies",
    Right.USERS_READ: "list people and teams",
    Right.USERS_WRITE: "add, change and remove people and teams",
    Right.SUPERVISION: "see who works on what; assign other people's conversations",
    Right.REPORTS_READ: "read figures and export them",
    Right.WEBHOOKS_READ: "list outgoing webhooks and their deliveries",
    Right.WEBHOOKS_WRITE: "create, change, test and delete outgoing webhooks",
    Right.API_KEYS_WRITE: "list, create and revoke API keys",
    Right.EVENTS_READ: "read the event log and listen to events",
    Right.AUDIT_READ: "read the audit log",
}
"""What a key may be allowed: every right (domain.roles), in the words of who makes a key."""

_PREFIX: Final = "atende_"
_TOKEN: Final = re.compile(r"atende_[A-Za-z0-9_-]{43}")
_HINT: Final = len(_PREFIX) + 6
_MOST_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``token`` is shown this once and kept nowhere."""

    id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who calls, with what it may do: a key of one tenant, or a person of it with an access token."""

    key_id: UUID
    """Of the key; of a person the person's."""
    tenant_id: UUID
    name: str
    scopes: frozenset[str]
    user_id: UUID | None = None
    """The person; None: a key, which is nobody in particular."""
    sight: Sight | None = None
    """What the person sees of the tenant's conversations; a key sees all."""

    @property
    def actor(self) -> str:
        """How the caller stands in events."""
        return f"api key {self.name}" if self.user_id is None else f"user:{self.user_id}"


class ApiKeys:
    """Makes, lists, revokes and recognises keys. Raises InvalidInputError, ConflictError or NotFoundError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(
        self, tenant_id: UUID, name: str, scopes: Sequence[str], *, days: int | None = None, actor: str
    ) -> NewKey:
        """A new key with these scopes; ``days``: how long it is valid, None: until it is revoked."""
        name = storable(name)[0].strip()[:80]
        wanted = list(dict.fromkeys(scopes))
        wrong = [scope for scope in wanted if scope not in SCOPES]
        if not name:
            raise InvalidInputError("name", "is empty", hint="Say what uses the key.")
        if wrong or not wanted:
            raise InvalidInputError(
                "scopes", f"there is no {', '.join(wrong) or 'scope given'}", hint=f"Known: {', '.join(SCOPES)}."
            )
        if days is not None and not 0 < days <= 36_500:
            raise InvalidInputError("days", "must be at least 1")
        token = _PREFIX + secrets.token_urlsafe(32)
        async with self._db.transaction(tenant_id) as tx:
            await tx.execute("SELECT 1 FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            if await tx.fetchval("SELECT count(*) FROM api_key WHERE revoked_at IS NULL") >= _MOST_KEYS:
                raise ConflictError(f"There are {_MOST_KEYS} keys already.", hint="Revoke one first.")
            key_id = await tx.fetchval(
                """INSERT INTO api_key (tenant_id, name, key_hash, hint, scopes, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6) RETURNING id""",
                tenant_id,
                name,
                _hash(token),
                token[:_HINT],
                wanted,
                datetime.now(UTC) + timedelta(days=days) if days else None,
            )
            payload = {"id": str(key_id), "name": name, "scopes": wanted}
            await events.append(tx, tenant_id, "api_key.created", payload=payload, actor=actor)
        return NewKey(key_id, token)

    async def all(self, tenant_id: UUID) -> list[Row]:
        """Every key with its last use, the newest first: (id, name, hint, scopes, and four points in time)."""
        async with self._db.transaction(tenant_id) as tx:
            return list(
                await tx.fetch(
                    "SELECT id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_key "
                    "ORDER BY created_at DESC, id"
                )
            )

    async def revoke(self, tenant_id: UUID, wanted: str, *, actor: str) -> str:
        """Refuse the key from now on; ``wanted`` is its id, its name or its beginning. Returns its name."""
        async with self._db.transaction(tenant_id) as tx:
            rows = await tx.fetch(
                "SELECT id, name FROM api_key WHERE revoked_at IS NULL AND (id::text = $1 OR name = $1 OR hint = $1)",
                wanted,
            )
            if not rows:
                raise NotFoundError("API key in use", wanted)
            if len(rows) > 1:
                raise ConflictError(f"{len(rows)} keys are called {wanted}.", hint="Name it by its id.")
            await tx.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", rows[0]["id"])
            payload = {"id": str(rows[0]["id"]), "name": rows[0]["name"]}
            await events.append(tx, tenant_id, "api_key.revoked", payload=payload, actor=actor)
            return str(rows[0]["name"])

    async def recognise(self, token: str) -> ApiCaller | None:
        """Whose key this is; None where it is nobody's, revoked or past its time."""
        if not _TOKEN.fullmatch(token):
            return None
        rows = await self._db.gate("use_api_key", _hash(token))
        if not rows:
            return None
        row = rows[0]
        return ApiCaller(row["key_id"], row["tenant_id"], row["name"], frozenset(row["scopes"]))


def _hash(token: str) -> str:
    """A plain digest suffices: the token is 256 random bits, not a password."""
    return hashlib.sha256(token.encode()).hexdigest()
