"""Rows for tests: a tenant, a server, a job, made by the statements that the service itself uses."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine, Executable, func, select, update

from core.ids import new_id
from jobs.job import ACTIVE, Artifact, Job, job_from_row
from jobs.params.image import ImageParams
from jobs.schema.tables import inputs, jobs, outbox
from jobs.schema.tables import servers as servers_table
from jobs.statements import api_keys, servers
from jobs.statements.query import Query
from jobs.statements.queue import claim, claim_function, claimed, submit, tenant_jobs
from jobs.statements.queue.beat import HeldClaim, beat

T = TypeVar("T")

MODEL = "chaos"
ARTIFACT = Artifact(key="ten/job/1/ab.webp", media_type="image/webp", bytes=10, sha256="ab", metadata={"width": 8})


class Rows:
    """A database, and short ways to put something into it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def execute(self, statement: Executable) -> Sequence[Any]:
        """Run one statement in a transaction of its own; its rows, if it returns any."""
        with self.engine.begin() as connection:
            result = connection.execute(statement)
            return result.all() if result.returns_rows else []

    def fetch(self, query: Query[T]) -> list[T]:
        """The rows of a query for the driver."""
        with self.engine.begin() as connection:
            return [query.decode(row) for row in connection.exec_driver_sql(query.text, query.values).scalars()]

    def scalar(self, statement: Executable) -> Any:
        """The one value of a statement."""
        return self.execute(statement)[0][0]

    def count_active(self, tenant: str) -> int:
        """How many unfinished jobs a tenant has."""
        counted = select(func.count()).where(jobs.c.tenant == tenant, jobs.c.status.in_(ACTIVE))
        return int(self.scalar(counted))

    def tenant(self, name: str = "studio") -> str:
        """A tenant's id."""
        return str(self.scalar(api_keys.ensure_tenant(name)))

    def submit(self, tenant: str, **more: Any) -> Job:
        """A queued image job, as every later reader has it; `more` is as `submit_row` takes it."""
        return msgspec.structs.replace(self.submit_row(tenant, **more), unserved=False)

    def submit_row(
        self,
        tenant: str,
        *,
        model: str = MODEL,
        deadline_seconds: float = 3600.0,
        spill_seconds: float | None = None,
        price_usd: float = 0.0,
        key_id: str | None = None,
        **params: Any,
    ) -> Job:
        """A queued image job as its submit returns it; `params` are those of the route."""
        statement = submit.submit(
            submit.new_job(
                job_id=new_id("job"),
                tenant=tenant,
                key_id=key_id,
                offers=[submit.Offer(model, price_usd)],
                params=msgspec.convert({"modality": "image", "prompt": "a red circle"} | params, ImageParams),
                seed=7,
                max_attempts=3,
                deadline_seconds=deadline_seconds,
                spill_seconds=spill_seconds,
            )
        )
        return job_from_row(self.execute(statement)[0])

    def pending(self, tenant: str, *urls: str, deadline_seconds: float = 3600.0, **params: Any) -> Job:
        """A pending image job whose reference images are at `urls`, none of them fetched yet."""
        job = self.submit(tenant, deadline_seconds=deadline_seconds, reference_images=list(urls), **params)
        self.set(job, status="pending", queued_at=None)
        for number, url in enumerate(urls):
            self.input(job, f"reference_images.{number}", url=url, host=url.split("/")[2])
        return self.job(job)

    def input(self, job: Job, name: str, *, kind: str = "image", **columns: Any) -> None:
        """A waiting input of a job: `url` and `host`, or `source_key`."""
        known = {"job_id": job.id, "tenant": job.tenant, "model": job.model}
        self.execute(inputs.insert().values(**known, name=name, kind=kind, **columns))

    def inputs(self, job: Job) -> Sequence[Any]:
        """The inputs of a job, by name."""
        return self.execute(inputs.select().where(inputs.c.job_id == job.id).order_by(inputs.c.name))

    def server(
        self, server_id: str = "gpu-1", *, serves: Sequence[str] = (MODEL,), lease_seconds: float = 600.0, **more: Any
    ) -> claim.Claimant:
        """A living server, as it asks for jobs; `more` are fields of `Claimant`."""
        facts = servers.ServerFacts(state="ready", device="cpu", serves=serves)
        incarnation = self.scalar(servers.register(server_id, facts, lease_seconds=lease_seconds))
        return claim.Claimant(server_id=server_id, incarnation=incarnation, models=tuple(serves), **more)

    def lease(self, server_id: str, incarnation: int, facts: servers.ServerFacts) -> str:
        """What the operator wants of a server, after it has renewed its lease with these facts."""
        return str(self.scalar(servers.heartbeat(server_id, incarnation, facts, lease_seconds=600.0)))

    def claim(
        self, claimant: claim.Claimant, lease_seconds: float = 600.0, *, equal_to: Job | None = None
    ) -> Job | None:
        """The claimant's next job, as a worker claims it; with `equal_to` only one that shares the run of that."""
        statement = claim_function.call(claimant, lease_seconds=lease_seconds)
        return self.change(statement if equal_to is None else statement.params({claim.EQUAL_TO: equal_to.id}))

    def beat(self, server_id: str, incarnation: int, claims: Sequence[HeldClaim], **leases: float) -> Any:
        """The row of a server's beat that changes nothing of its facts; None after the loss of its name."""
        (row,) = self.execute(servers_table.select().where(servers_table.c.server_id == server_id))
        facts = servers.ServerFacts(**{name: row._mapping[name] for name in ("state", "device", "serves", "dedicated")})
        leases = {"server_lease_seconds": 600.0, "lease_seconds": 600.0} | leases
        return next(iter(self.execute(beat(server_id, incarnation, facts, claims, **leases))), None)

    def report(self, job: Job, fraction: float, stage: str = "step", warnings: Sequence[str] = ()) -> Job:
        """The job after a beat with the progress of its computing; it fails when the claim is over."""
        claim_ = HeldClaim(
            ticket="it", job_id=job.id, fence=job.fence, fraction=fraction, stage=stage, warnings=tuple(warnings)
        )
        assert job.worker is not None
        assert job.incarnation is not None
        assert {"it"} == self.beat(job.worker, job.incarnation, [claim_]).kept.keys()
        return self.job(job)

    def change(self, statement: Executable) -> Job | None:
        """The job that a statement has changed, if any."""
        rows = self.execute(statement)
        return job_from_row(rows[0]) if rows else None

    def complete(self, job: Job, *artifacts: Artifact) -> Job | None:
        """Commit a claimed job, as a worker does; None for a stale fence."""
        return self.change(claimed.commit(job.id, job.fence, artifacts=artifacts, warnings=(), cost=0.0))

    def cancel(self, job: Job) -> Job | None:
        """Cancel a job, as the API does; None when it has ended."""
        return self.change(tenant_jobs.cancel(job.id, job.tenant))

    def job(self, job: Job) -> Job:
        """The job as it is now, deleted or not."""
        return job_from_row(self.execute(jobs.select().where(jobs.c.id == job.id))[0])

    def set(self, job: Job, **columns: Any) -> None:
        """Overwrite columns, e.g. to make a job old."""
        self.execute(update(jobs).where(jobs.c.id == job.id).values(**columns))

    def deliveries(self) -> Sequence[Any]:
        """The outbox, oldest first."""
        return self.execute(outbox.select().order_by(outbox.c.created_at))
