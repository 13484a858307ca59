"""What every sender promises. A provider's tests inherit it and tell how to watch the far side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.base import Sender, SendRejectedError, SendRetryableError, SendUncertainError, SessionRef
from domain.messages import Address, AddressKind, Outbound


@dataclass(frozen=True, slots=True)
class Subject:
    """A sender with its far side. ``arrived`` tells who got which text, in order; ``break_down`` ends the far side."""

    sender: Sender
    session: SessionRef
    contact: Address
    arrived: Callable[[], list[tuple[Address, str]]]
    break_down: Callable[[], None]


class SenderContract:
    """Inherit as ``class TestX(SenderContract)`` with a fixture ``subject``."""

    def message(self, subject: Subject, key: str = "k1", text: str = "oi") -> Outbound:
        return Outbound(key=key, to=subject.contact, text=text)

    async def test_that_a_message_arrives_once_and_is_named_and_timed(self, subject: Subject) -> None:
        sent = await subject.sender.send(subject.session, self.message(subject))
        assert subject.arrived() == [(subject.contact, "oi")]
        assert sent.provider_id
        assert sent.at.tzinfo is not None
        assert abs(sent.at - datetime.now(UTC)) < timedelta(minutes=5)

    async def test_that_two_messages_have_two_names(self, subject: Subject) -> None:
        first = await subject.sender.send(subject.session, self.message(subject, "k1"))
        second = await subject.sender.send(subject.session, self.message(subject, "k2"))
        assert first.provider_id != second.provider_id
        assert len(subject.arrived()) == 2

    async def test_that_an_idempotent_sender_names_a_repeated_key_the_same(self, subject: Subject) -> None:
        if not subject.sender.idempotent:
            pytest.skip("this sender does not claim to be idempotent")
        first = await subject.sender.send(subject.session, self.message(subject))
        assert (await subject.sender.send(subject.session, self.message(subject))).provider_id == first.provider_id
        assert len(subject.arrived()) == 1

    @pytest.mark.parametrize(
        "text", ["ação 🙏🏽", "a\nb\t\u200d\u202e", '"{}\\', "x" * 60_000], ids=["emoji", "control", "quotes", "long"]
    )
    async def test_that_any_text_arrives_unchanged(self, subject: Subject, text: str) -> None:
        await subject.sender.send(subject.session, self.message(subject, text=text))
        assert subject.arrived() == [(subject.contact, text)]

    async def test_that_an_address_of_another_channel_is_refused_for_good(self, subject: Subject) -> None:
        other = AddressKind.PHONE if subject.contact.kind is AddressKind.SIMULATOR else AddressKind.SIMULATOR
        with pytest.raises(SendRejectedError):
            await subject.sender.send(
                subject.session, replace(self.message(subject), to=Address(other, "5511990001111"))
            )
        assert subject.arrived() == []

    async def test_that_a_far_side_that_is_gone_gives_one_of_the_three_errors(self, subject: Subject) -> None:
        subject.break_down()
        with pytest.raises((SendRejectedError, SendRetryableError, SendUncertainError)):
            await subject.sender.send(subject.session, self.message(subject))
