"""The check of an external server: each way to be unfit gets its own error and one line that tells what to do."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from store.embedded import EmbeddedPostgres
from store.postgres_binaries import Binaries, ServerAccount
from store.postgres_errors import ServerUnusableError
from store.server import (
    DatabaseMissingError,
    ServerAddressError,
    ServerInfo,
    ServerLoginError,
    ServerTooOldError,
    ServerUnreachableError,
    VectorForbiddenError,
    VectorMissingError,
    VectorTooOldError,
    check_server,
)
from tests.postgres import MEMORY, open_folder, running_server


@contextlib.contextmanager
def programs_without_pgvector() -> Iterator[Path]:
    """The folder ``share/postgresql/extension`` of a real PostgreSQL installation that never had pgvector."""
    installed = Binaries.find(ServerAccount.current()).folder.parent
    package = installed.parent
    leave_out = shutil.ignore_patterns("vector*", "include", "*.a")
    with open_folder(MEMORY) as folder:
        shutil.copytree(installed, folder / package.name / installed.name, ignore=leave_out, symlinks=True)
        for libraries in (package.parent / f"{package.name}.libs", package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, folder / libraries.relative_to(package.parent))
        yield folder / package.name / installed.name / "share/postgresql/extension"


async def refusal(url: str, **patience: float) -> ServerUnusableError:
    with pytest.raises(ServerUnusableError) as caught:
        await check_server(url, **patience)  # type: ignore[arg-type]
    error = caught.value
    assert error.exit_code == 2
    assert "\n" not in error.sentence()
    assert error.hint
    return error


async def test_that_a_fit_server_is_described_and_left_as_it_was(postgres: EmbeddedPostgres) -> None:
    url = postgres.create_database("fit")
    found = await check_server(url.replace("postgresql:", "postgresql+asyncpg:"))
    assert found == ServerInfo(found.version, 18, "0.8.5", vector_installed=False)
    with psycopg.connect(url, autocommit=True) as db:
        assert db.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone() is None
        db.execute("CREATE EXTENSION vector")
    assert (await check_server(url)).vector_installed


async def test_that_a_server_that_is_not_there_is_named_with_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        error = await refusal(f"postgresql://me:geheim@{host}:{port}/shop")
        assert isinstance(error, ServerUnreachableError)
        assert str(error) == f"The PostgreSQL server at {host}:{port} cannot be reached (connection refused)."
    error = await refusal("postgresql://me:geheim@/shop?host=/nowhere")
    assert str(error) == "The PostgreSQL server at /nowhere cannot be reached (no server has its socket there)."


async def test_that_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = await refusal(f"postgresql://me:geheim@127.0.0.1:{silent.getsockname()[1]}/shop", seconds=0.5)
    assert isinstance(error, ServerUnreachableError)
    assert "(no answer within 0.5 s)" in str(error)


async def test_that_something_that_is_not_postgresql_is_not_taken_for_it() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as web:
        port = web.sockets[0].getsockname()[1]
        error = await refusal(f"postgresql://me:geheim@127.0.0.1:{port}/shop", seconds=2)
    assert isinstance(error, ServerUnreachableError)


@pytest.mark.parametrize("address", ["", "mysql://me:geheim@db/shop", "db:5432", "postgresql://me:geheim@db:port/shop"])
async def test_that_an_unreadable_address_is_refused_without_repeating_its_password(address: str) -> None:
    error = await refusal(address)
    assert isinstance(error, ServerAddressError)
    assert "geheim" not in error.sentence()


async def test_that_a_wrong_password_and_a_missing_database_are_told_apart(postgres: EmbeddedPostgres) -> None:
    address = postgres.address
    error = await refusal(address.url().replace(address.password, "geheim"))
    assert isinstance(error, ServerLoginError)
    assert "geheim" not in error.sentence()
    error = await refusal(address.url("not there"))
    assert isinstance(error, DatabaseMissingError)
    assert error.database == "not there"


async def test_that_a_server_older_than_the_least_is_refused(postgres: EmbeddedPostgres) -> None:
    error = await refusal(postgres.address.url(), oldest=99)
    assert isinstance(error, ServerTooOldError)
    assert re.search(r"is version 18\.\d+; Atende needs 99 or newer\.", str(error))


async def test_that_a_user_who_may_not_create_pgvector_is_sent_to_an_administrator(postgres: EmbeddedPostgres) -> None:
    url = postgres.create_database("guarded")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE ROLE guest LOGIN PASSWORD 'a/b c'")
    try:
        error = await refusal(postgres.address.url("guarded", user="guest", password="a/b c"))
        assert isinstance(error, VectorForbiddenError)
        assert (error.user, error.database) == ("guest", "guarded")
        assert "CREATE EXTENSION vector" in error.hint
    finally:
        postgres.drop_database("guarded")
        with psycopg.connect(postgres.address.url(), autocommit=True) as db:
            db.execute("DROP ROLE guest")


async def test_that_a_server_without_pgvector_or_with_an_old_one_is_refused() -> None:
    wheel = Binaries.find(ServerAccount.current()).folder.parent / "share/postgresql/extension"
    with (
        programs_without_pgvector() as extensions,
        running_server(binaries=extensions.parents[2] / "bin", parent=MEMORY) as server,
    ):
        url = server.address.url()
        error = await refusal(url)
        assert isinstance(error, VectorMissingError)
        assert "apt install postgresql-18-pgvector" in error.hint

        shipped = (wheel / "vector.control").read_text()
        current = re.search(r"default_version = '([\d.]+)'", shipped)
        assert current is not None
        (extensions / "vector.control").write_text(shipped.replace(current[1], "0.7.4"))
        error = await refusal(url)
        assert isinstance(error, VectorTooOldError)
        assert error.version == "0.7.4"
        assert "Install pgvector 0.8" in error.hint


@pytest.mark.skipif(
    not Path("/usr/lib/postgresql/15/bin/initdb").exists()
    or Path("/usr/share/postgresql/15/extension/vector.control").exists(),
    reason="needs Debian's PostgreSQL 15 without its pgvector",
)
async def test_that_debian_s_postgresql_15_is_new_enough_and_only_lacks_pgvector() -> None:
    with running_server(binaries=Path("/usr/lib/postgresql/15/bin"), parent=MEMORY) as server:
        assert isinstance(await refusal(server.address.url()), VectorMissingError)
        assert isinstance(await refusal(server.address.url(), oldest=16), ServerTooOldError)
