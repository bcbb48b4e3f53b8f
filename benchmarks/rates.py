"""Ratio 12: submits a second, and status polls a second, through one API process; against FastAPI and one statement.

The other program is `benchmarks.running.plain_rows`: it asks for no key and no budget, and rings no worker. Both are
one process on the same PostgreSQL, with pools of the same size; the client is the same, and so is the number of its
connections. They take turns, so that a machine that changes its speed changes both.

The service is as it is in use: one worker is busy with a long job. The jobs that are polled are that one, one that has
completed, and one that waits in the queue; the submits wait behind them, and go when their turn is over.
"""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import psycopg

from benchmarks.report import Figure, Report
from benchmarks.running.database_load import Load, load
from benchmarks.running.load_client import Answered, LoadClient, Turn, load_client, request
from benchmarks.running.serving import ended
from benchmarks.running.stack import START_SECONDS, Running, free_port, part, running

ROOT = Path(__file__).parents[1]
CATALOG = ROOT / "tests" / "support" / "models.toml"
TITLE = "Ratio 12: submits and status polls through one API process"
CONNECTIONS = 8
BODY = {"prompt": "a lighthouse in the fog, at dawn", "model": "chaos", "width": 512, "height": 512, "seed": 7}
LONG = "compute=1000 steps=1000"


class Side(msgspec.Struct, frozen=True):
    """One of the two programs: its port, its process, the requests of a submit and of polls, and its new rows."""

    port: int
    pid: int
    submit: bytes
    polls: tuple[bytes, ...]
    clean: tuple[str, ...]


class Measured(msgspec.Struct, frozen=True):
    """One turn: what was answered, the processor time of the program in seconds, and what the database did."""

    answered: Answered
    cpu: float
    database: Load


def run(*, quick: bool = False) -> Report:
    """Measure with real PostgreSQL and Valkey. Raises `ModuleNotFoundError` without the extra `bench`."""
    rounds, seconds = (1, 1.0) if quick else (7, 3.0)
    settings = {
        "ATELIER_CATALOG": str(CATALOG),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "ATELIER_DB_POOL": "10",
    }
    with ExitStack() as stack:
        service = stack.enter_context(running(settings))
        database = stack.enter_context(psycopg.connect(service.settings.database_url, autocommit=True))
        sides = {"ours": _ours(service), "FastAPI": stack.enter_context(_theirs(service))}
        client = stack.enter_context(load_client())
        found: dict[tuple[str, str], list[Measured]] = {}
        for number in range(-1, rounds):  # the first round warms up
            for kind in ("status poll", "submit"):
                for name, side in sides.items():
                    measured = _turn(client, database, side, kind, seconds if number >= 0 else 1.0)
                    for statement in side.clean:
                        database.execute(statement)
                    if number >= 0:
                        found.setdefault((kind, name), []).append(measured)
    return Report(
        name="rates",
        title=TITLE,
        figures=[*_figures(found, "submit", "≥ 0.5"), *_figures(found, "status poll", "≥ 0.7")],
    )


def _ours(service: Running) -> Side:
    key = str(service.client.headers["X-API-Key"])
    submit = "/generate/image/v1"

    def job(prompt: str) -> str:
        answer = service.client.post(submit, json=BODY | {"prompt": prompt}).raise_for_status()
        return str(answer.json()["job_id"])

    done = job("null=1")
    ended(service.client, done, time.monotonic() + 60)
    kept = [done, job(LONG), job("null=1")]
    while service.client.get(f"/jobs/v1/{kept[1]}").json()["status"] != "processing":
        time.sleep(0.1)
    return Side(
        port=int(service.client.base_url.port or 0),
        pid=service.api_pid,
        submit=request("POST", submit, msgspec.json.encode(BODY), X_API_Key=key),
        polls=tuple(request("GET", f"{submit}/status/{job_id}", X_API_Key=key) for job_id in kept),
        clean=(f"DELETE FROM jobs WHERE id NOT IN ({', '.join(repr(one) for one in kept)})", "VACUUM ANALYZE jobs"),
    )


@contextmanager
def _theirs(service: Running) -> Iterator[Side]:
    port = free_port()
    with part(service.environment, "benchmarks.running.plain_rows", str(port)) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            kept = _first_job(http)
        yield Side(
            port=port,
            pid=process.pid,
            submit=request("POST", "/images", msgspec.json.encode(BODY)),
            polls=(request("GET", f"/images/{kept}"),),
            clean=(f"DELETE FROM plain_jobs WHERE id <> '{kept}'", "VACUUM ANALYZE plain_jobs"),
        )


def _first_job(http: httpx.Client) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return str(http.post("/images", json=BODY).raise_for_status().json()["id"])
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _turn(client: LoadClient, database: psycopg.Connection[Any], side: Side, kind: str, seconds: float) -> Measured:
    before, done_before = psutil.Process(side.pid).cpu_times(), load(database)
    requests = side.polls if kind == "status poll" else (side.submit,)
    answered = client(Turn(side.port, requests, CONNECTIONS, seconds))
    after = psutil.Process(side.pid).cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return Measured(answered, cpu, load(database).since(done_before))


def _figures(found: dict[tuple[str, str], list[Measured]], kind: str, target: str) -> Iterator[Figure]:
    ours, theirs = found[kind, "ours"], found[kind, "FastAPI"]
    ratios = [one.answered.rate / other.answered.rate for one, other in zip(ours, theirs, strict=True)]
    yield Figure(f"{kind}s a second, ours / FastAPI and one statement", statistics.median(ratios), "", target)
    for name, turns in (("ours", ours), ("FastAPI", theirs)):
        times = [1000 * took for one in turns for took in one.answered.took]
        yield Figure(f"{kind}s, {name}", statistics.median(one.answered.rate for one in turns), "/s")
        yield Figure(f"{kind}s, {name}: p50 of {CONNECTIONS} connections", statistics.median(times), "ms")
        cpu = statistics.median(1000 * one.cpu / len(one.answered.took) for one in turns)
        yield Figure(f"{kind}s, {name}: processor time of the process", cpu, "ms")
        counts = [one.database.transactions / len(one.answered.took) for one in turns]
        yield Figure(f"{kind}s, {name}: transactions", statistics.median(counts))
        cpu = statistics.median(1000 * one.database.cpu / len(one.answered.took) for one in turns)
        yield Figure(f"{kind}s, {name}: processor time of PostgreSQL", cpu, "ms")
