"""What a real engine and encoder find out: ratios 1 to 3 in a row of jobs, 5 by parking and waking, 6 cold."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.card.cases import Case, encodes
from benchmarks.cold import seconds_of
from benchmarks.families.timed import busy_fraction, take_log
from benchmarks.report import Figure
from benchmarks.running.cycles import Cycles, cycle, leak
from benchmarks.running.engine import Bench, bench
from benchmarks.running.loop import bare_loop

HOST_BUDGET = 2**36


def engine(case: Case, settings: dict[str, str], folder: Path, cycles: int) -> Iterator[Figure]:
    """All that one engine tells, and then a bare loop in its place: two copies of the model need not fit."""
    name, job = case.model, (case.model, case.modality, case.body)
    with bench(settings | {"ATELIER_HOST_BUDGET": str(HOST_BUDGET)}, encodes=encodes(case)) as made:
        cold = seconds_of(made, *job)
        yield Figure(f"{name}: cold process to first file", cold, "s", "≤ 10")
        warm = seconds_of(made, *job)
        yield Figure(f"{name}: 6, cold process to first file / warm job", cold / warm)
        take_log(folder)
        row = _row(made, case)
        yield Figure(f"{name}: engine, seconds a job in a row", row / case.count, "s")
        yield Figure(f"{name}: 3, engine-busy fraction", busy_fraction(take_log(folder)), "", "≥ 0.98")
        yield from _parked(name, cycle(made, *job, cycles, where="host"))
    with bare_loop(settings) as loop:
        computing = loop(name, case.body, case.count, encode=False).total
        yield Figure(f"{name}: 1, engine / bare loop, compute only", computing / row, "", "≥ 0.98")
        if encodes(case):
            inline = loop(name, case.body, case.count, encode=True).total
            yield Figure(f"{name}: 2, engine / loop that encodes inline", inline / row, "", case.inline)


def _row(made: Bench, case: Case) -> float:
    """Seconds of a row of jobs: as in a worker, one job is encoded while the next one is computed."""
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: made.make(case.model, case.modality, case.body), range(case.count)))
    return time.perf_counter() - began


def _parked(name: str, found: Cycles) -> Iterator[Figure]:
    coming = statistics.median(found.coming)
    yield Figure(f"{name}: 5, waking", coming, "s")
    yield Figure(f"{name}: 5, wake rate", found.size / coming / 1e9, "GB/s")
    yield Figure(f"{name}: leaving", statistics.median(found.leaving), "s")
    yield Figure(f"{name}: device memory once away, last cycle - first", (found.used[-1] - found.used[0]) / 2**20, "MB")
    yield from leak(f"{name}: 5, parked", found.resident, len(found.resident) // 5)
