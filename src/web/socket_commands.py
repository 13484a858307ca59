"""Carrying out what the other side of a websocket asks for."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import orjson

from domain.errors import AtendeError, ConflictError, NotAllowedError, NotFoundError
from domain.roles import Right, roles_with
from flows.live_events import EventFeed
from flows.live_subscribers import Subscriber, Subscription
from flows.presence import Presence
from store import live_events as store
from store.database import Database
from store.reach import may_see
from web.socket_messages import BePresent, Message, Ping, Subscribe, SubscriptionError, Unsubscribe

MOST_SUBSCRIPTIONS: Final = 50
"""Of one socket."""


class Commands:
    """What one socket may ask for, answered over its subscriber."""

    def __init__(self, db: Database, feed: EventFeed, presence: Presence, subscriber: Subscriber, socket: str) -> None:
        self._db, self._feed, self._presence = db, feed, presence
        self._subscriber = subscriber
        self._socket = socket
        self._here: UUID | None = None
        self.name = ""
        """What colleagues see the person called."""

    async def carry_out(self, message: Message) -> None:
        """Raises an AtendeError, which is the answer."""
        match message:
            case Subscribe():
                try:
                    await self._subscribe(message)
                except AtendeError as error:
                    raise SubscriptionError(message.name, error) from None
            case Unsubscribe(name):
                if self._subscriber.subscriptions.pop(name, None) is None:
                    raise SubscriptionError(name, NotFoundError("subscription", name))
                self._answer({"type": "unsubscribed", "subscription": name})
            case BePresent():
                await self._be_present(message)
            case Ping():
                self._answer({"type": "pong"})

    def leave(self) -> None:
        """The socket is gone."""
        self._here = None
        if self._subscriber.who.user_id is not None:
            self._put(None, typing=False)

    async def _subscribe(self, wanted: Subscribe) -> None:
        who, there = self._subscriber.who, self._subscriber.subscriptions
        if wanted.full and Right.EVENTS_READ not in who.rights:
            raise NotAllowedError.to(tuple(role.value for role in roles_with(Right.EVENTS_READ)))
        if wanted.name not in there and len(there) >= MOST_SUBSCRIPTIONS:
            raise ConflictError(f"There are {MOST_SUBSCRIPTIONS} subscriptions already.", hint="Unsubscribe one first.")
        for kind, id_ in (("session", wanted.session_id), ("conversation", wanted.conversation_id)):
            if id_ is not None and not await self._exists(kind, id_):
                raise NotFoundError(kind, id_)
        at = self._feed.cursor
        after = at if wanted.after is None else wanted.after
        is_ahead = after > at and after > await self._feed.last_id()
        subscription = Subscription(
            wanted.name,
            at if is_ahead else after,
            at,
            wanted.kinds,
            wanted.session_id,
            wanted.conversation_id,
            wanted.full,
        )
        self._answer({"type": "subscribed", "subscription": wanted.name, "id": subscription.sent})
        if is_ahead:  # another database than the one that the id is of
            self._answer({"type": "reset", "subscription": wanted.name, "id": at})
        self._feed.subscribe(self._subscriber, subscription)

    async def _exists(self, kind: str, wanted: UUID) -> bool:
        who = self._subscriber.who
        right = Right.CONVERSATIONS_READ if kind == "conversation" else Right.SESSIONS_READ
        if right not in who.rights and Right.EVENTS_READ not in who.rights:
            return False
        if kind == "conversation":
            return await may_see(self._db, who.tenant_id, who.sight, wanted)
        async with self._db.transaction(who.tenant_id, durable=False) as tx:
            return await store.belongs(tx, kind, wanted)

    async def _be_present(self, wanted: BePresent) -> None:
        who = self._subscriber.who
        if who.user_id is None or Right.CONVERSATIONS_READ not in who.rights:
            raise NotAllowedError.to(tuple(role.value for role in roles_with(Right.CONVERSATIONS_READ)))
        wanted_id = wanted.conversation_id
        if wanted_id not in {None, self._here} and not await may_see(self._db, who.tenant_id, who.sight, wanted_id):
            raise NotFoundError("conversation", wanted_id)
        self._here = self._subscriber.here = wanted_id
        self._put(wanted_id, typing=wanted.typing)  # of which all who are there are told, this socket too

    def _put(self, conversation_id: UUID | None, *, typing: bool) -> None:
        who = self._subscriber.who
        if who.user_id is not None:
            self._presence.put(self._socket, who.tenant_id, who.user_id, self.name, conversation_id, typing=typing)

    def _answer(self, message: dict[str, object]) -> None:
        self._subscriber.put(orjson.dumps(message).decode())


def present(presence: Presence, tenant_id: UUID, conversation_id: UUID) -> dict[str, object]:
    """Who has the conversation open, as it is told."""
    people = [
        {"user_id": str(person.user_id), "name": person.name, "typing": person.typing}
        for person in presence.people(tenant_id, conversation_id)
    ]
    return {"type": "presence", "conversation_id": str(conversation_id), "people": people}
