"""Who listens to live events, and what waits for each: bounded, whoever reads slowly."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import UUID

import orjson

from domain.event_kinds import wants
from domain.roles import Right
from store.reach import Sight

BACKLOG: Final = 2_000
"""Events that may wait for one socket. One that is slower is cut off; it reconnects and replays."""
BACKLOG_BYTES: Final = 2 * 1024 * 1024
_KNOWN: Final = 2_000

_RIGHTS: Final = {
    "session": Right.SESSIONS_READ,
    "contact": Right.CONTACTS_READ,
    "lead": Right.CONTACTS_READ,
    "task": Right.CONTACTS_READ,
    "message": Right.CONVERSATIONS_READ,
    "webhook": Right.WEBHOOKS_READ,
    "api_key": Right.API_KEYS_WRITE,
    "person": Right.USERS_READ,
    "invitation": Right.USERS_READ,
    "team": Right.USERS_READ,
    "policy": Right.POLICY_READ,
    "autonomy": Right.POLICY_READ,
    "intent": Right.INTENTS_READ,
    "knowledge": Right.KNOWLEDGE_READ,
    "bundle": Right.PROMPTS_READ,
}
"""What an event about no conversation asks for, by the first part of its kind; others show only that they happened."""
_ABOUT_CONTACTS: Final = frozenset({"contact", "lead", "task", "message", "note", "notification", "call", "turn"})
"""Events about somebody even where they name no conversation: not for people who see only some of them."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event without its content. Ids increase."""

    id: int
    kind: str
    conversation_id: UUID | None
    session_id: UUID | None = None
    """The number it is about, where the event itself names one."""
    about: frozenset[str] = frozenset()
    """What else it names, as text: how somebody learns of a conversation that was theirs."""

    HIDDEN: ClassVar = "conversation.hidden"
    """What somebody is told of a conversation that is no longer within the person's reach, instead of what happened."""

    @property
    def area(self) -> str:
        return self.kind.partition(".")[0]

    def as_json(self) -> dict[str, Any]:
        conversation = str(self.conversation_id) if self.conversation_id else None
        return {"id": self.id, "type": self.kind, "conversation_id": conversation}


@dataclass(frozen=True, slots=True)
class Listening:
    """Who listens: what the person or program may learn of."""

    tenant_id: UUID
    user_id: UUID | None
    rights: frozenset[str]
    sight: Sight | None
    """None: all conversations."""

    def may_learn(self, event: LiveEvent, *, content: bool) -> bool:
        """Whether events of this kind are for it at all; which conversations it sees is asked apart."""
        if event.conversation_id is not None:
            return Right.CONVERSATIONS_READ in self.rights
        if self.sight is not None and event.area in _ABOUT_CONTACTS:
            return False
        needed = _RIGHTS.get(event.area, Right.AUDIT_READ if content else None)
        return needed is None or needed in self.rights


@dataclass(eq=False, slots=True)
class Subscription:
    """What one socket wants to hear. While not ``live`` it catches up to ``upto``; ``sent`` is the last id told."""

    name: str
    sent: int
    upto: int
    kinds: tuple[str, ...] = ("*",)
    session_id: UUID | None = None
    conversation_id: UUID | None = None
    full: bool = False
    """With the content that webhooks carry; else ids and kinds, several at once."""
    live: bool = False
    told_ready: bool = False

    def ready(self) -> str:
        """What tells that it has caught up."""
        return orjson.dumps({"type": "ready", "subscription": self.name, "id": self.sent}).decode()

    def likeness(self) -> tuple[object, ...]:
        """What is the same of two subscriptions that are told the same, if their people may learn the same."""
        return (self.name, self.kinds, self.session_id, self.conversation_id, self.full)

    def wants(self, event: LiveEvent, session_of: Mapping[UUID, UUID]) -> bool:
        if self.conversation_id is not None and event.conversation_id != self.conversation_id:
            return False
        if self.session_id is not None:
            about = event.session_id or (event.conversation_id and session_of.get(event.conversation_id))
            if about != self.session_id:
                return False
        everything = not self.full and self.kinds == ("*",)  # a page of ours: also what no other system is told
        return event.id > self.sent and (everything or wants(self.kinds, event.kind))


@dataclass(eq=False, slots=True)
class Subscriber:
    """One socket's place in the feed: a bounded queue of frames, and of subscriptions that are to catch up."""

    who: Listening
    write: Callable[[str], bool] | None = None
    """Writes a frame to the socket at once, where that can be; False: it does not take it now."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    here: UUID | None = None
    """The conversation that its person has open: it is told who else has."""
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is too slow: the socket is to be closed at once."""
    recheck: bool = False
    """Set when its access may have changed; the socket looks and clears it."""
    _queue: deque[tuple[str | Subscription, int]] = field(default_factory=deque)
    _is_idle: bool = False
    """Whether all that was taken from the queue has been sent, so that what is written now overtakes nothing."""
    _events: int = 0
    _bytes: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _known: OrderedDict[UUID, None] = field(default_factory=OrderedDict)

    def put(self, frame: str, events: int = 1) -> None:
        """Tell a frame of so many events: at once, else from the queue; past its bound the subscriber is too slow."""
        overtakes = not self._is_idle or self._queue or self.recheck or self.cut.is_set()
        if self.write is not None and not overtakes and self.write(frame):
            return
        if self._events + events > BACKLOG or self._bytes + len(frame) > BACKLOG_BYTES:
            self.cut.set()
            self._queue.clear()
        if not self.cut.is_set():
            self._queue.append((frame, events))
            self._events += events
            self._bytes += len(frame)
        self._wake.set()

    def catch_up(self, subscription: Subscription) -> None:
        """Have the subscription read the log up to where the feed is, then go live."""
        subscription.live = False
        self._queue.append((subscription, 0))
        self._wake.set()

    def look_again(self) -> None:
        """Have the socket check its sign-in."""
        self.recheck = True
        self._wake.set()

    async def next(self) -> str | Subscription | None:
        """What is to be sent or caught up next, as soon as there is something; None: look at ``recheck``."""
        while not self._queue and not self.recheck:
            self._wake.clear()
            self._is_idle = True
            try:
                await self._wake.wait()
            finally:
                self._is_idle = False
        if self.recheck:
            return None
        item, events = self._queue.popleft()
        if isinstance(item, str):
            self._events -= events
            self._bytes -= len(item)
        return item

    def select(
        self,
        subscription: Subscription,
        events: Sequence[LiveEvent],
        session_of: Mapping[UUID, UUID],
        visible: Container[tuple[UUID, UUID]],
    ) -> list[LiveEvent]:
        """What of these events the subscription is told. ``visible``: (person, conversation) of limited people."""
        told = []
        for event in events:
            if not subscription.wants(event, session_of) or not self.who.may_learn(event, content=subscription.full):
                continue
            sight, conversation = self.who.sight, event.conversation_id
            if sight is None or conversation is None:
                told.append(event)
            elif (sight.user_id, conversation) in visible:
                self.learn((event,))
                told.append(event)
            elif conversation in self._known or str(sight.user_id) in event.about:
                self._known.pop(conversation, None)
                told.append(LiveEvent(event.id, LiveEvent.HIDDEN, conversation))
        return told

    def learn(self, events: Iterable[LiveEvent]) -> None:
        """Remember what it was told of, so that it is told, too, when it may see a conversation no longer."""
        if self.who.sight is None:
            return
        for event in events:
            if event.conversation_id is not None:
                self._known[event.conversation_id] = None
                self._known.move_to_end(event.conversation_id)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
