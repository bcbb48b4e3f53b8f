"""The estimates of jobs: a request is checked as a submit checks it, and starts nothing."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.estimates.quantiles import added, assumed, rounded
from api.estimates.queue_wait import (
    Candidates,
    CandidateServer,
    JobsAhead,
    candidate,
    candidates,
    count,
    jobs_ahead,
    queue_wait,
)
from api.estimates.run_time import JobHistory
from api.http.auth import Caller
from api.http.database import Database
from api.submit.model_choice import choose_model, modality_of
from api.submit.profiles import with_profile
from api.submit.validation import check
from core.settings import Settings
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import NATIVE
from jobs.statements.estimates.backlog import (
    RunningJob,
    TenantLimits,
    WaitingJobs,
    in_order,
    limits_of,
    running_jobs,
    running_of,
    tenant_limits,
    waiting_jobs,
    waiting_of,
)
from jobs.statements.estimates.history import EndedJob, Pace, ended_job, newest_jobs, pace_of, paces
from jobs.statements.queue.tenant_jobs import balance
from jobs.statements.servers import fleet
from jobs.wire.estimates.estimate import EstimateAnswer, SecondsRange
from jobs.wire.wait_reasons import Reason, waiting_for
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.workload import workload_of
from pipelines.weights.footprint import Footprint

UNKNOWN_SECONDS = 60.0
"""What a job takes of a model that only other catalogs have: the default of an entry."""


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says about a request that may become a job."""

    spec: ModelSpec
    jobs: Sequence[EndedJob]
    candidates: Candidates
    limits: TenantLimits
    balance: float | None
    waiting: Sequence[WaitingJobs] = ()
    running: Sequence[RunningJob] = ()
    paces: Mapping[str, Pace] = {}


class Estimator:
    """The estimates of jobs. It knows no HTTP: each wire format renders what it returns."""

    def __init__(
        self, database: Database, catalog: Catalog, footprints: Mapping[str, Footprint], settings: Settings
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._footprints = footprints
        self._settings = settings
        self._usual = {spec.id: spec.estimated_seconds for spec in catalog.models}

    async def estimate(self, caller: Caller, params: AnyParams, *, dialect: str = NATIVE) -> EstimateAnswer:
        """Return what a job with these parameters would take and cost now; nothing is written, and no medium is read.

        `dialect` is the wire format whose names of models `params` use. Raises what a submit raises for a field or a
        model, but nothing for a budget or a cap.
        """
        params = await with_profile(self._database, caller.tenant, params, {})
        params = check(params, caller, self._settings)
        facts = await self._database.transaction(lambda connection: self._read(connection, caller, params, dialect))
        return self._answer(facts, caller, params)

    async def _read(self, connection: AsyncConnection, caller: Caller, params: AnyParams, dialect: str) -> _Facts:
        spec = await choose_model(connection, self._catalog, params, dialect, caller.tenant)
        servers = [candidate(row) for row in await connection.execute(fleet(caller.tenant))]
        found = candidates(servers, spec.id, params.server_id, strict=params.pin == "strict")
        limits = limits_of((await connection.execute(tenant_limits(caller.tenant))).one())
        left = (await connection.execute(balance(caller.tenant, caller.key_id))).scalar_one()
        ended = [ended_job(row) for row in await connection.execute(newest_jobs(spec.id))]
        facts = _Facts(spec=spec, jobs=ended, candidates=found, limits=limits, balance=left)
        if not found.servers:
            return facts
        names = [server.server_id for server in found.servers]
        current = [server.current_job for server in found.servers if server.current_job is not None]
        await connection.execute(in_order())
        waiting = await connection.execute(waiting_jobs(found.models, names, shared=found.shared))
        running = await connection.execute(running_jobs(current))
        known = [pace_of(row) for row in await connection.execute(paces(found.models))]
        return msgspec.structs.replace(
            facts,
            waiting=[waiting_of(row) for row in waiting],
            running=[running_of(row) for row in running],
            paces={pace.model: pace for pace in known},
        )

    def _answer(self, facts: _Facts, caller: Caller, params: AnyParams) -> EstimateAnswer:
        spec, workload = facts.spec, workload_of(facts.spec, params)
        ahead = jobs_ahead(facts.waiting, caller.tenant, params.priority)
        first = _first_free(facts, count(ahead))
        history = JobHistory(spec, facts.jobs, {server.device for server in first})
        is_loaded = bool(first) and spec.id in first[0].resident
        found = history.run(workload)
        load = assumed(0.0) if is_loaded else history.load(self._weights_bytes(spec))
        wait = self._wait(facts, ahead)
        if wait is not None:
            wait = added([(1.0, history.intake(workload)), (1.0, wait)])
        total = None if wait is None else added([(1.0, wait), (1.0, load), (1.0, found.run)])
        reason = _reason(facts, ahead)
        price = spec.price_of(params)
        return EstimateAnswer(
            modality=modality_of(params),
            model=spec.id,
            wait=None if wait is None else rounded(wait),
            load=rounded(load),
            run=rounded(found.run),
            total=None if total is None else rounded(total),
            basis=found.basis,
            confidence=found.confidence,
            sample_size=found.sample_size,
            jobs_ahead=count(ahead),
            waiting_for=None if reason is None else waiting_for(reason),
            model_loaded=is_loaded,
            server_id=first[0].server_id if first and reason is None else None,
            device=first[0].device if first else None,
            price_usd=price,
            credits=round(price / self._settings.credit_usd, 6),
            balance_remaining_usd=facts.balance,
        )

    def _wait(self, facts: _Facts, ahead: Sequence[JobsAhead]) -> SecondsRange | None:
        """Return the wait for a server; None where none may start the job as things are."""
        if not facts.candidates.servers or facts.limits.paused:
            return None
        return queue_wait(facts.candidates.servers, facts.running, ahead, lambda model: self._pace(facts, model))

    def _pace(self, facts: _Facts, model: str) -> SecondsRange:
        """Return what one job of a model takes, by its last jobs or else by the catalog."""
        pace = facts.paces.get(model)
        if pace is None or pace.p50 is None or pace.p95 is None:
            return assumed(self._usual.get(model, UNKNOWN_SECONDS))
        return SecondsRange(p50_seconds=pace.p50, p95_seconds=pace.p95)

    def _weights_bytes(self, spec: ModelSpec) -> int:
        known = self._footprints[spec.id].disk_bytes
        return spec.vram_bytes if known is None else known


def _first_free(facts: _Facts, ahead: int) -> list[CandidateServer]:
    """Return the servers of which one takes the job.

    Idle ones where more of them are idle than jobs are ahead; of those that have its model in memory, since a worker
    prefers the jobs of its models.
    """
    servers = facts.candidates.servers
    idle = [server for server in servers if server.is_idle]
    free = idle if ahead < len(idle) else list(servers)
    return [server for server in free if facts.spec.id in server.resident] or free


def _reason(facts: _Facts, ahead: Sequence[JobsAhead]) -> Reason | None:
    """Return why the job would not be started at once."""
    servers = facts.candidates.servers
    if not servers:
        return facts.candidates.reason
    if facts.limits.paused:
        return Reason.TENANT_PAUSED
    if facts.limits.full:
        return Reason.TENANT_RUNNING_CAP
    idle = sum(server.is_idle for server in servers)
    if count(ahead) < idle:
        return None
    return Reason.QUEUE if ahead else Reason.SERVER_BUSY
