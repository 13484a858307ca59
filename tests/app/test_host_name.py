"""Session hosts' names: inherited from the dead, never shared with the living."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.host_name import host_name

_HOLD = """
import sys, pathlib
from app.host_name import host_name
with host_name(pathlib.Path(sys.argv[1])) as name:
    print(name, flush=True)
    sys.stdin.read()
"""


def test_that_a_killed_host_s_name_is_taken_over_and_a_living_one_s_is_not(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        first = other.stdout.readline().strip()
        with host_name(tmp_path) as mine:
            assert mine != first
        other.kill()
        other.wait()
    with host_name(tmp_path) as one, host_name(tmp_path) as another:
        assert {one, another} == {first, mine}
