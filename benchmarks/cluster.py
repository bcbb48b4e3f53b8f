"""The scale drill: one API and 1 to 8 GPU workers on real PostgreSQL and Valkey, and what each costs the database.

The device is simulated: a job waits for a second, as a host does for its GPU, and makes a small image, so that this
machine's cores are not what is measured. All the rest is real. For each number of workers:

- *idle*: nothing is to be done; what the workers' polls and heartbeats cost.
- *full*: 20 jobs for each worker, submitted before the first can end; jobs per second against those of devices that
  never wait.
- *wait*: jobs arrive at random, as many as keep 70 % of the devices busy; how long one waits for its start.

The database's load is what `pg_stat_database` counts as transactions, and what the kernel counts as processor time of
all of PostgreSQL's processes. `docs/scaling.md` calculates from these figures.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks.report import Figure, Report
from benchmarks.running.catalog import settings_in
from benchmarks.running.database_load import load
from benchmarks.running.serving import ended
from benchmarks.running.stack import Running, gpu_worker, running
from jobs.params.image import IMAGE

TITLE = "The scale drill: 1 to 8 workers on one database"
WORKERS = (1, 2, 4, 8)
COMPUTE_SECONDS = 1.0
BODY = {"model": "simulated-image", "prompt": f"compute={COMPUTE_SECONDS}", "width": 64, "height": 64}
IDLE_SECONDS = 20.0
JOBS = 20
"""For each worker."""
UTILIZATION = 0.7


def run(*, quick: bool = False) -> Report:
    """Measure with each number of workers, adding to those that run."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder, ExitStack() as workers:
        service = workers.enter_context(running(settings_in(Path(folder))))
        database = workers.enter_context(psycopg.connect(service.settings.database_url, autocommit=True))
        up = 1
        for count in WORKERS[:2] if quick else WORKERS:
            for number in range(up, count):
                workers.enter_context(gpu_worker(service, f"bench-{number}"))
            up = count
            _serve(service, [0.0] * count)  # every model is loaded
            figures += _measured(service, database, count, quick=quick)
    return Report(name="cluster", title=TITLE, figures=figures)


def _measured(service: Running, database: psycopg.Connection[Any], count: int, *, quick: bool) -> Iterator[Figure]:
    seconds, each = (2.0, 3) if quick else (IDLE_SECONDS, JOBS)
    label = f"{count} workers" if count > 1 else "1 worker"

    before = load(database)
    time.sleep(seconds)
    idle = load(database).since(before)
    yield Figure(f"{label}, idle: transactions", idle.transactions / seconds, "/s")
    yield Figure(f"{label}, idle: PostgreSQL's processor time", 1000 * idle.cpu / seconds, "ms/s")

    before = load(database)
    jobs = _serve(service, [0.0] * count * each)
    busy = load(database).since(before)
    took = max(job.finished for job in jobs) - min(job.started for job in jobs)
    yield Figure(f"{label}, full: jobs / those of devices that never wait", len(jobs) * COMPUTE_SECONDS / took / count)
    yield Figure(f"{label}, full: transactions", busy.transactions / len(jobs), "/job")
    yield Figure(f"{label}, full: PostgreSQL's processor time", 1000 * busy.cpu / len(jobs), "ms/job")

    gaps = random.Random(count)
    rate = UTILIZATION * count / COMPUTE_SECONDS
    waits = [
        job.started - job.created for job in _serve(service, [gaps.expovariate(rate) for _ in range(count * each)])
    ]
    yield Figure(f"{label}, 70 % busy: wait p50", 1000 * statistics.median(waits), "ms")
    yield Figure(f"{label}, 70 % busy: wait p95", 1000 * statistics.quantiles(waits, n=20)[-1], "ms")


class Times(msgspec.Struct, frozen=True):
    """When a job was submitted, began and ended, as the database says; seconds of the epoch."""

    created: float
    started: float
    finished: float


def _serve(service: Running, gaps: list[float]) -> list[Times]:
    """Submit a job after each of the gaps, in seconds, and wait for all of them."""
    began, ids = time.monotonic(), []
    for gap in gaps:
        began += gap
        time.sleep(max(0.0, began - time.monotonic()))
        answer = service.client.post(IMAGE.path, json=BODY).raise_for_status()
        ids.append(answer.json()["job_id"])
    until = time.monotonic() + 60 + 2 * COMPUTE_SECONDS * len(gaps)
    found = [ended(service.client, job_id, until) for job_id in reversed(ids)]
    moments = [
        [datetime.fromisoformat(job[f"{name}_at"]).timestamp() for name in Times.__struct_fields__] for job in found
    ]
    return [Times(*each) for each in moments]
