"""The benchmark's own figures, on reference data beside the project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ATENDE_SHARED", ROOT.parent / "shared")) / "data"


@pytest.mark.shared
@pytest.mark.skipif(not (DATA / "hwu64").is_dir(), reason="the public intent sets are not beside the project")
def test_that_ten_examples_per_intent_reach_the_expected_accuracy():
    command = [sys.executable, ROOT / "bench/intents.py", DATA, "--sets", "hwu64"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    figures = json.loads(done.stdout)["sets"]["hwu64"]
    assert figures["accuracy"] >= 0.80
    assert figures["ece"] <= 0.06
