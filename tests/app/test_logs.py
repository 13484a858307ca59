"""Logs tell what happened and where, in one line, and not what customers wrote."""

from __future__ import annotations

import logging
import sys

import pytest

from app.logs import OneLine
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
    assert "98765" in whole
    assert "Traceback (most recent call last)" in whole


@pytest.mark.parametrize("message", ["line one\r\nline two", "line one\nline two"])
def test_that_a_line_break_in_a_message_cannot_pose_as_another_record(message: str) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, None, None)
    assert len(OneLine("web", whole_tracebacks=False).format(record).splitlines()) == 1
