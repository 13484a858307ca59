"""Who has proven who they are, and how often they tried."""

from __future__ import annotations

from uuid import UUID

from domain.identity import IdentityStanding, IdentityTerms
from store.database import Connection


async def standing(tx: Connection, subject_id: UUID, terms: IdentityTerms) -> IdentityStanding:
    """How this conversation or contact stands now."""
    row = await tx.fetchrow(
        """SELECT coalesce(verified_until > now(), false) AS verified,
                  attempts >= $2 AND tried_at > now() - make_interval(mins => $3) AS blocked
             FROM identity_check WHERE subject_id = $1""",
        subject_id,
        terms.attempts,
        terms.blocked_minutes,
    )
    if row is None:
        return IdentityStanding()
    return IdentityStanding(row["verified"], row["blocked"] and not row["verified"])


async def count_attempt(
    tx: Connection, tenant_id: UUID, subject_id: UUID, terms: IdentityTerms, message_id: int
) -> bool:
    """Use up one attempt, once for each message; False where none is left. Old ones are forgotten after a while."""
    attempts = await tx.fetchval(
        """INSERT INTO identity_check AS known (tenant_id, subject_id, attempts, message_id)
           VALUES ($1, $2, 1, $3)
           ON CONFLICT (tenant_id, subject_id) DO UPDATE SET
               attempts = CASE
                   WHEN known.message_id = excluded.message_id THEN known.attempts
                   WHEN known.tried_at <= now() - make_interval(mins => $4) THEN 1
                   ELSE known.attempts + 1 END,
               message_id = excluded.message_id,
               tried_at = now()
           RETURNING attempts""",
        tenant_id,
        subject_id,
        message_id,
        terms.blocked_minutes,
    )
    return bool(attempts <= terms.attempts)


async def set_verified(tx: Connection, subject_id: UUID, terms: IdentityTerms) -> None:
    """The identity is proven, from now on for the tenant's time; attempts are whole again."""
    await tx.execute(
        "UPDATE identity_check SET verified_until = now() + make_interval(mins => $2), attempts = 0 "
        "WHERE subject_id = $1",
        subject_id,
        terms.valid_minutes,
    )
