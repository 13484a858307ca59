"""The figures of reports, counted by the database from the rows of the work itself.

Each function takes a connection inside ``Database.transaction(tenant_id)`` and a Question. It gives one row for each
key of ``by`` (``key``, then the columns), or one row with the key None where ``by`` is None: the whole range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from store.database import Connection, Row
from store.report_sources import (
    ASKED,
    CLOSED,
    HANDOFFS,
    OPENED,
    OUTBOX,
    SATISFACTION,
    SUGGESTIONS,
    TURNS,
    Question,
    Source,
)


async def conversations(tx: Connection, question: Question) -> list[Row]:
    """opened, handed_off, with_person, closed: of those opened in the range."""
    return await _count(
        tx,
        OPENED,
        question,
        """count(*) AS opened, count(e.handed_off_at) AS handed_off,
           count(*) FILTER (WHERE e.by_person) AS with_person,
           count(e.closed_at) AS closed""",
    )


async def automatic_resolution(tx: Connection, question: Question) -> list[Row]:
    """closed, not_yet_known, known, automatic, with_person, reopened, unresolved: of those closed in the range."""
    known = "e.closed_at <= {now}::timestamptz - interval '72 hours'"
    back = "coalesce(e.reopened_at <= e.closed_at + interval '72 hours', false)"
    resolved = "coalesce(e.closed_reason, 'resolved') = 'resolved'"
    return await _count(
        tx,
        CLOSED,
        question,
        f"""count(*) AS closed, count(*) FILTER (WHERE NOT ({known})) AS not_yet_known,
            count(*) FILTER (WHERE {known}) AS known,
            count(*) FILTER (WHERE {known} AND NOT e.by_person AND NOT {back} AND {resolved}) AS automatic,
            count(*) FILTER (WHERE {known} AND e.by_person) AS with_person,
            count(*) FILTER (WHERE {known} AND NOT e.by_person AND {back}) AS reopened,
            count(*) FILTER (WHERE {known} AND NOT e.by_person AND NOT {back} AND NOT {resolved}) AS unresolved,
            count(*) FILTER (WHERE {known} AND NOT e.by_person AND NOT {back} AND {resolved})::float
                / nullif(count(*) FILTER (WHERE {known}), 0) AS share""",
        now=question.now,
    )


async def suggestions(tx: Connection, question: Question) -> list[Row]:
    """eligible (= accepted + edited + rejected + expired), each of them, withdrawn, waiting; shares of eligible."""
    eligible = "s.status IN ('approved', 'edited', 'rejected', 'expired')"
    return await _count(
        tx,
        SUGGESTIONS,
        question,
        f"""count(*) FILTER (WHERE {eligible}) AS eligible,
            count(*) FILTER (WHERE s.status = 'approved') AS accepted,
            count(*) FILTER (WHERE s.status = 'edited') AS edited,
            count(*) FILTER (WHERE s.status = 'rejected') AS rejected,
            count(*) FILTER (WHERE s.status = 'expired') AS expired,
            count(*) FILTER (WHERE s.status = 'superseded') AS withdrawn,
            count(*) FILTER (WHERE s.status = 'pending') AS waiting,
            count(*) FILTER (WHERE s.status = 'approved')::float / nullif(count(*) FILTER (WHERE {eligible}), 0)
                AS share,
            count(*) FILTER (WHERE s.status IN ('approved', 'edited'))::float
                / nullif(count(*) FILTER (WHERE {eligible}), 0) AS share_with_edited""",
    )


async def first_answer(tx: Connection, question: Question) -> list[Row]:
    """asked, answered, by_bot; seconds (median and p90) of all, in hours, outside, and until a person's answer."""
    took = "extract(epoch FROM e.first_answer_at - e.asked_at)"
    person = "extract(epoch FROM e.first_person_at - e.asked_at)"
    is_open = "e.asked_at <@ {hours}::text::tstzmultirange"
    return await _count(
        tx,
        ASKED,
        question,
        f"""count(e.asked_at) AS asked, count({took}) AS answered,
            count(*) FILTER (WHERE e.first_answer_by = 'bot') AS by_bot,
            {_spread(took, "true", "")},
            count({took}) FILTER (WHERE {is_open}) AS open_count, {_spread(took, is_open, "open_")},
            count({took}) FILTER (WHERE NOT ({is_open})) AS shut_count, {_spread(took, f"NOT ({is_open})", "shut_")},
            count({person}) AS person_count, {_spread(person, "true", "person_")}""",
        hours=question.hours,
    )


async def handling(tx: Connection, question: Question) -> list[Row]:
    """count and seconds (median, p90) from a person's taking to the closing, in hours and outside; and of the wait."""
    took = "extract(epoch FROM e.closed_at - e.taken_at)"
    wait = "extract(epoch FROM e.taken_at - e.handed_off_at)"
    waited = "e.taken_at >= e.handed_off_at"
    is_open = "e.taken_at <@ {hours}::text::tstzmultirange"
    return await _count(
        tx,
        CLOSED,
        question,
        f"""count({took}) AS handled, {_spread(took, "true", "")},
            count({took}) FILTER (WHERE {is_open}) AS open_count, {_spread(took, is_open, "open_")},
            count({took}) FILTER (WHERE NOT ({is_open})) AS shut_count, {_spread(took, f"NOT ({is_open})", "shut_")},
            count({wait}) FILTER (WHERE {waited}) AS waited, {_spread(wait, waited, "wait_")}""",
        hours=question.hours,
    )


async def handoffs(tx: Connection, question: Question) -> list[Row]:
    """count, claimed, and seconds (median, p90) until somebody claimed it."""
    wait = "extract(epoch FROM h.claimed_at - h.created_at)"
    return await _count(
        tx,
        HANDOFFS,
        question,
        f"count(*) AS handoffs, count(h.claimed_at) AS claimed, {_spread(wait, 'true', 'wait_')}",
    )


async def intents(tx: Connection, question: Question) -> list[Row]:
    """turns with an intent; mean confidence; how many replied by themselves, suggested, handed off."""
    return await _count(
        tx,
        TURNS,
        question,
        """count(*) AS turns, avg(t.confidence)::float AS confidence,
           count(*) FILTER (WHERE t.decision ->> 'kind' = 'reply') AS automatic,
           count(*) FILTER (WHERE t.decision ->> 'kind' IN ('suggest', 'ask_approval')) AS suggested,
           count(*) FILTER (WHERE t.decision ->> 'kind' = 'hand_off') AS handed_off,
           count(*) FILTER (WHERE t.decision ->> 'kind' = 'reply')::float / nullif(count(*), 0) AS share""",
        where="t.intent IS NOT NULL AND t.status = 'decided'",
    )


async def costs(tx: Connection, question: Question) -> list[Row]:
    """cost (in millionths), tokens, calls. Of a part of the work: cost and tokens of its turns, calls None."""
    if not question.is_filtered and question.by in {None, "day"}:
        grouped = "GROUP BY 1 ORDER BY 1" if question.by else ""
        rows: list[Row] = await tx.fetch(
            f"""SELECT {"s.key" if question.by else "NULL"} AS key, coalesce(sum(s.cost_micros), 0)::bigint AS cost,
                       coalesce(sum(s.tokens), 0)::bigint AS tokens, coalesce(sum(s.calls), 0)::bigint AS calls
                  FROM model_spending s
                 WHERE s.span = 'day' AND s.key >= $1 AND s.key < $2 {grouped}""",
            _day(question.start, question.zone),
            _day(question.end, question.zone),
        )
        return rows
    return await _count(
        tx,
        TURNS,
        question,
        "coalesce(sum(t.cost_micros), 0)::bigint AS cost, NULL::bigint AS tokens, NULL::bigint AS calls",
    )


async def deliveries(tx: Connection, question: Question) -> list[Row]:
    """messages, sent, failed, unknown, cancelled, under_way; share (failed or unknown of what was tried)."""
    return await _count(
        tx,
        OUTBOX,
        question,
        """count(*) AS messages, count(*) FILTER (WHERE o.state = 'sent') AS sent,
           count(*) FILTER (WHERE o.state = 'failed') AS failed,
           count(*) FILTER (WHERE o.state = 'unknown') AS unknown,
           count(*) FILTER (WHERE o.state = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE o.state IN ('queued', 'sending')) AS under_way,
           count(*) FILTER (WHERE o.state IN ('failed', 'unknown'))::float
               / nullif(count(*) FILTER (WHERE o.state IN ('sent', 'failed', 'unknown')), 0) AS share""",
    )


async def satisfaction(tx: Connection, question: Question) -> list[Row]:
    """asked, answered, share, average, and how often each score from 1 to 5 (``score_1`` …)."""
    scores = ", ".join(f"count(*) FILTER (WHERE a.score = {score}) AS score_{score}" for score in range(1, 6))
    return await _count(
        tx,
        SATISFACTION,
        question,
        f"""count(*) AS asked, count(a.score) AS answered, count(a.score)::float / nullif(count(*), 0) AS share,
            avg(a.score)::float AS average, {scores}""",
    )


async def session_events(tx: Connection, question: Question) -> list[Row]:
    """What says when each number was connected: its changes of status in the range and the last one before it."""
    rows: list[Row] = await tx.fetch(
        """SELECT n.id, n.name, n.status, n.provider, n.created_at, n.status_at,
                  ARRAY(SELECT jsonb_build_array(e.created_at, e.payload ->> 'status') FROM event e
                         WHERE e.payload ->> 'channel_session_id' = n.id::text AND e.kind = 'session.status'
                           AND e.created_at < $2
                           AND e.id >= coalesce((SELECT max(b.id) FROM event b
                                                  WHERE b.payload ->> 'channel_session_id' = n.id::text
                                                    AND b.kind = 'session.status' AND b.created_at < $1), 0)
                         ORDER BY e.id) AS changes
             FROM channel_session n
            WHERE n.created_at < $2 AND ($3::uuid IS NULL OR n.id = $3) AND ($4::uuid IS NULL OR n.team_id = $4)
            ORDER BY n.name, n.id""",
        question.start,
        question.end,
        question.number,
        question.team,
    )
    return rows


async def _count(
    tx: Connection, source: Source, question: Question, columns: str, *, where: str = "", **values: Any
) -> list[Row]:
    """Count ``columns`` over the source's rows in the range. ``{name}`` in ``columns`` stands for ``values[name]``."""
    given: list[Any] = [question.start, question.end]

    def place(value: Any) -> str:
        given.append(value)
        return f"${len(given)}"

    for name, value in values.items():
        columns = columns.replace(f"{{{name}}}", place(value))
    conditions = [f"{source.at} >= $1", f"{source.at} < $2", *([where] if where else [])]
    wanted = {
        source.number: question.number,
        source.team: question.team,
        source.operator: str(question.operator) if question.operator else None,
        source.intent: question.intent,
    }
    for condition, value in wanted.items():
        if condition and value is not None:
            marked = condition if "$" in condition else f"{condition} = $"
            conditions.append(marked.replace("$", place(value)))
    key, join = _key(source, question, place)
    grouped = ""
    if question.by and question.with_whole:
        columns += f", grouping({key}) = 1 AS whole"
        grouped = "GROUP BY GROUPING SETS ((), (1)) ORDER BY 1 NULLS LAST"
    elif question.by:
        grouped = "GROUP BY 1 ORDER BY 1 NULLS LAST"
    of_operators = question.operator is not None or question.by == "operator"
    read = source.rows if of_operators or source.lean is None else source.lean
    rows: list[Row] = await tx.fetch(
        f"SELECT {key} AS key, {columns} FROM {read} {join} WHERE {' AND '.join(conditions)} {grouped}", *given
    )
    return rows


def _key(source: Source, question: Question, place: Any) -> tuple[str, str]:
    match question.by:
        case None:
            return "NULL", ""
        case "day":
            return f"to_char({source.at} AT TIME ZONE {place(question.zone)}::text, 'YYYY-MM-DD')", ""
        case "number" | "team" | "reason" as name:
            return f"({getattr(source, name)})::text", ""
        case by:
            found = source.operators if by == "operator" else source.intents
            if found is None:
                raise ValueError(f"these rows know nothing of {by}")
            if found.startswith("="):
                return f"({found[1:]})::text", ""
            return "k.key", f"LEFT JOIN LATERAL ({found}) k ON true"


def _spread(seconds: str, where: str, prefix: str) -> str:
    return ", ".join(
        f"percentile_cont({share}) WITHIN GROUP (ORDER BY ({seconds})::float) FILTER (WHERE {where}) AS {prefix}{name}"
        for name, share in (("median", 0.5), ("p90", 0.9))
    )


def _day(at: datetime, zone: str) -> str:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    return at.astimezone(ZoneInfo(zone)).date().isoformat()


async def both(tx: Connection, name: str, source: Source, question: Question) -> tuple[Row, list[Row]]:
    """A figure (of COUNTS) over the whole range, and of each key of ``question.by``."""
    count = COUNTS[name]
    if name == "costs" or question.by is None or not source.is_single(question.by):
        (whole,) = await count(tx, replace(question, by=None))
        return whole, await count(tx, question)
    rows = await count(tx, replace(question, with_whole=True))
    return next(row for row in rows if row["whole"]), [row for row in rows if not row["whole"]]


COUNTS: Final[Mapping[str, Any]] = {
    "conversations": conversations,
    "automatic_resolution": automatic_resolution,
    "suggestions": suggestions,
    "first_answer": first_answer,
    "handling": handling,
    "handoffs": handoffs,
    "intents": intents,
    "costs": costs,
    "deliveries": deliveries,
    "satisfaction": satisfaction,
}
