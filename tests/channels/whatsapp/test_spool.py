"""The host's notebook of what is not durable yet."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.whatsapp.spool import Spool, Spooled, abandoned, read

ONE, TWO = Spooled("a", 17, b"\x00one"), Spooled("b", 18, b"two")

CRASH = """
import os, signal, sys
from pathlib import Path
from channels.whatsapp.spool import Spool, Spooled
spool = Spool(Path(sys.argv[1]))
first = spool.add(Spooled("a", 17, b"\\x00one"))
spool.add(Spooled("b", 18, b"two"))
spool.done(first)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_that_a_killed_process_leaves_what_was_open_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    living = Spool(tmp_path)
    living.add(ONE)
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=False, timeout=60)
    [left] = abandoned(tmp_path)
    assert list(read(left)) == [ONE, TWO]


def test_that_the_file_is_emptied_once_everything_is_durable(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    tickets = [spool.add(ONE), spool.add(TWO)]
    [path] = tmp_path.iterdir()
    spool.done(tickets[1])
    assert path.stat().st_size > 0
    spool.done(tickets[0])
    assert path.stat().st_size == 0
    spool.add(TWO)
    assert list(read(path)) == [TWO]


def test_that_nobody_else_may_read_it(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").add(ONE)
    [path] = (tmp_path / "spool").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@settings(deadline=None, max_examples=25)  # each waits for the disk
@given(st.data())
def test_that_a_record_cut_by_a_crash_is_left_out_and_those_before_it_are_read(data: st.DataObject) -> None:

    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        spool.add(ONE)
        [path] = Path(folder).iterdir()
        whole = path.stat().st_size
        spool.add(TWO)
        cut = data.draw(st.integers(whole, path.stat().st_size - 1))
        path.write_bytes(path.read_bytes()[:cut])
        assert list(read(path)) == [ONE]


def test_that_a_journal_that_is_never_empty_does_not_grow_for_ever(tmp_path: Path) -> None:
    spool = Spool(tmp_path, largest=1000)
    first = spool.add(Spooled("a", 17, b"first"))
    for n in range(100):
        spool.done(spool.add(Spooled("a", 17, b"%050d" % n)))
    [path] = tmp_path.iterdir()
    assert path.stat().st_size < 2000
    assert next(spooled.payload for spooled in read(path)) == b"first"
    spool.done(first)
    assert path.stat().st_size == 0


def test_that_an_event_the_disk_does_not_take_hides_no_other(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from channels.whatsapp.spool import Spool, Spooled
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path(sys.argv[1]))
spool.add(Spooled("a", 17, b"one"))
resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
try:
    spool.add(Spooled("a", 17, b"x" * 100))
except OSError as error:
    print("refused", error.errno, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
spool.add(Spooled("a", 17, b"two"))
import os
os._exit(0)
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60, capture_output=True, text=True
    )
    assert told.stdout.startswith("refused")
    [left] = abandoned(tmp_path)
    assert [spooled.payload for spooled in read(left)] == [b"one", b"two"]
