"""Ratio 9: how long a claim takes with 100, 10,000 and 1,000,000 waiting jobs.

50 tenants, 20 models, 5 priorities; half of the tenants run as many jobs as they may. Eight claimers at once, each of
which serves every model and has one in memory, on a real PostgreSQL without fsync. The claims are the call that the
workers make, timed over its one round trip; each job is put back, untimed, so that every depth stays what it is. The
depths are measured in turn, each in a database of its own.

The statement, planned at every claim, is what a worker executes whose database lacks the function. It is measured in
turn with the function.

The obstacles are a million jobs that cannot be taken now, beside 100 that can.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, Select, make_url, text, update

from benchmarks.report import Figure, Report
from cli.embedded.postgres import EmbeddedPostgres
from core.database import autocommitted, sync_engine
from core.settings import Settings
from jobs.schema.migrate import migrate
from jobs.schema.tables import jobs
from jobs.statements.queue.claim import Claimant, claim
from jobs.statements.queue.claim_function import call
from jobs.statements.servers import register
from jobs.wire.servers import ServerFacts

TITLE = "Ratio 9: claims and the depth of the queue"
SHALLOW, DEEP = 100, 1_000_000
TENANTS, CAP, CLAIMERS = 50, 2, 8
MODELS = [f"model-{number:02}" for number in range(20)]
OBSTACLES = {
    "pinned to a server that is gone": {"server_id": "'gone'"},
    "that still prefer a server that is gone": {"server_id": "'gone'", "spill_at": "now() + interval '1 hour'"},
    "to be tried again later": {"fence": "1", "available_at": "now() + interval '1 hour'"},
    "past their deadline": {"deadline_at": "now() - interval '1 second'"},
}
"""Jobs that cannot be taken now: the columns that keep them, as SQL."""

TENANTS_AND_RUNNING = f"""
    INSERT INTO tenants (id, name, max_running_jobs)
    SELECT 'ten_' || n, 'ten_' || n, CASE WHEN n % 2 = 0 THEN {CAP} END FROM generate_series(0, {TENANTS - 1}) AS n;
    INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at, started_at)
    SELECT id || '_' || k, id, 'image', 'model-00', '{{}}', 'processing', 3, 5, now() + interval '1 day', now()
    FROM tenants, generate_series(1, {CAP}) AS k WHERE max_running_jobs IS NOT NULL
"""
WAITING = {
    "id": "'job_' || gen_random_uuid()",
    "tenant": f"'ten_' || n % {TENANTS}",
    "modality": "'image'",
    "model": f"(ARRAY{MODELS})[1 + n / {TENANTS} % {len(MODELS)}]",
    "params": """'{"modality": "image", "prompt": "a red circle on a white ground"}'""",
    "status": "'queued'",
    "max_attempts": "3",
    "priority": "3 + floor(5 * random())",
    "deadline_at": "now() + interval '1 day'",
}


def run(*, quick: bool = False) -> Report:
    """Measure every depth, then every obstacle beside the shallow queue."""
    depths = (SHALLOW, 1_000, 10_000) if quick else (SHALLOW, 10_000, DEEP)
    rounds = 1 if quick else 5
    figures: list[Figure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-bench-")))
        server = stack.enter_context(EmbeddedPostgres(folder, durable=False))
        shallow = stack.enter_context(_queue(server, "shallow"))
        _fill(shallow, SHALLOW)
        with ExitStack() as deeper:
            queues = [shallow]
            for depth in depths[1:]:
                queues.append(deeper.enter_context(_queue(server, f"q{depth}")))
                _fill(queues[-1], depth)
            found = _measure([(queue, call) for queue in queues], rounds)
            planned, kept = _measure([(shallow, claim), (shallow, call)], rounds)
        figures.append(_ratio(f"claim with {depths[-1]:,} waiting jobs / with {SHALLOW}, p50", found[-1], found[0]))
        for depth, seconds in zip(depths, found, strict=True):
            figures += _percentiles(f"claim with {depth:,} waiting jobs", seconds)
        figures.append(_ratio("claim as a function / as a statement, p50", kept, planned, ""))
        figures += _percentiles("claim as a statement", planned)
        for name, columns in OBSTACLES.items():
            with _queue(server, "obstacle") as queue:
                _fill(queue, SHALLOW)
                _fill(queue, depths[-1], columns)
                beside, without = _measure([(queue, call), (shallow, call)], rounds)
            figures.append(_ratio(f"claim beside {depths[-1]:,} jobs {name} / without, p50", beside, without))
    return Report(name="depth", title=TITLE, figures=figures)


@contextmanager
def _queue(server: EmbeddedPostgres, name: str) -> Iterator[Engine]:
    """A database of its own with the tenants and what they run; dropped afterwards."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        url = make_url(server.url).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        migrate(url)
        engine = sync_engine(Settings(database_url=url))
        with engine.begin() as connection:
            connection.execute(text(TENANTS_AND_RUNNING))
        yield engine
        engine.dispose()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _fill(engine: Engine, count: int, columns: dict[str, str] | None = None) -> None:
    """Add waiting jobs that differ from others in these columns."""
    row = WAITING | (columns or {})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text(
                f"INSERT INTO jobs ({', '.join(row)}) SELECT {', '.join(row.values())} FROM generate_series(1, :n) AS n"
            ),
            {"n": count},
        )
        connection.execute(text("VACUUM ANALYZE jobs"))


Build = Callable[..., Select[Any]]
"""Makes the statement of a claim."""


def _measure(queues: Sequence[tuple[Engine, Build]], rounds: int) -> list[list[float]]:
    """Seconds of the claims in each of the queues, which are measured in turn."""
    found: list[list[float]] = [[] for _ in queues]
    claimants = {queue: [_claimant(queue, number) for number in range(CLAIMERS)] for queue in {q for q, _ in queues}}
    for number in range(rounds + 1):
        for (queue, build), seconds in zip(queues, found, strict=True):
            with ThreadPoolExecutor(CLAIMERS) as pool:
                taken = list(
                    pool.map(lambda worker, queue=queue, build=build: _claims(queue, worker, build), claimants[queue])
                )
            if number:  # the first round fills caches
                seconds += [one for some in taken for one in some]
    return found


def _claimant(engine: Engine, number: int) -> Claimant:
    server_id = f"gpu-{number}"
    facts = ServerFacts(state="idle", device="cuda", serves=MODELS)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM servers WHERE server_id = :name"), {"name": server_id})
        incarnation = connection.scalar(register(server_id, facts, lease_seconds=86_400))
    resident = (MODELS[number % len(MODELS)],)
    return Claimant(server_id=server_id, incarnation=incarnation, models=tuple(MODELS), resident=resident)


def _claims(engine: Engine, claimant: Claimant, build: Build, count: int = 20) -> list[float]:
    """Seconds of `count` claims of one claimer."""
    seconds = []
    statement = build(claimant, lease_seconds=3600)
    with autocommitted(engine).connect() as connection:
        for _ in range(count):
            started = time.perf_counter()
            row = connection.execute(statement).one()
            seconds.append(time.perf_counter() - started)
            back = {"status": "queued", "fence": 0, "attempt": 0, "started_at": None}
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(**back))
    return seconds


def _ratio(name: str, found: Sequence[float], base: Sequence[float], target: str = "≤ 2") -> Figure:
    return Figure(name, statistics.median(found) / statistics.median(base), "", target)


def _percentiles(name: str, seconds: Sequence[float]) -> list[Figure]:
    return [
        Figure(f"{name}, p50", 1000 * statistics.median(seconds), "ms"),
        Figure(f"{name}, p95", 1000 * statistics.quantiles(seconds, n=20)[-1], "ms"),
    ]
