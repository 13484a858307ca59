"""Logs tell what happened and where, in one line, and not what customers wrote."""

from __future__ import annotations

import logging
import sys

import pytest

from app.logs import OneLine, configure_logging
from domain.errors import NotFoundError


class LibraryError(Exception):
    """As libraries raise: it quotes the data at fault."""


def broken() -> None:
    raise LibraryError("Key (text)=(my number is +55 11 98765-0001) already exists")


def logged(*, whole: bool) -> str:
    formatter = OneLine("worker", whole_tracebacks=whole)
    try:
        try:
            broken()
        except LibraryError as error:
            raise NotFoundError("conversation", 7) from error
    except NotFoundError:
        record = logging.LogRecord("flows.turn", logging.ERROR, __file__, 1, "turn\nfailed", None, sys.exc_info())
    return formatter.format(record)


def test_that_an_exception_is_one_line_without_the_words_of_libraries() -> None:
    line = logged(whole=False)
    assert "\n" not in line
    assert " worker ERROR flows.turn: turn | failed | " in line
    assert "domain.errors.NotFoundError (There is no conversation 7.)" in line
    assert "LibraryError at test_logs.py:" in line
    assert "98765" not in line


def test_that_the_level_debug_shows_all_of_it() -> None:
    whole = logged(whole=True)
    assert "my number is [PHONE]" in whole
    assert "98765" not in whole
    assert "Traceback (most recent call last)" in whole


@pytest.mark.parametrize("message", ["line one\r\nline two", "line one\nline two"])
def test_that_a_line_break_in_a_message_cannot_pose_as_another_record(message: str) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, None, None)
    assert len(OneLine("web", whole_tracebacks=False).format(record).splitlines()) == 1


def test_that_personal_data_in_a_record_are_masked_wherever_they_stand() -> None:
    record = logging.LogRecord(
        "x", logging.INFO, __file__, 1, "contact %s wrote %r", ("+5511987654321", "cpf 12345678909"), None
    )
    line = OneLine("web", whole_tracebacks=False).format(record)
    assert line.endswith("contact [PHONE] wrote 'cpf [CPF]'")


def test_that_ids_times_and_ports_in_a_record_stay_readable() -> None:
    said = (
        "conversation 0b51c3f2-0e62-4a4b-9b4e-3f0d6a1f9f10 job 12345678901 took 1234567 ms on 127.0.0.1:54321 pid 4021"
    )
    record = logging.LogRecord("x", logging.INFO, __file__, 1, said, None, None)
    assert OneLine("web", whole_tracebacks=False).format(record).endswith(said)


def test_that_the_handler_of_every_process_masks() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging("worker", "info")
        (handler,) = root.handlers
        record = logging.LogRecord(
            "uvicorn.access", logging.WARNING, __file__, 1, "GET /x?email=ana@x.com.br", None, None
        )
        assert "[EMAIL]" in handler.format(record)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(capture=False)
