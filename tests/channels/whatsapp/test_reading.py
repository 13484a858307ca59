"""Which messages get their blue ticks when somebody answers."""

from __future__ import annotations

from typing import Any

from channels.whatsapp.ids import parse_jid
from channels.whatsapp.reading import UnreadMessages

CHAT = "149000011210072@lid"


def message(message_id: str, chat: str = CHAT, sender: str = CHAT, *, from_me: bool = False) -> dict[str, Any]:
    return {"Info": {"MessageSource": {"Chat": chat, "Sender": sender, "IsFromMe": from_me}, "ID": message_id}}


def test_that_a_chat_s_messages_are_read_once_and_own_ones_never() -> None:
    unread = UnreadMessages()
    unread.add(message("A"))
    unread.add(message("B", from_me=True))
    unread.add(message("C", sender="149000011210072:3@lid"))
    unread.add(message("X", chat="1@lid", sender="1@lid"))
    chat = parse_jid(CHAT)
    assert list(unread.take(chat)) == [(chat, ["A", "C"])]
    assert list(unread.take(chat)) == []


def test_that_in_a_group_they_are_told_by_sender() -> None:
    unread = UnreadMessages()
    group = "120363000000000001@g.us"
    for message_id, sender in [("A", "1@lid"), ("B", "2@lid"), ("C", "1@lid")]:
        unread.add(message(message_id, group, sender))
    assert list(unread.take(parse_jid(group))) == [(parse_jid("1@lid"), ["A", "C"]), (parse_jid("2@lid"), ["B"])]


def test_that_memory_stays_bounded_and_keeps_the_newest() -> None:
    unread = UnreadMessages()
    for number in range(1100):
        unread.add(message("A", f"{number + 1}@lid", f"{number + 1}@lid"))
    for number in range(60):
        unread.add(message(f"M{number}"))
    assert list(unread.take(parse_jid("1@lid"))) == []
    [(_, ids)] = unread.take(parse_jid(CHAT))
    assert (len(ids), ids[-1]) == (50, "M59")
