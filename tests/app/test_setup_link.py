"""``atende web`` alone tells how an empty installation is set up, and nothing once somebody can sign in."""

from __future__ import annotations

import pytest

from app.settings import GivenSettings
from app.web_part import _tell_setup_link
from domain.setup_token import setup_token
from store.database import Database
from tests.database import SECRET, make_number


async def test_that_the_link_is_told_until_the_first_account_exists(
    db: Database, owner_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = GivenSettings(database_url=owner_dsn, secret_text=SECRET.decode(), port=8123)
    await _tell_setup_link(settings, db)
    assert f"http://127.0.0.1:8123/setup?token={setup_token(settings.secret)}" in capsys.readouterr().out
    await make_number(owner_dsn, "shop")
    await _tell_setup_link(settings, db)
    assert not capsys.readouterr().out
