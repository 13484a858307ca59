"""Prompt bundles of a tenant: stored whole under their hash, and which of them is in force for whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from store.database import Connection, Row

IN_FORCE = ("published", "rolled_back")


@dataclass(frozen=True, slots=True)
class Canary:
    """A bundle that a share of the contacts meets."""

    hash: str
    share: float


async def put(
    tx: Connection,
    tenant_id: UUID,
    name: str,
    content: Mapping[str, Any],
    *,
    parts: Mapping[str, str],
    description: str = "",
    created_by: str = "",
    used: bool = False,
) -> bool:
    """Store a bundle under its hash; returns whether it is new. What is there stays, but for its first use."""
    new: bool = await tx.fetchval(
        """INSERT INTO prompt_bundle (tenant_id, hash, description, parts, content, created_by, first_used_at)
           VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN now() END)
           ON CONFLICT (tenant_id, hash) DO UPDATE SET
               first_used_at = coalesce(prompt_bundle.first_used_at, excluded.first_used_at),
               created_by = coalesce(nullif(prompt_bundle.created_by, ''), excluded.created_by),
               description = coalesce(nullif(excluded.description, ''), prompt_bundle.description)
           RETURNING xmax = 0""",
        tenant_id,
        name,
        description,
        dict(parts),
        dict(content),
        created_by,
        used,
    )
    return new


async def keep_documents(tx: Connection, tenant_id: UUID, documents: Mapping[str, tuple[str, list[Any]]]) -> None:
    """Keep documents by digest: title, and [heading, text, page] of each piece."""
    await tx.executemany(
        "INSERT INTO bundle_document (tenant_id, digest, title, chunks) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(tenant_id, digest, title, chunks) for digest, (title, chunks) in documents.items()],
    )


async def keep_live_documents(tx: Connection, tenant_id: UUID) -> None:
    """Keep the tenant's documents as they are now."""
    await tx.execute(
        """INSERT INTO bundle_document (tenant_id, digest, title, chunks)
           SELECT DISTINCT ON (d.digest) $1, d.digest, d.title, coalesce(
                      (SELECT jsonb_agg(jsonb_build_array(c.heading, c.text, c.page) ORDER BY c.ordinal)
                         FROM knowledge_chunk c WHERE c.document_id = d.id), '[]')
             FROM knowledge_document d
            WHERE d.tenant_id = $1
              AND NOT EXISTS (SELECT 1 FROM bundle_document b WHERE b.tenant_id = $1 AND b.digest = d.digest)
           ON CONFLICT DO NOTHING""",
        tenant_id,
    )


async def documents(tx: Connection, tenant_id: UUID, digests: Collection[str]) -> dict[str, Row]:
    """(title, chunks) of kept documents by digest."""
    rows = await tx.fetch(
        "SELECT digest, title, chunks FROM bundle_document WHERE tenant_id = $1 AND digest = ANY ($2)",
        tenant_id,
        list(digests),
    )
    return {row["digest"]: row for row in rows}


async def matching(tx: Connection, beginning: str) -> list[Row]:
    """The bundles whose hash begins so, whole; at most two, to tell one from several."""
    return list(
        await tx.fetch("SELECT * FROM prompt_bundle WHERE starts_with(hash, $1) ORDER BY hash LIMIT 2", beginning)
    )


async def listed(tx: Connection, limit: int) -> list[Row]:
    """The newest bundles without their content."""
    return list(
        await tx.fetch(
            """SELECT hash, description, parts, created_by, created_at, first_used_at
                 FROM prompt_bundle ORDER BY created_at DESC, hash LIMIT $1""",
            limit,
        )
    )


async def release(
    tx: Connection,
    tenant_id: UUID,
    name: str,
    kind: str,
    *,
    share: float,
    evidence: Mapping[str, Any],
    actor: str,
) -> None:
    """Write down a step. It is in force with this transaction."""
    await tx.execute(
        "INSERT INTO bundle_release (tenant_id, hash, kind, share, evidence, actor) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant_id,
        name,
        kind,
        share,
        dict(evidence),
        actor,
    )


async def releases(tx: Connection, limit: int = 100) -> list[Row]:
    """The steps, newest first: (id, hash, kind, share, evidence, actor, created_at)."""
    return list(await tx.fetch("SELECT * FROM bundle_release ORDER BY id DESC LIMIT $1", limit))


async def canary(tx: Connection) -> Canary | None:
    """The bundle that a share meets now: the newest step, if it is a canary's."""
    row = await tx.fetchrow("SELECT hash, kind, share FROM bundle_release ORDER BY id DESC LIMIT 1")
    return Canary(row["hash"], row["share"]) if row and row["kind"] == "canary" and row["share"] > 0 else None


async def wordings(tx: Connection) -> dict[str, str]:
    """The tenant's own prompts in force, by name."""
    return {row["name"]: row["source"] for row in await tx.fetch("SELECT name, source FROM prompt_wording")}


async def set_wordings(tx: Connection, tenant_id: UUID, sources: Mapping[str, str]) -> None:
    """Make these the tenant's own prompts, and no others."""
    await tx.execute("DELETE FROM prompt_wording WHERE tenant_id = $1 AND name <> ALL ($2)", tenant_id, list(sources))
    await tx.executemany(
        """INSERT INTO prompt_wording (tenant_id, name, source) VALUES ($1, $2, $3)
           ON CONFLICT (tenant_id, name) DO UPDATE SET source = excluded.source, updated_at = now()
            WHERE prompt_wording.source <> excluded.source""",
        [(tenant_id, name, source) for name, source in sources.items()],
    )
