"""Ratio 7: from a committed job to its start, against a bare Celery task on the same broker in the same run.

Ours is from the commit, as PostgreSQL timestamps it, to `started_at`; the bare task's is from the call to the first
line of the task. Push is from `finished_at` to the moment the client of `?wait` has the answer.

Of many clients, each submits its next job when it has the last one's answer: the faster the API takes the jobs, the
longer they wait for the one worker. What counts there is how many are done in a second.
"""

import secrets
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis

from benchmarks.report import Figure, Report
from benchmarks.running.stack import Running, running
from core.processes import spawn, stop

CATALOG = Path(__file__).parents[1] / "tests" / "support" / "models.toml"
TITLE = "Ratio 7: commit to start"


def run(*, quick: bool = False) -> Report:
    """Measure on real PostgreSQL, Valkey, API and worker; the pipeline computes nothing."""
    rounds = 2 if quick else 6
    each = 10 if quick else 40
    with running({"ATELIER_CATALOG": str(CATALOG), "PYTHONPATH": str(CATALOG.parents[2])}) as service:
        push: list[float] = []
        bare: dict[str, list[float]] = {"threads": [], "prefork": []}
        for _ in range(rounds):
            for pool, found in bare.items():
                found += _bare(service, pool, each)
            for _ in range(each):
                time.sleep(0.01)  # as between bare tasks
                status, known = _job(service.client, "null=1")
                push.append(known - datetime.fromisoformat(status["finished_at"]).timestamp())
        ours = _commit_to_start(service)
        figures = _figures(ours, push, bare)
        for prompt, label in (("null=1", "nothing to compute"), ("compute=0.1", "100 ms to compute")):
            for concurrency in (1, 8, 64):
                count = (16 if quick else 64) if "compute" in prompt else (32 if quick else 256)
                began = time.monotonic()
                waits = _burst(service.client, prompt, concurrency, max(count, concurrency))
                rate = len(waits) / (time.monotonic() - began)
                place = f"{label}, {concurrency} clients, one worker"
                figures += [
                    Figure(f"jobs a second, {place}", rate, "/s"),
                    Figure(f"wait p50, {place}", _ms(statistics.median(waits)), "ms"),
                ]
    return Report(name="latency", title=TITLE, figures=figures)


def _figures(ours: list[float], push: list[float], bare: dict[str, list[float]]) -> list[Figure]:
    medians = {pool: statistics.median(found) for pool, found in bare.items()}
    best = min(medians.values())
    return [
        Figure("commit to start, ours / bare Celery (the faster pool), p50", statistics.median(ours) / best, "", "≤ 2"),
        Figure("commit to start, ours, p50", _ms(statistics.median(ours)), "ms"),
        Figure("commit to start, ours, p95", _ms(statistics.quantiles(ours, n=20)[-1]), "ms"),
        *(Figure(f"bare Celery, {pool} pool, p50", _ms(value), "ms") for pool, value in medians.items()),
        Figure("commit to the client of ?wait, p50", _ms(statistics.median(push)), "ms", "≤ 5"),
    ]


def _bare(service: Running, pool: str, count: int) -> list[float]:
    """Seconds from call to start of `count` tasks, one after the other."""
    from benchmarks.running.bare_celery import QUEUE, STARTED, app

    app.conf.broker_url = service.settings.broker_url
    client = redis.Redis.from_url(service.settings.broker_url)
    client.delete(STARTED, QUEUE)
    process = spawn(
        [sys.executable, "-m", "benchmarks.running.bare_celery", pool], env=service.environment, name="bare Celery"
    )
    try:
        found = []
        for number in range(count + 3):
            called = time.time()
            app.send_task("bare.mark", queue=QUEUE)
            answer = client.blpop([STARTED], timeout=60)
            assert answer is not None, "the bare Celery worker does not answer"
            if number >= 3:  # the first ones wait for the worker to start
                found.append(float(answer[1]) - called)
            time.sleep(0.01)
        return found
    finally:
        stop(process, 10.0)


def _commit_to_start(service: Running) -> list[float]:
    """Seconds from commit to start of every job so far; the commit is the one that wrote its Idempotency-Key."""
    query = """
        SELECT extract(epoch FROM started_at - pg_xact_commit_timestamp(idempotency.xmin))::float
        FROM jobs JOIN idempotency ON idempotency.job_id = jobs.id
    """
    with psycopg.connect(service.settings.database_url) as connection:
        return [row[0] for row in connection.execute(query)]


def _job(client: httpx.Client, prompt: str) -> tuple[dict[str, Any], float]:
    answer = client.post(
        "/generate/image/v1",
        params={"wait": 60},
        json={"prompt": prompt, "model": "chaos"},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    known = time.time()
    status: dict[str, Any] = answer.json()
    assert status.get("status") == "completed", status
    return status, known


def _burst(client: httpx.Client, prompt: str, concurrency: int, count: int) -> list[float]:
    with ThreadPoolExecutor(concurrency) as pool:
        found = list(pool.map(lambda _: _job(client, prompt)[0], range(count)))
    return [_seconds(status, "created_at", "started_at") for status in found]


def _seconds(status: dict[str, Any], start: str, end: str) -> float:
    return (datetime.fromisoformat(status[end]) - datetime.fromisoformat(status[start])).total_seconds()


def _ms(seconds: float) -> float:
    return 1000 * seconds
