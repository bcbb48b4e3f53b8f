"""What a soak prints, and that it leaves nothing behind."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.runs.repeat import Verdict
from tests.support.runs.soak import busy_cores, run_logged, summary
from tests.support.service.processes import alive
from tests.support.wait import until


def test_summary_counts_runs_and_tests():
    verdicts = [Verdict(flaky=("a",)), Verdict("failed twice", flaky=("a",), failed=("b",)), Verdict()]
    assert "2 of 3 runs are green\nflaky 2x: a\nfailed 1x: b" == summary(verdicts)


def test_busy_programs_end_with_an_error_too():
    def fail():
        with busy_cores(2) as pids:
            assert all(map(alive, pids))
            seen.extend(pids)
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [False, False] == [alive(pid) for pid in seen]


def test_busy_programs_die_with_the_soak():
    code = (
        "from tests.support.runs.soak import busy_cores\nwith busy_cores(1) as pids: print(*pids, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
    until(lambda: not alive(pid), what="the busy program to die")


@pytest.mark.long
def test_run_that_takes_too_long_is_ended(tmp_path):
    (tmp_path / "test_it.py").write_text("import time\ndef test_it(): time.sleep(1000)")
    arguments = ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    assert -9 == run_logged(arguments, tmp_path / "log", 3)
    assert "ended after 3 s" in (tmp_path / "log").read_text()
