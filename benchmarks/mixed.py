"""Ratio 8: a worker that can hold one of three models, under a mixed load, on the statements of the real scheduler.

Simulated are the engine and the clock: loading and running a job take no time here, but move a clock on by what they
would take. Real is the queue: jobs are submitted, claimed and committed in PostgreSQL by the statements that the API
and the workers execute. The one time among these that a claim compares with, when the worker last began to load a
model, is set back before each claim to where the simulated clock has it.

The trace: jobs of three models (Zipf, s = 1) and three tenants arrive at random, a little faster than one worker can
run them, so that there is always work. Goodput is jobs per second once the worker has gone through the trace.

- *one model*: the same trace, all of one model: nothing to load after the first.
- *first in, first out*: the oldest job next, whatever is in memory.
- *passed by*: how long a job was passed by after it was first the one that a claim without a preference for models in
  memory would have taken. The load and the run that are under way when the bound is reached come on top.

Fair share: one tenant has 1,000 waiting jobs when another submits ten; the time until the ten are done, in times of
what they take alone.
"""

import random
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, func, update

from benchmarks.report import Figure, Report
from cli.embedded.postgres import EmbeddedPostgres
from core.database import sync_engine
from core.ids import new_id
from core.settings import Settings
from jobs.job import Job, job_from_row
from jobs.params.image import ImageParams
from jobs.schema.migrate import migrate
from jobs.schema.tables import servers
from jobs.statements.api_keys import ensure_tenant
from jobs.statements.queue import claimed as running
from jobs.statements.queue.claim import Claimant, claim
from jobs.statements.queue.submit import Offer, new_job, submit
from jobs.statements.servers import register
from jobs.wire.servers import ServerFacts

TITLE = "Ratio 8: a mixed load on one worker"
LOAD_SECONDS = {"large": 1.4, "middle": 1.2, "small": 1.0}
RUN_SECONDS = 0.5
ARRIVAL_SECONDS = 0.45
BOUND = Settings().warm_bound_seconds
LEASE = {"lease_seconds": 86_400.0}


class Arrival(msgspec.Struct, frozen=True):
    """A job of the trace; `at` is in seconds from its beginning."""

    at: float
    model: str
    tenant: str


class Outcome(msgspec.Struct, frozen=True):
    """The seconds that a trace took, and for how long the unluckiest job was passed by."""

    seconds: float
    passed_by: float


def run(*, quick: bool = False) -> Report:
    """Go through the trace in every way, and let two tenants share a worker."""
    arrivals = trace(200 if quick else 2_000)
    waiting = 100 if quick else 1_000
    with (
        tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder,
        EmbeddedPostgres(Path(folder), durable=False) as server,
    ):
        migrate(server.url)
        engine = sync_engine(Settings(database_url=server.url))
        ours = simulate(engine, arrivals)
        share = fair_share(engine, waiting)
        engine.dispose()
    fifo, single = first_in_first_out(arrivals), one_model(arrivals)
    figures = [
        Figure("goodput, ours / one model", single / ours.seconds, "", "≥ 0.95"),
        Figure("goodput, ours / first in, first out", fifo / ours.seconds, "", "≥ 2"),
        Figure("longest time that a job was passed by / the bound", ours.passed_by / BOUND, "", "≤ 1"),
        Figure("goodput, one model", len(arrivals) / single, "jobs/s"),
        Figure("goodput, ours", len(arrivals) / ours.seconds, "jobs/s"),
        Figure("goodput, first in, first out", len(arrivals) / fifo, "jobs/s"),
        Figure(f"fair share: ten jobs behind {waiting:,} of another tenant / alone", share, "", "≤ 2"),
    ]
    return Report(name="mixed", title=TITLE, figures=figures)


def trace(count: int, seed: int = 7) -> list[Arrival]:
    """Jobs in the order in which they arrive."""
    draw, at, arrivals = random.Random(seed), 0.0, []
    models = list(LOAD_SECONDS)
    for _ in range(count):
        at += draw.expovariate(1 / ARRIVAL_SECONDS)
        (model,) = draw.choices(models, [1 / rank for rank in range(1, len(models) + 1)])
        arrivals.append(Arrival(at, model, draw.choice(("one", "two", "three"))))
    return arrivals


def simulate(engine: Engine, arrivals: Sequence[Arrival], bound: float = BOUND) -> Outcome:
    """Go through a trace with the scheduler's claims."""
    clock, loaded_at, resident, coming = 0.0, 0.0, "", list(reversed(arrivals))
    due: dict[str, float] = {}  # when a job was first the next one, but for the models in memory
    passed_by = 0.0
    with engine.connect() as connection:
        claimant = _claimant(connection)
        while True:
            while coming and coming[-1].at <= clock:
                _submit(connection, coming.pop())
            holding = msgspec.structs.replace(claimant, resident=(resident,))
            first = _first(connection, claimant)
            if first is None and not coming:
                return Outcome(clock, passed_by)
            if first is None:
                clock = coming[-1].at
                continue
            due.setdefault(first, clock)
            stayed = timedelta(seconds=clock - loaded_at)
            connection.execute(update(servers).values(loaded_at=func.now() - stayed))
            job = job_from_row(connection.execute(claim(holding, warm_bound_seconds=bound, **LEASE)).one())
            passed_by = max(passed_by, clock - due.pop(job.id, clock))
            if job.model != resident:
                resident, loaded_at = job.model, clock
                clock += LOAD_SECONDS[resident]
            clock += RUN_SECONDS
            _finish(connection, job)


def first_in_first_out(arrivals: Sequence[Arrival]) -> float:
    """Seconds that a trace takes when the oldest job is always the next."""
    clock, resident = 0.0, ""
    for job in arrivals:
        clock = max(clock, job.at) + RUN_SECONDS + (LOAD_SECONDS[job.model] if job.model != resident else 0.0)
        resident = job.model
    return clock


def one_model(arrivals: Sequence[Arrival]) -> float:
    """Seconds that a trace takes when all of it is of one model."""
    return first_in_first_out([msgspec.structs.replace(job, model=arrivals[0].model) for job in arrivals])


def fair_share(engine: Engine, waiting: int) -> float:
    """How much longer ten jobs take when another tenant has `waiting` jobs that came before them."""
    with engine.connect() as connection:
        claimant = _claimant(connection)
        for _ in range(waiting):
            _submit(connection, Arrival(0.0, "large", "greedy"))
        _finish(connection, _claim(connection, claimant))
        ten = {_submit(connection, Arrival(0.0, "large", "modest")) for _ in range(10)}
        runs = 0
        while ten:
            job = _claim(connection, claimant)
            _finish(connection, job)
            ten.discard(job.id)
            runs += 1
    return runs / 10


def _claimant(connection: Connection) -> Claimant:
    facts = ServerFacts(state="idle", device="cuda", serves=tuple(LOAD_SECONDS))
    connection.execute(servers.delete())
    incarnation = connection.execute(register("gpu-1", facts, lease_seconds=86_400)).one().incarnation
    connection.commit()
    return Claimant(server_id="gpu-1", incarnation=incarnation, models=tuple(LOAD_SECONDS))


def _first(connection: Connection, claimant: Claimant) -> str | None:
    """The job that this claimant would get, which stays in the queue."""
    row = connection.execute(claim(claimant, **LEASE)).one_or_none()
    connection.rollback()
    return None if row is None else str(row.id)


def _claim(connection: Connection, claimant: Claimant) -> Job:
    return job_from_row(connection.execute(claim(claimant, **LEASE)).one())


def _submit(connection: Connection, job: Arrival) -> str:
    tenant = connection.execute(ensure_tenant(job.tenant)).scalar_one()
    statement = submit(
        new_job(
            job_id=new_id("job"),
            tenant=tenant,
            offers=[Offer(job.model)],
            params=ImageParams(prompt="a red circle"),
            seed=1,
            max_attempts=3,
            deadline_seconds=86_400,
        )
    )
    job_id = str(connection.execute(statement).one().id)
    connection.commit()
    return job_id


def _finish(connection: Connection, job: Job) -> None:
    connection.execute(running.commit(job.id, job.fence, artifacts=(), warnings=(), cost=0.0))
    connection.commit()
