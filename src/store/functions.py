"""The registry of a tenant's business functions, of whatever kind, and of the private hosts they may reach."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal
from uuid import UUID

from domain.errors import AtendeError, NotFoundError
from store.database import Connection, Row

Kind = Literal["python", "http", "mcp"]
Change = Literal["added", "changed", "unchanged"]


def shown_source(source: str) -> str:
    """See FunctionRow.shown_source."""
    kind, _, where = source.partition(":")
    return f"{kind}:{PurePath(where).name}" if kind == "folder" else source


class FunctionNameTakenError(AtendeError):
    """A function of this name came from another source already."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(
            f"The name {name} is taken by a function of {shown_source(source)}.",
            hint="Import it under another name (a prefix, for one), or remove the other function.",
        )
        self.name = name
        self.source = source


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """One function as stored; see the table business_function for what the fields mean."""

    name: str
    kind: Kind
    effect: Literal["read", "write"]
    source: str
    declaration: Mapping[str, Any]
    trusted: bool = False
    trusted_for: tuple[str, ...] = ()
    enabled: bool = True

    @property
    def shown_source(self) -> str:
        """Where it came from, for who works for the tenant: of a folder its name, not where it is on this server."""
        return shown_source(self.source)

    @property
    def details(self) -> Mapping[str, Any]:
        """What its kind needs to make the call."""
        found = self.declaration.get(self.kind, {})
        return found if isinstance(found, Mapping) else {}


async def put(tx: Connection, tenant_id: UUID, row: FunctionRow, *, keep_trust: bool = False) -> Change:
    """Store a function; one that a person switched off stays off. Raises FunctionNameTakenError if another source
    brought one of its name.

    ``keep_trust``: trust that a person gave earlier stays, as long as the function has the same effect and calls the
    same: ``calls`` in its kind's details where they have one, else all of them. Trust in one operation must not pass to
    another one behind the same name.
    """
    found = await tx.fetchrow("SELECT * FROM business_function WHERE name = $1 FOR UPDATE", row.name)
    if found is not None and found["source"] != row.source:
        raise FunctionNameTakenError(row.name, found["source"])
    trusted, trusted_for = row.trusted, list(row.trusted_for)
    declaration = dict(row.declaration)
    if found is not None:
        before = (found["kind"], found["effect"], _called(found["declaration"], row.kind))
        same = before == (row.kind, row.effect, _called(declaration, row.kind))
        if keep_trust and same and not trusted:
            trusted, trusted_for = found["trusted"], found["trusted_for"]
        stored = tuple(found[name] for name in ("kind", "effect", "declaration", "trusted", "trusted_for"))
        if stored == (row.kind, row.effect, declaration, trusted, trusted_for):
            return "unchanged"
    await tx.execute(
        """INSERT INTO business_function
               (tenant_id, name, kind, effect, source, declaration, trusted, trusted_for, enabled)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (tenant_id, name) DO UPDATE SET kind = excluded.kind, effect = excluded.effect,
               declaration = excluded.declaration, trusted = excluded.trusted, trusted_for = excluded.trusted_for,
               updated_at = now()""",
        tenant_id,
        row.name,
        row.kind,
        row.effect,
        row.source,
        declaration,
        trusted,
        trusted_for,
        row.enabled,
    )
    return "added" if found is None else "changed"


async def every(tx: Connection) -> list[FunctionRow]:
    """All functions of the tenant, by name."""
    return [_row(row) for row in await tx.fetch("SELECT * FROM business_function ORDER BY name")]


async def find(tx: Connection, name: str, *, lock: bool = False) -> FunctionRow | None:
    """The function of this name, or None."""
    row = await tx.fetchrow(f"SELECT * FROM business_function WHERE name = $1{' FOR UPDATE' if lock else ''}", name)
    return _row(row) if row is not None else None


async def one(tx: Connection, name: str, *, lock: bool = False) -> FunctionRow:
    """The function of this name. Raises NotFoundError."""
    row = await find(tx, name, lock=lock)
    if row is None:
        raise NotFoundError("function", name)
    return row


async def remove_others(tx: Connection, source: str, kept: Collection[str]) -> list[str]:
    """Remove what ``source`` brought earlier and brings no more; the names removed."""
    rows = await tx.fetch(
        "DELETE FROM business_function WHERE source = $1 AND name <> ALL ($2) RETURNING name", source, list(kept)
    )
    return sorted(row["name"] for row in rows)


async def remove(tx: Connection, name: str) -> None:
    """Forget a function; what it did stays recorded. Raises NotFoundError."""
    if await tx.fetchval("DELETE FROM business_function WHERE name = $1 RETURNING name", name) is None:
        raise NotFoundError("function", name)


async def trust(tx: Connection, name: str, *, trusted: bool, intents: Sequence[str] = ()) -> None:
    """Let a write act without approval (for these intents, or for all it serves), or no more. Raises NotFoundError."""
    found = await tx.fetchval(
        """UPDATE business_function SET trusted = $2, trusted_for = $3, updated_at = now()
            WHERE name = $1 RETURNING name""",
        name,
        trusted,
        list(intents),
    )
    if found is None:
        raise NotFoundError("function", name)


async def switch(tx: Connection, name: str, *, enabled: bool) -> None:
    """Let the agent use a function, or no more."""
    await tx.execute("UPDATE business_function SET enabled = $2, updated_at = now() WHERE name = $1", name, enabled)


async def allowed_hosts(tx: Connection) -> frozenset[str]:
    """Hosts without a public address that the tenant's functions may reach: ``name`` or ``name:port``."""
    return frozenset(row["host"] for row in await tx.fetch("SELECT host FROM allowed_host"))


async def allow_host(tx: Connection, tenant_id: UUID, host: str) -> None:
    """Add a host; one that is there already stays."""
    await tx.execute(
        "INSERT INTO allowed_host (tenant_id, host) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant_id, host
    )


async def disallow_host(tx: Connection, host: str) -> None:
    """Take a host away. Raises NotFoundError."""
    if await tx.fetchval("DELETE FROM allowed_host WHERE host = $1 RETURNING host", host) is None:
        raise NotFoundError("allowed host", host)


def _called(declaration: Mapping[str, Any], kind: str) -> Any:
    details = declaration.get(kind)
    return details.get("calls", details) if isinstance(details, Mapping) else details


def _row(row: Row) -> FunctionRow:
    return FunctionRow(
        name=row["name"],
        kind=row["kind"],
        effect=row["effect"],
        source=row["source"],
        declaration=row["declaration"],
        trusted=row["trusted"],
        trusted_for=tuple(row["trusted_for"]),
        enabled=row["enabled"],
    )
