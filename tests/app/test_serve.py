"""``atende serve`` as its users meet it: real processes on a real data folder."""

from __future__ import annotations

import os
import signal
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.postgres import DATABASE
from store.embedded import EmbeddedPostgres
from tests.app.serving import Serving, atende, eventually, processes, serving
from tests.postgres import MEMORY, open_folder

pytestmark = pytest.mark.timeout(400)

SECOND_START_SECONDS = 25.0
"""Far above the promised 3 s: test machines are busy. It still tells a start that prepares everything again."""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data folder in which the demo has been prepared once."""
    with open_folder(MEMORY) as folder:
        data = folder / "data"
        with serving(data, "--demo") as first:
            assert any("helena@loja-aurora.example" in line for line in first.lines), first.told()
            assert first.ask_to_stop() == 0
        yield data


def ask(running: Serving, contact: str, text: str) -> None:
    """Write as a customer."""
    message = {"contact": contact, "id": uuid.uuid4().hex, "text": text}
    answer = running.post(f"/simulator/{running.number()}/messages", message)
    assert answer == {"outcome": "stored"}


def received(running: Serving, contact: str) -> list[Any]:
    """What reached a customer's phone."""
    return [one for one in running.get(f"/simulator/{running.number()}/received") if one["contact"] == contact]


def test_that_each_process_that_is_killed_is_started_again_and_no_message_is_lost(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as running:
        for number, part in enumerate(("web", "worker", "sessions")):
            killed = eventually(lambda part=part: running.pid_of(part))
            os.kill(killed, signal.SIGKILL)
            # The door's socket outlives its process: a customer's message waits in it instead of being refused.
            ask(running, f"551190000000{number}", "qual o horário de atendimento de vocês?")
            assert eventually(lambda part=part: running.pid_of(part)) != killed
        postmaster = running.postgres_pid()
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)
        assert eventually(lambda: running.postgres_pid() not in (None, postmaster))
        assert eventually(lambda: running.get("/healthz")) == {"status": "ok"}
        for number in range(3):
            assert len(eventually(lambda number=number: received(running, f"551190000000{number}"))) == 1
        assert running.ask_to_stop() == 0
        assert running.lines[-1] == "Stopped."
        assert processes(data_dir) == []
        assert running.postgres_pid() is None


def test_that_a_second_start_is_quick_and_finds_what_was_there(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as running:
        ask(running, "5511911111111", "quais são as formas de pagamento?")
        first = eventually(lambda: received(running, "5511911111111"))
        running.ask_to_stop()
    with serving(data_dir, "--demo") as again:
        assert not any("Preparing" in line for line in again.lines)
        assert again.seconds < SECOND_START_SECONDS
        assert received(again, "5511911111111") == first
        again.ask_to_stop()


def test_that_processes_of_a_killed_supervisor_end_and_the_next_start_mends_all(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as running:
        running.process.kill()
        running.process.wait()
        eventually(lambda: not processes(data_dir), seconds=60)
        assert running.postgres_pid() is not None  # kept for the next start, which adopts it
        with serving(data_dir, "--demo") as next_one:
            assert next_one.get("/healthz") == {"status": "ok"}
            assert next_one.ask_to_stop() == 0
            assert next_one.postgres_pid() is None


def test_that_a_second_one_on_the_same_data_is_refused_with_the_address_of_the_first(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as running:
        second = atende("serve", "--port", "0", ATENDE_DATA_DIR=str(data_dir))
        assert second.returncode == 2
        assert second.stderr.startswith(f"Atende already runs on the data folder {data_dir} (at {running.url}).")
        assert second.stderr.count("\n") == 1
        running.ask_to_stop()


def test_that_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = atende("serve", "--port", str(port), ATENDE_DATA_DIR=str(tmp_path / "data"))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"Port {port} on 127.0.0.1 is in use by another program. "
        f"Stop that program, or choose another port: ATENDE_PORT={port + 1}.\n"
    )
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_that_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    refused = atende(command, ATENDE_DATA_DIR=str(tmp_path / "file" / "data"))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"The data folder {tmp_path}/file/data cannot be used: Not a directory. "
        "Set ATENDE_DATA_DIR to one you may write.\n"
    )


def test_that_a_server_of_ones_own_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with psycopg.connect(postgres.create_database("for_nobody"), autocommit=True) as db:
        db.execute("CREATE ROLE nobody_special LOGIN PASSWORD 'geheim'")
    closed = postgres.address.url("for_nobody", user="nobody_special", password="geheim")
    for url, says in (
        (f"postgresql://me:geheim@127.0.0.1:{port}/shop", f"at 127.0.0.1:{port} cannot be reached"),
        (closed, "CREATE EXTENSION vector"),
    ):
        refused = atende("serve", "--port", "0", ATENDE_DATA_DIR=str(tmp_path), DATABASE_URL=url)
        assert refused.returncode == 2
        assert says in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert "geheim" not in refused.stderr
        assert processes(tmp_path) == []


def test_that_a_server_of_ones_own_is_migrated_and_takes_a_tenant(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    url = postgres.create_database("of_ones_own")
    settings = {"ATENDE_DATA_DIR": str(tmp_path), "DATABASE_URL": url}
    migrated = atende("migrate", **settings)
    assert (migrated.returncode, migrated.stdout) == (0, "The database is up to date.\n")
    folder = Path(__file__).parents[2] / "tenants" / "loja-aurora"
    imported = atende("tenant", "import", str(folder), **settings)
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.startswith("Loja Aurora (loja-aurora): imported.\n")
    assert "demo-helena-2026" not in imported.stdout  # a public password is for the demo alone
    assert not (tmp_path / "postgres").exists()
    again = atende("tenant", "import", str(folder), **settings)
    assert "unchanged since its last import" in again.stdout
    assert "new login" not in again.stdout


def test_that_a_turn_explains_itself_beside_a_running_installation(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as running:
        ask(running, "5511922222222", "vocês entregam aos domingos? meu cep é 01310-100")
        eventually(lambda: received(running, "5511922222222"))
        with psycopg.connect(EmbeddedPostgres(data_dir / "postgres").address.url(DATABASE)) as db:
            row = db.execute("SELECT id, intent FROM turn ORDER BY created_at DESC LIMIT 1").fetchone()
        assert row is not None
        told = atende("trace", str(row[0]), ATENDE_DATA_DIR=str(data_dir))
        assert told.returncode == 0, told.stderr
        assert f"intent        {row[1]} with confidence" in told.stdout
        assert "  because     " in told.stdout
        nothing = atende("trace", str(uuid.uuid4()), ATENDE_DATA_DIR=str(data_dir))
        assert nothing.returncode == 2
        assert nothing.stderr.startswith("There is no turn ")
        assert running.get("/healthz") == {"status": "ok"}  # the commands left the shared server running
        running.ask_to_stop()


def test_that_a_command_alone_starts_the_embedded_server_and_stops_it_again(data_dir: Path) -> None:
    migrated = atende("migrate", ATENDE_DATA_DIR=str(data_dir))
    assert migrated.returncode == 0, migrated.stderr
    assert EmbeddedPostgres(data_dir / "postgres").pid is None
