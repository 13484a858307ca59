"""What the library's error texts mean for a message."""

from __future__ import annotations

import pytest

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.whatsapp.send_errors import REACH_OUT_LIMIT, send_error, server_error


@pytest.mark.parametrize(
    "text",
    [
        "server returned error 463",
        "server returned error 404",
        "no LID found for 5511980000000@s.whatsapp.net from server",
        "can't send message to unknown server broadcast",
    ],
)
def test_that_what_whatsapp_refused_was_certainly_not_sent(text: str) -> None:
    assert isinstance(send_error(text), SendRejectedError)


@pytest.mark.parametrize(
    "text",
    [
        "server returned error 503",
        "failed to get device list: info query timed out",
        "failed to send message node: websocket not connected",
        "the store doesn't contain a device JID",
    ],
)
def test_that_what_failed_before_sending_may_be_tried_again(text: str) -> None:
    assert isinstance(send_error(text), SendRetryableError)


@pytest.mark.parametrize(
    "text",
    [
        "timed out waiting for message send response",
        "failed to send message node: frame socket is closed",
        "websocket not connected",  # this bare it comes from the second attempt, after the first may have arrived
        "an error of a later version",
        "",
    ],
)
def test_that_everything_else_is_uncertain_and_never_repeated_blindly(text: str) -> None:
    assert isinstance(send_error(text), SendUncertainError)


def test_that_the_limit_of_new_chats_is_recognised() -> None:
    assert server_error("server returned error 463") == REACH_OUT_LIMIT
    assert server_error("timed out") is None
