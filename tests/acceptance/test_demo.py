"""`atelier demo` with the real demo models, as `make demo` runs it after set-up, against the clock."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.demo.table import JOBS
from tests.support.checkpoints.unpacked import TARGETS

pytestmark = pytest.mark.long

MOST_SECONDS = 180.0
"""On a machine that does nothing else."""


def test_one_of_everything_is_made_in_three_minutes(tmp_path: Path, unpacked: Callable[[str], Path]) -> None:
    """With what `make transcripts` and `make descriptions` bring, which `make faults` runs before."""
    for name in TARGETS:
        unpacked(name)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    began = time.monotonic()

    outcome = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "-o", str(tmp_path / "out"), "--json"],
        env=environment | {"NO_COLOR": "1"}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip

    took = time.monotonic() - began
    assert 0 == outcome.returncode, outcome.stderr
    jobs = json.loads(outcome.stdout)["jobs"]
    assert ["completed"] * len(JOBS) == [job["status"] for job in jobs], jobs
    assert (tmp_path / "out" / "index.html").is_file()
    assert took <= MOST_SECONDS
