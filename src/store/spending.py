"""Counting what language models use, and holding what running calls may use. All in one statement each.

A call first *holds* the most that it may use and afterwards exchanges that for what it did use, so that calls at the
same time cannot break a limit together that none of them would break alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from domain.budgets import Amount, Budgets, Limit, Span, used_up
from store.database import Connection

Spans = Sequence[tuple[Span, str]]
"""Spans with their keys (domain.budgets.spans_at), in that order."""

_EXCHANGE = """
INSERT INTO model_spending AS s (tenant_id, span, key, cost_micros, tokens, calls, held_micros, held_tokens, held_until)
SELECT $1::uuid, l.span, l.key, l.used_micros, l.used_tokens, l.calls, l.wanted_micros, l.wanted_tokens,
       now() + $13::interval
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
              $9::bigint[], $10::bigint[]) WITH ORDINALITY
       AS l(span, key, micros, tokens, used_micros, used_tokens, calls, wanted_micros, wanted_tokens, n)
 WHERE l.wanted_micros + l.wanted_tokens = 0
    OR (coalesce(l.used_micros + l.wanted_micros <= l.micros, true)
        AND coalesce(l.used_tokens + l.wanted_tokens <= l.tokens, true))
 ORDER BY l.n
ON CONFLICT (tenant_id, span, key) DO UPDATE SET
    cost_micros = s.cost_micros + excluded.cost_micros,
    tokens = s.tokens + excluded.tokens,
    calls = s.calls + excluded.calls,
    held_micros = CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_micros
                      - ($11::bigint[])[array_position($14::text[], s.span || ' ' || s.key)], 0) END
                  + excluded.held_micros,
    held_tokens = CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_tokens
                      - ($12::bigint[])[array_position($14::text[], s.span || ' ' || s.key)], 0) END
                  + excluded.held_tokens,
    held_until = CASE WHEN excluded.held_micros + excluded.held_tokens > 0
                      THEN greatest(s.held_until, excluded.held_until) ELSE s.held_until END
 WHERE excluded.held_micros + excluded.held_tokens = 0
    OR (coalesce(s.cost_micros + excluded.cost_micros + excluded.held_micros
                 + CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_micros
                       - ($11::bigint[])[array_position($14::text[], s.span || ' ' || s.key)], 0) END
                 <= ($4::bigint[])[array_position($14::text[], s.span || ' ' || s.key)], true)
        AND coalesce(s.tokens + excluded.tokens + excluded.held_tokens
                     + CASE WHEN s.held_until < now() THEN 0 ELSE greatest(s.held_tokens
                           - ($12::bigint[])[array_position($14::text[], s.span || ' ' || s.key)], 0) END
                     <= ($5::bigint[])[array_position($14::text[], s.span || ' ' || s.key)], true))
RETURNING s.span
"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one caller used since it last said so, what it gives back, and what it wants to hold next."""

    spans: tuple[tuple[Span, str], ...]
    budgets: Budgets
    used: Amount
    calls: int
    released: Amount
    wanted: Amount


@dataclass(slots=True)
class _Sum:
    """What comes together in one span. A limit of the tenant is the same for all of its callers."""

    limit: Limit
    used: Amount = field(default_factory=Amount)
    calls: int = 0
    released: Amount = field(default_factory=Amount)
    wanted: Amount = field(default_factory=Amount)


async def exchange(tx: Connection, tenant_id: UUID, exchanges: Sequence[Exchange], *, held_for: timedelta) -> bool:
    """Count what was used, give back what is released, and hold what is wanted if no limit speaks against it.

    False: one does, and the caller must roll everything back. With nothing wanted it is always True.
    """
    sums: dict[tuple[str, str], _Sum] = {}
    for one in exchanges:
        for span, key in one.spans:
            found = sums.setdefault((span.value, key), _Sum(one.budgets.of(span)))
            found.used += one.used
            found.calls += one.calls
            found.released += one.released
            found.wanted += one.wanted
    rows = sorted(sums.items())  # every transaction locks the rows in this order
    counted = await tx.fetch(
        _EXCHANGE,
        tenant_id,
        [span for (span, _), _ in rows],
        [key for (_, key), _ in rows],
        [found.limit.cost_micros for _, found in rows],
        [found.limit.tokens for _, found in rows],
        [found.used.cost_micros for _, found in rows],
        [found.used.tokens for _, found in rows],
        [found.calls for _, found in rows],
        [found.wanted.cost_micros for _, found in rows],
        [found.wanted.tokens for _, found in rows],
        [found.released.cost_micros for _, found in rows],
        [found.released.tokens for _, found in rows],
        held_for,
        [f"{span} {key}" for (span, key), _ in rows],
    )
    return len(counted) == len(rows)


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


async def by_key(tx: Connection, tenant_id: UUID, span: Span, keys: Sequence[str]) -> dict[str, Amount]:
    """What was used in several spans of a kind; those without any use are left out."""
    rows = await tx.fetch(
        "SELECT key, cost_micros, tokens FROM model_spending WHERE tenant_id = $1 AND span = $2 AND key = ANY ($3)",
        tenant_id,
        span.value,
        list(keys),
    )
    return {row["key"]: Amount(row["cost_micros"], row["tokens"]) for row in rows}


async def dearest(tx: Connection, tenant_id: UUID) -> Amount:
    """The most that a conversation used which was used in the last 30 days."""
    row = await tx.fetchrow(
        """SELECT cost_micros, tokens FROM model_spending
            WHERE tenant_id = $1 AND span = $2 AND held_until > now() - interval '30 days'
            ORDER BY cost_micros DESC, tokens DESC LIMIT 1""",
        tenant_id,
        Span.CONVERSATION.value,
    )
    return Amount(row["cost_micros"], row["tokens"]) if row else Amount()
