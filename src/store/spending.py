"""Counting what language models use, and holding what running calls may use. All in one statement each.

A call first *holds* the most that it may use and afterwards exchanges that for what it did use, so that calls at the
same time cannot break a limit together that none of them would break alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from domain.budgets import Amount, Budgets, Span, used_up
from store.database import Connection

Spans = Sequence[tuple[Span, str]]
"""Spans with their keys (domain.budgets.spans_at), in that order."""

_EXCHANGE = """
INSERT INTO model_spending AS s (tenant_id, span, key, cost_micros, tokens, calls, held_micros, held_tokens, held_until)
SELECT $1::uuid, l.span, l.key, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint, now() + $13::interval
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) WITH ORDINALITY AS l(span, key, micros, tokens, n)
 WHERE NOT $14::boolean
    OR (coalesce($6::bigint + $9::bigint <= l.micros, true)
        AND coalesce($7::bigint + $10::bigint <= l.tokens, true))
 ORDER BY l.n
ON CONFLICT (tenant_id, span, key) DO UPDATE SET
    cost_micros = s.cost_micros + excluded.cost_micros,
    tokens = s.tokens + excluded.tokens,
    calls = s.calls + excluded.calls,
    held_micros = CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_micros - $11::bigint, 0) END
                  + excluded.held_micros,
    held_tokens = CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_tokens - $12::bigint, 0) END
                  + excluded.held_tokens,
    held_until = CASE WHEN $14::boolean THEN greatest(s.held_until, excluded.held_until) ELSE s.held_until END
 WHERE NOT $14::boolean
    OR (coalesce(s.cost_micros + excluded.cost_micros + excluded.held_micros
                 + CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_micros - $11::bigint, 0) END
                 <= ($4::bigint[])[array_position($2::text[], s.span)], true)
        AND coalesce(s.tokens + excluded.tokens + excluded.held_tokens
                     + CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_tokens - $12::bigint, 0) END
                     <= ($5::bigint[])[array_position($2::text[], s.span)], true))
RETURNING s.span
"""


async def exchange(
    tx: Connection,
    tenant_id: UUID,
    spans: Spans,
    budgets: Budgets,
    *,
    used: Amount,
    calls: int,
    released: Amount,
    wanted: Amount,
    held_for: timedelta,
) -> bool:
    """Count ``used``, give back ``released``, and hold ``wanted`` if no limit speaks against it.

    False: one does, and the caller must roll everything back. With nothing wanted it is always True.
    """
    limits = [budgets.of(span) for span, _ in spans]
    counted = await tx.fetch(
        _EXCHANGE,
        tenant_id,
        [span.value for span, _ in spans],
        [key for _, key in spans],
        [limit.cost_micros for limit in limits],
        [limit.tokens for limit in limits],
        used.cost_micros,
        used.tokens,
        calls,
        wanted.cost_micros,
        wanted.tokens,
        released.cost_micros,
        released.tokens,
        held_for,
        bool(wanted),
    )
    return len(counted) == len(spans)


async def obstacle(
    tx: Connection, tenant_id: UUID, spans: Spans, budgets: Budgets, *, wanted: Amount, own: Amount
) -> tuple[str | None, bool]:
    """Which limit ``wanted`` breaks (None: none any more), and whether it would even if no other call were running.

    ``own``: what the caller itself holds and would give back.
    """
    rows = await tx.fetch(
        """SELECT span, cost_micros, tokens, CASE WHEN held_until < now() THEN 0 ELSE held_micros END AS held_micros,
                  CASE WHEN held_until < now() THEN 0 ELSE held_tokens END AS held_tokens
             FROM model_spending
            WHERE tenant_id = $1 AND (span, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))""",
        tenant_id,
        [span.value for span, _ in spans],
        [key for _, key in spans],
    )
    spent = {row["span"]: Amount(row["cost_micros"], row["tokens"]) for row in rows}
    held = {row["span"]: Amount(row["held_micros"], row["held_tokens"]) for row in rows}
    waits: str | None = None
    for span, _ in spans:
        settled = spent.get(span, Amount()) + wanted
        if found := used_up(budgets.of(span), settled, span):
            return found, True
        others = held.get(span, Amount())
        others = Amount(max(others.cost_micros - own.cost_micros, 0), max(others.tokens - own.tokens, 0))
        waits = waits or used_up(budgets.of(span), settled + others, span)
    return waits, False


async def spent(tx: Connection, tenant_id: UUID, span: Span, key: str) -> Amount:
    """What was used in a span so far."""
    row = await tx.fetchrow(
        "SELECT cost_micros, tokens FROM model_spending WHERE tenant_id = $1 AND span = $2 AND key = $3",
        tenant_id,
        span.value,
        key,
    )
    return Amount(row["cost_micros"], row["tokens"]) if row else Amount()
