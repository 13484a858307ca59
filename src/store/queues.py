"""The inbox's list: conversations of a queue, filtered, in pages by key. Read-only.

Every function takes a connection inside ``Database.transaction(tenant_id)``: row-level security binds all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from domain.errors import InvalidInputError
from store import search
from store.database import Connection
from store.inbox import CONTACT_NAME, PICTURE, SCORE
from store.search_question import Piece

Queue = Literal["mine", "unassigned", "waiting", "bot", "all", "snoozed", "closed"]

_AWAKE = "c.status <> 'closed' AND c.snoozed_until IS NULL"
_PERSON_NEEDED = """(c.status IN ('waiting', 'human')
    OR c.id IN (SELECT s.conversation_id FROM suggestion s WHERE s.status = 'pending')
    OR c.id IN (SELECT a.conversation_id FROM approval a WHERE a.status = 'pending')
    OR c.id IN (SELECT o.conversation_id FROM outbox_message o WHERE o.state = 'unknown')
    OR (c.status = 'bot'
        AND c.id IN (SELECT s.conversation_id FROM suggestion s
                      WHERE s.status = 'rejected' AND s.decided_at > now() - interval '7 days')
        AND NOT EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = c.id AND m.id > c.last_inbound_id
                           AND m.author <> 'contact')))"""
QUEUES: Final[dict[Queue, str]] = {
    "mine": f"{_AWAKE} AND c.assignee_id = $1",
    "unassigned": f"{_AWAKE} AND c.assignee_id IS NULL AND {_PERSON_NEEDED}",
    "waiting": f"""{_AWAKE}
        AND (c.status = 'waiting' OR (c.status = 'human' AND c.last_inbound_id > c.answered_upto_id))""",
    "bot": f"{_AWAKE} AND c.status = 'bot'",
    "all": _AWAKE,
    "snoozed": "c.status <> 'closed' AND c.snoozed_until IS NOT NULL",
    "closed": "c.status = 'closed'",
}
"""Which conversations ``c`` stand in a queue of the person ``$1``. Unassigned: nobody's, and a person is needed, also
where somebody turned a suggestion down and nobody has answered since.
Waiting: the customer waits for a person, the longest first."""
COUNTED_UPTO: Final = 99
"""More are not counted."""
_LONGEST_FIRST: Final = frozenset({"waiting"})
_KEY: Final = {False: "c.last_message_at", True: "coalesce(c.waiting_since, c.last_message_at)"}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person looks for within a queue. Empty: everything."""

    status: str | None = None
    number: UUID | None = None
    team: UUID | None = None
    label: str | None = None
    assignee: UUID | None = None
    priority: int | None = None
    unread: bool = False

    def conditions(self, first: int) -> tuple[str, list[Any]]:
        """SQL about conversation ``c`` with its values as ``$first`` …"""
        named = {
            "c.status = {}": self.status,
            "c.channel_session_id = {}": self.number,
            "c.team_id = {}": self.team,
            "c.labels ? {}": self.label,
            "c.assignee_id = {}": self.assignee,
            "c.priority = {}": self.priority,
        }
        asked = [(condition, value) for condition, value in named.items() if value is not None]
        parts = [condition.format(f"${first + n}") for n, (condition, _) in enumerate(asked)]
        if self.unread:
            parts.append("c.unread > 0")
        return " AND ".join(["true", *parts]), [value for _, value in asked]


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation of the list. ``key`` and ``id`` name its place."""

    id: UUID
    key: datetime
    status: str
    contact: str
    address: str
    is_group: bool
    contact_id: UUID
    picture: str | None
    number: str
    team_id: UUID | None
    assignee_id: UUID | None
    assignee: str | None
    unread: int
    preview: str
    last_author: str | None
    last_kind: str | None
    """Of the last message: a file without words has no preview but that."""
    last_message_at: datetime
    waiting_since: datetime | None
    asked_at: datetime | None
    """When the first message came that nobody has answered; None: all is answered, or the agent is about to."""
    snoozed_until: datetime | None
    priority: int
    labels: list[str]
    suggestion: bool
    approval: bool
    trouble: bool
    closed_reason: str | None
    score: int | None
    """What the customer said of the service when asked last (1 to 5)."""
    found: tuple[Piece, ...] = field(default=())
    """Of a search: the stretch of a message with the words."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, and how to ask for what follows; None: nothing does."""

    lines: tuple[Line, ...]
    after: str | None


_LINES = f"""
    SELECT c.id, {{key}} AS key, c.status, {CONTACT_NAME} AS contact, c.address, p.is_group, c.contact_id,
           {PICTURE} AS picture, n.name AS number, c.team_id, c.assignee_id, u.name AS assignee, c.unread,
           c.last_preview AS preview, m.author AS last_author, m.kind AS last_kind,
           c.last_message_at, c.waiting_since,
           CASE WHEN c.status IN ('waiting', 'human') AND c.last_inbound_id > c.answered_upto_id THEN (
               SELECT x.received_at FROM message x WHERE x.conversation_id = c.id AND x.id > c.answered_upto_id
                  AND x.author = 'contact' ORDER BY x.id LIMIT 1) END AS asked_at,
           c.snoozed_until, c.priority, c.labels, c.closed_reason,
           EXISTS (SELECT 1 FROM suggestion s WHERE s.conversation_id = c.id AND s.status = 'pending'
                      AND s.fence = c.fence) AS suggestion,
           EXISTS (SELECT 1 FROM approval a WHERE a.conversation_id = c.id AND a.status = 'pending') AS approval,
           EXISTS (SELECT 1 FROM outbox_message o WHERE o.conversation_id = c.id AND o.state = 'unknown') AS trouble,
           {SCORE} AS score
      FROM ({{chosen}}) c
      JOIN contact p ON p.id = c.contact_id
      JOIN channel_session n ON n.id = c.channel_session_id
      LEFT JOIN contact_profile f ON f.contact_id = c.contact_id
      LEFT JOIN user_account u ON u.id = c.assignee_id
      LEFT JOIN LATERAL (SELECT m.author, m.kind FROM message m
                          WHERE m.conversation_id = c.id ORDER BY m.id DESC LIMIT 1) m ON true
"""


async def page(
    tx: Connection,
    queue: Queue,
    user_id: UUID,
    filters: Filters,
    *,
    after: str | None = None,
    before: str | None = None,
    limit: int = 40,
) -> Page:
    """Lines of a queue: the first ones, those ``after`` a place, or those ``before`` one (``cursor``), in order."""
    longest = queue in _LONGEST_FIRST
    key, backwards = _KEY[longest], before is not None
    place = _place(before or after)
    down = backwards == longest  # whether keys fall as this page goes on
    direction = "DESC" if down else "ASC"
    condition, values = filters.conditions(5)
    # Put apart, so that an index begins at the place instead of passing all that stands before it.
    beyond = "($2::timestamptz IS NULL AND $3::uuid IS NULL)"
    if place[0] is not None:
        beyond = f"({key}, c.id) {'<' if down else '>'} ($2::timestamptz, $3::uuid)"
    rows = await tx.fetch(
        _LINES.format(
            key=key,
            chosen=f"""SELECT c.* FROM conversation c
                        WHERE {QUEUES[queue]} AND $1::uuid IS NOT NULL AND {condition}
                          AND {beyond}
                        ORDER BY {key} {direction}, c.id {direction} LIMIT $4""",
        )
        + f" ORDER BY {key} {direction}, c.id {direction}",
        user_id,
        *place,
        limit + 1,
        *values,
    )
    found = [Line(**dict[str, Any](row)) for row in rows[:limit]]
    more = len(rows) > limit
    if backwards:
        return Page(tuple(reversed(found)), cursor(found[-1]) if more else None)
    return Page(tuple(found), cursor(found[-1]) if more else None)


async def some(
    tx: Connection, queue: Queue, user_id: UUID, filters: Filters, conversation_ids: Sequence[UUID]
) -> list[Line]:
    """Those of these conversations that stand in the queue."""
    key = _KEY[queue in _LONGEST_FIRST]
    condition, values = filters.conditions(3)
    rows = await tx.fetch(
        _LINES.format(
            key=key,
            chosen=f"""SELECT c.* FROM conversation c WHERE c.id = ANY ($2)
                          AND {QUEUES[queue]} AND $1::uuid IS NOT NULL AND {condition}""",
        ),
        user_id,
        list(conversation_ids),
        *values,
    )
    return [Line(**dict[str, Any](row)) for row in rows]


async def searched(
    tx: Connection, queue: Queue, user_id: UUID, filters: Filters, text: str, *, after: str | None = None
) -> Page:
    """What a search finds among all conversations (of a queue: closed, snoozed and mine only), best first."""
    condition, values = filters.conditions(2)
    within = QUEUES[queue] if queue in {"mine", "closed", "snoozed"} else "true"
    found = await search.search(
        tx, text, where=f"{within} AND $1::uuid IS NOT NULL AND {condition}", arguments=[user_id, *values], after=after
    )
    ids = [hit.conversation_id for hit in found.hits]
    rows = await tx.fetch(
        _LINES.format(key="c.last_message_at", chosen="SELECT c.* FROM conversation c WHERE c.id = ANY ($1)"), ids
    )
    by_id = {row["id"]: row for row in rows}
    lines = [
        Line(**dict[str, Any](by_id[hit.conversation_id]), found=hit.snippet if hit.by == "message" else ())
        for hit in found.hits
        if hit.conversation_id in by_id
    ]
    return Page(tuple(lines), found.after)


async def counts(tx: Connection, user_id: UUID) -> dict[str, int]:
    """How many conversations stand in the queues that have a figure, up to one more than COUNTED_UPTO."""
    figures = ", ".join(
        f"(SELECT count(*) FROM (SELECT 1 FROM conversation c WHERE {QUEUES[queue]} LIMIT {COUNTED_UPTO + 1}) x) "
        f"AS {queue}"
        for queue in ("mine", "unassigned", "waiting", "snoozed")
    )
    row = await tx.fetchrow(f"SELECT {figures} WHERE $1::uuid IS NOT NULL", user_id)
    return dict(row) if row else {}


async def labels(tx: Connection, limit: int = 200) -> list[str]:
    """Labels in use on conversations that are not closed, by name."""
    rows = await tx.fetch(
        # Apart, or the planner reads all open conversations, in parallel, instead of the few that its index names.
        """WITH labelled AS MATERIALIZED (
               SELECT c.labels FROM conversation c WHERE c.labels <> '[]' AND c.status <> 'closed')
           SELECT DISTINCT l.label FROM labelled c CROSS JOIN LATERAL jsonb_array_elements_text(c.labels) l(label)
            ORDER BY 1 LIMIT $1""",
        limit,
    )
    return [row["label"] for row in rows]


def cursor(line: Line) -> str:
    """A line's place."""
    return f"{line.key.isoformat()}~{line.id}"


def _place(given: str | None) -> tuple[datetime | None, UUID | None]:
    if given is None:
        return None, None
    at, _, conversation_id = given.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(conversation_id)
    except ValueError:
        raise InvalidInputError("after", "no place in the list", hint="Load the page again.") from None
