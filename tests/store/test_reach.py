"""Who sees only some conversations sees nothing of the others, in any table: the database itself hides them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa

from domain.conversation import Event
from domain.errors import NotFoundError
from domain.roles import Reach
from store import conversations
from store.database import Connection, Database
from store.reach import Sight, current_sight, may_see, see_as, seeing_as, sight_of, visible
from store.tables import metadata
from store.together import Together
from tests.database import Number, make_number

THINGS = {"contact", "conversation", "message", "outbox_message", "turn", "suggestion", "approval", "handoff"}
"""What further rows may hang on."""
OF_THINGS = {
    "conversation_id": "conversation",
    "contact_id": "contact",
    "message_id": "message",
    "trigger_message_id": "message",
    "outbox_id": "outbox_message",
    "turn_id": "turn",
    "subject_id": "conversation",
}
"""Columns that name one of them, also where the database has no foreign key."""
SPECIAL = {"model_spending", "simulator_delivery"}
"""Tables that name their conversation inside a text."""


def _hanging() -> list[str]:
    """Tables that hang on a conversation, by the names and references of their columns."""
    return sorted(
        name
        for name, table in metadata.tables.items()
        if name in {"contact", "conversation"} | SPECIAL
        or set(OF_THINGS) & set(table.columns.keys())
        or any(key.column.table.name in THINGS for key in table.foreign_keys)
    )


class Sample:
    """Rows of one conversation, one of each table, made by the owner of the database, who is under no policy."""

    def __init__(self, owner: asyncpg.Connection, number: Number, assignee: UUID) -> None:
        self._owner = owner
        self._tenant = number.tenant_id
        self.rows: dict[str, dict[str, Any]] = {
            "tenant": {"id": number.tenant_id},
            "user_account": {"id": assignee},
            "channel_session": {"id": number.session_id},
        }

    async def row(self, table: str) -> dict[str, Any]:
        """The row of ``table``, with what it refers to."""
        if table not in self.rows:
            values = {
                column.name: value
                for column in metadata.tables[table].columns
                if (value := await self._value(table, column)) is not None
            }
            names = ", ".join(f'"{name}"' for name in values)
            marks = ", ".join(f"${n + 1}" for n in range(len(values)))
            made = await self._owner.fetchrow(
                f'INSERT INTO "{table}" ({names}) VALUES ({marks}) RETURNING *', *values.values()
            )
            self.rows[table] = dict(made)
        return self.rows[table]

    async def _value(self, table: str, column: sa.Column[Any]) -> Any:
        special = await self._special(table, column.name)
        if special is not None:
            return special
        if column.name == "tenant_id":
            return self._tenant
        if column.name == "channel_session_id":
            return self.rows["channel_session"]["id"]
        if column.name in OF_THINGS and table != OF_THINGS[column.name]:
            return (await self.row(OF_THINGS[column.name]))["id"]
        if column.foreign_keys and not column.nullable:
            return (await self.row(next(iter(column.foreign_keys)).column.table.name))["id"]
        if column.identity or column.computed or column.server_default is not None or column.nullable:
            return None
        return _made_up(column)

    async def _special(self, table: str, column: str) -> Any:
        match table, column:
            case "conversation", "assignee_id":
                return self.rows["user_account"]["id"]
            case "conversation", "address":
                return f"simulator:{(await self.row('contact'))['id']}"
            case "simulator_delivery", "contact":
                await self.row("conversation")
                return str((await self.row("contact"))["id"])
            case "model_spending", "span":
                return "conversation"
            case "model_spending", "key":
                return f"{(await self.row('conversation'))['id']}/7"
        return None


def _made_up(column: sa.Column[Any]) -> Any:
    match column.type:
        case sa.Uuid():
            return uuid4()
        case sa.Integer() | sa.BigInteger():
            return 7
        case sa.Boolean():
            return True
        case sa.DateTime():
            return datetime.now(UTC)
        case _:
            return f"{column.name} {uuid4()}"


async def _owner(dsn: str) -> asyncpg.Connection:
    owner = await asyncpg.connect(dsn)
    await owner.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    return owner


async def _person(owner_dsn: str, number: Number, email: str = "me@shop.example") -> UUID:
    owner = await _owner(owner_dsn)
    try:
        user: UUID = await owner.fetchval("SELECT gate.put_user($1, $1, 'x', 'pt')", email)
        await owner.execute("SELECT gate.put_member($1, $2, 'operator')", number.tenant_id, user)
    finally:
        await owner.close()
    return user


async def _conversation(db: Database, number: Number, **columns: Any) -> UUID:
    async with db.transaction(number.tenant_id) as tx:
        return await _new_conversation(tx, number, **columns)


async def _new_conversation(tx: Connection, number: Number, **columns: Any) -> UUID:
    contact = await tx.fetchval("INSERT INTO contact (tenant_id) VALUES ($1) RETURNING id", number.tenant_id)
    names = "".join(f", {name}" for name in columns)
    marks = "".join(f", ${n + 4}" for n in range(len(columns)))
    found: UUID = await tx.fetchval(
        f"INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address{names}) "
        f"VALUES ($1, $2, $3::uuid, 'simulator:' || $3::uuid{marks}) RETURNING id",
        number.tenant_id,
        number.session_id,
        contact,
        *columns.values(),
    )
    return found


async def test_that_every_table_that_hangs_on_a_conversation_is_hidden_with_it(owner_dsn: str, db: Database) -> None:
    """Of each such table one row of a conversation of mine and one of a colleague's: I see mine alone."""
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    owner = await _owner(owner_dsn)
    mine, theirs = Sample(owner, number, me), Sample(owner, number, number.user_id)
    for table in _hanging():
        await mine.row(table)
        await theirs.row(table)
    await owner.close()
    assert len(_hanging()) > 20
    for table in _hanging():
        key = [column.name for column in metadata.tables[table].primary_key.columns]
        my_row, their_row = (tuple(one.rows[table][name] for name in key) for one in (mine, theirs))
        with seeing_as(sight_of(me, "own")):
            async with db.transaction(number.tenant_id) as tx:
                seen = [tuple(row) for row in await tx.fetch(f'SELECT {", ".join(key)} FROM "{table}"')]
                if table != "event":  # nobody may
                    where = " AND ".join(f'"{name}" = ${n + 1}' for n, name in enumerate(key))
                    assert await tx.execute(f'DELETE FROM "{table}" WHERE {where}', *their_row) == "DELETE 0", table
        assert my_row in seen, f"my own {table} is hidden from me"
        assert their_row not in seen, f"{table} shows me a colleague's"
        async with db.transaction(number.tenant_id) as tx:
            whole = [tuple(row) for row in await tx.fetch(f'SELECT {", ".join(key)} FROM "{table}"')]
        assert {my_row, their_row} <= set(whole), f"{table} is hidden from those who see everything"


async def test_that_a_team_sees_its_own_queue_nobodys_and_what_is_assigned(owner_dsn: str, db: Database) -> None:
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    async with db.transaction(number.tenant_id) as tx:
        sales, support = [
            await tx.fetchval("INSERT INTO team (tenant_id, name) VALUES ($1, $2) RETURNING id", number.tenant_id, name)
            for name in ("sales", "support")
        ]
        await tx.execute(
            "INSERT INTO team_member (tenant_id, team_id, user_id) VALUES ($1, $2, $3)", number.tenant_id, sales, me
        )
    ours = await _conversation(db, number, team_id=sales, assignee_id=number.user_id)
    nobodys = await _conversation(db, number)
    foreign = await _conversation(db, number, team_id=support)
    given_to_me = await _conversation(db, number, team_id=support, assignee_id=me)
    everything = [ours, nobodys, foreign, given_to_me]
    expected = {"team": {ours, nobodys, given_to_me}, "own": {given_to_me}, "all": set(everything)}
    for reach, conversations_seen in expected.items():
        assert await visible(db, number.tenant_id, sight_of(me, reach), everything) == conversations_seen, reach
    assert sight_of(me, "whatever") == Sight(me, Reach.OWN), "what is no reach sees the least"
    assert not await may_see(db, number.tenant_id, sight_of(me, "team"), foreign)


async def test_that_giving_a_conversation_back_ends_with_its_event_and_then_it_is_gone(
    owner_dsn: str, db: Database
) -> None:
    """Handing away is the person's right, though afterwards the person sees it no more."""
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    conversation = await _conversation(db, number, assignee_id=me, status="human")
    with seeing_as(sight_of(me, "own")):
        async with db.transaction(number.tenant_id) as tx:
            await conversations.apply(tx, conversation, Event.RETURNED, actor=f"user:{me}")
            kinds = [row["kind"] for row in await tx.fetch("SELECT kind FROM event WHERE conversation_id IS NOT NULL")]
            assert kinds == ["conversation.returned"]
        with pytest.raises(NotFoundError):
            async with db.transaction(number.tenant_id) as tx:
                await conversations.lock(tx, conversation)


async def test_that_what_a_limited_person_begins_is_seen_while_it_is_begun(owner_dsn: str, db: Database) -> None:
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    with seeing_as(sight_of(me, "own")):
        assert await _conversation(db, number, assignee_id=me)
        unassigned = await _conversation(db, number)
        assert not await may_see(db, number.tenant_id, current_sight(), unassigned)


async def test_that_a_limited_person_cannot_take_what_is_not_theirs(owner_dsn: str, db: Database) -> None:
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    theirs = await _conversation(db, number, assignee_id=number.user_id)
    with seeing_as(sight_of(me, "own")):
        async with db.transaction(number.tenant_id) as tx:
            assert await tx.execute("UPDATE conversation SET assignee_id = $1", me) == "UPDATE 0"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await tx.execute("SET ROLE atende_gate")
    assert await may_see(db, number.tenant_id, None, theirs)


async def test_that_a_limited_view_within_a_joined_transaction_stays_limited(owner_dsn: str, db: Database) -> None:
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    theirs = await _conversation(db, number, assignee_id=number.user_id)
    async with db.joined(number.tenant_id):
        assert await may_see(db, number.tenant_id, None, theirs)
        assert not await may_see(db, number.tenant_id, sight_of(me, "own"), theirs)


async def test_that_shared_transactions_are_nobodys_view(owner_dsn: str, db: Database) -> None:
    """Messages that arrive together share a transaction: it must not see with the eyes of who came first."""
    number = await make_number(owner_dsn)
    conversation = await _conversation(db, number, assignee_id=number.user_id)

    async def find(tx: Connection, wanted: Any) -> list[Any]:
        return [await tx.fetchval("SELECT id FROM conversation WHERE id = $1", one) for one in wanted]

    together: Together[UUID, Any] = Together(db, find, order=str)
    see_as(sight_of(uuid4(), "own"))
    try:
        assert await asyncio.gather(*(together.do(number.tenant_id, conversation) for _ in range(3))) == (
            [conversation] * 3
        )
    finally:
        see_as(None)


async def test_that_a_limited_person_may_have_colleagues_told(owner_dsn: str, db: Database) -> None:
    number = await make_number(owner_dsn)
    me = await _person(owner_dsn, number)
    mine = await _conversation(db, number, assignee_id=me)
    with seeing_as(sight_of(me, "own")):
        async with db.transaction(number.tenant_id) as tx:
            told = await tx.fetchval(
                "INSERT INTO notification (tenant_id, user_id, kind, conversation_id) VALUES ($1, $2, 'x', $3) "
                "RETURNING user_id",
                number.tenant_id,
                number.user_id,
                mine,
            )
    assert told == number.user_id
