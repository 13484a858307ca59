"""Where the devices' keys live."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from channels.whatsapp.devices import DeviceStore
from store.embedded import EmbeddedPostgres


@pytest.mark.parametrize(
    ("url", "ssl"),
    [
        ("postgresql://wa:p%40ss@/atende?host=%2Frun%2Fpg&port=5433", "disable"),
        ("postgresql://wa:x@localhost/atende", "disable"),
        ("postgresql://wa:x@db.example:5432/atende", "require"),
        ("postgresql://wa:x@db.example/atende?sslmode=prefer", "require"),
        ("postgresql://wa:x@db.example/atende?sslmode=verify-full", "verify-full"),
    ],
)
def test_that_the_library_gets_a_url_that_its_driver_understands(url: str, ssl: str) -> None:
    made, given = urlsplit(DeviceStore(url).library_url), urlsplit(url)
    query = parse_qs(made.query)
    assert (made.scheme, made.netloc, made.path) == (given.scheme, given.netloc, given.path)
    assert (query["sslmode"], query["search_path"]) == ([ssl], ["whatsmeow"])
    assert query.get("host") == parse_qs(given.query).get("host")


def test_that_the_password_is_not_shown() -> None:
    assert "secret" not in repr(DeviceStore("postgresql://wa:secret@/atende"))


async def test_that_an_unprepared_store_holds_no_device(postgres: EmbeddedPostgres) -> None:
    name = f"devices_{uuid.uuid4().hex}"
    devices = DeviceStore(postgres.create_database(name))
    assert not await devices.holds("5511990001111:1@s.whatsapp.net")
    for _ in range(2):
        async with devices.preparing():
            pass
    assert not await devices.holds("5511990001111:1@s.whatsapp.net")
    postgres.drop_database(name)
