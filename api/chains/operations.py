"""Chains of a tenant: found, listed, cancelled."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from api.http.auth import Caller
from api.http.database import Database
from api.operations.job_control import JobControl
from core.errors.unknown import UnknownChain
from core.ids import check_id
from jobs.chains.chain import Chain, ChainStep, chain_from_row, step_from_row
from jobs.job import Job, JobStatus, job_from_row
from jobs.params.requests.origin import CHAIN
from jobs.statements.chains import chains, work
from jobs.statements.queue.tenant_jobs import all_visible


class ChainView(msgspec.Struct, frozen=True, kw_only=True):
    """A chain, its steps, and those of its jobs that are not deleted, by id."""

    chain: Chain
    steps: Sequence[ChainStep]
    jobs: Mapping[str, Job]


class ChainOperations:
    """Operations on chains. A chain of another tenant is `UnknownChain`."""

    def __init__(self, database: Database, job_control: JobControl) -> None:
        self._database = database
        self._job_control = job_control

    async def find(self, caller: Caller, chain_id: str) -> ChainView:
        """Return a chain as it is now. Raises `MalformedId` or `UnknownChain`."""
        row = await self._database.row(chains.find_chain(check_id(CHAIN, chain_id), caller.tenant))
        if row is None:
            raise UnknownChain
        (view,) = await self._views(caller, [chain_from_row(row)])
        return view

    async def page(
        self, caller: Caller, *, limit: int, dialect: str | None = None, before: tuple[datetime, str] | None = None
    ) -> list[ChainView]:
        """Return a page of chains, newest first, of a dialect those alone."""
        rows = await self._database.rows(chains.list_chains(caller.tenant, limit=limit, dialect=dialect, before=before))
        return await self._views(caller, [chain_from_row(row) for row in rows])

    async def cancel(self, caller: Caller, chain_id: str) -> None:
        """Cancel what has not ended of a chain, and end it. May be repeated. Raises `MalformedId` or `UnknownChain`."""
        view = await self.find(caller, chain_id)
        if await self._database.row(chains.cancel_chain(chain_id, caller.tenant)) is None:
            return
        for step in view.steps:
            await self._job_control.cancel(caller, step.job_id)
        made = (await self.find(caller, chain_id)).jobs.values()
        # A step that failed ends the chain otherwise, and names itself: that is left to a CPU worker.
        if all(job.status.terminal and job.status is not JobStatus.FAILED for job in made):
            await self._database.row(work.end_chain(chain_id, "cancelled"))

    async def _views(self, caller: Caller, found: Sequence[Chain]) -> list[ChainView]:
        steps: dict[str, list[ChainStep]] = {chain.id: [] for chain in found}
        for row in await self._database.rows(chains.steps_of(list(steps))) if found else ():
            steps[row.chain].append(step_from_row(row))
        ids = [step.job_id for some in steps.values() for step in some]
        rows = await self._database.rows(all_visible(ids, caller.tenant)) if ids else ()
        jobs = {job.id: job for job in map(job_from_row, rows)}
        return [ChainView(chain=chain, steps=steps[chain.id], jobs=jobs) for chain in found]
