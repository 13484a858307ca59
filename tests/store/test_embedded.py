"""The embedded PostgreSQL: who may be believed, and what survives whom being killed."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest

from store.embedded import EmbeddedPostgres
from store.postgres_binaries import ROOT_STATE, Binaries, ServerAccount
from store.postgres_errors import ClusterVersionError, DataFolderError, StartFailedError
from store.postgres_process import wait_until_dead
from tests.postgres import FAST, MEMORY, end, host_process, open_folder, report

IS_ROOT = os.geteuid() == 0
as_root_only = pytest.mark.skipif(not IS_ROOT, reason="needs root: this run is by a normal user")


BUSY = "SELECT count(*) FROM generate_series(1, 10000) a, generate_series(1, 10000) b, generate_series(1, 10000) c"


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder(MEMORY) as path:
        yield path


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server that is not started yet, over an empty folder with a space in its path."""
    embedded = EmbeddedPostgres(folder / "my data" / "postgres", settings=FAST)
    yield embedded
    embedded.stop("immediate")


def rows(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.address.url()) as db:
        found = db.execute("SELECT count(*) FROM kept").fetchone()
        assert found is not None
        return int(found[0])


def keep_rows(server: EmbeddedPostgres, count: int) -> None:
    with psycopg.connect(server.address.url()) as db:
        db.execute("CREATE TABLE kept (n int)")
        db.execute("INSERT INTO kept SELECT generate_series(1, %s)", [count])


def kill(pid: int | None) -> None:
    assert pid is not None
    process = psutil.Process(pid)
    process.kill()
    assert wait_until_dead([process], seconds=10)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def sleeper(account: ServerAccount) -> subprocess.Popen[bytes]:
    """A process that is none of ours, by the account that runs the server: only that one's can block a start."""
    return subprocess.Popen(["sleep", "600"], user=account.uid if account.is_other else None)


async def test_that_a_new_server_has_checksums_unicode_pgvector_and_no_open_door(server: EmbeddedPostgres) -> None:
    address = server.start()
    url = server.create_database("Loja do Zé & filhos/1")
    assert server.create_database("Loja do Zé & filhos/1") == url
    db = await asyncpg.connect(url)
    try:
        await db.execute("CREATE EXTENSION vector")
        assert await db.fetchval("SELECT current_database()") == "Loja do Zé & filhos/1"
        assert await db.fetchval("SELECT lower('CORAÇÃO É')") == "coração é"
        for name, value in {
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "jit": "off",
            "max_connections": "200",
            "TimeZone": "UTC",
            "password_encryption": "scram-sha-256",
        }.items():
            assert await db.fetchval("SELECT current_setting($1)", name) == value
    finally:
        await db.close()
    assert stat.S_IMODE(address.socket_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data_dir / "password").stat().st_mode) == 0o600
    assert address.password not in repr(address)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.url().replace(address.password, "guessed"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(address.url(user="somebody"))


def test_that_committed_rows_survive_a_killed_server_and_its_busy_orphan(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "postgres")  # with the settings that users get
    server.start()
    try:
        keep_rows(server, 1000)
        busy = psycopg.connect(server.address.url())
        pid = busy.info.backend_pid
        with ThreadPoolExecutor(1) as pool:
            counting = pool.submit(busy.execute, BUSY)
            while psutil.Process(pid).cpu_percent(0.1) < 10:  # a backend that computes does not see its parent die
                pass
            kill(server.pid)
            assert not server.is_running()
            server.ensure()
            assert isinstance(counting.exception(), psycopg.OperationalError)
        busy.close()
        assert not is_alive(pid)
        assert rows(server) == 1000
        first = server.pid
        server.ensure()
        assert server.pid == first
    finally:
        server.stop()


def test_that_a_killed_host_leaves_a_server_that_the_next_one_adopts_and_really_stops(
    server: EmbeddedPostgres,
) -> None:
    host = host_process(server.data_dir)
    pid = report(host)["pid"]
    end(host, kill=True)
    server.start()
    assert server.pid == pid
    keep_rows(server, 10)
    server.stop()
    assert not server.is_running()
    assert not is_alive(int(str(pid)))
    server.start()
    assert rows(server) == 10


def test_that_a_host_killed_while_it_makes_the_cluster_costs_the_next_start_nothing(server: EmbeddedPostgres) -> None:
    host = host_process(server.data_dir)
    while not list(server.data_dir.glob("server/unfinished-*/PG_VERSION")):
        time.sleep(0.005)
    end(host, kill=True)
    server.start()
    keep_rows(server, 1)
    assert rows(server) == 1
    assert not list(server.data_dir.glob("server/unfinished-*"))


def test_that_a_stale_pid_file_naming_another_live_process_is_not_believed(server: EmbeddedPostgres) -> None:
    address = server.start()
    keep_rows(server, 10)
    pid_file = server.data_dir / "server/cluster/postmaster.pid"
    lock_file = address.socket_folder / ".s.PGSQL.5432.lock"
    pid_lines, lock_lines = pid_file.read_text().split("\n", 1), lock_file.read_text().split("\n", 1)
    kill(server.pid)
    other = sleeper(ServerAccount.of(pid_file.stat().st_uid))
    try:
        pid_file.write_text(f"{other.pid}\n{pid_lines[1]}")
        lock_file.write_text(f"{other.pid}\n{lock_lines[1]}")
        assert not server.is_running()
        server.stop()
        assert other.poll() is None
        pid_file.write_text(f"{other.pid}\n{pid_lines[1]}")
        lock_file.write_text(f"{other.pid}\n{lock_lines[1]}")
        server.start()
        assert rows(server) == 10
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_that_a_pid_file_naming_the_postmaster_of_another_cluster_is_not_believed(folder: Path) -> None:
    first, second = (EmbeddedPostgres(folder / name, settings=FAST) for name in ("first", "second"))
    try:
        first.start()
        second.start()
        kill(second.pid)
        shutil.copyfile(
            first.data_dir / "server/cluster/postmaster.pid", second.data_dir / "server/cluster/postmaster.pid"
        )
        second.ensure()
        assert second.pid != first.pid
        second.stop()
        assert first.is_running()
    finally:
        first.stop("immediate")
        second.stop("immediate")


def test_that_two_starts_at_once_make_one_server_that_both_use(server: EmbeddedPostgres) -> None:
    hosts = [host_process(server.data_dir) for _ in range(2)]
    reports = [report(host) for host in hosts]
    assert reports[0]["pid"] == reports[1]["pid"]
    assert reports[0]["url"] == reports[1]["url"]
    for one in reports:
        with psycopg.connect(str(one["url"])) as db:
            db.execute("SELECT 1")
    for host in hosts:
        end(host)


def test_that_two_processes_mending_a_killed_server_at_once_get_one_server(server: EmbeddedPostgres) -> None:
    server.start()
    keep_rows(server, 10)
    other = EmbeddedPostgres(server.data_dir, settings=FAST)
    assert other.is_running()
    kill(server.pid)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: one.ensure(), (server, other)))
    assert server.pid == other.pid
    assert rows(other) == 10


def test_that_the_last_of_several_users_stops_the_server(server: EmbeddedPostgres) -> None:
    host = host_process(server.data_dir)
    report(host)
    server.start()
    assert not server.release()
    assert server.is_running()
    server.start()
    end(host, kill=True)
    assert server.release()
    assert not server.is_running()


@pytest.mark.parametrize("name", ["a 'b' \"c\" $HOME `d`, é", "long/" + "x" * 150])
def test_that_awkward_paths_work(folder: Path, name: str) -> None:
    server = EmbeddedPostgres(folder / name, settings=FAST)
    try:
        address = server.start()
        assert len(os.fsencode(address.socket_folder)) < 90
        assert stat.S_IMODE(address.socket_folder.stat().st_mode) == 0o700
        keep_rows(server, 1)
        kill(server.pid)
        server.ensure()
        assert rows(server) == 1
        # Somebody sweeps the temporary folder: the server lives, but nobody can reach it.
        (address.socket_folder / ".s.PGSQL.5432").unlink()
        assert not server.is_running()
        server.ensure()
        assert rows(server) == 1
    finally:
        server.stop("immediate")
        shutil.rmtree(address.socket_folder, ignore_errors=True)


def test_that_a_socket_folder_made_by_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(folder / ("x" * 150), settings=FAST)
    socket_folder = server.start().socket_folder
    server.stop()
    socket_folder.rmdir()
    socket_folder.symlink_to(folder)
    try:
        with pytest.raises(DataFolderError, match="for the server's socket"):
            server.start()
    finally:
        socket_folder.unlink()


def test_that_other_programs_can_be_given_and_a_cluster_keeps_its_major_version(folder: Path) -> None:
    older = Binaries.find(ServerAccount.current(), major=16)
    server = EmbeddedPostgres(folder / "postgres", binaries=older.folder, settings=FAST)
    try:
        server.start()
        keep_rows(server, 1)
        server.stop()
        server = EmbeddedPostgres(folder / "postgres", settings=FAST)
        server.start()
        assert rows(server) == 1
        with psycopg.connect(server.address.url()) as db:
            assert db.info.server_version // 10000 == 16
        server.stop()
        newer = Binaries.find(ServerAccount.current())
        with pytest.raises(
            ClusterVersionError, match=f"written by PostgreSQL 16; the programs at hand are {newer.major}"
        ):
            EmbeddedPostgres(folder / "postgres", binaries=newer.folder).start()
    finally:
        server.stop("immediate")


def test_that_a_failed_start_says_why_and_that_the_log_stays_bounded(server: EmbeddedPostgres) -> None:
    wrong = EmbeddedPostgres(server.data_dir, settings={**FAST, "shared_buffers": "1kB"})
    with pytest.raises(StartFailedError, match="shared_buffers"):
        wrong.start()
    for day in range(10, 20):
        (server.data_dir / f"server/log/postgresql-200001{day}-000000.log").write_text("old")
    server.start()
    assert len(list((server.data_dir / "server/log").glob("postgresql-*.log"))) == 5


@as_root_only
def test_that_root_hands_the_server_to_an_unprivileged_account_and_loosens_nothing(folder: Path) -> None:
    closed = folder / "of root"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres", settings=FAST)
    try:
        server.start()
        assert server.pid is not None
        assert psutil.Process(server.pid).uids().real != 0
        keep_rows(server, 10)
        kill(server.pid)
        server.ensure()
        assert rows(server) == 10
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        moved = (server.data_dir / "server").resolve()
        assert moved.parent == ROOT_STATE
        assert moved.stat().st_uid == 0
        assert stat.S_IMODE((server.data_dir / "password").stat().st_mode) == 0o600
    finally:
        server.stop("immediate")
        shutil.rmtree((server.data_dir / "server").resolve())
    with pytest.raises(DataFolderError, match="which is gone"):
        server.start()


@as_root_only
def test_that_root_s_private_installation_is_copied_for_the_server_s_account(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = Binaries.find(ServerAccount.current()).folder.parent.parent
    private = folder / "of root"
    private.mkdir(mode=0o700)
    shutil.copytree(wheel, private / wheel.name, ignore=shutil.ignore_patterns("include", "*.a", "pginstall"))
    libraries = wheel.parent / f"{wheel.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, private / libraries.name)
    marked = next(private.glob("*/pginstall*/bin/postgres"))
    os.utime(marked, ns=(12345, 12345))
    monkeypatch.syspath_prepend(str(private))
    account = ServerAccount.current()
    found = Binaries.find(account)
    try:
        assert found.folder.is_relative_to(ROOT_STATE)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        server = EmbeddedPostgres(folder / "postgres", settings=FAST)
        try:
            server.start()
            keep_rows(server, 1)
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(found.folder.parents[2])


def test_that_a_normal_user_can_run_it(folder: Path) -> None:
    """As root through a host process by ``nobody``; as a normal user this is what all the other tests do too."""
    account = "nobody" if IS_ROOT else ""
    uid = pwd.getpwnam(account).pw_uid if account else os.geteuid()
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, uid, -1)
    host = host_process(home / "postgres", account=account)
    first = report(host)
    if IS_ROOT and first.get("kind") == "BinariesMissingError":
        end(host)
        pytest.skip(f"{account} may not enter the folder where root installed the programs")
    with psycopg.connect(str(first["url"])) as db:
        db.execute("CREATE TABLE kept AS SELECT generate_series(1, 10) n")
    kill(int(str(first["pid"])))
    end(host, kill=True)
    host = host_process(home / "postgres", account=account)
    second = report(host)
    assert second["uid"] == uid
    assert second["pid"] != first["pid"]
    assert psutil.Process(int(str(second["pid"]))).uids().real == second["uid"]
    # Root may mend and stop what a normal user made, by that user's account.
    server = EmbeddedPostgres(home / "postgres", settings=FAST)
    assert server.is_running()
    assert rows(server) == 10
    end(host)
    server.stop()
    assert not is_alive(int(str(second["pid"])))


@as_root_only
def test_that_a_normal_user_is_told_that_the_folder_is_root_s(server: EmbeddedPostgres) -> None:
    server.start()
    host = host_process(server.data_dir, account="nobody")
    refused = report(host)
    end(host)
    assert refused["kind"] == "DataFolderError"
    assert "belongs to another account" in str(refused["error"])
