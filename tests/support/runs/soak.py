"""Runs of the suite beside a busy neighbor: `python -m tests.support.runs.soak [--runs 5] [pytest's arguments]`.

A program on each core computes all the time. Every run is judged as CI judges it, with one repeat of up to three failed
tests; what failed, what passed when it was repeated, and the sum of the runs are printed. The output of the runs lies
in `out/soak`. A run that takes longer than `--minutes` is ended and red.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.processes import spawn
from tests.support.paths import ROOT
from tests.support.runs.repeat import Verdict, run_with_repeat

BUSY = "while True: pass"


@contextmanager
def busy_cores(cores: int) -> Iterator[list[int]]:
    """Keep so many cores busy, and give the ids of the processes that do it; the kernel ends them with this process."""
    started = [spawn([sys.executable, "-c", BUSY], env=os.environ, name="busy program") for _ in range(cores)]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def run_logged(arguments: Sequence[str], log: Path, seconds: float) -> int:
    """Run pytest with its output at the end of `log`, for at most so long; return its exit code."""
    with log.open("ab") as output:
        try:
            command = [sys.executable, "-m", "pytest", *arguments]
            return subprocess.run(command, stdout=output, stderr=output, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            output.write(f"\nended after {seconds:g} s\n".encode())
            return -9


def soak(runs: int, seconds: float, arguments: Sequence[str], folder: Path) -> list[Verdict]:
    """Run the suite so often, and print the judgment on each run as it ends; its output is in `folder`."""
    verdicts = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, runs + 1):
        log = folder / f"run-{number}.log"
        log.unlink(missing_ok=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="atelier-run-") as place:
            verdict = run_with_repeat(lambda given, log=log: run_logged(given, log, seconds), arguments, Path(place))
        print(f"run {number} of {runs}: {time.monotonic() - began:.0f} s, {log}\n{verdict}", flush=True)
        verdicts.append(verdict)
    return verdicts


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many runs were green, and how often each test failed, in a run or in its repeat as well."""
    lines = [f"{sum(verdict.green for verdict in verdicts)} of {len(verdicts)} runs are green"]
    for word in ("flaky", "failed"):
        tests = Counter(test for verdict in verdicts for test in getattr(verdict, word))
        lines += [f"{word} {times}x: {test}" for test, times in tests.most_common()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=30.0, help="limit of one run (default 30)")
    options, arguments = parser.parse_known_args()
    with busy_cores(os.cpu_count() or 1):
        verdicts = soak(options.runs, 60 * options.minutes, arguments, ROOT / "out" / "soak")
    print(summary(verdicts), flush=True)
    return 0 if all(verdict.green for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
