"""The host's notebook of what is not durable yet."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given
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
