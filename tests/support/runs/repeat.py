"""A run of the suite, and one repeat of what failed in it: `python -m tests.support.runs.repeat [pytest's arguments]`.

At most three failed tests run once more, alone and in one process. A test that then passes is printed as
`flaky: <test>`. The run is red when more tests failed, when one failed twice, when a file could not be collected, when
pytest itself broke, and when a run without a failed test is not green, as with a contract page that is out of date.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

MOST_REPEATED = 3

Run = Callable[[Sequence[str]], int]
"""Runs pytest with the given arguments and returns its exit code."""


@dataclass(frozen=True)
class Verdict:
    """The judgment on a run: red for the reason that it names, or green, perhaps with flaky tests."""

    reason: str = ""
    flaky: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def green(self) -> bool:
        """Whether every test passed, in the run or in its repeat."""
        return not self.reason

    def __str__(self) -> str:
        lines = [f"flaky: {test}" for test in self.flaky] + [f"failed: {test}" for test in self.failed]
        return "\n".join([*lines, f"red: {self.reason}" if self.reason else "green"])


def run_with_repeat(run: Run, arguments: Sequence[str], folder: Path) -> Verdict:
    """Run the suite with `arguments`, then what failed, and judge both; `folder` keeps what the first run showed."""
    contract = folder / "contract.json"
    code = run([*arguments, "-o", f"cache_dir={folder / 'first'}", f"--save-contract={contract}"])
    if code == pytest.ExitCode.OK:
        return Verdict()
    failed = _failed_tests(folder / "first")
    if code != pytest.ExitCode.TESTS_FAILED:
        return Verdict(f"pytest ended with exit code {int(code)}", failed=failed)
    if not failed:
        return Verdict("no test failed, yet the run did (see above)")
    if not_collected := [name for name in failed if "::" not in name]:
        return Verdict(f"not collected: {', '.join(not_collected)}", failed=failed)
    if len(failed) > MOST_REPEATED:
        return Verdict(f"{len(failed)} tests failed; at most {MOST_REPEATED} are repeated", failed=failed)
    return _repeat(run, failed, contract, folder)


def _repeat(run: Run, failed: tuple[str, ...], contract: Path, folder: Path) -> Verdict:
    """Run the failed tests alone; the contract page is judged now, from both runs, if the first one was a full one."""
    print(f"repeat: {len(failed)} failed, once more, alone", flush=True)
    report = folder / "repeat.xml"
    judged = [f"--load-contract={contract}"] if contract.exists() else []
    code = run([*failed, "-o", f"cache_dir={folder / 'second'}", f"--junitxml={report}", *judged])
    again = _failed_tests(folder / "second")
    flaky = tuple(test for test in failed if test not in again)
    if again:
        return Verdict("failed twice", flaky, again)
    if code != pytest.ExitCode.OK:
        return Verdict(f"the repeat ended with exit code {int(code)} without a failed test (see above)", failed=failed)
    if _passed(report) != len(failed):
        return Verdict("the repeat did not run what failed", failed=failed)
    return Verdict(flaky=flaky)


def _failed_tests(cache: Path) -> tuple[str, ...]:
    """Return the failed tests of pytest's cache; a file that pytest could not collect is among them."""
    names = cache / "v" / "cache" / "lastfailed"
    return tuple(sorted(json.loads(names.read_text()))) if names.exists() else ()


def _passed(report: Path) -> int:
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    return int(suite.attrib["tests"]) - int(suite.attrib["skipped"])


def run_pytest(arguments: Sequence[str]) -> int:
    """Run pytest in a process of its own, with this process's output."""
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="atelier-run-") as folder:
        verdict = run_with_repeat(run_pytest, sys.argv[1:], Path(folder))
    print(verdict, flush=True)
    return 0 if verdict.green else 1


if __name__ == "__main__":
    sys.exit(main())
